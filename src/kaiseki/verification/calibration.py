"""How large departures are expected to be: is the error that an archive gives for its analysis the right one?

The departure of an observation that the analysis never saw is made of both errors, which are independent:

    expected^2 = analysis error^2 + error of observation^2

Over the root mean square of the departures that is 1 where both errors are what they are said to be, below 1 where they
are said to be too small (the ratio of spread and skill, Fortin et al. 2014, J. Hydrometeorol. 15, 1708-1713).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from kaiseki.grid import Domain
from kaiseki.verification.departures import Departures, TableColumns

EXPECTED: Final = "expected"
"""Column of the expected departures, NaN where one of the two errors is not known."""

_ALOFT: Final = {
    "air_temperature": "temperature",
    "virtual_temperature": "temperature",
    "eastward_wind": "eastward_wind",
    "northward_wind": "northward_wind",
}
"""Quantities that are compared at their pressure, and the field whose error is theirs; virtual temperature takes that
of temperature, for humidity has none."""


def analysis_error(fields: Mapping[str, np.ndarray], domain: Domain, columns: TableColumns) -> np.ndarray:
    """Error (n,) of the analysis at the places of observations, in their units; NaN where it is not known.

    Linear between cells and in ln p between levels, the lowest level's below it; whatever the time of the observation
    in the window, the error is that of the analysis.

    Args:
        fields: `pressure` (nz, ny, nx) and the errors by their names in the archive, `temperature_spread`,
            `eastward_wind_spread`, `northward_wind_spread` (nz, ny, nx), `surface_pressure_spread` (ny, nx).
        domain: their grid.
        columns: `latitude`, `longitude`, `pressure`, `quantity` of the observations inside the grid.
    """
    j, i = domain.index(np.asarray(columns["latitude"], float), np.asarray(columns["longitude"], float))
    row = np.clip(np.floor(j).astype(int), 0, domain.ny - 2)
    column = np.clip(np.floor(i).astype(int), 0, domain.nx - 2)
    y, x = np.clip(j - row, 0.0, 1.0), np.clip(i - column, 0.0, 1.0)

    def across(field: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Field (..., ny, nx) at the places of some rows, (..., n)."""
        at, beside, north, east = row[rows], column[rows], y[rows], x[rows]
        south = field[..., at, beside] * (1.0 - east) + field[..., at, beside + 1] * east
        behind = field[..., at + 1, beside] * (1.0 - east) + field[..., at + 1, beside + 1] * east
        return np.asarray(south * (1.0 - north) + behind * north)

    quantity = np.asarray(columns["quantity"]).astype(np.str_)
    found = np.full(len(quantity), np.nan)
    ground = np.flatnonzero(quantity == "surface_pressure")
    found[ground] = across(fields["surface_pressure_spread"], ground)
    log_pressure = np.log(np.asarray(fields["pressure"], float))
    given = np.asarray(columns["pressure"], float)
    for name, field in _ALOFT.items():
        rows = np.flatnonzero((quantity == name) & (given > 0.0))
        heights, errors = -across(log_pressure, rows), across(np.asarray(fields[f"{field}_spread"], float), rows)
        for place, target in enumerate(-np.log(given[rows])):
            found[rows[place]] = np.interp(target, heights[:, place], errors[:, place])
    return found


def with_expected(departures: Departures, fields: Mapping[str, np.ndarray], domain: Domain) -> Departures:
    """Departures with the column `EXPECTED` (n,), in the units of the quantities.

    Args:
        departures: with the column `error` of the errors of observation.
        fields, domain: see `analysis_error`.
    """
    error = analysis_error(fields, domain, departures.columns)
    expected = np.hypot(error, np.asarray(departures.columns["error"], float))
    return Departures({**departures.columns, EXPECTED: expected}, departures.values)
