"""A release, or a part of it, as files of other programs in a folder: what `kaiseki archive export` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import xarray as xr

from kaiseki.archive.exchange.climcore import write_single_fields
from kaiseki.archive.exchange.grib2 import write_grib2_times
from kaiseki.archive.exchange.grib2_settings import Grib2Settings
from kaiseki.archive.exchange.jma_form import Form as JmaFiles
from kaiseki.archive.exchange.jma_form import axes, even_axes
from kaiseki.archive.exchange.netcdf import write_days
from kaiseki.archive.exchange.points import Shape, write_point_months
from kaiseki.archive.exchange.regridded import regridded
from kaiseki.archive.exchange.source import Source, open_source
from kaiseki.archive.exchange.zarr_mirror import write_zarr
from kaiseki.archive.release.encoding import BOUND_SETS, BoundSet
from kaiseki.archive.release.reading import open_group
from kaiseki.archive.selection.areas import box
from kaiseki.archive.selection.names import variables
from kaiseki.archive.selection.places import Places
from kaiseki.archive.selection.points import Method
from kaiseki.archive.selection.times import border, time_axis
from kaiseki.archive.store.export_folder import ExportFolder, digest
from kaiseki.archive.store.object_store import obstore_arguments, s3_arguments
from kaiseki.archive.store.storage import Location
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.variables import VARIABLES
from kaiseki.grid.regridding import LatLonGrid

ReleaseForm = Literal["netcdf", "climcore", "zarr", "parquet", "grib2"]

_GROUP: Final[Mapping[str, str]] = {
    "netcdf": "surface", "climcore": "model_levels", "zarr": "surface", "parquet": "surface",
}  # fmt: skip
"""Group that a form takes where none is named."""

_FILES_OF_JMA: Final[Mapping[str, JmaFiles]] = {"surface": "surface", "pressure_levels": "pressure"}
"""Files of JMA's mesoscale model by the group of a release that has their fields."""


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """What part of a release is exported, and how.

    Attributes:
        form: "netcdf", a file per day; "climcore", a NetCDF file per variable and time; "zarr", one plain store;
            "parquet", a table of places per month; "grib2", a file per time in the form of JMA's mesoscale model.
        group: of the release; None for "surface", of "climcore" "model_levels", of "grib2" both kinds of files.
        variables: internal, CF or Japanese names; empty for all that the form can hold.
        start: first day, month, year or instant (UTC); None for the first that there is.
        end: last day, month, year or instant (UTC); None for the last that there is.
        box: west, south, east, north [degrees] of what is wanted.
        grid: spacing in longitude and latitude [degrees] of a grid of longitude and latitude; "jma" for that of JMA's
            mesoscale model; "own" for the grid of the release; None for "own", of "grib2" for "jma" where the domain
            covers it and else a grid around it.
        places: where series are wanted, of "parquet" always.
        method: how a value at a place is made, "nearest" or "bilinear".
        shape: of tables, "wide" or "long".
        bounds: largest errors of packing, "tight", "user" or "lossless"; None for those of the release, with which
            its own values are packed again without a further error.
        version: a tag, "quality", or None for what was published last.
    """

    form: ReleaseForm = "netcdf"
    group: str | None = None
    variables: tuple[str, ...] = ()
    start: str | None = None
    end: str | None = None
    box: tuple[float, float, float, float] | None = None
    grid: tuple[float, float] | Literal["jma", "own"] | None = None
    places: Places | None = None
    method: Method = "nearest"
    shape: Shape = "wide"
    bounds: BoundSet | None = None
    version: str | None = None


@dataclass(frozen=True)
class Exported:
    """What a call of `export_release` did.

    Attributes:
        files: number of files, of "zarr" of times, that the export has now.
        kept: how many of them were there already.
        variables: that were exported, by group.
        left_out: variables that the form cannot hold, with the reason.
    """

    files: int
    kept: int
    variables: Mapping[str, tuple[str, ...]]
    left_out: tuple[str, ...] = ()


