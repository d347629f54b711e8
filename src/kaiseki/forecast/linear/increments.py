"""Conversion between increments of the variables of an analysis (wind, temperature, pressure, vapour at cell centres)
and changes of the model's own variables: linear, in JAX, with the transpose that follows.

The change of pressure is used at the lowest level; above, it follows from temperature and vapour by the derivative of
the core's discrete hydrostatic balance (`convert.balanced_pressure`), so that a balanced column stays balanced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from kaiseki.core.constants import CP_DRY, CV_DRY, GRAVITY, R_DRY, VIRTUAL
from kaiseki.diagnostics.thermodynamics import density_factor
from kaiseki.forecast.convert import to_atmosphere
from kaiseki.forecast.dynamics.acoustic import slope_flux
from kaiseki.forecast.dynamics.edges import OPEN
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.operators import to_faces
from kaiseki.forecast.fields import WATER
from kaiseki.forecast.perturbation import Perturbation
from kaiseki.forecast.state import State

ANALYSED = ("u", "v", "temperature", "pressure", "qv")
"""The fields of an increment, (z, y, x) each: m s-1 along the grid, K, Pa, kg kg-1."""


def _pressure(lowest: Array, warming: Array, t_rho: Array, p: Array, z: Array, share: Array) -> Array:
    """Change (z, y, x) of pressure for that at the lowest level and of density temperature; `share` (z-1, y, x) is the
    weight of the upper layer at an interface."""
    stiff = 1.0 / (R_DRY * t_rho)
    thinning = -p * stiff / t_rho * warming
    rise = GRAVITY * (z[1:] - z[:-1])

    def up(below: Array, row: tuple[Array, ...]) -> tuple[Array, Array]:
        dz, a, soft, thin, stiff_below, thin_below = row
        density = stiff_below * below + thin_below
        here = (below - dz * ((1.0 - a) * density + a * thin)) / (1.0 + dz * a * soft)
        return here, here

    rows = (rise, share, stiff[1:], thinning[1:], stiff[:-1], thinning[:-1])
    _, above = lax.scan(up, lowest, rows)
    return jnp.concatenate([lowest[None], above])


def into_model(change: Mapping[str, Any], state: State, metrics: Metrics) -> Perturbation:
    """Change of a state's fields for a change of `ANALYSED`; linear in it."""
    air = to_atmosphere(state, metrics)
    condensate = sum(getattr(air, name) for name in WATER[1:])
    factor = density_factor(air.qv, condensate)
    t_rho = air.temperature * factor
    warming = change["temperature"] * factor + air.temperature * VIRTUAL * change["qv"]
    h = metrics.thickness
    pressure = _pressure(change["pressure"][0], warming, t_rho, air.pressure, metrics.z, h[:-1] / (h[:-1] + h[1:]))
    rho = air.pressure / (R_DRY * t_rho)
    drho = metrics.volume * (pressure / (R_DRY * t_rho) - rho / t_rho * warming)
    # rho theta varies as p^(cv/cp).
    mass = metrics.volume * metrics.rho_ref + state.drho
    rt = metrics.volume * metrics.rt_ref + state.drt
    drt = CV_DRY / CP_DRY * rt * pressure / air.pressure

    def momentum(flux: Array, axis: int, map_factor: Array, wind: Array) -> Array:
        of_mass = to_faces(mass, axis, OPEN) * map_factor
        return to_faces(wind, axis, OPEN) * of_mass + flux / of_mass * to_faces(drho, axis, OPEN) * map_factor

    ru = momentum(state.ru, -1, metrics.map_u, change["u"])
    rv = momentum(state.rv, -2, metrics.map_v, change["v"])
    ground = slope_flux(ru, rv, metrics)[0]
    rw = jnp.zeros_like(state.rw).at[0].set(ground)
    water = jnp.zeros_like(state.water).at[0].set(change["qv"])
    return Perturbation(ru, rv, rw, drho, drt, water)


def from_model(change: Perturbation, state: State, metrics: Metrics) -> dict[str, Array]:
    """Change of `ANALYSED` for a change of a state's fields; linear in it."""

    def fields(own: Perturbation) -> dict[str, Array]:
        air = to_atmosphere(own.onto(state), metrics)
        return {name: getattr(air, name) for name in ANALYSED}

    found: dict[str, Array] = jax.jvp(fields, (Perturbation.of(state),), (change,))[1]
    return found
