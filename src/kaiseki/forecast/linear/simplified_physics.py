"""Physics of the linear model: vertical mixing and surface drag with coefficients that a small change leaves as they
are, and condensation that sets in smoothly and takes its time.

Full physics has thresholds, and a derivative at a threshold says nothing about changes of the size of an analysis
increment (Mahfouf 1999, Tellus 51A, 147-166; Janiskova, Thepaut and Geleyn 1999, Mon. Wea. Rev. 127, 26-45). Radiation,
clouds and the ground are left out; heat from the ground does not act on what the model is linearised about, it only
damps changes over the sea, whose surface does not follow the air.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from kaiseki.config.physics import BoundaryLayer
from kaiseki.core.constants import (
    CP_DRY,
    EPSILON,
    GRAVITY,
    LATENT_FUSION,
    LATENT_VAPORISATION,
    R_DRY,
    VON_KARMAN,
)
from kaiseki.diagnostics import saturation as vapour_pressure
from kaiseki.forecast.dynamics.acoustic import Slow
from kaiseki.forecast.dynamics.edges import OPEN, close
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.operators import to_faces
from kaiseki.forecast.physics.boundary_layer import conductance, local_diffusivities, mix
from kaiseki.forecast.physics.columns import Columns, falling, heat_change, make_columns, momentum_of_water
from kaiseki.forecast.physics.microphysics import equilibrium_temperature
from kaiseki.forecast.state import State


@dataclass(frozen=True)
class RegularPhysics:
    """Constants of the linear model's physics, of our own choice where no source is named; hashable."""

    land_roughness: float = 0.2
    """Roughness length of land, m."""
    sea_roughness: float = 2.0e-4
    """Roughness length of the sea, m (WMO-No. 8, open sea)."""
    depth: float = 1500.0
    """Depth of the layer mixed from the ground, m."""
    gust: float = 1.0
    """Least wind speed at the ground, m/s."""
    width: float = 0.05
    """Half of the range over which humidity is spread within a cell, in units of the saturation humidity: nothing
    condenses below a relative humidity of one less this."""
    condensation_time: float = 900.0
    """Time in which what is above saturation condenses, s: short against the window, as the forecast model saturates at
    once, and not below two of the longest steps, which then resolve it."""
    condensation: bool = True
    mixing: bool = True


def regular_physics(state: State, land: Array, metrics: Metrics, p: RegularPhysics, dt: float) -> tuple[Slow, Array]:
    """Tendencies of mixing and condensation for a step of dt (s); land (y, x) is the fraction of land.

    Returns:
        forcing of the dynamics and of the water, as `driver.tendencies` gives them.
    """
    columns = make_columns(state, metrics)
    zero = jnp.zeros_like(columns.dry)
    du, dv, warming, vapour = _mixing(columns, land, p, dt) if p.mixing else (zero, zero, zero, zero)
    if p.condensation:
        heated, rain = condensation(columns.temperature + warming, columns.water.rv + vapour, columns.pressure, p, dt)
        warming, vapour = warming + heated, vapour - rain
    mass = metrics.volume * metrics.rho_ref + state.drho
    carried = momentum_of_water(state.ru, state.rv, mass, falling(columns.dry, vapour), metrics, OPEN)
    fu = close((to_faces(mass * du, -1, OPEN) * metrics.map_u + carried[0]) / dt, -1, OPEN)
    fv = close((to_faces(mass * dv, -2, OPEN) * metrics.map_v + carried[1]) / dt, -2, OPEN)
    wet = columns.dry * metrics.area / dt * vapour
    slow = Slow(fu, fv, jnp.zeros_like(state.rw), wet, heat_change(columns, warming, vapour) * metrics.area / dt)
    none = [jnp.zeros_like(wet)] * (state.water.shape[0] - 1)
    return slow, jnp.stack([wet, *none])


def _mixing(columns: Columns, land: Array, p: RegularPhysics, dt: float) -> tuple[Array, ...]:
    """Changes (z, y, x) of u, v, temperature and the vapour's mixing ratio."""
    held = jax.lax.stop_gradient(columns)
    boundary_layer = BoundaryLayer()
    z0 = land * p.land_roughness + (1.0 - land) * p.sea_roughness
    transfer = (VON_KARMAN / jnp.log(held.height[0] / z0)) ** 2
    speed = jnp.sqrt(held.u[0] ** 2 + held.v[0] ** 2 + p.gust**2)
    z = held.height[:-1] + 0.5 * held.thickness[:-1]
    # Over the sea, in winter warmer than the air, the layer is mixed; over land the local stability decides.
    stirred = VON_KARMAN * jnp.sqrt(transfer) * speed * z * (1.0 - jnp.clip(z / p.depth, 0.0, 1.0)) ** 2
    momentum, heat = (
        conductance(held, jnp.maximum(k, (1.0 - land) * stirred), boundary_layer)
        for k in local_diffusivities(held, boundary_layer)
    )
    exchange = held.density[0] * transfer * speed
    sea = (1.0 - land) * exchange
    energy = held.temperature[0] + GRAVITY / CP_DRY * held.height[0]
    (du, dv, warming, vapour, *_), _ = mix(
        columns, momentum, heat, dt, exchange, (sea, sea * energy), (sea, sea * held.water.rv[0])
    )
    return du, dv, warming, vapour


def condensation(t: Array, rv: Array, pressure: Array, p: RegularPhysics, dt: float) -> tuple[Array, Array]:
    """Warming (K) and vapour (kg per kg of dry air) that condenses in dt (s) and falls out, at constant pressure.

    The excess s over the vapour of the saturated state with the same enthalpy falls as ds/dt = -E(s) / time, where E is
    the mean of what is above saturation when humidity is spread evenly between s - W and s + W: nothing below -W, then
    (s + W)^2 / 4 W, from W on s. The even spread is that of Le Treut and Li (1991, Clim. Dyn. 5, 175-187) and of the
    linear cloud scheme of Tompkins and Janiskova (2004, Q. J. R. Meteorol. Soc. 130, 2495-2517), where it condenses at
    once; the relaxation is ours. Neither the saturated state nor W changes on the way, so the exact solution is used,
    and two half steps are one step. With no width and no time it is the forecast model's saturation adjustment of
    cloudless air. Cloud does not evaporate, as the linear model carries none.
    """
    none = jnp.zeros_like(rv)
    saturated_t = equilibrium_temperature(t, pressure, rv, none, none)
    saturated = vapour_pressure.mixing_ratio(vapour_pressure.saturation_vapour_pressure(saturated_t), pressure)
    latent = LATENT_VAPORISATION + LATENT_FUSION * (1.0 - vapour_pressure.liquid_fraction(saturated_t))
    # Of a change of vapour alone, what condenses: the rest stays because the air has warmed.
    share = 1.0 / (1.0 + latent**2 * saturated * (EPSILON + saturated) / (CP_DRY * R_DRY * saturated_t**2))
    width = p.width * share * saturated
    excess = (rv - saturated) / width

    steps = dt / p.condensation_time
    high = jnp.maximum(excess, 1.0)  # exponential decay down to 1, which takes log(high)
    first = jnp.minimum(steps, jnp.log(high))
    low = jnp.clip(excess + 1.0, 0.0, 2.0)  # then dy/dt = -y^2 / 4
    fall = 0.25 * low * (steps - first)
    rain = width * (low * fall / (1.0 + fall) - high * jnp.expm1(-first))
    return latent / CP_DRY * rain, rain
