"""Gauges, radar fields and places on their grids.

What can go wrong: dryness taken for absence, a time that is not there, rows that run south, the date line.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaiseki.core.errors import InputError
from kaiseki.grid.projection import PolarStereographic
from kaiseki.grid.regular import LatLonGrid, MapGrid
from kaiseki.precipitation.data import GaugeFlag, Gauges, RadarRain, fractional_index

TIMES = np.array(["2024-10-18T01", "2024-10-18T02"], "datetime64[s]")


def gauges(**more: object) -> Gauges:
    given = {
        "station": ["a", "b", "c"],
        "lat": [35.0, 36.0, 37.0],
        "lon": [135.0, 136.0, 137.0],
        "time": TIMES,
        "amount": [[0.0, np.nan, 2.0], [1.0, 0.5, 0.0]],
    }
    values = {name: np.asarray(value) for name, value in (given | more).items()}
    return Gauges(**values)  # type: ignore[arg-type]


def test_dryness_is_not_absence() -> None:
    found = gauges()
    np.testing.assert_array_equal(found.usable, [[True, False, True], [True, True, True]])
    flagged = found.flagged(found.amount > 1.5, GaugeFlag.RANGE)
    np.testing.assert_array_equal(flagged.usable, [[True, False, False], [True, True, True]])
    assert flagged.some(np.array([2])).flags.tolist() == [[1], [0]]


def test_an_hour_that_is_not_there_is_unknown() -> None:
    none = gauges().at(np.datetime64("2024-10-18T05"))
    assert np.isnan(none.amount).all()
    assert none.time[0] == np.datetime64("2024-10-18T05")
    grid = LatLonGrid(np.array([36.0, 35.0]), np.array([135.0, 136.0]))
    radar = RadarRain(grid=grid, time=TIMES[:1], amount=np.zeros((1, 2, 2)))
    assert np.isnan(radar.at(TIMES[1]).amount).all()
    assert (radar.at(TIMES[0]).amount == 0.0).all()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"amount": [[-1.0, 0, 0], [0, 0, 0]]}, "negative"),
        ({"amount": [[np.inf, 0, 0], [0, 0, 0]]}, "infinite"),
        ({"amount": [[0.0, 0.0, 0.0]]}, "expected"),
        ({"time": TIMES[::-1]}, "rises"),
        ({"lat": [95.0, 0.0, 0.0]}, "latitude"),
        ({"height": [1.0]}, "height"),
    ],
)
def test_what_does_not_fit_is_refused(more: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        gauges(**more)


@given(row=st.floats(-0.5, 29.5), column=st.floats(-0.5, 39.4), west=st.sampled_from([118.0, 170.0, -190.0, 350.0]))
def test_places_are_found_on_latitudes_and_longitudes(row: float, column: float, west: float) -> None:
    grid = LatLonGrid(48.0 - 0.5 * np.arange(30), west + 0.5 * np.arange(40))
    lat, lon = 48.0 - 0.5 * row, west + 0.5 * column
    found = fractional_index(grid, np.array([lat]), np.array([(lon + 180.0) % 360.0 - 180.0]))
    np.testing.assert_allclose([found[0][0], found[1][0]], [row, column], atol=1e-9)


def test_places_are_found_on_a_map() -> None:
    x, y = np.arange(-523.0, 377.0, 10.0) * 1e3, np.arange(-3760.0, -4660.0, -10.0) * 1e3
    grid = MapGrid(PolarStereographic(60.0, 10.0), x, y)
    rows, columns = np.meshgrid([0, 17, 89], [0, 40, 89], indexing="ij")
    lat, lon = grid.points()
    row, column = fractional_index(grid, lat[rows, columns], lon[rows, columns])
    np.testing.assert_allclose(row, rows, atol=1e-6)
    np.testing.assert_allclose(column, columns, atol=1e-6)
