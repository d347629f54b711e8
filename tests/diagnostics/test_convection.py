"""Parcels against Bolton's conserved temperature, against MetPy, and where the answer is known.

What can go wrong: the pseudoadiabat (latent heat, vapour's heat capacity), the condensation level inside a layer, areas
where the buoyancy changes sign inside a layer, what counts as CIN, parcels that start aloft, NaN, several layers of
positive buoyancy.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import metpy.calc as mpcalc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metpy.constants import Cp_d, Lv, Rd, epsilon
from metpy.units import units

from diagnostics.soundings import Columns, columns, gfs
from kaiseki.core.constants import KAPPA, R_DRY
from kaiseki.diagnostics import convection
from kaiseki.diagnostics.humidity import dew_point, vapour_pressure
from kaiseki.diagnostics.saturation import mixing_ratio, over_water, over_water_slope
from kaiseki.diagnostics.thermodynamics import virtual_temperature

MIXED = 9.0e4
"""Top of the mixed layer of the tests, Pa."""


def metpy_slope(logarithm: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    """MetPy's pseudoadiabat: constant latent heat, vapour without heat capacity."""
    ratio = mixing_ratio(over_water(temperature), np.exp(logarithm))
    heat, gas, cp, eps = (one.to_base_units().m for one in (Lv, Rd, Cp_d, epsilon))
    return (gas * temperature + heat * ratio) / (cp + heat**2 * ratio * eps / (gas * temperature**2))


def metpy_saturation(temperature: float) -> float:
    """MetPy's vapour pressure at saturation over water (Pa) at a temperature (K)."""
    return float(mpcalc.saturation_vapor_pressure(temperature * units.K).to("Pa").m)


def fine_energies(parcel: tuple[float, float, float], air: Columns) -> tuple[float, float]:
    """CAPE and CIN of a parcel (pressure, temperature, dew point) lifted by MetPy, summed over 1,000 layers."""
    p0, t0, dew = parcel
    levels = air.pressure[:, 0]
    fine = np.geomspace(p0, levels[-1], 1000)
    lcl = mpcalc.lcl(p0 * units.Pa, t0 * units.K, dew * units.K)[0].to("Pa").m
    lifted = mpcalc.parcel_profile(fine * units.Pa, t0 * units.K, dew * units.K).to("K").m
    qv = mixing_ratio(over_water(dew), p0)
    ratio = np.where(fine > lcl, qv, mixing_ratio(over_water(lifted), fine))
    warm = virtual_temperature(lifted, ratio / (1.0 + ratio))
    tv = virtual_temperature(air.temperature[:, 0], air.qv[:, 0])
    buoyancy = warm - np.interp(-np.log(fine), -np.log(levels), tv)
    free = np.flatnonzero((fine <= lcl) & (buoyancy > 0.0))
    if free.size == 0:
        return 0.0, np.nan
    energy = R_DRY * buoyancy * -np.gradient(np.log(fine))
    return float(np.maximum(energy[free[0] :], 0.0).sum()), float(-np.minimum(energy[: free[0]], 0.0).sum())


def dew_of(parcel: convection.Parcel) -> float:
    return float(dew_point(vapour_pressure(parcel.qv, parcel.pressure))[0])


