"""Regular physics of the linear model: it does what the forecast model does where that is saturated, nothing where the
air is dry, and the same whatever the length of the step."""

from __future__ import annotations

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from validation.idealised import at_rest, stretched_levels

from kaiseki.core.constants import CP_DRY, LATENT_FUSION, LATENT_VAPORISATION
from kaiseki.diagnostics import saturation
from kaiseki.diagnostics.saturation import specific_humidity_from_relative
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.thermo import derive
from kaiseki.forecast.linear.increments import ANALYSED, into_model
from kaiseki.forecast.linear.simplified_physics import RegularPhysics, condensation, regular_physics
from kaiseki.forecast.model import Model, default_parameters
from kaiseki.forecast.perturbation import Perturbation
from kaiseki.forecast.physics.columns import make_columns
from kaiseki.forecast.physics.microphysics import saturation_adjustment
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.state import State
from kaiseki.grid.plane import plane

P = RegularPhysics()
WINDOW = 10_800.0
"""s."""
REFERENCE = ReferenceProfile()


def saturated(t: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    return np.asarray(saturation.mixing_ratio(saturation.saturation_vapour_pressure(t), pressure))


def air(humidities: tuple[float, ...]) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Temperature, vapour and pressure of many kinds of air, relative humidity (of the mixing ratio) along the last
    axis."""
    t, p, rh = np.broadcast_arrays(
        np.array([300.0, 285.0, 268.0, 240.0])[:, None, None],
        np.array([95e3, 60e3])[None, :, None],
        np.array(humidities)[None, None, :],
    )
    return jnp.asarray(t), jnp.asarray(rh * saturated(t, p)), jnp.asarray(p)


def test_two_half_steps_are_one_step(x64: None) -> None:
    t, rv, pressure = air((0.9, 0.96, 0.98, 1.0, 1.04, 1.2))
    for dt in (20.0, 450.0, 3600.0):
        heat, whole = condensation(t, rv, pressure, P, dt)
        first_heat, first = condensation(t, rv, pressure, P, 0.5 * dt)
        then_heat, then = condensation(t + first_heat, rv - first, pressure, P, 0.5 * dt)
        assert float(jnp.min(whole[..., 2:])) > 0.0
        scale = saturated(t, pressure) * P.width
        np.testing.assert_allclose((first + then) / scale, whole / scale, rtol=0, atol=1e-6)
        np.testing.assert_allclose(first_heat + then_heat, heat, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unsaturated_air_neither_condenses_nor_responds(dtype: type, request: pytest.FixtureRequest) -> None:
    if dtype is np.float64:
        request.getfixturevalue("x64")
    t, rv, pressure = (jnp.asarray(a, dtype) for a in air((0.01, 0.3, 0.6, 0.8, 0.9)))
    (heat, rain), (by_heat, by_rain) = jax.jvp(
        lambda t, rv: condensation(t, rv, pressure, P, 450.0), (t, rv), (-jnp.ones_like(t), 1e-3 * jnp.ones_like(rv))
    )
    for found in (heat, rain, by_heat, by_rain):
        np.testing.assert_array_equal(np.asarray(found), 0.0)
    # Nor does the thin dry air of the stratosphere, where saturation passes all bounds.
    heat, rain = condensation(jnp.full(3, 230.0), jnp.full(3, 3e-6), jnp.array([5e3, 1e3, 100.0]), P, 450.0)
    np.testing.assert_array_equal(np.asarray(rain), 0.0)


@pytest.mark.parametrize(("t", "humidity"), [(285.0, 1.0), (285.0, 1.3), (296.0, 0.99), (262.0, 1.1), (240.0, 1.02)])
def test_against_the_differential_equation(x64: None, t: float, humidity: float) -> None:
    """Integrated in small steps, with the saturated state from a root finder and the mean of an even spread of humidity
    from its definition."""
    pressure = 85e3
    rv = humidity * float(saturated(np.array(t), np.array(pressure)))

    def saturated_state(t: float, rv: float) -> tuple[float, float, float]:
        def latent(x: float) -> float:
            return LATENT_VAPORISATION + LATENT_FUSION * (1.0 - float(saturation.liquid_fraction(np.array(x))))

        def excess(x: float) -> float:
            return CP_DRY * (x - t) - latent(x) * (rv - float(saturated(np.array(x), np.array(pressure))))

        root = brentq(excess, t - 25.0, t + 25.0, xtol=1e-12)
        return root, float(saturated(np.array(root), np.array(pressure))), latent(root)

    _, rs, latent = saturated_state(t, rv)
    # Share of a change of vapour that condenses, for the half width, by finite differences.
    small = 1e-4 * rs
    width = P.width * rs * (small - (saturated_state(t, rv + small)[1] - rs)) / small
    spread = width * (2.0 * (np.arange(200) + 0.5) / 200.0 - 1.0)

    def rate(_: float, y: np.ndarray) -> list[float]:
        excess = y[1] - saturated_state(*y)[1]
        rain = float(np.mean(np.maximum(excess + spread, 0.0))) / P.condensation_time
        return [latent / CP_DRY * rain, -rain]

    for dt in (300.0, 3000.0):
        exact = solve_ivp(rate, (0.0, dt), [t, rv], rtol=1e-7, atol=1e-10).y[:, -1]
        heat, rain = condensation(jnp.array(t), jnp.array(rv), jnp.array(pressure), P, dt)
        # Ours takes the width from Clausius and Clapeyron with one heat of vaporisation, 2 % off in warm air.
        assert float(rain) == pytest.approx(rv - exact[1], rel=0.05)
        assert float(heat) == pytest.approx(exact[0] - t, rel=0.05)


def test_in_the_limit_it_is_the_adjustment_of_the_forecast_model(x64: None) -> None:
    t, rv, pressure = air((0.5, 0.97, 0.999, 1.001, 1.05, 1.3))
    sharp = dataclasses.replace(P, width=1e-6, condensation_time=1.0)
    heat, rain = condensation(t, rv, pressure, sharp, 450.0)
    none = jnp.zeros_like(rv)
    wanted_t, wanted_rv, *_ = saturation_adjustment(t, pressure, rv, none, none)
    scale = saturated(t, pressure)
    np.testing.assert_allclose((rv - rain) / scale, wanted_rv / scale, rtol=0, atol=2e-6)
    np.testing.assert_allclose(t + heat, wanted_t, rtol=0, atol=1e-4)


def test_changes_of_saturated_air_become_over_a_window_what_the_forecast_model_makes_of_them(x64: None) -> None:
    """A window of twelve times the relaxation time leaves little of what saturation adjustment removes at once."""
    t, rv, pressure = air((1.05, 1.1, 1.2))
    none = jnp.zeros_like(rv)

    def regular(t: jax.Array, rv: jax.Array) -> tuple[jax.Array, jax.Array]:
        heat, rain = condensation(t, rv, pressure, P, WINDOW)
        return t + heat, rv - rain

    def full(t: jax.Array, rv: jax.Array) -> tuple[jax.Array, jax.Array]:
        return saturation_adjustment(t, pressure, rv, none, none)[:2]

    for moved in ((0.5 * jnp.ones_like(t), none), (none, 0.02 * rv)):
        ours, theirs = (jax.jvp(f, (t, rv), moved)[1] for f in (regular, full))
        for one, two, start in zip(ours, theirs, moved, strict=True):
            assert float(jnp.max(jnp.abs(one - two) / jnp.abs(start - two))) < 0.06


def test_heat_and_water_are_conserved(x64: None) -> None:
    t, rv, pressure = air((0.97, 1.0, 1.2))
    heat, rain = condensation(t, rv, pressure, P, 450.0)
    # Heat of vaporisation where condensate is liquid, of sublimation where it is ice.
    np.testing.assert_allclose(heat[:2], LATENT_VAPORISATION / CP_DRY * rain[:2], rtol=1e-12)
    np.testing.assert_allclose(heat[3], (LATENT_VAPORISATION + LATENT_FUSION) / CP_DRY * rain[3], rtol=1e-12)

    # In the model: the mass that goes is water, and the air is warmer by just the heat of what went.
    model, state = uniform(450.0, 1.02)
    physics = dataclasses.replace(P, mixing=False)
    slow, water = regular_physics(state, jnp.zeros(model.domain.shape[1:]), model.metrics, physics, 450.0)
    before = make_columns(state, model.metrics)
    assert float(jnp.max(-slow.drho)) > 0.0
    np.testing.assert_array_equal(np.asarray(slow.drho), np.asarray(water[0]))
    mass = derive(state.drho, state.drt, model.metrics).mass
    lost = -450.0 * slow.drho / (model.metrics.area * before.dry)
    rv = (state.water[0] * mass + 450.0 * water[0]) / (model.metrics.area * before.dry)
    # rho theta (1 + rv Rv/Rd) at unchanged pressure, see `physics.columns`.
    rt = model.metrics.volume * model.metrics.rt_ref + state.drt
    dry = before.dry * model.metrics.area
    theta = before.temperature / before.exner
    np.testing.assert_allclose(before.water.rv - lost, rv, rtol=0, atol=1e-14)
    new = (rt + 450.0 * slow.drt) / dry / (rt / dry / theta / (1.0 + before.water.rv / 0.62198) * (1.0 + rv / 0.62198))
    latent = CP_DRY * (new - theta) * before.exner / jnp.where(lost > 1e-6, lost, jnp.inf)
    warm = (before.temperature > 275.0) & (lost > 1e-6)
    assert bool(jnp.any(warm))
    np.testing.assert_allclose(latent[warm], LATENT_VAPORISATION, rtol=0.02)


def uniform(dt: float, humidity: float, wind: float = 0.0) -> tuple[Model, State]:
    """One column, repeated in every cell of a flat plane with a spacing of 90 km."""
    domain = plane(np.zeros((4, 4)), stretched_levels(12, 15000.0, 1.2), 90_000.0)
    usual = default_parameters(90_000.0, lateral="periodic")
    model = Model.make(domain, REFERENCE, dataclasses.replace(usual, time_step=dt), dtype=np.float64)
    fields = at_rest(domain, REFERENCE.temperature)
    fields["u"] = fields["u"] + wind
    fields["qv"] = specific_humidity_from_relative(humidity, fields["temperature"], fields["pressure"])
    return model, model.start(fields)


@partial(jax.jit, static_argnames=("physics", "dt"))
def grown(
    start: State, moved: Perturbation, metrics: Metrics, physics: RegularPhysics, dt: float
) -> dict[str, jax.Array]:
    """What 3 h of the physics alone, in steps of a length, make of a change of the start, in the linear model."""
    volume = metrics.volume
    land = jnp.full(volume.shape[1:], 0.5)

    def step(fields: Perturbation, _: None) -> tuple[Perturbation, None]:
        state = fields.onto(start)
        slow, water = regular_physics(state, land, metrics, physics, dt)
        drho = state.drho + dt * slow.drho
        carried = state.water * (volume * metrics.rho_ref + state.drho) + dt * water
        after = dataclasses.replace(
            fields,
            ru=state.ru + dt * slow.ru,
            rv=state.rv + dt * slow.rv,
            drho=drho,
            drt=state.drt + dt * slow.drt,
            water=carried / (volume * metrics.rho_ref + drho),
        )
        return after, None

    def run(fields: Perturbation) -> dict[str, jax.Array]:
        end = jax.lax.scan(step, fields, length=round(WINDOW / dt))[0]
        columns = make_columns(end.onto(start), metrics)
        return {"u": columns.u, "temperature": columns.temperature, "vapour": columns.water.rv}

    found: dict[str, jax.Array] = jax.jvp(run, (Perturbation.of(start),), (moved,))[1]
    return found


def after_a_window(
    dt: float, humidity: float, physics: RegularPhysics, change: dict[str, float]
) -> dict[str, np.ndarray]:
    """Profiles (z,) of what `grown` makes of a change of wind (m/s), temperature (K) or vapour (in units of its own) in
    one column."""
    model, start = uniform(dt, humidity, wind=8.0)
    zero = {name: jnp.zeros(model.domain.shape) for name in ANALYSED}
    air = model.atmosphere(start)
    given = zero | {"qv": change.get("vapour", 0.0) * jnp.asarray(air.qv)}
    given |= {name: jnp.full(model.domain.shape, change.get(name, 0.0)) for name in ("u", "temperature")}
    moved = into_model(given, start, model.metrics)
    ends = grown(start, moved, model.metrics, physics, dt)
    return {name: np.asarray(field)[:, 1, 1] for name, field in ends.items()} | {"qv": np.asarray(given["qv"])[:, 1, 1]}


@pytest.mark.parametrize(("humidity", "least", "most"), [(0.90, 0.98, 1.02), (0.98, 0.4, 0.9), (1.0, 0.3, 0.8)])
def test_the_moisture_left_after_a_window_does_not_depend_on_the_step(
    x64: None, humidity: float, least: float, most: float
) -> None:
    """One condensation per step of any length left 0.33 of an increment with 450 s and 4e-5 with 50 s at 285 K, 900
    hPa and 90 %."""
    physics = dataclasses.replace(P, mixing=False)
    long, short = (after_a_window(dt, humidity, physics, {"vapour": 0.01}) for dt in (450.0, 50.0))
    low = slice(0, 6)
    left = long["vapour"][low] / long["qv"][low]
    assert (left > least).all()
    assert (left < most).all()
    np.testing.assert_allclose(short["vapour"][low] / short["qv"][low], left, rtol=0, atol=3e-3)


@pytest.mark.parametrize("field", ["u", "temperature"])
def test_mixing_depends_little_on_the_step(x64: None, field: str) -> None:
    """Backward steps are of first order: what is left of a change in a column with drag at the ground."""
    physics = dataclasses.replace(P, condensation=False)
    long, short = (after_a_window(dt, 0.7, physics, {field: 1.0})[field] for dt in (450.0, 50.0))
    assert short[0] < 0.9
    np.testing.assert_allclose(long, short, rtol=0, atol=0.01)
