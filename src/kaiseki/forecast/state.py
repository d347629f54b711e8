"""The model's prognostic state in flux form, as a pytree."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
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
    precipitation: (y, x) kg m-2 that reached the ground since `begin_interval`
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


def begin_interval(state: State) -> State:
    """The state with nothing accumulated, as at the start of an interval of output.

    Sums stay short: in single precision 1500 kg m-2 and a step's drizzle of 5e-5 kg m-2 are 1500 kg m-2. Also for
    members and patches, whose arrays have leading axes.
    """
    return dataclasses.replace(state, precipitation=jnp.zeros_like(state.precipitation))
