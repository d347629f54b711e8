"""The atmosphere and the surface as everybody outside the model sees them: unstaggered, primitive variables."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax

type ArrayLike = Any
"""A NumPy or a JAX array."""

WATER = ("qv", "qc", "qr", "qi", "qs")
"""Water categories: vapour, cloud liquid, rain, cloud ice, snow; specific contents (kg per kg of total air)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Atmosphere:
    """Fields at cell centres, shape (z, y, x) each.

    u, v: wind along the grid's x and y (m/s, grid-relative); w: vertical velocity (m/s, of the interfaces' average);
    temperature (K); pressure (Pa); qv, qc, qr, qi, qs: specific contents (kg/kg).
    """

    u: ArrayLike
    v: ArrayLike
    w: ArrayLike
    temperature: ArrayLike
    pressure: ArrayLike
    qv: ArrayLike
    qc: ArrayLike
    qr: ArrayLike
    qi: ArrayLike
    qs: ArrayLike

    def as_dict(self) -> dict[str, ArrayLike]:
        """The fields by name, without copying."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @classmethod
    def from_dict(cls, fields: dict[str, ArrayLike]) -> Atmosphere:
        """Build from a mapping; water categories that are absent are zero, as is w."""
        zero = fields["temperature"] * 0
        return cls(**{f.name: fields.get(f.name, zero) for f in dataclasses.fields(cls)})
