"""The layout of a release store: every group and time axis exists before the first day is packed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import zarr

from kaiseki.archive.release import schema
from kaiseki.archive.release.encoding import BOUND_SETS, BoundSet, archive_codecs, browser_codecs, packing_of
from kaiseki.archive.store import heights
from kaiseki.archive.store.arrays import array_at, group_at, put, values_at
from kaiseki.archive.store.layout import StaticFields, static_fields, write_static
from kaiseki.archive.store.metadata import (
    AXIS_ATTRIBUTES,
    CONVENTIONS,
    GRID_MAPPING,
    RIM_ATTRIBUTES,
    STATIC_ATTRIBUTES,
    domain_attributes,
    grid_mapping,
    program_version,
    rim_mask,
)
from kaiseki.archive.store.schema import TIME_ATTRIBUTES, check_experiment, encode_time
from kaiseki.core.errors import StoreError
from kaiseki.core.variables import Variable, variable
from kaiseki.grid import Domain, Projection

PRESSURE_ATTRIBUTES: Final = {
    "standard_name": "air_pressure",
    "long_name": "pressure",
    "units": "Pa",
    "positive": "down",
    "axis": "Z",
}
"""CF attributes of the axis of pressure levels."""


@dataclass(frozen=True)
class Chunks:
    """Sizes of chunks and shards.

    Attributes:
        cells: of a chunk of the core (y, x).
        levels: of a chunk of the core.
        shard_levels: levels of a shard of the core, a multiple of `levels`.
        series_cells: of a chunk of the copy for point series (y, x).
        series_shard: largest number of values in a shard of that copy.
        times: largest number of times in a chunk of the core.
    """

    cells: tuple[int, int] = (42, 52)
    levels: int = 4
    shard_levels: int = 16
    series_cells: tuple[int, int] = (16, 20)
    series_shard: int = 2**26
    times: int = 12


@dataclass(frozen=True, eq=False, kw_only=True)
class ReleaseLayout:
    """What a release store is made for.

    Attributes:
        times: axes in time.
        static: coordinates and fixed fields.
        horizontal: names of the two horizontal dimensions.
        grid: what is needed beside the static fields to make the grid again, JSON.
        experiment_json: experiment, or description of the source of foreign data, JSON text.
        bounds: set of error bounds of all variables.
        pressures: pressure levels [Pa], none for no such group.
        heights: heights above ground [m], none for no such group.
        map_pressures: pressure levels of the copy for maps [Pa].
        chunks: sizes.
        title: of the release.
        source: how the data were made, the attribute `source` of CF; empty for a reanalysis of this program.
        origin: where foreign data came from, for the attribute `history`; empty for none.
        attributes: further global attributes of CF: institution, references, license ...
    """

    times: schema.Times
    static: StaticFields
    horizontal: tuple[str, str] = ("y", "x")
    grid: Mapping[str, Any] = field(default_factory=dict)
    experiment_json: str = "{}"
    bounds: BoundSet = "tight"
    pressures: tuple[float, ...] = ()
    heights: tuple[float, ...] = ()
    map_pressures: tuple[float, ...] = (92_500.0, 85_000.0, 70_000.0, 50_000.0, 30_000.0, 25_000.0)
    chunks: Chunks = field(default_factory=Chunks)
    title: str = "Kaiseki release"
    source: str = ""
    origin: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    def checked(self) -> ReleaseLayout:
        """The layout itself, when it can be made.

        Raises:
            StoreError: levels that are not positive or repeat; no such set of bounds; no JSON.
        """
        check_experiment(self.experiment_json)
        if self.bounds not in BOUND_SETS:
            raise StoreError(f"The bounds are tight, user or lossless, not {self.bounds!r}")
        for name, levels in (("pressure", self.pressures), ("height", self.heights)):
            if any(not level > 0.0 for level in levels) or len(set(levels)) != len(levels):
                raise StoreError(f"The {name} levels of a release must be positive and different; got {levels}")
        return self


def of_domain(domain: Domain, soil_depth: np.ndarray | None = None) -> dict[str, Any]:
    """Arguments `static`, `horizontal` and `grid` of `ReleaseLayout` for a domain of the model."""
    static = static_fields(domain, soil_depth)
    static["rim"] = (("y", "x"), rim_mask(domain.terrain.shape, domain.rim_width), dict(RIM_ATTRIBUTES))
    return {"static": static, "horizontal": ("y", "x"), "grid": domain_attributes(domain)}


def of_latlon(
    lat: np.ndarray, lon: np.ndarray, fields: Mapping[str, np.ndarray], earth_radius: float | None = None
) -> dict[str, Any]:
    """Arguments `static`, `horizontal` and `grid` of `ReleaseLayout` for a grid of latitude and longitude.

    Args:
        lat: (ny,), degrees north, rising; even or Gaussian.
        lon: (nx,), degrees east, rising; across Greenwich or the date line without a jump.
        fields: fixed fields (ny, nx) by internal name: terrain, land_fraction.
        earth_radius: of the sphere that the data were made on [m], None where it is not known.

    Raises:
        StoreError: an axis does not rise, or leaves the globe.
    """
    lat, lon = np.asarray(lat, np.float64), np.asarray(lon, np.float64)
    for name, axis, span in (("latitudes", lat, 180.0), ("longitudes", lon, 360.0)):
        if axis.ndim != 1 or np.any(np.diff(axis) <= 0.0) or float(np.ptp(axis)) > span:
            raise StoreError(f"The {name} of a release must rise along one axis and pass no place twice")
    mapping = {"grid_mapping_name": "latitude_longitude"}
    static: StaticFields = {
        "lat": (("lat",), lat, STATIC_ATTRIBUTES["lat"] | {"axis": "Y"}),
        "lon": (("lon",), lon, STATIC_ATTRIBUTES["lon"] | {"axis": "X"}),
        GRID_MAPPING: ((), np.int32(0), mapping | ({} if earth_radius is None else {"earth_radius": earth_radius})),
    }
    return _foreign(static, ("lat", "lon"), fields)


def of_map(projection: Projection, y: np.ndarray, x: np.ndarray, fields: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Arguments `static`, `horizontal` and `grid` of `ReleaseLayout` for an even grid on a map.

    Args:
        projection: of the map.
        y, x: (ny,) and (nx,), m, rising, from the origin of the projection.
        fields: fixed fields (ny, nx) by internal name: terrain, land_fraction.
    """
    lat, lon = projection.inverse(*np.meshgrid(x, y))
    plane = ("y", "x")
    static: StaticFields = {
        "y": (("y",), y, dict(AXIS_ATTRIBUTES["y"])),
        "x": (("x",), x, dict(AXIS_ATTRIBUTES["x"])),
        "lat": (plane, lat, dict(STATIC_ATTRIBUTES["lat"])),
        "lon": (plane, lon, dict(STATIC_ATTRIBUTES["lon"])),
        GRID_MAPPING: ((), np.int32(0), grid_mapping(projection)),
    }
    return _foreign(static, plane, fields)


