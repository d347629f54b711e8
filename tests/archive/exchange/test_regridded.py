"""Datasets on other grids: values, metadata, laziness, and what is refused.

What can go wrong:
- components of a wind are regridded one by one, or one of them alone; a spread is turned like a wind;
- flags, directions or components along the grid's axes are averaged;
- the map of the metadata is not that of the positions, has another origin, or is one of an ellipsoid;
- all times are read at once, or other times or levels than those asked for;
- attributes, bounds of time, levels or terrain are lost, or stale positions and encodings stay.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import xarray as xr

import kaiseki
from archive.runs import small_domain, whole_run
from kaiseki.archive.exchange.regridded import grid_of, regridded
from kaiseki.archive.store.metadata import grid_mapping
from kaiseki.core.errors import InputError
from kaiseki.grid import LambertConformal, Mercator, PolarStereographic, Projection
from kaiseki.grid.regridding import LatLonGrid, MapGrid, bilinear, conservative

TARGET = LatLonGrid(np.linspace(36.2, 34.8, 8), np.linspace(135.4, 137.6, 9))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    return kaiseki.open(whole_run(tmp_path_factory.mktemp("run") / "analysis.store", 2), "background")


def on_map(projection: Projection, lat: float, lon: float, **more: Any) -> xr.Dataset:
    """A field over a map of 6 x 7 cells, with its grid mapping."""
    x, y = projection.forward(np.asarray(lat), np.asarray(lon))
    axes = {"y": y + 40e3 * np.arange(6), "x": x + 40e3 * np.arange(7)}
    meta = {name: {"standard_name": f"projection_{name}_coordinate", "units": "m"} for name in axes}
    coordinates = {name: (name, values, meta[name]) for name, values in axes.items()}
    return xr.Dataset(
        {"a": (("y", "x"), np.arange(42.0).reshape(6, 7), {"grid_mapping": "crs"}), **more},
        coordinates | {"crs": ((), 0, grid_mapping(projection))},
    )


def test_the_grid_of_a_run_is_that_of_its_domain(run: xr.Dataset) -> None:
    grid, domain = grid_of(run), small_domain()
    assert isinstance(grid, MapGrid)
    assert grid.projection == domain.projection
    np.testing.assert_array_equal(grid.x, domain.x)
    np.testing.assert_array_equal(grid.y, domain.y)


@pytest.mark.parametrize("method", ["bilinear", "conservative"])
def test_values_are_those_of_the_operator_for_every_time_and_level(run: xr.Dataset, method: str) -> None:
    operator = (bilinear if method == "bilinear" else conservative)(grid_of(run), TARGET)
    result = regridded(run, TARGET, method)
    assert result["temperature"].dims == ("time", "level", "lat", "lon")
    for name in ("temperature", "pressure", "temperature_2m", "precipitation", "terrain", "altitude"):
        np.testing.assert_array_equal(result[name].values, operator(run[name].values))
        assert np.isfinite(result[name].values).any()
    for got, expected in zip(
        (result["eastward_wind"], result["northward_wind"]),
        operator.wind(run["eastward_wind"].values, run["northward_wind"].values),
        strict=True,
    ):
        np.testing.assert_array_equal(got.values, expected)
    assert not np.array_equal(operator(run["eastward_wind"].values), result["eastward_wind"].values)


def test_metadata_are_kept_and_made_true(run: xr.Dataset) -> None:
    result = regridded(run, TARGET, "conservative")
    assert set(result.data_vars) == set(run.data_vars)
    for name in run.data_vars:
        for key in ("standard_name", "long_name", "units"):
            assert result[name].attrs.get(key) == run[name].attrs.get(key)
    assert result["temperature"].attrs["cell_methods"] == "time: point area: mean"
    assert result["precipitation"].attrs["cell_methods"] == "time: sum area: mean"
    assert regridded(run, TARGET)["precipitation"].attrs["cell_methods"] == "time: sum"
    xr.testing.assert_identical(result["time_bnds"].variable, run["time_bnds"].variable)
    for name in ("time", "level", "decay", "height_2m"):
        xr.testing.assert_identical(result[name].variable, run[name].variable)
    assert "x" not in result.variables
    assert result["temperature"].encoding == {"coordinates": "altitude"}
    assert result["crs"].attrs == {"grid_mapping_name": "latitude_longitude", "earth_radius": 6_371_000.0}
    assert result["lat"].attrs["units"] == "degrees_north"
    np.testing.assert_array_equal(result["lat"], TARGET.lat)
    assert result.attrs["citation"] == run.attrs["citation"]
    assert result.attrs["history"].startswith(run.attrs["history"] + "\n")
    assert "regridded (conservative) by Kaiseki" in result.attrs["history"]


def test_a_dataset_comes_back_from_the_grid_it_was_put_on(run: xr.Dataset) -> None:
    """The grid of the result is the target, on maps and on latitudes and longitudes, and it can be written and read."""
    domain = small_domain()
    inner = MapGrid(domain.projection, domain.x[1:-1], domain.y[1:-1][::-1])
    result = regridded(run, inner)
    again = grid_of(result)
    assert isinstance(again, MapGrid)
    assert again.projection == inner.projection
    np.testing.assert_array_equal(again.y, inner.y)
    np.testing.assert_allclose(result["temperature"], run["temperature"][..., 1:-1, 1:-1][..., ::-1, :], rtol=1e-6)
    assert result["temperature"].encoding == {"coordinates": "lat lon altitude"}
    other = grid_of(regridded(run, TARGET))
    assert isinstance(other, LatLonGrid)
    np.testing.assert_array_equal(other.lat, TARGET.lat)


def test_it_can_be_written_as_netcdf(run: xr.Dataset, tmp_path: Path) -> None:
    result = regridded(run, TARGET)
    result.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as back:
        np.testing.assert_array_equal(back["temperature"], result["temperature"])
        assert back["temperature"].attrs["grid_mapping"] == "crs"


class Counted(xr.backends.BackendArray):
    """An array that writes down which part of it is read."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.read: list[tuple[int, ...]] = []

    def __getitem__(self, key: Any) -> Any:
        from xarray.core import indexing

        def get(key: tuple[Any, ...]) -> np.ndarray:
            part = self.values[key]
            self.read.append(part.shape)
            return part

        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, get)


