"""The layout of a new store: every group and time axis exists before the first cycle."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import zarr

from kaiseki.archive.store import schema
from kaiseki.archive.store.arrays import group_at, put, values_at
from kaiseki.archive.store.metadata import (
    AXIS_ATTRIBUTES,
    GRID_MAPPING,
    STATIC_ATTRIBUTES,
    domain_attributes,
    global_attributes,
    grid_mapping,
)
from kaiseki.config import Archive
from kaiseki.core.errors import StoreError
from kaiseki.grid import Domain
from kaiseki.grid.projection import LambertConformal, projection_of


@dataclass(frozen=True, eq=False, kw_only=True)
class AnyLayout(ABC):
    """What the layout of every store says: its static fields, encoding and description.

    Attributes:
        experiment_json: the experiment as JSON text.
        domain: the grid, which gives the static fields.
        soil_depth: depth of the middle of each soil layer [m], if fields of the soil will be written.
        encoding: chunks and compression of the fields.
        title: title of the run.
        attributes: further global attributes of CF for users: institution, references, license ...
    """

    experiment_json: str
    domain: Domain
    soil_depth: np.ndarray | None = None
    encoding: Archive = field(default_factory=Archive)
    title: str = "Kaiseki run"
    attributes: Mapping[str, str] = field(default_factory=dict)

    kind: ClassVar[str]
    """Kind of the store, of `schema.KINDS`."""

    def checked(self) -> Self:
        """Layout with axes of the types that are stored.

        Raises:
            StoreError: the times or depths do not rise; no JSON.
        """
        schema.check_experiment(self.experiment_json)
        depth = None if self.soil_depth is None else schema.check_depth(self.soil_depth)
        return dataclasses.replace(self, soil_depth=depth)

    @abstractmethod
    def lay_out_axes(self, root: zarr.Group) -> None:
        """Write the axes in time of the groups of fields and of the cycles."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Layout(AnyLayout):
    """Layout of a run store: its axes, static fields, encoding and description.

    Attributes:
        times: output times of the whole run, datetime64[s], strictly rising: axis of the group `forecast`.
        cycle_times: ends of the cycles, datetime64[s], strictly rising: axis of the groups `analysis` and `cycles`; a
            cold start that writes something is a cycle too.
    """

    times: np.ndarray
    cycle_times: np.ndarray
    kind = schema.KIND

    def checked(self) -> Self:
        """Layout with axes of the types that are stored, as of `AnyLayout`."""
        return dataclasses.replace(
            super().checked(),
            times=schema.check_axis("output", self.times),
            cycle_times=schema.check_axis("cycle", self.cycle_times),
        )

    def lay_out_axes(self, root: zarr.Group) -> None:
        """Write the axes in time, as of `AnyLayout`."""
        for name, axis in ((schema.FORECAST, self.times), (schema.ANALYSIS, self.cycle_times)):
            group = root.create_group(name)
            _time(group, axis, ("time",))
            _owners(group, axis.shape, ("time",))
        cycles = root.create_group(schema.CYCLES)
        _time(cycles, self.cycle_times, ("time",))
        _complete(cycles, self.cycle_times.shape)


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastLayout(AnyLayout):
    """Layout of a store of forecasts of equal length.

    Attributes:
        reference_times: starts of the forecasts (n,), datetime64[s], strictly rising.
        lead_times: output times since the start (m,), timedelta64[s], strictly rising from 0.
        stretch: time of a forecast that is committed together; whole lead times.
    """

    reference_times: np.ndarray
    lead_times: np.ndarray
    stretch: np.timedelta64
    kind = schema.FORECASTS_KIND

    def checked(self) -> Self:
        """Layout with axes of the types that are stored, as of `AnyLayout`.

        Raises:
            StoreError: as of `AnyLayout`; the lead times do not rise from 0 or a stretch ends between two of them.
        """
        leads = np.atleast_1d(np.asarray(self.lead_times, "timedelta64[s]"))
        seconds = leads.astype(np.int64)
        if leads.ndim != 1 or leads.size < 2 or seconds[0] != 0 or np.any(np.diff(seconds) <= 0):
            raise StoreError("The lead times of a store of forecasts must rise strictly from 0 and be at least two")
        made = dataclasses.replace(
            super().checked(),
            reference_times=schema.check_axis("start", self.reference_times),
            lead_times=leads,
            stretch=np.timedelta64(self.stretch, "s"),
        )
        if made.stretch <= leads[0] or not np.isin(made.ends, leads).all():
            raise StoreError("The stretches of a store of forecasts must end at lead times")
        return made

    @property
    def ends(self) -> np.ndarray:
        """Lead times (k,) at which the stretches of each forecast end, timedelta64[s]."""
        last = self.lead_times[-1]
        return np.minimum(np.arange(self.stretch, last + self.stretch, self.stretch), last)

    def lay_out_axes(self, root: zarr.Group) -> None:
        """Write the axes in time, as of `AnyLayout`."""
        group, axes = root.create_group(schema.FORECAST), (schema.REFERENCE_TIME, schema.PERIOD)
        starts, leads, ends = self.reference_times, self.lead_times, self.ends
        _reference(group, starts, axes[:1])
        period = leads.astype(np.int64)
        put(group, schema.PERIOD, period, axes=axes[1:], attributes=schema.PERIOD_ATTRIBUTES)
        valid = starts[:, None] + leads
        _time(group, valid, axes)
        _owners(group, valid.shape, axes)
        cycles = root.create_group(schema.CYCLES)
        _reference(cycles, np.repeat(starts, ends.size), ("cycle",))
        _time(cycles, (starts[:, None] + ends).ravel(), ("cycle",))
        _complete(cycles, (starts.size * ends.size,), "cycle")


