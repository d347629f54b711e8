"""Heat and moisture of the ground, snow upon it: implicit diffusion between a few layers under the surface's energy
balance."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from jax import Array

from kaiseki.config.physics import Soil
from kaiseki.core.constants import FREEZING, LATENT_FUSION, WATER_DENSITY
from kaiseki.forecast.physics.diffusion import diffuse
from kaiseki.forecast.physics.surface import Surface


def _column(values: tuple[float, ...], like: Array) -> Array:
    return jnp.broadcast_to(jnp.asarray(values, like.dtype)[:, None, None], like.shape)


def snow_cover(snow: Array, p: Soil) -> Array:
    """Share of the land covered by snow (kg m-2)."""
    return snow / (snow + p.snow_cover)


def warm_and_dry(surface: Surface, balance: Array, damping: Array, evaporation: Array, dt: float, p: Soil) -> Surface:
    """Ground after one step of its energy balance, evaporation and melting.

    Args:
        balance: net downward energy flux at the present skin temperature, W m-2, heat of evaporation included.
        damping: its decrease per K of skin temperature, W m-2 K-1 (thermal emission).
        evaporation: kg m-2 s-1 of land, from snow where it covers and from the top layer elsewhere.
    """
    t, w, thickness = surface.soil_temperature, surface.soil_moisture, _column(p.thickness, surface.soil_temperature)
    apart = 0.5 * (thickness[1:] + thickness[:-1])
    blanket = surface.snow / (p.snow_ground_density * p.snow_conductivity)
    resistance = (apart / p.conductivity).at[0].add(blanket)
    capacity = p.heat_capacity * thickness
    (dt_soil,), _ = diffuse((t,), capacity, 1.0 / resistance, dt, ((damping, balance + damping * t[0]),))
    t = t + dt_soil

    cover = snow_cover(surface.snow, p)
    snow = jnp.maximum(surface.snow - dt * cover * evaporation, 0.0)
    melt = jnp.clip(capacity[0] / LATENT_FUSION * (t[0] - FREEZING), 0.0, snow)
    t, snow = t.at[0].add(-LATENT_FUSION / capacity[0] * melt), snow - melt

    water = WATER_DENSITY * thickness
    (dw,), _ = diffuse(
        (w,),
        water,
        WATER_DENSITY * p.moisture_diffusivity / apart,
        dt,
        ((jnp.zeros_like(melt), melt / dt - (1.0 - cover) * evaporation),),
    )
    w = jnp.clip(w + dw, 0.0, p.porosity)
    return dataclasses.replace(surface, soil_temperature=t, soil_moisture=w, snow=snow)


def receive(surface: Surface, rain: Array, snow: Array, p: Soil) -> Surface:
    """Ground after rain and snow (kg m-2) have fallen; what the top layer cannot hold runs off."""
    top = jnp.minimum(surface.soil_moisture[0] + rain / (WATER_DENSITY * p.thickness[0]), p.porosity)
    moisture = surface.soil_moisture.at[0].set(jnp.maximum(top, surface.soil_moisture[0]))
    return dataclasses.replace(surface, soil_moisture=moisture, snow=surface.snow + snow)
