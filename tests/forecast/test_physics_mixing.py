"""Diffusion, turbulence and surface exchange: conservation, analytic solutions, the logarithmic law, published drag."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from idealised.atmospheres import columns, interfaces
from kaiseki.config.physics import BoundaryLayer, Soil, SurfaceExchange
from kaiseki.core.constants import CP_DRY, GRAVITY, VON_KARMAN
from kaiseki.forecast.physics.boundary_layer import (
    CRITICAL_FLUX_RICHARDSON,
    boundary_layer_height,
    conductance,
    level_two,
    level_two_diffusivities,
    local_diffusivities,
    local_gradients,
    mix,
    mixing_length,
    profile_diffusivities,
)
from kaiseki.forecast.physics.columns import Columns
from kaiseki.forecast.physics.diffusion import diffuse
from kaiseki.forecast.physics.exchange import (
    coefficients,
    land_tile,
    near_surface,
    profile_share,
    sea_roughness,
    sea_tile,
)

P, E = BoundaryLayer(), SurfaceExchange()


def test_diffusion_conserves_and_solves_its_equation() -> None:
    r = np.random.default_rng(0)
    with jax.enable_x64(True):
        mass, c = r.uniform(50.0, 500.0, (12, 2, 3)), r.uniform(0.0, 5.0, (11, 2, 3))
        x, y = r.normal(size=(12, 2, 3)), r.normal(size=(12, 2, 3))
        a, b = r.uniform(0.0, 2.0, (2, 3)), r.normal(size=(2, 3))
        given = [jnp.asarray(v) for v in (x, y, mass, c, a, b)]
        (dx, dy), (fx, fy) = diffuse(
            (given[0], given[1]), given[2], given[3], 300.0, ((given[4], given[5]), (0 * given[4], 0 * given[4]))
        )
    dx, dy, fx, fy = (np.asarray(v) for v in (dx, dy, fx, fy))
    np.testing.assert_allclose(np.sum(mass * dx, axis=0), 300.0 * fx, rtol=1e-11)
    np.testing.assert_allclose(np.sum(mass * dy, axis=0), 0.0, atol=1e-10)
    np.testing.assert_allclose(fy, 0.0)
    for j in range(2):
        for i in range(3):
            k = (
                np.diag(np.append(c[:, j, i], 0.0) + np.append(0.0, c[:, j, i]))
                - np.diag(c[:, j, i], 1)
                - np.diag(c[:, j, i], -1)
            )
            k[0, 0] += a[j, i]
            source = np.zeros(12)
            source[0] = b[j, i]
            m = np.diag(mass[:, j, i])
            new = np.linalg.solve(m + 300.0 * k, m @ x[:, j, i] + 300.0 * source)
            np.testing.assert_allclose(x[:, j, i] + dx[:, j, i], new, rtol=1e-11)


def neutral(wind: float = 10.0) -> Columns:
    """A dry column of constant potential temperature up to 2 km, stable above."""
    c = columns("winter", interfaces(40, 8000.0, 20.0), wind=wind)
    adiabatic = 280.0 - GRAVITY / CP_DRY * c.height
    t = adiabatic + 0.006 * jnp.maximum(c.height - 2000.0, 0.0)
    water = dataclasses.replace(c.water, rv=jnp.zeros_like(t))
    p = 1e5 * (adiabatic / 280.0) ** 3.5
    return dataclasses.replace(c, temperature=t, water=water, pressure=p, exner=(p / 1e5) ** (2 / 7))


def test_constant_stress_gives_the_logarithmic_profile() -> None:
    """Steady wind under K = kappa u* z over a rough ground: u = u*/kappa ln(z / z0) between all levels."""
    c, friction, rough = neutral(), 0.4, 0.1
    c = dataclasses.replace(c, dry=c.thickness * 1.2)
    z = c.height[:-1] + 0.5 * c.thickness[:-1]
    k = conductance(
        c, VON_KARMAN * friction * z, dataclasses.replace(P, largest_diffusivity=1e9, background_diffusivity=0.0)
    )
    drag = 1.2 * friction * VON_KARMAN / jnp.log(c.height[0] / rough)
    stress = jnp.zeros_like(c.u).at[-1].set(1.2 * friction**2 * 300.0) / c.dry
    zero = jnp.zeros_like(drag)

    def step(_: int, u: jax.Array) -> jax.Array:
        now = dataclasses.replace(c, u=u + stress)
        return now.u + mix(now, k, k, 300.0, drag, (zero, zero), (zero, zero))[0][0]

    u = jax.jit(lambda u: jax.lax.fori_loop(0, 4000, step, u))(c.u)[:, 0, 0]
    height = np.asarray(c.height[:, 0, 0])
    expected = friction / VON_KARMAN * np.log(height / rough)
    below = height < 1000.0
    np.testing.assert_allclose(np.asarray(u)[below], expected[below], rtol=0.02)


def test_mixing_conserves_energy_and_water_and_takes_up_what_the_ground_gives() -> None:
    with jax.enable_x64(True):
        c = columns("summer", dtype=np.float64, wind=8.0)
        km, kh = (conductance(c, k, P) for k in local_diffusivities(c, P))
        heat = (jnp.full((1, 1), 0.02), jnp.full((1, 1), 0.02 * 300.0))
        vapour = (jnp.full((1, 1), 0.015), jnp.full((1, 1), 0.015 * 0.02))
        (du, _, dt, drv, _, _), (ft, fv) = mix(c, km, kh, 300.0, jnp.full((1, 1), 0.03), heat, vapour)
        np.testing.assert_allclose(jnp.sum(c.dry * dt), 300.0 * ft[0, 0], rtol=1e-11)
        np.testing.assert_allclose(jnp.sum(c.dry * drv), 300.0 * fv[0, 0], rtol=1e-11)
        assert float(fv[0, 0]) > 0.0
        air = c.dry * (1.0 + c.water.total())
        np.testing.assert_allclose(jnp.sum(air * du), -300.0 * 0.03 * (c.u + du)[0, 0, 0], rtol=1e-11)


def test_convective_boundary_layer_reaches_its_inversion_and_stable_air_hardly_mixes() -> None:
    c = neutral()
    h = boundary_layer_height(c, jnp.full((1, 1), 0.5), P)
    assert 1900.0 < float(h[0, 0]) < 2400.0
    k, _ = profile_diffusivities(
        c, jnp.full((1, 1), 0.3), jnp.full((1, 1), 0.1), jnp.full((1, 1), 0.1 * GRAVITY / 280.0), P
    )
    peak = int(jnp.argmax(k[:, 0, 0]))
    assert 0.2 < float(c.height[peak, 0, 0]) / float(h[0, 0]) < 0.5
    assert 50.0 < float(k.max()) < 1000.0
    stable = dataclasses.replace(c, temperature=c.temperature + 0.01 * c.height)
    assert float(local_diffusivities(stable, P)[1].max()) < 0.05
    assert float(profile_diffusivities(c, jnp.ones((1, 1)), -jnp.ones((1, 1)), -jnp.ones((1, 1)), P)[0].max()) == 0.0


LEVEL_TWO = dataclasses.replace(P, closure="level-2")


def test_level_two_is_the_published_closure() -> None:
    """Constants of Nakanishi and Niino (2009): B1 = 24, turbulent Prandtl number 0.74 in neutral air, critical flux
    Richardson number 0.3; production by shear and buoyancy equal to the dissipation q^3 / (B1 l) at any stability."""
    with jax.enable_x64(True):
        richardson = jnp.concatenate([-jnp.logspace(3, -4, 60), jnp.zeros(1), jnp.logspace(-4, 3, 60)])
        momentum, heat = (np.asarray(s) for s in level_two(richardson))
        richardson = np.asarray(richardson)
    neutral = int(np.flatnonzero(richardson == 0.0)[0])
    assert momentum[neutral] == pytest.approx(24.0 ** (-1 / 3), rel=1e-12)
    assert momentum[neutral] / heat[neutral] == pytest.approx(0.74, rel=1e-12)
    assert pytest.approx(0.3, abs=0.005) == CRITICAL_FLUX_RICHARDSON
    assert np.all(np.diff(momentum) <= 1e-12)
    assert np.all(np.diff(heat) <= 1e-12)
    assert np.all(momentum[richardson > 2.0] == 0.0)
    # Flux Richardson number: buoyancy's part of what shear produces; never beyond its critical value.
    turbulent = momentum > 0.0
    flux = richardson[turbulent] * heat[turbulent] / momentum[turbulent]
    assert flux.max() <= CRITICAL_FLUX_RICHARDSON
    assert np.all(np.diff(flux) > 0.0)


def test_level_two_follows_the_logarithmic_law_in_neutral_air_and_balances_its_energy() -> None:
    with jax.enable_x64(True):
        c = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), neutral())
        height = c.height
        c = dataclasses.replace(c, u=0.4 / VON_KARMAN * jnp.log(height / 0.1))
        # Just neutral: the same potential temperature everywhere.
        c = dataclasses.replace(c, temperature=280.0 * c.exner)
        momentum, heat = level_two_diffusivities(c, dataclasses.replace(LEVEL_TWO, mixing_length=1e9, free_length=1e9))
        z = (c.height[:-1] + 0.5 * c.thickness[:-1])[:, 0, 0]
        # Differences of a logarithm over a layer are not its derivative in the lowest ones.
        high = np.asarray(z) > 300.0
        np.testing.assert_allclose(momentum[:, 0, 0][high], (0.4 * VON_KARMAN * z)[high], rtol=0.03)
        np.testing.assert_allclose(heat[:, 0, 0][high], (0.4 * VON_KARMAN * z)[high] / 0.74, rtol=0.03)

        stirred = columns("winter", dtype=np.float64, wind=12.0)
        stirred = dataclasses.replace(stirred, u=stirred.u + 3e-2 * stirred.height)
        momentum, heat = level_two_diffusivities(stirred, LEVEL_TWO)
        shear2, stratification = local_gradients(stirred)
        s_m, _ = level_two(stratification / shear2)
        production = momentum * shear2 - heat * stratification
        speed_length = jnp.where(s_m > 0.0, momentum / jnp.where(s_m > 0.0, s_m, 1.0), 0.0)  # l q
        length = mixing_length(stirred, P.mixing_length, P)
        dissipation = (speed_length / length) ** 3 / (24.0 * length)
        alive = np.asarray(s_m)[:, 0, 0] > 0.05
        assert alive.sum() > 3
        np.testing.assert_allclose(production[:, 0, 0][alive], dissipation[:, 0, 0][alive], rtol=1e-6)


def test_level_two_mixes_convective_air_without_shear_and_leaves_very_stable_air_alone() -> None:
    c = neutral(0.0)
    unstable = dataclasses.replace(c, u=0.0 * c.u, v=0.0 * c.v, temperature=c.temperature - 1e-3 * c.height)
    below = np.asarray(c.height[1:, 0, 0]) < 2000.0
    _, heat = level_two_diffusivities(unstable, LEVEL_TWO)
    # Without shear S_H is 3 A2 gamma1 / Rfc with A2 = 0.665, gamma1 = 0.235, Rfc = 0.298, and q^2 = B1 l^2 S_H |N^2|.
    _, stratification = local_gradients(unstable)
    length = mixing_length(unstable, P.mixing_length, P)
    limit = 24.0**0.5 * (3.0 * 0.665 * 0.235 / 0.298) ** 1.5
    free = limit * length**2 * jnp.sqrt(jnp.maximum(-stratification, 0.0))
    np.testing.assert_allclose(heat[:, 0, 0][below], free[:, 0, 0][below], rtol=0.02)
    assert float(heat[:, 0, 0][below].max()) > 100.0
    stable = dataclasses.replace(c, temperature=c.temperature + 0.02 * c.height)
    assert float(level_two_diffusivities(stable, LEVEL_TWO)[1].max()) < 0.05
    gradient = jax.grad(
        lambda x: jnp.sum(level_two_diffusivities(dataclasses.replace(c, temperature=c.temperature + x), LEVEL_TWO)[1])
    )(1e-3 * c.height)
    assert bool(jnp.all(jnp.isfinite(gradient)))


def test_neutral_transfer_coefficients_and_stability() -> None:
    one = jnp.ones(())
    drag, transfer = coefficients(0.0 * one, 10.0 * one, 0.1 * one, 0.01 * one, 5.0)
    assert float(drag) == pytest.approx((0.4 / np.log(100.0)) ** 2, rel=1e-3)
    assert float(transfer) == pytest.approx(0.16 / np.log(100.0) / np.log(1000.0), rel=1e-3)
    ri = jnp.asarray([-1.0, -0.1, 0.0, 0.1, 1.0])
    m, h = coefficients(ri, 10.0 * one, 0.1 * one, 0.01 * one, 5.0)
    assert bool(jnp.all(jnp.diff(m) < 0.0))
    assert bool(jnp.all(jnp.diff(h) < 0.0))
    gradient = jax.grad(lambda x: sum(coefficients(x, 10.0 * one, 0.1 * one, 0.01 * one, 5.0)))(0.0 * one)
    assert np.isfinite(float(gradient))


@pytest.mark.parametrize(
    ("wind", "low", "high"), [(5.0, 0.9e-3, 1.3e-3), (10.0, 1.2e-3, 1.6e-3), (20.0, 1.8e-3, 2.4e-3)]
)
def test_sea_drag_lies_in_the_range_of_measurements(wind: float, low: float, high: float) -> None:
    """Ranges of Smith (1980, 1988), Large and Pond (1981) and Yelland et al. (1998) at 10 m."""
    u, z = jnp.asarray(wind), jnp.asarray(10.0)
    rough, _ = sea_roughness(u, z, E)
    drag = (VON_KARMAN / np.log(10.0 / float(rough))) ** 2
    assert low < drag < high
    friction = np.sqrt(drag) * wind
    assert float(rough) == pytest.approx(0.018 * friction**2 / GRAVITY + 0.11 * 1.5e-5 / friction, rel=0.02)


def test_wind_at_ten_metres_follows_the_logarithm_in_neutral_air() -> None:
    level, rough = jnp.asarray(36.0), jnp.asarray(0.05)
    share = float(profile_share(10.0, level, rough, jnp.log(level / rough)))
    assert share == pytest.approx(np.log(10.0 / 0.05) / np.log(36.0 / 0.05), rel=2e-3)
    assert float(profile_share(36.0, level, rough, jnp.log(level / rough))) == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("skin", [262.0, 272.0, 290.0])
def test_screen_temperature_lies_between_ground_and_air(skin: float) -> None:
    c = columns("winter", wind=6.0)
    soil = jnp.full((1, 1), 0.3)
    for tile in (
        land_tile(c, jnp.full((1, 1), skin), soil, 0 * soil, E, Soil()),
        sea_tile(c, jnp.full((1, 1), skin), E),
    ):
        wind, t, q = near_surface(tile, c)
        ends = sorted((skin, float(c.temperature[0, 0, 0]) + 0.35))
        assert ends[0] - 0.05 <= float(t[0, 0]) <= ends[1] + 0.05
        assert 0.5 < float(wind[0, 0]) < 1.0
        assert 0.0 < float(q[0, 0]) < 0.02


def test_sensible_heat_over_the_warm_sea_is_of_the_observed_size() -> None:
    """Cold-air outbreak: 10 m/s, sea 12 K warmer than air: 150 to 300 W m-2 by the bulk formula with 1.1 to 2e-3."""
    c = columns("winter", wind=10.0)
    tile = sea_tile(c, jnp.full((1, 1), 284.0), E)
    flux = (
        CP_DRY
        * float(tile.heat[0, 0])
        * (284.0 - float(c.temperature[0, 0, 0]) - GRAVITY / CP_DRY * float(c.height[0, 0, 0]))
    )
    assert 130.0 < flux < 320.0


def test_derivatives_are_finite() -> None:
    c = columns("winter")  # no wind at all

    def measure(u: jax.Array, t: jax.Array) -> jax.Array:
        x = dataclasses.replace(c, u=u, temperature=t)
        tile = sea_tile(x, jnp.full((1, 1), 280.0), E)
        km, kh = local_diffusivities(x, P)
        k, _ = profile_diffusivities(x, jnp.sqrt(tile.momentum), tile.heat, tile.heat * 0.03, P)
        pair = (tile.heat, tile.heat * 280.0)
        changes, _ = mix(x, conductance(x, km + k, P), conductance(x, kh + k, P), 300.0, tile.momentum, pair, pair)
        return sum(jnp.sum(change**2) for change in changes) + near_surface(tile, x)[1][0, 0]

    gradient = jax.jit(jax.grad(measure, argnums=(0, 1)))(c.u, c.temperature)
    assert all(bool(jnp.all(jnp.isfinite(g))) for g in gradient)
