"""Plan of the observation operator: the observation table as padded arrays of places in space, time and the
vertical."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from kaiseki.assimilation.operators.buckets import bucket, pad
from kaiseki.assimilation.operators.contract import operator
from kaiseki.assimilation.operators.equivalents import ColumnPlaces, ValuePlaces
from kaiseki.assimilation.trajectory import Trajectory
from kaiseki.core.constants import P0
from kaiseki.core.observables import OWN_QUANTITIES, QUANTITIES
from kaiseki.grid import Domain
from kaiseki.observations import Table

HOLD: Final = np.timedelta64(3 * 3600, "s")
"""Values up to this much before or after a trajectory are compared with its first or last time: balloons drift on
after the window in which they were released, and a trajectory may be a single state.
"""

SCREEN_HEIGHT: Final = 2.0
"""Height above the ground at which stations measure temperature and humidity [m] (WMO-No. 8, chapter 2: 1.25-2 m)."""

WIND_HEIGHT: Final = 10.0
"""Height above the ground to which surface winds refer [m] (WMO-No. 8, chapter 5)."""

SEA_ROUGHNESS: Final = 2e-4
"""Roughness length of the open sea [m] (WMO-No. 8, chapter 5, Davenport class 1)."""

LAND_ROUGHNESS: Final = 0.1
"""Roughness length of low crops with occasional obstacles [m] (WMO-No. 8, chapter 5, Davenport class 4)."""

_SURFACE: Final = ("synop", "ship", "buoy", "paob")
_AFLOAT: Final = ("ship", "buoy")
_ASCENTS: Final = ("sonde", "pilot")
_WIND: Final = ("eastward_wind", "northward_wind")
_EDGE: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Plan:
    """A table located in a trajectory.

    Attributes:
        columns, values: padded arrays on the device.
        count: number of rows.
        known: (count,) False where no equivalent can exist: outside the domain or the times, no coordinate.
        outside: (count,) True where the place lies outside the domain.
        late: (count,) True where the time lies outside the trajectory.
    """

    columns: ColumnPlaces
    values: ValuePlaces
    count: int
    known: np.ndarray
    outside: np.ndarray
    late: np.ndarray


def at_station(table: Table) -> np.ndarray:
    """Mask (n,) of values measured at a station's own height: surface stations, and level 0 of ascents."""
    return table.where(kind=_SURFACE) | (table.where(kind=_ASCENTS) & (table.column("level") == 0))


def elevation(table: Table) -> np.ndarray:
    """Height of the station [m], (n,): 0 for ships and buoys that give none, else NaN where it is not known."""
    given = table.column("station_elevation")
    return np.where(np.isnan(given) & table.where(kind=_AFLOAT), 0.0, given)


def bilinear(field: np.ndarray, j: np.ndarray, i: np.ndarray) -> np.ndarray:
    """Values (..., n) of a field (..., ny, nx) at fractional indices (n,) inside it."""
    row = np.clip(np.floor(j).astype(int), 0, field.shape[-2] - 2)
    column = np.clip(np.floor(i).astype(int), 0, field.shape[-1] - 2)
    y, x = j - row, i - column
    south = field[..., row, column] * (1.0 - x) + field[..., row, column + 1] * x
    north = field[..., row + 1, column] * (1.0 - x) + field[..., row + 1, column + 1] * x
    return np.asarray(south * (1.0 - y) + north * y)


