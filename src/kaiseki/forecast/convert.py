"""Conversion between the model's flux-form State and the Atmosphere of everything outside the model.

Into the model in float64 on the host, so that the perturbations are exact and the start is in the core's own discrete
hydrostatic balance; out of it in JAX, inside the compiled forecast.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array

from kaiseki.core.constants import GRAVITY, KAPPA, P0, R_DRY
from kaiseki.diagnostics.thermodynamics import density_factor
from kaiseki.forecast.dynamics.acoustic import slope_flux
from kaiseki.forecast.dynamics.edges import OPEN, Edges
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.operators import mean, to_faces
from kaiseki.forecast.dynamics.thermo import derive
from kaiseki.forecast.fields import WATER, Atmosphere
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.state import State
from kaiseki.grid.domain import Domain


def to_state(
    atmosphere: Atmosphere,
    domain: Domain,
    reference: ReferenceProfile,
    metrics: Metrics,
    time: int = 0,
    balance: bool = True,
    edges: Edges = OPEN,
    categories: int = len(WATER),
) -> State:
    """State from an Atmosphere of NumPy arrays on the Domain.

    With `balance` the pressure above the lowest level is replaced by the discrete hydrostatic one. w of the atmosphere
    is used above the ground; at the ground the flow follows the terrain. The state carries the first `categories` of
    `fields.WATER` and no surface.
    """
    f = {name: np.asarray(a, dtype=np.float64) for name, a in atmosphere.as_dict().items()}
    z_half = domain.z_half
    z, h = 0.5 * (z_half[1:] + z_half[:-1]), np.diff(z_half, axis=0)
    water = np.stack([f[name] for name in WATER[:categories]])
    factor = density_factor(water[0], water[1:].sum(axis=0))
    t_rho = f["temperature"] * factor
    p = balanced_pressure(t_rho, f["pressure"][0], z, h, reference) if balance else f["pressure"]
    rho = p / (R_DRY * t_rho)
    theta = t_rho * (P0 / p) ** KAPPA
    volume = h / domain.map_factor**2
    dtype = metrics.volume.dtype
    drho = jnp.asarray((volume * (rho - reference.density(z))).astype(dtype))
    drt = jnp.asarray(
        (volume * (rho * theta - reference.density(z) * reference.potential_temperature(z))).astype(dtype)
    )
    mass = metrics.volume * metrics.rho_ref + drho
    ru = to_faces(mass, -1, edges) * metrics.map_u * to_faces(jnp.asarray(f["u"].astype(dtype)), -1, edges)
    rv = to_faces(mass, -2, edges) * metrics.map_v * to_faces(jnp.asarray(f["v"].astype(dtype)), -2, edges)
    w_half = np.concatenate([np.zeros_like(f["w"][:1]), 0.5 * (f["w"][1:] + f["w"][:-1]), np.zeros_like(f["w"][:1])])
    rho_half = np.concatenate([rho[:1], 0.5 * (rho[1:] + rho[:-1]), rho[-1:]])
    rw = jnp.asarray((rho_half * w_half / domain.map_factor**2).astype(dtype))
    rw = rw.at[0].set(slope_flux(ru, rv, metrics)[0])
    zero = jnp.zeros(domain.terrain.shape, dtype=dtype)
    return State(
        ru, rv, rw, drho, drt, jnp.asarray(water.astype(dtype)), None, zero, jnp.asarray(time, dtype=jnp.int32)
    )


def balanced_pressure(
    t_rho: np.ndarray, lowest: np.ndarray, z: np.ndarray, h: np.ndarray, reference: ReferenceProfile
) -> np.ndarray:
    """Pressure (Pa) at cell centres z in the core's discrete hydrostatic balance, from density temperature (K) and
    pressure at the lowest centre.

    The balance is that of the vertical momentum equation: (p'[k] - p'[k-1]) / (z[k] - z[k-1]) = -g rho'_h, with rho'_h
    interpolated linearly to the interface between two layers of thickness h (m), and primes against the reference
    profile.
    """
    p_ref, rho_ref = reference.pressure(z), reference.density(z)
    p = np.empty_like(t_rho, dtype=float)
    p[0] = lowest
    prime, rho_prime = lowest - p_ref[0], lowest / (R_DRY * t_rho[0]) - rho_ref[0]
    for k in range(1, z.shape[0]):
        dz, above, rt = z[k] - z[k - 1], h[k - 1] / (h[k - 1] + h[k]), R_DRY * t_rho[k]
        explicit = prime - GRAVITY * dz * ((1.0 - above) * rho_prime + above * (p_ref[k] / rt - rho_ref[k]))
        prime = explicit / (1.0 + GRAVITY * dz * above / rt)
        p[k] = p_ref[k] + prime
        rho_prime = p[k] / rt - rho_ref[k]
    return p


def to_atmosphere(state: State, metrics: Metrics, edges: Edges = OPEN) -> Atmosphere:
    """Atmosphere at cell centres (JAX)."""
    derived = derive(state.drho, state.drt, metrics)
    p = metrics.p_ref + derived.p_prime
    rho = derived.mass / metrics.volume
    none = jnp.zeros_like(p)
    water = {name: state.water[i] if i < state.water.shape[0] else none for i, name in enumerate(WATER)}
    factor = density_factor(water["qv"], state.water[1:].sum(axis=0))
    temperature = derived.theta * (p / P0) ** KAPPA / factor
    u = mean(state.ru / (to_faces(derived.mass, -1, edges) * metrics.map_u), -1)
    v = mean(state.rv / (to_faces(derived.mass, -2, edges) * metrics.map_v), -2)
    w = 0.5 * (state.rw[1:] + state.rw[:-1]) / (metrics.area * rho)
    return Atmosphere(u=u, v=v, w=w, temperature=temperature, pressure=p, **water)


def through_faces(u: Array, v: Array) -> tuple[Array, Array]:
    """Wind increments (nz, ny, nx) at cell centres as `to_atmosphere` shows them after `add_increment`: averaged to the
    faces and back. Linear."""
    return mean(to_faces(u, -1, OPEN), -1), mean(to_faces(v, -2, OPEN), -2)


def add_increment(
    state: State, increment: dict[str, np.ndarray], domain: Domain, reference: ReferenceProfile, metrics: Metrics
) -> State:
    """State plus an analysis increment of u, v, temperature, pressure (used at the lowest level) and qv at cell
    centres.

    The pressure increment aloft is the difference of two discretely hydrostatic columns, so the vertical accelerations
    of the background are kept and no new ones are made. Wind increments are added on the faces: the background's own
    staggered wind is not smoothed.
    """
    back = {k: np.asarray(a, dtype=np.float64) for k, a in to_atmosphere(state, metrics).as_dict().items()}
    z_half = domain.z_half
    z, h = 0.5 * (z_half[1:] + z_half[:-1]), np.diff(z_half, axis=0)
    condensate = sum(back[name] for name in WATER[1:])
    qv = np.maximum(back["qv"] + increment["qv"], 0.0)
    t_old = back["temperature"] * density_factor(back["qv"], condensate)
    t_new = (back["temperature"] + increment["temperature"]) * density_factor(qv, condensate)
    p0_old, p0_new = back["pressure"][0], back["pressure"][0] + increment["pressure"][0]
    shift = balanced_pressure(t_new, p0_new, z, h, reference) - balanced_pressure(t_old, p0_old, z, h, reference)
    p_new = back["pressure"] + shift
    rho_old, rho_new = back["pressure"] / (R_DRY * t_old), p_new / (R_DRY * t_new)
    theta_old, theta_new = t_old * (P0 / back["pressure"]) ** KAPPA, t_new * (P0 / p_new) ** KAPPA
    volume = h / domain.map_factor**2
    dtype = state.drho.dtype
    drho = state.drho + jnp.asarray((volume * (rho_new - rho_old)).astype(dtype))
    drt = state.drt + jnp.asarray((volume * (rho_new * theta_new - rho_old * theta_old)).astype(dtype))
    mass_old = metrics.volume * metrics.rho_ref + state.drho
    mass_new = metrics.volume * metrics.rho_ref + drho

    def momentum(old: Array, axis: int, map_factor: Array, delta: np.ndarray) -> Array:
        before, after = to_faces(mass_old, axis, OPEN) * map_factor, to_faces(mass_new, axis, OPEN) * map_factor
        return (old / before + to_faces(jnp.asarray(delta.astype(dtype)), axis, OPEN)) * after

    ru = momentum(state.ru, -1, metrics.map_u, np.asarray(increment["u"]))
    rv = momentum(state.rv, -2, metrics.map_v, np.asarray(increment["v"]))
    water = state.water.at[0].set(jnp.asarray(qv.astype(dtype)))
    rw = state.rw.at[0].set(slope_flux(ru, rv, metrics)[0])
    return State(ru, rv, rw, drho, drt, water, state.surface, state.precipitation, state.time)
