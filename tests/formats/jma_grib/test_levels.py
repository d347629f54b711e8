"""Tables of levels and rounding to them.

What can go wrong:
- a level with another value than JMA's; NaN that becomes 0 mm, or 0 mm that becomes "outside coverage";
- rounding that is not to the nearest, most likely near an edge, where the look-up by bins could be off by one.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaiseki.formats.jma_grib.levels import ANALYSED_PRECIPITATION, LevelTable


def jma_level(m: int) -> float:
    """The table as users of JMA's files state it."""
    if m <= 2:
        return (0.0, 0.4)[m - 1]
    if m <= 79:
        return m - 2.0
    if m <= 90:
        return 80.0 + 5.0 * (m - 80)
    return 255.0 if m == 98 else 140.0 + 10.0 * (m - 91)


def test_the_98_levels_are_those_of_jma() -> None:
    values = ANALYSED_PRECIPITATION.values
    assert values.size == 99
    assert np.isnan(values[0])
    np.testing.assert_array_equal(values[1:], [jma_level(m) for m in range(1, 99)])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_values_that_are_levels_stay(kind: type[np.floating]) -> None:
    values = ANALYSED_PRECIPITATION.values.astype(kind)
    np.testing.assert_array_equal(ANALYSED_PRECIPITATION.level_of(values), np.arange(99))


@pytest.mark.parametrize(
    ("value", "level"),
    [(0.0, 1), (0.19, 1), (0.2, 2), (0.69, 2), (0.71, 3), (1.49, 3), (1.5, 4), (78.4, 79), (78.5, 80), (227.4, 97),
     (227.5, 98), (255.0, 98), (900.0, 98)],
)  # fmt: skip
def test_levels_of_known_values(value: float, level: int) -> None:
    assert ANALYSED_PRECIPITATION.level_of(np.array([value])) == level


edges = [(a + b) / 2 for a, b in zip(*[ANALYSED_PRECIPITATION.values[k : 97 + k] for k in (1, 2)], strict=True)]
near_an_edge = st.builds(
    lambda edge, steps: float(np.float32(edge) + steps * np.spacing(np.float32(edge))),
    st.sampled_from(edges),
    st.integers(-3, 3),
)


@given(st.lists(st.floats(0.0, 300.0, width=32) | near_an_edge, min_size=1, max_size=50))
def test_every_value_gets_the_nearest_level(values: list[float]) -> None:
    array = np.array(values, np.float32)
    steps = ANALYSED_PRECIPITATION.values[1:]
    distances = np.abs(array[:, None].astype(float) - steps)
    found = distances[np.arange(array.size), ANALYSED_PRECIPITATION.level_of(array).astype(int) - 1]
    # Of two equally near either is; edges are rounded to single precision as the values are.
    np.testing.assert_allclose(found, distances.min(axis=1), rtol=0.0, atol=2e-5)


@given(st.lists(st.floats(0.0, 300.0, width=32) | near_an_edge, min_size=1, max_size=50), st.sampled_from([4, 8]))
def test_bins_find_what_a_search_finds(values: list[float], size: int) -> None:
    array = np.array(values, f"f{size}")
    searched = np.searchsorted(np.array(edges, array.dtype), array, side="right") + 1
    np.testing.assert_array_equal(ANALYSED_PRECIPITATION.level_of(array), searched)


def test_a_table_may_have_two_levels_and_another_scale() -> None:
    table = LevelTable(np.array([0, 25], np.int32), 2)
    np.testing.assert_array_equal(table.values[1:], [0.0, 0.25])
    np.testing.assert_array_equal(table.level_of(np.array([np.nan, 0.1, 0.125, 7.0])), [0, 1, 2, 2])
