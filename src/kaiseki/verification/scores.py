"""Scores of departures: bias and root mean square with 95 % intervals by station, in rows of one form.

`bias` is the mean of observation minus experiment; for the vector wind it is the length of the mean difference
vector. `rms` is the root of the mean square; for the wind, of the squared length of the difference vector. `expected`
is what the rms would be if the analysis had the error that its archive says (`calibration`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from kaiseki.config import Verification
from kaiseki.core.timing import format_utc
from kaiseki.verification.bootstrap import DEFAULTS, Groups, interval
from kaiseki.verification.calibration import EXPECTED
from kaiseki.verification.departures import AGAINST, Departures, codes

MANDATORY_LEVELS = (85_000.0, 70_000.0, 50_000.0, 40_000.0, 30_000.0, 25_000.0)
"""Mandatory levels of soundings from 850 to 250 hPa [Pa] (WMO-No. 306, FM 35 TEMP)."""

LEVEL_TOLERANCE = 50.0
"""Two pressures within this are the same level [Pa]; reports give tenths of hPa."""

TEMPERATURE, WIND, HUMIDITY, HEIGHT, PRESSURE = (
    "air_temperature",
    "wind",
    "specific_humidity",
    "geopotential_height",
    "surface_air_pressure",
)
"""`variable` in the rows: CF standard names, and "wind" for the vector."""

SHOWN = {
    TEMPERATURE: ("temperature", "K", 1.0, 2),
    WIND: ("vector wind", "m s⁻¹", 1.0, 2),
    HUMIDITY: ("specific humidity", "g kg⁻¹", 1000.0, 3),
    HEIGHT: ("height", "m", 1.0, 1),
    PRESSURE: ("surface pressure", "hPa", 0.01, 2),
    "dry_total_energy": ("dry total-energy norm", "m s⁻¹", 1.0, 2),
}
"""How variables of the rows are shown: name, unit, factor from SI, decimals."""

_QUANTITIES = {
    TEMPERATURE: ("air_temperature", "virtual_temperature"),
    WIND: ("eastward_wind", "northward_wind"),
    HUMIDITY: ("specific_humidity",),
    HEIGHT: ("geopotential_height",),
    PRESSURE: ("surface_pressure",),
}
_PLACE = ("time", "latitude", "longitude", "pressure", "kind", "station", "level")


@dataclass(frozen=True)
class Target:
    """What a score is about.

    Attributes:
        variable: CF name or "wind". Soundings that report virtual temperature count as temperature: both departures
            are in K and the model is compared with what was reported.
        levels: pressures that are pooled [Pa]; empty for values at the surface.
        level: `level` of the row.
    """

    variable: str
    levels: tuple[float, ...]
    level: float | str | None


def targets(levels: Sequence[float] = MANDATORY_LEVELS) -> list[Target]:
    """All that is scored: surface pressure; temperature and wind pooled and by level; height and humidity by level.

    Args:
        levels: pressures [Pa]; what is pooled is labelled by their ends in hPa, as "850-250".
    """
    ordered = tuple(sorted((float(level) for level in levels), reverse=True))
    pooled = f"{ordered[0] / 100:g}-{ordered[-1] / 100:g}"
    result = [Target(PRESSURE, (), None), Target(TEMPERATURE, ordered, pooled), Target(WIND, ordered, pooled)]
    for variable in (HEIGHT, TEMPERATURE, WIND, HUMIDITY):
        result += [Target(variable, (level,), level) for level in ordered]
    return result


@dataclass(frozen=True)
class Sample:
    """The values of one target: components of the departures, (n, 1) or for the wind (n, 2), their stations, and how
    large they are expected to be, None where nobody says."""

    station: np.ndarray
    values: dict[str, np.ndarray]
    expected: np.ndarray | None = None

    @property
    def n(self) -> int:
        """Number of values (of vectors for the wind)."""
        return int(self.station.size)


def sample(departures: Departures, target: Target) -> Sample:
    """The values of a target among the departures: soundings on pressure levels, all kinds at the surface."""
    columns = departures.columns
    rows = np.isin(columns["quantity"].astype(np.str_), _QUANTITIES[target.variable])
    if target.levels:
        distance = np.abs(columns["pressure"][:, None] - np.asarray(target.levels)).min(axis=1, initial=np.inf)
        rows &= (columns["kind"].astype(np.str_) == "sonde") & (distance <= LEVEL_TOLERANCE)
    chosen = departures.take(np.flatnonzero(rows))
    every = np.arange(len(chosen))
    parts = _pairs(chosen) if target.variable == WIND else (every,)
    values = {name: np.stack([value[part] for part in parts], axis=1) for name, value in chosen.values.items()}
    said = chosen.columns.get(EXPECTED)
    expected = None if said is None else np.stack([said[part] for part in parts], axis=1)
    station = chosen.columns["station"][parts[0]]
    return Sample(_identity(chosen, station, parts[0] if target.variable == WIND else None), values, expected)


def _identity(chosen: Departures, station: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
    """Label of the group of each value: the station; where it has no name, its place to a tenth of a degree."""
    names = station.astype(np.str_)
    latitude, longitude = chosen.columns["latitude"], chosen.columns["longitude"]
    if rows is not None:
        latitude, longitude = latitude[rows], longitude[rows]
    nameless = np.char.strip(names) == ""
    if not nameless.any():
        return names
    place = np.array([f"@{y:.1f}{x:+.1f}" for y, x in zip(latitude[nameless], longitude[nameless], strict=True)])
    result = names.astype(object)
    result[nameless] = place
    return result.astype(np.str_)


def _pairs(chosen: Departures) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the eastward and of the northward wind that belong together."""
    if len(chosen) == 0:
        empty = np.empty(0, np.int64)
        return empty, empty
    code = codes([np.asarray(chosen.columns[name]) for name in _PLACE])
    east = np.flatnonzero(chosen.columns["quantity"].astype(np.str_) == "eastward_wind")
    partner = np.full(int(code.max()) + 1, -1)
    north = np.flatnonzero(chosen.columns["quantity"].astype(np.str_) == "northward_wind")
    partner[code[north]] = north
    found = partner[code[east]]
    return east[found >= 0], found[found >= 0]


