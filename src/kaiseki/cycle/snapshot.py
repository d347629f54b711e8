"""The model's state as a tree of plain arrays for the restart, and back, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from kaiseki.core.errors import StoreError
from kaiseki.forecast.state import State


def _names(state: State) -> list[str]:
    """One name per leaf: where it sits in the state, such as "surface.skin_temperature"."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]


def to_tree(state: State) -> dict[str, np.ndarray]:
    """The leaves of a state by name, on the host."""
    return {name: np.asarray(leaf) for name, leaf in zip(_names(state), jax.tree.leaves(state), strict=True)}


def from_tree(tree: Mapping[str, Any], template: State) -> State:
    """A state with the structure of `template` and the leaves of the tree.

    Raises:
        StoreError: the tree is of another grid or another set of processes than the template.
    """
    names = _names(template)
    wanted = dict(zip(names, (np.shape(leaf) for leaf in jax.tree.leaves(template)), strict=True))
    found = {name: np.shape(leaf) for name, leaf in tree.items()}
    if wanted != found:
        odd = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
        raise StoreError(f"The restart state does not fit the model: {', '.join(odd)}; begin the run anew")
    leaves = [jax.numpy.asarray(tree[name]) for name in names]
    return jax.tree.unflatten(jax.tree.structure(template), leaves)
