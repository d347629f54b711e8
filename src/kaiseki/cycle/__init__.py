"""The reanalysis cycle: observations of a window, a stream of cycles, nesting, restart, baselines."""
