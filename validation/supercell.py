"""A splitting supercell: the sounding of Weisman and Klemp (1982, Mon. Wea. Rev. 110, 504-520) and a quarter-circle
hodograph, warm rain, 128 x 128 x 48 cells of 2 km x 400 m.

    python -m validation.supercell

The case is the one that two other models ran on the same grid: CM1 21.1 and SCALE-RM 5.5.5, both with Kessler's warm
rain, have an updraught of 36 m/s at 30 to 60 minutes. Set-up as in CM1's own supercell: a bubble of 1 K, 10 km wide and
1.4 km high; wind turning through a quarter circle of 7 m/s up to 2 km, then increasing to 31 m/s at 6 km.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from scipy.integrate import cumulative_trapezoid

from kaiseki.core.constants import CP_DRY, GRAVITY, KAPPA, P0
from kaiseki.diagnostics import saturation
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.model import Model
from kaiseki.forecast.physics.parameters import PhysicsParameters
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.state import State
from kaiseki.grid.plane import plane

EPOCH = np.datetime64("2000-01-01T00:00", "s")
TROPOPAUSE, TROPOPAUSE_THETA, TROPOPAUSE_TEMPERATURE = 12000.0, 343.0, 213.0
GROUND_THETA, MOISTEST = 300.0, 0.014
MOTION = (12.5, 3.0)
"""Motion of the frame, m/s: the storms stay in the domain."""


def sounding(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Temperature (K), pressure (Pa) and mixing ratio of vapour at heights z (m): Weisman and Klemp (1982), eqs. 1
    and 2."""
    fine = np.arange(0.0, 25000.0, 10.0)
    below = fine <= TROPOPAUSE
    theta = np.where(
        below,
        GROUND_THETA + (TROPOPAUSE_THETA - GROUND_THETA) * (fine / TROPOPAUSE) ** 1.25,
        TROPOPAUSE_THETA * np.exp(GRAVITY / (CP_DRY * TROPOPAUSE_TEMPERATURE) * (fine - TROPOPAUSE)),
    )
    humidity = np.where(below, 1.0 - 0.75 * (fine / TROPOPAUSE) ** 1.25, 0.25)
    vapour = np.zeros_like(fine)
    for _ in range(30):  # vapour and the weight of the column above depend on each other
        theta_v = theta * (1.0 + 0.61 * vapour)
        exner = 1.0 - cumulative_trapezoid(GRAVITY / (CP_DRY * theta_v), fine, initial=0.0)
        pressure = P0 * exner ** (1.0 / KAPPA)
        saturated = saturation.mixing_ratio(saturation.over_water(theta * exner), pressure)
        vapour = np.minimum(humidity * saturated, MOISTEST)
    return tuple(np.interp(z, fine, a) for a in (theta * exner, pressure, vapour))  # type: ignore[return-value]


def wind(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wind relative to the moving frame (m/s)."""
    turn = 0.5 * np.pi * np.minimum(z, 2000.0) / 2000.0
    u = 7.0 * (1.0 - np.cos(turn)) + 24.0 * np.clip((z - 2000.0) / 4000.0, 0.0, 1.0)
    return u - MOTION[0], 7.0 * np.sin(turn) - MOTION[1]


def storm(
    n: int = 128, nz: int = 48, spacing: float = 2000.0, depth: float = 400.0, dt: float = 12.0, warmth: float = 1.0
) -> tuple[Model, State]:
    """The model and its start.

    Args:
        n, nz: cells along x and y, and levels.
        spacing, depth: of the cells, m.
        dt: long step, s.
        warmth: of the bubble, K.
    """
    domain = plane(np.zeros((n, n)), np.arange(nz + 1) * depth, spacing)
    z = domain.z
    temperature, pressure, vapour = sounding(z)
    x = (np.arange(n) - 0.5 * (n - 1)) * spacing
    radius = np.sqrt(((z - 1400.0) / 1400.0) ** 2 + (x[:, None] ** 2 + x[None, :] ** 2) / 1e8)
    bubble = warmth * np.cos(0.5 * np.pi * np.minimum(radius, 1.0)) ** 2
    u, v = wind(z)
    fields = {
        "u": u,
        "v": v,
        "temperature": temperature + bubble * (pressure / P0) ** KAPPA,
        "pressure": pressure,
        "qv": vapour / (1.0 + vapour),
    }
    reference = ReferenceProfile.fit(z[:, 0, 0], temperature[:, 0, 0] * (1 + 0.61 * vapour[:, 0, 0]), pressure[:, 0, 0])
    parameters = DynamicsParameters(
        dt=dt, acoustic_substeps=4, lateral="periodic", damping_depth=5000.0, damping_rate=0.05
    )
    physics = PhysicsParameters(warm_rain=True, boundary_layer=False, surface=False, radiation=False, soil=False)
    model = Model.make(domain, reference, parameters, physics, EPOCH)
    return model, model.start(fields)


@dataclass(frozen=True)
class Story:
    """What happened, at every output time: seconds, largest updraught (m/s), rain at the ground (kg m-2, largest), and
    the updraught at 5 km (m/s, the last (y, x))."""

    seconds: list[float]
    updraught: list[float]
    rain: list[float]
    middle: np.ndarray
    total_rain: np.ndarray
    wall: float


def run(model: Model, state: State, seconds: float, every: float = 300.0) -> Story:
    """Run and look every so often; `wall` is the time spent in the model, compilation not included."""
    model.advance(state, None, model.parameters.dt)
    times, updraught, rain, wall = [], [], [], 0.0
    w = np.zeros(1)
    for k in range(round(seconds / every)):
        begun = time.perf_counter()
        state = model.advance(state, None, every)
        state.ru.block_until_ready()
        wall += time.perf_counter() - begun
        w = np.asarray(state.rw) / np.interp(
            model.domain.z_half, model.domain.z[:, 0, 0], np.asarray(model.metrics.rho_ref)[:, 0, 0]
        )
        times.append((k + 1) * every)
        updraught.append(float(w.max()))
        rain.append(float(state.precipitation.max()))
        print(f"{times[-1]:6.0f} s  updraught {updraught[-1]:5.1f} m/s, rain {rain[-1]:5.1f} kg m-2", flush=True)
    level = int(np.argmin(np.abs(model.domain.z_half[:, 0, 0] - 5000.0)))
    return Story(times, updraught, rain, w[level], np.asarray(state.precipitation), wall)
