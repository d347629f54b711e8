"""Fields of foreign files as the archive names them, read at the files' own points, one time after another.

Values are those of the files in SI; nothing is interpolated, continued under the ground or made of other fields, but:
geopotential over gravity is geopotential height, the exponential of its logarithm surface pressure, and winds along the
axes of a map are turned to east and north.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from kaiseki.archive.release.layout import of_latlon, of_map
from kaiseki.archive.store.metadata import AXIS_ATTRIBUTES
from kaiseki.core.constants import GRAVITY
from kaiseki.core.errors import InputError
from kaiseki.driving.sources.data import DrivingData
from kaiseki.driving.sources.grids import Lambert, LatitudeLongitude, Window
from kaiseki.driving.sources.layouts import LEVEL, QUANTITIES, SOIL, SURFACE, WATER
from kaiseki.driving.sources.pieces import ON_PRESSURE

PRESSURE_LEVELS, SURFACE_GROUP = "pressure_levels", "surface"


@dataclass(frozen=True)
class Meaning:
    """Meaning of a quantity of the readers in the archive.

    Attributes:
        name: internal name of the variable.
        scale: by which its values in SI are divided.
        logarithm: whether they are the logarithm of the variable.
    """

    name: str
    scale: float = 1.0
    logarithm: bool = False


MEANINGS: Final[Mapping[str, Meaning]] = {
    "air_temperature": Meaning("temperature"),
    "eastward_wind": Meaning("eastward_wind"),
    "northward_wind": Meaning("northward_wind"),
    "geopotential_height": Meaning("geopotential_height"),
    "geopotential": Meaning("geopotential_height", GRAVITY),
    "specific_humidity": Meaning("qv"),
    "relative_humidity": Meaning("relative_humidity"),
    "surface_air_pressure": Meaning("surface_pressure"),
    "log_surface_pressure": Meaning("surface_pressure", logarithm=True),
    "surface_temperature": Meaning("skin_temperature"),
    "sea_surface_temperature": Meaning("sst"),
    "sea_ice_area_fraction": Meaning("sea_ice"),
    "surface_snow_amount": Meaning("snow"),
    "soil_temperature": Meaning("soil_temperature"),
    WATER: Meaning("soil_moisture"),
}
"""Quantities of `driving.sources.layouts` that the archive has a variable for."""

_WINDS: Final = ("eastward_wind", "northward_wind")


@dataclass(frozen=True)
class Field:
    """A variable of the release that the files hold.

    Attributes:
        group, name: of the release.
        quantity: of the readers.
        vertical: name of the vertical axis, None for a field of the surface.
    """

    group: str
    name: str
    quantity: str
    vertical: str | None


@dataclass(frozen=True, eq=False)
class ReleaseFields:
    """What files of driving data give a release.

    Attributes:
        data: of the files, on their whole grid.
    """

    data: DrivingData

    @cached_property
    def window(self) -> Window:
        """The whole grid: rows and columns rise, longitudes without a jump, within -180 to 360 degrees if they can."""
        grid = self.data.catalogue.grid
        if not isinstance(grid, LatitudeLongitude):
            return grid.window()
        rows, longitude = np.argsort(grid.latitude), grid.longitude
        columns = np.arange(longitude.size - (abs(float(np.ptp(longitude)) - 360.0) < 1e-3))
        columns = columns[np.argsort(longitude[columns])]
        axis = longitude[columns]
        while axis[0] < -180.0:
            axis = axis + 360.0
        while axis[-1] > 360.0 and axis[0] >= 180.0:
            axis = axis - 360.0
        return Window(rows, columns, grid.latitude[rows], axis)

    @cached_property
    def _sorted(self) -> tuple[list[Field], list[str]]:
        catalogue = self.data.catalogue
        found: list[Field] = []
        left: list[str] = []
        for quantity in catalogue.places:
            where = QUANTITIES[quantity].where
            if quantity not in MEANINGS and where in (LEVEL, SURFACE, SOIL):
                left.append(f"{quantity}: the archive has no variable for it")
            elif where == LEVEL and catalogue.kind != ON_PRESSURE:
                left.append(f"{quantity}: it is on model levels, which are not imported")
            elif where == LEVEL:
                found.append(Field(PRESSURE_LEVELS, MEANINGS[quantity].name, quantity, "pressure"))
            elif where == SURFACE:
                found.append(Field(SURFACE_GROUP, MEANINGS[quantity].name, quantity, None))
            elif where == SOIL and catalogue.held(quantity) != self.soil_depth:
                left.append(f"{quantity}: its soil layers are others than those of soil_temperature")
            elif where == SOIL:
                found.append(Field(SURFACE_GROUP, MEANINGS[quantity].name, quantity, "soil_level"))
        return _once(found, left, self), left

    @property
    def fields(self) -> list[Field]:
        """The variables that a release gets.

        Raises:
            InputError: there are none.
        """
        found, left = self._sorted
        if not found:
            raise InputError(f"{self.data.file}: holds nothing that is imported: {'; '.join(left) or 'no field'}")
        return found

    @property
    def left_out(self) -> list[str]:
        """Quantities that the files hold and a release does not get, each with the reason."""
        return self._sorted[1]

    @cached_property
    def pressures(self) -> list[float]:
        """Pressure levels of all fields on them [Pa], the lowest first."""
        catalogue = self.data.catalogue
        if catalogue.kind != ON_PRESSURE:
            return []
        levels = {k for q in catalogue.places if QUANTITIES[q].where == LEVEL for k in catalogue.held(q)}
        return sorted(levels, reverse=True)

    @cached_property
    def soil_depth(self) -> list[float]:
        """Depths of the middles of the soil layers [m], those of soil temperature where there is one."""
        catalogue = self.data.catalogue
        held = [q for q in ("soil_temperature", WATER) if q in catalogue]
        return catalogue.held(held[0]) if held else []

    def levels(self, field: Field) -> list[float]:
        """Levels of the axis of a field, 0 for one of the surface."""
        return {None: [0.0], "pressure": self.pressures, "soil_level": self.soil_depth}[field.vertical]

    def check(self, time: np.datetime64) -> None:
        """Refuse what the readers refuse of a time: heights, humidity, ice or terrain that cannot be what they are
        said to be; InputError names it."""
        if self.pressures or self.data.catalogue.kind == ON_PRESSURE:
            self.data.at(time)

    def read(self, field: Field, time: np.datetime64, levels: slice) -> np.ndarray:
        """Values (levels, ny, nx) in SI at a time of the files, NaN on levels that they do not have."""
        wanted = self.levels(field)[levels]
        catalogue, meaning = self.data.catalogue, MEANINGS[field.quantity]
        values = np.full((len(wanted), self.window.y.size, self.window.x.size), np.nan)
        held = set(catalogue.held(field.quantity))
        there = [k for k, level in enumerate(wanted) if level in held]
        if not there:
            return values
        values[there] = self._turned(field.quantity, time, [wanted[k] for k in there]) / meaning.scale
        return np.exp(values) if meaning.logarithm else values

    def _turned(self, quantity: str, time: np.datetime64, levels: Sequence[float]) -> np.ndarray:
        """Values of a quantity, those of a wind along the grid as the component to the east or north."""
        catalogue = self.data.catalogue
        angle = catalogue.grid.rotation(self.window) if quantity in _WINDS else None
        if angle is None:
            return catalogue.read(quantity, time, levels, self.window)
        u, v = (catalogue.read(q, time, levels, self.window) for q in _WINDS)
        c, s = np.cos(angle), np.sin(angle)
        return np.asarray(u * c + v * s if quantity == _WINDS[0] else v * c - u * s)

    def grid(self) -> dict[str, Any]:
        """Arguments `static`, `horizontal` and `grid` of a `ReleaseLayout`."""
        catalogue = self.data.catalogue
        fixed: dict[str, np.ndarray] = {}
        for quantity, name, scale in (
            ("surface_altitude", "terrain", 1.0),
            ("surface_geopotential", "terrain", GRAVITY),
            ("land_area_fraction", "land_fraction", 1.0),
        ):
            if quantity in catalogue and name not in fixed:
                fixed[name] = catalogue.read(quantity, None, [0.0], self.window)[0] / scale
        if isinstance(catalogue.grid, Lambert):
            made = of_map(catalogue.grid.projection, self.window.y, self.window.x, fixed)
        elif isinstance(catalogue.grid, LatitudeLongitude):
            made = of_latlon(self.window.y, self.window.x, fixed)
        else:
            raise InputError(f"{self.data.file}: its grid is neither of latitude and longitude nor a Lambert map")
        if self.soil_depth:
            made["static"]["soil_level"] = (
                ("soil_level",),
                np.array(self.soil_depth),
                dict(AXIS_ATTRIBUTES["soil_level"]),
            )
        return made


def _once(found: list[Field], left: list[str], fields: ReleaseFields) -> list[Field]:
    """Fields of which each variable stands once: of two quantities that give it, the one on more levels, or itself."""
    kept: dict[tuple[str, str], Field] = {}
    for field in sorted(found, key=lambda one: (-len(fields.data.catalogue.held(one.quantity)), _made(one))):
        if (field.group, field.name) in kept:
            left.append(f"{field.quantity}: {field.name} is taken from {kept[field.group, field.name].quantity}")
        else:
            kept[field.group, field.name] = field
    return list(kept.values())


def _made(field: Field) -> bool:
    """Whether the variable is made of the quantity by a formula."""
    return MEANINGS[field.quantity] != Meaning(field.name)
