"""Soil of a source brought from its own layers onto those of the model, by their depth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TOUCHING = 1e-6
"""Largest gap between layers that touch, m."""


def bounds_of(thickness: Sequence[float]) -> np.ndarray:
    """Tops and bottoms (n, 2) in m of layers from the ground down, of their thickness in m."""
    bottom = np.cumsum(np.asarray(thickness, dtype=np.float64))
    return np.stack([bottom - thickness, bottom], axis=-1)


def bounds_about(middle: np.ndarray) -> np.ndarray:
    """Tops and bottoms (n, 2) in m of layers that touch each other from the ground down, of their middles in m."""
    bottom = np.zeros(len(middle) + 1)
    for k, at in enumerate(middle):
        bottom[k + 1] = 2.0 * at - bottom[k]
    return np.stack([bottom[:-1], bottom[1:]], axis=-1)


def profile_onto_layers(values: np.ndarray, depth: np.ndarray, thickness: Sequence[float]) -> np.ndarray:
    """A quantity at given depths in the middle of layers, linear in depth, constant above the first and below the last.

    Args:
        values: (m, ...).
        depth: (m,) m, rising.
        thickness: (n,) of the layers wanted, m, downwards.

    Returns:
        (n, ...).
    """
    middle = bounds_of(thickness).mean(axis=-1)
    position = np.interp(middle, depth, np.arange(depth.size, dtype=np.float64))
    low = np.minimum(position.astype(int), max(depth.size - 2, 0))
    high = np.minimum(low + 1, depth.size - 1)
    share = (position - low).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray((1.0 - share) * values[low] + share * values[high])


def means_onto_layers(values: np.ndarray, bounds: np.ndarray, thickness: Sequence[float]) -> np.ndarray:
    """Means over layers from means over other layers: what the ground holds down to the bottom of either stays.

    Under the lowest layer of the source its value goes on.

    Args:
        values: (m, ...) means.
        bounds: (m, 2) tops and bottoms, m, touching each other from the ground down.
        thickness: (n,) of the layers wanted, m, downwards.

    Returns:
        (n, ...).
    """
    wanted = bounds_of(thickness)
    last = max(float(bounds[-1, 1]), float(wanted[-1, 1]))
    own = np.concatenate([bounds[:-1], [[bounds[-1, 0], last]]])
    shared = np.minimum(wanted[:, None, 1], own[:, 1]) - np.maximum(wanted[:, None, 0], own[:, 0])
    weights = np.maximum(shared, 0.0) / (wanted[:, 1] - wanted[:, 0])[:, None]
    return np.asarray(np.tensordot(weights, values, axes=1))


def touch(bounds: np.ndarray) -> bool:
    """Whether layers (n, 2), m, have a thickness and follow one another from the ground down without a gap."""
    ends = np.concatenate([[0.0], bounds[:-1, 1]])
    return bool((bounds[:, 1] > bounds[:, 0]).all() and (np.abs(bounds[:, 0] - ends) < TOUCHING).all())


def onto_layers(
    values: np.ndarray, depth: np.ndarray, bounds: np.ndarray | None, thickness: Sequence[float], amount: bool
) -> np.ndarray:
    """A quantity of the soil on the layers of a model: an amount, as that of water, conserved where the source tells
    its layers; else linear in depth.

    Args:
        values: (m, ...).
        depth: (m,) middles of the source's layers, m.
        bounds: (m, 2) their tops and bottoms, m; None where they are not told.
        thickness: (n,) of the model's layers, m.
        amount: whether the values are contents, whose sum over depth counts.
    """
    if amount and bounds is not None and touch(bounds):
        return means_onto_layers(values, bounds, thickness)
    return profile_onto_layers(values, depth, thickness)
