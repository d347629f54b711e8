"""Series of a release at places or over areas, in one table: what `kaiseki archive select` does."""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from kaiseki.archive.exchange.netcdf import write_netcdf
from kaiseki.archive.exchange.points import write_points
from kaiseki.archive.release import schema
from kaiseki.archive.release.reading import open_group
from kaiseki.archive.selection.areas import Partly, area_mean, polygon, prefecture
from kaiseki.archive.selection.lazy import computed, floating, values
from kaiseki.archive.selection.mesh import MESH, mesh
from kaiseki.archive.selection.names import found
from kaiseki.archive.selection.places import Places
from kaiseki.archive.selection.points import PLACE, Method
from kaiseki.archive.selection.times import in_time_zone, period, zone
from kaiseki.archive.selection.units import units
from kaiseki.archive.selection.vertical import heights
from kaiseki.archive.store.storage import Location
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.files import whole_file
from kaiseki.core.variables import VARIABLES
from kaiseki.diagnostics.wind import wind_from_direction, wind_speed

WIND: Final = ("wind", "風")
"""Words for the wind: both components, its speed and its direction."""

ENDINGS: Final = (".csv", ".parquet", ".nc")
"""Endings of the names of files that `write_series` writes."""

_FIRST: Final = ("surface", "precipitation")
_REST: Final = ("height_levels", "pressure_levels", "model_levels", "analysis", "uncertainty")


@dataclass(frozen=True, kw_only=True)
class SeriesSettings:
    """Where, when and what of a release is wanted as series.

    Attributes:
        places: places; or else one of the three areas.
        meshes: standard area meshes of Japan (JIS X 0410).
        prefecture: name or code of a prefecture of Japan.
        polygon: GeoJSON file with an area, or of a prefecture with the borders of all.
        variables: internal, CF or Japanese names, and "wind" for components, speed and direction; empty for all of the
            group.
        group: of the release; None for the first that has a variable: at the ground, without heights and pressures.
        height: heights above ground [m].
        pressure: pressure levels [hPa].
        start: first day, month, year or instant in the time zone; None for the first time that there is.
        end: last day, month, year or instant in the time zone; None for the last time that there is.
        time_zone: "UTC", "JST" or a name of the IANA database.
        method: how a value at a place is made, "nearest" or "bilinear".
        outside: "raise" refuses an area that reaches beyond the grid, "drop" takes what lies within.
        units: unit by variable or by "wind", "temperature", "pressure", "precipitation".
        version: a tag, "quality", or None for what was published last.
    """

    places: Places | None = None
    meshes: tuple[str, ...] = ()
    prefecture: str | None = None
    polygon: Path | None = None
    variables: tuple[str, ...] = ()
    group: str | None = None
    height: tuple[float, ...] = ()
    pressure: tuple[float, ...] = ()
    start: str | None = None
    end: str | None = None
    time_zone: str = "UTC"
    method: Method = "nearest"
    outside: Partly = "raise"
    units: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None


def series(
    release: Location, settings: SeriesSettings, *, storage_options: Mapping[str, Any] | None = None
) -> xr.Dataset:
    """The series wanted of a release, in memory.

    Args:
        release: place of the release store.
        settings: where, when and what.
        storage_options: for S3, see `storage.resolve`.

    Returns:
        Dataset with the dimension `time` and, of places and meshes, `place` or `mesh`; several heights or pressures
        stay a dimension. Its coordinate `local_time` is the civil time, where that is not UTC.

    Raises:
        InputError: not just one kind of place; a name, level, time or place that there is not.
        StoreError: no release, or it cannot be read.
    """
    _check(settings)
    zone(settings.time_zone)
    opened = _Groups(release, settings, storage_options)
    wanted = _wanted(opened, settings)
    parts = [_part(opened.first((group,))[1], names, settings) for group, names in wanted.items()]
    whole = _joined([part.load() for part in parts])
    whole = units(whole, settings.units) if settings.units else whole
    return whole if settings.time_zone.upper() == "UTC" else in_time_zone(whole, settings.time_zone)


