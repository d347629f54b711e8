"""Fields of foreign files as the archive names them, read at the files' own points, one time after another.

Values are those of the files in SI; nothing is interpolated, continued under the ground or made of other fields, but:
geopotential over gravity is geopotential height, the exponential of its logarithm surface pressure, pressure on hybrid
levels follows from their coefficients, and winds along the axes of a map are turned to east and north. What a spectral
model or the rounding of a file leaves below the range of a quantity that has a lower limit (humidity, snow, fractions)
becomes that limit, which is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property
from typing import Any, Final

import numpy as np

from kaiseki.archive.release.layout import of_latlon, of_map
from kaiseki.archive.store.metadata import AXIS_ATTRIBUTES, STATIC_ATTRIBUTES
from kaiseki.core.constants import GRAVITY
from kaiseki.core.errors import InputError
from kaiseki.core.variables import variable
from kaiseki.driving.sources import model_levels
from kaiseki.driving.sources.data import DrivingData
from kaiseki.driving.sources.grids import Lambert, LatitudeLongitude, Window
from kaiseki.driving.sources.near_data import NearData
from kaiseki.driving.sources.pieces import ON_HYBRID, ON_PRESSURE
from kaiseki.driving.sources.quantities import LEVEL, QUANTITIES, SOIL, SURFACE, WATER

PRESSURE_LEVELS, MODEL_LEVELS, SURFACE_GROUP, SUMS = "pressure_levels", "model_levels", "surface", "precipitation"

LIMITED: Final = (
    "qv", "relative_humidity", "sea_ice", "snow", "soil_moisture", "specific_humidity_2m", "relative_humidity_2m",
    "cloud_fraction", "cloud_fraction_mean", "precipitable_water", "precipitation", "snowfall", "shortwave_down",
)  # fmt: skip
"""Variables of which values beyond their physical range are set to its end; the readers refuse all that lie far off."""

LEVEL_ATTRIBUTES: Final = {
    "standard_name": "model_level_number",
    "long_name": "number of the model level, counted from the top",
    "units": "1",
    "positive": "down",
    "axis": "Z",
}
"""CF attributes of the axis of another model's levels."""

HYBRID: Final = {
    "hybrid_a": {
        "long_name": "coefficient a of the model level: pressure = a + b times surface pressure",
        "units": "Pa",
    },
    "hybrid_b": {
        "long_name": "coefficient b of the model level: pressure = a + b times surface pressure",
        "units": "1",
    },
}
"""Coefficients of hybrid levels, means of those of their two half levels, with their attributes."""


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
    "air_pressure": Meaning("pressure"),
    "surface_air_pressure": Meaning("surface_pressure"),
    "log_surface_pressure": Meaning("surface_pressure", logarithm=True),
    "surface_temperature": Meaning("skin_temperature"),
    "sea_surface_temperature": Meaning("sst"),
    "sea_ice_area_fraction": Meaning("sea_ice"),
    "surface_snow_amount": Meaning("snow"),
    "soil_temperature": Meaning("soil_temperature"),
    WATER: Meaning("soil_moisture"),
    "air_temperature_2m": Meaning("temperature_2m"),
    "dew_point_temperature_2m": Meaning("dew_point_2m"),
    "specific_humidity_2m": Meaning("specific_humidity_2m"),
    "relative_humidity_2m": Meaning("relative_humidity_2m"),
    "eastward_wind_10m": Meaning("eastward_wind_10m"),
    "northward_wind_10m": Meaning("northward_wind_10m"),
    "eastward_wind_100m": Meaning("eastward_wind_100m"),
    "northward_wind_100m": Meaning("northward_wind_100m"),
    "air_pressure_at_mean_sea_level": Meaning("mean_sea_level_pressure"),
    "cloud_area_fraction": Meaning("cloud_fraction"),
    "mean_cloud_area_fraction": Meaning("cloud_fraction_mean"),
    "atmosphere_mass_content_of_water_vapor": Meaning("precipitable_water"),
    "precipitation_amount": Meaning("precipitation"),
    "snowfall_amount": Meaning("snowfall"),
    "surface_downwelling_shortwave_flux_in_air": Meaning("shortwave_down"),
    "surface_downwelling_longwave_flux_in_air": Meaning("longwave_down"),
}
"""Quantities of `driving.sources.layouts` that the archive has a variable for."""

