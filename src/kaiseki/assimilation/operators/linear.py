"""The operator linearised for an increment that does not change within the window, as a sparse matrix.

The derivatives by the columns come from `equivalents.values` by automatic differentiation, so there is one operator;
what is written here is only the bilinear stage before it, where each value touches four cells and two or three levels.
A matrix-vector product takes a few milliseconds, where gathering and scattering on the device takes some hundred.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import sparse

from kaiseki.assimilation.operators.equivalents import Columns, Profiles, Values, corners, profiles, taken, values
from kaiseki.assimilation.operators.plan import Plan
from kaiseki.statistics import VARIABLES


@jax.jit
def _derivatives(fields: dict[str, Any], columns: Columns, wanted: Values) -> tuple[Profiles, tuple[Any, Any]]:
    """Derivative of each value by its own column, (n, nz) each; the values, and whether they exist."""
    here = taken(columns, wanted.at)

    def total(profile: Profiles) -> tuple[Any, tuple[Any, Any]]:
        found, exists = values(profile, here, wanted)
        return jnp.sum(found), (found, exists)

    return jax.grad(total, has_aux=True)(taken(profiles(fields, columns), wanted.at))


@dataclass(frozen=True, eq=False)
class LinearOperator:
    """H, (p, 5 nz ny nx): from the fields of `statistics.VARIABLES`, one after another, to values.

    Attributes:
        matrix: sparse, float64.
    """

    matrix: sparse.csr_array

    @cached_property
    def _transposed(self) -> sparse.csr_array:
        return self.matrix.T.tocsr()

    def __call__(self, increment: np.ndarray) -> np.ndarray:
        """Changes (p,) of the values for an increment (5 nz ny nx,)."""
        return np.asarray(self.matrix @ np.asarray(increment, dtype=np.float64))

    def transpose(self, values: np.ndarray) -> np.ndarray:
        """H^T of values (p,), (5 nz ny nx,)."""
        return np.asarray(self._transposed @ np.asarray(values, dtype=np.float64))

    def take(self, rows: np.ndarray) -> LinearOperator:
        """Some of the rows, by mask or index."""
        return LinearOperator(self.matrix[rows])


def linearise(fields: dict[str, np.ndarray], plan: Plan) -> tuple[LinearOperator, np.ndarray]:
    """The operator of a plan linearised about a stacked trajectory, for an increment constant in time; and its values.

    Args:
        fields: `statistics.VARIABLES`, (nt, nz, ny, nx) each.
        plan: where the values lie.

    Returns:
        H, and the equivalents (plan.count,) of the trajectory, NaN where there is none (their rows of H mean nothing).
    """
    nt, nz, ny, nx = np.shape(fields["pressure"])
    size, n = nz * ny * nx, plan.count
    derivatives, (found, exists) = _derivatives(
        {name: jnp.asarray(fields[name], dtype=float) for name in VARIABLES}, plan.columns, plan.values
    )
    columns = taken(plan.columns, plan.values.at[:n])
    slot, slot_weight = np.asarray(columns.slot), np.asarray(columns.slot_weight, dtype=np.float64)
    after = np.minimum(slot + 1, nt - 1)
    cells = [(np.asarray(j), np.asarray(i), np.asarray(w, dtype=np.float64)) for j, i, w in corners(columns)]
    rows: list[np.ndarray] = []
    places: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for number, name in enumerate(VARIABLES):
        derivative = np.asarray(getattr(derivatives, "log_pressure" if name == "pressure" else name), dtype=np.float64)[
            :n
        ]
        row, level = np.nonzero(derivative)
        slope = derivative[row, level]
        for j, i, weight in cells:
            factor = slope * weight[row]
            if name == "pressure":
                # d ln p = dp / p at each slot and corner.
                p = fields["pressure"]
                early = 1.0 / np.asarray(p[slot[row], level, j[row], i[row]], dtype=np.float64)
                later = 1.0 / np.asarray(p[after[row], level, j[row], i[row]], dtype=np.float64)
                factor = factor * (early + slot_weight[row] * (later - early))
            rows.append(row)
            places.append(number * size + (level * ny + j[row]) * nx + i[row])
            weights.append(factor)
    triplets = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(places)))
    matrix = sparse.coo_array(triplets, shape=(n, len(VARIABLES) * size)).tocsr()
    equivalents = np.asarray(found, dtype=np.float64)[:n]
    return LinearOperator(matrix), np.where(np.asarray(exists)[:n] & plan.known, equivalents, np.nan)