def export_release(
    release: Location,
    to: str | Path,
    settings: ExportSettings | None = None,
    *,
    storage_options: Mapping[str, Any] | None = None,
    target_options: Mapping[str, Any] | None = None,
) -> Exported:
    """Write a part of a release into a folder in a form that other programs read.

    Called again with the same settings it goes on: files that are whole and were made of the same version stay. A
    folder that holds anything else is refused.

    Args:
        release: place of the release store.
        to: folder, new or of an earlier call; of "zarr" also "s3://bucket/prefix".
        settings: what and how.
        storage_options: of the release, for S3; see `storage.resolve`.
        target_options: of a target in S3, the same names.

    Raises:
        InputError: settings that do not go together; a group, variable, time or place that there is not.
        StoreError: no release, or the target cannot be written or holds something else.
        ResourceError: the disk is full; what was written before is whole.
    """
    settings = settings or ExportSettings()
    _check(settings, str(to))
    if settings.form == "grib2":
        return _grib2(release, Path(to), settings, storage_options)
    source = _source(release, settings.group or _GROUP[settings.form], settings, storage_options)
    whole = source.dataset
    bounds: BoundSet = settings.bounds or _own_bounds(whole)
    source, left_out = _holdable(source, settings)
    group = str(whole.attrs["kind"])
    kept: int
    if settings.form == "zarr":
        options = obstore_arguments(s3_arguments(target_options)) if str(to).startswith("s3://") else None
        mirror = write_zarr(source, to, bounds, storage_options=options)
        files, kept = mirror.times, mirror.times - mirror.new
    else:
        folder = ExportFolder(to, settings.form, group, _noted(release, settings, bounds))
        match settings.form:
            case "netcdf":
                written = write_days(source, folder.path, group, bounds)
            case "climcore":
                written = write_single_fields(source, folder.path, bounds)
            case _:
                written = write_point_months(source, folder.path, group, settings.shape)
        files, kept = len(written.files), len(written.kept)
    return Exported(files, kept, {group: _fields(source.dataset)}, left_out)


def _check(settings: ExportSettings, to: str) -> None:
    """Refuse settings that do not go together."""
    form, grid = settings.form, settings.grid
    if form not in get_args(ReleaseForm):
        raise InputError(f"There is no form {form!r} of export; there are {', '.join(get_args(ReleaseForm))}")
    if settings.bounds is not None and settings.bounds not in BOUND_SETS:
        raise InputError(f"There is no set of bounds {settings.bounds!r}; there are {', '.join(BOUND_SETS)}")
    if form == "grib2" and settings.bounds == "lossless":
        raise InputError("GRIB files are packed within declared errors, tight or user, and cannot be lossless")
    if form == "parquet" and settings.places is None:
        raise InputError("A table (parquet) is made of places; give them, one with --at or many with --places")
    if form in ("climcore", "grib2") and settings.places is not None:
        raise InputError(f"The form {form} holds maps, not places; export places as parquet, netcdf or zarr")
    if form == "zarr" and settings.places is not None and settings.places.names:
        raise InputError("A Zarr mirror holds no text; give a list of places without the column of names")
    if settings.places is not None and (settings.box is not None or grid is not None):
        raise InputError("Places need neither a box nor a grid; leave these out")
    if form == "climcore" and grid not in (None, "own"):
        raise InputError("The form climcore has the grid of the release; export another grid as netcdf, zarr or grib2")
    if "://" in to and form != "zarr":
        raise StoreError(f"Only the form zarr can be written to {to}; give a folder for {form}")
    if isinstance(grid, tuple) and not all(0.0 < step <= 30.0 for step in grid):
        raise InputError(f"The spacing of a grid is a number of degrees, not {grid[0]:g}, {grid[1]:g}")


def _source(
    release: Location, group: str, settings: ExportSettings, options: Mapping[str, Any] | None, *, chosen: bool = True
) -> Source:
    """The fields wanted of a group, at the times and places and on the grid wanted."""
    source = open_source(release, group, version=settings.version, storage_options=options)
    dataset = source.dataset
    if "version" not in dataset.attrs:
        raise InputError(f"{release} is no release store; runs are exported from Python, with kaiseki.archive.export")
    if chosen and settings.variables:
        dataset = variables(dataset, settings.variables)
    dataset = _placed(_within(dataset, settings.start, settings.end), settings)
    return Source(dataset, source.where, _state(source, settings))