def bias_and_rms(values: np.ndarray) -> tuple[float, float]:
    """Bias and rms of the components (n, 1) or (n, 2) of departures, as the head of this module says."""
    mean = values.mean(axis=0)
    bias = float(mean[0]) if values.shape[1] == 1 else float(np.hypot(*mean))
    return bias, float(np.sqrt((values**2).sum(axis=1).mean()))


def _known(expected: np.ndarray | None) -> TypeGuard[np.ndarray]:
    """Whether every value has an expected departure."""
    return expected is not None and bool(np.isfinite(expected).all())


def score_rows(
    departures: Departures,
    *,
    case: str,
    time: np.datetime64,
    against: Sequence[str] = AGAINST,
    settings: Verification = DEFAULTS,
) -> list[dict[str, Any]]:
    """Rows for `scores.json`; what has no value has no row.

    Args:
        departures: of all experiments; choose the rows inside the rim before.
        case: name of the case.
        time: analysis time (UTC).
        against: "withheld", "assimilated" or both.
        settings: pressures at which soundings are scored, bootstrap by station.

    Returns:
        {case, experiment, against, variable, level, time, n, bias, rms, rms_low, rms_high}: level in Pa, "850-250" or
        None; time as ISO 8601 in UTC; values in SI units. Rows of the analysis against withheld observations have
        `expected` as well where the departures know it.

    Raises:
        InputError: an unknown `against`.
    """
    rows: list[dict[str, Any]] = []
    for which in against:
        chosen = departures.against(which)
        for target in targets(settings.levels):
            values = sample(chosen, target)
            if values.n == 0:
                continue
            groups = Groups.draw(values.station, settings.bootstrap_samples, settings.seed)
            for experiment, parts in values.values.items():
                bias, rms = bias_and_rms(parts)
                low, high = interval(np.sqrt(groups.means((parts**2).sum(axis=1))), settings.confidence)
                rows.append(
                    {
                        "case": case,
                        "experiment": experiment,
                        "against": which,
                        "variable": target.variable,
                        "level": target.level,
                        "time": format_utc(time),
                        "n": values.n,
                        "bias": bias,
                        "rms": rms,
                        "rms_low": low,
                        "rms_high": high,
                    }
                )
                if which == "withheld" and experiment == "analysis" and _known(values.expected):
                    rows[-1]["expected"] = bias_and_rms(values.expected)[1]
    return rows
