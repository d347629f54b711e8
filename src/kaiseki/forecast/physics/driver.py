"""One call of the physics per long step: tendencies for the dynamics before it, clouds and precipitation after it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from kaiseki.config.physics import Physics
from kaiseki.core.constants import CP_DRY, GRAVITY, LATENT_FUSION, LATENT_VAPORISATION, STEFAN_BOLTZMANN
from kaiseki.forecast.dynamics.acoustic import Slow
from kaiseki.forecast.dynamics.edges import OPEN, Edges, close
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.operators import to_faces
from kaiseki.forecast.physics.boundary_layer import (
    conductance,
    level_two_diffusivities,
    local_diffusivities,
    mix,
    profile_diffusivities,
)
from kaiseki.forecast.physics.columns import (
    Columns,
    falling,
    heat_change,
    make_columns,
    momentum_after_fall,
    momentum_of_water,
    specific_contents,
)
from kaiseki.forecast.physics.exchange import Tile, ice_tile, land_tile, sea_tile, wind_speed
from kaiseki.forecast.physics.microphysics import microphysics
from kaiseki.forecast.physics.radiation import solar, thermal
from kaiseki.forecast.physics.sea_ice import ice_albedo, warm_ice
from kaiseki.forecast.physics.soil import receive, snow_cover, warm_and_dry
from kaiseki.forecast.physics.sun import SunClock, cosine_of_zenith, sun_clock
from kaiseki.forecast.physics.surface import Radiative, Surface
from kaiseki.forecast.physics.warm_rain import warm_rain
from kaiseki.forecast.state import State
from kaiseki.grid.domain import Domain


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Site:
    """What the physics must know of the place and the start of the run: lat, lon (radians), land_fraction, (y, x) each;
    the sun's clock."""

    lat: Array
    lon: Array
    land_fraction: Array
    clock: SunClock


def make_site(domain: Domain, epoch: np.datetime64, dtype: type = np.float32) -> Site:
    """Site of a Domain for a run whose time 0 is `epoch` (UTC)."""
    lat, lon = (jnp.asarray(np.deg2rad(a).astype(dtype)) for a in (domain.lat, domain.lon))
    return Site(lat, lon, jnp.asarray(domain.land_fraction.astype(dtype)), sun_clock(epoch, dtype))


@dataclass(frozen=True)
class Tiles:
    """Exchange over each kind of surface of the cells; `ice` is None in a model without."""

    land: Tile
    water: Tile
    ice: Tile | None

    def shares(self, land_fraction: Array, cover: Array) -> tuple[tuple[Array, Tile], ...]:
        """Share (y, x) of the cells and exchange of every kind, of the land fraction and the cover of sea by ice."""
        sea = 1.0 - land_fraction
        if self.ice is None:
            return (land_fraction, self.land), (sea, self.water)
        return (land_fraction, self.land), (sea * (1.0 - cover), self.water), (sea * cover, self.ice)


def tiles(columns: Columns, surface: Surface, p: Physics) -> Tiles:
    """Exchange over the land, the open water and the ice of every cell."""
    s = p.schemes
    land = land_tile(columns, surface.soil_temperature[0], surface.soil_moisture[0], surface.snow, s.surface, s.soil)
    water = sea_tile(columns, surface.sst, s.surface)
    ice = ice_tile(columns, surface.ice_temperature[0], s.sea_ice.roughness, s.surface) if p.sea_ice else None
    return Tiles(land, water, ice)


def _land_albedo(surface: Surface, p: Physics) -> Array:
    cover = snow_cover(surface.snow, p.schemes.soil)
    return p.schemes.radiation.land_albedo + cover * (p.schemes.radiation.snow_albedo - p.schemes.radiation.land_albedo)