def test_nothing_is_read_before_it_is_asked_for_and_then_no_more_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    from xarray.core import indexing

    from kaiseki.archive.exchange import regridded as module

    values = np.random.default_rng(0).normal(size=(5, 3, 6, 7))
    counted = Counted(values)
    dataset = on_map(LambertConformal(), 35.0, 135.0)
    dataset["b"] = xr.Variable(("time", "level", "y", "x"), indexing.LazilyIndexedArray(counted))
    result = regridded(dataset, TARGET)
    assert counted.read == []
    operator = bilinear(grid_of(dataset), TARGET)
    np.testing.assert_array_equal(result["b"][3, 1, 2:5, [0, 3]].values, operator(values[3, 1])[2:5, [0, 3]])
    assert counted.read == [(6, 7)]
    np.testing.assert_array_equal(result["b"][[4, 0], :, 2].values, operator(values[[4, 0]])[:, :, 2])
    np.testing.assert_array_equal(result["b"].isel(lat=1, lon=4).values, operator(values)[..., 1, 4])
    counted.read.clear()
    monkeypatch.setattr(module, "_AT_ONCE", 2 * 3 * 6 * 7 * 8)
    np.testing.assert_array_equal(result["b"].values, operator(values))
    assert counted.read == [(2, 3, 6, 7), (2, 3, 6, 7), (1, 3, 6, 7)]


def test_axes_may_stand_in_any_order() -> None:
    dataset = on_map(LambertConformal(), 35.0, 135.0)
    values = np.random.default_rng(0).normal(size=(7, 2, 6))
    dataset["b"] = (("x", "time", "y"), values)
    result = regridded(dataset, TARGET)["b"]
    assert result.dims == ("time", "lat", "lon")
    np.testing.assert_array_equal(result, bilinear(grid_of(dataset), TARGET)(values.transpose(1, 2, 0)))


def test_vectors_are_found_by_their_names_and_statistics_of_components_are_scalars() -> None:
    over = ("y", "x")
    random = np.random.default_rng(1)
    names = {
        "u10": "eastward_wind",
        "v10": "northward_wind",
        "u100": "eastward_wind",
        "v100": "northward_wind",
        "stress_e": "surface_downward_eastward_stress",
        "stress_n": "surface_downward_northward_stress",
        "eastward_wind_spread": "eastward_wind standard_error",
    }
    more = {name: (over, random.normal(size=(6, 7)), {"standard_name": word}) for name, word in names.items()}
    most = {"standard_name": "eastward_wind", "cell_methods": "time: maximum", "comment": "Gusts."}
    dataset = on_map(LambertConformal(), 35.0, 135.0, **more, fastest=(over, random.normal(size=(6, 7)), most))
    result, operator = regridded(dataset, TARGET), bilinear(grid_of(dataset), TARGET)
    for east, north in (("u10", "v10"), ("u100", "v100"), ("stress_e", "stress_n")):
        expected = operator.wind(dataset[east].values, dataset[north].values)
        np.testing.assert_array_equal([result[east], result[north]], expected)
        assert "comment" not in result[east].attrs
    for name in ("eastward_wind_spread", "fastest"):
        np.testing.assert_array_equal(result[name], operator(dataset[name].values))
        assert "scalar" in result[name].attrs["comment"]
    assert result["fastest"].attrs["comment"].startswith("Gusts. ")


