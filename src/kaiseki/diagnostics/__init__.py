"""Thermodynamics and derived fields: pure functions of NumPy or JAX arrays."""
