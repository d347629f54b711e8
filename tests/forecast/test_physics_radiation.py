"""The sun's place against ephemerides, clear-sky fluxes against line-by-line results, budgets, the ground."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from idealised.atmospheres import columns
from kaiseki.config.physics import Radiation, Soil
from kaiseki.core.constants import CP_DRY, LATENT_FUSION, STEFAN_BOLTZMANN
from kaiseki.forecast.physics.radiation import solar, thermal
from kaiseki.forecast.physics.soil import receive, warm_and_dry
from kaiseki.forecast.physics.sun import cosine_of_zenith, sun_clock
from kaiseki.forecast.physics.surface import Radiative, Surface

P, S = Radiation(), Soil()
CLEAR = {
    "winter": (219.0, 231.0),
    "summer": (345.0, 285.0),
    "subarctic winter": (167.0, 199.0),
    "tropical": (394.0, 292.0),
}
"""Thermal flux (W m-2) down at the ground and up at the top, vapour, carbon dioxide and ozone: line-by-line models of
the ICRCCM (Ellingson, Ellis and Fels 1991, J. Geophys. Res. 96, 8929-8953), rounded."""


def zenith(time: str, seconds: int, lat: float, lon: float) -> float:
    clock = sun_clock(np.datetime64(time))
    cosine, _ = cosine_of_zenith(clock, jnp.asarray(seconds, jnp.int32), jnp.deg2rad(lat), jnp.deg2rad(lon))
    return float(np.rad2deg(np.arccos(float(cosine))))


def test_zenith_angle_of_the_solar_position_algorithm() -> None:
    """The example of Reda and Andreas (2004, Solar Energy 76, 577-589): 50.11162 deg, less refraction of 0.0164 deg."""
    assert zenith("2003-10-17T19:30:30", 0, 39.742476, -105.1786) == pytest.approx(50.1280, abs=0.02)


@pytest.mark.parametrize(
    ("time", "declination"),
    [("2020-06-20T21:44", 23.436), ("2020-12-21T10:02", -23.437), ("1989-03-20T15:28", 0.0), ("1989-09-23T01:20", 0.0)],
)
def test_declination_at_solstices_and_equinoxes(time: str, declination: float) -> None:
    """Instants of the seasons (USNO): at the pole the zenith angle is 90 degrees less the declination."""
    assert zenith(time, 0, 90.0, 0.0) == pytest.approx(90.0 - declination, abs=0.02)


def test_solar_noon_in_tokyo_on_new_year() -> None:
    """Transit at 11:44 JST and altitude 31.3 degrees (National Astronomical Observatory of Japan, for 1 January)."""
    minutes = np.arange(60.0)
    angles = [zenith("1989-01-01T02:00", round(60 * m), 35.6581, 139.7414) for m in minutes]
    a, b, _ = np.polyfit(minutes, angles, 2)
    assert -0.5 * b / a == pytest.approx(44.5, abs=1.5)
    assert min(angles) == pytest.approx(90.0 - 31.3, abs=0.1)


def test_the_sun_stays_on_time_in_single_precision() -> None:
    """Against a clock that is set anew in double precision, up to twenty years after the start."""
    for days in (1, 30, 300, 7300):
        late = str(np.datetime64("1989-01-01T00:00:00") + np.timedelta64(days, "D") + np.timedelta64(20017, "s"))
        assert zenith("1989-01-01T00:00:00", days * 86400 + 20017, 36.0, 140.0) == pytest.approx(
            zenith(late, 0, 36.0, 140.0), abs=0.01
        )


@pytest.mark.parametrize("name", CLEAR)
def test_clear_sky_thermal_fluxes(name: str) -> None:
    c = columns(name)
    heating, down, up = thermal(c, STEFAN_BOLTZMANN * c.temperature[0] ** 4, P)
    assert float(down[0, 0]) == pytest.approx(CLEAR[name][0], abs=8.0)
    assert float(up[0, 0]) == pytest.approx(CLEAR[name][1], abs=8.0)
    troposphere = 86400.0 * heating[(c.pressure > 3e4) & (c.pressure < 8e4)]
    # Few grey shares gather their cooling where each turns thin, so single layers of moist air reach more than twice
    # the mean.
    assert -4.0 < float(troposphere.min())
    assert float(troposphere.max()) < -0.5
    assert float(troposphere.mean()) == pytest.approx(-1.7, abs=0.6)


def test_thermal_heating_is_what_the_fluxes_lose() -> None:
    with jax.enable_x64(True):
        c = columns("winter", dtype=np.float64)
        ground = jnp.full((1, 1), 320.0)
        heating, down, up = thermal(c, ground, P)
        # Only carbon dioxide shines down through the model top, at most its share of a black body.
        gained = float(ground[0, 0] - down[0, 0] - up[0, 0])
        lid = float(jnp.sum(CP_DRY * c.dry * heating)) - gained
    assert 0.0 < lid < 0.1 * STEFAN_BOLTZMANN * 220.0**4


def test_an_isothermal_atmosphere_only_cools_to_space() -> None:
    """Over a ground of its own temperature nothing is exchanged inside, and from above it is a black body."""
    with jax.enable_x64(True):
        c = columns("winter", dtype=np.float64)
        c = dataclasses.replace(c, temperature=jnp.full_like(c.temperature, 250.0))
        black = STEFAN_BOLTZMANN * 250.0**4
        heating, down, up = thermal(c, jnp.full((1, 1), black), P)
        assert float(up[0, 0]) == pytest.approx(black, rel=1e-12)
        assert float(jnp.max(heating)) < 0.0
        assert 0.0 < float(down[0, 0]) < black


def test_solar_radiation() -> None:
    c = columns("summer")
    one = jnp.ones((1, 1))
    heating, flux = solar(c, 0.5 * one, 1.0 * one, 0.2 * one, P)
    assert 470.0 < float(flux[0, 0]) < 560.0
    assert 60.0 < CP_DRY * float(jnp.sum(c.dry * heating)) < 130.0
    night, dark = solar(c, -0.2 * one, 1.0 * one, 0.2 * one, P)
    assert float(jnp.max(jnp.abs(night))) == 0.0
    assert float(dark[0, 0]) == 0.0
    cloud = jnp.where(jnp.abs(c.height - 1000.0) < 300.0, 3e-4, 0.0)
    cloudy = dataclasses.replace(c, water=dataclasses.replace(c.water, rc=cloud))
    assert float(solar(cloudy, 0.5 * one, 1.0 * one, 0.2 * one, P)[1][0, 0]) < 0.5 * float(flux[0, 0])
    ground = 390.0 * one
    assert float(thermal(cloudy, ground, P)[1][0, 0]) > float(thermal(c, ground, P)[1][0, 0]) + 30.0


def test_derivatives_are_finite() -> None:
    c = columns("winter")
    one = jnp.ones((1, 1))

    def measure(t: jax.Array, mu: jax.Array) -> jax.Array:
        x = dataclasses.replace(c, temperature=t)
        return jnp.sum(thermal(x, 300.0 * one, P)[0]) + jnp.sum(solar(x, mu, one, 0.2 * one, P)[0])

    for mu in (-0.5, 0.0, 0.5):
        gradient = jax.grad(measure, argnums=(0, 1))(c.temperature, mu * one)
        assert all(bool(jnp.all(jnp.isfinite(g))) for g in gradient)


def ground(temperature: float, snow: float, dtype: type = np.float64) -> Surface:
    zero = jnp.zeros((1, 1), dtype)
    radiative = Radiative(jnp.zeros((3, 1, 1), dtype), zero, zero, jnp.asarray(0))
    soil = jnp.full((4, 1, 1), temperature, dtype)
    return Surface(zero, zero, soil, soil, jnp.full((4, 1, 1), 0.25, dtype), zero + snow, radiative)


@pytest.mark.parametrize(("temperature", "snow"), [(268.0, 0.0), (273.1, 0.5), (273.1, 30.0)])
def test_energy_and_water_of_the_ground_to_round_off(temperature: float, snow: float) -> None:
    with jax.enable_x64(True):
        before = ground(temperature, snow)
        flux, evaporation, dt = jnp.full((1, 1), 400.0), jnp.full((1, 1), 3e-5), 300.0
        after = warm_and_dry(before, flux, jnp.zeros((1, 1)), evaporation, dt, S)
        depth = np.asarray(S.thickness)[:, None, None]

        def energy(s: Surface) -> float:
            return float(np.sum(S.heat_capacity * depth * s.soil_temperature) - LATENT_FUSION * s.snow[0, 0])

        def water(s: Surface) -> float:
            return float(np.sum(1000.0 * depth * s.soil_moisture) + s.snow[0, 0])

        # Heat of sublimation is part of the flux; the snow that leaves takes its heat of fusion along.
        sublimated = dt * 3e-5 * snow / (snow + S.snow_cover)
        assert energy(after) - energy(before) == pytest.approx(dt * 400.0 + LATENT_FUSION * sublimated, rel=1e-6)
        assert water(after) - water(before) == pytest.approx(-dt * 3e-5, rel=1e-8)
        if snow:
            assert float(after.snow[0, 0]) < snow
        wet = receive(after, jnp.full((1, 1), 2.0), jnp.full((1, 1), 1.0), S)
        assert water(wet) - water(after) == pytest.approx(3.0, rel=1e-9)


def test_daily_wave_in_the_soil_lags_and_fades_with_depth() -> None:
    """Under a sinusoidal flux the second layer's wave is weaker and later than the first's, as in heat conduction."""
    dt = 900.0
    with jax.enable_x64(True):

        def step(s: Surface, k: jax.Array) -> tuple[Surface, jax.Array]:
            flux = 100.0 * jnp.sin(2.0 * jnp.pi * (k + 1.0) * dt / 86400.0)
            s = warm_and_dry(s, jnp.full((1, 1), flux), jnp.zeros((1, 1)), jnp.zeros((1, 1)), dt, S)
            return s, s.soil_temperature[:, 0, 0]

        _, t = jax.jit(lambda s: jax.lax.scan(step, s, jnp.arange(96.0 * 20)))(ground(290.0, 0.0))
    last = np.asarray(t)[-96:]
    wave = np.fft.rfft(last, axis=0)[1] * 2 / 96
    # Half space, conductivity 1, heat capacity 2.2e6: amplitude 100 / sqrt(1 * 2.2e6 * 2 pi / 86400) = 7.9 K at the
    # surface, exp(-z / 0.112 m) below; the layers are coarse, so only to a third.
    expected = 100.0 / np.sqrt(2.2e6 * 2 * np.pi / 86400.0) * np.exp(-np.array([0.035, 0.175]) / 0.112)
    np.testing.assert_allclose(np.abs(wave[:2]), expected, rtol=0.4)
    lag = np.angle(wave[0] / wave[1])
    assert 0.4 < lag < 1.6
