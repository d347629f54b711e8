"""Writing analysed precipitation.

What can go wrong:
- octets that differ from JMA's where they should not, or that say that JMA made the file;
- a field upside down; an hour labelled by its start; NaN written as 0 mm;
- values that cannot be written end in a file all the same.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from formats.jma_grib.jma_messages import AMOUNT, END, GRID, hour, sections, written
from kaiseki.core.errors import InputError
from kaiseki.formats.jma_grib.grids import JMA_1KM, Grid
from kaiseki.formats.jma_grib.levels import ANALYSED_PRECIPITATION
from kaiseki.formats.jma_grib.reading import Field, read
from kaiseki.formats.jma_grib.writing import Origin, encode


def decoded(path: Path, message: bytes) -> Field:
    (found,) = read(written(path, message))
    return found


def test_the_98_levels_come_back_exactly(tmp_path: Path) -> None:
    values = np.tile(ANALYSED_PRECIPITATION.values, 2).reshape(6, 33)
    grid = Grid.from_axes(36.0 - np.arange(6) / 120.0, 138.0 + np.arange(33) / 80.0)
    coded = encode(values, grid, END)
    assert (coded.largest_error, coded.above_last) == (0.0, 0)
    found = decoded(tmp_path / "a.grib2", coded.message)
    np.testing.assert_array_equal(found.values(np.float64), values)
    assert found.grid == grid
    assert (found.start, found.time) == (END - np.timedelta64(3600, "s"), END)


def test_jma_s_own_hour_comes_back_with_the_same_octets(data: Path) -> None:
    """Grid, identification and data octet by octet; the table is whole where the file has its first part alone."""
    path = data / "jma" / "kaiseki_20161121_0100Z.grib2"
    (theirs,) = read(path)
    assert theirs.definition.words is not None
    origin = Origin(centre=34, status=0, background=150, words=theirs.definition.words)
    ours = dict(sections(encode(theirs.values(), theirs.grid, theirs.time, origin).message))
    expected = dict(sections(path.read_bytes()))
    for number in (1, 3, 6, 7):
        assert ours[number] == expected[number], number
    cut_off = slice(14, 17)
    assert ours[4][:14] + ours[4][17:] == expected[4][:14] + expected[4][17:]
    assert expected[4][cut_off] == bytes([0, 0, 10])
    assert ours[4][cut_off] == b"\xff\xff\xff"
    size = len(expected[5])
    assert ours[5][4:14] + ours[5][16:size] == expected[5][4:14] + expected[5][16:]


def test_a_file_says_that_nobody_in_particular_made_it(tmp_path: Path) -> None:
    found = decoded(tmp_path / "a.grib2", hour())
    assert found.centre == 65535
    assert found.status == 3  # re-analysis
    words = found.definition.words
    assert words is not None
    assert {words.radars_1, words.radars_2, words.rain_gauges} == {2**64 - 1}
    assert (found.definition.background, found.definition.identifier) == (255, 255)


def test_standard_codes_are_read_too(tmp_path: Path) -> None:
    found = decoded(tmp_path / "a.grib2", encode(AMOUNT, GRID, END, Origin(form="wmo")).message)
    assert found.definition.template == 8
    assert found.definition.words is None
    assert found.quantity.name == "precipitation_amount"
    np.testing.assert_array_equal(found.values(), AMOUNT)


def test_rows_from_the_south_are_written_from_the_north() -> None:
    falling, rising = (Grid.from_axes(lat, GRID.longitudes) for lat in (GRID.latitudes, GRID.latitudes[::-1]))
    assert encode(AMOUNT[::-1], rising, END).message == encode(AMOUNT, falling, END).message


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9),
        elements=st.floats(0.0, 400.0, width=32) | st.just(np.nan) | st.just(0.0),
    )
)
@settings(max_examples=60, deadline=None)
def test_any_amounts_come_back_as_their_nearest_levels(
    tmp_path_factory: pytest.TempPathFactory, amount: np.ndarray
) -> None:
    grid = Grid.from_axes(36.0 - np.arange(amount.shape[0]) / 120.0, 138.0 + np.arange(amount.shape[1]) / 80.0)
    coded = encode(amount, grid, END)
    found = decoded(tmp_path_factory.getbasetemp() / "any.grib2", coded.message).values(np.float64)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(amount))
    steps = ANALYSED_PRECIPITATION.values[1:]
    known = found[~np.isnan(found)]
    exact = amount[~np.isnan(amount)].astype(float)
    nearest = np.abs(exact[:, None] - steps).min(axis=1, initial=np.inf)
    np.testing.assert_allclose(np.abs(known - exact), nearest, rtol=0.0, atol=2e-5)
    within = exact <= 255.0
    assert coded.above_last == np.count_nonzero(~within)
    assert coded.largest_error == pytest.approx(nearest[within].max(initial=0.0), abs=2e-5)
    assert encode(found, grid, END).message == coded.message


def test_a_dry_hour_and_an_hour_without_coverage(tmp_path: Path) -> None:
    for value in (0.0, np.nan):
        amount = np.full(GRID.shape, value)
        np.testing.assert_array_equal(decoded(tmp_path / "a.grib2", encode(amount, GRID, END).message).values(), amount)


def test_one_gauge_at_500_mm_among_zeros_becomes_the_last_level_and_is_counted(tmp_path: Path) -> None:
    amount = np.zeros(GRID.shape)
    amount[1, 2] = 500.0
    coded = encode(amount, GRID, END)
    assert coded.above_last == 1
    found = decoded(tmp_path / "a.grib2", coded.message).values()
    assert found[1, 2] == 255.0
    assert found.sum() == 255.0


@pytest.mark.parametrize("value", [-0.1, np.inf, -np.inf])
def test_what_is_no_amount_is_refused(value: float) -> None:
    amount = np.zeros(GRID.shape)
    amount[0, 0] = value
    with pytest.raises(InputError, match="at least 0 and finite"):
        encode(amount, GRID, END)


def test_another_shape_or_a_time_with_seconds_is_refused() -> None:
    with pytest.raises(InputError, match="does not fit"):
        encode(AMOUNT.T, GRID, END)
    with pytest.raises(InputError, match="whole minutes"):
        encode(AMOUNT, GRID, END + np.timedelta64(1, "s"))


def test_the_same_numbers_give_the_same_octets() -> None:
    assert hour() == hour()


def test_a_whole_field_of_noise_is_written_and_read(tmp_path: Path) -> None:
    """All 8.6 million points, no two neighbours alike: the longest data that the grid can have."""
    rng = np.random.default_rng(16)
    amount = rng.gamma(0.3, 8.0, JMA_1KM.shape).astype(np.float32)
    coded = encode(amount, JMA_1KM, END)
    found = decoded(tmp_path / "noise.grib2", coded.message)
    np.testing.assert_array_equal(found.levels, ANALYSED_PRECIPITATION.level_of(amount))
