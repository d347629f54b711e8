"""The surface of an analysis on a domain: land from land and ice from ice alone, a sea of its own, the real GFS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from driving.cases import PlainDomain, Profile, dataset_of
from kaiseki.config.physics import Soil
from kaiseki.core.errors import InputError
from kaiseki.driving import atmosphere_on_domain, open_driving, read_global, with_sea
from kaiseki.driving.sources.conventions import Axes, assemble
from kaiseki.driving.sst import SeaSeries, SeaSurface
from kaiseki.driving.weights import from_lat_lon

OURS = Soil().thickness


def coast() -> xr.Dataset:
    """Land at 280 K east of 140 degrees, ice at 250 K north of 40, open water at 290 K; soil undefined over sea."""
    data = dataset_of(Profile()).isel(time=0)
    lat, lon = np.meshgrid(data["latitude"].values, data["longitude"].values, indexing="ij")
    land, ice = (lon > 140.0).astype(float), ((lat > 40.0) & (lon <= 140.0)).astype(float)
    plane = ("latitude", "longitude")
    data["land_area_fraction"] = plane, land
    data["sea_ice_area_fraction"] = plane, ice
    data["surface_temperature"] = plane, np.where(land > 0, 280.0, np.where(ice > 0, 250.0, 290.0))
    data["surface_snow_amount"] = plane, np.where(land > 0, 30.0, 99.0)
    depth = np.array([0.05, 0.25, 0.7, 1.5])
    data = data.assign_coords(depth=depth, moisture_depth=depth)
    column = np.where(land > 0, 282.0, np.nan) + depth[:, None, None]
    data["soil_temperature"] = ("depth", *plane), column
    # Zero over sea, as ERA5 has it.
    data["volume_fraction_of_condensed_water_in_soil"] = (
        ("moisture_depth", *plane),
        np.where(land > 0, 0.3, 0.0) + 0 * column.clip(0),
    )
    data["volume_fraction_of_condensed_water_in_soil"] = data["volume_fraction_of_condensed_water_in_soil"].fillna(0.0)
    return data.expand_dims("time")


def test_what_belongs_to_land_sea_and_ice_is_taken_from_their_cells_alone() -> None:
    domain = PlainDomain(nx=24, ny=18, latitude=39.0)
    domain.land_fraction = np.full(domain.lat.shape, 0.4)
    found = atmosphere_on_domain(coast(), domain, soil=OURS)
    inland = domain.lon > 141.5
    np.testing.assert_allclose(found["sst"][(domain.lat < 39.0) & (domain.lon < 138.0)], 290.0)
    assert found["sst"].min() < 285.0
    ice, f = found["sea_ice"], domain.land_fraction
    assert ice.max() == 1.0
    assert ice[domain.lat < 38.0].max() == 0.0
    sea = (1 - ice) * found["sst"] + ice * found["ice_temperature"]
    np.testing.assert_allclose(found["ice_temperature"][(ice > 0.9) & (domain.lon < 140.0)], 250.0)
    land = (found["skin_temperature"] - (1 - f) * sea) / f
    amid = domain.lon > coast()["longitude"].values[coast()["longitude"].values > 140.0].min()
    assert amid.any()
    np.testing.assert_allclose(land[amid], 280.0, atol=1e-9)
    np.testing.assert_allclose(found["snow"][inland], 30.0, rtol=1e-9)
    middle = np.array([0.05, 0.175, 0.64, 1.5])
    np.testing.assert_allclose(found["soil_temperature"][:, inland], np.full((inland.sum(), 4), 282.0 + middle).T)
    np.testing.assert_allclose(found["soil_moisture"][:, inland], 0.3, rtol=1e-9)
    # Far from land there is nothing to tell of its soil.
    far = domain.lon < 134.0
    assert far.any()
    assert np.isnan(found["soil_moisture"][:, far]).all()
    assert found["snow"][far].max() == 0.0
    assert "soil_temperature" not in atmosphere_on_domain(coast(), domain)


def test_the_land_of_a_coast_goes_over_to_the_air() -> None:
    """Land at 250 K east of 140 degrees, air over 280 K: between the last land and the first sea of the source the skin
    of our land is linear between the two."""
    data = coast()
    skin = xr.where(data["land_area_fraction"].isel(time=0) > 0, 250.0, 290.0)
    data["surface_temperature"] = skin.transpose("latitude", "longitude").expand_dims("time")
    domain = PlainDomain(nx=24, ny=18, latitude=39.0)
    domain.land_fraction = np.ones(domain.lat.shape)
    found = atmosphere_on_domain(data, domain)["skin_temperature"]
    del data["surface_temperature"]
    air = atmosphere_on_domain(data, domain)["skin_temperature"]
    lon = data["longitude"].values
    sea, land = lon[lon <= 140.0].max(), lon[lon > 140.0].min()
    share = np.clip((domain.lon - sea) / (land - sea), 0.0, 1.0)
    assert ((share > 0.1) & (share < 0.9)).any()
    np.testing.assert_allclose(found, share * 250.0 + (1.0 - share) * air, atol=1e-6)


def test_skin_of_water_serves_where_it_is_free_of_ice_only() -> None:
    data = coast().isel(time=0)
    thin = data.assign(sea_ice_area_fraction=0.1 * data["sea_ice_area_fraction"])
    for case, north in ((data, 271.15), (thin, 271.15)):
        sea = SeaSurface.of(case)
        assert sea is not None
        assert sea.values[(sea.y > 50.0)][:, sea.x < 130.0] == pytest.approx(north)
    lukewarm = thin.assign(
        surface_temperature=thin["surface_temperature"].where(data["sea_ice_area_fraction"] < 1, 275.0)
    )
    thick = lukewarm.assign(sea_ice_area_fraction=2.0 * thin["sea_ice_area_fraction"])
    for case, north in ((lukewarm, 275.0), (thick, 271.15)):
        sea = SeaSurface.of(case)
        assert sea is not None
        assert sea.values[(sea.y > 50.0)][:, sea.x < 130.0] == pytest.approx(north)


def test_another_sea_moves_the_skin_of_its_part_of_the_cells() -> None:
    domain = PlainDomain(nx=5, ny=4)
    domain.land_fraction = np.broadcast_to(np.array([0.0, 0.25, 0.5, 0.75, 1.0]), (4, 5))
    f = domain.land_fraction
    one = np.ones((4, 5))
    fields = {"sst": 275.0 * one, "skin_temperature": f * 270.0 + (1 - f) * 275.0, "temperature": 260.0 * one[None]}
    made = with_sea(fields, domain, ice=0.5 * one)
    np.testing.assert_allclose(made["ice_temperature"], 260.0)
    np.testing.assert_allclose(made["skin_temperature"], f * 270.0 + (1 - f) * 0.5 * (275.0 + 260.0))
    again = with_sea(made, domain, sst=272.0 * one, ice=0.0 * one)
    np.testing.assert_allclose(again["skin_temperature"], f * 270.0 + (1 - f) * 272.0)


def ice_file(path: Path, days: int, missing: bool = False) -> Path:
    """OISST's way: percent, missing where there is no ice as over land, with or without a temperature."""
    lat, lon = np.arange(20.0, 60.0, 1.0), np.arange(120.0, 160.0, 1.0)
    time = np.arange(days) * 24.0
    cover = np.where(lat[:, None] > 40.0, 20.0, np.nan) + 5.0 * np.arange(days)[:, None, None] + 0.0 * lon
    sst = np.full(cover.shape, 2.0)
    sst[:, :, lon > 150.0] = np.nan
    cover[np.isnan(sst)] = np.nan
    data = xr.Dataset(
        {"ice": (("time", "lat", "lon"), cover, {"units": "%"})},
        coords={
            "time": ("time", time, {"units": "hours since 2000-01-01"}),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )
    if not missing:
        data["sst"] = ("time", "lat", "lon"), sst, {"units": "degC"}
    data.to_netcdf(path, engine="scipy")
    return path


def test_a_file_of_ice_moves_in_time_and_tells_water_from_land_or_is_refused(tmp_path: Path) -> None:
    domain = PlainDomain(nx=12, ny=10, latitude=40.0)
    series = SeaSeries(read_global(ice_file(tmp_path / "oi.nc", 3)), domain, "ice")
    north, south = domain.lat > 41.5, domain.lat < 39.5
    assert north.any()
    for hours, cover in ((0, 0.20), (12, 0.225), (36, 0.275)):
        found = series(np.datetime64("2000-01-01") + np.timedelta64(hours, "h"))
        np.testing.assert_allclose(found[north], cover, rtol=1e-6)
        assert found[south].max() == 0.0
    times = np.array(["1999-12-31", "2000-01-02", "2000-01-04"], "datetime64[s]")
    np.testing.assert_array_equal(series.missing(times), times[[0, 2]])
    alone = SeaSeries(read_global(ice_file(tmp_path / "alone.nc", 3, missing=True)), domain, "ice")
    with pytest.raises(InputError, match=r"alone\.nc: the ice cover is missing somewhere and zero nowhere"):
        alone(np.datetime64("2000-01-01"))


def test_a_file_without_ice_is_named() -> None:
    axes = Axes(np.array(["2000-01-01"], "datetime64[s]"), np.arange(20.0, 60.0), np.arange(120.0, 160.0))
    data = assemble("warm.nc", "test", axes, {"sea_surface_temperature": np.full((1, 40, 40), 290.0)})
    with pytest.raises(InputError, match=r"warm\.nc: holds no sea-ice cover\."):
        SeaSeries(data, PlainDomain(nx=5, ny=4), "ice")(np.datetime64("2000-01-01"))


def test_the_surface_of_the_gfs_reaches_its_cells(data: Path) -> None:
    """Sea of Okhotsk, Siberia and the Arctic on 2017-03-22: against the file's own points next to the cells."""
    files = [data / "driving" / "gfs" / "gfs_20170322_00Z_analysis_2p5deg.grib2"]
    domain = PlainDomain(nx=20, ny=20, latitude=64.0, longitude=140.0, spacing=150_000.0, nz=20, top=20_000.0)
    source = open_driving(files, domain)
    time = source.times[0]
    found = atmosphere_on_domain(source, domain, time, OURS)
    whole = open_driving(files).at(time)
    at = from_lat_lon(whole["latitude"].values, whole["longitude"].values, domain.lat, domain.lon, "linear")
    land, ice = whole["land_area_fraction"].values, whole["sea_ice_area_fraction"].values
    all_sea, all_land = at(land) == 0.0, at(land) == 1.0
    assert all_sea.sum() > 20
    assert all_land.sum() > 50
    np.testing.assert_allclose(found["sea_ice"][all_sea], at(ice)[all_sea], atol=1e-9)
    assert found["sea_ice"][all_sea].max() > 0.8
    np.testing.assert_allclose(found["snow"][all_land], at(whole["surface_snow_amount"].values)[all_land], atol=1e-9)
    column = whole["soil_temperature"].values
    lapse = 0.0065 * (at(whole["surface_altitude"].values) - domain.terrain)
    # Our second layer, 0.07 to 0.28 m, has its middle between those of the first two of the GFS at 0.05 and 0.25 m.
    second = at(np.nan_to_num(0.375 * column[0] + 0.625 * column[1])) + lapse
    np.testing.assert_allclose(found["soil_temperature"][1][all_land], second[all_land], atol=1e-6)
    water = np.nan_to_num(whole["volume_fraction_of_condensed_water_in_soil"].values)
    second = at((0.03 * water[0] + 0.18 * water[1]) / 0.21)
    np.testing.assert_allclose(found["soil_moisture"][1][all_land], second[all_land], atol=1e-9)
    icy = all_sea & (at((ice >= 0.5).astype(float)) == 1.0)
    np.testing.assert_allclose(found["ice_temperature"][icy], at(whole["surface_temperature"].values)[icy], atol=1e-9)
    assert found["ice_temperature"][icy].max() < 274.0
    assert found["sst"].min() == pytest.approx(271.15)
