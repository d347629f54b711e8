"""Hydrostatic consistency of sonde heights and temperatures.

The thickness between two levels with heights is compared with the integral of virtual temperature over all levels
between them. The pattern of the residuals tells which value is wrong: a wrong height shows in the layers below and
above with opposite signs, a wrong temperature with the same sign in proportion to its weights, and a mistake in the
summation of heights in one layer, all heights above being shifted (Gandin 1988, Mon. Wea. Rev. 116, 1137-1156; Collins
and Gandin 1990, Mon. Wea. Rev. 118, 2752-2767; Collins 1998, J. Atmos. Oceanic Technol. 15, 123-150). Here every
hypothesis of one wrong value is fitted to the residuals and the best is believed when it explains them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.observations.flags import Flag
from kaiseki.observations.profiles import levels, starts_of
from kaiseki.observations.surface_level import surface_levels
from kaiseki.observations.table import Table

QUANTITIES: Final = ("air_temperature", "virtual_temperature", "geopotential_height", "specific_humidity")

BASE_TOLERANCE: Final = 15.0
"""Rounding of heights, of pressures of significant levels and of temperatures [m]."""

TEMPERATURE_TOLERANCE: Final = 1.5
"""Tolerance of the mean temperature of a layer, because levels between are not all reported [K]."""

GAP_TOLERANCE: Final = 8.0
"""Tolerance of the mean temperature of a layer per unit of the largest gap in ln p between temperatures [K]: curvature
of the profile that is not resolved."""

WIDEST_GAP: Final = 0.75
"""Largest gap in ln p between temperatures of a layer that is checked (700 to 300 hPa is 0.85)."""

UNSEEN_GAP: Final = 1.2
"""Largest gap in ln p between temperatures of a layer while one of them is left out on trial."""

EXPLAINED: Final = 0.6
"""Part of the excess of the worst residual over its tolerance that a hypothesis must remove to be accepted."""

TRIAL_GROWTH: Final = 1.3
"""Largest growth of a tolerance by leaving a value out on trial."""

INDISTINCT: Final = 0.05
"""Difference between the sums of squared residuals of two hypotheses, in tolerances, below which they cannot be told
apart."""

MOST_ERRORS: Final = 4
"""Wrong values looked for in one ascent, one after another."""

HOPELESS: Final = 3
"""Layers without an explanation from which on their temperatures are refused as well."""

_R_OVER_G: Final = R_DRY / GRAVITY


@dataclass
class _Ascent:
    """One sounding.

    Attributes:
        depth: (m,) -ln p, rising.
        temperature: (m,) virtual temperature [K], NaN where missing or found wrong.
        height: (m,) geopotential height [m], NaN where missing or found wrong.
        station: (m,) True at the level of the station, whose height is known and not in question.
    """

    depth: np.ndarray
    temperature: np.ndarray
    height: np.ndarray
    station: np.ndarray

    def layers(self, widest_gap: float) -> _Layers:
        """The layers between neighbouring heights that have temperatures closely enough."""
        at = np.flatnonzero(np.isfinite(self.temperature))
        ends = np.flatnonzero(np.isfinite(self.height))
        if len(at) >= 2:
            ends = ends[(ends >= at[0]) & (ends <= at[-1])]
        if len(at) < 2 or len(ends) < 2:
            return _Layers(*(np.zeros(0, dtype=np.int64),) * 2, *(np.zeros(0),) * 2)
        bottom, top = ends[:-1], ends[1:]
        filled = np.interp(self.depth, self.depth[at], self.temperature[at])
        # Trapezoids summed up give the integral from the lowest level to any other.
        integral = np.concatenate([[0.0], np.cumsum(0.5 * (filled[1:] + filled[:-1]) * np.diff(self.depth))])
        residual = self.height[top] - self.height[bottom] - _R_OVER_G * (integral[top] - integral[bottom])
        first = np.searchsorted(at, bottom, side="right") - 1
        last = np.searchsorted(at, top, side="left")
        gaps = np.append(np.diff(self.depth[at]), 0.0)
        widest = np.maximum.reduceat(gaps, np.stack([first, last], axis=1).ravel())[::2]
        kelvin = TEMPERATURE_TOLERANCE + GAP_TOLERANCE * widest
        tolerance = BASE_TOLERANCE + _R_OVER_G * (self.depth[top] - self.depth[bottom]) * kelvin
        checked = widest <= widest_gap
        return _Layers(bottom[checked], top[checked], residual[checked], tolerance[checked])

    def without(self, what: str, level: int) -> _Ascent:
        """Ascent without one height ("z") or one temperature ("t")."""
        height, temperature = self.height.copy(), self.temperature.copy()
        (height if what == "z" else temperature)[level] = np.nan
        return _Ascent(self.depth, temperature, height, self.station)


@dataclass
class _Layers:
    """Index of bottom and top level, residual [m] and tolerance [m] of each layer, (layers,)."""

    bottom: np.ndarray
    top: np.ndarray
    residual: np.ndarray
    tolerance: np.ndarray

    @property
    def excess(self) -> np.ndarray:
        """What each residual exceeds its tolerance by, in tolerances."""
        return np.maximum(np.abs(self.residual) / self.tolerance - 1.0, 0.0)


def check_hydrostatic(table: Table) -> np.ndarray:
    """`Flag.HYDROSTATIC` on sonde heights and temperatures that disagree, uint32 (n,).

    Only the value found wrong is flagged where the residuals tell. Heights are sums from the station upwards: above a
    residual that no single value explains all are flagged, and the temperatures of its layer get `Flag.SUSPECT`, or
    `Flag.HYDROSTATIC` when there are `HOPELESS` such layers. At the ends of an ascent height and temperature cannot be
    told apart and are flagged both. The station itself, where its level is known, is where the sum starts.
    """
    flags = np.zeros(len(table), dtype=np.uint32)
    rows = table.where(kind="sonde") & ((table.column("flags") & np.uint32(Flag.RANGE | Flag.DUPLICATE)) == 0)
    found = levels(table, QUANTITIES, rows)
    if not len(found):
        return flags
    sensible, virtual, height, humidity = found.values.T
    temperature = np.where(np.isfinite(sensible), virtual_temperature(sensible, np.nan_to_num(humidity)), virtual)
    first = found.rows.max(axis=1)
    station = surface_levels(table)[first]
    height = np.where(station & ~np.isfinite(height), table.column("station_elevation")[first], height)
    for start, stop in pairwise(starts_of(found.report)):
        part = slice(start, stop)
        verdict = judge(_Ascent(-np.log(found.pressure[part]), temperature[part], height[part], station[part]))
        members = found.rows[part]
        wrong = np.concatenate([members[verdict.temperature][:, :2].ravel(), members[verdict.height, 2]])
        flags[wrong[wrong >= 0]] |= np.uint32(Flag.HYDROSTATIC)
        doubtful = members[verdict.doubtful][:, :2].ravel()
        flags[doubtful[doubtful >= 0]] |= np.uint32(Flag.SUSPECT)
    return flags


class Verdict(NamedTuple):
    """Masks (m,): temperatures and heights that are wrong, temperatures that may be."""

    temperature: np.ndarray
    height: np.ndarray
    doubtful: np.ndarray


def judge(ascent: _Ascent) -> Verdict:
    """What is wrong in an ascent, one value after another while that explains residuals."""
    verdict = Verdict(*np.zeros((3, len(ascent.depth)), dtype=bool))
    for _ in range(MOST_ERRORS):
        layers = ascent.layers(WIDEST_GAP)
        if not layers.excess.any():
            return verdict
        guilty = _guilty(ascent, layers)
        if not guilty:
            break
        for what, level in guilty:
            (verdict.height if what == "z" else verdict.temperature)[level] = True
            ascent = ascent.without(what, level)
    layers = ascent.layers(WIDEST_GAP)
    bad = np.flatnonzero(layers.excess > 0)
    if len(bad):
        verdict.height[layers.top[bad[0]] :] |= np.isfinite(ascent.height[layers.top[bad[0]] :])
        if bad[0] == 0 and not ascent.station[layers.bottom[0]]:
            verdict.height[layers.bottom[0]] = True
        temperatures = verdict.temperature if len(bad) >= HOPELESS else verdict.doubtful
        for bottom, top in zip(layers.bottom[bad], layers.top[bad], strict=True):
            temperatures[bottom : top + 1] |= np.isfinite(ascent.temperature[bottom : top + 1])
    return verdict


def _as_strict(trial: _Layers, now: _Layers) -> _Layers:
    """Layers of a trial with tolerances little above those of the layers they are made of.

    Otherwise every value left out would explain its residuals by making the layer too deep to be judged.
    """
    overlap = (now.bottom[None, :] < trial.top[:, None]) & (now.top[None, :] > trial.bottom[:, None])
    largest = np.where(overlap, now.tolerance[None, :], 0.0).max(axis=1, initial=0.0)
    tolerance = np.where(overlap.any(axis=1), np.minimum(trial.tolerance, TRIAL_GROWTH * largest), trial.tolerance)
    return _Layers(trial.bottom, trial.top, trial.residual, tolerance)


def _beside_an_end(level: int, layers: _Layers) -> bool:
    """Whether a level ends a chain of bad layers: leaving it out would only hide the first of them."""
    bad = layers.excess > 0
    if level <= layers.bottom[0]:
        return len(bad) > 1 and bool(bad[0] & bad[1])
    if level >= layers.top[-1]:
        return len(bad) > 1 and bool(bad[-1] & bad[-2])
    return False


def _guilty(ascent: _Ascent, layers: _Layers) -> list[tuple[str, int]]:
    """The values whose removal explains the residuals best; several where they cannot be told apart; none if none."""
    bad = layers.excess > 0
    ends = np.unique(np.concatenate([layers.bottom[bad], layers.top[bad]]))
    heights = {int(level) for level in ends if not ascent.station[level]}
    spans = zip(layers.bottom[bad], layers.top[bad], strict=True)
    temperatures = {int(level) for b, t in spans for level in range(b, t + 1) if np.isfinite(ascent.temperature[level])}
    now = ascent.layers(UNSEEN_GAP)
    before = now.excess.sum()
    trials: dict[tuple[str, int], tuple[float, float]] = {}
    for what, members in (("t", temperatures), ("z", heights)):
        for level in sorted(members):
            left = _as_strict(ascent.without(what, level).layers(UNSEEN_GAP), now)
            if len(left.bottom) < len(now.bottom) and _beside_an_end(level, layers):
                continue
            trials[what, level] = before - left.excess.sum(), float(((left.residual / left.tolerance) ** 2).sum())
    best = max((gain for gain, _ in trials.values()), default=0.0)
    worst = int(np.argmax(layers.excess))
    if best > 0.0 and best >= EXPLAINED * layers.excess[worst]:
        close = {trial: rest for trial, (gain, rest) in trials.items() if gain >= 0.9 * best}
        least = min(close.values())
        return [trial for trial, rest in close.items() if rest <= least + INDISTINCT]
    if np.sum(bad[max(worst - 1, 0) : worst + 2]) == 1:
        # One layer alone, and no value explains it: the heights above were summed up wrongly.
        above = np.flatnonzero(np.isfinite(ascent.height))
        return [("z", int(level)) for level in above[above >= layers.top[worst]]]
    return []
