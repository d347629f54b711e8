"""The part of the globe that an experiment needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from kaiseki.config import Experiment
from kaiseki.grid import Domain
from kaiseki.grid.build import specification_from_section

MARGIN = 2.0
"""Margin around the domain, degrees of latitude, and as many kilometres in longitude: some cells of the coarsest source
for interpolation."""


@dataclass(frozen=True)
class Area:
    """A box in latitude and longitude, degrees; it may cross Greenwich or the date line.

    Attributes:
        south, north: bounds in latitude.
        west: western bound, -180 to below 180.
        width: extent in longitude, up to 360.
    """

    south: float
    north: float
    west: float
    width: float

    @classmethod
    def around(cls, lat: np.ndarray, lon: np.ndarray, margin: float = MARGIN, pole: bool = False) -> Self:
        """The smallest box with a margin around places (degrees, any convention of longitude).

        Args:
            lat, lon: of the places.
            margin: degrees of latitude.
            pole: whether a pole lies among them; then all longitudes are taken, up to the nearer pole.
        """
        south, north = float(np.min(lat)) - margin, float(np.max(lat)) + margin
        if pole:
            if abs(south) > abs(north):
                south = -90.0
            else:
                north = 90.0
        south, north = max(south, -90.0), min(north, 90.0)
        poleward = max(abs(south), abs(north))
        if pole or poleward > 88.0:
            return cls(south, north, -180.0, 360.0)
        # The widest gap between neighbouring longitudes is what lies outside.
        around = np.unique(np.mod(np.asarray(lon, dtype=float).ravel(), 360.0))
        gaps = np.diff(np.append(around, around[0] + 360.0))
        k = int(np.argmax(gaps))
        wide = margin / math.cos(math.radians(poleward))
        width = 360.0 - float(gaps[k]) + 2.0 * wide
        if width >= 360.0:
            return cls(south, north, -180.0, 360.0)
        west = float(around[(k + 1) % around.size]) - wide
        # A remainder can be rounded up to the whole circle.
        return cls(south, north, (west + 180.0) % 360.0 % 360.0 - 180.0, width)

    def outward(self, step: float) -> Area:
        """The box with its bounds moved outwards to multiples of a grid length, degrees."""
        south = max(-90.0, math.floor(self.south / step) * step)
        north = min(90.0, math.ceil(self.north / step) * step)
        if self.width >= 360.0:
            return Area(south, north, -180.0, 360.0)
        west = math.floor(self.west / step) * step
        east = math.ceil((self.west + self.width) / step) * step
        return Area(south, north, west, east - west)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """North, west, south, east as the Climate Data Store takes them: east of west, also across the date line.

        The whole circle ends a quarter of a degree before it begins again.
        """
        if self.width >= 360.0:
            return self.north, -180.0, self.south, 179.75
        return self.north, self.west, self.south, self.west + self.width

    def latitudes(self, values: np.ndarray) -> np.ndarray:
        """Indices of the latitudes (n,) within the box, in their order."""
        return np.flatnonzero((values >= self.south - 1e-6) & (values <= self.north + 1e-6))

    def longitudes(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the longitudes (n,) within the box from west to east, and these longitudes, rising.

        They lie between -180 and 360, and cross Greenwich or the date line without a jump.
        """
        east_of_west = np.mod(np.asarray(values, dtype=float) - self.west, 360.0)
        # A column that rounding puts just west of the bound.
        east_of_west = np.where(east_of_west > 360.0 - 1e-6, east_of_west - 360.0, east_of_west)
        order = np.argsort(east_of_west, kind="stable")
        chosen = order[east_of_west[order] <= self.width + 1e-6]
        # Whole turns alone are added, so that the values stay exact.
        turns = np.round((self.west + east_of_west[chosen] - values[chosen]) / 360.0)
        return chosen, values[chosen] + 360.0 * turns

    def tiles(self) -> list[tuple[str, str]]:
        """Names ("N35", "E139") of the squares of one degree that it touches, by their south-west corners."""
        found = []
        for lat in range(math.floor(self.south), math.ceil(self.north)):
            for k in range(math.floor(self.west), math.ceil(self.west + self.width)):
                lon = (k + 180) % 360 - 180
                found.append((f"{'N' if lat >= 0 else 'S'}{abs(lat):02d}", f"{'E' if lon >= 0 else 'W'}{abs(lon):03d}"))
        return list(dict.fromkeys(found))

    def points(self, step: float) -> int:
        """Number of points of a regular grid in it."""
        return (round((self.north - self.south) / step) + 1) * (round(self.width / step) + 1)

    def __str__(self) -> str:
        return (
            f"{_named(self.south, 'NS')} to {_named(self.north, 'NS')}, {_named(self.west, 'EW')} to "
            f"{_named((self.west + self.width + 180.0) % 360.0 - 180.0, 'EW')}"
        )


def area_of(experiment: Experiment, margin: float = MARGIN) -> Area:
    """The box around the domain of an experiment and, where there is one, the coarse domain around it.

    Raises:
        ConfigError: numbers that make no grid.
    """
    sections = [experiment.domain, *([experiment.driving.coarse] if experiment.driving.coarse else [])]
    domains = [specification_from_section(section).domain() for section in sections]
    lat = np.concatenate([one.lat.ravel() for one in domains])
    lon = np.concatenate([one.lon.ravel() for one in domains])
    return Area.around(lat, lon, margin, any(_holds_pole(one) for one in domains))


def _holds_pole(domain: Domain) -> bool:
    """Whether a pole lies in the domain: then the longitudes along its edge go once round.

    Projections that cannot show a pole never hold one.
    """
    edge = np.concatenate([domain.lon[0], domain.lon[1:, -1], domain.lon[-1, -2::-1], domain.lon[-2:0:-1, 0]])
    steps = (np.diff(np.append(edge, edge[0])) + 180.0) % 360.0 - 180.0
    return bool(abs(steps.sum()) > 180.0)


def _named(value: float, letters: str) -> str:
    return f"{abs(value):.2f}{letters[0] if value >= 0 else letters[1]}"
