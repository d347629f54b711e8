"""What users see at the ground: pressures, precipitation, surface and soil, the air at 2 and 10 m."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from kaiseki.config.physics import Physics
from kaiseki.core.constants import STANDARD_LAPSE_RATE
from kaiseki.diagnostics.pressure import pressure_below, sea_level_pressure
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.forecast.convert import to_atmosphere
from kaiseki.forecast.dynamics.edges import Edges
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.physics.columns import make_columns
from kaiseki.forecast.physics.driver import Site, tiles
from kaiseki.forecast.physics.exchange import near_surface
from kaiseki.forecast.physics.surface import Surface
from kaiseki.forecast.state import State


@partial(jax.jit, static_argnames=("p", "edges"))
def surface_fields(
    state: State, metrics: Metrics, site: Site | None, p: Physics | None, edges: Edges
) -> dict[str, Array]:
    """Fields (y, x) by the names of core/variables.csv; winds at 10 m along the grid as u_10m and v_10m.

    Always: precipitation (kg m-2 since `state.begin_interval`), surface_pressure and mean_sea_level_pressure (Pa). With
        physics also skin_temperature, sst, ice_temperature (of the skin of the ice), temperature_2m (K), sea_ice
        (fraction of the sea), specific_humidity_2m, snow (kg m-2 of land) and (nsoil, y, x) soil_temperature,
        soil_moisture.
    """
    air = to_atmosphere(state, metrics, edges)
    depth = metrics.z[0] - metrics.z_half[0]
    tv = virtual_temperature(air.temperature[0], air.qv[0])
    pressure = pressure_below(air.pressure[0], tv, depth)
    at_ground = tv + STANDARD_LAPSE_RATE * depth
    fields = {
        "precipitation": state.precipitation,
        "surface_pressure": pressure,
        "mean_sea_level_pressure": sea_level_pressure(pressure, at_ground, metrics.z_half[0]),
    }
    surface = state.surface
    if p is None or site is None or not isinstance(surface, Surface):
        return fields
    columns = make_columns(state, metrics, edges)
    f = site.land_fraction
    parts = [(share, near_surface(tile, columns)) for share, tile in tiles(columns, surface, p).shares(f, surface.ice)]
    none = jnp.zeros_like(f)
    wind, t_2m, q_2m = (sum((share * kind[n] for share, kind in parts), none) for n in range(3))
    return fields | {
        "skin_temperature": surface.skin_temperature(f),
        "sst": surface.sst,
        "sea_ice": surface.ice,
        "ice_temperature": surface.ice_temperature[0],
        "soil_temperature": surface.soil_temperature,
        "soil_moisture": surface.soil_moisture,
        "snow": surface.snow,
        "temperature_2m": t_2m,
        "specific_humidity_2m": q_2m,
        "u_10m": wind * columns.u[0],
        "v_10m": wind * columns.v[0],
    }
