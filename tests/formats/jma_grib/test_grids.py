"""Grids of GRIB 2.

What can go wrong:
- rows upside down, longitudes past 360 degrees, ends that the rounded step misses;
- numbers that contradict each other taken as they come.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.jma_grib.jma_messages import GRID
from kaiseki.core.errors import InputError
from kaiseki.formats.jma_grib.grids import JMA_1KM, Grid, grid_section, read_grid, signed, signed_octets


@given(
    st.integers(2, 400),
    st.integers(2, 400),
    st.integers(10, 480),
    st.integers(-40, 40),
    st.integers(0, 359),
    st.booleans(),
)
def test_a_grid_comes_back(ny: int, nx: int, parts: int, lat: int, lon: int, north_first: bool) -> None:
    latitudes = lat + np.arange(ny) / parts
    longitudes = lon + np.arange(nx) / parts
    grid = Grid.from_axes(latitudes[::-1] if north_first else latitudes, longitudes)
    found = read_grid(grid_section(grid), "test")
    assert found == grid
    np.testing.assert_allclose(found.longitudes, longitudes, rtol=0.0, atol=1e-6)
    np.testing.assert_allclose(np.sort(found.latitudes), latitudes, rtol=0.0, atol=1e-6)
    assert (found.latitudes[0] > found.latitudes[-1]) == north_first


def test_longitudes_go_on_across_the_meridian() -> None:
    grid = Grid.from_axes(np.array([1.0, 0.0]), np.array([359.0, 360.0, 361.0]))
    np.testing.assert_allclose(read_grid(grid_section(grid), "test").longitudes, [359.0, 360.0, 361.0])


@pytest.mark.parametrize(
    ("octet", "value", "words"),
    [
        (6, 1, "grid definition template"),
        (14, 30, "grid definition template"),
        (15, 200, "contradicts itself"),
        (34, 6, "contradicts itself"),
        (10, 99, "contradicts itself"),
        (49, 0, "contradicts itself"),
        (58, 0x7F, "contradicts itself"),
        (47, 0x7F, "contradicts itself"),
        (55, 0, "without its steps"),
        (72, 128, "scanning mode 128"),
        (72, 16, "scanning mode 16"),
        (72, 64, "contradicts itself"),
    ],
)
def test_what_is_not_read_or_contradicts_itself_is_refused(octet: int, value: int, words: str) -> None:
    section = bytearray(grid_section(GRID))
    section[octet - 1] = value
    with pytest.raises(InputError, match=words):
        read_grid(bytes(section), "test")


@pytest.mark.parametrize("length", [0, 13, 71, 73])
def test_a_section_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(InputError, match="octets"):
        read_grid((grid_section(GRID) + b"\0")[:length], "test")


def test_uneven_axes_are_refused() -> None:
    for lat, lon in (([1.0, 0.0, -1.1], [0.0, 1.0]), ([1.0, 0.0], [0.0, 1.0, 3.0]), ([1.0], [0.0, 1.0])):
        with pytest.raises(InputError, match="off an even one"):
            Grid.from_axes(np.array(lat), np.array(lon))
    with pytest.raises(InputError, match="rise from west to east"):
        Grid.from_axes(np.array([1.0, 0.0]), np.array([1.0, 0.0]))


@given(st.integers(-(2**31) + 1, 2**31 - 1))
def test_signs_are_the_first_bit(number: int) -> None:
    assert signed(signed_octets(number, 4)) == number
    assert signed_octets(-60, 4).hex() == "8000003c"


def test_axes_in_single_precision_are_even_to_their_rounding() -> None:
    latitudes, longitudes = JMA_1KM.latitudes.astype(np.float32), JMA_1KM.longitudes.astype(np.float32)
    found = Grid.from_axes(latitudes, longitudes)
    assert (found.shape, found.step) == (JMA_1KM.shape, JMA_1KM.step)
    np.testing.assert_allclose(found.longitudes, JMA_1KM.longitudes, rtol=0.0, atol=2e-5)
    with pytest.raises(InputError, match="off an even one"):
        Grid.from_axes(latitudes, longitudes + np.float32(1e-3) * (np.arange(2560, dtype=np.float32) == 7))


def test_a_grid_around_the_earth_ends_before_its_beginning() -> None:
    latitudes, longitudes = np.array([1.0, 0.0]), np.arange(0.0, 361.0)
    assert Grid.from_axes(latitudes, longitudes[:-1]).shape == (2, 360)
    with pytest.raises(InputError, match="less than 360"):
        Grid.from_axes(latitudes, longitudes)


def test_the_1_km_grid_is_that_of_the_area_mesh() -> None:
    assert JMA_1KM == Grid.from_axes(48.0 - (np.arange(3360) + 0.5) / 120.0, 118.0 + (np.arange(2560) + 0.5) / 80.0)
