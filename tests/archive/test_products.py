"""Pressure levels against an atmosphere whose profiles are known in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kaiseki
from archive.runs import small_domain, whole_run
from kaiseki.archive import interpolate_to_pressure, on_pressure_levels
from kaiseki.core.errors import InputError

SCALE = 8000.0


def isothermal() -> tuple[np.ndarray, np.ndarray]:
    """Heights and pressures of a finely resolved isothermal atmosphere over a slope."""
    ground = np.linspace(0.0, 2000.0, 12).reshape(3, 4)
    height = ground + np.linspace(10.0, 15000.0, 30)[:, None, None]
    return height, 1e5 * np.exp(-height / SCALE)


def test_what_is_linear_in_the_logarithm_of_pressure_is_exact() -> None:
    height, pressure = isothermal()
    levels = np.array([92500.0, 50000.0, 30000.0])
    result = interpolate_to_pressure(height, pressure, levels)
    expected = np.broadcast_to(SCALE * np.log(1e5 / levels)[:, None, None], result.shape)
    above_ground = expected >= height[0]
    assert above_ground.any()
    assert not above_ground.all()
    np.testing.assert_allclose(result[above_ground], expected[above_ground], rtol=1e-12)
    assert np.all(np.isnan(result[~above_ground]))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), level=st.floats(3000.0, 110_000.0))
def test_each_column_agrees_with_numpy_interp(seed: int, level: float) -> None:
    generator = np.random.default_rng(seed)
    pressure = np.exp(np.cumsum(generator.uniform(0.01, 0.4, (6, 2, 3)), axis=0))[::-1] * 2000.0
    values = generator.normal(size=pressure.shape)
    result = interpolate_to_pressure(values, pressure, np.array([level]))[0]
    for j, i in np.ndindex(2, 3):
        column = np.interp(np.log(level), np.log(pressure[::-1, j, i]), values[::-1, j, i], left=np.nan, right=np.nan)
        np.testing.assert_allclose(result[j, i], column, rtol=1e-9, atol=1e-12)


def test_model_levels_themselves_and_leading_axes() -> None:
    pressure = np.array([9e4, 8e4, 7e4])[:, None, None] * np.ones((2, 3, 1, 1))
    values = np.arange(6.0).reshape(2, 3, 1, 1)
    result = interpolate_to_pressure(values, pressure, np.array([7e4, 8e4, 9e4, 91e3, 69e3]))
    np.testing.assert_allclose(result[:, :3, 0, 0], [[2, 1, 0], [5, 4, 3]], atol=1e-9)
    assert np.all(np.isnan(result[:, 3:]))


@pytest.mark.parametrize(
    ("pressure", "levels", "words"),
    [
        (np.ones((2, 1, 1)), [1.0], "one shape"),
        (np.ones((3, 1, 1)), [1.0], "fall with height"),
        (np.array([3.0, 2.0, 1.0])[:, None, None], [0.0], "must be positive"),
    ],
)
def test_refusals(pressure: np.ndarray, levels: list[float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        interpolate_to_pressure(np.zeros((3, 1, 1)), pressure, np.array(levels))


def test_a_run_on_pressure_levels(tmp_path: Path) -> None:
    dataset = kaiseki.open(whole_run(tmp_path / "run", 1))
    product = on_pressure_levels(dataset, [90000.0, 70000.0])
    assert list(product) == ["eastward_wind", "northward_wind", "temperature", "geopotential_height"]
    assert product["temperature"].dims == ("time", "pressure", "y", "x")
    assert product["temperature"].attrs["standard_name"] == "air_temperature"
    assert product["pressure"].attrs["units"] == "Pa"
    # The pressure of the small runs falls with an e-folding height of 8000 m.
    height = SCALE * np.log(1e5 / 70000.0)
    np.testing.assert_allclose(product["geopotential_height"].sel(pressure=70000.0), height, rtol=1e-4)
    hidden = np.isnan(product["geopotential_height"].sel(pressure=90000.0).values[0])
    assert hidden.any()
    assert not hidden.all()
    assert np.array_equal(hidden, small_domain().z[0] > SCALE * np.log(1e5 / 90000.0))
    single = on_pressure_levels(dataset.isel(time=0), [70000.0], ["temperature"])
    assert np.array_equal(single["temperature"], product["temperature"].isel(time=0).sel(pressure=[70000.0]))
    with pytest.raises(InputError, match="no field 'temp' on model levels"):
        on_pressure_levels(dataset, [70000.0], ["temp"])
    with pytest.raises(InputError, match="need the field 'pressure'"):
        on_pressure_levels(dataset.drop_vars("pressure"), [70000.0])
