"""The layout of a new run store: every group and time axis exists before the first cycle."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
from kaiseki.grid import Domain
from kaiseki.grid.projection import LambertConformal, projection_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Layout:
    """Layout of a run store: its axes, static fields, encoding and description.

    Attributes:
        experiment_json: the experiment as JSON text.
        domain: the grid, which gives the static fields.
        times: output times of the whole run, datetime64[s], strictly rising: axis of the group `forecast`.
        cycle_times: ends of the cycles, datetime64[s], strictly rising: axis of the groups `analysis` and `cycles`; a
            cold start that writes something is a cycle too.
        soil_depth: depth of the middle of each soil layer [m], if fields of the soil will be written.
        encoding: chunks and compression of the fields.
        title: title of the run.
        attributes: further global attributes of CF for users: institution, references, license ...
    """

    experiment_json: str
    domain: Domain
    times: np.ndarray
    cycle_times: np.ndarray
    soil_depth: np.ndarray | None = None
    encoding: Archive = field(default_factory=Archive)
    title: str = "Kaiseki run"
    attributes: Mapping[str, str] = field(default_factory=dict)

    def checked(self) -> Layout:
        """Layout with axes of the types that are stored.

        Raises:
            StoreError: the times or depths do not rise; no JSON.
        """
        schema.check_experiment(self.experiment_json)
        return dataclasses.replace(
            self,
            times=schema.check_axis("output", self.times),
            cycle_times=schema.check_axis("cycle", self.cycle_times),
            soil_depth=None if self.soil_depth is None else schema.check_depth(self.soil_depth),
        )


def lay_out(store: Any, layout: Layout) -> None:
    """Write the empty layout into a writable Zarr store."""
    domain, cycle_times = layout.domain, layout.cycle_times
    encoding = {"chunk": list(layout.encoding.chunk), "compression_level": layout.encoding.compression_level}
    root = zarr.create_group(store, zarr_format=3)
    root.attrs.update(
        global_attributes(domain, layout.title, layout.attributes)
        | {
            "kaiseki_store": schema.KIND,
            "schema_version": schema.SCHEMA_VERSION,
            "experiment": layout.experiment_json,
            "domain": domain_attributes(domain),
            "field_encoding": encoding,
            "described_by": sorted(layout.attributes),
        }
    )
    _static(root.create_group(schema.STATIC), domain, layout.soil_depth)
    for name, axis in ((schema.FORECAST, layout.times), (schema.ANALYSIS, cycle_times)):
        group = root.create_group(name)
        put(group, "time", schema.encode_time(axis), axes=("time",), attributes=schema.TIME_ATTRIBUTES)
        # Number of the cycle that wrote a time, -1: none yet. One cycle owns a time, so that nothing is overwritten.
        put(
            group,
            "cycle",
            np.full(axis.size, -1, np.int32),
            axes=("time",),
            attributes={"long_name": "number of the cycle that wrote this time (-1: none yet)"},
        )
    cycles = root.create_group(schema.CYCLES)
    put(cycles, "time", schema.encode_time(cycle_times), axes=("time",), attributes=schema.TIME_ATTRIBUTES)
    put(
        cycles,
        "complete",
        np.zeros(cycle_times.size, np.uint8),
        axes=("time",),
        attributes={"long_name": "1 where the cycle is complete"},
    )


def _static(group: zarr.Group, domain: Domain, soil_depth: np.ndarray | None) -> None:
    """Coordinates and fixed fields."""
    axes: dict[str, Any] = {"x": domain.x, "y": domain.y, "level": domain.zeta}
    if soil_depth is not None:
        axes["soil_level"] = soil_depth
    for name, values in axes.items():
        put(group, name, values, axes=(name,), attributes=AXIS_ATTRIBUTES[name])
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
        put(group, name, values, axes=dimensions, attributes=attributes)
    put(group, GRID_MAPPING, np.int32(0), attributes=grid_mapping(domain.projection))


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