def write_series(dataset: xr.Dataset, file: str | Path) -> Path:
    """Write series to a file whose ending says the form, whole or not at all; an existing one is replaced.

    .csv: a row for each time (and place), a column for each variable and level, with its unit in the heading; UTF-8,
    with a byte order mark only where the text is not ASCII. .parquet: as of `points.write_points`. .nc: NetCDF-4 with
    CF metadata. Times are in UTC; .csv has civil time beside it where the dataset has `local_time`.

    Args:
        dataset: of `series`.
        file: path of the file.

    Raises:
        InputError: another ending, or series that the form cannot hold.
        StoreError: the file cannot be written.
        ResourceError: the disk is full.
    """
    path = Path(file)
    check_ending(path)
    if not path.absolute().parent.is_dir():
        raise StoreError(f"The directory {path.absolute().parent} does not exist, so {path} cannot be written")
    match path.suffix.lower():
        case ".csv":
            return _write_csv(dataset, path)
        case ".parquet":
            along = MESH if MESH in dataset.dims else PLACE
            if along not in dataset.dims:
                raise InputError(
                    "The mean over an area has no point, which a table in Parquet needs; write .csv or .nc"
                )
            return write_points(dataset, path, along=along)
        case _:
            return write_netcdf(dataset, path)


def check_ending(path: Path) -> None:
    """Refuse a file whose form is not known.

    Raises:
        InputError: its ending is none of `ENDINGS`.
    """
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"The ending of a file of series is one of {', '.join(ENDINGS)}, not that of {path.name!r}")


def _check(settings: SeriesSettings) -> None:
    """Refuse settings that do not go together."""
    given = {
        "a place": settings.places is not None,
        "a mesh": bool(settings.meshes),
        "a prefecture": settings.prefecture is not None,
        "a polygon": settings.polygon is not None and settings.prefecture is None,
    }
    if sum(given.values()) != 1:
        both = " and ".join(name for name, there in given.items() if there)
        raise InputError(
            f"Series are of one kind of place; there are {both}" if both else "Series need a place, mesh or area"
        )
    if settings.prefecture is not None and settings.polygon is None:
        raise InputError(
            "The borders of prefectures come from a file of yours: give a GeoJSON file, such as National Land "
            "Numerical Information N03, as the polygon beside the prefecture"
        )
    if settings.height and settings.pressure:
        raise InputError("Give either heights or pressures")


class _Groups:
    """The groups of a release, each opened when it is first asked for."""

    def __init__(self, release: Location, settings: SeriesSettings, options: Mapping[str, Any] | None) -> None:
        self.release = release
        self._how: dict[str, Any] = {"version": settings.version, "storage_options": options}
        # What is wrong with the release as a whole is told here.
        first = open_group(release, settings.group, **self._how)
        self._open: dict[str, xr.Dataset | None] = {str(first.attrs["kind"]): first}

    def get(self, group: str) -> xr.Dataset | None:
        """A group, None where the release holds nothing of it."""
        if group not in self._open:
            try:
                self._open[group] = open_group(self.release, group, **self._how)
            except StoreError:
                self._open[group] = None
        return self._open[group]

    def first(self, order: tuple[str, ...]) -> tuple[str, xr.Dataset]:
        """The first of some groups that the release has.

        Raises:
            StoreError: it has none of them.
        """
        for group in order:
            if (dataset := self.get(group)) is not None:
                return group, dataset
        raise StoreError(f"{self.release} holds nothing in the groups {', '.join(order)}")


def _wanted(opened: _Groups, settings: SeriesSettings) -> dict[str, list[str]]:
    """Names of variables by the group from which each is taken.

    Raises:
        InputError: a variable that no group has.
        StoreError: the release has none of the groups.
    """
    order = _order(opened, settings)
    group, dataset = opened.first(order)
    if not settings.variables:
        return {group: [str(name) for name in dataset.data_vars if name != "time_bnds"]}
    held = {group: one for group in order if (one := opened.get(group)) is not None}
    result: dict[str, list[str]] = {}
    for name in settings.variables:
        for group, dataset in held.items():
            try:
                names = _names(dataset, name)
            except InputError:
                continue
            result.setdefault(group, []).extend(one for one in names if one not in result.get(group, []))
            break
        else:
            _refuse(name, held)
    return result


