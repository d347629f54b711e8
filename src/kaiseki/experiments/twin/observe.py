"""What the network measures in the nature run: values of the observation operators with errors of known statistics.

An error is the table's standard deviation, times a factor that the assimilating system does not know, times a Gaussian
number, of whose variance a small part is common to all values of a quantity in a report; along an ascent the rest can
be correlated as well. Aircraft thermometers are a little warm, as they are. A few values are grossly wrong, so that
quality control has something to find. Heights of sondes follow from their own temperatures, as they do in reality:
their errors are the integrals of the temperature errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from kaiseki.assimilation import Trajectory, departures
from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.diagnostics.saturation import saturation_humidity_over_water
from kaiseki.observations import Table
from kaiseki.observations.errors import COLDEST_HUMIDITY, DEFAULT, Profile, assign
from kaiseki.observations.profiles import levels

BIASES: Final = {("aircraft", "air_temperature"): 0.2}
"""Mean errors, SI. Aircraft: warm by some tenths of a kelvin (Ballish and Kumar 2008, Bull. Amer. Meteor. Soc. 89,
1595-1607)."""
_AT_STATION: Final = ("synop", "ship", "buoy", "sonde", "pilot")


@dataclass(frozen=True)
class ErrorModel:
    """How values err.

    Args:
        profiles: standard deviations by kind and quantity, as the system assumes them.
        factor: the true standard deviations in units of those.
        vertical_length: of the correlation exp(-|difference of ln p| / length) between the levels of an ascent; 0 for
            none.
        common: part of the variance that is common to a quantity's values in one report.
        gross: part of the values that are grossly wrong.
        gross_size: by how many standard deviations, least and most.
    """

    profiles: Mapping[tuple[str, str], Profile]
    factor: float = 1.0
    vertical_length: float = 0.0
    common: float = 0.1
    gross: float = 0.003
    gross_size: tuple[float, float] = (8.0, 20.0)


DEFAULT_ERRORS: Final = ErrorModel(DEFAULT)


def draw_observations(
    truth: Trajectory, reports: Table, seed: int, errors: ErrorModel = DEFAULT_ERRORS
) -> tuple[Table, np.ndarray]:
    """Measure the truth.

    Args:
        truth: hourly states of the nature run.
        reports: places and times, `reports.blank_reports`.
        seed: of the errors.
        errors: how values err.

    Returns:
        The reports with values, and the true values (n,). Rows where the truth has no value are gone: below the ground,
        above the top, and humidity below -40 degC, which no hygrometer of those years measures.
    """
    true = -departures(truth, reports.with_columns(value=0.0))
    reports, true = _kept(reports, true, np.isfinite(true))
    table = _with_surface_pressure(reports, true)
    # Errors of humidity are those of relative humidity at the temperature of the level, so the truth is needed.
    graded = assign(table.with_columns(value=true), errors.profiles)
    graded, true = _kept(graded, true, np.isfinite(graded.column("error")))
    value = _bounded_humidity(graded, true, true + _noise(graded, seed, errors))
    value = _heights(graded.with_columns(value=value), true) + _gross(graded, seed, errors)
    table = graded.with_columns(value=value, flags=np.uint32(0))
    return _with_surface_pressure(table, value), true


def _kept(table: Table, true: np.ndarray, mask: np.ndarray) -> tuple[Table, np.ndarray]:
    return table.take(mask), true[mask]


def _with_surface_pressure(table: Table, value: np.ndarray) -> Table:
    """The pressure of values measured at a station: that of its report."""
    report = np.unique(table.column("report"), return_inverse=True)[1]
    measured = table.where(quantity="surface_pressure")
    found = np.full(report.max(initial=0) + 1, np.nan)
    found[report[measured]] = value[measured]
    here = table.where(kind=_AT_STATION) & (table.column("level") == 0)
    return table.with_columns(pressure=np.where(here, found[report], table.column("pressure")))


def _noise(table: Table, seed: int, errors: ErrorModel) -> np.ndarray:
    """Errors (n,) with the standard deviations of the table times the factor."""
    r = np.random.default_rng([seed, 6])
    quantity, words = table.codes("quantity")
    report = np.unique(table.column("report"), return_inverse=True)[1]
    own = r.normal(size=len(table))
    if errors.vertical_length > 0.0:
        own = _along_ascents(own, report * len(words) + quantity, table, errors.vertical_length)
    common = r.normal(size=(report.max(initial=0) + 1, len(words)))[report, quantity]
    bias = np.zeros(len(table))
    for (kind, name), mean in BIASES.items():
        bias[table.where(kind=kind, quantity=name)] = mean
    share = errors.common
    return bias + errors.factor * table.column("error") * (np.sqrt(1.0 - share) * own + np.sqrt(share) * common)


def _along_ascents(own: np.ndarray, profile: np.ndarray, table: Table, length: float) -> np.ndarray:
    """Independent Gaussian numbers (n,) as autoregressive ones along ln p within each profile (n,), variance 1.

    The process is the one of first order whose correlation between two levels, however far apart, is exp(-|difference
    of ln p| / length). Values of reports with one level stay as they are.
    """
    log_p = np.log(table.column("pressure"))
    rising = np.lexsort((-log_p, profile))
    follows = np.concatenate([[False], profile[rising][1:] == profile[rising][:-1]])
    distance = np.abs(np.diff(log_p[rising], prepend=np.nan))
    memory = np.where(follows & np.isfinite(distance), np.exp(-np.nan_to_num(distance, nan=np.inf) / length), 0.0)
    made = own[rising]
    for row in np.flatnonzero(memory):
        made[row] = memory[row] * made[row - 1] + np.sqrt(1.0 - memory[row] ** 2) * made[row]
    result = np.empty_like(own)
    result[rising] = made
    return result


def _gross(table: Table, seed: int, errors: ErrorModel) -> np.ndarray:
    """What is added to the few values (n,) that are grossly wrong; 0 elsewhere."""
    r = np.random.default_rng([seed, 7])
    chosen = r.random(len(table)) < errors.gross
    chosen &= ~table.where(quantity=("geopotential_height", "mean_sea_level_pressure", "specific_humidity"))
    size = r.choice((-1.0, 1.0), len(table)) * r.uniform(*errors.gross_size, len(table))
    return np.where(chosen, size * table.column("error"), 0.0)


def _bounded_humidity(table: Table, true: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Values (n,) with humidities between 0 and saturation over water at the true temperature of their level."""
    found = levels(table.with_columns(value=true), ("specific_humidity", "air_temperature"), np.ones(len(true), bool))
    found = found.keep((found.rows[:, 0] >= 0) & (found.values[:, 1] >= COLDEST_HUMIDITY))
    rows = found.rows[:, 0]
    most = np.maximum(saturation_humidity_over_water(found.values[:, 1], found.pressure), true[rows])
    bounded = value.copy()
    bounded[rows] = np.clip(value[rows], 0.0, most)
    return bounded


