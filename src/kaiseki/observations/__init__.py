"""Observations: one table, readers, quality control that needs no model, withholding, thinning, errors.

The way of a report: `sources` read it, `windows` gives it to one window, `withholding` may set it aside,
`quality.run_all` doubts it, `selection` says what it is for, `thinning` and `errors` what it weighs.
"""

from kaiseki.core.observables import KINDS, QUANTITIES
from kaiseki.observations.flags import Flag, trusted, usable
from kaiseki.observations.table import Table

__all__ = ["KINDS", "QUANTITIES", "Flag", "Table", "trusted", "usable"]