def _radiation(columns: Columns, surface: Surface, site: Site, time: Array, p: Physics) -> Radiative:
    """Radiative fluxes, new if the last ones are older than the interval (or from another time altogether)."""
    r = p.schemes.radiation

    def over_sea(water: Array | float, ice: Array) -> Array | float:
        return (1.0 - surface.ice) * water + surface.ice * ice if p.sea_ice else water

    def renew(held: Radiative) -> Radiative:
        f, ice = site.land_fraction, surface.ice_temperature[0]
        radiating = f * surface.soil_temperature[0] ** 4 + (1.0 - f) * over_sea(surface.sst**4, ice**4)
        emission = r.emissivity * STEFAN_BOLTZMANN * radiating
        # The downward flux that the ground reflects is small and taken from the last call.
        emission = emission + (1.0 - r.emissivity) * held.longwave
        heating, longwave, _ = thermal(columns, emission, r)
        seconds = time + round(0.5 * p.radiation_interval)
        cosine, distance = cosine_of_zenith(site.clock, seconds, site.lat, site.lon)
        albedo = f * _land_albedo(surface, p)
        albedo = albedo + (1.0 - f) * over_sea(r.sea_albedo, ice_albedo(ice, p.schemes.sea_ice))
        sunny, shortwave = solar(columns, cosine, distance, albedo, r)
        return Radiative(heating + sunny, shortwave, longwave, time)

    age = jnp.abs(time - surface.radiative.time)
    return lax.cond(age >= round(p.radiation_interval), renew, lambda held: held, surface.radiative)


def _ground(surface: Surface, tile: Tile, air: tuple[Array, Array], dt: float, p: Physics) -> Surface:
    """The ground after a step of its energy balance with the air's new T + g z / cp (K) and vapour at the lowest
    level."""
    evaporation = tile.moisture * (tile.ratio - air[1])
    latent = LATENT_VAPORISATION + LATENT_FUSION * snow_cover(surface.snow, p.schemes.soil)
    balance, damping = _energy_balance(surface, tile, air, latent, _land_albedo(surface, p), p)
    return warm_and_dry(surface, balance, damping, evaporation, dt, p.schemes.soil)


def _ice(surface: Surface, tile: Tile, air: tuple[Array, Array], dt: float, p: Physics) -> Surface:
    """The ice after a step of its energy balance; arguments as for `_ground`."""
    albedo = ice_albedo(tile.temperature, p.schemes.sea_ice)
    latent = jnp.full_like(tile.temperature, LATENT_VAPORISATION + LATENT_FUSION)
    balance, damping = _energy_balance(surface, tile, air, latent, albedo, p)
    return warm_ice(surface, balance, damping, dt, p.schemes.sea_ice)


def _energy_balance(
    surface: Surface, tile: Tile, air: tuple[Array, Array], latent: Array, albedo: Array, p: Physics
) -> tuple[Array, Array]:
    """Net downward energy flux (W m-2) at a kind of surface, and its decrease per K of skin temperature.

    `air` as for `_ground`; `latent` is the heat (J/kg) of what evaporates.
    """
    sensible = CP_DRY * tile.heat * (tile.temperature - air[0])
    balance = -sensible - latent * (tile.moisture * (tile.ratio - air[1]))
    if not p.radiation:
        return balance, jnp.zeros_like(balance)
    r = p.schemes.radiation
    balance = balance + (1.0 - albedo) * surface.radiative.shortwave
    balance = balance + r.emissivity * (surface.radiative.longwave - STEFAN_BOLTZMANN * tile.temperature**4)
    return balance, 4.0 * r.emissivity * STEFAN_BOLTZMANN * tile.temperature**3


