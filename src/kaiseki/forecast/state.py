"""The model's prognostic state in flux form, as a pytree."""

from __future__ import annotations

from dataclasses import dataclass

import jax
from jax import Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """Prognostic fields on the staggered grid (Arakawa C, Lorenz).

    With h the layer thickness (m), m the map factor, a = 1/m^2, rho the total density and bars for the reference
    profile:

    ru:    (z, y, x+1)   h rho u / m               kg m-1 s-1, on the west and east faces
    rv:    (z, y+1, x)   h rho v / m               kg m-1 s-1, on the south and north faces
    rw:    (z+1, y, x)   a rho w                   kg m-2 s-1, on the interfaces
    drho:  (z, y, x)     h a (rho - rho_bar)       kg m-2
    drt:   (z, y, x)     h a (rho theta_m - bar)   K kg m-2; theta_m is the density potential temperature
    water: (q, z, y, x)  specific contents in the order of `fields.WATER`, kg/kg
    surface: pytree of the land and sea surface (owned by the physics), or None without physics
    precipitation: (y, x) kg m-2 accumulated at the ground since `time` 0
    time: () int32       s since the start of the run
    """

    ru: Array
    rv: Array
    rw: Array
    drho: Array
    drt: Array
    water: Array
    surface: object
    precipitation: Array
    time: Array