def _within(dataset: xr.Dataset, start: str | None, end: str | None) -> xr.Dataset:
    """The times of a dataset from the first day or instant to the last, by their labels in UTC."""
    axis = time_axis(dataset)
    wanted = np.ones(axis.size, bool)
    if start is not None:
        wanted &= axis >= border(start, UTC, end=False)[0]
    if end is not None:
        last, closed = border(end, UTC, end=True)
        wanted &= (axis <= last) if closed else (axis < last)
    if not wanted.any():
        ends = [str(time.astype("datetime64[m]")) for time in axis[[0, -1]]]
        raise InputError(
            f"There is no time from {start or ends[0]} to {end or ends[1]} (UTC); the release goes from {ends[0]} to "
            f"{ends[1]}"
        )
    return dataset.isel(time=np.flatnonzero(wanted)) if not wanted.all() else dataset


def _placed(dataset: xr.Dataset, settings: ExportSettings) -> xr.Dataset:
    """The fields at the places, in the box or on the grid wanted."""
    if settings.places is not None:
        return settings.places.of(dataset, settings.method)
    target = _target(dataset, settings)
    if target is not None and settings.form != "grib2":
        return _on_grid(dataset, target)
    if settings.box is not None and target is None:
        return box(dataset, *settings.box)
    return dataset


def _target(dataset: xr.Dataset, settings: ExportSettings) -> LatLonGrid | None:
    """The grid of longitude and latitude that was asked for, within the box if there is one; None for none."""
    from kaiseki.archive.exchange.grib2_grids import grid_around

    if settings.grid in (None, "own"):
        return None
    if isinstance(settings.grid, str):
        if settings.box is not None:
            raise InputError("The grid of JMA has an area of its own; give a spacing beside a box")
        return LatLonGrid(*axes("surface"))
    spacing = settings.grid[1], settings.grid[0]
    if settings.box is None:
        return grid_around(dataset, spacing)
    west, south, east, north = settings.box
    box(dataset, *settings.box)  # refuses what lies outside
    east += 360.0 if east < west else 0.0
    return LatLonGrid(*even_axes(spacing, (south, north, west, east)))


def _on_grid(dataset: xr.Dataset, target: LatLonGrid) -> xr.Dataset:
    """Fields on another grid: amounts as means over the cells, all others at the points, winds as vectors."""
    amounts = [name for name in _fields(dataset) if dataset[name].attrs.get("cell_methods") == "time: sum"]
    if not amounts:
        return regridded(dataset, target)
    means = regridded(dataset[amounts], target, "conservative")
    rest = dataset.drop_vars(amounts)
    if not _fields(rest):
        return regridded(dataset, target, "conservative")
    result = regridded(rest, target)
    return result.assign({name: means[name] for name in amounts})


def _state(source: Source, settings: ExportSettings) -> str | None:
    """State of the source with all that was selected of it, as far as the axes of the result do not tell it."""
    if source.state is None:
        return None
    places = settings.places
    where = None if places is None else [list(places.lon), list(places.lat), list(places.names)]
    return digest(source.state, where, settings.method, settings.box, settings.grid)


def _holdable(source: Source, settings: ExportSettings) -> tuple[Source, tuple[str, ...]]:
    """The fields that the form can hold, and what is left out where no variables were named."""
    dataset, names = source.dataset, _fields(source.dataset)
    if settings.variables:
        return source, ()
    reasons: dict[str, str] = {}
    if settings.form == "climcore":
        reasons = {name: "it has no name in files of JMA" for name in names if not VARIABLES[name].jma}
    if settings.form == "parquet" and settings.shape == "wide":
        usual = min((dataset[name].dims for name in names), key=len)
        reasons = {
            name: f"it has the axis {next(axis for axis in dataset[name].dims if axis not in usual)}, which the others "
            "have not; name it with --variables, or take --shape long"
            for name in names
            if set(dataset[name].dims) != set(usual)
        }
    kept = dataset.drop_vars(list(reasons))
    return Source(kept, source.where, source.state), tuple(f"{name}: {reason}" for name, reason in reasons.items())


