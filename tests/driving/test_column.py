"""The hydrostatic column against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from driving.cases import ERA5_LEVELS, Profile
from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.driving.column import (
    LAPSE_RATE,
    THICKNESS_LIMIT,
    ColumnInterpolation,
    hydrostatic_pressure,
    log_pressure_at,
    surface_pressure_below,
    thickness_correction,
)

ISOTHERMAL = Profile(surface_temperature=270.0, lapse=0.0)
STANDARD = Profile()


def sampled(profile: Profile, levels: np.ndarray = ERA5_LEVELS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    z = profile.height(levels)
    return z[:, None], np.log(levels)[:, None], profile.temperature(z)[:, None]


@pytest.mark.parametrize("profile", [ISOTHERMAL, Profile(tropopause=60000.0, lapse=0.004)])
def test_log_pressure_between_levels_is_that_of_the_closed_form(profile: Profile) -> None:
    target = np.linspace(0.0, 30000.0, 77)[:, None]
    z, log_p, tv = sampled(profile)
    inside = target >= z[0]
    error = np.exp(log_pressure_at(z, log_p, tv, target)) / profile.pressure(target) - 1.0
    assert np.abs(error[inside]).max() < 1e-10


def test_below_the_lowest_level_the_column_follows_the_standard_lapse_rate() -> None:
    z, log_p, tv = sampled(STANDARD, ERA5_LEVELS[ERA5_LEVELS <= 85000.0])
    target = np.array([[-400.0], [0.0], [900.0]])
    found = np.exp(log_pressure_at(z, log_p, tv, target))
    np.testing.assert_allclose(found, STANDARD.pressure(target), rtol=1e-9)
    np.testing.assert_allclose(
        ColumnInterpolation.build(z, target).temperature(tv), STANDARD.temperature(target), rtol=1e-9
    )


def test_above_the_highest_level_the_column_is_isothermal() -> None:
    z, log_p, tv = sampled(ISOTHERMAL, ERA5_LEVELS[ERA5_LEVELS >= 30000.0])
    target = np.array([[12000.0], [15000.0]])
    np.testing.assert_allclose(np.exp(log_pressure_at(z, log_p, tv, target)), ISOTHERMAL.pressure(target), rtol=1e-10)


def test_integration_upward_is_exact_for_an_isothermal_column() -> None:
    z = np.cumsum(np.linspace(60.0, 900.0, 40))[:, None]
    found = hydrostatic_pressure(np.array([ISOTHERMAL.pressure(0.0)]), np.full_like(z, 270.0), z, np.zeros(1))
    np.testing.assert_allclose(found, ISOTHERMAL.pressure(z), rtol=1e-12)


def test_integration_upward_is_of_second_order() -> None:
    profile = Profile(tropopause=60000.0, lapse=0.009)
    errors = []
    for n in (10, 20, 40):
        edges = np.linspace(0.0, 12000.0, n + 1)
        z = 0.5 * (edges[1:] + edges[:-1])[:, None]
        found = hydrostatic_pressure(np.array([profile.surface_pressure]), profile.temperature(z), z, np.zeros(1))
        reference = solve_ivp(
            lambda h, p: -GRAVITY * p / (R_DRY * profile.temperature(h)),
            (0.0, z[-1, 0]),
            [profile.surface_pressure],
            rtol=1e-11,
            atol=1e-6,
        ).y[0, -1]
        errors.append(abs(found[-1, 0] - reference))
    rates = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert (rates > 1.8).all()


@given(st.lists(st.floats(200.0, 310.0), min_size=6, max_size=6), st.floats(0.0, 3000.0), st.floats(6e4, 1.05e5))
@settings(max_examples=30, deadline=None)
def test_surface_pressure_is_found_again_from_the_lowest_cell(
    values: list[float], ground: float, surface: float
) -> None:
    tv, z = np.array(values)[:, None], ground + np.array([50.0, 200.0, 500.0, 1000.0, 2000.0, 4000.0])[:, None]
    pressure = hydrostatic_pressure(np.array([surface]), tv, z, np.array([ground]))
    assert surface_pressure_below(pressure, tv, z, np.array([ground]))[0] == pytest.approx(surface, rel=1e-12)


def test_thickness_correction_gives_back_the_thickness_of_a_layer_with_a_bend() -> None:
    levels = np.array([30000.0, 20000.0, 10000.0])
    z, log_p, tv = sampled(STANDARD, levels)
    correction = thickness_correction(z, log_p, tv)
    assert correction[0, 0] < -0.3  # the tropopause at 226 hPa is colder than a straight line
    assert abs(correction[1, 0]) < 1e-6
    fine = np.linspace(z[0], z[-1], 4001)
    profile = ColumnInterpolation.build(z, fine).temperature(tv, correction)
    middle = 0.5 * (profile[1:] + profile[:-1])
    drop = GRAVITY / R_DRY * np.sum(np.diff(fine, axis=0) / middle)
    straight = ColumnInterpolation.build(z, fine).temperature(tv)
    drop_straight = GRAVITY / R_DRY * np.sum(np.diff(fine, axis=0) / (0.5 * (straight[1:] + straight[:-1])))
    wanted = log_p[0, 0] - log_p[-1, 0]
    assert abs(drop - wanted) < 0.05 * abs(drop_straight - wanted)


def test_thickness_correction_is_bounded() -> None:
    z, log_p, tv = sampled(STANDARD)
    assert np.abs(thickness_correction(z, log_p, tv + 40.0)).max() == THICKNESS_LIMIT


def test_lapse_rate_is_the_standard_one() -> None:
    assert LAPSE_RATE == pytest.approx(0.0065)