def lay_out(store: Any, layout: AnyLayout) -> None:
    """Write the empty layout into a writable Zarr store."""
    domain = layout.domain
    encoding = {"chunk": list(layout.encoding.chunk), "compression_level": layout.encoding.compression_level}
    root = zarr.create_group(store, zarr_format=3)
    root.attrs.update(
        global_attributes(domain, layout.title, layout.attributes)
        | {
            "kaiseki_store": layout.kind,
            "schema_version": schema.SCHEMA_VERSION,
            "experiment": layout.experiment_json,
            "domain": domain_attributes(domain),
            "field_encoding": encoding,
            "described_by": sorted(layout.attributes),
        }
    )
    write_static(root.create_group(schema.STATIC), static_fields(domain, layout.soil_depth))
    layout.lay_out_axes(root)


def _time(group: zarr.Group, times: np.ndarray, axes: tuple[str, ...]) -> None:
    attributes = dict(schema.TIME_ATTRIBUTES)
    if axes != ("time",):
        del attributes["axis"]
    put(group, "time", schema.encode_time(times), axes=axes, attributes=attributes)


def _reference(group: zarr.Group, times: np.ndarray, axes: tuple[str, ...]) -> None:
    values, attributes = schema.encode_time(times), schema.REFERENCE_TIME_ATTRIBUTES
    put(group, schema.REFERENCE_TIME, values, axes=axes, attributes=attributes)


def _owners(group: zarr.Group, shape: tuple[int, ...], axes: tuple[str, ...]) -> None:
    """Number of the cycle that wrote a time, -1: none yet. One cycle owns a time, so that nothing is overwritten."""
    attributes = {"long_name": "number of the cycle that wrote this time (-1: none yet)"}
    put(group, "cycle", np.full(shape, -1, np.int32), axes=axes, attributes=attributes)


def _complete(cycles: zarr.Group, shape: tuple[int, ...], axis: str = "time") -> None:
    attributes = {"long_name": "1 where the cycle is complete"}
    put(cycles, "complete", np.zeros(shape, np.uint8), axes=(axis,), attributes=attributes)


StaticFields = dict[str, tuple[tuple[str, ...], Any, dict[str, Any]]]
"""Fields that do not change in time: name -> (dimensions, values, attributes of CF)."""


def static_fields(domain: Domain, soil_depth: np.ndarray | None = None) -> StaticFields:
    """Coordinates and fixed fields of a domain.

    Args:
        domain: the grid.
        soil_depth: depth of the middle of each soil layer [m], None where there is no soil.
    """
    axes: dict[str, Any] = {"x": domain.x, "y": domain.y, "level": domain.zeta}
    if soil_depth is not None:
        axes["soil_level"] = soil_depth
    result: StaticFields = {name: ((name,), values, dict(AXIS_ATTRIBUTES[name])) for name, values in axes.items()}
    plane, half = ("y", "x"), ("half_level",)
    fields: dict[str, tuple[tuple[str, ...], Any]] = {
        "lat": (plane, domain.lat),
        "lon": (plane, domain.lon),
        "altitude": (("level", *plane), np.asarray(domain.z, np.float32)),
        "terrain": (plane, domain.terrain),
        "land_fraction": (plane, domain.land_fraction),
        "map_factor": (plane, domain.map_factor),
        "rotation": (plane, domain.rotation),
        "decay": (("level",), domain.decay),
        "zeta_half": (half, domain.zeta_half),
        "decay_half": (half, domain.decay_half),
    }
    for name, (dimensions, values) in fields.items():
        attributes = dict(STATIC_ATTRIBUTES[name])
        if dimensions[-2:] == plane and name not in ("lat", "lon"):
            attributes |= {"grid_mapping": GRID_MAPPING, "coordinates": "lat lon"}
        result[name] = (dimensions, values, attributes)
    result[GRID_MAPPING] = ((), np.int32(0), grid_mapping(domain.projection))
    return result


def write_static(group: zarr.Group, fields: StaticFields) -> None:
    """Write fixed fields into an empty group, bit for bit."""
    for name, (dimensions, values, attributes) in fields.items():
        put(group, name, values, axes=dimensions or None, attributes=attributes)


def stored_domain(root: zarr.Group) -> Domain:
    """The `Domain` that the store was made with, bit for bit."""
    attributes: Any = root.attrs["domain"]
    static = group_at(root, schema.STATIC)
    return Domain(
        name=attributes["name"],
        # Stores from before there was another projection do not name it.
        projection=projection_of(attributes.get("projection_name", LambertConformal.name), attributes["projection"]),
        spacing=attributes["spacing"],
        x=values_at(static, "x"),
        y=values_at(static, "y"),
        zeta_half=values_at(static, "zeta_half"),
        decay_half=values_at(static, "decay_half"),
        terrain=values_at(static, "terrain"),
        land_fraction=values_at(static, "land_fraction"),
        rim_width=attributes["rim_width"],
    )