@pytest.mark.parametrize(
    ("projection", "lat", "options"),
    [
        (LambertConformal(30.0, 60.0, 140.0), 35.0, {"proj": "lcc", "lat_1": 30, "lat_2": 60, "lat_0": 38, "x_0": 5e5}),
        (LambertConformal(-35.0, -35.0, 140.0), -35.0, {"proj": "lcc", "lat_1": -35, "lat_0": -35, "y_0": -2e5}),
        (Mercator(20.0, 140.0), 15.0, {"proj": "merc", "lat_ts": 20, "x_0": 1e6}),
        (PolarStereographic(-71.0, 140.0), -75.0, {"proj": "stere", "lat_0": -90, "lat_ts": -71, "y_0": 3e6}),
    ],
)
def test_the_origin_of_a_foreign_map_is_taken_from_its_metadata(
    projection: Projection, lat: float, options: dict[str, Any]
) -> None:
    """Coordinates by PROJ, metadata by PROJ, kilometres: the places of the grid are those of PROJ."""
    crs = pyproj.CRS({**options, "lon_0": 140, "R": projection.radius})
    there = pyproj.Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
    x, y = there.transform(138.0, lat)
    x, y = (c + 30e3 * np.arange(n) for c, n in ((x, 5), (y, 4)))
    lon, lat_2d = there.transform(*np.meshgrid(x, y), direction="INVERSE")
    km = {"units": "km"}
    dataset = xr.Dataset(
        {"a": (("y", "x"), np.zeros((4, 5)))},
        {
            "y": ("y", y / 1e3, {"standard_name": "projection_y_coordinate"} | km),
            "x": ("x", x / 1e3, {"standard_name": "projection_x_coordinate"} | km),
            "map": ((), 0, crs.to_cf()),
        },
    )
    grid = grid_of(dataset)
    assert isinstance(grid, MapGrid)
    assert grid.projection == projection
    np.testing.assert_allclose(grid.points(), [lat_2d, lon], atol=1e-8)


def test_longitudes_that_jump_at_the_date_line_go_on() -> None:
    lon = np.array([178.0, 179.0, -180.0, -179.0])
    grid = grid_of(xr.Dataset(coords={"lat": [1.0, 0.0], "lon": lon}))
    assert isinstance(grid, LatLonGrid)
    np.testing.assert_allclose(grid.lon, [178.0, 179.0, 180.0, 181.0])


def changed(dataset: xr.Dataset, **attributes: Any) -> xr.Dataset:
    result = dataset.copy()
    result["crs"] = ((), 0, {k: v for k, v in (dataset["crs"].attrs | attributes).items() if v is not None})
    return result


MAP = on_map(LambertConformal(), 35.0, 135.0)
PLANE = ("y", "x")


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (MAP.assign(f=(PLANE, np.zeros((6, 7), int))), "'f' holds flags or whole numbers"),
        (MAP.assign(f=(PLANE, np.zeros((6, 7)), {"flag_meanings": "a b"})), "flags"),
        (MAP.assign(d=(PLANE, np.zeros((6, 7)), {"standard_name": "wind_from_direction"})), "'d' is a direction"),
        (MAP.assign(w=(PLANE, np.zeros((6, 7)), {"standard_name": "x_wind"})), "along the axes of the grid"),
        (MAP.assign(e=(PLANE, np.zeros((6, 7)), {"standard_name": "eastward_wind"})), "needs the northward one"),
        (MAP.assign(z=("y", np.zeros(6))), "lies along y alone"),
        (MAP.drop_vars("crs"), "no grid mapping variable"),
        (MAP.drop_vars(["x", "y"]), "no horizontal grid"),
        (changed(MAP, grid_mapping_name="rotated_latitude_longitude"), "rotated_latitude_longitude is not supported"),
        (changed(MAP, earth_radius=None), "radius of its sphere"),
        (changed(MAP, semi_major_axis=6378137.0, inverse_flattening=298.257), "of an ellipsoid"),
        (changed(MAP, standard_parallel=None), "lacks standard_parallel"),
        (changed(MAP, latitude_of_projection_origin=None), "lacks latitude_of_projection_origin"),
        (
            MAP.assign_coords(lat=(PLANE, np.full((6, 7), 35.0)), lon=(PLANE, np.full((6, 7), 135.0))),
            "one of them is wrong",
        ),
        (MAP.assign_coords(x=("x", MAP["x"].values, MAP["x"].attrs | {"units": "degrees"})), "expected m or km"),
    ],
)
def test_what_cannot_be_regridded_is_refused_in_one_sentence(dataset: xr.Dataset, words: str) -> None:
    with pytest.raises(InputError, match=words):
        regridded(dataset, TARGET)


def test_two_components_that_could_be_either_pair_are_refused() -> None:
    def wind(word: str) -> Any:
        return (PLANE, np.zeros((6, 7)), {"standard_name": f"{word}_wind"})

    dataset = MAP.assign(a10=wind("eastward"), b10=wind("northward"), c50=wind("eastward"), d50=wind("northward"))
    with pytest.raises(InputError, match="component of a vector"):
        regridded(dataset, TARGET)


def test_a_method_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match="bilinear and conservative"):
        regridded(MAP, TARGET, "nearest")
