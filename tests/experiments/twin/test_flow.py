"""The analytic flow: hydrostatic, balanced, and as wrong as it says when it is perturbed."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.interpolate import CubicSpline

from kaiseki.core.constants import EARTH_RADIUS, EARTH_ROTATION, GRAVITY, R_DRY, VIRTUAL
from kaiseki.experiments.twin.balance import gradient_wind
from kaiseki.experiments.twin.flow import LATITUDE, LEVELS, LONGITUDE, Flow, sea_surface_temperature

ORIGIN = np.datetime64("1989-01-01T12:00:00")
FIELDS = ("air_temperature", "eastward_wind", "northward_wind", "geopotential_height", "specific_humidity")
DEGREE = np.deg2rad(1.0) * EARTH_RADIUS
DX = DEGREE * np.cos(np.deg2rad(LATITUDE))[None, :, None]
CORIOLIS = 2 * EARTH_ROTATION * np.sin(np.deg2rad(LATITUDE))[None, :, None]
MIDLATITUDES = np.ix_(LEVELS >= 15_000.0, (LATITUDE >= 25) & (LATITUDE <= 55), (LONGITUDE >= 85) & (LONGITUDE <= 170))


@pytest.fixture(scope="module")
def flow() -> Flow:
    return Flow.drawn(1)


@pytest.fixture(scope="module")
def fields(flow: Flow) -> xr.Dataset:
    return flow.dataset(ORIGIN, ORIGIN).isel(time=0)


def rms(field: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(field))))


def d_east(field: np.ndarray) -> np.ndarray:
    return np.asarray(np.gradient(field, axis=2) / DX)


def d_north(field: np.ndarray) -> np.ndarray:
    return np.asarray(np.gradient(field, axis=1) / DEGREE)


def normal_imbalance(u: np.ndarray, v: np.ndarray, phi: np.ndarray, speed: float) -> np.ndarray:
    """Residual (m s-2) of the momentum equation of a pattern that travels eastward, across the wind."""
    metric = u * np.tan(np.deg2rad(LATITUDE))[None, :, None] / EARTH_RADIUS
    east = (u - speed) * d_east(u) + v * d_north(u) - v * metric - CORIOLIS * v + d_east(phi)
    north = (u - speed) * d_east(v) + v * d_north(v) + u * metric + CORIOLIS * u + d_north(phi)
    return (u * north - v * east) / np.maximum(np.hypot(u, v), 1.0)


def test_the_layers_are_as_thick_as_their_virtual_temperature_makes_them(fields: xr.Dataset) -> None:
    """Quadrature by spline from 1000 to 350 hPa: within 0.1 m per layer, of about 200 to 1500 m."""
    virtual = fields["air_temperature"].values * (1.0 + VIRTUAL * fields["specific_humidity"].values)
    log_p = -np.log(LEVELS)
    integral = CubicSpline(log_p, virtual).antiderivative()(log_p) * R_DRY / GRAVITY
    error = np.diff(integral, axis=0) - np.diff(fields["geopotential_height"].values, axis=0)
    assert np.abs(error[LEVELS[1:] >= 35_000.0]).max() < 0.1
    # The profile bends at the jet's level, and higher up levels are far apart: there the spline errs more.
    share = error / np.diff(fields["geopotential_height"].values, axis=0)
    assert np.abs(share[LEVELS[1:] >= 10_000.0]).max() < 0.005


def test_values_are_those_of_an_atmosphere(fields: xr.Dataset) -> None:
    assert all(np.isfinite(fields[name].values).all() for name in FIELDS)
    assert 180.0 < float(fields["air_temperature"].min()) < float(fields["air_temperature"].max()) < 315.0
    assert 0.0 < float(fields["specific_humidity"].min()) < float(fields["specific_humidity"].max()) < 0.03
    assert 50.0 < float(np.hypot(fields["eastward_wind"], fields["northward_wind"]).max()) < 110.0
    assert (np.diff(fields["geopotential_height"].values, axis=0) > 0).all()
    assert 271.3 < float(fields["sea_surface_temperature"].min()) < float(fields["sea_surface_temperature"].max()) < 304


def test_the_wind_is_nearer_to_gradient_balance_than_the_geostrophic_wind(flow: Flow, fields: xr.Dataset) -> None:
    u, v = fields["eastward_wind"].values, fields["northward_wind"].values
    phi = fields["geopotential_height"].values * GRAVITY
    inner = LATITUDE >= 10
    with np.errstate(divide="ignore", invalid="ignore"):
        geostrophic = (
            np.where(inner[None, :, None], -d_north(phi) / CORIOLIS, 0.0),
            np.where(inner[None, :, None], d_east(phi) / CORIOLIS, 0.0),
        )
    away = np.hypot(u - geostrophic[0], v - geostrophic[1])
    # A Rossby number of some tenths: the ageostrophic wind is a small part of the wind.
    assert rms(away[MIDLATITUDES]) < 0.2 * rms(np.hypot(u, v)[MIDLATITUDES])
    ours = rms(normal_imbalance(u, v, phi, flow.phase_speed)[MIDLATITUDES])
    theirs = rms(normal_imbalance(*geostrophic, phi, flow.phase_speed)[MIDLATITUDES])
    assert ours < 0.8 * theirs
    assert ours < 0.25 * rms((CORIOLIS * np.hypot(u, v))[MIDLATITUDES])


def test_the_wind_rotates_but_does_not_diverge(fields: xr.Dataset) -> None:
    u, v = fields["eastward_wind"].values, fields["northward_wind"].values
    cos = np.cos(np.deg2rad(LATITUDE))[None, :, None]
    divergence = d_east(u) + d_north(v * cos) / cos
    vorticity = d_east(v) - d_north(u * cos) / cos
    assert rms(divergence[MIDLATITUDES]) < 0.1 * rms(vorticity[MIDLATITUDES])


def test_a_zonal_jet_gets_the_wind_of_the_sphere() -> None:
    """f u + u^2 tan(lat) / a = -phi_y, solved by hand for a geopotential that depends on latitude alone."""
    lat, lon = np.arange(20.0, 60.1), np.arange(100.0, 120.1)
    jet = 40.0 * np.exp(-(((lat - 40.0) / 8.0) ** 2)) + 10.0
    f = 2 * EARTH_ROTATION * np.sin(np.deg2rad(lat))
    slope = -(f * jet + jet**2 * np.tan(np.deg2rad(lat)) / EARTH_RADIUS)
    phi_y = np.broadcast_to(slope[None, :, None], (1, lat.size, lon.size)).copy()
    u, v = gradient_wind(np.zeros_like(phi_y), phi_y, lat, lon, 0.0)
    np.testing.assert_allclose(u[0, :, 5], jet, rtol=0.005)
    assert np.abs(v).max() == 0.0


def test_a_low_turns_slower_than_its_geostrophic_wind_and_a_high_faster() -> None:
    """V^2 / r + f V = |phi_r| around a low, with a minus around a high (r: distance to the middle)."""
    lat, lon = np.arange(40.0, 50.01, 0.25), np.arange(130.0, 144.01, 0.25)
    y = (lat - 45.0)[:, None] * DEGREE
    x = (lon - 137.0)[None, :] * DEGREE * np.cos(np.deg2rad(45.0))
    r = np.hypot(x, y)
    j, i = int(np.argmin(np.abs(lat - 45.0))), int(np.argmin(np.abs(lon - 141.0)))
    f = 2 * EARTH_ROTATION * np.sin(np.deg2rad(45.0))
    for sign in (1.0, -1.0):
        # |phi_r| = 2 c r, so that the wind rises with the distance.
        c = 0.4e-9
        phi_x, phi_y = sign * 2 * c * x * np.ones_like(y), sign * 2 * c * y * np.ones_like(x)
        u, v = gradient_wind(phi_x[None], phi_y[None], lat, lon, 0.0)
        speed = float(np.hypot(u, v)[0, j, i])
        radius, slope = float(r[j, i]), float(2 * c * r[j, i])
        expected = radius * (-f + np.sqrt(f**2 + sign * 4 * slope / radius)) / 2 * sign
        assert speed == pytest.approx(expected, rel=0.02)
        assert sign * speed < sign * slope / f


def test_same_seed_same_flow_and_another_seed_another(flow: Flow, fields: xr.Dataset) -> None:
    assert Flow.drawn(1) == flow
    xr.testing.assert_identical(Flow.drawn(1).dataset(ORIGIN, ORIGIN).isel(time=0), fields)
    other = Flow.drawn(2).dataset(ORIGIN, ORIGIN).isel(time=0)
    height = (other - fields)["geopotential_height"].sel(pressure=50_000.0).sel(latitude=slice(30, 45))
    assert rms(height.sel(longitude=slice(110, 150)).values) > 10.0


def test_the_flow_moves_eastward(flow: Flow) -> None:
    """Later is as if the wave had begun further east, and after a wavelength all is as it was."""
    at = (np.arange(25.0, 50.1, 5.0), np.arange(105.0, 150.1, 5.0), np.log(np.array([0.85, 0.3])))
    wave = Flow(phase=flow.phase)
    moved = 4.0 * DEGREE * np.cos(np.deg2rad(40.0))
    further_east = Flow(phase=flow.phase + 4.0).geopotential(*at, 0.0)
    np.testing.assert_allclose(wave.geopotential(*at, moved / wave.phase_speed), further_east, rtol=1e-9)
    assert np.abs(further_east - wave.geopotential(*at, 0.0)).max() > 100.0
    period = wave.wavelength / wave.phase_speed
    np.testing.assert_allclose(wave.geopotential(*at, period), wave.geopotential(*at, 0.0), rtol=1e-9)


def test_size_nought_perturbs_nothing(flow: Flow) -> None:
    same = flow.perturbed(1, 0.0)
    at = (np.arange(20.0, 60.0, 2.0), np.arange(100.0, 160.0, 2.0), np.log(np.array([1.0, 0.5, 0.2])), 3600.0)
    np.testing.assert_array_equal(same.geopotential(*at), flow.geopotential(*at))
    assert (same.humidity, same.warmth) == (flow.humidity, flow.warmth)
    assert np.abs(flow.perturbed(1).geopotential(*at) - flow.geopotential(*at)).max() > 50.0
    assert flow.perturbed(1) == flow.perturbed(1) != flow.perturbed(2)


def test_two_sizes_err_in_the_same_direction(flow: Flow) -> None:
    at = (np.arange(28.0, 46.1, 2.0), np.arange(126.0, 148.1, 2.0), np.log(np.array([1.0, 0.5, 0.25])), 0.0)
    truth = flow.geopotential(*at)
    half, whole = (flow.perturbed(1, size).geopotential(*at) - truth for size in (0.5, 1.0))
    assert np.corrcoef(half.ravel(), whole.ravel())[0, 1] > 0.98
    assert rms(half) / rms(whole) == pytest.approx(0.5, rel=0.15)


def test_perturbations_have_the_size_they_claim() -> None:
    """Root mean squares over Japan and twenty seeds, from the geopotential alone: geostrophic wind, hydrostatic
    temperature, pressure at the ground."""
    lat, lon = np.arange(28.0, 46.1), np.arange(126.0, 148.1)
    s, d, e = np.log(np.arange(1.0, 0.19, -0.05)), 0.01, 0.1
    f = 2 * EARTH_ROTATION * np.sin(np.deg2rad(lat))[None, :, None]
    squares = []
    for seed in range(1, 21):
        truth = Flow.drawn(seed)
        wrong = truth.perturbed(seed)

        def error(
            lat: np.ndarray, lon: np.ndarray, s: np.ndarray, wrong: Flow = wrong, truth: Flow = truth
        ) -> np.ndarray:
            return wrong.geopotential(lat, lon, s, 0.0) - truth.geopotential(lat, lon, s, 0.0)

        temperature = (error(lat, lon, s - d) - error(lat, lon, s + d)) / (2 * d * R_DRY)
        v = (error(lat, lon + e, s) - error(lat, lon - e, s)) / (2 * e * DEGREE * np.cos(np.deg2rad(lat)))[:, None] / f
        u = (error(lat + e, lon, s) - error(lat - e, lon, s)) / (2 * e * DEGREE) / f
        pressure = 1.25 * error(lat, lon, np.zeros(1)) / 100.0
        squares.append([np.mean(u**2 + v**2), np.mean(temperature**2), np.mean(pressure**2)])
    wind, warmth, pressure = np.sqrt(np.mean(squares, axis=0))
    assert wind == pytest.approx(4.5, rel=0.2)
    assert warmth == pytest.approx(1.2, rel=0.2)
    assert pressure == pytest.approx(1.5, rel=0.2)


def test_the_anomaly_of_the_sea_has_its_amplitude_and_nobody_else_sees_it(fields: xr.Dataset) -> None:
    """Over a whole number of waves the mean is nought and the root mean square the amplitude over sqrt(2)."""
    lat, lon = np.arange(16.0, 40.0, 0.5)[:, None], np.arange(120.0, 144.0, 0.5)[None, :]
    anomaly = sea_surface_temperature(lat, lon, ((1.7, 0.0),)) - sea_surface_temperature(lat, lon)
    assert np.abs(anomaly).max() == pytest.approx(1.7, abs=0.02)
    one = anomaly[:32]  # 16 degrees
    assert one.mean() == pytest.approx(0.0, abs=1e-9)
    assert rms(one) == pytest.approx(1.7 / np.sqrt(2.0), rel=1e-9)
    assert sea_surface_temperature(np.array([70.0]), np.arange(100.0, 200.0), ((1.7, 0.0),)).min() >= 271.35
    # The true flow and what an analysis makes of it have none unless the nature run is given one.
    assert Flow.drawn(1).sea_anomaly == Flow.drawn(1).perturbed(1).sea_anomaly == 0.0
    seen = Flow.drawn(1).perturbed(1).dataset(ORIGIN, ORIGIN)["sea_surface_temperature"].values[0]
    np.testing.assert_array_equal(seen, fields["sea_surface_temperature"].values)


def test_the_sea_changes_for_all_alike_and_is_itself_again_after_ten_days() -> None:
    """A crest of the wave moves east by its wavelength of 24 degrees in ten days: by 2.4 degrees a day."""
    lat, lon, day = np.array([[30.0], [36.0]]), np.arange(120.0, 160.0, 0.6)[None, :], 86_400.0
    truth = Flow.drawn(1, sea_change=2.0)
    start = truth.sea_temperature(lat, lon, 0.0)
    assert rms(start - Flow.drawn(1).sea_temperature(lat, lon, 0.0)) == pytest.approx(2.0 / np.sqrt(2.0), rel=0.05)
    for days in range(1, 11):
        now = truth.sea_temperature(lat, lon, days * day)
        wave, moved = (
            sea - sea_surface_temperature(lat, east)
            for sea, east in ((now, lon), (truth.sea_temperature(lat, lon - 2.4 * days, 0.0), lon - 2.4 * days))
        )
        np.testing.assert_allclose(wave, moved, atol=1e-9)
        assert (np.abs(now - start).max() < 1e-9) == (days == 10)
        np.testing.assert_array_equal(truth.perturbed(1).sea_temperature(lat, lon, days * day), now)
        np.testing.assert_array_equal(
            Flow.drawn(1).sea_temperature(lat, lon, days * day), sea_surface_temperature(lat, lon)
        )
