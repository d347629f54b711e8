"""Maps that PROJ defines: any projection, on its own ellipsoid, as foreign radar composites have them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from pyproj import CRS, Proj
from pyproj.exceptions import CRSError

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.errors import InputError
from kaiseki.grid.projection import LambertConformal, Mercator, PolarStereographic, Projection
from kaiseki.grid.regular import LatLonGrid, MapGrid, cell_edges

_TOLERANCE = 0.5
"""Distance within which one of our own projections of the sphere is the one that PROJ means, m."""


@dataclass(frozen=True)
class ProjMap(Projection):
    """A projection by its definition for PROJ; it may be of an ellipsoid, and need not be conformal.

    Attributes:
        definition: text that `pyproj.CRS` reads.
        central_longitude: meridian of the definition, degrees.
        radius: sphere by which areas become solid angles, m.
    """

    name: ClassVar[str] = "proj"
    definition: str = ""
    central_longitude: float = 0.0
    radius: float = EARTH_RADIUS

    @cached_property
    def proj(self) -> Proj:
        """The projection of PROJ."""
        return Proj(self.definition)

    @property
    def cone(self) -> float:
        """Refused: grid north of such a map need not turn with the longitude alone."""
        raise InputError(f"The map {self.definition!r} has no cone constant; only fields without direction go on it")

    def forward(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates x, y (m) from latitude and longitude (degrees), infinite where the map does not reach."""
        x, y = self.proj(np.asarray(lon, float), np.asarray(lat, float))
        return np.asarray(x), np.asarray(y)

    def inverse(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude (degrees, -180..180) from x, y (m)."""
        lon, lat = self.proj(np.asarray(x, float), np.asarray(y, float), inverse=True)
        return np.asarray(lat), np.asarray(lon)

    def map_factor(self, lat: np.ndarray) -> np.ndarray:
        """Refused: the scale of such a map need not depend on the latitude alone."""
        raise InputError(f"The map {self.definition!r} has no map factor by latitude; take areas from its grid")

    def areal_scale(self, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        """Area on the map over area on the ellipsoid."""
        return np.asarray(self.proj.get_factors(np.asarray(lon, float), np.asarray(lat, float)).areal_scale)


@dataclass(frozen=True, eq=False)
class ProjGrid(MapGrid):
    """A rectangular grid on a map of PROJ."""

    projection: ProjMap

    def solid_angle(self) -> np.ndarray:
        """Solid angle (ny, nx) of the cells, sr, by the areal scale at their centres."""
        area = np.abs(np.diff(cell_edges(self.y, "y"))[:, None] * np.diff(cell_edges(self.x, "x")))
        return np.asarray(area / self.projection.areal_scale(*self.points()) / self.projection.radius**2)


def crs_of(where: str, definition: Any) -> CRS:
    """The coordinate reference system of a PROJ text, WKT or a dictionary of CF attributes.

    Raises:
        InputError: PROJ does not understand it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return CRS.from_cf(definition) if isinstance(definition, dict) else CRS.from_user_input(definition)
    except (CRSError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{where}: the map projection {definition!r} is not understood by PROJ ({error})") from error


def grid_of(where: str, crs: CRS, x: np.ndarray, y: np.ndarray) -> MapGrid | LatLonGrid:
    """The grid of a coordinate reference system and the coordinates of cell centres, m or degrees.

    Polar stereographic, Lambert and Mercator maps of a sphere become our own projections; others stay PROJ's.

    Raises:
        InputError: the system is not one of two horizontal coordinates.
    """
    if crs.is_geographic:
        return LatLonGrid(y, x)
    if not crs.is_projected:
        raise InputError(f"{where}: {crs.name!r} is neither a map nor latitude and longitude")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text, terms = crs.to_proj4(), crs.to_dict()
    if str(terms.get("units", "m")) != "m":
        raise InputError(f"{where}: the map counts in {terms['units']}; expected metres")
    foreign = ProjMap(definition=text, central_longitude=float(terms.get("lon_0", 0.0)))
    corners = np.meshgrid([x[0], x[-1]], [y[0], y[-1]])
    lat, lon = foreign.inverse(*corners)
    if not (np.isfinite(lat) & np.isfinite(lon)).all():
        raise InputError(f"{where}: corners of the grid lie outside the map {text!r}")
    own = _own(terms, crs)
    if own is not None:
        at_x, at_y = own.forward(lat, lon)
        shift = float((at_x - corners[0]).mean()), float((at_y - corners[1]).mean())
        apart = np.hypot(at_x - shift[0] - corners[0], at_y - shift[1] - corners[1]).max()
        if apart < _TOLERANCE:
            return MapGrid(own, np.asarray(x) + shift[0], np.asarray(y) + shift[1])
    return ProjGrid(foreign, x, y)


def _own(terms: dict[str, Any], crs: CRS) -> Projection | None:
    """Our projection that may be the one of PROJ's terms; None where there is none."""
    if crs.ellipsoid is None or crs.ellipsoid.inverse_flattening != 0.0:
        return None
    radius, lon = crs.ellipsoid.semi_major_metre, float(terms.get("lon_0", 0.0))
    kind, pole = terms.get("proj"), float(terms.get("lat_0", 0.0))
    if kind == "stere" and abs(pole) == 90.0:
        parallel = abs(float(terms.get("lat_ts", 90.0)))
        return PolarStereographic(float(np.copysign(parallel, pole)), lon, radius)
    if kind == "lcc":
        first = float(terms.get("lat_1", pole))
        return LambertConformal(first, float(terms.get("lat_2", first)), lon, radius)
    if kind == "merc":
        return Mercator(float(terms.get("lat_ts", 0.0)), lon, radius)
    return None
