"""Microphysics: budgets to round-off, saturation, fall speeds, and its place in the model's variables."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from idealised.atmospheres import columns, interfaces
from kaiseki.config.physics import Autoconversion, Microphysics
from kaiseki.core.constants import CP_DRY, LATENT_FUSION, LATENT_VAPORISATION
from kaiseki.diagnostics import saturation
from kaiseki.forecast.physics.columns import Columns, Water
from kaiseki.forecast.physics.microphysics import (
    arriving_speed,
    autoconversion,
    fall_speed,
    microphysics,
    saturation_adjustment,
)

P = Microphysics()
step = jax.jit(microphysics, static_argnums=(1, 2))


def stormy(seed: int, dtype: type, n: int = 24) -> Columns:
    """Columns (z, 1, n) of a winter atmosphere full of all kinds of water, some of it negative."""
    r = np.random.default_rng(seed)
    base = columns("summer" if seed % 2 else "winter", dtype=dtype)
    base = jax.tree.map(lambda a: jnp.repeat(a, n, axis=2), base)
    shape = base.dry.shape
    share = r.uniform(0.2, 1.4, shape).astype(dtype)
    saturated = saturation.mixing_ratio(saturation.saturation_vapour_pressure(base.temperature), base.pressure)

    def some(size: float) -> jax.Array:
        a = size * r.exponential(size=shape) * (r.uniform(size=shape) > 0.6) - 0.01 * size * (
            r.uniform(size=shape) > 0.8
        )
        return jnp.asarray(a.astype(dtype)) * jnp.minimum(1.0, saturated / 1e-3)

    return dataclasses.replace(base, water=Water(share * saturated, some(5e-4), some(5e-4), some(2e-4), some(5e-4)))


def energy(c: Columns, t: jax.Array, w: Water) -> jax.Array:
    return c.dry * (CP_DRY * t + LATENT_VAPORISATION * w.rv - LATENT_FUSION * (w.ri + w.rs))


@pytest.mark.parametrize("scheme", ["khairoutdinov-kogan", "kessler"])
@pytest.mark.parametrize("dt", [20.0, 300.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_water_and_energy_of_a_column_to_round_off(seed: int, dt: float, scheme: Autoconversion) -> None:
    with jax.enable_x64(True):
        c = stormy(seed, np.float64)
        t, w, rain, snow = step(c, dt, dataclasses.replace(P, autoconversion=scheme))
        before, after = jnp.sum(c.dry * c.water.total(), axis=0), jnp.sum(c.dry * w.total(), axis=0)
        np.testing.assert_allclose(after + rain + snow, before, rtol=1e-13)
        assert float(jnp.min(rain)) >= 0.0
        assert float(jnp.max(rain + snow)) > 0.01
        before, after = jnp.sum(energy(c, c.temperature, c.water), axis=0), jnp.sum(energy(c, t, w), axis=0)
        np.testing.assert_allclose(after - LATENT_FUSION * snow, before, rtol=1e-13)
        assert float(jnp.max(jnp.abs(t - c.temperature))) > 0.1


def test_autoconversion_follows_the_published_rates() -> None:
    """Khairoutdinov and Kogan (2000, eq. 29): 1350 qc^2.47 N^-1.79 s-1; Kessler (1969): 1e-3 s-1 of what exceeds the
    threshold, here 1 g/kg as of Klemp and Wilhelmson (1978)."""
    content = jnp.asarray([1e-4, 5e-4, 9.9e-4, 1.5e-3, 4e-3])
    powers = 1350.0 * content**2.47 * 100.0**-1.79
    np.testing.assert_allclose(content * autoconversion(content, P), powers, rtol=1e-5)
    kessler = content * autoconversion(content, dataclasses.replace(P, autoconversion="kessler"))
    np.testing.assert_allclose(kessler, [0.0, 0.0, 0.0, 0.5e-6, 3e-6], rtol=1e-5)


def test_a_thin_cloud_drizzles_by_powers_and_not_below_the_threshold() -> None:
    c = columns("summer")
    saturated = saturation.mixing_ratio(saturation.saturation_vapour_pressure(c.temperature), c.pressure)
    warm = c.temperature > 280.0
    none = jnp.zeros_like(saturated)
    cloud = dataclasses.replace(c, water=Water(saturated, jnp.where(warm, 3e-4, 0.0), none, none, none))
    rain = {}
    for scheme in ("khairoutdinov-kogan", "kessler"):
        _, w, ground, _ = step(cloud, 300.0, dataclasses.replace(P, autoconversion=scheme))
        rain[scheme] = float(jnp.sum(jnp.where(warm, c.dry * w.rr, 0.0)) + jnp.sum(ground))
    assert rain["khairoutdinov-kogan"] > 1e-4
    assert rain["kessler"] < 1e-6


def test_nothing_is_negative_and_clouds_are_saturated() -> None:
    c = stormy(1, np.float32)
    t, w, _, _ = step(c, 300.0, P)
    assert min(float(part.min()) for part in w.parts()) >= -1e-9
    assert bool(jnp.all(jnp.isfinite(t)))
    again = step(dataclasses.replace(c, temperature=t, water=w), 300.0, P)[1]
    assert float(jnp.max(again.rv)) < 0.03


def test_saturation_adjustment_against_a_root_finder() -> None:
    r = np.random.default_rng(3)
    t, p = r.uniform(215.0, 303.0, 60), r.uniform(3e4, 1e5, 60)
    rs = saturation.mixing_ratio(saturation.saturation_vapour_pressure(t), p)
    rv, rc, ri = rs * r.uniform(0.5, 1.3, 60), rs * r.uniform(0.0, 0.2, 60), rs * r.uniform(0.0, 0.2, 60)

    def water(x: float, i: int) -> tuple[float, float]:
        at = np.asarray(x)
        total = rv[i] + rc[i] + ri[i]
        vapour = min(total, float(saturation.mixing_ratio(saturation.saturation_vapour_pressure(at), p[i])))
        return vapour, (1.0 - float(saturation.liquid_fraction(at))) * (total - vapour)

    def excess(x: float, i: int) -> float:
        (vapour, ice), before = water(x, i), CP_DRY * t[i] + LATENT_VAPORISATION * rv[i] - LATENT_FUSION * ri[i]
        return CP_DRY * x + LATENT_VAPORISATION * vapour - LATENT_FUSION * ice - before

    roots = np.array([brentq(excess, t[i] - 60.0, t[i] + 60.0, args=(i,), xtol=1e-10) for i in range(60)])
    expected = np.array([water(x, i) for i, x in enumerate(roots)])
    with jax.enable_x64(True):
        found, vapour, _, ice = jax.jit(saturation_adjustment)(*(jnp.asarray(a) for a in (t, p, rv, rc, ri)))
    np.testing.assert_allclose(found, roots, atol=2e-3)
    np.testing.assert_allclose(vapour, expected[:, 0], rtol=1e-3)
    np.testing.assert_allclose(ice, expected[:, 1], rtol=1e-2, atol=2e-6)


@pytest.mark.parametrize("content", [1e-5, 1e-4, 1e-3])
def test_fall_speed_is_the_mass_weighted_mean_of_the_distribution(content: float) -> None:
    slope = (math.pi * 1000.0 * P.rain_intercept / content) ** 0.25

    def moment(extra: float) -> float:
        return quad(lambda x: x ** (3.0 + extra) * math.exp(-x), 0.0, 60.0)[0]

    expected = P.rain_speed * slope**-P.rain_speed_power * moment(P.rain_speed_power) / moment(0.0)
    kind = (P.rain_speed, P.rain_speed_power, 1000.0, P.rain_intercept)
    speed = float(fall_speed(jnp.asarray(content), jnp.asarray(1.28), *kind))
    assert speed == pytest.approx(expected, rel=1e-4)
    # What arrives with the flux content * speed has the same speed.
    assert float(arriving_speed(jnp.asarray(content * speed), jnp.asarray(1.28), *kind)) == pytest.approx(
        speed, rel=1e-4
    )


def fallen(dt: float, seconds: float) -> np.ndarray:
    """Share of a layer of rain at 3 km that has reached the ground, at every step."""
    c = columns("tropical", interfaces(60, 6000.0, 100.0))
    warm = dataclasses.replace(c, temperature=jnp.full_like(c.temperature, 285.0))
    saturated = saturation.mixing_ratio(saturation.saturation_vapour_pressure(warm.temperature), warm.pressure)
    rain = jnp.where(jnp.abs(c.height - 3000.0) < 100.0, 2e-4, 0.0)
    zero = jnp.zeros_like(rain)

    def one(state: tuple[jax.Array, Water, jax.Array], _: None) -> tuple[tuple[jax.Array, Water, jax.Array], jax.Array]:
        t, w, total = state
        t, w, new, _ = microphysics(dataclasses.replace(warm, temperature=t, water=w), dt, P)
        return (t, w, total + new[0, 0]), total + new[0, 0]

    start = (warm.temperature, Water(saturated, zero, rain, zero, zero), jnp.zeros(()))
    _, sums = jax.jit(lambda s: jax.lax.scan(one, s, None, length=round(seconds / dt)))(start)
    return np.asarray(sums) / float(jnp.sum(c.dry * rain))


def test_rain_falls_at_its_speed_whatever_the_step() -> None:
    kind = (P.rain_speed, P.rain_speed_power, 1000.0, P.rain_intercept)
    short = fallen(10.0, 3600.0)
    # While it falls the layer is drawn out, so its speed lies between those of the first content and of a tenth of it.
    fast, slow = (float(fall_speed(jnp.asarray(2e-4 * share), jnp.asarray(1.0), *kind)) for share in (1.0, 0.1))
    half = 10.0 * (1 + int(np.argmax(short > 0.5)))
    assert 3000.0 / fast < half < 3000.0 / slow
    long = fallen(300.0, 3600.0)
    assert short[-1] == pytest.approx(1.0, abs=0.03)
    assert long[-1] == pytest.approx(short[-1], abs=0.05)


def test_rain_evaporates_in_dry_air_and_snow_melts_on_the_way() -> None:
    c = columns("summer")
    snow = jnp.where(jnp.abs(c.height - 5000.0) < 400.0, 1e-3, 0.0)
    saturated = saturation.mixing_ratio(saturation.saturation_vapour_pressure(c.temperature), c.pressure)

    def ground(humidity: float) -> tuple[float, float]:
        t, w = c.temperature, dataclasses.replace(c.water, rv=humidity * saturated, rs=snow)
        rain = flakes = 0.0
        for _ in range(30):
            t, w, new, white = step(dataclasses.replace(c, temperature=t, water=w), 300.0, P)
            rain, flakes = rain + float(new[0, 0]), flakes + float(white[0, 0])
        return rain, flakes

    (moist, white), (arid, _) = ground(0.95), ground(0.5)
    assert moist > 0.3 * float(jnp.sum(c.dry * snow))
    assert white < 1e-3 * moist
    assert arid < 0.5 * moist


def test_derivatives_are_finite() -> None:
    c = stormy(0, np.float32, 4)
    c = jax.tree.map(lambda a, b: jnp.concatenate([a, b], axis=2), c, columns("winter"))  # the last has no condensate

    def measure(t: jax.Array, w: Water) -> jax.Array:
        new, water, rain, snow = microphysics(dataclasses.replace(c, temperature=t, water=w), 300.0, P)
        return jnp.sum(new) + 1e3 * jnp.sum(water.total()) + jnp.sum(rain + snow)

    gradient = jax.jit(jax.grad(measure, argnums=(0, 1)))(c.temperature, c.water)
    assert all(bool(jnp.all(jnp.isfinite(g))) for g in jax.tree.leaves(gradient))
