"""Air below the ground: closed forms, and CDO, which follows the same paper with truncated series.

What can go wrong: the bounds in warm and cold air, flat ground, ground below sea level, high plateaus, the zero of the
height, one convention for pressure and another for height.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.core.constants import GRAVITY, R_DRY, STANDARD_LAPSE_RATE
from kaiseki.diagnostics import pressure
from kaiseki.diagnostics.standard_atmosphere import standard_pressure


def test_warm_air_is_isothermal() -> None:
    """Ground at 300 K: a hydrostatic isothermal column half way to 290.5 K."""
    p = pressure.sea_level_pressure(8.5e4, 300.0, 1500.0)
    assert p == pytest.approx(8.5e4 * np.exp(GRAVITY * 1500.0 / (R_DRY * 295.25)), rel=1e-12)


def test_cold_ground_is_warmed_half_way() -> None:
    top, height = 245.0, 800.0
    expected = 9e4 * ((top + STANDARD_LAPSE_RATE * height) / top) ** (GRAVITY / (R_DRY * STANDARD_LAPSE_RATE))
    assert pressure.sea_level_pressure(9e4, 235.0, height) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(height=st.floats(-400.0, 3000.0))
def test_the_standard_atmosphere_is_reduced_exactly(height: float) -> None:
    temperature = 288.15 - STANDARD_LAPSE_RATE * height
    reduced = pressure.sea_level_pressure(float(standard_pressure(np.array([height]))[0]), temperature, height)
    if height > -300.0:  # deeper the ground is warmer than 290.5 K
        assert float(reduced) == pytest.approx(101325.0, abs=1e-3)


@settings(max_examples=200, deadline=None)
@given(temperature=st.floats(220.0, 320.0), height=st.floats(-400.0, 6000.0), p=st.floats(4.5e4, 1.05e5))
def test_the_height_is_zero_at_sea_level_pressure(temperature: float, height: float, p: float) -> None:
    reduced = pressure.sea_level_pressure(p, temperature, height)
    assert pressure.height_below_ground(reduced, p, temperature, height) == pytest.approx(0.0, abs=1e-6)
    assert pressure.height_below_ground(p, p, temperature, height) == pytest.approx(height, abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(temperature=st.floats(220.0, 320.0), height=st.floats(-400.0, 6000.0), share=st.floats(1.0, 2.0))
def test_temperature_below_ground(temperature: float, height: float, share: float) -> None:
    found = float(pressure.temperature_below_ground(5e4 * share, 5e4, temperature, height))
    standard = float(pressure.temperature_at_pressure_below(temperature, 5e4, 5e4 * share))
    assert temperature - 1e-9 <= found <= standard + 1e-9
    if height <= 2000.0:
        assert found == pytest.approx(standard, rel=1e-12)
    elif height >= 2500.0 and temperature > 298.0:
        assert found == pytest.approx(temperature)


def test_nan_stays() -> None:
    found = pressure.sea_level_pressure(np.array([9e4, np.nan]), np.array([np.nan, 280.0]), np.array([500.0, 500.0]))
    assert np.isnan(found).all()


@pytest.fixture(scope="module")
def cdo() -> str:
    program = shutil.which("cdo")
    if program is None:
        pytest.skip("CDO is not installed")
    return program


def decoded(file: Path) -> dict[tuple[str, int], np.ndarray]:
    """Fields of a GRIB file by short name and level."""
    eccodes = pytest.importorskip("eccodes")
    found = {}
    with file.open("rb") as stream:
        while (message := eccodes.codes_grib_new_from_file(stream)) is not None:
            key = eccodes.codes_get(message, "shortName"), eccodes.codes_get(message, "level")
            found[key] = np.asarray(eccodes.codes_get_values(message))
            eccodes.codes_release(message)
    return found


def test_sea_level_pressure_as_cdo_makes_it(data: Path, cdo: str, tmp_path: Path) -> None:
    """The whole Earth, ECMWF's 137 levels. CDO truncates ln(1 + x)/x after x^2, has Rd = 287.07 and g = 9.8066: with
    x = 0.15 over the highest ground this is 0.1 % of the logarithm of the pressure ratio."""
    source = data / "driving/ecmwf_137ml_20181115/ecmwf_20181115_12Z_137ml_1p5deg.grib"
    made = tmp_path / "slp.grb"
    run = subprocess.run([cdo, "-s", "sealevelpressure", source, made], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        pytest.skip(f"this CDO cannot read the file: {run.stderr[:200]}")
    (theirs,) = decoded(made).values()
    fields = decoded(source)
    p, height, lowest = np.exp(fields["lnsp", 1]), fields["z", 1] / GRAVITY, fields["t", 137]
    # The lowest of the 137 levels has the pressure 0.99763 of that at the ground.
    ground = lowest * (1.0 + STANDARD_LAPSE_RATE * R_DRY / GRAVITY * (1.0 / 0.99763 - 1.0))
    ours = pressure.sea_level_pressure(p, ground, height)
    high = np.abs(height) > 1000.0
    assert np.abs(ours - theirs)[~high].max() < 10.0
    assert np.abs(ours - theirs)[high].max() < 60.0