def _refuse(name: str, held: Mapping[str, xr.Dataset]) -> None:
    """Refuse the name of a variable that no group has.

    Raises:
        InputError: always.
    """
    known = {str(key): group for group, one in held.items() for key in one.data_vars if key != "time_bnds"}
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are wind, {', '.join(known)}"
    raise InputError(f"There is no variable {name!r} in {', '.join(held)}; {hint}")


def _order(opened: _Groups, settings: SeriesSettings) -> tuple[str, ...]:
    """Groups in the order in which variables are looked for."""
    if settings.group is not None:
        if settings.group not in schema.GROUPS:
            raise InputError(f"A release has the groups {', '.join(schema.GROUPS)}, not {settings.group!r}")
        return (settings.group,)
    if settings.pressure:
        return ("pressure_levels", *_FIRST)
    if settings.height:
        near = opened.get("height_levels")
        if near is not None and all(near["height"][0] <= one <= near["height"][-1] for one in settings.height):
            return ("height_levels", *_FIRST)
        return ("model_levels", *_FIRST)
    return (*_FIRST, *_REST)


def _names(dataset: xr.Dataset, name: str) -> list[str]:
    """What a name stands for in a dataset: variables, and speed and direction of a wind whose components it has.

    Raises:
        InputError: the dataset has no such variable.
    """
    made = _winds(dataset)
    if name in WIND:
        if not made:
            raise InputError("The dataset has no wind")
        return [one for derived, (_, east) in made.items() for one in (*_components(east), derived)]
    if name in dataset.data_vars:
        return [name]
    # Like a standard name, one without a height stands for all heights.
    alike = [derived for derived in made if name in (derived, _without_height(derived))]
    return alike or found(dataset, name)


def _winds(dataset: xr.Dataset) -> dict[str, tuple[_Formula, str]]:
    """Speeds and directions that can be made of a dataset: name -> formula and the eastward component."""
    east = [str(name) for name in dataset.data_vars if str(name).startswith("eastward_wind")]
    pairs = [name for name in east if "spread" not in name and _components(name)[1] in dataset.data_vars]
    return {
        name.replace("eastward_wind", word): (formula, name) for name in pairs for word, formula in _FORMULAS.items()
    }


_Formula = Callable[[np.ndarray, np.ndarray], np.ndarray]
_FORMULAS: Final[Mapping[str, _Formula]] = {"wind_speed": wind_speed, "wind_from_direction": wind_from_direction}


def _components(eastward: str) -> tuple[str, str]:
    """Names of both components of a wind."""
    return eastward, eastward.replace("eastward", "northward")


def _without_height(name: str) -> str:
    """Name of a field of the wind without its height."""
    return next(word for word in _FORMULAS if name.startswith(word))


def _part(dataset: xr.Dataset, names: list[str], settings: SeriesSettings) -> xr.Dataset:
    """The series of one group."""
    made = {name: how for name, how in _winds(dataset).items() if name in names and name not in dataset}
    needed = [name for name in names if name in dataset]
    needed += [one for _, east in made.values() for one in _components(east)]
    needed += [one for one in ("time_bnds", *_vertical(dataset, settings)) if one in dataset]
    dataset = _period(dataset[list(dict.fromkeys(needed))], settings)
    if settings.places is None:
        # The mean speed over an area is not that of the mean vector.
        speeds = {name: east for name, (formula, east) in made.items() if formula is wind_speed}
        dataset = dataset.assign({name: _lazy_speed(dataset, east, name) for name, east in speeds.items()})
    result = _at_heights(_placed(dataset, settings), settings)
    for name, (formula, east) in made.items():
        if name not in result:
            u, v = (result[one] for one in _components(east))
            result = result.assign({name: _of_wind(formula, u, v, name)})
    return result[[*names, *(["time_bnds"] if "time_bnds" in result else [])]]


