"""Fields between the model, the run store and whatever is driven by a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kaiseki.archive import RunStore
from kaiseki.archive.store.schema import ANALYSIS, FORECAST
from kaiseki.core.errors import StoreError
from kaiseki.core.timing import format_utc
from kaiseki.forecast.model import Model
from kaiseki.forecast.state import State
from kaiseki.grid import Domain

type Fields = dict[str, np.ndarray]
"""Fields at cell centres by internal name, (nz, ny, nx) or (ny, nx) or (nsoil, ny, nx); u and v along the grid."""

OBSERVED = ("u", "v", "temperature", "pressure", "qv")
"""Fields that observation operators need."""

ACCUMULATED = "precipitation"


def of_air(model: Model, state: State) -> Fields:
    """Fields of the air of a state at cell centres."""
    return {name: np.asarray(a) for name, a in model.atmosphere(state).as_dict().items()}


def of_state(model: Model, state: State) -> Fields:
    """All output fields of a state; the precipitation is that of the interval that ends with it."""
    return of_air(model, state) | {name: np.asarray(a) for name, a in model.surface_fields(state).items()}


def instantaneous(fields: Mapping[str, np.ndarray]) -> Fields:
    """Fields of an instant: all but accumulations."""
    return {name: f for name, f in fields.items() if name != ACCUMULATED}


def observed(fields: Mapping[str, np.ndarray]) -> Fields:
    """Fields that observation operators need."""
    return {name: np.asarray(fields[name]) for name in OBSERVED}


def from_store(store: RunStore, group: str, time: np.datetime64, domain: Domain | None = None) -> Fields:
    """The fields of one time as they were stored, with u and v along the grid.

    Raises:
        StoreError: the store has nothing for this time.
    """
    domain = domain or store.domain()
    root = store.root()
    members: Any = root[group]
    axis = store.times if group == FORECAST else store.cycle_times
    index = int(np.searchsorted(axis, time))
    if index == axis.size or axis[index] != time or int(np.asarray(members["cycle"])[index]) < 0:
        raise StoreError(f"{store.where} holds no {group} fields of {format_utc(time)}")
    made: Fields = {}
    for name, array in members.arrays():
        if name not in ("time", "cycle"):
            made[name] = np.asarray(array[index])
    u, v = domain.to_grid(made.pop("eastward_wind"), made.pop("northward_wind"))
    return made | {"u": u.astype(np.float32), "v": v.astype(np.float32)}


__all__ = [
    "ANALYSIS",
    "FORECAST",
    "OBSERVED",
    "Fields",
    "from_store",
    "instantaneous",
    "observed",
    "of_state",
]