def check_against_metpy(air: Columns, parcel: convection.Parcel, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(convection, "_moist_slope", metpy_slope)
        ours = convection.lift(parcel, *air.profile)
    cape, cin = fine_energies((float(parcel.pressure[0]), float(parcel.temperature[0]), dew_of(parcel)), air)
    # Buoyancy is taken as linear between levels, and MetPy's saturation is 0.3 % from ours: 0.1 K of a parcel, which is
    # up to 40 J/kg over the depth of the troposphere, and lets a level of free convection come or go.
    assert abs(float(ours.cape[0]) - cape) <= 8.0 + 0.03 * cape
    if cape > 30.0 and float(ours.cape[0]) > 30.0:
        assert abs(float(ours.cin[0]) - cin) <= 6.0 + 0.05 * cin


@pytest.mark.parametrize("start", [258.0, 278.0, 293.0, 303.0])
def test_the_pseudoadiabat_conserves_boltons_temperature(start: float) -> None:
    """Bolton (1980) gives 0.3 K as the error of his formula; MetPy computes it."""
    pressure = np.geomspace(1e5, 2e4, 40)
    temperature = [np.array(start)]
    for lower, upper in itertools.pairwise(pressure):
        temperature.append(convection.pseudoadiabat(temperature[-1], np.array(lower), np.array(upper)))
    lifted = np.array(temperature) * units.K
    conserved = mpcalc.equivalent_potential_temperature(pressure * units.Pa, lifted, lifted).to("K").m
    assert np.ptp(conserved) < 0.3


def test_the_steps_along_the_pseudoadiabat_are_short_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    start, p0, p1 = np.array([303.0, 280.0]), np.array([1e5, 9e4]), np.array([2e4, 3e4])
    usual = convection.pseudoadiabat(start, p0, p1)
    errors = []
    for step in (0.4, 0.2):
        monkeypatch.setattr(convection, "LONGEST_STEP", step)
        coarse = convection.pseudoadiabat(start, p0, p1)
        monkeypatch.setattr(convection, "LONGEST_STEP", 0.005)
        exact = convection.pseudoadiabat(start, p0, p1)
        errors.append(np.abs(coarse - exact).max())
    assert np.abs(usual - exact).max() < 1e-3
    # Fourth order: a sixteenth; at least a tenth.
    assert errors[1] < 0.1 * errors[0]


@settings(max_examples=300, deadline=None)
@given(air=columns())
def test_the_condensation_level(air: Columns) -> None:
    parcel = convection.lowest_parcel(*air.profile)
    pressure, temperature = convection.condensation_level(parcel)
    theirs, warm = mpcalc.lcl(parcel.pressure[0] * units.Pa, parcel.temperature[0] * units.K, dew_of(parcel) * units.K)
    # What the two formulas of saturation make of the same parcel, to first order: MetPy begins at our dew point. The
    # rest is the heat capacity of vapour, which MetPy (Romps, 2017) has and we leave out: 0.24 q of kappa.
    apart = np.subtract(*(np.log(metpy_saturation(t) / over_water(t)) for t in (temperature[0], dew_of(parcel))))
    shift = -apart / (over_water_slope(temperature[0]) - 1.0 / (KAPPA * temperature[0]))
    assert abs(shift) < 0.3
    assert warm.to("K").m == pytest.approx(temperature[0] + shift, abs=0.05)
    expected = parcel.pressure[0] * ((temperature[0] + shift) / parcel.temperature[0]) ** (1.0 / KAPPA)
    assert theirs.to("Pa").m == pytest.approx(
        expected, rel=1e-4 + 0.3 * parcel.qv[0] * np.log(parcel.pressure[0] / expected)
    )
    # Saturated and dry-adiabatic to round-off.
    moist = vapour_pressure(parcel.qv, pressure)
    np.testing.assert_allclose(over_water(temperature), moist, rtol=1e-9)
    np.testing.assert_allclose(temperature, parcel.temperature * (pressure / parcel.pressure) ** KAPPA, rtol=1e-12)


def real(data: Path) -> Columns:
    """Eight real columns, half of them with much energy."""
    air = gfs(data)
    energy = convection.lift(convection.most_unstable_parcel(*air.profile), *air.profile).cape
    generator = np.random.default_rng(20170322)
    rich, poor = np.flatnonzero(energy > 800.0), np.flatnonzero((energy > 20.0) & (energy < 800.0))
    return air.part(np.concatenate([generator.choice(rich, 4, False), generator.choice(poor, 4, False)]))


def test_energies_of_real_columns(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    air = real(data)
    for i in range(8):
        one = air.part(np.array([i]))
        check_against_metpy(one, convection.lowest_parcel(*one.profile), monkeypatch)
        check_against_metpy(one, convection.mixed_parcel(*one.profile, np.array([MIXED])), monkeypatch)
        check_against_metpy(one, convection.most_unstable_parcel(*one.profile), monkeypatch)


@settings(max_examples=10, deadline=None)
@given(air=columns())
def test_energies_of_made_columns(air: Columns) -> None:
    with pytest.MonkeyPatch.context() as patch:
        check_against_metpy(air, convection.lowest_parcel(*air.profile), patch)


def test_energies_as_metpy_gives_them(data: Path) -> None:
    """MetPy's own CAPE is larger by its pseudoadiabat, warmer by up to 0.8 K aloft (see the test of Bolton's), and
    smaller by layers of negative buoyancy above the level of free convection: together within 12 % and 40 J/kg."""
    air = real(data)
    ours = convection.lift(convection.lowest_parcel(*air.profile), *air.profile)
    for i in range(0, 8, 2):
        p, t = air.pressure[:, i] * units.Pa, air.temperature[:, i] * units.K
        dew = dew_point(vapour_pressure(air.qv[:, i], air.pressure[:, i])) * units.K
        theirs = mpcalc.surface_based_cape_cin(p, t, dew)[0].m
        assert ours.cape[i] == pytest.approx(theirs, rel=0.12, abs=40.0)


def test_the_mixed_and_the_most_unstable_parcel_are_metpys(data: Path) -> None:
    air = real(data)
    mixed = convection.mixed_parcel(*air.profile, np.full(8, MIXED))
    best = convection.most_unstable_parcel(*air.profile)
    for i in range(8):
        p, t = air.pressure[:, i] * units.Pa, air.temperature[:, i] * units.K
        dew = dew_point(vapour_pressure(air.qv[:, i], air.pressure[:, i])) * units.K
        _, warm, moist = mpcalc.mixed_parcel(p, t, dew, depth=100 * units.hPa)
        assert mixed.temperature[i] == pytest.approx(warm.to("K").m, abs=0.05)
        assert dew_of(convection.Parcel(*(a[i : i + 1] for a in (mixed.pressure, mixed.temperature, mixed.qv)))) == (
            pytest.approx(moist.to("K").m, abs=0.1)
        )
        start = mpcalc.most_unstable_parcel(p, t, dew)[0].to("Pa").m
        assert best.pressure[i] == pytest.approx(start)


@pytest.mark.parametrize("qv", [1e-6, 0.004])
def test_dry_adiabatic_air_has_no_energy(qv: float) -> None:
    """An isentropic atmosphere: dry throughout, or moist but never saturated below its top."""
    pressure = np.linspace(1e5, 8.5e4, 20)[:, None]
    temperature = 300.0 * (pressure / 1e5) ** KAPPA
    result = convection.lift(
        convection.lowest_parcel(pressure, temperature, np.full_like(pressure, qv)),
        pressure,
        temperature,
        np.full_like(pressure, qv),
    )
    assert result.condensation[0] < 8.5e4
    assert result.cape[0] == 0.0
    assert np.isnan(result.cin[0])


def test_air_on_a_pseudoadiabat_has_no_energy() -> None:
    """Saturated air with the temperature of its own pseudoadiabat: buoyancy is nowhere more than the steps' error."""
    pressure = np.geomspace(1e5, 2e4, 60)
    temperature = np.full(60, 295.0)
    for k in range(1, 60):
        temperature[k] = convection.pseudoadiabat(temperature[k - 1], pressure[k - 1], pressure[k])
    ratio = mixing_ratio(over_water(temperature), pressure)
    air = [one[:, None] for one in (pressure, temperature, ratio / (1.0 + ratio))]
    result = convection.lift(convection.lowest_parcel(*air), *air)
    assert result.cape[0] < 0.1


def test_a_dry_column_of_constant_buoyancy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parcel one kelvin warmer (virtually) than isothermal air above its level of condensation, which lies at the
    start: with a pseudoadiabat made isothermal the energy is Rd dT ln(p0/p1), below it nothing."""
    monkeypatch.setattr(convection, "_moist_slope", lambda x, t: np.zeros_like(t))
    pressure = np.geomspace(1e5, 2e4, 30)[:, None]
    cold = 220.0  # saturation adds 0.003 K to the virtual temperature
    qv = mixing_ratio(over_water(np.array([[cold + 1.0]])), pressure)
    air = pressure, np.full_like(pressure, cold), qv * 0.0
    parcel = convection.Parcel(pressure[0], np.array([cold + 1.0]), qv[0])
    result = convection.lift(parcel, *air)
    assert result.cape[0] == pytest.approx(R_DRY * np.log(5.0), rel=0.02)
    assert result.cin[0] == 0.0


@settings(max_examples=100, deadline=None)
@given(low=st.floats(-5, 5), high=st.floats(-5, 5), width=st.floats(0, 2))
def test_areas_of_a_straight_line(low: float, high: float, width: float) -> None:
    positive, negative = convection._areas(*(np.array(one) for one in (low, high, width)))
    line = np.interp((np.arange(2000) + 0.5) / 2000, [0, 1], [low, high])
    assert positive == pytest.approx(np.maximum(line, 0).mean() * width, abs=2e-5)
    assert negative == pytest.approx(-np.minimum(line, 0).mean() * width, abs=2e-5)


@settings(max_examples=10, deadline=None)
@given(one=columns(), other=columns(), level=st.integers(0, 23))
def test_columns_do_not_know_of_each_other_and_nan_stays(one: Columns, other: Columns, level: int) -> None:
    pairs = [np.concatenate(pair, axis=1) for pair in zip(one.profile, other.profile, strict=True)]
    together = convection.lift(convection.most_unstable_parcel(*pairs), *pairs)
    for number, air in enumerate((one, other)):
        alone = convection.lift(convection.most_unstable_parcel(*air.profile), *air.profile)
        # The number of steps along the pseudoadiabat is that of the longest.
        np.testing.assert_allclose(together.cape[number], alone.cape[0], rtol=1e-4, atol=1e-3)
    pairs[1][level, 0] = np.nan
    broken = convection.lift(convection.lowest_parcel(*pairs), *pairs)
    assert np.isnan(broken.cape[0])
    assert not np.isnan(broken.cape[1])


def test_more_layers_of_positive_buoyancy_are_added_up() -> None:
    """An inversion that the parcel must cross takes nothing from the energy, and nothing is added to the inhibition."""
    pressure = np.geomspace(1e5, 2e4, 60)[:, None]
    temperature = 303.0 * (pressure / 1e5) ** 0.21
    qv = np.full_like(pressure, 0.016)
    qv[10:] = 0.004
    start = convection.lowest_parcel(pressure, temperature, qv)
    plain = convection.lift(start, pressure, temperature, qv)
    inverted = temperature.copy()
    inverted[30:34] += 20.0
    less = convection.lift(start, pressure, inverted, qv)
    assert 0.0 < less.cape[0] < plain.cape[0]
    assert less.cin[0] == plain.cin[0]
    width = np.log(pressure[28, 0] / pressure[35, 0])
    assert plain.cape[0] - less.cape[0] < R_DRY * width * 20.0