def places(domain: Domain, table: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fractional indices j, i (n,) held inside the grid, and whether the place lies outside it (n,)."""
    j, i = domain.index(table.column("latitude"), table.column("longitude"))
    inside_j, inside_i = np.clip(j, 0.0, domain.ny - 1.0), np.clip(i, 0.0, domain.nx - 1.0)
    outside = (np.abs(j - inside_j) > _EDGE) | (np.abs(i - inside_i) > _EDGE)
    return inside_j, inside_i, outside


def model_height(domain: Domain, table: Table) -> np.ndarray:
    """Height of the model's ground [m] at each row's place (n,); NaN outside the domain."""
    j, i, outside = places(domain, table)
    return np.where(outside, np.nan, bilinear(domain.terrain, j, i))


def _slots(times: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slot before, weight of the one after, and whether the time lies too far outside; (n,) each."""
    seconds, at = times.astype(np.int64), wanted.astype(np.int64)
    hold = int(HOLD / np.timedelta64(1, "s"))
    late = (at < seconds[0] - hold) | (at > seconds[-1] + hold)
    if len(seconds) == 1:
        return np.zeros(len(at), dtype=np.int64), np.zeros(len(at)), late
    at = np.clip(at, seconds[0], seconds[-1])
    slot = np.clip(np.searchsorted(seconds, at, side="right") - 1, 0, len(seconds) - 2)
    return slot, (at - seconds[slot]) / (seconds[slot + 1] - seconds[slot]), late


def _verticals(table: Table, lowest: np.ndarray, terrain: np.ndarray) -> dict[str, np.ndarray]:
    """Vertical coordinate and what goes with it; `lowest` is the height of the lowest level [m]."""
    codes = table.codes("quantity")[0]
    quantity = {name: codes == number for number, name in enumerate(QUANTITIES)}
    wind = quantity["eastward_wind"] | quantity["northward_wind"]
    station, ground = at_station(table), elevation(table)
    pressure, height = table.column("pressure"), table.column("height")
    mass = quantity["surface_pressure"] | quantity["mean_sea_level_pressure"]
    has_pressure = np.isfinite(pressure) & (pressure > 0.0)
    # Heights of sondes are the values themselves; they are compared at their pressure.
    by_height = (mass | station | ~has_pressure) & ~quantity["geopotential_height"]
    at = np.where(station, ground + SCREEN_HEIGHT, height)
    at = np.where(station & wind, lowest, at)
    at = np.where(quantity["surface_pressure"], ground, at)
    at = np.where(quantity["mean_sea_level_pressure"], 0.0, at)
    whole = np.isin(
        codes, [n for n, name in enumerate(QUANTITIES) if n >= len(OWN_QUANTITIES) and not operator(name).at_level]
    )
    by_height, at = by_height | whole, np.where(whole, terrain, at)
    log_pressure = np.log(np.where(has_pressure, pressure, P0) / P0)
    coordinate = np.where(by_height, at, np.where(has_pressure, log_pressure, np.nan))
    rough = np.where(table.where(kind=_AFLOAT), SEA_ROUGHNESS, LAND_ROUGHNESS)
    level = np.maximum(lowest - terrain, WIND_HEIGHT)
    # Operators of plug-ins may be about the wind too; ours of other quantities do not look at it.
    wind |= codes >= len(OWN_QUANTITIES)
    reduction = np.where(station & wind, np.log(WIND_HEIGHT / rough) / np.log(level / rough), 1.0)
    return {
        "quantity": codes.astype(np.int32),
        "by_height": by_height,
        "coordinate": coordinate,
        "reduction": reduction,
        "anywhere": mass | whole | (station & by_height),
    }


def _device(array: np.ndarray) -> Any:
    """Arrays on the device, floats and integers in JAX's default precision."""
    kind = {"f": float, "i": int, "b": bool}[array.dtype.kind]
    return jnp.asarray(array, dtype=kind)


def locate(trajectory: Trajectory, table: Table) -> Plan:
    """Plan of a table: the place of every row in a trajectory; rows of one report at one place and time share a
    column."""
    domain = trajectory.domain
    j, i, outside = places(domain, table)
    slot, slot_weight, late = _slots(trajectory.times, table.column("time"))
    keys = np.stack([j, i, slot + slot_weight], axis=1)
    distinct, at = np.unique(keys, axis=0, return_inverse=True)
    at = at.reshape(-1)
    first = np.zeros(len(distinct), dtype=np.int64)
    first[at[::-1]] = np.arange(len(at))[::-1]
    j_c, i_c = j[first], i[first]
    row = np.clip(np.floor(j_c).astype(np.int64), 0, domain.ny - 2)
    column = np.clip(np.floor(i_c).astype(np.int64), 0, domain.nx - 2)
    terrain = bilinear(domain.terrain, j_c, i_c)
    height = bilinear(domain.z, j_c, i_c).T
    rotation = domain.projection.rotation(table.column("longitude")[first])
    columns = {
        "slot": slot[first],
        "slot_weight": slot_weight[first],
        "row": row,
        "column": column,
        "row_weight": j_c - row,
        "column_weight": i_c - column,
        "height": height,
        "terrain": terrain,
        "cosine": np.cos(rotation),
        "sine": np.sin(rotation),
    }
    wanted = {"at": at, **_verticals(table, height[at, 0], terrain[at])}
    known = np.isfinite(wanted["coordinate"]) & ~outside & ~late
    wanted["coordinate"] = np.where(np.isfinite(wanted["coordinate"]), wanted["coordinate"], 0.0)
    many, size = bucket(len(distinct)), bucket(len(table))
    return Plan(
        ColumnPlaces(**{name: _device(pad(array, many)) for name, array in columns.items()}),
        ValuePlaces(**{name: _device(pad(array, size)) for name, array in wanted.items()}),
        len(table),
        known,
        outside,
        late,
    )
