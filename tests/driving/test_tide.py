"""The semidiurnal tide: its clock, its winds, and what analyses twelve hours apart miss of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaiseki.core.constants import EARTH_RADIUS, EARTH_ROTATION
from kaiseki.driving.tide import DENSITY, missed_tide, semidiurnal_tide, with_tide
from kaiseki.grid import preset

DAY = np.datetime64("1989-01-01T00:00:00")
HALF_DAYS = [DAY + np.timedelta64(h, "h") for h in (12, 24)]


def at(hours: float) -> np.datetime64:
    return DAY + np.timedelta64(round(3600 * hours), "s")


def test_pressure_is_highest_before_ten_in_the_morning_and_evening() -> None:
    """Published: 0.64 hPa at 35 degrees, maxima at 9.7 and 21.7 hours of local time."""
    hours = np.arange(0.0, 24.0, 0.05)
    lat, lon = np.array(35.0), np.array(135.0)
    pressure = np.array([float(semidiurnal_tide(at(h), lat, lon).pressure) for h in hours])
    local = (hours + 9.0) % 24.0
    top = local[np.argsort(pressure)[-3:]]
    assert np.all(np.minimum(abs(top - 9.73), abs(top - 21.73)) < 0.11)
    assert pressure.max() == pytest.approx(63.8, abs=0.5)
    assert pressure.mean() == pytest.approx(0.0, abs=0.5)


@given(st.floats(-60.0, 60.0), st.floats(-180.0, 180.0), st.floats(0.0, 24.0))
def test_winds_obey_the_equations_of_motion(lat: float, lon: float, hour: float) -> None:
    def tide(h: float, dlat: float = 0.0, dlon: float = 0.0) -> np.ndarray:
        return np.array(semidiurnal_tide(at(h), np.array(lat + dlat), np.array(lon + dlon)))

    h = round(hour * 60.0) / 60.0 + 1.0
    dt, da = 60.0, 0.01
    change = (tide(h + 1 / 60) - tide(h - 1 / 60)) / (2.0 * dt)
    _, east, north = tide(h)
    along = np.deg2rad(2.0 * da) * EARTH_RADIUS
    slope_x = (tide(h, 0.0, da)[0] - tide(h, 0.0, -da)[0]) / (along * np.cos(np.deg2rad(lat)))
    slope_y = (tide(h, da)[0] - tide(h, -da)[0]) / along
    f = 2.0 * EARTH_ROTATION * np.sin(np.deg2rad(lat))
    # The clock of the tide is the sun's, that of f the stars': they differ by 1 part in 365.
    scale = 116.0 * 3.0 / (DENSITY * EARTH_RADIUS)
    assert change[1] - f * north == pytest.approx(-slope_x / DENSITY, abs=0.01 * scale)
    assert change[2] + f * east == pytest.approx(-slope_y / DENSITY, abs=0.01 * scale)


def test_nothing_is_missed_at_the_analyses_and_most_between_them() -> None:
    lat, lon = np.array([30.0, 40.0]), np.array([130.0, 140.0])
    for time in HALF_DAYS:
        for part in missed_tide(time, HALF_DAYS, lat, lon):
            np.testing.assert_array_equal(part, 0.0)
    # Between two analyses twelve hours apart the tide goes through its whole turn: it swings to the other side.
    found = missed_tide(at(18.0), HALF_DAYS, lat, lon).pressure
    expected = [a - b for a, b in zip(*(semidiurnal_tide(at(h), lat, lon).pressure for h in (18.0, 12.0)), strict=True)]
    np.testing.assert_allclose(found, expected)
    assert np.all(found < -80.0)


def test_beyond_the_last_analysis_its_tide_is_known() -> None:
    lat, lon = np.array(35.0), np.array(135.0)
    late = missed_tide(at(30.0), HALF_DAYS, lat, lon).pressure
    now, then = (semidiurnal_tide(at(h), lat, lon).pressure for h in (30.0, 24.0))
    assert late == pytest.approx(now - then)
    before = missed_tide(at(9.0), HALF_DAYS, lat, lon).pressure
    assert before == pytest.approx(
        semidiurnal_tide(at(9.0), lat, lon).pressure - semidiurnal_tide(at(12.0), lat, lon).pressure
    )


def test_fields_with_a_tide_stay_hydrostatic() -> None:
    domain = preset("japan-60km")
    pressure = np.exp(-domain.z / 7500.0) * 1e5
    fields = {
        "u": np.zeros(domain.shape),
        "v": np.zeros(domain.shape),
        "pressure": pressure,
        "surface_pressure": np.full((domain.ny, domain.nx), 1e5),
        "sst": np.full((domain.ny, domain.nx), 290.0),
    }
    tide = missed_tide(at(18.0), HALF_DAYS, domain.lat, domain.lon)
    made = with_tide(fields, tide, domain)
    np.testing.assert_allclose(np.diff(np.log(made["pressure"]), axis=0), np.diff(np.log(pressure), axis=0))
    np.testing.assert_allclose(made["surface_pressure"] - 1e5, tide.pressure * 1e5 / 101325.0)
    east, north = domain.to_east_north(made["u"][3], made["v"][3])
    np.testing.assert_allclose(east, tide.east, atol=1e-12)
    np.testing.assert_allclose(north, tide.north, atol=1e-12)
    assert made["sst"] is fields["sst"]
    assert not fields["u"].any()
