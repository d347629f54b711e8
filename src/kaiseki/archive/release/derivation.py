"""Fields of a release that a run does not store: on pressure and height levels, and of the column of air."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import xarray as xr
import zarr

from kaiseki.archive.products.derived import derived_fields
from kaiseki.archive.products.height_levels import on_height_levels
from kaiseki.archive.products.pressure_levels import HEIGHT, on_pressure_levels
from kaiseki.archive.release.writing import DayWriter
from kaiseki.archive.store.arrays import values_at

_AIR: Final = ("temperature", "pressure", "qv")
_WIND: Final = ("eastward_wind", "northward_wind")
_NEAR: Final = ("eastward_wind_10m", "northward_wind_10m")


class Derivation(NamedTuple):
    """A field that packing derives.

    Attributes:
        group: in which it is put.
        name: internal name.
        needs: fields of the run without which it is left out.
    """

    group: str
    name: str
    needs: tuple[str, ...]


DERIVATIONS: Final = (
    Derivation("pressure_levels", HEIGHT, ("pressure",)),
    Derivation("pressure_levels", "temperature", ("pressure", "temperature")),
    Derivation("pressure_levels", "eastward_wind", ("pressure", *_WIND)),
    Derivation("pressure_levels", "northward_wind", ("pressure", *_WIND)),
    Derivation("pressure_levels", "omega", ("w", *_AIR)),
    Derivation("pressure_levels", "relative_humidity", _AIR),
    Derivation("pressure_levels", "qv", ("pressure", "qv")),
    Derivation("height_levels", "eastward_wind", _WIND),
    Derivation("height_levels", "northward_wind", _WIND),
    Derivation("height_levels", "temperature", ("temperature",)),
    Derivation("surface", "precipitable_water", _AIR),
    Derivation("surface", "freezing_level", ("temperature",)),
    Derivation("surface", "wind_gust_10m", (*_AIR, *_WIND, *_NEAR)),
    Derivation("surface", "cape_mixed_layer", _AIR),
    Derivation("surface", "cin_mixed_layer", _AIR),
)
"""All that packing derives: what JMA's files hold on pressure levels, wind and temperature at the heights of turbines,
and fields of the column of air."""


def derivable(fields: xr.Dataset, root: zarr.Group) -> list[Derivation]:
    """What can be derived of the fields of a run, for the groups that a release has.

    Args:
        fields: on model levels and at the surface.
        root: of the release.
    """
    have = {str(name) for name in fields.data_vars}
    # What the run stores itself is not derived again.
    return [
        one
        for one in DERIVATIONS
        if one.group in root and set(one.needs) <= have and not (one.group == "surface" and one.name in have)
    ]


def axis_of(derivation: Derivation) -> str | None:
    """Name of the vertical axis of a derived field, None at the surface."""
    return None if derivation.group == "surface" else derivation.group.removesuffix("_levels")


def write_derived(
    writer: DayWriter, root: zarr.Group, fields: xr.Dataset, slots: np.ndarray, count: int, chosen: Sequence[Derivation]
) -> None:
    """Derive the fields of a day, time by time, and write them.

    Args:
        writer: of the day.
        root: of the release.
        fields: of the day, with the dimension `time`.
        slots: place of each time among those of the day.
        count: number of times of a day.
        chosen: what is derived.
    """
    groups: dict[str, list[str]] = {}
    for one in chosen:
        groups.setdefault(one.group, []).append(one.name)
    levels = {
        group: values_at(root, f"{group}/{group.removesuffix('_levels')}") for group in groups if group != "surface"
    }
    days: dict[tuple[str, str], np.ndarray] = {}
    for index, slot in enumerate(slots):
        # Read once, for all that is derived of it.
        now = fields.isel(time=index).load()
        for group, names in groups.items():
            for name, values in _derived(group, now, levels.get(group), names).items():
                whole = days.setdefault((group, name), np.full((count, *values.shape), np.nan, np.float32))
                whole[slot] = values
    for (group, name), whole in days.items():
        for part in writer.shards(group, name):
            writer.write(group, name, whole[:, part] if whole.ndim == 4 else whole, part)


def _derived(group: str, now: xr.Dataset, levels: np.ndarray | None, names: Sequence[str]) -> Mapping[str, np.ndarray]:
    """Derived fields of one time by name."""
    if group == "pressure_levels" and levels is not None:
        made = on_pressure_levels(now, levels, names)
    elif levels is not None:
        made = on_height_levels(now, levels, names)
    else:
        made = derived_fields(now, names)
    return {name: made[name].values for name in names}
