"""Areas: parts of cells and centres against shapely, holes, islands, the date line, real prefectures, mesh codes.

What can go wrong:
- a hole counts as land, an island is lost, the direction of a ring changes the sign;
- a mean counts cells that are only touched as whole ones;
- a polygon that reaches beyond the grid is answered with a part in silence;
- a mesh code with an impossible digit is read as another mesh.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archive.selection.grids import of_degrees, on_map
from kaiseki.archive.selection import area_mean, box, mesh, mesh_box, outline, polygon, prefecture
from kaiseki.archive.selection.grid import Grid, grid_of
from kaiseki.archive.selection.prefectures import PREFECTURES, prefecture_of
from kaiseki.archive.selection.shapes import area_of, cover, polygons_of
from kaiseki.core.errors import InputError


def linear(x: Any, y: Any, z: Any, t: Any) -> Any:
    return 250.0 + 1e-5 * x - 2e-5 * y + t


def a_map() -> xr.Dataset:
    return on_map({"temperature_2m": linear}, hours=2)


def a_world() -> xr.Dataset:
    return of_degrees(np.arange(-87.5, 90.0, 5.0), np.arange(2.5, 360.0, 5.0), lambda lon, lat: lon + lat)


HOLED = {
    "type": "MultiPolygon",
    "coordinates": [
        [
            [[137.3, 34.3], [139.0, 34.4], [138.6, 35.5], [138.2, 34.9], [137.4, 35.6], [137.3, 34.3]],
            [[137.6, 34.6], [137.9, 34.6], [137.8, 34.9], [137.6, 34.6]],
        ],
        [[[139.1, 34.9], [139.3, 34.9], [139.3, 35.3], [139.1, 34.9]]],
    ],
}


def on_the_plane(grid: Grid, shape: Any) -> shapely.Geometry:
    """The shape in the plane of the grid, its edges in pieces of a two-hundredth."""

    def move(ring: np.ndarray) -> np.ndarray:
        fine = shapely.get_coordinates(shapely.segmentize(shapely.LineString(ring), 0.01))
        x, y = grid.forward(fine[:, 1], fine[:, 0])
        return np.stack([x, y], axis=-1)

    return shapely.union_all([shapely.Polygon(move(p[0]), [move(r) for r in p[1:]]) for p in polygons_of(shape)])


def parts(grid: Grid, drawn: shapely.Geometry) -> np.ndarray:
    """Part of each cell that shapely finds covered."""
    rows, columns = grid.edges()
    west, south = np.meshgrid(columns[:-1], np.minimum(rows[:-1], rows[1:]))
    east, north = np.meshgrid(columns[1:], np.maximum(rows[:-1], rows[1:]))
    boxes = shapely.box(west, south, east, north)
    return np.asarray(shapely.area(shapely.intersection(boxes, drawn)) / shapely.area(boxes))


def whole(grid: Grid, shape: Any) -> tuple[np.ndarray, np.ndarray]:
    """Parts and centres covered, on all of the grid."""
    fraction, centre = np.zeros(grid.shape), np.zeros(grid.shape, bool)
    found = cover(grid, polygons_of(shape))
    if found is not None:
        window = np.s_[
            found.row : found.row + found.centre.shape[0], found.column : found.column + found.centre.shape[1]
        ]
        fraction[window], centre[window] = found.fraction, found.centre
    return fraction, centre


@pytest.mark.parametrize("flip", [False, True])
def test_holes_and_islands_by_shapely(flip: bool) -> None:
    dataset = a_map()
    dataset = dataset.isel(y=slice(None, None, -1)) if flip else dataset
    grid = grid_of(dataset)
    turned = {"type": "MultiPolygon", "coordinates": [[r[::-1] for r in p] for p in HOLED["coordinates"]]}
    expected = parts(grid, on_the_plane(grid, HOLED))
    inside = shapely.contains_xy(shapely.geometry.shape(HOLED), dataset["lon"].values, dataset["lat"].values)
    for shape in (HOLED, turned):
        fraction, centre = whole(grid, shape)
        np.testing.assert_allclose(fraction, expected, atol=1e-4)
        np.testing.assert_array_equal(centre, inside)


@settings(max_examples=40, deadline=None)
@given(
    angles=st.lists(st.floats(0.0, 6.28), min_size=3, max_size=9, unique=True),
    radii=st.lists(st.floats(0.05, 2.0), min_size=9, max_size=9),
    middle=st.tuples(st.floats(136.5, 140.0), st.floats(33.5, 36.5)),
)
def test_any_polygon_by_shapely(angles: list[float], radii: list[float], middle: tuple[float, float]) -> None:
    turn = np.sort(angles)
    assume(np.diff(turn, append=turn[0] + 2 * np.pi).max() < np.pi)
    ring = np.array(middle) + np.array(radii[: turn.size])[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    grid = grid_of(a_map())
    shape = shapely.Polygon(ring)
    assume(shape.is_valid and shape.area > 1e-4)
    fraction, centre = whole(grid, shape)
    np.testing.assert_allclose(fraction, parts(grid, on_the_plane(grid, shape)), atol=2e-4)
    lat, lon = grid.inverse(*np.meshgrid(grid.columns, grid.rows))
    near = shapely.distance(shape.exterior, shapely.points(lon, lat)) < 1e-4
    np.testing.assert_array_equal(centre[~near], shapely.contains_xy(shape, lon, lat)[~near])


def test_areas_on_the_sphere() -> None:
    # An octant, and a zone between two parallels.
    octant = ([0.0, 90.0, 90.0, 0.0], [0.0, 0.0, 90.0, 90.0])
    assert area_of(polygons_of(octant)) == pytest.approx(np.pi / 2.0 * 6_371_000.0**2, rel=1e-9)
    assert grid_of(a_world()).area().sum() == pytest.approx(4.0 * np.pi * 6_371_000.0**2, rel=1e-12)
    dataset = a_map()
    found = polygon(dataset, HOLED, "overlap")
    assert float(found["area"].sum()) == pytest.approx(area_of(polygons_of(HOLED)), rel=2e-5)


def test_means() -> None:
    dataset = a_map()
    grid = grid_of(dataset)
    fraction, centre = whole(grid, HOLED)
    area = grid.area()
    values = dataset["temperature_2m"].values
    for cells, weights in (("overlap", fraction * area), ("centre", centre * area)):
        selected = polygon(dataset, HOLED, cells)
        assert selected["temperature_2m"].dims == ("time", "cell")
        mean = area_mean(selected)
        expected = (values * weights).sum(axis=(1, 2)) / weights.sum()
        np.testing.assert_allclose(mean["temperature_2m"], expected, rtol=1e-12)
        assert mean["temperature_2m"].attrs["cell_methods"] == "time: point area: mean"
    gone = dataset.copy(deep=True)
    gone["temperature_2m"][0] = np.nan
    gone["temperature_2m"][1].values[::2] = np.nan
    mean = area_mean(polygon(gone, HOLED))["temperature_2m"].values
    assert np.isnan(mean[0])
    weights = centre * area * np.isfinite(gone["temperature_2m"].values[1])
    assert mean[1] == pytest.approx((np.nan_to_num(gone["temperature_2m"].values[1]) * weights).sum() / weights.sum())


def test_across_the_date_line() -> None:
    ring = ([175.0, -170.0, -170.0, 175.0], [0.0, 0.0, 10.0, 10.0])
    split = {
        "type": "MultiPolygon",
        "coordinates": [
            [[[175.0, 0.0], [180.0, 0.0], [180.0, 10.0], [175.0, 10.0], [175.0, 0.0]]],
            [[[-180.0, 0.0], [-170.0, 0.0], [-170.0, 10.0], [-180.0, 10.0], [-180.0, 0.0]]],
        ],
    }
    dataset = a_world()
    expected = {(lat, lon) for lat in (2.5, 7.5) for lon in (177.5, 182.5, 187.5)}
    for shape in (ring, split):
        for cells in ("centre", "overlap"):
            got = polygon(dataset, shape, cells)
            assert {(float(a), float(b)) for a, b in zip(got["lat"], got["lon"], strict=True)} == expected
    # Across the meridian where the columns begin.
    got = polygon(dataset, ([-7.0, 7.0, 7.0, -7.0], [0.0, 0.0, 5.0, 5.0]), "overlap")
    assert sorted(got["lon"].values.tolist()) == [2.5, 7.5, 352.5, 357.5]
    assert float(got["area"].sum()) == pytest.approx(area_of(polygons_of(([-7, 7, 7, -7], [0, 0, 5, 5]))), rel=1e-9)


def test_box() -> None:
    dataset = a_map()
    got = box(dataset, 137.5, 34.4, 138.5, 35.2)
    inside = (dataset["lon"] >= 137.5) & (dataset["lon"] <= 138.5) & (dataset["lat"] >= 34.4) & (dataset["lat"] <= 35.2)
    assert got["temperature_2m"].dims == ("time", "y", "x")
    assert int(inside.any("x").sum()) == got.sizes["y"]
    assert int(inside.any("y").sum()) == got.sizes["x"]
    around = box(a_world(), -10.0, 0.0, 10.0, 5.0)
    np.testing.assert_array_equal(
        around["lon"], [-7.5, -2.5, 2.5, 7.5] if around["lon"][0] < 0 else [352.5, 357.5, 362.5, 367.5]
    )
    np.testing.assert_array_equal(np.asarray(around["temperature_2m"])[0, 0], np.array([352.5, 357.5, 2.5, 7.5]) + 2.5)
    with pytest.raises(InputError, match="-90 <= south < north <= 90"):
        box(dataset, 137.0, 36.0, 138.0, 35.0)
    with pytest.raises(InputError, match="at most 360 degrees"):
        box(dataset, 137.0, 34.0, 498.0, 36.0)
    with pytest.raises(InputError, match="No centre of a cell"):
        box(dataset, 10.0, 34.0, 11.0, 35.0)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"type": "Point", "coordinates": [1, 2]}, "is a GeoJSON 'Point'; expected a Polygon"),
        ({"type": "FeatureCollection", "features": []}, "is empty"),
        ({"type": "Polygon"}, "without 'coordinates'"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]}, "ring of 3 corners"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}, "not closed"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 95], [0, 0]]]}, "no place on Earth"),
        ({"type": "Polygon", "coordinates": [[[0, 0], ["a", 0], [1, 5], [0, 0]]]}, "no pair"),
        ({"type": "Polygon", "coordinates": [[[0, 80], [120, 80], [240, 80], [360, 80]]]}, "goes round a pole"),
        (([137.3, 139.0, 137.3, 139.0], [34.3, 35.5, 35.5, 34.3]), "crosses itself"),
        (([0.0, 1.0, 1.0], [0.0, 0.0, 1.0]), "lies outside the grid"),
        (([137.3, 150.0, 137.3], [34.3, 34.3, 36.0]), r"reaches beyond the grid with \d+\.\d % of its area"),
        (([138.0, 138.01, 138.01], [35.0, 35.0, 35.01]), "holds no centre of a cell"),
        (([1.0, 2.0], [1.0, 2.0]), "at least three"),
        ("absent.geojson", "There is no file absent.geojson"),
        (7, "A polygon is GeoJSON"),
        ({"type": "Polygon", "coordinates": [], "crs": {"properties": {"name": "EPSG:4301"}}}, "old Tokyo datum"),
    ],
)
def test_shapes_that_are_none(shape: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        polygon(a_map(), shape)


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "a.geojson").write_text("{")
    with pytest.raises(InputError, match="is no GeoJSON"):
        polygon(a_map(), tmp_path / "a.geojson")


def test_dropping_what_lies_outside() -> None:
    got = polygon(a_map(), ([137.3, 150.0, 137.3], [34.3, 34.3, 36.0]), "overlap", outside="drop")
    assert 0 < got.sizes["cell"] <= 168


# Published examples: outline of the Statistics Bureau and figures of Sinfonica (5339, 5339-23, 5339-23-43, -1; 5339232
# is the south-east quarter of 5339-23).
@pytest.mark.parametrize(
    ("code", "south", "west", "height", "width"),
    [
        ("5339", Fraction(106, 3), 139, Fraction(2, 3), 1),
        ("5339-23", Fraction(106, 3) + Fraction(2, 12), 139 + Fraction(3, 8), Fraction(1, 12), Fraction(1, 8)),
        ("53392343", Fraction(106, 3) + Fraction(2, 12) + Fraction(4, 120), 139 + Fraction(3, 8) + Fraction(3, 80),
         Fraction(1, 120), Fraction(1, 80)),
        ("533923431", Fraction(106, 3) + Fraction(2, 12) + Fraction(4, 120), 139 + Fraction(3, 8) + Fraction(3, 80),
         Fraction(1, 240), Fraction(1, 160)),
        ("5339232", Fraction(106, 3) + Fraction(2, 12), 139 + Fraction(7, 16), Fraction(1, 24), Fraction(1, 16)),
        ("533923465", Fraction(106, 3) + Fraction(2, 12) + Fraction(4, 120), 139 + Fraction(3, 8) + Fraction(6, 80),
         Fraction(1, 60), Fraction(1, 40)),
        (53392343114, Fraction(106, 3) + Fraction(24, 120) + Fraction(1, 960),
         139 + Fraction(33, 80) + Fraction(1, 640), Fraction(1, 960), Fraction(1, 640)),
    ],
)  # fmt: skip
def test_published_mesh_codes(code: Any, south: Fraction, west: Fraction, height: Fraction, width: Fraction) -> None:
    assert mesh_box(code) == (south, west, south + height, west + width)


def test_tokyo_station_is_in_its_mesh() -> None:
    # Published with the code 53394611: 35.6812 N, 139.7671 E.
    found = mesh_box("53394611")
    assert found.south <= Fraction("35.6812") < found.north
    assert found.west <= Fraction("139.7671") < found.east


@settings(max_examples=100, deadline=None)
@given(lat=st.fractions(20, 45), lon=st.fractions(122, 153), quarters=st.integers(0, 3))
def test_meshes_hold_the_place_they_were_made_for(lat: Fraction, lon: Fraction, quarters: int) -> None:
    row, column = lat * 3 / 2, lon - 100
    digits = f"{int(row):02d}{int(column):02d}"
    row, column = row % 1, column % 1
    for parts_ in (8, 10):
        row, column = row * parts_, column * parts_
        digits += f"{int(row)}{int(column)}"
        row, column = row % 1, column % 1
    for _ in range(quarters):
        row, column = row * 2, column * 2
        digits += str(1 + 2 * int(row) + int(column))
        row, column = row % 1, column % 1
    found = mesh_box(digits)
    assert found.south <= lat < found.north
    assert found.west <= lon < found.east


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("533", "expected 4, 6, 7, 8, 9, 10 or 11 digits"),
        ("53x9", "is no mesh code"),
        ("", "is no mesh code"),
        ("533982", "Digit 5 of the mesh code 533982 is 8; expected 0 to 7"),
        ("533919", "Digit 6 of the mesh code 533919 is 9; expected 0 to 7"),
        ("5339235", "Digit 7 of the mesh code 5339235 is 5; expected 1 to 4"),
        ("533923430", "Digit 9 of the mesh code 533923430 is 0; expected 1 to 4 or 5"),
        ("533923435", "Digit 8 of the mesh code 533923435 is 3; expected 0, 2, 4, 6, 8"),
        ("5339234315", "Digit 10 of the mesh code 5339234315 is 5; expected 1 to 4"),
        ("1239", "begins with 1239, which is no mesh of 1st order in Japan"),
        ("5399", "begins with 5399"),
    ],
)
def test_mesh_codes_that_are_none(code: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        mesh_box(code)


def test_means_over_meshes() -> None:
    dataset = a_map()
    codes = ["5237", "52376", "523745", "52374511", "523745114"]
    codes.remove("52376")
    got = mesh(dataset, codes, outside="drop")
    assert got["temperature_2m"].dims == ("time", "mesh")
    for number, code in enumerate(codes):
        s, w, n, e = (float(side) for side in mesh_box(code))
        expected = area_mean(polygon(dataset, ([w, e, e, w], [s, s, n, n]), "overlap", outside="drop"))
        np.testing.assert_allclose(got["temperature_2m"][:, number], expected["temperature_2m"], rtol=1e-12)
    one = mesh(dataset, 523745)
    assert one["temperature_2m"].dims == ("time",)
    assert str(one["mesh"].values) == "523745"
    with pytest.raises(InputError, match="The mesh 6441 lies outside the grid"):
        mesh(dataset, ["5237", "6441"], outside="drop")


def test_the_areas_of_the_cells_are_worked_out_once_for_many_meshes(monkeypatch: pytest.MonkeyPatch) -> None:
    from kaiseki.archive.selection import grid

    worked_out = []
    factor = grid._area_factor
    monkeypatch.setattr(grid, "_area_factor", lambda *arguments: worked_out.append(1) or factor(*arguments))
    dataset = on_map({"temperature_2m": linear}, hours=1, spacing=21e3)
    mesh(dataset, [f"5238{row}{column}" for row in range(4) for column in range(4)])
    polygon(dataset, HOLED, "overlap")
    assert len(worked_out) == 1
    with pytest.raises(ValueError, match="read-only"):
        grid_of(dataset).area()[0, 0] = 0.0


def test_a_mesh_on_degrees_is_exact() -> None:
    dataset = of_degrees(np.arange(34.0, 37.01, 1 / 3), np.arange(137.0, 141.0, 0.5), lambda lon, lat: lat + 0.0 * lon)
    got = float(mesh(dataset, "5339")["temperature_2m"][0])
    rows = np.deg2rad(np.array([34 + 7 / 6, 35.5, 34 + 11 / 6, 34 + 13 / 6]))
    south, north = np.deg2rad(106 / 3), np.deg2rad(36.0)
    sides = np.clip(rows, south, north)
    weights = np.diff(np.sin(sides))
    expected = (weights * (34.0 + np.array([4, 5, 6]) / 3)).sum() / weights.sum()
    assert got == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "code"),
    [("東京都", 13), ("東京", 13), ("Tokyo", 13), (13, 13), ("01", 1), ("北海道", 1), ("京都府", 26), ("kyoto", 26),
     ("Osaka-fu", 27), ("Oita", 44), ("沖縄", 47), ("Tokyo-to", 13), ("三重県", 24)],
)  # fmt: skip
def test_names_of_prefectures(name: Any, code: int) -> None:
    assert prefecture_of(name)[0] == code


@pytest.mark.parametrize(
    ("name", "words"), [("Tokio", "did you mean 東京都"), (48, "JIS X 0401 has 01 to 47"), ("", "is named, such as")]
)
def test_prefectures_that_are_none(name: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        prefecture_of(name)


def test_real_prefectures(data: Path) -> None:
    file = data / "static" / "japan_prefectures_s0010.geojson"
    held = {feature["properties"]["N03_001"] for feature in json.loads(file.read_text())["features"]}
    assert held == {japanese for japanese, _ in PREFECTURES.values()}
    lat, lon = np.arange(24.0, 46.0, 0.1), np.arange(122.5, 150.0, 0.1)
    dataset = of_degrees(lat, lon, lambda lon, lat: lon + lat)
    shapes = {f["properties"]["N03_001"]: shapely.geometry.shape(f["geometry"])
              for f in json.loads(file.read_text())["features"]}  # fmt: skip
    # Areas of the Geospatial Information Authority of Japan, 2023 [km2]; the borders of the file are simplified.
    for name, published in (("長野県", 13562.0), ("滋賀県", 4017.0), ("沖縄県", 2282.0), ("北海道", 77984.0)):
        selected = prefecture(dataset, name, file, "overlap", outside="drop")
        own = float(selected["area"].sum()) / 1e6
        if name not in ("北海道", "沖縄県"):
            assert own == pytest.approx(published, rel=0.02)
        centres = prefecture(dataset, name, file, outside="drop")
        assert str(centres["prefecture"].values) == name
        inside = shapely.contains_xy(shapes[name], *np.meshgrid(lon, lat))
        assert centres.sizes["cell"] == int(inside.sum())
        grid = grid_of(dataset)
        west, south = np.meshgrid(lon - 0.05, lat - 0.05)
        near = shapely.box(west, south, west + 0.1, south + 0.1)
        expected = (shapely.area(shapely.intersection(near, shapes[name])) / 0.01 * grid.area()).sum() / 1e6
        assert own == pytest.approx(expected, rel=1e-3)
    with pytest.raises(InputError, match="reaches beyond the grid"):
        prefecture(dataset.isel(lat=slice(100, None)), "東京都", file)


def test_a_file_without_the_prefecture(tmp_path: Path) -> None:
    file = tmp_path / "a.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [{"properties": None}]}))
    with pytest.raises(InputError, match="has no feature of 東京都: none of its 1 features"):
        prefecture(a_map(), 13, file)
    file.write_text("[]")
    with pytest.raises(InputError, match="no FeatureCollection"):
        prefecture(a_map(), 13, file)


def test_a_mean_of_nothing() -> None:
    with pytest.raises(InputError, match="is none of an area"):
        area_mean(a_map())


def test_an_area_on_its_grid_holds_the_same_cells() -> None:
    for dataset, cells in ((a_map(), "centre"), (a_map(), "overlap"), (a_world(), "centre")):
        shape = HOLED if "x" in dataset.dims else ([100.0, 150.0, 130.0], [20.0, 20.0, 60.0])
        listed, masked = polygon(dataset, shape, cells), polygon(dataset, shape, cells, mask=True)
        field = masked["temperature_2m"]
        assert field.dims == dataset["temperature_2m"].dims
        assert {"lat", "lon"} <= set(masked.coords)
        assert not np.isnan(masked["lat"]).any()
        values = field.values
        np.testing.assert_array_equal(values[~np.isnan(values)], listed["temperature_2m"].values.ravel())
        np.testing.assert_allclose(float(masked["area"].sum()), float(listed["area"].sum()), rtol=1e-12)
        np.testing.assert_array_equal(np.isnan(values[0]), masked["area"].values == 0.0)
        first = field.transpose(*reversed(field.dims)).isel({field.dims[0]: 0})
        np.testing.assert_array_equal(first.values, values[0].T)


def test_the_outline_of_a_prefecture(data: Path) -> None:
    file = data / "static" / "japan_prefectures_s0010.geojson"
    lines = outline("Fukui", file)
    lon, lat = (np.concatenate([line[axis] for line in lines]) for axis in (0, 1))
    assert all(line[0][0] == line[0][-1] and line[1][0] == line[1][-1] for line in lines)
    assert 135.4 < lon.min() < 135.6 < 136.7 < lon.max() < 136.9
    assert 35.3 < lat.min() < 35.5 < 36.2 < lat.max() < 36.4
    with pytest.raises(InputError, match="borders of 福井県 are needed"):
        outline("Fukui", None)
