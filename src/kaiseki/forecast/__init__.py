"""The model: state, dynamical core, lateral relaxation, initialisation, and the run of all of them."""
