"""Maps of analysed precipitation.

What can go wrong:
- classes that readers with another colour vision cannot tell from their neighbours;
- a heavy shower that is lost when a fine grid is drawn coarse, rows upside down, a gap that looks dry;
- gauges of another hour, or in other colours than the field.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from kaiseki.grid.projection import PolarStereographic
from kaiseki.grid.regular import LatLonGrid, MapGrid
from kaiseki.precipitation.data import Gauges
from kaiseki.report.rain_maps import (
    RAIN_CLASSES,
    RAIN_COLOURS,
    UNKNOWN,
    WIDTH_COLOURS,
    Ground,
    RainHour,
    _largest,
    draw_hour,
    rain_colours,
)
from kaiseki.report.style import MAP_PAPER, map_style

TIME = np.datetime64("2024-07-01T01:00:00", "s")

# Machado, Oliveira and Fernandes 2009, IEEE Trans. Vis. Comput. Graph. 15, 1291-1298, table of severity 1.0.
VISION = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(colour: str, vision: str) -> np.ndarray:
    """CIE L*a*b* (D65) of a colour as seen with a kind of colour vision."""
    rgb = np.asarray(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(VISION[vision]) @ linear, 0.0, 1.0)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ seen
    f = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("colours", [RAIN_COLOURS, WIDTH_COLOURS], ids=["rain", "width"])
def test_neighbouring_classes_can_be_told_apart(vision: str, colours: tuple[str, ...]) -> None:
    # A difference of 2.3 is just noticeable side by side; on a map several times that is needed.
    for one, other in itertools.pairwise((MAP_PAPER, *colours)):
        assert np.linalg.norm(lab(one, vision) - lab(other, vision)) > 5.0, (one, other)


def hour(mean: np.ndarray, where: LatLonGrid | MapGrid, gauges: Gauges | None = None) -> RainHour:
    return RainHour(TIME, where, mean, 0.5 * mean, 2.0 * mean, gauges=gauges)


def pixels(figure, axes) -> np.ndarray:
    """Colours (ny, nx, 3) of the inside of axes, the first row at the top."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())[..., :3]
    box = axes.get_window_extent()
    height = image.shape[0]
    return image[int(height - box.y1) + 3 : int(height - box.y0) - 3, int(box.x0) + 3 : int(box.x1) - 3]


def near(colours: np.ndarray, colour: str) -> np.ndarray:
    return np.abs(colours.astype(float) / 255.0 - to_rgb(colour)).max(axis=-1) < 0.01


@pytest.mark.parametrize("falling", [False, True])
def test_north_is_above_and_a_gap_is_not_dry(falling: bool) -> None:
    lat = 35.0 + 0.02 * np.arange(50)
    where = LatLonGrid(lat[::-1] if falling else lat, 138.0 + 0.02 * np.arange(60))
    points, _ = where.points()
    mean = np.where(points > 35.7, 25.0, np.where(points < 35.3, np.nan, 0.0)).astype(np.float32)
    with map_style():
        figure = draw_hour(hour(mean, where))
        found = pixels(figure, figure.axes[0])
    upper, middle, lower = np.array_split(found, [int(0.25 * len(found)), int(0.75 * len(found))])
    assert near(upper, RAIN_COLOURS[RAIN_CLASSES.index(20.0)]).mean() > 0.9
    assert near(lower, UNKNOWN).mean() > 0.9
    assert near(middle, MAP_PAPER).mean() > 0.5


def test_the_largest_value_of_a_block_is_drawn() -> None:
    field = np.zeros((7, 9), np.float32)
    field[3, 4], field[0, 0] = 40.0, np.nan
    found = _largest(field, 2)
    assert found.shape == (3, 4)
    assert found[1, 2] == 40.0
    assert not np.isnan(found).any()
    field[:2, :2] = np.nan
    assert np.isnan(_largest(field, 2)[0, 0])


def test_gauges_have_the_colours_of_their_classes() -> None:
    where = LatLonGrid(35.0 + 0.02 * np.arange(50), 138.0 + 0.02 * np.arange(60))
    later = TIME + np.timedelta64(3600, "s")
    gauges = Gauges(
        station=np.array(["a", "b", "c"]),
        lat=np.array([35.3, 35.5, 35.7]),
        lon=np.array([138.5, 138.5, 138.5]),
        time=np.array([TIME, later]),
        amount=np.array([[35.0, 0.0, np.nan], [7.0, 7.0, 7.0]]),
    )
    with map_style():
        figure = draw_hour(hour(np.zeros(where.shape, np.float32), where, gauges))
        axes = next(one for one in figure.axes if one.get_title(loc="left").endswith("gauges"))
        found = pixels(figure, axes)
    assert near(found, RAIN_COLOURS[RAIN_CLASSES.index(30.0)]).sum() > 20
    assert near(found, "#ffffff").any()
    assert not near(found, RAIN_COLOURS[RAIN_CLASSES.index(5.0)]).any()


def test_classes_begin_at_their_lower_edge() -> None:
    cmap, norm = rain_colours()
    for edge, colour in zip(RAIN_CLASSES, RAIN_COLOURS, strict=True):
        assert cmap(norm(np.array([edge])))[0][:3] == pytest.approx(to_rgb(colour), abs=1e-6)
    assert cmap(norm(np.array([0.05])))[0][3] == 0.0


def test_a_map_of_its_own_and_an_area() -> None:
    where = MapGrid(PolarStereographic(60.0, 10.0), 2e3 * np.arange(60.0), -4.2e6 + 2e3 * np.arange(50.0))
    mean = np.full(where.shape, 3.0, np.float32)
    with map_style():
        figure = draw_hour(hour(mean, where))
        found = pixels(figure, figure.axes[0])
    assert near(found, RAIN_COLOURS[1]).mean() > 0.8
    lat, lon = where.points()
    part = Ground(where, (), (float(lon[10, 10]), float(lat[10, 10]), float(lon[30, 30]), float(lat[30, 30])))
    assert part.extent[1] - part.extent[0] == pytest.approx(40.0, rel=0.2)
