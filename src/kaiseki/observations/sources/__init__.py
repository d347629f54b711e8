"""Readers of observations: one per kind of file, each gives the observation table."""
