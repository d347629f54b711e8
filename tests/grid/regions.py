"""Domains of six regions in which the projections differ, and the same projections by PROJ."""

from __future__ import annotations

import pyproj

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.grid import LambertConformal, Mercator, PolarStereographic, Projection
from kaiseki.grid.domain import Domain
from kaiseki.grid.levels import stretched_interfaces
from kaiseki.grid.presets import GridSpecification

GEOD = pyproj.Geod(a=EARTH_RADIUS, b=EARTH_RADIUS)

PLACES: dict[str, tuple[float, float, str, tuple[float, ...]]] = {
    "japan": (36.0, 137.0, "lambert_conformal", (31.0, 41.0)),
    "central-europe": (50.0, 10.0, "lambert_conformal", (48.0, 48.0)),
    "kansas": (38.5, -98.0, "lambert_conformal", (33.0, 43.0)),
    "south-east-australia": (-37.0, 147.0, "lambert_conformal", (-42.0, -32.0)),
    "fiji": (-18.0, 179.0, "mercator", (-18.0,)),
    "svalbard": (78.5, 16.0, "polar_stereographic", (78.0,)),
    "north-pole": (88.0, -170.0, "polar_stereographic", (85.0,)),
    "weddell-sea": (-72.0, -45.0, "polar_stereographic", (-71.0,)),
    "chukotka": (66.0, 180.0, "lambert_conformal", (61.0, 71.0)),
    "new-zealand": (-41.0, 175.0, "lambert_conformal", (-41.0, -41.0)),
}
"""Centre (degrees), projection, standard parallels."""


def region(name: str, spacing: float = 50e3, shape: tuple[int, int] = (24, 30)) -> Domain:
    """A flat domain about one of `PLACES`."""
    latitude, longitude, projection, parallels = PLACES[name]
    return GridSpecification(
        name,
        spacing,
        shape,
        latitude,
        longitude,
        tuple(stretched_interfaces(10, 20_000.0, 200.0).tolist()),
        2,
        projection=projection,
        standard_parallels=parallels,
        central_longitude=longitude,
    ).domain()


def proj(projection: Projection) -> pyproj.Proj:
    """The same projection by PROJ, with the same origin."""
    shared = {"lon_0": projection.central_longitude, "R": projection.radius}
    match projection:
        case LambertConformal(parallel_1=first, parallel_2=second):
            return pyproj.Proj(
                proj="lcc", lat_1=first, lat_2=second, lat_0=90.0 if projection.cone > 0.0 else -90.0, **shared
            )
        case Mercator(parallel=parallel):
            return pyproj.Proj(proj="merc", lat_ts=parallel, **shared)
        case PolarStereographic(parallel=parallel):
            return pyproj.Proj(proj="stere", lat_ts=parallel, lat_0=90.0 if parallel > 0.0 else -90.0, **shared)
    raise TypeError(type(projection).__name__)
