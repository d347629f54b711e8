"""CF metadata: attributes of the axes and static fields, the grid mapping, the global attributes.

Source: NetCDF Climate and Forecast Metadata Conventions 1.11 (appendix F for the grid mappings,
appendix D for the hybrid height coordinate).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.core.variables import VARIABLES
from kaiseki.grid import Domain, LambertConformal, Mercator, PolarStereographic, Projection

CONVENTIONS: Final = "CF-1.11"
GRID_MAPPING: Final = "crs"

AXIS_ATTRIBUTES: Final[Mapping[str, dict[str, Any]]] = {
    "x": {
        "standard_name": "projection_x_coordinate",
        "long_name": "x of the cell centres on the map",
        "units": "m",
        "axis": "X",
    },
    "y": {
        "standard_name": "projection_y_coordinate",
        "long_name": "y of the cell centres on the map",
        "units": "m",
        "axis": "Y",
    },
    "level": {
        "standard_name": "atmosphere_hybrid_height_coordinate",
        "long_name": "nominal height of the model level (its height over terrain at sea level)",
        "units": "m",
        "positive": "up",
        "axis": "Z",
        "formula_terms": "a: level b: decay orog: terrain",
        "computed_standard_name": "altitude",
    },
    "soil_level": {
        "standard_name": "depth",
        "long_name": "depth of the soil layer",
        "units": "m",
        "positive": "down",
        "axis": "Z",
    },
}
"""Attributes of the coordinate variables other than time."""

STATIC_ATTRIBUTES: Final[Mapping[str, dict[str, Any]]] = {
    "lat": {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north"},
    "lon": {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east"},
    "altitude": {
        "standard_name": "altitude",
        "long_name": "height of the model level above mean sea level",
        "units": "m",
        "positive": "up",
    },
    "terrain": VARIABLES["terrain"].attributes(),
    "land_fraction": VARIABLES["land_fraction"].attributes(),
    "map_factor": {"long_name": "map factor: distance on the map over distance on the sphere", "units": "1"},
    "rotation": {
        "long_name": "angle gamma: eastward = x_wind cos + y_wind sin, northward = -x_wind sin + y_wind cos",
        "units": "radian",
    },
    "decay": {"long_name": "part of the terrain height added to the model level", "units": "1"},
    "zeta_half": {"long_name": "nominal height of the interfaces of the model levels", "units": "m", "positive": "up"},
    "decay_half": {"long_name": "part of the terrain height added to the interface", "units": "1"},
}
"""Attributes of the static fields."""


RIM_ATTRIBUTES: Final[Mapping[str, Any]] = {
    "long_name": "1 where the point lies in the relaxation zone at the rim, where the driving data rule",
    "flag_values": [0, 1],
    "flag_meanings": "inside rim",
    "grid_mapping": GRID_MAPPING,
    "coordinates": "lat lon",
}
"""Attributes of the mask of the rim."""


def rim_mask(shape: tuple[int, ...], width: int) -> np.ndarray:
    """Mask (y, x), 1 in the relaxation zone of so many cells and 0 within it."""
    rim = np.ones(shape, np.uint8)
    rim[width : shape[0] - width, width : shape[1] - width] = 0
    return rim


def grid_mapping(projection: Projection) -> dict[str, Any]:
    """Attributes of the grid mapping variable; the origin of x and y is the image of the pole, or on the equator."""
    centre, pole = float(projection.central_longitude), 90.0 if projection.cone > 0 else -90.0
    own: dict[str, Any]
    match projection:
        case LambertConformal(parallel_1=first, parallel_2=second):
            own = {
                "grid_mapping_name": "lambert_conformal_conic",
                # Two of a tangent cone too: with one, PROJ and GDAL take that latitude for the origin of y.
                "standard_parallel": [float(first), float(second)],
                "longitude_of_central_meridian": centre,
                "latitude_of_projection_origin": pole,
            }
        case Mercator(parallel=parallel):
            own = {
                "grid_mapping_name": "mercator",
                "standard_parallel": float(parallel),
                "longitude_of_projection_origin": centre,
            }
        case PolarStereographic(parallel=parallel):
            own = {
                "grid_mapping_name": "polar_stereographic",
                "standard_parallel": float(parallel),
                "straight_vertical_longitude_from_pole": centre,
                "latitude_of_projection_origin": pole,
            }
        case _:
            raise TypeError(f"{type(projection).__name__} has no grid mapping in CF")
    return own | {"false_easting": 0.0, "false_northing": 0.0, "earth_radius": float(projection.radius)}


def projection_of_mapping(attributes: Mapping[str, Any]) -> Projection:
    """The projection of the attributes of a grid mapping variable, the inverse of `grid_mapping`.

    Raises:
        InputError: another mapping, another origin of x and y, an ellipsoid, or a parameter that is missing.
    """
    name = str(attributes.get("grid_mapping_name"))
    try:
        parallels = [float(one) for one in np.atleast_1d(attributes["standard_parallel"])]
        radius = float(attributes["earth_radius"])
        found: Projection
        if name == "lambert_conformal_conic":
            centre = float(attributes["longitude_of_central_meridian"])
            found = LambertConformal(parallels[0], parallels[-1], centre, radius)
        elif name == "mercator":
            found = Mercator(parallels[0], float(attributes["longitude_of_projection_origin"]), radius)
        elif name == "polar_stereographic":
            found = PolarStereographic(parallels[0], float(attributes["straight_vertical_longitude_from_pole"]), radius)
        else:
            raise InputError(
                f"The grid mapping {name!r} is not supported; these are: lambert_conformal_conic, mercator, "
                "polar_stereographic"
            )
    except KeyError as missing:
        raise InputError(f"The grid mapping {name!r} of a sphere needs the attribute {missing}") from None
    expected = grid_mapping(found)
    for key in ("latitude_of_projection_origin", "false_easting", "false_northing"):
        if float(attributes.get(key, expected.get(key, 0.0))) != float(expected.get(key, 0.0)):
            raise InputError(
                f"The grid mapping {name!r} has {key} = {attributes[key]}; supported is {expected.get(key, 0.0):g}"
            )
    return found


def program_version() -> str:
    """Version of the installed package, "unknown" when it is run from a bare source tree."""
    try:
        return version("kaiseki")
    except PackageNotFoundError:
        return "unknown"


def global_attributes(domain: Domain, title: str, more: Mapping[str, str]) -> dict[str, Any]:
    """Root attributes of a new store that describe it to people; `more` holds institution, references, licence ..."""
    now = datetime.now(UTC).isoformat("T", "seconds").replace("+00:00", "Z")
    program = f"Kaiseki {program_version()}"
    return {
        **more,
        "Conventions": CONVENTIONS,
        "title": title,
        "source": f"{program}, regional reanalysis, domain {domain.name}",
        "history": f"{now} created by {program}",
        "comment": "Winds are eastward and northward. Times are UTC; sums and means end at their label.",
        "program_version": program_version(),
        "date_created": now,
    }


def domain_attributes(domain: Domain) -> dict[str, Any]:
    """What is needed, beside the static arrays, to make the same `Domain` again."""
    return {
        "name": domain.name,
        "spacing": float(domain.spacing),
        "rim_width": int(domain.rim_width),
        "projection_name": domain.projection.name,
        "projection": domain.projection.numbers(),
    }
