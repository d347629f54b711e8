"""Humidity, temperatures, water of a column and wind against MetPy, on real and on made columns.

What can go wrong: a formula with the wrong constant, humidity per dry instead of per moist air, a direction to which
instead of from which the wind blows. Tolerances are the differences between the saturation formulas: MetPy has Ambaum
(2020), we have Buck (1981), made for -20 to 50 degC, where they agree to 0.4 %; at -40 degC, where Goff and Gratch give
18.91 Pa, ours is 0.9 % lower and MetPy's 0.4 % higher.
"""

from __future__ import annotations

from pathlib import Path

import metpy.calc as mpcalc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metpy.units import units

from diagnostics.soundings import Columns, columns, gfs
from kaiseki.diagnostics import humidity, thermodynamics, wind

WARM, COLD = 253.15, 233.15
"""Lowest temperatures of the comparison of saturation to 0.4 % and to 1.4 %, K."""


def check_humidity(air: Columns) -> None:
    p, t, q = air.pressure * units.Pa, air.temperature * units.K, air.qv * units("kg/kg")
    warm = air.temperature > WARM
    ratio = mpcalc.mixing_ratio_from_specific_humidity(q)
    vapour = humidity.vapour_pressure(air.qv, air.pressure)
    np.testing.assert_allclose(vapour, mpcalc.vapor_pressure(p, ratio).to("Pa").m, rtol=1e-4)
    saturation = mpcalc.saturation_vapor_pressure(t).to("Pa").m
    relative = humidity.relative_humidity(air.qv, air.temperature, air.pressure)
    theirs = mpcalc.vapor_pressure(p, ratio).to("Pa").m / saturation
    for part, tolerance in ((warm, 4e-3), (air.temperature > COLD, 1.4e-2)):
        np.testing.assert_allclose(relative[part], theirs[part], rtol=tolerance)
    # Half a per cent of vapour is 0.1 K of the dew point.
    dew = humidity.dew_point(vapour)
    other = mpcalc.dewpoint(vapour * units.Pa).to("K").m
    assert np.all(np.abs(dew - other)[dew > WARM] < 0.1)
    theta = thermodynamics.potential_temperature(air.temperature, air.pressure)
    np.testing.assert_allclose(theta, mpcalc.potential_temperature(p, t).to("K").m, rtol=2e-5)
    virtual = thermodynamics.virtual_temperature(air.temperature, air.qv)
    # MetPy's is exact in the mixing ratio, ours in the specific humidity: the same.
    np.testing.assert_allclose(virtual, mpcalc.virtual_temperature(t, ratio).to("K").m, rtol=1e-5)
    rho = thermodynamics.density(air.pressure, air.temperature, air.qv)
    np.testing.assert_allclose(rho, mpcalc.density(p, t, ratio).to("kg/m^3").m, rtol=2e-4)


def check_equivalent(air: Columns) -> None:
    p, t = air.pressure * units.Pa, air.temperature * units.K
    dew = humidity.dew_point(humidity.vapour_pressure(air.qv, air.pressure))
    ours = thermodynamics.equivalent_potential_temperature(air.temperature, air.pressure, air.qv)
    theirs = mpcalc.equivalent_potential_temperature(p, t, dew * units.K).to("K").m
    # Equation 15 of Bolton (1980) there, 21 here, and 0.3 % of vapour of at most 60 K of warming.
    assert np.abs(ours - theirs)[dew > WARM].max(initial=0.0) < 0.25


def check_water(air: Columns) -> None:
    """MetPy integrates the mixing ratio; with the dew point at which that has the value of our specific humidity the
    integrals are the same."""
    for i in range(air.pressure.shape[1]):
        p = air.pressure[:, i] * units.Pa
        dew = mpcalc.dewpoint(mpcalc.vapor_pressure(p, air.qv[:, i] * units("kg/kg")))
        theirs = mpcalc.precipitable_water(p, dew).to("mm").m
        # MetPy's dew point is not the inverse of its saturation formula, by 0.3 % and more where it is cold.
        amount = mpcalc.mixing_ratio(mpcalc.saturation_vapor_pressure(dew), p).to("kg/kg").m
        ours = humidity.precipitable_water(amount, air.pressure[:, i], air.pressure[0, i])
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-3)


def test_humidity_and_temperatures_of_real_columns(data: Path) -> None:
    air = gfs(data).part(np.arange(0, 5000, 25))
    check_humidity(air)
    check_equivalent(air)
    check_water(air.part(np.arange(0, 200, 20)))


@settings(max_examples=15, deadline=None)
@given(air=columns())
def test_humidity_and_temperatures_of_made_columns(air: Columns) -> None:
    check_humidity(air)
    check_equivalent(air)
    check_water(air)


@settings(max_examples=100, deadline=None)
@given(u=st.floats(-100, 100), v=st.floats(-100, 100))
def test_wind(u: float, v: float) -> None:
    pair = u * units("m/s"), v * units("m/s")
    assert wind.wind_speed(np.array(u), np.array(v)) == pytest.approx(mpcalc.wind_speed(*pair).m, abs=1e-12)
    ours = float(wind.wind_from_direction(np.array(u), np.array(v)))
    if np.hypot(u, v) > 1e-6:
        turned = (ours - mpcalc.wind_direction(*pair).to("degree").m + 180.0) % 360.0 - 180.0
        assert abs(turned) < 1e-6
        assert 0.0 < ours <= 360.0


def test_named_directions() -> None:
    u, v = np.array([0.0, -5.0, 0.0, 5.0, 0.0, np.nan, -0.0]), np.array([-5.0, 0.0, 5.0, 0.0, 0.0, 1.0, 0.0])
    expected = [360.0, 90.0, 180.0, 270.0, 0.0, np.nan, 0.0]
    np.testing.assert_array_equal(wind.wind_from_direction(u, v), expected)


@settings(max_examples=15, deadline=None)
@given(air=columns(), w=st.floats(-5, 5))
def test_omega(air: Columns, w: float) -> None:
    rho = thermodynamics.density(air.pressure, air.temperature, air.qv)
    ratio = mpcalc.mixing_ratio_from_specific_humidity(air.qv * units("kg/kg"))
    theirs = mpcalc.vertical_velocity_pressure(
        np.full(rho.shape, w) * units("m/s"), air.pressure * units.Pa, air.temperature * units.K, ratio
    )
    np.testing.assert_allclose(wind.pressure_velocity(w, rho), theirs.to("Pa/s").m, rtol=2e-4, atol=1e-12)


def test_no_vapour_has_no_dew_point() -> None:
    assert np.array_equal(np.isnan(humidity.dew_point(np.array([0.0, 1e-7, 1e-3, np.nan]))), [True, True, False, True])


@settings(max_examples=60, deadline=None)
@given(t=st.floats(190.0, 320.0))
def test_dew_point_of_saturated_air_is_its_temperature(t: float) -> None:
    from kaiseki.diagnostics.saturation import over_water

    assert float(humidity.dew_point(over_water(np.array(t)))) == pytest.approx(t, abs=1e-9)
