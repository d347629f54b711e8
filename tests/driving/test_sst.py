"""Sea-surface temperature on a Domain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from driving.cases import PlainDomain, Profile, dataset_of
from kaiseki.core.errors import InputError
from kaiseki.driving import atmosphere_on_domain, read_global, sst_on_domain, with_sea
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
    assert sea.values.max() < 290.01
    assert sea.values.min() == pytest.approx(271.15)
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


def test_times_too_far_apart_are_not_interpolated() -> None:
    fields = np.array([280.0, 290.0])[:, None, None]
    months = sst_dataset(["2000-01-16", "2000-02-15"], fields)
    assert 280.0 < sst_on_domain(months, DOMAIN, np.datetime64("2000-02-01")).min() < 290.0
    decades = sst_dataset(["1979-01-01", "1999-01-01"], fields)
    with pytest.raises(InputError, match="lies between 1979-01-01T00:00:00 and 1999-01-01T00:00:00, 7305 days apart"):
        sst_on_domain(decades, DOMAIN, np.datetime64("1989-01-01"))


def test_climatology_is_linear_between_the_middles_of_months_across_new_year() -> None:
    times = [f"1981-{m:02d}-01" for m in range(1, 13)]
    dataset = sst_dataset(times, (280.0 + np.arange(12.0))[:, None, None])
    dataset.attrs["time_axis"] = "monthly"
    middle = sst_on_domain(dataset, DOMAIN, np.datetime64("1995-01-16T12"), climatology=True)
    np.testing.assert_allclose(middle, 280.0)
    # December (291) and January (280) halfway, 31 days between the middles.
    turn = sst_on_domain(dataset, DOMAIN, np.datetime64("1989-01-01T00"), climatology=True)
    np.testing.assert_allclose(turn, 285.5, atol=1e-9)


def test_temperatures_of_the_ground_that_continue_a_field_over_land_do_not_count(tmp_path: Path) -> None:
    """Some sources fill SST over land with the skin's temperature; by their land fraction the coast keeps the sea's."""
    data = dataset_of(Profile())
    data["specific_humidity"] = data["specific_humidity"] + 1e-5  # dry air alone is refused
    lat, lon = np.meshgrid(data["latitude"].values, data["longitude"].values, indexing="ij")
    land = (lon > 138.0) & (lon < 145.0) & (lat > 30.0) & (lat < 42.0)
    sea = 285.0 + 0.1 * (lat - 36.0)
    data["sea_surface_temperature"] = ("time", "latitude", "longitude"), np.where(land, 274.0, sea)[None]
    data.to_netcdf(tmp_path / "without.nc", engine="scipy")
    data["land_area_fraction"] = ("latitude", "longitude"), land.astype(float)
    data.to_netcdf(tmp_path / "with.nc", engine="scipy")
    without, found = (
        atmosphere_on_domain(read_global(tmp_path / f"{n}.nc"), DOMAIN)["sst"] for n in ("without", "with")
    )
    assert without.min() < 276.0
    assert np.abs(found - (285.0 + 0.1 * (DOMAIN.lat - 36.0))).max() < 0.3


@pytest.mark.parametrize("longitude", [140.0, 0.5, -179.0])
def test_gaps_are_closed_as_on_the_whole_globe_wherever_the_domain_lies(longitude: float) -> None:
    domain = PlainDomain(nx=12, ny=10, longitude=longitude)
    lat, lon = np.meshgrid(LAT, LON, indexing="ij")
    values = 285.0 + 8.0 * np.sin(np.deg2rad(3.0 * lon)) * np.cos(np.deg2rad(2.0 * lat))
    values[np.random.default_rng(5).random(values.shape) < 0.3] = np.nan
    data = sst_dataset(["2000-01-01"], values)
    whole = SeaSurface.of(data.isel(time=0))
    assert whole is not None
    found = sst_on_domain(data, domain, np.datetime64("2000-01-01"))
    np.testing.assert_allclose(found, whole.on(domain), atol=1e-3)


def test_sea_far_from_any_value_is_refused() -> None:
    lat, lon = np.meshgrid(LAT, LON, indexing="ij")
    values = np.where((lat > 10.0) & (lat < 60.0) & (lon > 115.0) & (lon < 165.0), np.nan, 290.0)
    data = sst_dataset(["2000-01-01"], values)
    with pytest.raises(InputError, match=r"nearest sea-surface temperature lies \d{4} km from the sea at"):
        sst_on_domain(data, DOMAIN, np.datetime64("2000-01-01"))
    land = PlainDomain(nx=16, ny=14, terrain_function=lambda lat, lon: 500.0 + 0.0 * lat)
    assert np.isfinite(sst_on_domain(data, land, np.datetime64("2000-01-01"))).all()


def test_another_sea_temperature_leaves_the_skin_of_the_land() -> None:
    domain = PlainDomain(nx=5, ny=4)
    domain.land_fraction = np.broadcast_to(np.array([0.0, 0.25, 0.5, 0.75, 1.0]), (4, 5))
    land, old, new = np.full((4, 5), 270.0), np.full((4, 5), 288.0), np.full((4, 5), 291.0)
    f = domain.land_fraction
    older = {"sst": old, "skin_temperature": f * land + (1.0 - f) * old, "u": old}
    for fields in (older, {"skin_temperature": land}):
        made = with_sea(fields, domain, new)
        np.testing.assert_array_equal(made["sst"], new)
        np.testing.assert_allclose(made["skin_temperature"], f * land + (1.0 - f) * new)
    assert older["sst"] is old
    assert with_sea({"u": old}, domain, new).keys() == {"u", "sst"}


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
