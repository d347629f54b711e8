"""The same content in every layout is the same state.

What can go wrong: an axis is read the wrong way round; a longitude convention shifts the fields; a split by time,
variable or level loses or mixes fields; a domain across Greenwich or the date line is cut at the seam; a unit or a name
means something else in another layout.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from driving import relaid
from driving.cases import PlainDomain
from kaiseki.core.constants import GRAVITY
from kaiseki.core.errors import InputError
from kaiseki.driving import atmosphere_on_domain, open_driving, read_joined

CONTENT = relaid.content()


def check_same(found: xr.Dataset, limit: float = 1e-6) -> None:
    """Every field of the content, at its own points, within a part of its range."""
    for name in relaid.PARAMETERS:
        wanted = CONTENT[name].values
        cf = "geopotential_height" if name == "geopotential" else name
        got = found[cf].values * (GRAVITY if name == "geopotential" else 1.0)
        np.testing.assert_allclose(got, wanted, atol=limit * np.ptp(wanted), rtol=0, err_msg=name)
    np.testing.assert_array_equal(found["time"].values.astype("datetime64[s]"), relaid.TIMES)
    np.testing.assert_allclose(found["pressure"].values, relaid.LEVELS)
    np.testing.assert_allclose(found["latitude"].values, CONTENT["latitude"].values)
    np.testing.assert_allclose(found["longitude"].values, CONTENT["longitude"].values)


@pytest.mark.parametrize("name", relaid.WHOLE)
def test_one_file_in_each_layout(tmp_path: Path, name: str) -> None:
    check_same(read_joined([relaid.WHOLE[name](CONTENT, tmp_path / name)]))


def test_jra_55(tmp_path: Path) -> None:
    upper = [n for n in CONTENT.data_vars if "pressure" in CONTENT[n].dims]
    files = [
        relaid.jra_55(CONTENT[upper], tmp_path / "anl_p125"),
        relaid.grib_1(CONTENT.drop_vars(upper), tmp_path / "anl_surf125"),
    ]
    check_same(read_joined(files))


@pytest.mark.parametrize("way", ["time", "variable", "level", "surface"])
def test_files_split_in_any_way(tmp_path: Path, way: str) -> None:
    check_same(read_joined(relaid.split(CONTENT, tmp_path, way)))


def test_formats_are_mixed(tmp_path: Path) -> None:
    upper = [n for n in CONTENT.data_vars if "pressure" in CONTENT[n].dims]
    files = [
        relaid.grib(CONTENT[upper[:3]], tmp_path / "tuv.grib2"),
        relaid.first_generation(CONTENT[upper[3:]], tmp_path / "zq.nc"),
        relaid.grib_1(CONTENT.drop_vars(upper), tmp_path / "surface.grib1"),
    ]
    check_same(read_joined(files))


@pytest.mark.parametrize("centre", [140.0, 0.0, 180.0])
def test_a_domain_takes_the_same_from_all(tmp_path: Path, centre: float) -> None:
    """Also across Greenwich and the date line, and with regional files whose own seam lies there."""
    domain = PlainDomain(longitude=centre, nx=5, ny=4, nz=6, top=14000.0, spacing=200e3)
    time = relaid.TIMES[0] + np.timedelta64(2, "h")
    wanted = atmosphere_on_domain(read_joined([relaid.first_generation(CONTENT, tmp_path / "whole.nc")]), domain, time)
    region = CONTENT.assign_coords(longitude=(CONTENT["longitude"] - centre + 180.0) % 360.0 - 180.0 + centre)
    region = region.sortby("longitude").sel(longitude=slice(centre - 75.0, centre + 75.0))
    files = {
        "shifted": relaid.shifted(CONTENT, tmp_path / "shifted.nc"),
        "store": relaid.arco(CONTENT, tmp_path / "arco.zarr"),
        "region": relaid.second_generation(region, tmp_path / "region.nc"),
    }
    for name, path in files.items():
        data = open_driving([path], domain)
        found = atmosphere_on_domain(data, domain, time)
        for field, values in wanted.items():
            scale = max(float(np.ptp(values)), 1e-9)
            np.testing.assert_allclose(found[field], values, atol=1e-6 * scale, rtol=1e-9, err_msg=f"{name} {field}")
        # A regional file read as a whole, from 0 to 360, has its gap inside.
        if name == "region":
            again = atmosphere_on_domain(read_joined([path]), domain, time)
            np.testing.assert_allclose(again["temperature"], wanted["temperature"], rtol=1e-7)


def test_two_times_at_most_are_kept_and_only_what_the_domain_needs(tmp_path: Path) -> None:
    domain = PlainDomain(nx=5, ny=4, nz=6, top=14000.0)
    data = open_driving([relaid.first_generation(CONTENT, tmp_path / "whole.nc")], domain)
    for hour in (1, 7, 11):
        data.at(relaid.TIMES[0] + np.timedelta64(hour, "h"))
        assert len(data._kept) <= 2
    assert data.window.y.size < CONTENT.sizes["latitude"]
    assert data.window.x.size < CONTENT.sizes["longitude"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    times = relaid.split(CONTENT, tmp_path, "time")
    data = open_driving([path for path in times if path.name != "time_1.nc"])
    # Two times alone are regular in themselves: nothing tells that there was one between.
    assert data.gaps(relaid.TIMES[0], relaid.TIMES[-1]).size == 0
    six = np.timedelta64(6, "h")
    more = xr.concat([CONTENT.assign_coords(time=relaid.TIMES + k * 3 * six) for k in range(2)], "time")
    gap = relaid.second_generation(more.isel(time=[0, 1, 2, 4, 5]), tmp_path / "gap.nc")
    with pytest.raises(InputError, match=r"gap\.nc: the driving data are 6-hourly but lack 2000-01-01T18"):
        open_driving([gap]).check_gaps(relaid.TIMES[0], relaid.TIMES[0] + 5 * six)
    open_driving([gap]).check_gaps(relaid.TIMES[0], relaid.TIMES[-1])
    files = relaid.split(CONTENT, tmp_path, "variable")
    with pytest.raises(InputError, match="only one of the two wind components"):
        open_driving([path for path in files if path.name != "variable_4.nc"])
    thin = CONTENT.copy()
    thin_wind = thin[["eastward_wind"]].isel(pressure=slice(1, None))
    parts = [
        relaid.second_generation(thin.drop_vars("eastward_wind"), tmp_path / "most.nc"),
        relaid.second_generation(thin_wind, tmp_path / "wind.nc"),
    ]
    with pytest.raises(InputError, match=r"wind\.nc: eastward_wind is missing at 1000 hPa"):
        open_driving(parts)
    parts[1] = relaid.second_generation(thin[["eastward_wind"]].isel(time=[0, 2]), tmp_path / "twice.nc")
    with pytest.raises(InputError, match=r"eastward_wind, which is missing at 2000-01-01T06"):
        open_driving(parts)
    lower = CONTENT.sel(pressure=slice(50000.0, None))
    with pytest.raises(InputError, match=r"the lowest level \(500 hPa\) lies \d+ m over the domain's ground"):
        atmosphere_on_domain(
            open_driving([relaid.first_generation(lower, tmp_path / "high.nc")]),
            PlainDomain(nx=5, ny=4, nz=6, top=14000.0),
            relaid.TIMES[0],
        )