_WINDS: Final = {
    name: (f"eastward_wind{height}", f"northward_wind{height}")
    for height in ("", "_10m", "_100m")
    for name in (f"eastward_wind{height}", f"northward_wind{height}")
}
"""Both components of a wind by each of them."""


@dataclass(frozen=True)
class Field:
    """A variable of the release that the files hold.

    Attributes:
        group, name: of the release.
        quantity: of the readers; of pressure that the files do not hold, that of the surface.
        vertical: name of the vertical axis, None for a field of the surface.
    """

    group: str
    name: str
    quantity: str
    vertical: str | None


@dataclass(frozen=True, eq=False)
class ReleaseFields:
    """What files of foreign data give a release.

    Attributes:
        data: what the files hold of the state, on their whole grid.
        near: what they hold at the ground and near it.
        step: of the axis in time, over which sums and means are; None while it is not known.
        limited: by variable, how many values read so far lay beyond its physical range, and by how much at most.
    """

    data: DrivingData
    near: NearData
    step: np.timedelta64 | None = None
    limited: dict[str, tuple[int, float]] = dataclass_field(default_factory=dict)
    _own_times: dict[Field, np.ndarray] = dataclass_field(default_factory=dict)

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
            elif where == LEVEL and catalogue.kind == ON_PRESSURE:
                found.append(Field(PRESSURE_LEVELS, MEANINGS[quantity].name, quantity, "pressure"))
            elif where == LEVEL:
                found.append(Field(MODEL_LEVELS, MEANINGS[quantity].name, quantity, "level"))
            elif where == SURFACE:
                found.append(Field(SURFACE_GROUP, MEANINGS[quantity].name, quantity, None))
            elif where == SOIL and catalogue.held(quantity) != self.soil_depth:
                left.append(f"{quantity}: its soil layers are others than those of soil_temperature")
            elif where == SOIL:
                found.append(Field(SURFACE_GROUP, MEANINGS[quantity].name, quantity, "soil_level"))
        for quantity in self.near.places:
            if not self.near.times(quantity, self.step):
                left.append(self._of_no_step(quantity))
            elif (pair := _WINDS.get(quantity)) is not None and not set(pair) <= set(self.near.places):
                left.append(f"{quantity}: the other component of the wind is lacking")
            else:
                group = SUMS if QUANTITIES[quantity].over == "sum" else SURFACE_GROUP
                found.append(Field(group, MEANINGS[quantity].name, quantity, None))
        if self.model_levels and "air_pressure" not in catalogue:
            ground = next((q for q in ("surface_air_pressure", "log_surface_pressure") if q in catalogue), None)
            if self._coefficients is None or ground is None:
                left.append(
                    "air_pressure: the files hold neither it nor surface pressure with the coefficients of levels"
                )
            else:
                found.append(Field(MODEL_LEVELS, "pressure", ground, "level"))
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

    def _of_no_step(self, quantity: str) -> str:
        """Why a sum or mean is left out."""
        assert self.step is not None
        lengths = ", ".join(f"{length:g}" for length in self.near.lengths(quantity))
        step = float(self.step / np.timedelta64(1, "h"))
        return (
            f"{quantity}: its intervals of {lengths} h make none of {step:g} h that ends at a time of the release, "
            "whose times lie so far apart"
        )

    def own_times(self, field: Field) -> np.ndarray:
        """Times at which the files hold a variable, rising, datetime64[s]."""
        if field not in self._own_times:
            if field.quantity in self.near.places:
                times = self.near.times(field.quantity, self.step)
            elif QUANTITIES[field.quantity].where == LEVEL or field.vertical == "level":
                times = list(self.data.times)
            else:
                keys = self.data.catalogue.places[field.quantity]
                times = sorted({key[0] for key in keys if key[0] is not None})
            self._own_times[field] = np.array(times, dtype="datetime64[s]")
        return self._own_times[field]

    @cached_property
    def times(self) -> dict[str, np.ndarray]:
        """Times of each group, rising: those of any of its variables, datetime64[s]."""
        found: dict[str, list[np.ndarray]] = {}
        for one in self.fields:
            found.setdefault(one.group, []).append(self.own_times(one))
        return {group: np.unique(np.concatenate(times)) for group, times in found.items()}

    def only_ends(self, time: np.datetime64) -> bool:
        """Whether the files hold nothing at a time but sums and means that end there."""
        held = [one for one in self.fields if time in self.own_times(one)]
        return all(QUANTITIES[one.quantity].over for one in held)

    @cached_property
    def pressures(self) -> list[float]:
        """Pressure levels of all fields on them [Pa], the lowest first."""
        return self._levels if self.data.catalogue.kind == ON_PRESSURE else []

    @cached_property
    def model_levels(self) -> list[float]:
        """Numbers of the model levels, the lowest level first."""
        return self._levels if self.data.catalogue.kind == ON_HYBRID else []

    @cached_property
    def _levels(self) -> list[float]:
        catalogue = self.data.catalogue
        levels = {k for q in catalogue.places if QUANTITIES[q].where == LEVEL for k in catalogue.held(q)}
        return sorted(levels, reverse=True)

    @cached_property
    def _coefficients(self) -> np.ndarray | None:
        """Coefficients (2, levels) a [Pa] and b of the model levels, None where they are not known."""
        catalogue = self.data.catalogue
        known = (p.half_levels for q in catalogue.places for p in catalogue.pieces(q) if p.half_levels is not None)
        half = next(known, None)
        if half is None or not self.model_levels or max(self.model_levels) > half.shape[1] - 1:
            return None
        numbers = [round(level) - 1 for level in self.model_levels]
        return np.stack([model_levels.full_pressure(half[0])[numbers], model_levels.full_pressure(half[1])[numbers]])

    @cached_property
    def _heights(self) -> np.ndarray | None:
        """Heights (2, levels) zz and ff of levels that follow the terrain, None for others."""
        catalogue = self.data.catalogue
        if not self.model_levels:
            return None
        return next((p.heights for q in catalogue.places for p in catalogue.pieces(q) if p.heights is not None), None)

    @cached_property
    def soil_depth(self) -> list[float]:
        """Depths of the middles of the soil layers [m], those of soil temperature where there is one."""
        catalogue = self.data.catalogue
        held = [q for q in ("soil_temperature", WATER) if q in catalogue]
        return catalogue.held(held[0]) if held else []

    def levels(self, field: Field) -> list[float]:
        """Levels of the axis of a field, 0 for one of the surface."""
        axes = {"pressure": self.pressures, "level": self.model_levels, "soil_level": self.soil_depth}
        return [0.0] if field.vertical is None else axes[field.vertical]

    def check(self, time: np.datetime64) -> None:
        """Refuse what the readers refuse of a time: heights, humidity, ice or terrain that cannot be what they are
        said to be; InputError names it."""
        if time not in self.data.times:
            return
        if not self.model_levels or any(one.name == "pressure" for one in self.fields):
            self.data.at(time)

    def read(self, field: Field, time: np.datetime64, levels: slice) -> np.ndarray:
        """Values (levels, ny, nx) in SI at a time, NaN on levels and at times that the files do not have."""
        if field.vertical == "level" and QUANTITIES[field.quantity].where == SURFACE:
            return self._pressure(field, time, levels)
        wanted = self.levels(field)[levels]
        catalogue, meaning = self.data.catalogue, MEANINGS[field.quantity]
        values = np.full((len(wanted), self.window.y.size, self.window.x.size), np.nan)
        if time not in self.own_times(field):
            return values
        if field.quantity in self.near.places:
            values = self._turned(field.quantity, time, [0.0])
            return self._limited(field.name, values) if field.name in LIMITED else values
        held = set(catalogue.held(field.quantity))
        there = [k for k, level in enumerate(wanted) if level in held]
        if not there:
            return values
        values[there] = self._turned(field.quantity, time, [wanted[k] for k in there]) / meaning.scale
        values = np.exp(values) if meaning.logarithm else values
        return self._limited(field.name, values) if field.name in LIMITED else values

    def _limited(self, name: str, values: np.ndarray) -> np.ndarray:
        """Values within the physical range of a variable; what lay beyond is counted."""
        row = variable(name)
        kept = np.clip(values, row.low, row.high)
        beyond = np.abs(values - kept)
        if count := int(np.count_nonzero(beyond > 0.0)):
            known = self.limited.get(name, (0, 0.0))
            self.limited[name] = known[0] + count, max(known[1], float(np.nanmax(beyond)))
        return np.asarray(kept)

    def _pressure(self, field: Field, time: np.datetime64, levels: slice) -> np.ndarray:
        """Pressure (levels, ny, nx) on hybrid levels, Pa."""
        assert self._coefficients is not None
        a, b = (one[levels][:, None, None] for one in self._coefficients)
        return np.asarray(
            a + b * self.read(Field(SURFACE_GROUP, "surface_pressure", field.quantity, None), time, slice(None))
        )

    def _turned(self, quantity: str, time: np.datetime64, levels: Sequence[float]) -> np.ndarray:
        """Values of a quantity, those of a wind along the grid as the component to the east or north."""
        angle = self.data.catalogue.grid.rotation(self.window) if quantity in _WINDS else None
        if angle is None:
            return self._raw(quantity, time, levels)
        u, v = (self._raw(q, time, levels) for q in _WINDS[quantity])
        c, s = np.cos(angle), np.sin(angle)
        return np.asarray(u * c + v * s if quantity == _WINDS[quantity][0] else v * c - u * s)

    def _raw(self, quantity: str, time: np.datetime64, levels: Sequence[float]) -> np.ndarray:
        """Values of a quantity as the files have them."""
        if quantity not in self.near.places:
            return self.data.catalogue.read(quantity, time, levels, self.window)
        assert self.step is not None
        return self.near.read(quantity, time, self.step, self.window)

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
        static = made["static"]
        if self._heights is not None:
            zz, decay = self._heights
            static["level"] = (("level",), zz, dict(AXIS_ATTRIBUTES["level"]))
            static["decay"] = (("level",), decay, dict(STATIC_ATTRIBUTES["decay"]))
            if "terrain" in fixed:
                altitude = (zz[:, None, None] + decay[:, None, None] * fixed["terrain"]).astype(np.float32)
                attributes = {**STATIC_ATTRIBUTES["altitude"], **_of_plane(static["terrain"][2])}
                static["altitude"] = (("level", *made["horizontal"]), altitude, attributes)
        elif self.model_levels:
            static["level"] = (("level",), np.array(self.model_levels), dict(LEVEL_ATTRIBUTES))
        if self._coefficients is not None:
            for (name, attributes), values in zip(HYBRID.items(), self._coefficients, strict=True):
                static[name] = (("level",), values, dict(attributes))
        if self.soil_depth:
            static["soil_level"] = (
                ("soil_level",),
                np.array(self.soil_depth),
                dict(AXIS_ATTRIBUTES["soil_level"]),
            )
        return made


def _of_plane(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a fixed field that say where it lies."""
    return {key: value for key, value in attributes.items() if key in ("grid_mapping", "coordinates")}


def _once(found: list[Field], left: list[str], fields: ReleaseFields) -> list[Field]:
    """Fields of which each variable stands once: of two quantities that give it, the one on more levels, or itself."""
    kept: dict[tuple[str, str], Field] = {}
    held = fields.data.catalogue.held
    for field in sorted(found, key=lambda one: (-len(held(one.quantity)), _made(one))):
        if (field.group, field.name) in kept:
            left.append(f"{field.quantity}: {field.name} is taken from {kept[field.group, field.name].quantity}")
        else:
            kept[field.group, field.name] = field
    return list(kept.values())


def _made(field: Field) -> bool:
    """Whether the variable is made of the quantity by a formula."""
    return MEANINGS[field.quantity] != Meaning(field.name)