def tendencies(
    state: State, metrics: Metrics, site: Site, p: Physics, dt: float, edges: Edges = OPEN
) -> tuple[Slow, Array, Surface]:
    """Radiation, surface exchange, turbulence and ground from the state at the start of a step of dt (s).

    Returns:
        forcing of the dynamics (flux form, per second), of the water (d(h a rho q)/dt, (q, z, y, x)), and the surface
        after the step.
    """
    columns = make_columns(state, metrics, edges)
    surface = state.surface
    assert isinstance(surface, Surface)
    f = site.land_fraction
    zero, none = jnp.zeros_like(columns.dry), jnp.zeros_like(f)
    du = dv = dt_air = d_rv = d_rc = d_ri = zero
    drag, warmth, moisture = none, (none, none), (none, none)
    k_momentum = k_heat = zero[1:]
    kinds: Tiles | None = None
    if p.radiation:
        surface = dataclasses.replace(surface, radiative=_radiation(columns, surface, site, state.time, p))
    if p.surface:
        kinds = tiles(columns, surface, p)
        parts = kinds.shares(f, surface.ice)
        drag = sum((share * t.momentum for share, t in parts), none)
        warmth = (
            sum((share * t.heat for share, t in parts), none),
            sum((share * t.heat * t.temperature for share, t in parts), none),
        )
        moisture = (
            sum((share * t.moisture for share, t in parts), none),
            sum((share * t.moisture * t.ratio for share, t in parts), none),
        )
    if p.boundary_layer:
        closed = p.schemes.boundary_layer.closure == "level-2"
        local = level_two_diffusivities if closed else local_diffusivities
        k_momentum, k_heat = local(columns, p.schemes.boundary_layer)
        if p.surface and not closed:
            density, t0, rv0 = columns.density[0], columns.temperature[0], columns.water.rv[0]
            flux_t = (warmth[1] - warmth[0] * (t0 + GRAVITY / CP_DRY * columns.height[0])) / density
            flux_v = flux_t + 0.61 * t0 * (moisture[1] - moisture[0] * rv0) / density
            friction = jnp.sqrt(drag * wind_speed(columns, p.schemes.surface) / density)
            profile, _ = profile_diffusivities(
                columns, friction, flux_v, GRAVITY / columns.theta_v[0] * flux_v, p.schemes.boundary_layer
            )
            k_momentum, k_heat = jnp.maximum(k_momentum, profile), jnp.maximum(k_heat, profile)
        k_momentum, k_heat = (conductance(columns, k, p.schemes.boundary_layer) for k in (k_momentum, k_heat))
    if p.boundary_layer or p.surface:
        (du, dv, dt_air, d_rv, d_rc, d_ri), _ = mix(columns, k_momentum, k_heat, dt, drag, warmth, moisture)
    if kinds is not None:
        new = (columns.temperature[0] + dt_air[0] + GRAVITY / CP_DRY * columns.height[0], columns.water.rv[0] + d_rv[0])
        if p.soil:
            surface = _ground(surface, kinds.land, new, dt, p)
        if kinds.ice is not None:
            surface = _ice(surface, kinds.ice, new, dt, p)
    if p.radiation:
        dt_air = dt_air + dt * surface.radiative.heating

    scale = columns.dry * metrics.area / dt
    mass = metrics.volume * metrics.rho_ref + state.drho
    fu = to_faces(mass * du, -1, edges) * metrics.map_u / dt
    fv = to_faces(mass * dv, -2, edges) * metrics.map_v / dt
    d_rt = d_rv + d_rc + d_ri
    carried = momentum_of_water(state.ru, state.rv, mass, falling(columns.dry, d_rt), metrics, edges)
    fu, fv = fu + carried[0] / dt, fv + carried[1] / dt
    fu, fv = close(fu, -1, edges), close(fv, -2, edges)  # the outermost faces belong to the boundary
    heat = heat_change(columns, dt_air, d_rv) * metrics.area / dt
    slow = Slow(fu, fv, jnp.zeros_like(state.rw), scale * d_rt, heat)
    return slow, jnp.stack([scale * d_rv, scale * d_rc, zero, scale * d_ri, zero][: p.categories]), surface


def condense(state: State, metrics: Metrics, p: Physics, dt: float, edges: Edges = OPEN) -> State:
    """State after clouds and precipitation of a step of dt (s): water, mass, momentum and heat changed at unchanged
    pressure, precipitation added up."""
    columns = make_columns(state, metrics, edges)
    if p.warm_rain:
        temperature, water, rain = warm_rain(columns, dt, p.schemes.warm_rain)
        snow = jnp.zeros_like(rain)
    else:
        temperature, water, rain, snow = microphysics(columns, dt, p.schemes.microphysics)
    surface = state.surface
    if p.soil and isinstance(surface, Surface):
        surface = receive(surface, rain, snow, p.schemes.soil)
    change = water.total() - columns.water.total()
    ru, rv, rw = momentum_after_fall(state, metrics, falling(columns.dry, change), edges)
    return dataclasses.replace(
        state,
        ru=ru,
        rv=rv,
        rw=rw,
        drho=state.drho + metrics.area * columns.dry * change,
        drt=state.drt
        + metrics.area * heat_change(columns, temperature - columns.temperature, water.rv - columns.water.rv),
        water=specific_contents(water, p.categories),
        surface=surface,
        precipitation=state.precipitation + rain + snow,
    )
