"""A small change of the model's state, or a sensitivity to it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import jax
import numpy as np

from kaiseki.forecast.fields import ArrayLike
from kaiseki.forecast.state import State

FIELDS = ("ru", "rv", "rw", "drho", "drt", "water")
"""Fields of a State that a Perturbation has."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Perturbation:
    """A small change of a State, or the derivative of a number by one; shapes as in `State`."""

    ru: ArrayLike
    rv: ArrayLike
    rw: ArrayLike
    drho: ArrayLike
    drt: ArrayLike
    water: ArrayLike

    @classmethod
    def of(cls, state: State) -> Perturbation:
        """The fields of a state."""
        return cls(*(getattr(state, name) for name in FIELDS))

    def onto(self, state: State) -> State:
        """The state with these fields."""
        return dataclasses.replace(state, **{name: getattr(self, name) for name in FIELDS})


def plain_product(a: Perturbation, b: Perturbation) -> float:
    """Sum of the products of all elements, in float64."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return float(sum(np.vdot(np.asarray(x, np.float64), np.asarray(y, np.float64)) for x, y in pairs))
