"""Voids without a no-data value in files of terrain and land: neither may they become terrain nor vanish in silence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import xarray as xr

from kaiseki.config import DomainSettings as Section
from kaiseki.config.reading import validated
from kaiseki.core.errors import InputError
from kaiseki.grid.build import domain_from_section
from kaiseki.grid.domain import Domain
from kaiseki.grid.sources import open_raster

ROWS, COLUMNS, STEP, NORTH, WEST = 40, 60, 0.25, 42.0, 130.0
VOID = (18, 28)  # row from the north and column: centre at 37.375N 137.125E


def heights() -> np.ndarray:
    """A gentle slope from 100 m in the south to 500 m in the north."""
    return np.repeat(np.linspace(500.0, 100.0, ROWS)[:, None], COLUMNS, axis=1)


def write(path: Path, values: np.ndarray, variable: str = "orog", units: str = "m") -> str:
    lat = NORTH - STEP * (np.arange(ROWS) + 0.5)
    lon = WEST + STEP * (np.arange(COLUMNS) + 0.5)
    if path.suffix == ".nc":
        dataset = xr.Dataset({variable: (("lat", "lon"), values, {"units": units})}, {"lat": lat, "lon": lon})
        dataset.to_netcdf(path, engine="scipy")
    else:
        tags = [(33550, "d", 3, (STEP, STEP, 0.0), True), (33922, "d", 6, (0.0, 0.0, 0.0, WEST, NORTH, 0.0), True)]
        tifffile.imwrite(path, values.astype(np.float32), extratags=tags)
    return path.name


def section(folder: Path, terrain: tuple[str, ...], land: np.ndarray | float = 1.0, **more: Any) -> Section:
    mask = write(folder / "land.nc", np.broadcast_to(land, (ROWS, COLUMNS)).astype(float), "lsm", "1")
    values = {
        "spacing": 50e3,
        "shape": (12, 14),
        "reference_latitude": 37.0,
        "reference_longitude": 137.5,
        "standard_parallels": (30.0, 60.0),
        "central_longitude": 137.5,
        "rim_width": 3,
        "terrain": "files",
        "terrain_smoothing": 0.0,
        "terrain_files": terrain,
        "mask_files": (mask,),
    }
    return validated(Section, values | more, "test")


def build(folder: Path, *arguments: Any, **more: Any) -> Domain:
    return domain_from_section(section(folder, *arguments, **more), folder)


@pytest.mark.parametrize("void", [-9999.0, -32768.0, -501.0, 9999.0, 32767.0, 1e20])
@pytest.mark.parametrize("form", ["tif", "nc"])
def test_a_void_on_land_is_refused_with_file_and_pixel(void: float, form: str, tmp_path: Path) -> None:
    values = heights()
    values[VOID] = void
    name = write(tmp_path / f"dem.{form}", values)
    with pytest.raises(InputError, match=r"pixel 37\.3750N 137\.1250E, where -500 to 9000 is possible") as caught:
        build(tmp_path, (name,))
    assert str(tmp_path / name) in str(caught.value)
    assert f"{void:g}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_masked_void_is_filled_by_the_next_file_or_the_rest_of_the_cell(tmp_path: Path) -> None:
    values = heights()
    values[VOID] = -9999.0
    holed, whole = write(tmp_path / "holed.tif", values), write(tmp_path / "whole.tif", heights())
    exact = build(tmp_path, (whole,)).terrain
    filled = build(tmp_path, (holed, whole), terrain_voids="mask").terrain
    # The same pixels, only that a pixel's slope ends at a gap.
    np.testing.assert_allclose(filled, exact, atol=1.0)
    # A pixel is smaller than a cell: what is left of the cell stands for it.
    alone = build(tmp_path, (holed,), terrain_voids="mask").terrain
    np.testing.assert_allclose(alone, exact, atol=10.0)


def test_masked_voids_without_another_file_leave_cells_without_data(tmp_path: Path) -> None:
    values = heights()
    values[VOID[0] - 3 : VOID[0] + 3, VOID[1] - 3 : VOID[1] + 3] = -9999.0
    name = write(tmp_path / "holed.tif", values)
    with pytest.raises(InputError, match="leave 8 of the 168 cells of domain without data"):
        build(tmp_path, (name,), terrain_voids="mask")


def test_what_does_not_count_may_be_anything(tmp_path: Path) -> None:
    """The floor of the sea, what lies outside the domain, and what a finer file covers."""
    exact = build(tmp_path, (write(tmp_path / "whole.tif", heights()),)).terrain
    outside = heights()
    outside[:3] = outside[:, -3:] = -9999.0
    np.testing.assert_array_equal(build(tmp_path, (write(tmp_path / "outside.tif", outside),)).terrain, exact)
    covered = np.full((ROWS, COLUMNS), -9999.0)
    both = ("whole.tif", write(tmp_path / "covered.tif", covered))
    np.testing.assert_array_equal(build(tmp_path, both).terrain, exact)
    land = np.ones((ROWS, COLUMNS))
    land[:, :30] = 0.0
    deep = np.where(land > 0.0, heights(), -6000.0)
    sea = build(tmp_path, (write(tmp_path / "deep.tif", deep),), land)
    assert sea.terrain.min() == 0.0
    np.testing.assert_array_equal(sea.terrain[:, -3:], exact[:, -3:])


def test_the_void_of_a_real_file(data: Path, tmp_path: Path) -> None:
    """Terrain of the north-west Pacific with one pixel of -9999 and no tag that says so, in the Aleutians."""
    there = {"reference_latitude": 55.0, "reference_longitude": -170.0, "central_longitude": -170.0, "shape": (20, 24)}
    files = {
        "terrain_files": (str(data / "faults" / "one_void_untagged.tif"),),
        "mask_files": (str(data / "static" / "era5_lsm_0p25.nc"),),
    }
    with pytest.raises(InputError, match=r"one_void_untagged\.tif: has the value -9999 at the pixel"):
        build(tmp_path, (), **there, **files)
    masked = build(tmp_path, (), **there, **files, terrain_voids="mask")
    assert masked.terrain.min() > -50.0


def test_a_land_fraction_beside_missing_values_is_checked(tmp_path: Path) -> None:
    values = np.ones((ROWS, COLUMNS))
    values[0, 0], values[VOID] = np.nan, -9999.0
    for form in ("tif", "nc"):
        path = tmp_path / f"mask.{form}"
        write(path, values, "lsm", "1")
        with pytest.raises(InputError, match=r"from 0 to 1|expected 0 to 1"):
            open_raster(path, "land")
