"""Scores by distance to the nearest assimilated sonde and by day: an analysis near its soundings and far from them.

Only the times at which sondes were assimilated count, since at others there is no such distance. All times of a day
(UTC) are pooled. Rows are those of `scores.json` with `distance` beside, and a day as their `time`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from kaiseki.config import Verification
from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.grid import Domain
from kaiseki.verification.bootstrap import Groups, interval
from kaiseki.verification.departures import REJECTING_BITS, Departures, TableColumns
from kaiseki.verification.scores import PRESSURE, TEMPERATURE, WIND, bias_and_rms, sample, targets
from kaiseki.verification.truth import BOTTOM, ENERGY, TOP, TRUTH_LEVELS, Fields, difference, errors_inside

CLASSES: Final = {"0-300": (0.0, 300e3), "300-700": (300e3, 700e3), "700-": (700e3, np.inf)}
"""Distances by the label of the rows, km: at least the first number [m] and below the second. Increments of the usual
correlation length of 400 km are large in the first, and what they carry of the error's shape shows in the second."""

LEVELS: Final = (85_000.0, 50_000.0, 25_000.0)
"""Pressures at which wind and temperature are set against the truth [Pa]."""


def assimilated_sondes(table: TableColumns) -> np.ndarray:
    """Latitude and longitude (n, 2) of the soundings of a table of which a value was assimilated: where each was first
    used."""
    used = (np.asarray(table["flags"]).astype(np.int64) & REJECTING_BITS == 0) & ~np.asarray(table["withheld"], bool)
    rows = np.flatnonzero(used & (np.asarray(table["kind"]).astype(np.str_) == "sonde"))
    if not rows.size:
        return np.empty((0, 2))
    _, first = np.unique(np.asarray(table["report"])[rows], return_index=True)
    return np.stack([np.asarray(table[name], float)[rows[first]] for name in ("latitude", "longitude")], axis=1)


