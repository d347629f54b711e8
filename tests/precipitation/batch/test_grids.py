"""Grids by name.

What can go wrong: a box that is not filled by its cells, kilometres taken for degrees, a grid that no machine holds, a
name that is none.
"""

from __future__ import annotations

import numpy as np
import pytest

from kaiseki.core.errors import ConfigError
from kaiseki.formats.jma_grib.grids import JMA_1KM, Grid
from kaiseki.precipitation.batch.grids import grid_named
from precipitation.batch.rain_files import grid


def test_the_grid_of_japan_is_that_of_jma() -> None:
    found = grid_named("japan-1km", None)
    assert found.shape == (3360, 2560)
    made = Grid.from_axes(found.lat[::-1], found.lon)
    assert (made.first, made.last, made.step) == (JMA_1KM.first, JMA_1KM.last, JMA_1KM.step)


def test_cells_fill_a_box() -> None:
    found = grid_named("138,35,140,36,0.1", None)
    assert found.shape == (10, 20)
    assert (found.lat[0], found.lat[-1], found.lon[0], found.lon[-1]) == pytest.approx((35.05, 35.95, 138.05, 139.95))


def test_a_spacing_in_kilometres_is_one_on_the_ground() -> None:
    found = grid_named("-10,60,-6,62,2km", None)
    middle = np.cos(np.deg2rad(found.lat.mean()))
    assert 111.195 * np.diff(found.lat).mean() == pytest.approx(2.0, rel=0.01)
    assert 111.195 * middle * np.diff(found.lon).mean() == pytest.approx(2.0, rel=0.01)


def test_the_grid_of_the_radar() -> None:
    assert grid_named("radar", grid()).shape == (24, 28)
    with pytest.raises(ConfigError, match="needs radar files"):
        grid_named("radar", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("japan", "give japan-1km, radar, or W,S,E,N,SPACING"),
        ("138,35,140,0.1", "give japan-1km"),
        ("138,35,140,36,fine", "give japan-1km"),
        ("140,35,138,36,0.1", "west and south must be below"),
        ("138,35,140,36,-1", "spacing above 0"),
        ("138,35,140,36,0.00001", "cells"),
        ("138,35,140,36,5", "cells"),
    ],
)
def test_what_is_no_grid_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        grid_named(text, None)
