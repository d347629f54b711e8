"""Warm rain: budgets to round-off, saturation, fall speed and rates against the published formulas."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from idealised.atmospheres import columns
from kaiseki.config.physics import WarmRain
from kaiseki.core.constants import CP_DRY, LATENT_VAPORISATION
from kaiseki.diagnostics import saturation
from kaiseki.forecast.physics.columns import Columns, Water
from kaiseki.forecast.physics.warm_rain import condensation, fall_speed, warm_rain

P = WarmRain()
step = jax.jit(warm_rain, static_argnums=(1, 2))


def rainy(dtype: type = np.float64, n: int = 16) -> Columns:
    """Columns (z, 1, n) of a summer atmosphere with clouds and rain, some of it negative."""
    r = np.random.default_rng(5)
    base = jax.tree.map(lambda a: jnp.repeat(a, n, axis=2), columns("summer", dtype=dtype))
    shape = base.dry.shape
    saturated = saturation.mixing_ratio(saturation.over_water(base.temperature), base.pressure)
    some = [
        jnp.asarray((1e-3 * r.exponential(size=shape) * (r.uniform(size=shape) > 0.5) - 2e-6).astype(dtype))
        for _ in range(2)
    ]
    zero = jnp.zeros(shape, dtype)
    rv = jnp.asarray(r.uniform(0.4, 1.1, shape).astype(dtype)) * saturated
    return dataclasses.replace(base, water=Water(rv, *some, zero, zero))


@pytest.mark.parametrize("dt", [5.0, 60.0])
def test_water_and_enthalpy_to_round_off(x64: None, dt: float) -> None:
    c = rainy()
    t, w, rain = step(c, dt, P)
    before, after = (jnp.sum(c.dry * a.total(), axis=0) for a in (c.water, w))
    np.testing.assert_allclose(after + rain, before, rtol=1e-13)
    energy = [
        jnp.sum(c.dry * (CP_DRY * a + LATENT_VAPORISATION * b.rv), axis=0)
        for a, b in ((c.temperature, c.water), (t, w))
    ]
    np.testing.assert_allclose(energy[1], energy[0], rtol=1e-13)
    assert min(float(part.min()) for part in w.parts()) >= 0.0
    assert float(rain.max()) > 1e-3


def test_clouds_are_saturated_and_clear_air_has_none(x64: None) -> None:
    c = rainy()
    t, rv, rc = condensation(c.temperature, c.pressure, c.water.rv, jnp.maximum(c.water.rc, 0.0))
    saturated = saturation.mixing_ratio(saturation.over_water(t), c.pressure)
    np.testing.assert_allclose(jnp.where(rc > 0.0, rv / saturated, 1.0), 1.0, atol=2e-5)
    assert float(jnp.max(rv / saturated)) < 1.0 + 2e-5
    assert bool(jnp.any(rc == 0.0))


def test_rates_of_klemp_and_wilhelmson(x64: None) -> None:
    """In a acoustic sub-step the changes are the published rates, written here in their own units (g/cm3, hPa)."""
    c = columns("summer", dtype=np.float64)
    k, dt = 3, 0.01
    saturated = saturation.mixing_ratio(saturation.over_water(c.temperature), c.pressure)
    zero = jnp.zeros_like(saturated)
    rc, rr = zero.at[k].set(2e-3), zero.at[k].set(1e-3)
    _, w, _ = step(dataclasses.replace(c, water=Water(saturated, rc, rr, zero, zero)), dt, P)
    falling = float(fall_speed(c.density[k] * 1e-3, c.density[0] / c.density[k], P)[0, 0])
    grams, thinner = 1e-3 * float(c.density[k, 0, 0]) * 1e-3, float(c.density[0, 0, 0] / c.density[k, 0, 0])
    assert falling == pytest.approx(36.34 * grams**0.1364 * thinner**0.5)
    assert 4.0 < falling < 8.0
    collected = 1e-3 * (2e-3 - 1e-3) + 2.2 * 2e-3 * 1e-3**0.875
    assert float(rc[k, 0, 0] - w.rc[k, 0, 0]) / dt == pytest.approx(collected, rel=1e-3)

    dry = 0.6 * saturated
    _, w, _ = step(dataclasses.replace(c, water=Water(dry, zero, rr, zero, zero)), dt, P)
    rho, p, qs = 1e-3 * float(c.density[k, 0, 0]), 1e-2 * float(c.pressure[k, 0, 0]), float(saturated[k, 0, 0])
    content = rho * 1e-3
    expected = (1.0 - 0.6) * (1.6 + 124.9 * content**0.2046) * content**0.525 / (5.4e5 + 2.55e6 / (p * qs)) / rho
    assert float(w.rv[k, 0, 0] - dry[k, 0, 0]) / dt == pytest.approx(expected, rel=2e-3)


def test_derivatives_are_finite() -> None:
    c = rainy(np.float32, 4)

    def measure(t: jax.Array, w: Water) -> jax.Array:
        new, water, rain = warm_rain(dataclasses.replace(c, temperature=t, water=w), 12.0, P)
        return jnp.sum(new) + 1e3 * jnp.sum(water.total()) + jnp.sum(rain)

    gradient = jax.jit(jax.grad(measure, argnums=(0, 1)))(c.temperature, c.water)
    assert all(bool(jnp.all(jnp.isfinite(g))) for g in jax.tree.leaves(gradient))
