"""Bulk exchange of momentum, heat and moisture between the lowest level and land or sea, and what stands 2 and 10 m
above them.

Stability functions of Louis, Tiedtke and Geleyn (1982, ECMWF workshop on boundary-layer parameterization, 59-79) on the
bulk Richardson number; sea roughness after Charnock with the smooth limit (Smith 1988, J. Geophys. Res. 93,
15467-15472); profiles below the lowest level after Geleyn (1988, Tellus 40A, 347-351).
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from kaiseki.config.physics import Soil, SurfaceExchange
from kaiseki.core.constants import CP_DRY, EPSILON, GRAVITY, VON_KARMAN
from kaiseki.diagnostics import saturation
from kaiseki.forecast.physics.columns import Columns, ground_pressure


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Tile:
    """Exchange over one kind of surface, (y, x) each.

    momentum, heat: density times transfer coefficient times wind speed, kg m-2 s-1; moisture: the same times the
        availability of water; temperature: K,
    ratio: saturated mixing ratio at the surface; drag, transfer: coefficients; rough_momentum, rough_heat: lengths, m.
    """

    momentum: Array
    heat: Array
    moisture: Array
    temperature: Array
    ratio: Array
    drag: Array
    transfer: Array
    rough_momentum: Array
    rough_heat: Array


def coefficients(
    richardson: Array, height: Array, rough_momentum: Array, rough_heat: Array, b: float
) -> tuple[Array, Array]:
    """Transfer coefficients of momentum and heat between a height (m) and the ground, from the bulk Richardson number
    between them."""
    log_m, log_h = jnp.log(height / rough_momentum), jnp.log(height / rough_heat)
    neutral_m, neutral_h = (VON_KARMAN / log_m) ** 2, VON_KARMAN**2 / (log_m * log_h)
    stable = jnp.maximum(richardson, 0.0)
    root = jnp.sqrt(1.0 + b * stable)
    unstable = jnp.minimum(richardson, 0.0)
    # The small number keeps the derivative of the root finite in neutral air.
    free = jnp.sqrt(1e-8 - unstable * height / rough_momentum)
    m = 1.0 / (1.0 + 2.0 * b * stable / root) - 2.0 * b * unstable / (1.0 + 3.0 * b * b * neutral_m * free)
    h = 1.0 / (1.0 + 3.0 * b * stable * root) - 3.0 * b * unstable / (1.0 + 3.0 * b * b * neutral_h * free)
    return neutral_m * m, neutral_h * h


def sea_roughness(wind: Array, height: Array, p: SurfaceExchange) -> tuple[Array, Array]:
    """Roughness lengths (m) of momentum and heat over sea for the wind (m/s) at a height (m), by fixed-point iteration
    in neutral air."""
    friction = 0.035 * wind
    rough = jnp.zeros_like(wind)
    for _ in range(4):
        rough = p.charnock * friction**2 / GRAVITY + p.smooth_momentum * p.viscosity / friction
        friction = VON_KARMAN * wind / jnp.log(height / rough)
    return rough, p.smooth_heat * p.viscosity / friction


def wind_speed(columns: Columns, p: SurfaceExchange) -> Array:
    """Wind at the lowest level with gusts, m/s."""
    return jnp.sqrt(columns.u[0] ** 2 + columns.v[0] ** 2 + p.least_wind**2)


def _tile(
    columns: Columns,
    temperature: Array,
    ratio: Array,
    available: Array,
    rough_m: Array,
    rough_h: Array,
    p: SurfaceExchange,
) -> Tile:
    z, rv = columns.height[0], columns.water.rv[0]
    wind = wind_speed(columns, p)
    virtual = 1.0 / EPSILON - 1.0
    ground = temperature * (1.0 + virtual * (rv + available * (ratio - rv)))
    air = (columns.temperature[0] + GRAVITY / CP_DRY * z) * (1.0 + virtual * rv)
    richardson = GRAVITY * z * (air - ground) / (air * wind**2)
    drag, transfer = coefficients(richardson, z, rough_m, rough_h, p.stability)
    flow = columns.density[0] * wind
    return Tile(
        flow * drag, flow * transfer, flow * transfer * available, temperature, ratio, drag, transfer, rough_m, rough_h
    )


def land_tile(columns: Columns, skin: Array, moisture: Array, snow: Array, p: SurfaceExchange, soil: Soil) -> Tile:
    """Exchange over land with the skin temperature (K), moisture of the top layer and snow (kg m-2)."""
    ratio = saturation.mixing_ratio(saturation.saturation_vapour_pressure(skin), ground_pressure(columns))
    cover = snow / (snow + soil.snow_cover)
    wet = jnp.clip((moisture - soil.wilting_point) / (soil.field_capacity - soil.wilting_point), 0.0, 1.0)
    available = jnp.where(ratio > columns.water.rv[0], cover + (1.0 - cover) * wet, 1.0)  # dew is not limited
    rough = jnp.full_like(skin, p.land_roughness)
    return _tile(columns, skin, ratio, available, rough, rough / p.land_heat_ratio, p)


def sea_tile(columns: Columns, sst: Array, p: SurfaceExchange) -> Tile:
    """Exchange over the sea with its temperature (K)."""
    ratio = saturation.mixing_ratio(p.salt * saturation.over_water(sst), ground_pressure(columns))
    rough_m, rough_h = sea_roughness(wind_speed(columns, p), columns.height[0], p)
    return _tile(columns, sst, ratio, jnp.ones_like(sst), rough_m, rough_h, p)


def ice_tile(columns: Columns, skin: Array, roughness: float, p: SurfaceExchange) -> Tile:
    """Exchange over sea ice with its skin temperature (K) and roughness length (m) of momentum, heat and moisture."""
    ratio = saturation.mixing_ratio(saturation.saturation_vapour_pressure(skin), ground_pressure(columns))
    rough = jnp.full_like(skin, roughness)
    return _tile(columns, skin, ratio, jnp.ones_like(skin), rough, rough, p)


def profile_share(height: float, level: Array, rough: Array, root: Array) -> Array:
    """Share (x(height) - x(ground)) / (x(level) - x(ground)) of the profile below the lowest level.

    Args:
        height: above the ground, m.
        level: of the lowest level above the ground, m.
        rough: roughness length, m.
        root: VON_KARMAN / sqrt(drag) for wind, VON_KARMAN sqrt(drag) / transfer for heat; ln(level / rough) when
            neutral (Geleyn 1988, equations 9 to 11).
    """
    neutral = jnp.log(level / rough)
    fraction = jnp.minimum(height / level, 1.0)
    log = jnp.log1p(fraction * jnp.expm1(neutral))
    stable = log - fraction * (neutral - root)
    unstable = log - jnp.log1p(fraction * jnp.expm1(jnp.maximum(neutral - root, 0.0)))
    return jnp.where(root > neutral, stable, unstable) / root


def near_surface(tile: Tile, columns: Columns) -> tuple[Array, Array, Array]:
    """Factor on the lowest level's wind at 10 m; temperature (K) and specific humidity at 2 m."""
    z = columns.height[0]
    wind = profile_share(10.0, z, tile.rough_momentum, VON_KARMAN / jnp.sqrt(tile.drag))
    share = profile_share(2.0, z, tile.rough_heat, VON_KARMAN * jnp.sqrt(tile.drag) / tile.transfer)
    lift = GRAVITY / CP_DRY
    temperature = tile.temperature + share * (columns.temperature[0] + lift * z - tile.temperature) - lift * 2.0
    rv = columns.water.rv[0]
    surface = rv + tile.moisture / tile.heat * (tile.ratio - rv)
    ratio = surface + share * (rv - surface)
    return wind, temperature, ratio / (1.0 + ratio)
