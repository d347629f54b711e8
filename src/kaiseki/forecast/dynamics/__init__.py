"""The dynamical core: non-hydrostatic, fully compressible, flux form, on a terrain-following C-grid."""
