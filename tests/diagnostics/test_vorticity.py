"""Vorticity, divergence and potential vorticity: solid-body rotation, tilted levels, MetPy.

What can go wrong: the curvature of sphere and map, winds that are not turned to the grid, latitudes from north to
south, levels that slope, the sign of the terms of the wind shear, a vertical coordinate with another spacing.
"""

from __future__ import annotations

import metpy.calc as mpcalc
import numpy as np
import pytest
from metpy.units import units

from kaiseki.core.constants import EARTH_RADIUS, EARTH_ROTATION, GRAVITY, KAPPA, R_DRY
from kaiseki.diagnostics.vorticity import (
    Flow,
    HorizontalGrid,
    horizontal_divergence,
    potential_vorticity,
    relative_vorticity,
)
from kaiseki.grid import LambertConformal

SPIN = 2.0e-5
"""Angular velocity of the air against the Earth, s-1."""
SPAN = 1.2e6


def lambert(cells: int) -> tuple[HorizontalGrid, np.ndarray]:
    """A square of 2400 km about 35 N, 132 E on a Lambert map, and its latitudes."""
    projection = LambertConformal()
    x0, y0 = projection.forward(np.array(35.0), np.array(132.0))
    x, y = (float(c) + np.linspace(-SPAN, SPAN, cells) for c in (x0, y0))
    lat, lon = projection.inverse(*np.meshgrid(x, y))
    length = 1.0 / projection.map_factor(lat)
    coriolis = 2.0 * EARTH_ROTATION * np.sin(np.deg2rad(lat))
    return HorizontalGrid(x, y, length, length, projection.rotation(lon), coriolis), lat


def regular(cells: int) -> tuple[HorizontalGrid, np.ndarray]:
    """Latitudes from north to south by longitudes."""
    lat, lon = np.deg2rad(np.linspace(50.0, 20.0, cells)), np.deg2rad(np.linspace(115.0, 150.0, cells))
    ones = np.ones((cells, cells))
    across = EARTH_RADIUS * np.cos(lat)[:, None] * ones
    coriolis = 2.0 * EARTH_ROTATION * np.sin(lat)[:, None] * ones
    return HorizontalGrid(lon, lat, across, EARTH_RADIUS * ones, 0.0 * ones, coriolis), np.rad2deg(lat)[:, None] * ones


@pytest.mark.parametrize("kind", [lambert, regular])
def test_solid_body_rotation(kind) -> None:
    """Vorticity 2 w sin(latitude), no divergence; second order in the spacing."""
    errors = []
    for cells in (13, 25):
        grid, lat = kind(cells)
        sine, cosine = np.sin(np.deg2rad(lat)), np.cos(np.deg2rad(lat))
        east = np.broadcast_to(SPIN * EARTH_RADIUS * cosine, (3, *lat.shape))
        height = np.arange(3.0)[:, None, None] * 1000.0 * np.ones_like(east)
        vorticity = relative_vorticity(east, 0.0 * east, height, grid)
        errors.append(np.abs(vorticity - 2.0 * SPIN * sine).max())
        divergence = horizontal_divergence(east, 0.0 * east, height, grid)
        assert np.abs(divergence).max() < 20.0 * errors[-1]
    assert errors[1] < 0.006 * SPIN
    assert errors[1] < 0.35 * errors[0]


def tilted(grid: HorizontalGrid, levels: int = 40) -> np.ndarray:
    """Heights of levels that follow a mountain of 2 km and lie flat at 12 km."""
    x, y = np.meshgrid(np.linspace(-1, 1, grid.x.size), np.linspace(-1, 1, grid.y.size))
    hill = 2000.0 * np.exp(-4.0 * (x**2 + y**2))
    zeta = np.linspace(50.0, 12_000.0, levels)[:, None, None]
    return zeta + hill * (1.0 - zeta / 12_000.0)