def _vertical(dataset: xr.Dataset, settings: SeriesSettings) -> tuple[str, ...]:
    """Fields that are needed to find heights."""
    return ("geopotential_height",) if settings.height and "pressure" in dataset.dims else ()


def _period(dataset: xr.Dataset, settings: SeriesSettings) -> xr.Dataset:
    """The times wanted."""
    if settings.start is None and settings.end is None:
        return dataset
    times = dataset["time"].values
    # A sum that ends at the first label belongs to it where no start was given.
    start = times[0] - np.timedelta64(1, "s") if settings.start is None else settings.start
    return period(dataset, start, times[-1] if settings.end is None else settings.end, settings.time_zone)


def _placed(dataset: xr.Dataset, settings: SeriesSettings) -> xr.Dataset:
    """The fields at the places, or their means over the area."""
    if settings.places is not None:
        return settings.places.of(dataset, settings.method)
    if settings.meshes:
        return mesh(dataset, settings.meshes, outside=settings.outside)
    if settings.prefecture is not None:
        cells = prefecture(dataset, settings.prefecture, settings.polygon, "overlap", outside=settings.outside)
    else:
        cells = polygon(dataset, settings.polygon, "overlap", outside=settings.outside)
    return area_mean(cells)


def _at_heights(dataset: xr.Dataset, settings: SeriesSettings) -> xr.Dataset:
    """The fields at the heights or pressures wanted, without the axis where there is one of them."""
    if settings.height and any(axis in dataset.dims for axis in ("height", "level", "pressure")):
        return heights(dataset, settings.height[0] if len(settings.height) == 1 else list(settings.height))
    if settings.pressure and "pressure" in dataset.dims:
        there = dataset["pressure"].values
        wanted = [int(np.argmin(np.abs(there - 100.0 * one))) for one in settings.pressure]
        for one, number in zip(settings.pressure, wanted, strict=True):
            if abs(there[number] - 100.0 * one) > 0.5:
                known = ", ".join(f"{level / 100.0:g}" for level in there)
                raise InputError(f"The release has no pressure level of {one:g} hPa; it has {known}")
        return dataset.isel(pressure=wanted[0] if len(wanted) == 1 else wanted)
    return dataset


def _lazy_speed(dataset: xr.Dataset, east: str, name: str) -> xr.Variable:
    """The speed of the wind in each cell, worked out when it is asked for."""
    u, v = (dataset[one].variable for one in _components(east))

    def part(key: dict[Any, Any]) -> np.ndarray:
        return np.asarray(wind_speed(values(u, key), values(v, key)))

    return computed(u.sizes, floating(u.dtype), part, _attributes(name, u.attrs))


def _of_wind(formula: _Formula, u: xr.DataArray, v: xr.DataArray, name: str) -> xr.Variable:
    """Speed or direction of a wind whose components are in memory or soon will be."""
    made = formula(u.values.astype(float), v.transpose(*u.dims).values.astype(float))
    return xr.Variable(u.dims, np.asarray(made, floating(u.dtype)), _attributes(name, u.attrs))


