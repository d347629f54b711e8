"""The one entry of export: any form, from an archive or a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import xarray as xr

from kaiseki.archive.exchange.climcore import write_single_fields
from kaiseki.archive.exchange.netcdf import Making, Written, export_id, write_days, write_netcdf
from kaiseki.archive.exchange.points import write_points
from kaiseki.archive.exchange.source import Source, Times, chosen, open_source
from kaiseki.archive.exchange.zarr_mirror import Mirrored, write_zarr
from kaiseki.archive.release.encoding import BOUND_SETS, BoundSet
from kaiseki.archive.store.storage import Location
from kaiseki.core.errors import InputError

Form = Literal["netcdf", "netcdf-days", "netcdf-climcore", "zarr", "parquet-wide", "parquet-long"]
"""Forms: one NetCDF file; one per day or forecast; one per variable and time; a plain Zarr mirror; tables of points."""


@dataclass(frozen=True, eq=False)
class Choice:
    """What part of an archive is exported, and how small.

    Attributes:
        times: instants in UTC, None for all that there are; of forecasts their start times.
        variables: internal names, None for all.
        version: of a release: a tag, "quality", or None for what was published last.
        bounds: set of bounds within which fields are packed; tables of points are never packed.
        stem: beginning of the names of day files, None for the kind of the fields.
    """

    times: Times | None = None
    variables: Sequence[str] | None = None
    version: str | None = None
    bounds: BoundSet = "lossless"
    stem: str | None = None


def export(
    source: Location | xr.Dataset,
    to: str | Path,
    form: Form = "netcdf",
    choice: Choice | None = None,
    *,
    kind: str | None = None,
    state: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    target_options: Mapping[str, Any] | None = None,
) -> Written | Mirrored:
    """Write fields in a form that other programs read.

    Args:
        source: location of an archive, or a dataset as `kaiseki.open` or a product gives it.
        to: file ("netcdf", "parquet-..."), folder ("netcdf-days", "netcdf-climcore"), or folder or "s3://bucket/prefix"
            ("zarr").
        form: see `Form`.
        choice: times, variables and packing.
        kind: of the fields of a run, or group of a release, as of `archive.open_archive`.
        state: of a dataset: text that is equal for equal values at equal times. Without it nothing that is there can
            be kept or gone on with. An archive knows its own.
        storage_options: of an archive in an object store, see `storage.resolve`.
        target_options: of a mirror in an object store, see `zarr_mirror.write_zarr`.

    Raises:
        StoreError, InputError, ResourceError: as of the writers of the forms.
    """
    if form not in get_args(Form):
        raise InputError(f"There is no form {form!r} of export; there are {', '.join(get_args(Form))}")
    _check_name(to, form)
    choice = choice or Choice()
    if choice.bounds not in BOUND_SETS:
        raise InputError(f"There is no set of bounds {choice.bounds!r}; there are {', '.join(BOUND_SETS)}")
    if isinstance(source, xr.Dataset):
        whole = Source(source, "the dataset", state)
    else:
        whole = open_source(source, kind, version=choice.version, storage_options=storage_options)
    part = chosen(whole, choice.times, choice.variables)
    return _write(part, to, form, choice, target_options)


_NAMED: Final[Mapping[str, tuple[str, ...]]] = {
    "netcdf": (".nc", ".nc4", ".cdf", ".netcdf"),
    "parquet": (".parquet", ".pq", ".geoparquet"),
    "GRIB": (".grib", ".grib2", ".grb", ".grb2", ".gb2"),
    "CSV": (".csv", ".tsv", ".txt"),
    "a table of a spreadsheet": (".xlsx", ".xls", ".ods"),
    "zarr": (".zarr",),
    "a picture": (".png", ".jpg", ".tif", ".tiff"),
}
"""Endings of names by what they promise."""

_INSTEAD: Final[Mapping[str, str]] = {
    "GRIB": "for GRIB use kaiseki.archive.write_grib2",
    "CSV": "for CSV use to_dataframe().to_csv of a series (docs/recipes.md)",
    "a table of a spreadsheet": "for a spreadsheet use to_dataframe().to_excel of a series (docs/recipes.md)",
    "a picture": "a picture is drawn from the dataset (docs/recipes.md)",
    "netcdf": "give the form 'netcdf'",
    "parquet": "give the form 'parquet-wide' or 'parquet-long'",
    "zarr": "give the form 'zarr'",
}


def _check_name(to: str | Path, form: Form) -> None:
    """Refuse a name of a file that promises another form than it would hold.

    Raises:
        InputError: it does.
    """
    ending = Path(to).suffix.lower()
    promised = next((what for what, endings in _NAMED.items() if ending in endings), None)
    if promised is not None and not form.startswith(promised):
        raise InputError(f"{to} is named as {promised}, and the form {form!r} is none; {_INSTEAD[promised]}")


def _write(
    part: Source, to: str | Path, form: Form, choice: Choice, options: Mapping[str, Any] | None
) -> Written | Mirrored:
    if options and form != "zarr":
        raise InputError(
            f"Options of the target are for a mirror in an object store (zarr), not for {form}; leave them out"
        )
    match form:
        case "netcdf":
            identity = None if part.state is None else export_id(part.state, part.dataset, choice.bounds)
            return Written((write_netcdf(part.dataset, to, choice.bounds, Making(identity)),))
        case "netcdf-days":
            stem = choice.stem or str(part.dataset.attrs.get("kind") or "fields")
            return write_days(part, to, stem, choice.bounds)
        case "netcdf-climcore":
            return write_single_fields(part, to, choice.bounds)
        case "zarr":
            return write_zarr(part, to, choice.bounds, storage_options=options)
        case "parquet-wide" | "parquet-long":
            return Written((write_points(part.dataset, to, "wide" if form == "parquet-wide" else "long"),))
