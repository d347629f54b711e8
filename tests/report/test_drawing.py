"""Coastlines, levels of colour bars, words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from grid.regions import PLACES, proj, region
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.grid.fitting import fitted
from kaiseki.grid.presets import GridSpecification
from kaiseki.report import words
from kaiseki.report.basemap import Basemap, coast_files
from kaiseki.report.impact import impact_chart, read
from kaiseki.report.maps import _round_up, _steps, barbs, centres, contours, uncertainty_map, without_high_ground
from kaiseki.report.network import _places, inventory_maps, longitudes
from kaiseki.report.style import light
from kaiseki.report.tables import _unused, inventory
from kaiseki.report.weather import sea_level_pressure, weather
from report import synthetic

NOON = np.datetime64("1989-01-01T12:00", "s")


def _geojson(path: Path, *geometries: dict[str, object]) -> Path:
    features = [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_coastlines_are_cut_to_the_map(tmp_path: Path):
    domain = synthetic.domain()
    line = [[137.0, 30.0], [137.0, 35.0], [137.0, 40.0], [-43.0, 40.0], [-43.0, 0.0]]
    ring = [[[135.0, 34.0], [136.0, 34.0], [136.0, 35.0], [135.0, 34.0]]]
    path = _geojson(
        tmp_path / "coast.geojson",
        {"type": "LineString", "coordinates": line},
        {"type": "MultiPolygon", "coordinates": [ring]},
        {"type": "Point", "coordinates": [137.0, 37.0]},
    )
    base = Basemap(domain, [path])
    assert [len(part) for part in base.coast] == [3, 4]
    x, y = domain.projection.forward(np.array([30.0, 35.0, 40.0]), np.full(3, 137.0))
    np.testing.assert_allclose(base.coast[0], np.stack([x, y], axis=1) / 1000.0)


def test_faults_of_coastlines(tmp_path: Path):
    other = tmp_path / "coast.shp"
    other.write_bytes(b"\x00\x00\x27\x0a\xff")
    with pytest.raises(InputError, match="not a GeoJSON file"):
        Basemap(synthetic.domain(), [other])
    with pytest.raises(ConfigError, match=r"No file matches domain\.coast_files"):
        coast_files(["*.geojson"], tmp_path)
    assert coast_files(["*.geojson"], None) == []
    assert coast_files(["*.shp"], tmp_path) == [other]


def test_real_coastlines(data: Path):
    base = Basemap(synthetic.domain((8, 55, 68), 60e3), [data / "static" / "ne_50m_coastline.geojson"])
    points = np.concatenate(base.coast)
    cape = np.concatenate(base.place([33.45], [135.76]))  # Cape Shiono, the south of Honshu
    assert np.hypot(*(points - cape).T).min() < 15.0


def test_sea_level_pressure_of_a_standard_column():
    """The height of the ground must not show in the standard atmosphere."""
    import xarray as xr

    domain = synthetic.domain((8, 10, 12), 60e3)
    temperature = 288.15 - 0.0065 * domain.z
    pressure = 101325.0 * (temperature / 288.15) ** (9.80665 / (287.05 * 0.0065))
    dataset = xr.Dataset(
        {name: (("level", "y", "x"), v) for name, v in (("temperature", temperature), ("pressure", pressure))}
    )
    np.testing.assert_allclose(sea_level_pressure(dataset, domain), 101325.0, rtol=1e-12)
    stored = dataset.assign(mean_sea_level_pressure=(("y", "x"), np.full(domain.shape[1:], 1e5)))
    np.testing.assert_allclose(sea_level_pressure(stored, domain), 1e5)


def test_winds_are_drawn_along_the_grid(tmp_path: Path):
    from kaiseki.archive import open_archive

    where = synthetic.domain()
    path = synthetic.write_fields_only(tmp_path / "a.store", where, 0.0)
    now = weather(open_archive(path).isel(time=0), where)
    np.testing.assert_allclose(now.u, synthetic.state(where, 0.0, 0.0)["u"][0], atol=1e-4)
    assert now.temperature_height == "at the lowest model level"


def test_barbs_point_to_the_low_pressure_on_both_sides_of_the_equator():
    """A west wind has the low pressure in the north on the northern hemisphere and in the south on the southern."""
    heights = (0.0, 1000.0, 20_000.0)
    domain = GridSpecification(
        "equator", 100e3, (20, 20), 0.0, 10.0, heights, 2, standard_parallels=(-5.0, 20.0), central_longitude=10.0
    ).domain()
    assert 5 < np.count_nonzero(domain.lat[:, 0] < 0.0) < 15
    axes = Figure().add_subplot()
    barbs(axes, Basemap(domain), np.full((20, 20), 10.0), np.zeros((20, 20)), across=20)
    tips = [path.vertices[np.argmax(np.abs(path.vertices[:, 1])), 1] for path in axes.collections[0].get_paths()]
    np.testing.assert_array_equal(np.sign(tips), np.where(domain.lat.ravel() < 0.0, -1.0, 1.0))


def test_levels_of_colour_bars():
    assert _round_up(0.0) == 1.0
    assert _round_up(0.031) == pytest.approx(0.04)
    assert _round_up(2.0) == 2.0
    levels = _steps(np.array([[-7.0, 3.0], [np.nan, 9.0]]), 4.0)
    assert levels[0] == -8.0
    assert np.all(np.diff(levels) == 4.0)
    assert len(_steps(np.full((2, 2), 5.0), 4.0)) == 6
    assert len(_steps(np.full((2, 2), np.nan), 4.0)) == 2


def test_light_colours_stay_in_range():
    assert light("RdBu_r", 1.0)(0.3)[:3] == (1.0, 1.0, 1.0)
    assert np.allclose(light("RdBu_r", 0.0)(0.0), __import__("matplotlib").colormaps["RdBu_r"](0.0))


def test_words():
    assert words.percent(-0.125) == "−12 %"
    assert words.percent(0.42) == "+42 %"
    assert words.percent(-0.0014) == "−0.1 %"
    assert words.percent(0.0) == words.percent(-0.0001) == "0 %"
    assert words.interval(-0.05, 0.31) == "−5 to 31 %"
    assert words.interval(-0.004, -0.001) == "−0.4 to −0.1 %"
    assert words.number(-150.0, "surface_air_pressure", sign=True) == "−1.50"
    assert words.number(None, "dry_total_energy") == "–"
    assert words.target_words({"variable": "geopotential_height", "level": 5e4}) == "height, 500\u00a0hPa"
    row = {
        "kind": "ship",
        "quantity": "a",
        "values": 1,
        "least": 1,
        "mean": 1,
        "greatest": 1,
        "south": -20,
        "west": 130,
    }
    assert inventory([row])[0]["place"] == "10–20°S, 130–140°E"


def test_credits_name_what_was_used():
    real = words.credits(synthetic.experiment("real"), [("prepbufr.t12z", "public domain"), ("", "")])
    assert any("NCEP" in sentence for sentence in real)
    assert any("Natural Earth" in sentence for sentence in real)
    assert "Reports: prepbufr.t12z (public domain)." in real
    twin = words.credits(synthetic.experiment("twin"), [])
    assert twin == ["Twin experiment: truth and observations were made by this program; no real data are shown."]


def test_a_drifting_balloon_is_one_report():
    table = {
        "report": np.array([7, 7, 7, 3, 5]),
        "latitude": np.array([35.0, 35.1, 35.2, 40.0, 41.0]),
        "longitude": np.array([140.0, 140.3, 140.6, 141.0, 142.0]),
        "withheld": np.array([False, False, False, True, False]),
    }
    flags = np.array([1 << 7, 0, 0, 0, 1 << 12])
    places = _places(table, np.ones(5, bool), flags)
    assert places is not None
    np.testing.assert_array_equal(places["latitude"], [40.0, 41.0, 35.0])
    np.testing.assert_array_equal(places["used"], [False, False, True])
    np.testing.assert_array_equal(places["withheld"], [True, False, False])
    assert _places(table, np.zeros(5, bool), flags) is None


@pytest.mark.parametrize("spacing", [60e3, 20e3])
def test_highs_and_lows_are_marked_where_they_are(spacing: float):
    cells = round(3600e3 / spacing)
    domain = synthetic.domain((4, cells, cells), spacing)
    x, y = np.meshgrid(domain.x, domain.y)

    def hill(i: int, j: int) -> np.ndarray:
        return np.exp(-((x - domain.x[i]) ** 2 + (y - domain.y[j]) ** 2) / 400e3**2)

    low, high = cells // 3, 2 * cells // 3
    axes = Figure().subplots()
    centres(axes, Basemap(domain), 1010.0 - 25.0 * hill(low, high) + 20.0 * hill(high, low) + 0.5 * hill(low, low))
    found = {text.get_text().split("\n")[0]: (text.get_position(), text.get_text()) for text in axes.texts}
    assert set(found) == {"H", "L"}  # the third hill is too low
    for letter, i, j, value in (("L", low, high, 985.0), ("H", high, low, 1030.0)):
        np.testing.assert_allclose(found[letter][0], [domain.x[i] / 1e3, domain.y[j] / 1e3], atol=40.0)
        assert float(found[letter][1].split("\n")[1]) == pytest.approx(value, abs=1.0)


def test_values_not_used_are_counted():
    assert _unused({"given": 10, "used": 3, "withheld": 2}) == 5
    assert _unused({"rejected": 4, "used": 3}) == 4
    assert _unused({"used": 3}) is None


def groups() -> dict[str, object]:
    """What `kaiseki impact` writes, with one kind that harmed."""
    rows = [
        ("sonde", "air_temperature", 40, -0.05),
        ("synop", "surface_pressure", 90, -0.12),
        ("ship", "wind", 9, 0.01),
    ]
    return {
        "time": "1989-01-02T00:00Z",
        "against": "truth",
        "observations": 139,
        "error_before": 1.6,
        "error_after": 1.43,
        "change": -0.17,
        "explained": -0.16,
        "degrees_of_freedom": 51.0,
        "groups": [
            {"kind": k, "quantity": q, "n": n, "impact": i, "helpful": 0.6, "degrees_of_freedom": n / 3.0}
            for k, q, n, i in rows
        ],
    }


def test_the_impact_of_observations_is_drawn_with_its_sum(tmp_path: Path) -> None:
    assert impact_chart(read(tmp_path)) is None
    (tmp_path / "impact.json").write_text(json.dumps(groups()))
    picture = impact_chart(read(tmp_path))
    assert picture is not None
    assert "-10.0 per cent in sum, -10.6 measured; most by synop surface pressure" in picture.markup
    assert "51 in all" in picture.caption


def test_the_uncertainty_is_drawn_with_its_medians() -> None:
    domain = synthetic.domain()
    shape = domain.shape[1:]
    fields = [np.full(shape, value) for value in (80.0, 0.7, 2.5, 4.0)]
    picture = uncertainty_map(fields[0], fields[1], (fields[2], fields[3]), Basemap(domain), NOON)
    assert "pressure at the ground 0.8 hPa; temperature 850 hPa 0.7 K; wind 500 hPa 2.5 m s⁻¹" in picture.markup


@pytest.mark.parametrize("pole", [90.0, -90.0])
def test_a_map_about_a_pole_is_labelled_and_its_meridians_meet_there(pole: float) -> None:
    fit = fitted(pole, 20.0, 4800e3, 4800e3, 60e3)
    interfaces = (0.0, 5000.0, 10_000.0, 15_000.0, 20_000.0)
    domain = GridSpecification(
        "pole", 60e3, fit.shape, pole, 20.0, interfaces, 5, None, fit.projection, fit.standard_parallels, 20.0
    ).domain()
    base, axes = Basemap(domain), Figure().add_subplot()
    base.draw(axes)
    west, east, south, north = base.extent
    lines = [np.array(line.get_xydata()) for line in axes.lines]
    meeting = [line for line in lines if np.hypot(*line.T).min() < 1e-3]
    closed = [line for line in lines if np.hypot(*(line[0] - line[-1])) < 1e-3]
    assert len(meeting) == 12
    assert len(closed) >= 3
    words = [text.get_text() for text in axes.texts]
    letter = "N" if pole > 0.0 else "S"
    assert {f"80°{letter}", f"70°{letter}", "180°", "0°", "90°E", "90°W", "120°W"} <= set(words)
    assert len(words) == len(set(words))
    inside = next(text for text in axes.texts if text.get_text() == f"80°{letter}").get_position()
    assert west < inside[0] < east
    assert south < inside[1] < north


def test_land_from_edge_to_edge_is_tinted_and_high_ground_has_no_isobars() -> None:
    sea = synthetic.domain((8, 40, 40), 60e3)
    terrain = np.where(np.arange(40) < 20, 3000.0, 100.0) + np.zeros((40, 40))
    domain = sea.with_terrain(terrain, np.ones((40, 40)))
    axes = Figure().add_subplot()
    Basemap(domain).draw(axes)
    assert any(isinstance(one, QuadContourSet) and one.filled for one in axes.collections)
    # Reduced over the high ground the pressure is 20 hPa off.
    reduced = 1000.0 + np.arange(40.0)[:, None] + np.where(terrain > 1500.0, 20.0, 0.0)
    shown, words = without_high_ground(reduced, Basemap(domain))
    assert words == "no isobars over terrain above 1500 m"
    np.testing.assert_array_equal(np.isnan(shown), terrain > 1500.0)
    axes = Figure().add_subplot()
    contours(axes, Basemap(domain), shown, 4.0, 20.0)
    (drawn,) = (one for one in axes.collections if isinstance(one, QuadContourSet))
    points = np.concatenate([path.vertices for path in drawn.get_paths() if len(path.vertices)])
    assert points[:, 0].min() >= domain.x[20] / 1e3 - 1e-6
    assert without_high_ground(reduced, Basemap(sea))[1] == ""


def test_highs_beside_high_ground_are_marked() -> None:
    domain = synthetic.domain((4, 60, 60), 60e3)
    x, y = np.meshgrid(domain.x, domain.y)
    field = 1010.0 + 20.0 * np.exp(-((x - domain.x[30]) ** 2 + (y - domain.y[30]) ** 2) / 400e3**2)
    field[:, 36:] = np.nan
    axes = Figure().subplots()
    centres(axes, Basemap(domain), field)
    assert [text.get_text() for text in axes.texts] == ["H\n1030"]


@pytest.mark.parametrize("name", PLACES)
def test_meridians_and_parallels_anywhere(name: str):
    """Lines of latitude and longitude lie where PROJ has them, and labels on the frame."""
    domain = region(name, shape=(40, 50))
    base = Basemap(domain)
    axes = Figure().add_subplot()
    base.draw(axes)
    west, east, south, north = base.extent
    drawn = [np.array(line.get_xydata()) for line in axes.lines]
    assert len(drawn) >= 6
    for line in drawn:
        lon, lat = proj(domain.projection)(*(1000.0 * line.T), inverse=True)
        turn = np.abs((np.deg2rad(lon) - np.deg2rad(lon)[60] + np.pi) % (2.0 * np.pi) - np.pi)
        assert np.ptp(lat) < 1e-6 or turn[np.abs(lat) < 89.999].max() < 1e-6
        # No line jumps across the map.
        inside = (line[:, 0] > west) & (line[:, 0] < east) & (line[:, 1] > south) & (line[:, 1] < north)
        jump = np.hypot(*np.diff(line, axis=0).T)
        assert not (inside[1:] & inside[:-1] & (jump > 0.2 * (east - west))).any()
    labels = [text for text in axes.texts if text.get_text().endswith(("°", "N", "S", "E", "W"))]
    assert len({text.get_text() for text in labels}) == len(labels) >= 4
    for text in labels:
        if not isinstance(text, Annotation):
            x, y = text.get_position()
            assert domain.pole_inside
            assert west < x < east
            assert south < y < north
            continue
        x, y = text.xy
        assert (x == west and south < y < north) or (y == south and west < x < east)


def test_the_inventory_of_a_region_across_greenwich_or_the_date_line_is_one_piece():
    for wests in ([-10.0, 0.0, 10.0], [160.0, 170.0, -180.0, -170.0]):
        rows = [
            {"kind": "synop", "west": west, "south": 40.0, "values": 5, "mean": 1.0, "least": 0.0, "greatest": 2.0}
            for west in wests
        ]
        first, last = longitudes(np.array(wests))
        assert last - first == 10.0 * len(wests)
        assert all(first <= (west - first) % 360.0 + first < last for west in wests)
        assert inventory_maps(rows) is not None
