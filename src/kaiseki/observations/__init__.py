"""Observations: one table, readers, quality control that needs no model, thinning, errors."""

from kaiseki.observations.columns import KINDS, QUANTITIES
from kaiseki.observations.flags import Flag, usable
from kaiseki.observations.table import Table

__all__ = ["KINDS", "QUANTITIES", "Flag", "Table", "usable"]