def _foreign(static: StaticFields, plane: tuple[str, str], fields: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Arguments of `ReleaseLayout` for coordinates and fixed fields of a grid that is no domain of the model."""
    for name, values in fields.items():
        attributes = STATIC_ATTRIBUTES[name] | {"grid_mapping": GRID_MAPPING}
        if plane == ("y", "x"):
            attributes |= {"coordinates": "lat lon"}
        static[name] = (plane, values, attributes)
    return {"static": static, "horizontal": plane, "grid": {}}


def lay_out(store: Any, layout: ReleaseLayout) -> None:
    """Write the empty layout, without variables, into a writable Zarr store."""
    now = datetime.now(UTC).isoformat("T", "seconds").replace("+00:00", "Z")
    program = f"Kaiseki {program_version()}"
    root = zarr.create_group(store, zarr_format=3)
    chunks = layout.chunks
    root.attrs.update(
        {
            **layout.attributes,
            "Conventions": CONVENTIONS,
            "title": layout.title,
            "source": layout.source or f"{program}, regional reanalysis",
            "history": f"{now} created by {program}" + (f" from {layout.origin}" if layout.origin else ""),
            "comment": "Winds are eastward and northward. Times are UTC; sums and means end at their label.",
            "program_version": program_version(),
            "date_created": now,
            "kaiseki_store": schema.KIND,
            "schema_version": schema.VERSION,
            "experiment": layout.experiment_json,
            "grid": dict(layout.grid),
            "horizontal": list(layout.horizontal),
            "start": str(layout.times.start),
            "days": layout.times.days,
            "steps": dict(layout.times.steps),
            "bounds": layout.bounds,
            "map_pressures": [float(level) for level in layout.map_pressures],
            "chunks": {
                "cells": list(chunks.cells),
                "levels": chunks.levels,
                "shard_levels": chunks.shard_levels,
                "series_cells": list(chunks.series_cells),
                "series_shard": chunks.series_shard,
                "times": chunks.times,
            },
            "described_by": sorted(layout.attributes),
        }
    )
    write_static(root.create_group(schema.STATIC), layout.static)
    levels = {"pressure_levels": layout.pressures, "height_levels": layout.heights}
    for group in schema.GROUPS.values():
        if group.name not in levels or levels[group.name]:
            _axes(root, group, layout.times, levels.get(group.name, ()))
    root.create_group(schema.OBSERVATIONS)


def _axes(root: zarr.Group, group: schema.Group, times: schema.Times, levels: tuple[float, ...]) -> None:
    """The axes of a group and its part of the ledger."""
    axis = times.axis(group.axis)
    made = root.create_group(group.name, attributes={"title": _title(group, times.steps[group.axis])})
    put(made, "time", encode_time(axis), axes=("time",), attributes=TIME_ATTRIBUTES)
    if levels:
        name = group.name.removesuffix("_levels")
        attributes = PRESSURE_ATTRIBUTES if name == "pressure" else heights.ATTRIBUTES
        put(made, name, np.asarray(levels, float), axes=(name,), attributes=attributes)
    for copy in ("", *group.copies):
        ledger = root.create_group("/".join(part for part in (schema.LEDGER, copy, group.name) if part))
        steps = times.steps[group.axis]
        ledger.create_array(
            "state",
            shape=axis.shape,
            chunks=(steps,),
            dtype="uint8",
            fill_value=schema.NOT_PRODUCED,
            compressors=None,
            dimension_names=("time",),
            attributes={"flag_values": [0, 1, 2], "flag_meanings": "not_produced preliminary final"},
        )


def write_summary(root: zarr.Group) -> None:
    """Write the states of all times of every group and layout in one piece for each group.

    The ledger itself has a chunk for every day, so that days can be written at once; to open a release of decades by it
    would take thousands of requests.
    """
    for group in schema.GROUPS.values():
        if group.name not in root:
            continue
        places = ["/".join(part for part in (copy, group.name, "state") if part) for copy in ("", *group.copies)]
        states = np.stack([values_at(root, f"{schema.LEDGER}/{place}") for place in places])
        summary = root.require_group(f"{schema.LEDGER}/{schema.SUMMARY}")
        if group.name in summary:
            array_at(summary, group.name)[...] = states
        else:
            put(summary, group.name, states, axes=("layout", "time"), attributes={"layouts": ["core", *group.copies]})


def _title(group: schema.Group, steps: int) -> str:
    """Title of a group, with the interval of its times in the place of the hour where that is another."""
    if group.axis != "hourly" or steps == 24:
        return group.title
    interval = f"{24 // steps}-hourly" if 24 % steps == 0 else f"{1440 / steps:g}-minute"
    return group.title.replace("hourly", interval).replace("the hour before", "the time before")


def times_of(root: zarr.Group) -> schema.Times:
    """The axes in time of a store."""
    attributes: Any = root.attrs
    return schema.Times(np.datetime64(attributes["start"], "s"), int(attributes["days"]), dict(attributes["steps"]))


def chunks_of(root: zarr.Group) -> Chunks:
    """The sizes of chunks of a store."""
    stored: Any = root.attrs["chunks"]
    return Chunks(
        tuple(stored["cells"]),
        stored["levels"],
        stored["shard_levels"],
        tuple(stored["series_cells"]),
        stored["series_shard"],
        # Stores made at first have whole days in a chunk.
        stored.get("times", 86_400),
    )


def add_variable(root: zarr.Group, group: schema.Group, name: str, vertical: str | None, prefix: str = "") -> None:
    """Lay out a variable over the whole time axis in all layouts of its group; one that is there stays.

    Args:
        root: of a writable session.
        group: to which it belongs.
        name: internal name.
        vertical: name of its vertical axis, None for a field of the surface.
        prefix: "overlap/<stream>/" for the days of a stream that another has too.
    """
    row = variable(name)
    place = prefix + group.name
    if f"{place}/{name}" in root:
        return
    times, sizes = times_of(root), chunks_of(root)
    stored: Any = root.attrs["horizontal"]
    horizontal = (str(stored[0]), str(stored[1]))
    plane = _plane(root, horizontal)
    levels = 0 if vertical is None else _axis_length(root, group, vertical)
    shape = (times.days * times.steps[group.axis], *((levels,) if levels else ()), *plane)
    steps = times.steps[group.axis]
    axes = ("time", *((vertical,) if vertical else ()), *horizontal)
    cells = tuple(min(a, b) for a, b in zip(sizes.cells, plane, strict=True))
    few = min(sizes.levels, levels)
    deep = (few,) if levels else ()
    shard_deep = (_multiple(min(sizes.shard_levels, levels), few),) if levels else ()
    whole = tuple(_multiple(a, b) for a, b in zip(plane, cells, strict=True))
    few_steps = max(count for count in range(1, min(sizes.times, steps) + 1) if steps % count == 0)
    core = {"chunks": (few_steps, *deep, *cells), "shards": (steps, *shard_deep, *whole)}
    _array(root, place, row, shape, axes, core, browser=False)
    if not prefix:
        _statistics(root, group, name, times.days)
        _copies(root, group, row, shape, axes)


def _statistics(root: zarr.Group, group: schema.Group, name: str, days: int) -> None:
    """The part of the ledger that tells, day by day, what was packed of a variable and with which error."""
    root.require_group(f"{schema.LEDGER}/{group.name}/statistics").create_array(
        name,
        shape=(days, len(schema.STATISTICS)),
        chunks=(1, len(schema.STATISTICS)),
        dtype="float64",
        fill_value=np.nan,
        compressors=None,
        dimension_names=("day", "statistic"),
        attributes={"statistics": list(schema.STATISTICS)},
    )


def _copies(
    root: zarr.Group, group: schema.Group, row: Variable, shape: tuple[int, ...], axes: tuple[str, ...]
) -> None:
    """The arrays of a variable in the layouts beside the core."""
    sizes, plane = chunks_of(root), (shape[-2], shape[-1])
    levels = int(np.prod(shape[1:-2])) if len(shape) > 3 else 0
    steps = times_of(root).steps[group.axis]
    one = (1,) if levels else ()
    if "map" in group.copies:
        chosen = _map_levels(root, group) if group.name == "pressure_levels" else np.arange(levels)
        mapped = (shape[0], *((chosen.size,) if levels else ()), *plane)
        if chosen.size or not levels:
            layout = {"chunks": (1, *one, *plane), "shards": (steps, *one, *plane)}
            _array(root, f"map/{group.name}", row, mapped, axes, layout, browser=True)
    if "series" in group.copies:
        block = schema.BLOCK_DAYS * steps
        few = (min(sizes.series_cells[0], plane[0]), min(sizes.series_cells[1], plane[1]))
        layout = {"chunks": (block, *one, *few), "shards": (block, *one, *_series_shard(plane, few, block, sizes))}
        _array(root, f"series/{group.name}", row, shape, axes, layout, browser=True)


def _array(
    root: zarr.Group,
    place: str,
    row: Variable,
    shape: tuple[int, ...],
    axes: tuple[str, ...],
    layout: Mapping[str, Any],
    *,
    browser: bool,
) -> None:
    """One array, missing until it is written."""
    packing = packing_of(row, root.attrs["bounds"])  # type: ignore[arg-type]
    codecs = browser_codecs() if browser else archive_codecs(packing, len(shape))
    attributes: dict[str, Any] = dict(row.attributes())
    if f"{schema.STATIC}/{GRID_MAPPING}" in root:
        attributes |= {"grid_mapping": GRID_MAPPING}
    if "y" in axes:
        attributes |= {"coordinates": "lat lon"}
    root.require_group(place).create_array(
        row.name,
        shape=shape,
        dtype="float32" if packing is None else packing.dtype,
        fill_value=np.nan if packing is None else packing.fill,
        dimension_names=axes,
        attributes=attributes | ({} if packing is None else packing.attributes()),
        **layout,
        **codecs,
    )


def _map_levels(root: zarr.Group, group: schema.Group) -> np.ndarray:
    """Indices of the pressure levels of the copy for maps."""
    wanted: Any = root.attrs["map_pressures"]
    return np.flatnonzero(np.isin(values_at(root, f"{group.name}/pressure"), wanted))


def map_levels(root: zarr.Group, group: schema.Group) -> np.ndarray | None:
    """Indices along the vertical axis that the copy for maps holds, None for all."""
    return _map_levels(root, group) if group.name == "pressure_levels" else None


def _plane(root: zarr.Group, horizontal: tuple[str, str]) -> tuple[int, int]:
    """Number of cells along both horizontal axes."""
    static = group_at(root, schema.STATIC)
    first, second = (static[name].shape[0] for name in horizontal)  # type: ignore[union-attr]
    return first, second


def _axis_length(root: zarr.Group, group: schema.Group, vertical: str) -> int:
    """Length of a vertical axis, of the group or of the static fields."""
    place = f"{group.name}/{vertical}"
    member: Any = root[place if place in root else f"{schema.STATIC}/{vertical}"]
    return int(member.shape[0])


def _multiple(size: int, part: int) -> int:
    """The smallest multiple of a part that is not below a size."""
    return math.ceil(size / part) * part


def _series_shard(plane: tuple[int, int], few: tuple[int, int], block: int, sizes: Chunks) -> tuple[int, int]:
    """Cells of a shard of the copy for point series: the whole domain, cut along y where it would be too large."""
    wide = _multiple(plane[1], few[1])
    rows = max(1, sizes.series_shard // (block * wide * few[0])) * few[0]
    return min(rows, _multiple(plane[0], few[0])), wide
