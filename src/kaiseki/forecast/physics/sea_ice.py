"""Sea ice of given cover and thickness: its albedo, and its temperature under an energy balance of its own.

The ice is a few layers over water at its freezing point, whose heat reaches the skin by conduction (as in the IFS:
Documentation, Part IV, chapter 8). Heat that would warm the skin over the melting point melts ice, which changes
neither cover nor thickness: these are the driving data's.
"""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from jax import Array

from kaiseki.config.physics import SeaIce
from kaiseki.core.constants import FREEZING
from kaiseki.forecast.physics.diffusion import diffuse
from kaiseki.forecast.physics.surface import FREEZING_SEA, Surface

WATER_CAPACITY = 1e30
"""Heat capacity of the water under the ice, J m-2 K-1: so large that its temperature stays."""


def ice_albedo(skin: Array, p: SeaIce) -> Array:
    """Albedo of sea ice with a skin temperature (K)."""
    warmth = jnp.clip(1.0 - (FREEZING - skin) / p.albedo_range, 0.0, 1.0)
    return p.cold_albedo + warmth * (p.melting_albedo - p.cold_albedo)


def warm_ice(surface: Surface, balance: Array, damping: Array, dt: float, p: SeaIce) -> Surface:
    """Surface after one step of the energy balance of its ice.

    Args:
        surface: before the step.
        balance: net downward energy flux at the present skin temperature of the ice, W m-2.
        damping: its decrease per K of skin temperature, W m-2 K-1 (thermal emission).
        dt: s.
        p: constants.
    """
    t = surface.ice_temperature
    # The water is one more layer.
    column = jnp.concatenate([t, jnp.full_like(t[:1], FREEZING_SEA)])
    thickness = jnp.asarray(p.thickness, t.dtype)
    apart = jnp.concatenate([0.5 * (thickness[1:] + thickness[:-1]), 0.5 * thickness[-1:]])
    mass = jnp.concatenate([p.heat_capacity * thickness, jnp.full_like(thickness[:1], WATER_CAPACITY)])
    conductance = jnp.broadcast_to((p.conductivity / apart)[:, None, None], t.shape)
    mass = jnp.broadcast_to(mass[:, None, None], column.shape)
    (change,), _ = diffuse((column,), mass, conductance, dt, ((damping, balance + damping * t[0]),))
    warmed = jnp.minimum(t + change[:-1], FREEZING)
    return dataclasses.replace(surface, ice_temperature=jnp.where(surface.ice > 0.0, warmed, FREEZING_SEA))
