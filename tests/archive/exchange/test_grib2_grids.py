"""Grids of GRIB 2 files: JMA's, others around a domain, and its own map.

Failure modes: points moved by half a cell, by the radius of another sphere or by the scanning mode; winds turned twice
or not at all; values invented outside the domain; a grid at the date line that goes around the Earth.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from archive.exchange.grib2_cases import HOUR, SURFACE, TIMES, UPPER, keys_of, on_map
from kaiseki.archive.exchange.grib2 import write_grib2
from kaiseki.archive.exchange.grib2_grids import grid_around
from kaiseki.archive.exchange.jma_form import axes
from kaiseki.archive.exchange.mapping import grid_of
from kaiseki.archive.products.pressure_levels import JMA_PRESSURE_LEVELS
from kaiseki.archive.store.metadata import grid_mapping
from kaiseki.core.errors import InputError
from kaiseki.core.variables import VARIABLES
from kaiseki.driving import read_global
from kaiseki.formats.grib.library import eccodes
from kaiseki.formats.grib.messages import single_fields
from kaiseki.formats.grib.packing import unpack
from kaiseki.grid import LambertConformal, Mercator
from kaiseki.grid.regridding import bilinear


def test_the_map_itself_read_by_the_driving_reader(tmp_path: Path) -> None:
    dataset = on_map(UPPER)
    path = tmp_path / "upper.grib2"
    write_grib2(dataset, path, "pressure", grid="own")
    keys = keys_of(path, "gridType", "uvRelativeToGrid", "shapeOfTheEarth", "radius", "scanningMode")
    assert set(keys) == {("lambert", 0, 1, 6_371_000.0, 64)}
    found = read_global(path)
    assert found["eastward_wind"].sizes["time"] == 2
    for theirs, ours in (("eastward_wind", "eastward_wind"), ("air_temperature", "temperature")):
        upper = found[theirs].sel(pressure=85_000.0).values
        expected = dataset[ours].sel(pressure=85_000.0).values
        assert np.abs(upper.astype(float) - expected).max() <= VARIABLES[ours].bound + 1e-4, ours


def test_points_of_the_map_lie_where_they_are(tmp_path: Path) -> None:
    dataset, path = on_map(SURFACE).isel(time=[0]), tmp_path / "surface.grib2"
    write_grib2(dataset, path, grid="own")
    handle = eccodes.codes_new_from_message(next(single_fields(path))[1])
    lat, lon = (eccodes.codes_get_array(handle, name) for name in ("latitudes", "longitudes"))
    eccodes.codes_release(handle)
    # A millionth of a degree of the first point is 0.1 m.
    np.testing.assert_allclose(lat, dataset["lat"].values.ravel(), atol=3e-6)
    np.testing.assert_allclose(lon, dataset["lon"].values.ravel(), atol=3e-6)


def test_grids_that_are_refused(tmp_path: Path) -> None:
    dataset, path = on_map(SURFACE).isel(time=[0]), tmp_path / "surface.grib2"
    uneven = dataset.isel(x=[0, 1, 3, 4])
    with pytest.raises(InputError, match="no single even spacing"):
        write_grib2(uneven, path, grid="own")
    projection = Mercator(parallel=35.0, central_longitude=135.0)
    places = dict(zip(("lat", "lon"), projection.inverse(*np.meshgrid(dataset["x"], -dataset["y"])), strict=True))
    mercator = dataset.assign_coords(
        {name: (("y", "x"), values) for name, values in places.items()}
        | {"y": -dataset["y"].values, "crs": ((), 0, grid_mapping(projection))}
    )
    with pytest.raises(InputError, match="Lambert conformal grids alone, not on mercator"):
        write_grib2(mercator, path, grid="own")
    assert write_grib2(mercator, path)[0].fields == 8
    with pytest.raises(InputError, match="'jma', 'own' or a LatLonGrid, not 'native'"):
        write_grib2(dataset, path, grid="native")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must be positive"):
        grid_around(dataset, (0.1, 0.0))


def on_wide_map() -> xr.Dataset:
    """Fields on a map over Japan which follow from latitude and longitude: its wind is a rotation of the Earth."""
    projection = LambertConformal()
    x0, y0 = (float(part) for part in projection.forward(np.asarray(35.0), np.asarray(136.0)))
    x, y = x0 + 100e3 * np.arange(-24, 25), y0 + 100e3 * np.arange(-24, 25)
    lat, lon = projection.inverse(*np.meshgrid(x, y))
    made = {
        "temperature_2m": 300.0 - 0.5 * (lat - 20.0),
        "eastward_wind_10m": 20.0 * np.cos(np.deg2rad(lat)),
        "northward_wind_10m": np.zeros_like(lat),
        "precipitation": 5.0 + 0.1 * (lat - 20.0),
    }
    dataset = xr.Dataset(
        {name: (("time", "y", "x"), values[None], VARIABLES[name].attributes()) for name, values in made.items()}
        | {"time_bnds": (("time", "bounds"), np.stack([TIMES[:1] - HOUR, TIMES[:1]], axis=1))},
        {"time": TIMES[:1], "y": y, "x": x, "crs": ((), 0, grid_mapping(projection))},
        {"kind": "analysis"},
    )
    return dataset.assign_coords(lat=(("y", "x"), lat), lon=(("y", "x"), lon))


def test_the_grid_of_jma_is_taken_when_the_domain_covers_it(tmp_path: Path) -> None:
    (written,) = write_grib2(on_wide_map(), tmp_path)
    assert written.path.name == "KAISEKI_19890101120000_RRA_GPV_Rjp_Lsurf_ANAL_grib2.bin"
    assert set(keys_of(written.path, "Ni", "Nj", "iDirectionIncrement", "jDirectionIncrement", "bitmapPresent")) == {
        (481, 505, 62_500, 50_000, 0)
    }
    lat, _ = axes("surface")
    found = {
        name: unpack(message).reshape(505, 481)
        for (name,), (_, message) in zip(keys_of(written.path, "shortName"), single_fields(written.path), strict=True)
    }
    # Bilinear interpolation on a map of 100 km errs where the latitude bends along x and y.
    expected = {"2t": 300.0 - 0.5 * (lat - 20.0), "10u": 20.0 * np.cos(np.deg2rad(lat)), "10v": 0.0 * lat}
    for name, values in expected.items():
        assert np.abs(found[name] - values[:, None]).max() < 0.03, name
    assert np.abs(found["unknown"] - (5.0 + 0.1 * (lat - 20.0))[:, None]).max() < 0.1


def test_the_grid_of_jma_has_holes_where_the_domain_does_not_reach(tmp_path: Path) -> None:
    path = tmp_path / "upper.grib2"
    write_grib2(on_map(UPPER).isel(time=[0]), path, "pressure", grid="jma")
    assert set(keys_of(path, "Ni", "Nj", "bitmapPresent")) == {(241, 253, 1)}
    values = unpack(next(single_fields(path))[1])
    assert 0 < np.isfinite(values).sum() < 0.1 * values.size


def test_a_grid_around_a_small_domain(tmp_path: Path) -> None:
    dataset = on_map(SURFACE).isel(time=[0])
    (written,) = write_grib2(dataset, tmp_path)
    assert "_Gll0p0625x0p05deg_" in written.path.name
    around = grid_around(dataset, (0.1, 0.125))
    lat, lon = dataset["lat"].values, dataset["lon"].values
    assert lat.max() - 0.1 <= around.lat[0] <= lat.max()
    assert lat.min() - 1e-9 <= around.lat[-1] <= lat.min() + 0.1
    assert lon.min() - 1e-9 <= around.lon[0] <= lon.min() + 0.125
    assert lon.max() - 0.125 <= around.lon[-1] <= lon.max()
    assert np.allclose(around.lat * 10.0, np.round(around.lat * 10.0))
    path = tmp_path / "around.grib2"
    write_grib2(dataset, path, grid=around)
    assert set(keys_of(path, "Ni", "Nj")) == {(around.lon.size, around.lat.size)}
    names = [f"{name}_10m" for name in ("eastward_wind", "northward_wind")]
    expected = bilinear(grid_of(dataset), around).wind(*(dataset[name].values[0] for name in names))
    for (name,), (_, message) in zip(keys_of(path, "shortName"), single_fields(path), strict=True):
        if name in ("10u", "10v"):
            wanted = expected[name == "10v"].ravel().astype(float)
            found = unpack(message)
            assert np.array_equal(np.isnan(found), np.isnan(wanted))
            assert np.nanmax(np.abs(found - wanted)) <= VARIABLES["eastward_wind_10m"].bound + 1e-9


def test_a_grid_around_a_domain_across_the_date_line() -> None:
    projection = LambertConformal(central_longitude=180.0)
    x0, y0 = (float(part) for part in projection.forward(np.asarray(35.0), np.asarray(180.0)))
    axis = 50e3 * np.arange(-10, 11)
    coordinates = {"y": y0 + axis, "x": x0 + axis, "crs": ((), 0, grid_mapping(projection))}
    around = grid_around(xr.Dataset({}, coordinates), (0.5, 0.5))
    assert around.lon[0] < 180.0 < around.lon[-1]
    assert around.lon[-1] - around.lon[0] < 15.0


def test_the_grids_and_levels_of_jma() -> None:
    for form, shape in (("surface", (505, 481)), ("pressure", (253, 241))):
        lat, lon = axes(form)
        assert (lat.size, lon.size) == shape
        assert (lat[0], lat[-1], lon[0], lon[-1]) == (47.6, 22.4, 120.0, 150.0)
    assert (len(JMA_PRESSURE_LEVELS), JMA_PRESSURE_LEVELS[0], JMA_PRESSURE_LEVELS[-1]) == (16, 100_000.0, 10_000.0)