def _heights(table: Table, true: np.ndarray) -> np.ndarray:
    """Values (n,) in which the heights of sondes are the true ones plus the integral of the temperature errors from the
    ground and the error of the pressure there, in height."""
    value = table.column("value").copy()
    wanted = ("air_temperature", "geopotential_height", "surface_pressure")
    found = levels(table, wanted, table.where(kind="sonde"))
    if not len(found):
        return value
    rows = found.rows
    error = np.where(rows[:, 0] >= 0, value[rows[:, 0]] - true[rows[:, 0]], np.nan)
    for report in np.unique(found.report):
        members = np.flatnonzero(found.report == report)
        members = members[np.argsort(-found.pressure[members])]
        warm = members[np.isfinite(error[members])]
        if not len(warm):
            continue
        log_p = -np.log(found.pressure[members])
        profile = np.interp(log_p, -np.log(found.pressure[warm]), error[warm])
        layers = 0.5 * (profile[1:] + profile[:-1]) * np.diff(log_p)
        height = R_DRY / GRAVITY * np.concatenate([[0.0], np.cumsum(layers)])
        ground = members[rows[members, 2] >= 0]
        if len(ground):
            row = rows[ground[0], 2]
            near = found.values[warm[0], 0]
            height += R_DRY * near / GRAVITY * (value[row] - true[row]) / true[row]
        high = rows[members, 1] >= 0
        value[rows[members[high], 1]] = true[rows[members[high], 1]] + height[high]
    return value