def test_sloping_levels_change_nothing() -> None:
    """A wind that changes with height, on flat and on sloping levels: the same vorticity and divergence at a place."""
    grid, lat = lambert(41)
    height = tilted(grid)
    flat = np.broadcast_to(height.mean(axis=(1, 2), keepdims=True), height.shape)

    def winds(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 5.0 + 2e-3 * z + 0.0 * lat, -3.0 + 1e-3 * z + 0.0 * lat

    for formula in (relative_vorticity, horizontal_divergence):
        sloping, level = formula(*winds(height), height, grid), formula(*winds(flat), flat, grid)
        # Curvature makes a uniform eastward wind rotate by u tan(latitude) / a, which is linear in z like the wind.
        slope = (level[-1] - level[0]) / (flat[-1] - flat[0])
        expected = level[0] + slope * (height - flat[0])
        inner = (slice(None), slice(2, -2), slice(2, -2))
        scale = np.abs(winds(height)[0]).max() / EARTH_RADIUS
        assert np.abs(sloping - expected)[inner].max() < 0.05 * scale
        # Without the correction the slope of the mountain would rule.
        uncorrected = (grid.curl if formula is relative_vorticity else grid.divergence)(
            *grid.along_grid(*winds(height))
        )
        assert np.abs(uncorrected - expected)[inner].max() > scale


def test_potential_vorticity_of_solid_rotation_over_a_mountain() -> None:
    """theta linear in z and solid-body rotation: (2 w + 2 W) sin(latitude) dtheta/dz / rho on any levels."""
    grid, lat = lambert(41)
    height = tilted(grid)
    theta, rho = 290.0 + 4e-3 * height, 1.2 * np.exp(-height / 8000.0)
    east = SPIN * EARTH_RADIUS * np.cos(np.deg2rad(lat)) + 0.0 * height
    found = potential_vorticity(Flow(east, 0.0 * east, theta, rho, height), grid)
    expected = 2.0 * (SPIN + EARTH_ROTATION) * np.sin(np.deg2rad(lat)) * 4e-3 / rho
    assert np.abs(found / expected - 1.0).max() < 0.01


def test_a_sheared_flow_with_a_sloping_isentrope() -> None:
    """u = s z and theta = G z + B y on a map: PV = (f + curvature) G + s B for rho = 1, on any levels."""
    grid, _ = lambert(41)
    shear, lapse, slope = 4e-3, 4e-3, -1e-5
    flat = np.broadcast_to(np.linspace(0.0, 12e3, 40)[:, None, None], (40, 41, 41))
    for height in (flat, tilted(grid)):
        u = shear * height
        east, north = u * np.cos(grid.rotation), -u * np.sin(grid.rotation)
        theta = 290.0 + lapse * height + slope * grid.y[:, None]
        found = potential_vorticity(Flow(east, north, theta, np.ones_like(height), height), grid)
        curvature = -u * grid.gradient_y(grid.length_x) / grid.length_x
        expected = (grid.coriolis + curvature) * lapse + shear * slope / grid.length_y
        inner = (slice(None), slice(2, -2), slice(2, -2))
        np.testing.assert_allclose(found[inner], expected[inner], rtol=0.01)


def thermal_wind(levels: int, cells: int) -> tuple[HorizontalGrid, dict[str, np.ndarray]]:
    """A baroclinic zone on pressure levels of a regular grid, hydrostatic and in thermal wind balance."""
    grid, _ = regular(cells)
    pressure = np.geomspace(1e5, 2e4, levels)[:, None, None] * np.ones((levels, cells, cells))
    y = np.deg2rad(35.0) - grid.y[:, None] + 0.0 * grid.x
    temperature = 280.0 * (pressure / 1e5) ** 0.19 + 12.0 * np.tanh(6.0 * y) * (pressure / 1e5)
    thickness = R_DRY / GRAVITY * 0.5 * (temperature[1:] + temperature[:-1]) * -np.diff(np.log(pressure), axis=0)
    height = np.concatenate([np.zeros((1, cells, cells)), np.cumsum(thickness, axis=0)])
    east = -GRAVITY / grid.coriolis * grid.gradient_y(height)
    north = GRAVITY / grid.coriolis * grid.gradient_x(height) + 3.0 * np.sin(8.0 * grid.x)
    theta = temperature * (1e5 / pressure) ** KAPPA
    return grid, {"p": pressure, "t": temperature, "z": height, "u": east, "v": north, "theta": theta}


def spacings(grid: HorizontalGrid, levels: int) -> tuple:
    """Distances between neighbours along x and y as MetPy takes them."""
    across = np.broadcast_to(grid.length_x[:, 1:] * np.diff(grid.x), (levels, grid.y.size, grid.x.size - 1))
    along = np.broadcast_to(grid.length_y[1:] * np.diff(grid.y)[:, None], (levels, grid.y.size - 1, grid.x.size))
    return across * units.m, along * units.m


def test_potential_vorticity_is_metpys_on_pressure_levels() -> None:
    """MetPy's isobaric form with -g dtheta/dp is the same in hydrostatic air; both are of second order, one in height,
    the other in pressure. So the difference falls with the square of the spacing of the levels."""
    errors = []
    for levels in (20, 40):
        grid, air = thermal_wind(levels, 31)
        rho = air["p"] / (R_DRY * air["t"])
        ours = potential_vorticity(Flow(air["u"], air["v"], air["theta"], rho, air["z"]), grid)
        across, along = spacings(grid, levels)
        theirs = mpcalc.potential_vorticity_baroclinic(
            air["theta"] * units.K,
            air["p"] * units.Pa,
            air["u"] * units("m/s"),
            air["v"] * units("m/s"),
            dx=across,
            dy=along,
            latitude=np.rad2deg(grid.y)[:, None] * np.ones((31, 31)) * units.degree,
        ).to("K m^2 kg^-1 s^-1")
        # Without scale factors MetPy leaves out the metric term u tan(latitude) / a of the vorticity.
        metric = air["u"] * np.tan(grid.y)[:, None] / EARTH_RADIUS
        theirs = theirs.m - GRAVITY * metric * np.gradient(air["theta"], axis=0) / np.gradient(air["p"], axis=0)
        inner = (slice(2, -2), slice(2, -2), slice(2, -2))
        errors.append(np.abs(ours - theirs)[inner].max() / np.abs(theirs[inner]).max())
    assert errors[1] < 0.01
    assert errors[1] < 0.4 * errors[0]


def test_vorticity_and_divergence_are_metpys() -> None:
    grid, air = thermal_wind(4, 31)
    height = np.broadcast_to(np.arange(4.0)[:, None, None] * 1000.0, air["z"].shape)
    across, along = spacings(grid, 4)
    u, v = air["u"] * units("m/s"), air["v"] * units("m/s")
    metric = np.tan(grid.y)[:, None] / EARTH_RADIUS
    vorticity = mpcalc.vorticity(u, v, dx=across, dy=along).m + air["u"] * metric
    divergence = mpcalc.divergence(u, v, dx=across, dy=along).m - air["v"] * metric
    inner = (slice(None), slice(1, -1), slice(1, -1))
    ours = relative_vorticity(air["u"], air["v"], height, grid)
    # The derivative of u cos(latitude) against that of u alone: second order.
    np.testing.assert_allclose(ours[inner], vorticity[inner], atol=2e-3 * np.abs(vorticity).max())
    ours = horizontal_divergence(air["u"], air["v"], height, grid)
    np.testing.assert_allclose(ours[inner], divergence[inner], atol=2e-3 * np.abs(divergence).max())