def _attributes(name: str, component: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes of a field of the wind."""
    row = VARIABLES.get(name) or VARIABLES["wind_speed" if "speed" in name else "wind_from_direction"]
    kept = {key: component[key] for key in ("cell_methods", "grid_mapping") if key in component}
    return {"standard_name": row.standard_name, "long_name": row.long_name, "units": row.units} | kept


def _joined(parts: list[xr.Dataset]) -> xr.Dataset:
    """Series of several groups at all of their times; the lowest state of each time counts."""
    if len(parts) == 1:
        return parts[0]
    states = [part["state"] for part in parts if "state" in part.coords]
    whole = xr.merge(
        [part.drop_vars("state", errors="ignore") for part in parts], compat="override", join="outer",
        combine_attrs="override",
    )  # fmt: skip
    if states:
        times = whole["time"]
        lowest = np.min([one.reindex(time=times, fill_value=0).values for one in states], axis=0)
        whole = whole.assign_coords(state=("time", lowest.astype(np.uint8), dict(states[0].attrs)))
    if "time_bnds" in whole:
        whole["time"].attrs["bounds"] = "time_bnds"
        whole = whole.assign(time_bnds=_filled_bounds(whole["time_bnds"]))
    return whole


def _filled_bounds(bounds: xr.DataArray) -> xr.DataArray:
    """Bounds of the intervals of all times, those that a group lacked of the usual length."""
    values, times = bounds.values, bounds["time"].values
    absent = np.isnat(values[:, 0])
    if absent.any():
        length = np.nanmin(values[~absent, 1] - values[~absent, 0])
        values = values.copy()
        values[absent] = np.stack([times[absent] - length, times[absent]], axis=-1)
    return bounds.copy(data=values)


def _write_csv(dataset: xr.Dataset, path: Path) -> Path:
    """Write series as CSV, places one after another."""
    words = [*map(str, dataset.data_vars), *map(str, dataset["place_name"].values if "place_name" in dataset else ())]
    words += [str(array.attrs.get("units", "")) for array in dataset.data_vars.values()]
    with whole_file(path) as scratch, scratch.open("wb") as stream:
        # Spreadsheets take what is not ASCII for another encoding where there is no mark.
        stream.write(b"" if all(word.isascii() for word in words) else codecs.BOM_UTF8)
        for number, frame in enumerate(_frames(dataset)):
            text = frame.to_csv(index=False, header=number == 0, lineterminator="\n", date_format="%Y-%m-%d %H:%M:%S")
            stream.write(text.encode())
    return path


def _frames(dataset: xr.Dataset) -> Iterator[pd.DataFrame]:
    """The rows of a table, a frame for each place."""
    along = next((name for name in (PLACE, MESH) if name in dataset.dims), None)
    if along is None:
        yield _frame(dataset, {})
        return
    several = dataset.sizes[along] > 1
    for number in range(dataset.sizes[along]):
        one = dataset.isel({along: number})
        label: dict[str, Any] = {}
        if along == MESH or several:
            label[along] = str(one[MESH].values) if along == MESH else number
        if "place_name" in one.coords:
            label[along] = str(one["place_name"].values)
        if label:
            label |= {"lon [degrees_east]": float(one["lon"]), "lat [degrees_north]": float(one["lat"])}
        yield _frame(one, label)


def _frame(dataset: xr.Dataset, label: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of one place."""
    times = dataset["time"].values
    columns: dict[str, Any] = {"time [UTC]": times}
    if "local_time" in dataset.coords:
        columns[f"time [{dataset['local_time'].attrs['time_zone']}]"] = dataset["local_time"].values
    columns |= {name: np.full(times.size, value) for name, value in label.items()}
    for name, array in dataset.data_vars.items():
        if name == "time_bnds":
            continue
        for words, series in _columns(str(name), array):
            columns[words] = series
    if "state" in dataset.coords and np.any(dataset["state"].values == schema.PRELIMINARY):
        meanings = np.array(["not produced", "preliminary", "final"])
        columns["state"] = meanings[dataset["state"].values.astype(int)]
    return pd.DataFrame(columns)


def _columns(name: str, array: xr.DataArray) -> Iterator[tuple[str, np.ndarray]]:
    """Columns of a variable with their headings: one, or one for each of its levels."""
    unit = str(array.attrs.get("units", "1"))
    levels = [str(axis) for axis in array.dims if axis != "time"]
    ordered = array.transpose("time", *levels) if "time" in array.dims else array
    for place in np.ndindex(*(array.sizes[axis] for axis in levels)):
        words = " ".join([name, *(_level(array[axis], index) for axis, index in zip(levels, place, strict=True))])
        yield f"{words} [{unit}]", np.asarray(ordered.values[(slice(None), *place)])


def _level(axis: xr.DataArray, index: int) -> str:
    """A level as a heading names it."""
    value, unit = float(axis.values[index]), str(axis.attrs.get("units", ""))
    return f"{value / 100.0:g} hPa" if unit == "Pa" else f"{value:g} {unit}".strip()
