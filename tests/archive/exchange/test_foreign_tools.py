"""NetCDF files opened by GDAL and CDO: the right cell at a longitude and latitude, on every map and both grid orders.

The place asked for lies at 0.45 cells from the centre of its cell, so that an error of a tenth of a cell, 2 km (an
ellipsoid for the sphere makes up to 20 km, another radius 0.8 km at 80 degrees of distance), finds a neighbour.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import kaiseki
from archive.exchange.grids import MAPS, NX, SPACING, archive, cells, domain, fields, on_degrees
from kaiseki.archive.exchange.netcdf import write_netcdf
from kaiseki.grid import Mercator

PLACES = [(3, 5, 0.45, -0.45), (10, 2, -0.45, 0.45), (6, 9, 0.45, 0.45)]
"""Row and column of a cell, and where in it, in cells."""


def tool(*command: str) -> str:
    """What a program prints; without the program the test is skipped, under continuous integration it fails."""
    if shutil.which(command[0]) is None:
        reason = f"{command[0]} is not installed; apt-get install the packages of tools/debian.txt"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason)
        pytest.skip(reason)
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{' '.join(command)}: {ended.stderr}"
    return ended.stdout


def by_gdal(file: Path, variable: str, lat: float, lon: float, band: int = 1, of: str = "-wgs84") -> float:
    raster = f"NETCDF:{file}:{variable}"
    return float(tool("gdallocationinfo", "-valonly", of, "-b", str(band), raster, repr(lon), repr(lat)))


def by_cdo(file: Path, variable: str, lat: float, lon: float, step: int = 1) -> float:
    place = f"-remapnn,lon={lon!r}_lat={lat!r}"
    printed = tool("cdo", "-s", "outputtab,value", place, f"-seltimestep,{step}", f"-selname,{variable}", str(file))
    return float(printed.split()[-1])


@pytest.fixture(scope="module", params=MAPS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """Kind of map, a file of it and one without latitude and longitude, which the grid mapping alone places."""
    folder = tmp_path_factory.mktemp(request.param)
    dataset = kaiseki.open(archive(folder / "run", request.param, hours=1), "background")
    bare = dataset[["temperature_2m"]].drop_vars(["lat", "lon"])
    return request.param, write_netcdf(dataset, folder / "whole.nc"), write_netcdf(bare, folder / "bare.nc")


def test_the_cell_at_a_longitude_and_latitude(written: tuple[str, Path, Path]) -> None:
    name, whole, bare = written
    where = domain(name)
    for j, i, dx, dy in PLACES:
        value = fields(1)["temperature_2m"][j, i]
        (lat,), (lon,) = (
            one.tolist() for one in where.projection.inverse(where.x[[i]] + dx * SPACING, where.y[[j]] + dy * SPACING)
        )
        assert by_gdal(whole, "temperature_2m", lat, lon, band=2) == pytest.approx(value, abs=1e-3)
        assert by_gdal(bare, "temperature_2m", lat, lon, band=2) == pytest.approx(value, abs=1e-3)
        assert by_cdo(whole, "temperature_2m", lat, lon, step=2) == pytest.approx(value, abs=1e-3)
        if not isinstance(where.projection, Mercator):  # which CDO knows by latitude and longitude alone
            assert by_cdo(bare, "temperature_2m", lat, lon, step=2) == pytest.approx(value, abs=1e-3)


def test_projection_and_sphere_as_the_tools_name_them(written: tuple[str, Path, Path]) -> None:
    name, whole, _ = written
    projection = MAPS[name][0]
    described = tool("gdalinfo", f"NETCDF:{whole}:temperature_2m")
    assert f",{projection.radius:.0f},0," in described.replace("\n", "").replace(" ", "")
    assert "Pixel Size = (20000.0" in described or "Pixel Size = (19999.99999" in described
    grids = tool("cdo", "-s", "griddes", str(whole))
    assert f"earth_radius = {projection.radius:.0f}." in grids
    summary = tool("cdo", "-s", "sinfo", str(whole))
    assert "1989-01-01 12:00:00  1989-01-01 13:00:00" in summary
    assert "x : " in summary


def test_gdal_warps_to_degrees(written: tuple[str, Path, Path], tmp_path: Path) -> None:
    """A map on a latitude-longitude grid has the values of the nearest cells."""
    name, whole, _ = written
    where = domain(name)
    j, i = 7, 6
    lat, lon = float(where.lat[j, i]), float(where.lon[j, i])
    box = [lon - 0.01, lat - 0.01, lon + 0.01, lat + 0.01]
    out = tmp_path / "warped.txt"
    warped = tmp_path / "warped.tif"
    raster = f"NETCDF:{whole}:temperature_2m"
    degrees = ["-t_srs", "EPSG:4326", "-te", *map(repr, box), "-tr", "0.02", "0.02"]
    tool("gdalwarp", "-q", *degrees, raster, str(warped))
    tool("gdal_translate", "-q", "-b", "1", "-of", "XYZ", str(warped), str(out))
    assert float(out.read_text().split()[2]) == pytest.approx(fields(0)["temperature_2m"][j, i], abs=1e-3)


@pytest.mark.parametrize("rising", [True, False])
@pytest.mark.parametrize("mapped", [True, False])
def test_degrees_in_either_order_of_latitude(tmp_path: Path, rising: bool, mapped: bool) -> None:
    file = write_netcdf(on_degrees(rising=rising, mapped=mapped), tmp_path / "degrees.nc")
    lat, lon = 30.0 + 0.25 * 4 + 0.1, 130.0 + 0.25 * 7 - 0.1
    value = cells()[4, 7] / 8.0
    assert value == (4 * NX + 7) / 8.0
    # Without a grid mapping GDAL has the axes alone.
    assert by_gdal(file, "precipitation", lat, lon, of="-wgs84" if mapped else "-geoloc") == pytest.approx(value)
    assert by_cdo(file, "precipitation", lat, lon) == pytest.approx(value)


def test_packed_values_are_unpacked(tmp_path: Path) -> None:
    dataset = kaiseki.open(archive(tmp_path / "run", hours=1), "background")
    file = write_netcdf(dataset, tmp_path / "packed.nc", "tight")
    where = domain("lambert")
    lat, lon = float(where.lat[3, 5]), float(where.lon[3, 5])
    for variable, bound in (("temperature_2m", 0.01), ("precipitation", 0.01)):
        value = float(dataset[variable].isel(time=1).values[3, 5])
        assert by_cdo(file, variable, lat, lon, step=2) == pytest.approx(value, abs=bound)
        stored = by_gdal(file, variable, lat, lon, band=2)
        scale = float(np.float32(xr_scale(file, variable)))
        assert stored * scale == pytest.approx(value, abs=bound), "GDAL gives what is stored, and the scale apart"


def xr_scale(file: Path, variable: str) -> float:
    import h5netcdf

    with h5netcdf.File(file, "r") as opened:
        return float(opened[variable].attrs["scale_factor"])