def distance_to_nearest(latitude: np.ndarray, longitude: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Distance on the sphere [m] from points of any shape to the nearest of places (n, 2), infinite without places."""
    if not len(places):
        return np.full(np.shape(latitude), np.inf)
    points = _directions(latitude, longitude)
    square = np.full(points.shape[:-1], np.inf)
    # One place after another: they are few, and the client does without SciPy.
    for place in _directions(places[:, 0], places[:, 1]):
        square = np.minimum(square, ((points - place) ** 2).sum(axis=-1))
    return np.asarray(2.0 * EARTH_RADIUS * np.arcsin(np.minimum(0.5 * np.sqrt(square), 1.0)))


def _directions(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Unit vectors (..., 3)."""
    phi, lam = np.deg2rad(latitude), np.deg2rad(longitude)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


class _Key(NamedTuple):
    """What a row is about."""

    day: str
    against: str
    variable: str
    level: float | str | None
    distance: str
    experiment: str


def _day(time: np.datetime64) -> str:
    return str(time.astype("datetime64[D]"))


def _errors(
    fields: Fields, truth: Fields, domain: Domain
) -> dict[tuple[str, float | str | None], tuple[np.ndarray, np.ndarray]]:
    """Errors in the cells inside the rim by variable and level: components (n, 1) or (n, 2), and weights (n,) that are
    0 where there is no error to be had."""
    errors, error = errors_inside(fields, truth, TRUTH_LEVELS, domain), difference(fields, truth)
    found: dict[tuple[str, float | str | None], tuple[np.ndarray, np.ndarray]] = {
        (ENERGY, f"{BOTTOM / 100:g}-{TOP / 100:g}"): (errors.energy[:, None], errors.mass),
        (PRESSURE, None): (errors.pressure[:, None], np.ones(errors.pressure.size)),
    }
    for level in LEVELS:
        number = TRUTH_LEVELS.index(level)
        for variable, names in ((WIND, ("u", "v")), (TEMPERATURE, ("temperature",))):
            parts = np.stack([error[name][number][domain.inside_rim] for name in names], axis=1)
            found[variable, level] = parts, np.isfinite(parts).all(axis=1) * 1.0
    return found


@dataclass
class ByDistance:
    """Errors of a run, gathered time by time.

    Attributes:
        domain: of the run.
        parts: by what they are about: components (n, 1) or (n, 2), group of the bootstrap (n,), weight (n,).
    """

    domain: Domain
    parts: dict[_Key, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = field(default_factory=dict)

    def add_truth(self, time: np.datetime64, sondes: np.ndarray, states: Mapping[str, Fields], truth: Fields) -> None:
        """Errors of fields in the cells inside the rim.

        Args:
            time: of the fields, UTC.
            sondes: places (n, 2) of the sondes assimilated then; without any nothing is added.
            states: by experiment, on `TRUTH_LEVELS` and the cells of the domain.
            truth: the same.
        """
        if not len(sondes):
            return
        distance = distance_to_nearest(self.domain.lat, self.domain.lon, sondes)[self.domain.inside_rim]
        for experiment, fields in states.items():
            block = errors_inside(fields, truth, TRUTH_LEVELS, self.domain).block
            for what, (parts, weight) in _errors(fields, truth, self.domain).items():
                for label, (least, most) in CLASSES.items():
                    rows = (distance >= least) & (distance < most) & (weight > 0.0)
                    key = _Key(_day(time), "truth", *what, label, experiment)
                    self._add(key, parts[rows], block[rows], weight[rows])

    def add_departures(
        self, time: np.datetime64, sondes: np.ndarray, departures: Departures, levels: Sequence[float]
    ) -> None:
        """Departures from withheld observations.

        Args:
            time: of the analysis, UTC.
            sondes: places (n, 2) of the sondes assimilated then; without any nothing is added.
            departures: of all experiments inside the rim.
            levels: pressures at which soundings are scored [Pa].
        """
        if not len(sondes):
            return
        withheld = departures.against("withheld")
        distance = distance_to_nearest(withheld.columns["latitude"], withheld.columns["longitude"], sondes)
        for label, (least, most) in CLASSES.items():
            chosen = withheld.take((distance >= least) & (distance < most))
            for target in targets(levels):
                found = sample(chosen, target)
                for experiment, parts in found.values.items():
                    key = _Key(_day(time), "withheld", target.variable, target.level, label, experiment)
                    self._add(key, parts, found.station, np.ones(found.n))

    def _add(self, key: _Key, parts: np.ndarray, group: np.ndarray, weight: np.ndarray) -> None:
        if len(parts):
            self.parts.setdefault(key, []).append((parts, group, weight))

    def rows(self, case: str, settings: Verification) -> list[dict[str, Any]]:
        """Rows for `scores.json`: {case, experiment, against, variable, level, time, distance, n, bias, rms, rms_low,
        rms_high}, `time` a day as "1989-01-02", `distance` one of `CLASSES` in km."""
        result = []
        for key, pieces in sorted(self.parts.items(), key=lambda item: [str(part) for part in item[0]]):
            parts, group, weight = (np.concatenate(one) for one in zip(*pieces, strict=True))
            square = (parts**2).sum(axis=1)
            groups = Groups.draw(group, settings.bootstrap_samples, settings.seed)
            low, high = interval(np.sqrt(groups.means(square, weight)), settings.confidence)
            bias = None if key.variable == ENERGY else bias_and_rms(parts)[0]
            result.append(
                {
                    "case": case,
                    "experiment": key.experiment,
                    "against": key.against,
                    "variable": key.variable,
                    "level": key.level,
                    "time": key.day,
                    "distance": key.distance,
                    "n": int(square.size),
                    "bias": bias,
                    "rms": float(np.sqrt(np.average(square, weights=weight))),
                    "rms_low": low,
                    "rms_high": high,
                }
            )
        return result
