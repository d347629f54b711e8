"""Sea-surface temperature on a Domain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from driving.cases import PlainDomain
from kaiseki.core.errors import InputError
from kaiseki.driving import read_global, sst_on_domain
from kaiseki.driving.sources.conventions import Axes, assemble
from kaiseki.driving.sst import SeaSurface, fill

DOMAIN = PlainDomain(nx=16, ny=14)
LAT, LON = np.arange(-89.0, 90.0, 2.0), np.arange(1.0, 360.0, 2.0)


def sst_dataset(times: list[str], values: np.ndarray) -> xr.Dataset:
    shaped = np.broadcast_to(values, (len(times), LAT.size, LON.size)).copy()
    axes = Axes(np.array(times, dtype="datetime64[s]"), LAT, LON)
    return assemble("sst", "test", axes, {"sea_surface_temperature": shaped})


def test_laplace_fill_is_harmonic_bounded_and_keeps_the_sea() -> None:
    j, i = np.mgrid[0:24, 0:30]
    exact = 280.0 + 0.1 * i + 0.2 * j + 0.01 * i * j  # its five-point Laplacian vanishes
    valid = np.ones(exact.shape, dtype=bool)
    valid[6:18, 8:22] = False
    filled = fill(np.where(valid, exact, -999.0), valid, cyclic=False)
    np.testing.assert_allclose(filled, exact, atol=1e-4)
    assert np.array_equal(filled[valid], exact[valid])


def test_fill_closes_across_the_seam_of_a_cyclic_grid() -> None:
    values = np.full((5, 12), 290.0)
    values[:, 6:] = 300.0
    valid = np.ones(values.shape, dtype=bool)
    valid[:, 10:] = False
    values[:, 10:] = np.nan
    for method in ("nearest", "laplace"):
        filled = fill(np.nan_to_num(values), valid, cyclic=True, method=method)
        assert filled[2, 11] < 299.0
        assert filled[2, 10] > 291.0


def test_fill_refuses_a_field_without_any_sea() -> None:
    with pytest.raises(InputError, match="no valid value"):
        fill(np.zeros((3, 3)), np.zeros((3, 3), dtype=bool), cyclic=False)
    with pytest.raises(InputError, match="nearest or laplace"):
        fill(np.zeros((3, 3)), np.ones((3, 3), dtype=bool), cyclic=False, method="spline")


def test_skin_temperature_serves_over_sea_but_not_over_land_or_under_ice() -> None:
    shape = (LAT.size, LON.size)
    land = np.zeros(shape)
    land[60:70, 60:80] = 1.0
    ice = np.zeros(shape)
    ice[85:] = 1.0
    skin = np.where(land > 0, 320.0, np.where(ice > 0, 240.0, 290.0))
    data = xr.Dataset(
        {n: (("latitude", "longitude"), f) for n, f in (("surface_temperature", skin), ("land_area_fraction", land))},
        {"latitude": LAT, "longitude": LON},
    ).assign(sea_ice_area_fraction=(("latitude", "longitude"), ice))
    sea = SeaSurface.of(data)
    assert sea is not None
    assert sea.temperature.max() < 290.01
    assert sea.temperature.min() == pytest.approx(271.15)
    assert SeaSurface.of(data[["land_area_fraction"]]) is None


def test_time_linear_between_fields_and_refused_outside() -> None:
    dataset = sst_dataset(["2000-01-01", "2000-01-11"], np.array([280.0, 290.0])[:, None, None])
    np.testing.assert_allclose(sst_on_domain(dataset, DOMAIN, np.datetime64("2000-01-04")), 283.0)
    np.testing.assert_allclose(sst_on_domain(dataset, DOMAIN, np.datetime64("2000-01-01")), 280.0)
    with pytest.raises(InputError, match="climatology"):
        sst_on_domain(dataset, DOMAIN, np.datetime64("2000-01-12"))
    with pytest.raises(InputError, match="only"):
        sst_on_domain(dataset.isel(time=[0]), DOMAIN, np.datetime64("1989-01-01"))
    with pytest.raises(InputError, match="twelve monthly"):
        sst_on_domain(dataset, DOMAIN, np.datetime64("1989-01-01"), climatology=True)


def test_climatology_is_linear_between_the_middles_of_months_across_new_year() -> None:
    times = [f"1981-{m:02d}-01" for m in range(1, 13)]
    dataset = sst_dataset(times, (280.0 + np.arange(12.0))[:, None, None])
    dataset.attrs["time_axis"] = "monthly"
    middle = sst_on_domain(dataset, DOMAIN, np.datetime64("1995-01-16T12"), climatology=True)
    np.testing.assert_allclose(middle, 280.0)
    # December (291) and January (280) halfway, 31 days between the middles.
    turn = sst_on_domain(dataset, DOMAIN, np.datetime64("1989-01-01T00"), climatology=True)
    np.testing.assert_allclose(turn, 285.5, atol=1e-9)


def needs_hdf5() -> None:
    pytest.importorskip("h5py", reason="NetCDF 4 files need an HDF5 library")


def test_climatology_and_analysis_agree_about_the_sea_near_japan(data: Path) -> None:
    needs_hdf5()
    analysis = read_global(data / "static" / "oisst_v2_20040101_0p25.nc")
    climatology = read_global(data / "static" / "sst_climatology_T31_monthly.nc")
    assert climatology.attrs["masked_values"] > 5000
    when = np.datetime64("2004-01-01T12")
    fields = [sst_on_domain(analysis, DOMAIN, when), sst_on_domain(climatology, DOMAIN, when, climatology=True)]
    for field in fields:
        assert field.min() > 271.0
        assert field.max() < 303.0
    assert np.sqrt(np.mean((fields[0] - fields[1]) ** 2)) < 3.0
