"""Driving data of any number of files, read one time at a time and about one domain only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.core.constants import GRAVITY
from kaiseki.core.errors import InputError
from kaiseki.core.progress import say
from kaiseki.core.timing import format_utc
from kaiseki.diagnostics.saturation import saturation_specific_humidity
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.driving.sources import derived, model_levels, plausible
from kaiseki.driving.sources.catalogue import Catalogue
from kaiseki.driving.sources.conventions import SOIL_AXES, UNITS, fill_humidity, sea_alone
from kaiseki.driving.sources.grids import Window
from kaiseki.driving.sources.pieces import ON_HYBRID, Piece
from kaiseki.driving.sources.quantities import QUANTITIES, SOIL, STATIC, SURFACE

KEPT = 2
"""Number of times that are kept in memory."""


def names_of(paths: Sequence[str | Path]) -> str:
    """Names of files for messages and attributes: all of them, or the first and how many more there are."""
    names = list(dict.fromkeys(Path(path).name for path in paths))
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more files"


@dataclass
class DrivingData:
    """Analyses in the common form that are read when they are asked for.

    Attributes:
        catalogue: of what the files hold.
        window: the part of their grid that is read.
        source: names of the readers.
        file: names of the files, for messages.
        local: whether the window is that of a domain.
    """

    catalogue: Catalogue
    window: Window
    source: str
    file: str
    local: bool = False
    _kept: OrderedDict[np.datetime64, xr.Dataset] = field(default_factory=OrderedDict)
    _fixed: dict[str, np.ndarray] | None = None
    _told: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, pieces: Sequence[Piece], source: str, domain: Any = None) -> DrivingData:
        """Data of the pieces of all files, about a domain or all over.

        Raises:
            InputError: something is missing, stands on another grid, or two files contradict each other.
        """
        catalogue = Catalogue.of(pieces)
        catalogue.check()
        window = catalogue.grid.window(domain)
        catalogue.check_repeated(window)
        return cls(catalogue, window, source, names_of([p.path for p in pieces]), domain is not None)

    @property
    def times(self) -> np.ndarray:
        """Times of the analyses, datetime64[s], rising."""
        return self.catalogue.times

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes of every Dataset that is made of these data."""
        made: dict[str, Any] = {"source": self.source, "file": self.file, "Conventions": "CF-1.11"}
        if filled := self._filled():
            made["humidity_filled_at"] = " ".join(f"{level:g}" for level in filled)
        assumed = {
            f"{p.label}: {p.assumed}" for q in self.catalogue.places for p in self.catalogue.pieces(q) if p.assumed
        }
        if assumed:
            made["units_assumed"] = ", ".join(sorted(assumed))
        return made | self.catalogue.grid.attributes()

    def fixed(self) -> xr.Dataset:
        """What does not change in time, with the horizontal axes."""
        return xr.Dataset(self._variables(self._static(), ()), self._axes(), self.attrs)

    def at(self, time: np.datetime64) -> xr.Dataset:
        """One time in the common form, without the dimension of time, linear between the times of the data.

        Raises:
            InputError: the time is not covered, or a file is damaged.
        """
        time, times = np.datetime64(time, "s"), self.times
        if not times.size or not times[0] <= time <= times[-1]:
            reach = f"reach from {times[0]} to {times[-1]}" if times.size else "hold no time"
            raise InputError(f"The driving data {reach}, but {time} is wanted; add files for that time.")
        after = int(np.searchsorted(times, time))
        if times[after] == time:
            return self._at(times[after])
        weight = float((time - times[after - 1]) / (times[after] - times[after - 1]))
        before, later = (self._at(t).drop_vars("time") for t in (times[after - 1], times[after]))
        return ((1.0 - weight) * before + weight * later).assign_coords(time=time).assign_attrs(before.attrs)

    def load(self) -> xr.Dataset:
        """All times in one Dataset; only for data that fit into memory."""
        made = [self._read(time).expand_dims("time") for time in self.times]
        static = [str(name) for name in made[0].data_vars if QUANTITIES[str(name)].where == STATIC]
        joined = xr.concat([part.drop_vars(static) for part in made], "time", coords="minimal", compat="override")
        fixed = {name: made[0][name].isel(time=0, drop=True) for name in static}
        dataset = joined.assign(fixed).assign_attrs(made[0].attrs)
        dataset["time"].attrs = {"standard_name": "time"}
        return dataset

    def gaps(self, first: np.datetime64, last: np.datetime64) -> np.ndarray:
        """Times that are missing between two of the data about a period, where data at their shortest interval have
        one."""
        lacking: list[np.datetime64] = []
        if self.times.size > 1:
            step = np.diff(self.times).min()
            for before, after in pairwise(self.times):
                if before < last and after > first:
                    lacking += list(np.arange(before + step, after, step))
        return np.array(lacking, dtype="datetime64[s]")

    def check_gaps(self, first: np.datetime64, last: np.datetime64) -> None:
        """Refuse data that are not regular over a period.

        Raises:
            InputError: names the first time that is missing.
        """
        lacking = self.gaps(first, last)
        if lacking.size:
            interval = np.diff(self.times).min() / np.timedelta64(1, "h")
            more = f" and {lacking.size - 1} more times" if lacking.size > 1 else ""
            raise InputError(
                f"{self.file}: the driving data are {interval:g}-hourly but lack {format_utc(lacking[0])}{more}; "
                "add the files of these times."
            )

    def _at(self, time: np.datetime64) -> xr.Dataset:
        if time not in self._kept:
            # Room first: no third time is held while one is read.
            while len(self._kept) >= KEPT:
                self._kept.popitem(last=False)
            self._kept[time] = self._read(time)
        self._kept.move_to_end(time)
        return self._kept[time]

    def _filled(self) -> list[float]:
        held = {level for q in ("specific_humidity", "relative_humidity") for level in self.catalogue.held(q)}
        return [level for level in self.catalogue.levels if level not in held] if held else []

    def _where(self, quantity: str) -> str:
        return str(self.catalogue.pieces(quantity)[0].path)

    def _field(self, quantity: str) -> str:
        """File and variable of a quantity, for messages."""
        return self.catalogue.pieces(quantity)[0].where

    def _static(self) -> dict[str, np.ndarray]:
        """Fields that do not change in time, (ny, nx), read once."""
        if self._fixed is None:
            made = {
                q: self.catalogue.read(q, None, [0.0], self.window)[0]
                for q in self.catalogue.places
                if QUANTITIES[q].where == STATIC
            }
            if "surface_geopotential" in made:
                altitude = made.pop("surface_geopotential") / GRAVITY
                if "surface_altitude" in made:
                    one = self._field("surface_altitude"), made["surface_altitude"]
                    other = self._field("surface_geopotential"), altitude
                    plausible.check_same(one, other, "m", plausible.SAME_GROUND, mean=False)
                made.setdefault("surface_altitude", altitude)
            self._fixed = made
        return self._fixed

    def _ground(self, time: np.datetime64) -> dict[str, np.ndarray]:
        """Fields of the surface (ny, nx) and the soil (layers, ny, nx), and what does not change in time."""
        made = dict(self._static())
        for q in self.catalogue.places:
            if QUANTITIES[q].where == SURFACE:
                made[q] = self.catalogue.read(q, time, [0.0], self.window)[0]
            elif QUANTITIES[q].where == SOIL:
                made[q] = self.catalogue.read(q, time, self.catalogue.held(q), self.window)
        if "log_surface_pressure" in made:
            pressure = np.exp(made.pop("log_surface_pressure"))
            if "surface_air_pressure" in made:
                one = self._field("surface_air_pressure"), made["surface_air_pressure"]
                other = self._field("log_surface_pressure"), pressure
                plausible.check_same(one, other, "Pa", plausible.SAME_PRESSURE, mean=True)
            made.setdefault("surface_air_pressure", pressure)
        if "surface_altitude" in made and "surface_air_pressure" in made:
            q = next(q for q in ("surface_altitude", "surface_geopotential") if q in self.catalogue)
            plausible.check_terrain(self._field(q), made["surface_altitude"], made["surface_air_pressure"])
        if "sea_ice_area_fraction" in made:
            derived.check_ice(
                self._where("sea_ice_area_fraction"),
                made["sea_ice_area_fraction"],
                made.get("surface_temperature"),
                made.get("sea_surface_temperature"),
            )
        made = sea_alone(made)
        for q in [q for q, values in made.items() if np.isnan(values).all()]:
            about = " about the domain" if self.local else ""
            self._tell(f"{self.file}: {q} is missing everywhere{about} and not used")
            if self.local or q == "surface_air_pressure":
                del made[q]
        return made

    def _tell(self, text: str) -> None:
        """Say something once for all times."""
        if text not in self._told:
            self._told.add(text)
            say(text)

    def _read(self, time: np.datetime64) -> xr.Dataset:
        ground = self._ground(time)
        pressure, fields = self._atmosphere(time, ground)
        for name, values in fields.items():
            if np.isnan(values).all():
                raise InputError(f"{self.file}: {name} is missing everywhere at {format_utc(time)}; fetch it again.")
        upright: tuple[str, ...] = ()
        if fields:
            if pressure.ndim == 1:
                upright = ("pressure",)
            else:
                upright, fields = ("level",), fields | {"air_pressure": pressure}
        axes = self._axes() | {"time": ((), time, {"standard_name": "time"})}
        if upright == ("pressure",):
            attributes = {"standard_name": "air_pressure", "units": "Pa", "positive": "down"}
            axes["pressure"] = ("pressure", pressure, attributes)
        elif upright:
            axes["level"] = ("level", np.array(self.catalogue.levels), {"long_name": "model level, from the top"})
        return xr.Dataset(self._variables(fields | ground, upright), axes, self.attrs)

    def _atmosphere(
        self, time: np.datetime64, ground: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Pressure (n,) or (n, ny, nx), Pa, and fields (n, ny, nx) on all levels, the lowest first."""
        catalogue, levels = self.catalogue, self.catalogue.levels
        fields = {
            q: catalogue.read(q, time, levels, self.window)
            for q in ("air_temperature", "eastward_wind", "northward_wind")
            if q in catalogue
        }
        self._turn_winds(fields)
        hybrid = catalogue.kind == ON_HYBRID
        half = self._half_pressure(ground) if hybrid and fields else None
        if not hybrid:
            pressure = np.array(levels)
        elif "air_pressure" in catalogue:
            pressure = catalogue.read("air_pressure", time, levels, self.window)
        elif half is not None:
            pressure = model_levels.full_pressure(half)[[round(k) - 1 for k in levels]]
        else:
            raise InputError(
                f"{self.file}: its model levels have no pressure; give the surface pressure and the coefficients a and "
                "b of the levels, or the pressure itself."
            )
        broad = pressure if hybrid else pressure[:, None, None]
        humidity = self._humidity(time, fields.get("air_temperature"), broad)
        if humidity is not None:
            fields["specific_humidity"] = humidity
            plausible.check_humidity(self.file, humidity, fields["air_temperature"], broad)
        heights = self._heights(time)
        if heights is not None:
            fields["geopotential_height"] = heights
        if hybrid and "air_pressure" in catalogue and "geopotential_height" in fields:
            fields["geopotential_height"] = self._at_mean_pressure(pressure, fields)
        if not hybrid and "surface_air_pressure" in ground and any(np.isnan(f).any() for f in fields.values()):
            fields = derived.filled_under_ground(fields, pressure, ground["surface_air_pressure"])
        if "air_temperature" in fields and "geopotential_height" in fields:
            derived.check_hydrostatic(
                self.file,
                broad,
                fields["air_temperature"],
                fields.get("specific_humidity"),
                fields["geopotential_height"],
            )
        elif half is not None and "surface_altitude" in ground and "specific_humidity" in fields:
            fields["geopotential_height"] = self._integrated(half, fields, ground["surface_altitude"])
        return pressure, fields

    def _heights(self, time: np.datetime64) -> np.ndarray | None:
        """Geopotential heights of all levels, from whichever of the two quantities has them all."""
        catalogue, levels = self.catalogue, self.catalogue.levels
        found = [
            (self._field(q), catalogue.read(q, time, levels, self.window) / scale)
            for q, scale in (("geopotential_height", 1.0), ("geopotential", GRAVITY))
            if levels and set(levels) <= set(catalogue.held(q))
        ]
        if len(found) == 2:
            for k in range(len(levels)):
                one, other = ((where, values[k]) for where, values in found)
                plausible.check_same(one, other, "m", plausible.SAME_HEIGHT, mean=True)
        return found[0][1] if found else None

    def _turn_winds(self, fields: dict[str, np.ndarray]) -> None:
        """Winds along the grid as winds along the meridians and parallels."""
        angle = self.catalogue.grid.rotation(self.window)
        if angle is not None and {"eastward_wind", "northward_wind"} <= fields.keys():
            u, v = fields["eastward_wind"], fields["northward_wind"]
            c, s = np.cos(angle), np.sin(angle)
            fields["eastward_wind"], fields["northward_wind"] = u * c + v * s, v * c - u * s

    def _half_pressure(self, ground: dict[str, np.ndarray]) -> np.ndarray | None:
        coefficients = next(
            (p.half_levels for p in self.catalogue.pieces("air_temperature") if p.half_levels is not None), None
        )
        if coefficients is None or "surface_air_pressure" not in ground:
            return None
        if max(self.catalogue.levels) > coefficients.shape[1] - 1:
            raise InputError(
                f"{self.file}: holds model level {max(self.catalogue.levels):g}, but coefficients of "
                f"{coefficients.shape[1] - 1} levels only."
            )
        return model_levels.half_pressure(coefficients, ground["surface_air_pressure"])

    def _at_mean_pressure(self, pressure: np.ndarray, fields: dict[str, np.ndarray]) -> np.ndarray:
        """Heights of the levels' pressures: those of the file, but of GEOS, whose heights are of another place."""
        height, levels = fields["geopotential_height"], self.catalogue.levels
        half = model_levels.geos_72_half_pressure(levels, pressure)
        if half is None or "air_temperature" not in fields:
            return height
        humidity = fields.get("specific_humidity", np.zeros_like(height))
        tv = virtual_temperature(fields["air_temperature"], humidity)
        return model_levels.heights_of_mean_pressure(height, half, levels, tv)

    def _integrated(self, half: np.ndarray, fields: dict[str, np.ndarray], altitude: np.ndarray) -> np.ndarray:
        """Heights of all levels from the ground, which needs every level from there up."""
        numbers = [round(k) for k in self.catalogue.levels]
        if numbers != list(range(half.shape[0] - 1, half.shape[0] - 1 - len(numbers), -1)):
            raise InputError(
                f"{self.file}: heights are integrated from the ground up, for which every model level from "
                f"{half.shape[0] - 1} upward is needed without a gap; add the levels or geopotential heights."
            )
        tv = virtual_temperature(fields["air_temperature"], fields["specific_humidity"])[::-1]
        return model_levels.heights(half[-len(numbers) - 1 :], tv, altitude)[::-1]

    def _humidity(self, time: np.datetime64, temperature: np.ndarray | None, pressure: np.ndarray) -> np.ndarray | None:
        """Specific humidity on all levels, of what most levels have, completed by the other and then in ln p."""
        catalogue, levels = self.catalogue, self.catalogue.levels
        kinds = [q for q in ("specific_humidity", "relative_humidity") if q in catalogue]
        if not kinds or temperature is None:
            return None
        values = np.full(temperature.shape, np.nan)
        missing = np.ones(len(levels), bool)
        for kind in sorted(kinds, key=lambda q: -len(set(catalogue.held(q)) & set(levels))):
            held = set(catalogue.held(kind))
            new = np.array([level in held for level in levels]) & missing
            if not new.any():
                continue
            found = catalogue.read(kind, time, [k for k, n in zip(levels, new, strict=True) if n], self.window)
            if kind == "relative_humidity":
                here = pressure[new]
                found = derived.from_relative(self._where(kind), found, temperature[new], here)
            values[new] = found
            missing &= ~new
        if missing.any():
            here = np.array(levels)
            if here[missing].min() < here[~missing].min():
                highest = here[~missing].min() / 100.0
                self._tell(f"{self.file}: over {highest:g} hPa humidity is not given and falls to the stratosphere's")
            saturated = np.asarray(saturation_specific_humidity(temperature, here[:, None, None]))
            values = fill_humidity(np.log(here), values[None], missing, saturated[None])[0]
        return np.maximum(values, 0.0)

    def _axes(self) -> dict[str, Any]:
        dims, window = self.catalogue.grid.dims, self.window
        if self.catalogue.grid.attributes():
            axes: dict[str, Any] = {
                name: (name, values, {"standard_name": f"projection_{name}_coordinate", "units": "m"})
                for name, values in zip(dims, (window.y, window.x), strict=True)
            }
        else:
            axes = {
                name: (name, values, {"standard_name": name, "units": f"degrees_{towards}"})
                for name, values, towards in zip(dims, (window.y, window.x), ("north", "east"), strict=True)
            }
        for quantity, axis in SOIL_AXES.items():
            if quantity in self.catalogue:
                axes[axis] = (
                    axis,
                    np.array(self.catalogue.held(quantity)),
                    {"standard_name": "depth", "units": "m", "positive": "down", "bounds": f"{axis}_bounds"},
                )
                axes[f"{axis}_bounds"] = ((axis, "bounds"), self._layers(quantity))
        return axes

    def _layers(self, quantity: str) -> np.ndarray:
        """Tops and bottoms (n, 2) of the soil layers of a quantity, m; the middle twice where they are not told."""
        bounds = {k: b for p in self.catalogue.pieces(quantity) for k, b in zip(p.levels, p.layers, strict=False)}
        return np.array([bounds.get(k, (k, k)) for k in self.catalogue.held(quantity)], dtype=np.float64)

    def _variables(self, fields: dict[str, np.ndarray], upright: tuple[str, ...]) -> dict[str, Any]:
        made = {}
        for name, values in fields.items():
            own = (SOIL_AXES[name],) if name in SOIL_AXES else upright if values.ndim == 3 else ()
            attributes = {"standard_name": name, "units": UNITS[name][1]}
            made[name] = ((*own, *self.catalogue.grid.dims), values, attributes)
        return made
