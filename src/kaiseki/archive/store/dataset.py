"""The fields of a run store, or of a store of forecasts, as an `xarray.Dataset` that is read lazily."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import xarray as xr
import zarr
from xarray.backends import ZarrBackendEntrypoint

from kaiseki.archive.store import schema
from kaiseki.archive.store.arrays import values_at
from kaiseki.archive.store.forecast_store import ForecastStore
from kaiseki.archive.store.heights import height_of, with_heights
from kaiseki.archive.store.metadata import GRID_MAPPING, RIM_ATTRIBUTES, rim_mask
from kaiseki.archive.store.run_store import RunStore
from kaiseki.archive.store.storage import Location, storage_errors
from kaiseki.core.errors import StoreError
from kaiseki.core.variables import VARIABLES

FieldKind = Literal["analysis", "background", "forecast"]
"""Kind of the fields of a run or of forecasts."""

RUN_GROUPS: Final[Mapping[str, str]] = {"analysis": schema.ANALYSIS, "background": schema.FORECAST}
"""Group of a run store by kind of field."""

_COORDINATES = ("x", "y", "level", "soil_level", "lat", "lon", "altitude", "decay", "terrain", GRID_MAPPING)
_INTERVAL = ("time: sum", "time: mean")


def run_dataset(store: RunStore, kind: FieldKind) -> xr.Dataset:
    """The fields of a run store, as far as its complete cycles go; see `kaiseki.open` for names and coordinates.

    Raises:
        StoreError: it holds no fields of this kind yet.
    """
    root, snapshot = store.root(), store.snapshot()
    with storage_errors(store.where, "read"):
        fields = _lazy(root, RUN_GROUPS[kind])
        static = _lazy(root, schema.STATIC)
    produced = np.flatnonzero(fields["cycle"].values >= 0)
    if produced.size == 0:
        raise StoreError(f"{store.where} holds no {kind} fields yet; {_alternative(root, kind)}")
    whole = produced.size == fields.sizes["time"]
    # Members of a Zarr group have no order of their own; users see that of the table of variables.
    dataset = fields.drop_vars("cycle")[[name for name in VARIABLES if name in fields]]
    bounds = _bounds(store.times) if any(_has_interval(array) for array in dataset.values()) else None
    if bounds is not None:
        dataset["time_bnds"] = (("time", "bounds"), bounds)
        dataset["time"].attrs["bounds"] = "time_bnds"
        dataset["time_bnds"].encoding.update(units=schema.TIME_ATTRIBUTES["units"], dtype="int64")
    dataset = dataset if whole else dataset.isel(time=produced)
    return _described(dataset, static, dict(root.attrs), kind, snapshot)


def forecasts_dataset(store: ForecastStore) -> xr.Dataset:
    """The fields of a store of forecasts, without lead times that none has reached; see `kaiseki.open`.

    Raises:
        StoreError: it holds no forecast yet.
    """
    root, snapshot = store.root(), store.snapshot()
    with storage_errors(store.where, "read"):
        fields = _lazy(root, schema.FORECAST)
        static = _lazy(root, schema.STATIC)
    produced = fields["cycle"].values >= 0
    if not produced.any():
        raise StoreError(f"{store.where} holds no forecast yet; call kaiseki forecast again, which goes on")
    dataset = fields.drop_vars("cycle").set_coords("time")[[name for name in VARIABLES if name in fields]]
    if any(_has_interval(array) for array in dataset.values()):
        time = fields["time"].values
        # Nothing is summed up at the start: an interval of no length.
        bounds = np.stack([np.concatenate([time[:, :1], time[:, :-1]], axis=1), time], axis=-1)
        dataset["time_bnds"] = ((*fields["time"].dims, "bounds"), bounds)
        dataset["time"].attrs["bounds"] = "time_bnds"
        dataset["time_bnds"].encoding.update(units=schema.TIME_ATTRIBUTES["units"], dtype="int64")
    used = {
        schema.REFERENCE_TIME: np.flatnonzero(produced.any(axis=1)),
        schema.PERIOD: np.flatnonzero(produced.any(axis=0)),
    }
    if not all(chosen.size == dataset.sizes[name] for name, chosen in used.items()):
        dataset = dataset.isel(used)
    return _described(dataset, static, dict(root.attrs), "forecast", snapshot)


def _described(
    dataset: xr.Dataset, static: xr.Dataset, root: Mapping[str, Any], kind: str, snapshot: str
) -> xr.Dataset:
    """Fields with their coordinates in space and global attributes."""
    dataset = dataset.assign_coords({name: static[name] for name in _COORDINATES if name in static})
    rim = rim_mask((dataset.sizes["y"], dataset.sizes["x"]), int(root["domain"]["rim_width"]))
    attributes = {name: value for name, value in RIM_ATTRIBUTES.items() if name != "coordinates"}
    dataset = dataset.assign_coords(rim=(("y", "x"), rim, attributes))
    dataset = with_heights(dataset)
    for array in dataset.values():
        _set_coordinates(array)
    dataset.attrs = _attributes(root, kind, snapshot)
    return dataset


def analysis_of(location: Location) -> Location:
    """The store that is meant: of the folder of a run its analysis, else the location itself."""
    if isinstance(location, str | os.PathLike) and (own := Path(location) / "analysis.store").is_dir():
        return own
    return location


def _lazy(root: zarr.Group, group: str) -> xr.Dataset:
    """One group of the store as a dataset without reading its arrays."""
    # By its class: by its name, xarray imports the backends of all formats, and what they need, to look for it.
    place: Any = root.store
    return xr.open_dataset(
        place,
        engine=ZarrBackendEntrypoint,
        group=group,
        consolidated=False,
        zarr_format=3,
        chunks=None,
        decode_timedelta=True,
    )


def _alternative(root: zarr.Group, kind: str) -> str:
    other = next(name for name in RUN_GROUPS if name != kind)
    owners = values_at(root, f"{RUN_GROUPS[other]}/cycle")
    return f"its {other} fields can be opened with kind={other!r}" if np.any(owners >= 0) else "run it first"


def _has_interval(array: xr.DataArray) -> bool:
    return array.attrs.get("cell_methods") in _INTERVAL


def _bounds(times: np.ndarray) -> np.ndarray:
    """Bounds (time, 2) of the intervals: each interval ends at its label and starts at the one before; the first is as
    long as the second."""
    step = times[1] - times[0] if times.size > 1 else np.timedelta64(3600, "s")
    return np.stack([np.concatenate([times[:1] - step, times[:-1]]), times], axis=1).astype("datetime64[ns]")


def _set_coordinates(array: xr.DataArray) -> None:
    """The auxiliary coordinates that belong to a variable when it is written to a file."""
    if "y" not in array.dims:
        return
    more = {schema.PERIOD: "time", "level": "altitude"}
    names = ["lat", "lon", *(name for axis, name in more.items() if axis in array.dims)]
    if (height := height_of(str(array.name))) is not None:
        names.append(height[0])
    array.encoding["coordinates"] = " ".join(names)


def _attributes(root: Mapping[str, Any], kind: str, snapshot: str) -> dict[str, Any]:
    """Global attributes: what it is, how to cite it, how it came about."""
    keep = ("Conventions", "title", "source", "history", "comment", *root["described_by"], "schema_version")
    attributes = {name: root[name] for name in keep}
    citation = (
        f"{root['title']} ({kind}), {root['source']}, created {root['date_created']}, state {snapshot} of the archive"
    )
    return attributes | {"kind": kind, "citation": citation, "snapshot": snapshot, "experiment": root["experiment"]}
