"""Fields at places: the cells found against pyproj, linear fields, chunks read once.

What can go wrong:
- a place is put into a neighbour's cell, or on another turn of longitude;
- a place outside is answered with the nearest cell;
- a chunk is read for every place in it;
- something is read before values are asked for.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.selection.grids import SHAPE, of_degrees, on_map, to_zarr
from kaiseki.archive.selection import lazy, points
from kaiseki.core.errors import InputError
from kaiseki.grid import LambertConformal, Mercator, PolarStereographic, Projection

PROJECTIONS: list[tuple[Projection, tuple[float, float]]] = [
    (LambertConformal(), (34.0, 137.0)),
    (LambertConformal(-30.0, -45.0, 178.0), (-41.0, 176.0)),
    (Mercator(10.0, -179.0), (5.0, 179.5)),
    (PolarStereographic(70.0, 10.0), (75.0, 20.0)),
]


def linear(x: Any, y: Any, z: Any, t: Any) -> Any:
    return 250.0 + 1e-5 * x - 2e-5 * y + 1e-3 * z + t


@functools.cache
def on(number: int) -> tuple[xr.Dataset, pyproj.Transformer]:
    """A dataset on one of the projections, and the transform that PROJ makes of its grid mapping."""
    projection, origin = PROJECTIONS[number]
    dataset = on_map({"temperature_2m": linear}, hours=2, projection=projection, origin=origin)
    crs = pyproj.CRS.from_cf(dataset["crs"].attrs)
    return dataset, pyproj.Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)


@pytest.mark.parametrize("number", range(len(PROJECTIONS)))
@settings(max_examples=25, deadline=None)
@given(places=st.lists(st.tuples(st.floats(0.0, 13.0), st.floats(0.0, 11.0)), min_size=1, max_size=20))
def test_places_by_pyproj(number: int, places: list[tuple[float, float]]) -> None:
    dataset, transformer = on(number)
    column, row = np.array(places).T
    x = dataset["x"].values[0] + 20e3 * column
    y = dataset["y"].values[0] + 20e3 * row
    lat, lon = PROJECTIONS[number][0].inverse(x, y)
    there = [np.asarray(one) for one in transformer.transform(lon, lat)]
    got = points(dataset, lon + 360.0 * (column > 5), lat, "bilinear")["temperature_2m"]
    np.testing.assert_allclose(got[1], linear(*there, 0.0, 1.0), rtol=1e-9)
    near = points(dataset, lon, lat)
    i, j = (np.rint((one - dataset[name].values[0]) / 20e3).astype(int) for one, name in zip(there, "xy", strict=True))
    # Halfway between two centres rounding decides.
    sure = (np.abs(column % 1.0 - 0.5) > 1e-6) & (np.abs(row % 1.0 - 0.5) > 1e-6)
    expected = dataset["temperature_2m"].values[0][j, i]
    np.testing.assert_array_equal(near["temperature_2m"][0].values[sure], expected[sure])


def test_what_comes_out() -> None:
    dataset = on_map({"temperature": linear, "temperature_2m": linear})
    one = points(dataset, 138.0, 35.0)
    assert one["temperature"].dims == ("time", "level")
    assert one["altitude"].dims == ("level",)
    assert one["temperature"].attrs["units"] == "K"
    assert "grid_mapping" not in one["temperature"].attrs
    assert "crs" not in one.variables
    assert float(one["lon"]) == 138.0
    assert abs(float(one["cell_lon"]) - 138.0) < 0.12
    assert not bool(one["in_rim"])
    corner = points(dataset, float(dataset["lon"][0, 0]), float(dataset["lat"][0, 0]))
    assert bool(corner["in_rim"])
    many = points(dataset, [138.0, 138.5], [35.0, 35.2])
    assert many["temperature"].dims == ("time", "level", "place")
    np.testing.assert_array_equal(many["temperature"].isel(place=0), one["temperature"])


def test_outside() -> None:
    dataset = on_map({"temperature_2m": linear})
    with pytest.raises(InputError, match=r"35\.000N 10\.000E, place number 1, lies outside the grid; its corners"):
        points(dataset, [138.0, 10.0], [35.0, 35.0])
    with pytest.raises(InputError, match="and 1 more are"):
        points(dataset, [10.0, 11.0], [35.0, 35.0])
    got = points(dataset, [138.0, 10.0], [35.0, 35.0], outside="nan")
    assert np.isfinite(got["temperature_2m"][:, 0]).all()
    assert np.isnan(got["temperature_2m"][:, 1]).all()
    assert np.isnan(got["cell_lat"][1])
    # Between the outermost centres and the edge there is a cell, but nothing to interpolate between.
    lat, lon = LambertConformal().inverse(
        np.asarray(dataset["x"][0]) - 8e3 + np.zeros(1), np.asarray(dataset["y"][3:4])
    )
    points(dataset, float(lon[0]), float(lat[0]))
    with pytest.raises(InputError, match="between its outermost centres"):
        points(dataset, float(lon[0]), float(lat[0]), "bilinear")


@pytest.mark.parametrize(
    ("lon", "lat", "words"),
    [
        ([], [], "no place"),
        ([1.0, 2.0], [1.0], "as many longitudes as latitudes"),
        (35.0, 138.0, r"no place on Earth \(longitude comes first\)"),
        (np.nan, 35.0, "no place on Earth"),
        ("east", 35.0, "must be a number"),
        ([[138.0]], [[35.0]], "one number or a list"),
    ],
)
def test_places_that_are_none(lon: Any, lat: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        points(on_map({"temperature_2m": linear}), lon, lat)


def test_a_grid_that_does_not_belong_to_its_coordinates() -> None:
    dataset = on_map({"temperature_2m": linear}, spacing=21e3)
    dataset["crs"].attrs["longitude_of_central_meridian"] = 141.0
    with pytest.raises(InputError, match="do not belong together"):
        points(dataset, 138.0, 35.0)
    with pytest.raises(InputError, match="has no grid mapping"):
        points(dataset.drop_vars("crs"), 138.0, 35.0)
    with pytest.raises(InputError, match="no horizontal grid"):
        points(dataset.isel(x=0), 138.0, 35.0)
    kilometres = dataset.assign_coords(x=dataset["x"].assign_attrs(units="km"))
    with pytest.raises(InputError, match="coordinate x is in 'km'"):
        points(kilometres, 138.0, 35.0)


def test_another_projection_by_proj() -> None:
    dataset = on_map({"temperature_2m": linear})
    crs = pyproj.CRS.from_proj4("+proj=laea +lat_0=35 +lon_0=138 +datum=WGS84")
    x, y = 20e3 * (np.arange(14) - 7.0), 20e3 * (np.arange(12) - 6.0)
    there = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    lon, lat = there.transform(*np.meshgrid(x, y))
    moved = dataset.assign_coords(x=x, y=y).assign_coords(lat=(("y", "x"), lat), lon=(("y", "x"), lon))
    moved = moved.assign_coords(crs=((), 0, crs.to_cf()))
    got = points(moved, lon[3, 4], lat[3, 4])
    assert float(got["temperature_2m"][0]) == float(dataset["temperature_2m"][0, 3, 4])


@pytest.mark.parametrize("order", [1, -1])
def test_degrees_round_the_earth(order: int) -> None:
    lat, lon = np.arange(-90.0, 91.0, 10.0)[::order], np.arange(0.0, 360.0, 10.0)
    dataset = of_degrees(lat, lon, lambda lon, lat: np.cos(np.deg2rad(lon)) + 0.01 * lat)
    got = points(dataset, [355.0, -5.0, 715.0 - 360.0], [12.0, 12.0, 12.0], "bilinear")["temperature_2m"][0]
    expected = 0.5 * (1.0 + np.cos(np.deg2rad(10.0))) + 0.12
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    near = points(dataset, [356.0, -4.0, 4.0], [0.0, 0.0, 0.0])["temperature_2m"][0]
    np.testing.assert_allclose(near, 1.0)


def test_degrees_across_the_date_line() -> None:
    dataset = of_degrees([30.0, 40.0], [170.0, 175.0, 180.0, 185.0, 190.0], lambda lon, lat: lon + lat)
    got = points(dataset, [-178.0, 182.0, -172.0], [35.0, 35.0, 35.0], "bilinear")["temperature_2m"][0]
    np.testing.assert_allclose(got, [217.0, 217.0, 223.0])
    with pytest.raises(InputError, match="outside"):
        points(dataset, 160.0, 35.0)


def test_a_missing_cell_of_no_weight_does_no_harm() -> None:
    dataset = of_degrees([30.0, 31.0], [130.0, 131.0], lambda lon, lat: lon)
    dataset["temperature_2m"][0, 1, 1] = np.nan
    assert float(points(dataset, 130.5, 30.0, "bilinear")["temperature_2m"][0]) == 130.5
    assert np.isnan(points(dataset, 130.5, 30.1, "bilinear")["temperature_2m"][0])


def test_lazy_and_each_chunk_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zarr.storage import LocalStore

    source = on_map({"temperature": linear})
    dataset = to_zarr(source, tmp_path / "s.zarr")
    reads: list[str] = []
    original = LocalStore.get

    async def get(self: Any, key: str, *arguments: Any, **options: Any) -> Any:
        if "temperature/c/" in key:
            reads.append(key)
        return await original(self, key, *arguments, **options)

    monkeypatch.setattr(LocalStore, "get", get)
    nx = SHAPE[2]
    rng = np.random.default_rng(1)
    j, i = rng.integers(0, 8, 300), rng.integers(0, nx, 300)
    for method in ("nearest", "bilinear"):
        reads.clear()
        lon, lat = source["lon"].values[j, i], source["lat"].values[j, i]
        got = points(dataset, lon, lat, method)["temperature"].isel(time=slice(0, 4), level=slice(0, 4))
        assert not reads
        np.testing.assert_allclose(got, source["temperature"].values[:4, :4, j, i], rtol=1e-9)
        assert len(reads) == len(set(reads))
        # Two of three rows of chunks; a place on a centre has a second row of weight zero.
        assert len(set(reads)) <= (8 if method == "nearest" else 12)


@settings(max_examples=20, deadline=None)
@given(piece=st.integers(1, 5000), tile=st.integers(1, 9), seed=st.integers(0, 99))
def test_pieces_make_no_difference(piece: int, tile: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = rng.normal(size=(5, 3, 8, 9))
    hidden = lazy.computed(
        dict(zip("abyx", whole.shape, strict=True)),
        float,
        lambda key: whole[np.ix_(*(np.arange(size)[one] for one, size in zip(key.values(), whole.shape, strict=True)))],
    )
    rows, columns = rng.integers(0, 8, 30), rng.integers(0, 9, 30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lazy, "PIECE", piece)
        patch.setattr(lazy, "TILE", tile)
        got = lazy.read_cells(hidden, ("y", "x"), {"a": slice(4, None, -2), "b": np.array([2, 0])}, rows, columns)
    np.testing.assert_array_equal(got, whole[4::-2][:, [2, 0]][..., rows, columns])
