"""Pressure and mass quantities the core derives from its state."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array, lax

from kaiseki.core.constants import CP_DRY, CV_DRY
from kaiseki.forecast.dynamics.metrics import Metrics

GAMMA = CP_DRY / CV_DRY


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Derived:
    """Fields derived from the state: mass (h a rho), theta (density potential temperature), p_prime (Pa), stiffness (dp
    / d(h a rho theta)); (z, y, x) each."""

    mass: Array
    theta: Array
    p_prime: Array
    stiffness: Array


def derive(drho: Array, drt: Array, metrics: Metrics) -> Derived:
    """Pressure perturbation from p = p_ref (1 + x)^gamma, x the relative perturbation of rho theta; accurate in
    float32."""
    mass = metrics.volume * metrics.rho_ref + drho
    volume_rt = metrics.volume * metrics.rt_ref
    x = drt / volume_rt
    p_prime = lax.optimization_barrier(metrics.p_ref * jnp.expm1(GAMMA * jnp.log1p(x)))
    pressure = metrics.p_ref + p_prime
    rt = volume_rt + drt
    theta, stiffness = lax.optimization_barrier((rt / mass, GAMMA * pressure / rt))
    return Derived(mass=mass, theta=theta, p_prime=p_prime, stiffness=stiffness)