def _grib2(release: Location, to: Path, settings: ExportSettings, options: Mapping[str, Any] | None) -> Exported:
    """Files in JMA's form, of the group wanted or of both."""
    if settings.group is not None and settings.group not in _FILES_OF_JMA:
        raise InputError(
            f"Files in JMA's form are made of the groups {' and '.join(_FILES_OF_JMA)}, not of {settings.group!r}"
        )
    groups = [settings.group] if settings.group is not None else list(_FILES_OF_JMA)
    files, kept = 0, 0
    written: dict[str, tuple[str, ...]] = {}
    for group in groups:
        try:
            source = _source(release, group, settings, options, chosen=False)
        except StoreError:
            # A release without pressure levels still has its surface.
            if settings.group is not None or group == "surface":
                raise
            continue
        bounds = settings.bounds or _own_bounds(source.dataset)
        packing: Literal["tight", "user"] = "user" if bounds == "user" else "tight"
        dataset = _with_companions(source.dataset, release, settings, options) if group == "surface" else source.dataset
        if settings.variables:
            dataset = variables(dataset, settings.variables)
        grid = settings.grid if isinstance(settings.grid, str) else _target(dataset, settings)
        if settings.box is not None and grid is None:
            raise InputError("GRIB files of a box need its grid; give a spacing with --grid, or --grid own")
        folder = ExportFolder(to, "grib2", group, _noted(release, settings, packing))
        part = Source(dataset, source.where, None if source.state is None else digest(source.state, _fields(dataset)))
        done = write_grib2_times(part, folder, _FILES_OF_JMA[group], grid, Grib2Settings(bounds=packing))
        files, kept = files + len(done.files), kept + len(done.kept)
        written[group] = _fields(dataset)
    return Exported(files, kept, written)


def _with_companions(
    surface: xr.Dataset, release: Location, settings: ExportSettings, options: Mapping[str, Any] | None
) -> xr.Dataset:
    """The fields of the surface with precipitation, and with what pressure at sea level is made of.

    Fields of other groups are missing at times at which these groups have none.
    """
    result = surface
    for group, names in (("precipitation", ("precipitation",)), ("model_levels", ("pressure", "temperature"))):
        if all(name in result for name in names) or (group == "model_levels" and _SEA_LEVEL in result):
            continue
        try:
            other = open_group(
                release, group, version=surface.attrs["version"], whole_axis=True, storage_options=options
            )
        except StoreError:
            continue
        if not set(names) <= set(other.data_vars):
            continue
        other = other.isel(time=np.searchsorted(other["time"].values, surface["time"].values))
        other = _placed(other, settings)
        more = {name: other[name].drop_vars("state") for name in names}
        if "time_bnds" in other and "time_bnds" not in result:
            result = result.assign(time_bnds=other["time_bnds"].drop_vars("state"))
            result["time"].attrs["bounds"] = "time_bnds"
        result = result.assign(more)
    return result


_SEA_LEVEL: Final = "mean_sea_level_pressure"


def _noted(release: Location, settings: ExportSettings, bounds: str) -> dict[str, Any]:
    """What decides the contents of the files of a folder, but for times and version."""
    places = settings.places
    return {
        "release": str(release),
        "variables": list(settings.variables),
        "box": settings.box,
        "grid": settings.grid,
        "places": None if places is None else digest(list(places.lon), list(places.lat), list(places.names))[:12],
        "method": None if places is None else settings.method,
        "shape": settings.shape if settings.form == "parquet" else None,
        "bounds": bounds,
    }


def _own_bounds(dataset: xr.Dataset) -> BoundSet:
    """The set of bounds of the release."""
    found = dataset.attrs.get("error_bounds")
    return found if found in BOUND_SETS else "lossless"


def _fields(dataset: xr.Dataset) -> tuple[str, ...]:
    """Names of the fields of a dataset."""
    return tuple(str(name) for name in dataset.data_vars if "bounds" not in dataset[name].dims)
