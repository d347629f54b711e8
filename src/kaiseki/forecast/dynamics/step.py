"""One long step: three-stage Runge-Kutta (Wicker and Skamarock 2002) around the acoustic sub-steps."""

from __future__ import annotations

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

from kaiseki.forecast.dynamics.acoustic import (
    AcousticStage,
    Deviation,
    Slow,
    acoustic_substeps_of_stage,
    factorise,
    theta_on_faces,
)
from kaiseki.forecast.dynamics.advection import koren, upwind3
from kaiseki.forecast.dynamics.edges import close, extend
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.dynamics.tendencies import (
    Prognostic,
    diffusion,
    exact_gradient,
    slow_tendencies,
    transport,
    winds,
)
from kaiseki.forecast.dynamics.thermo import derive
from kaiseki.forecast.state import State


def damping_factor(metrics: Metrics, p: DynamicsParameters, tau: Array) -> Array:
    """Implicit Rayleigh factor 1 / (1 + tau nu(z)) on the interfaces, nu = rate sin^2 below the model top (Klemp et al.
    2008, eq. 17)."""
    model_top = metrics.z_half[-1:]
    depth = jnp.clip((metrics.z_half - (model_top - p.damping_depth)) / p.damping_depth, 0.0, 1.0)
    return 1.0 / (1.0 + tau * p.damping_rate * jnp.sin(0.5 * jnp.pi * depth) ** 2)


def dynamics_step(
    state: State,
    forcing: Slow | None,
    water_forcing: Array | None,
    metrics: Metrics,
    p: DynamicsParameters,
    sign: Array | float = 1.0,
) -> State:
    """Advance the dry dynamics and the water categories by one long step.

    Args:
        state: the state at the start of the step.
        forcing: tendencies of the physics, held fixed (shapes of the state's fields; rates per second); None for none.
        water_forcing: d(h a rho q)/dt of each water category, (q, z, y, x); None for none.
        sign: +1, or -1 to integrate towards the past (without forcing, by the caller's choice), with every numerical
            damping still damping. A traced value, so that one compiled step serves both.
    """
    edges = p.edges
    smooth = partial(upwind3, sign=sign)
    tracers = smooth if p.tracer_advection == "smooth" else partial(koren, sign=sign)
    start = derive(state.drho, state.drt, metrics)
    gradient = exact_gradient(start.p_prime, metrics, edges)
    held = None
    if p.momentum_diffusion > 0.0:
        u, v = winds(state.ru, state.rv, start.mass, metrics, edges)
        fu, fv = diffusion(u, v, start.mass, metrics, sign * p.momentum_diffusion / (p.diffusion_time or p.dt), edges)
        held = lax.optimization_barrier((close(fu, -1, edges), close(fv, -2, edges)))
    old_water = state.water * start.mass

    def stage(carry: Prognostic, count: Array | int, length: Array) -> Prognostic:
        ru, rv, rw, drho, drt, water = carry
        derived = derive(drho, drt, metrics)
        slow, omega = slow_tendencies(carry, derived, gradient, metrics, p, smooth)
        if held is not None:
            slow = dataclasses.replace(slow, ru=slow.ru + held[0], rv=slow.rv + held[1])
        if forcing is not None:
            slow = jax.tree.map(jnp.add, slow, forcing)
        slow = lax.optimization_barrier(slow)
        first = state.drt - drt
        deviation = Deviation(state.ru - ru, state.rv - rv, state.rw - rw, state.drho - drho, first, first)

        tau = length / count
        damping = damping_factor(metrics, p, jnp.abs(tau))
        implicit = factorise(derived.stiffness, derived.theta, metrics, tau, p.off_centring)
        held_fixed = AcousticStage(slow, implicit, *theta_on_faces(derived.theta, p.edges), damping, rw, tau)

        d, (mean_u, mean_v, mean_w) = acoustic_substeps_of_stage(deviation, held_fixed, metrics, count, p)
        flux = lax.optimization_barrier((ru + mean_u, rv + mean_v, omega + mean_w))
        new_drho, new_drt = drho + d.drho, drt + d.drt
        new_mass = metrics.volume * metrics.rho_ref + new_drho

        def carried(arguments: tuple[Array, ...]) -> Array:
            q, old, *source = arguments
            flow = transport(extend(q, edges, 2, 2, 2), flux, metrics.spacing, tracers)
            return (old + length * (sum(source) - flow)) / new_mass

        given = () if water_forcing is None else (water_forcing,)
        new_water = lax.map(carried, (water, old_water, *given))
        return Prognostic(ru + d.ru, rv + d.rv, rw + d.rw, new_drho, new_drt, new_water)

    carry = Prognostic(state.ru, state.rv, state.rw, state.drho, state.drt, state.water)
    lengths = sign * p.dt / jnp.asarray([3.0, 2.0, 1.0], state.drho.dtype)
    if p.reversible:
        for count, length in zip(p.substeps, lengths, strict=True):
            carry = jax.checkpoint(stage, static_argnums=1)(carry, count, length)
    else:  # one compiled stage serves all three
        counts = jnp.asarray(p.substeps, jnp.int32)
        carry, _ = lax.scan(lambda c, which: (stage(c, *which), None), carry, (counts, lengths))
    ru, rv, rw, drho, drt, water = carry
    time = state.time + jnp.asarray(jnp.round(sign * p.dt), dtype=state.time.dtype)
    return dataclasses.replace(state, ru=ru, rv=rv, rw=rw, drho=drho, drt=drt, water=water, time=time)


def no_forcing(state: State) -> tuple[Slow, Array]:
    """Physics tendencies of zero."""
    zeros = jax.tree.map(jnp.zeros_like, Slow(state.ru, state.rv, state.rw, state.drho, state.drt))
    return zeros, jnp.zeros_like(state.water)
