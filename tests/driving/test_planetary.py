"""The planetary first guess from real samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from driving.cases import PlainDomain
from kaiseki.core.constants import EARTH_ROTATION, GRAVITY, R_DRY, VIRTUAL
from kaiseki.core.errors import InputError
from kaiseki.driving import atmosphere_on_domain, planetary_first_guess, read_global, spherical
from kaiseki.driving.sources.conventions import STATE

FILES = ("driving/gfs/gfs_2011011012_f120_2p5deg.grib2", "driving/era5/era5_tl31_1959010200.nc")


@pytest.fixture(scope="module")
def guess(data: Path) -> xr.Dataset:
    return planetary_first_guess([data / f for f in FILES], time=np.datetime64("1989-01-01T12"))


def test_form_and_ranges(guess: xr.Dataset) -> None:
    assert set(STATE) <= set(guess.data_vars)
    assert guess.time.values[0] == np.datetime64("1989-01-01T12")
    assert "gfs_2011011012" in guess.attrs["made_from"]
    assert "era5_tl31" in guess.attrs["made_from"]
    assert float(guess.specific_humidity.min()) > 0.0
    assert (np.diff(guess.geopotential_height.values, axis=1) > 0).all()
    assert 271.0 < float(guess.sea_surface_temperature.min()) < float(guess.sea_surface_temperature.max()) < 305.0


def test_it_is_the_mean_of_the_samples_at_the_largest_scale(guess: xr.Dataset, data: Path) -> None:
    for name in ("air_temperature", "geopotential_height", "eastward_wind"):
        means = []
        for dataset in (guess, *(read_global(data / f) for f in FILES)):
            level = dataset[name].sel(pressure=50000.0).isel(time=0)
            weight = spherical.area_weights(level.latitude.values)
            means.append(float((level.mean("longitude").values * weight).sum()))
        assert means[0] == pytest.approx(0.5 * (means[1] + means[2]), abs=0.5)


def test_small_scales_are_gone_and_planetary_ones_kept(guess: xr.Dataset, data: Path) -> None:
    def power(dataset: xr.Dataset) -> np.ndarray:
        level = dataset.geopotential_height.sel(pressure=50000.0).isel(time=0)
        c = spherical.analyse(level.values, level.latitude.values, level.longitude.values, 20)
        return (np.abs(c[1:]) ** 2).sum(0)

    smooth, sample = power(guess), power(read_global(data / FILES[0]))
    assert smooth[14:].sum() < 1e-3 * sample[14:].sum()
    assert smooth[1:4].sum() > 0.2 * sample[1:4].sum()


def test_it_is_as_hydrostatic_as_the_samples(guess: xr.Dataset, data: Path) -> None:
    def residual(dataset: xr.Dataset) -> float:
        data = dataset.isel(time=0).sel(latitude=slice(20, 60), pressure=slice(70000.0, 30000.0))
        tv = (data.air_temperature * (1.0 + VIRTUAL * data.specific_humidity)).values
        mean = 0.5 * (tv[1:] + tv[:-1])
        depth = np.diff(data.geopotential_height.values, axis=0)
        log_step = -np.diff(np.log(data.pressure.values))[:, None, None]
        return float(np.sqrt(np.mean((depth - R_DRY / GRAVITY * mean * log_step) ** 2)))

    assert residual(guess) <= residual(read_global(data / FILES[0]))


def test_wind_and_mass_stay_together(guess: xr.Dataset, data: Path) -> None:
    """The part of the 300-hPa wind that is not geostrophic, relative to the wind, is no larger than in the sample."""

    def share(dataset: xr.Dataset) -> float:
        level = dataset.sel(pressure=30000.0).isel(time=0)
        lat, lon = level.latitude.values, level.longitude.values
        c = spherical.analyse(level.geopotential_height.values, lat, lon, 20)
        u, v = spherical.synthesise_wind(GRAVITY * c, 0.0 * c, lat, lon)
        f = (2.0 * EARTH_ROTATION * np.sin(np.radians(lat)))[:, None]
        band = (lat > 25) & (lat < 65)
        difference = np.hypot(
            level.eastward_wind - u / np.where(band[:, None], f, 1.0),
            level.northward_wind - v / np.where(band[:, None], f, 1.0),
        )
        wind = np.hypot(level.eastward_wind, level.northward_wind)
        return float(np.sqrt((difference.values[band] ** 2).mean() / (wind.values[band] ** 2).mean()))

    assert share(guess) < min(0.35, share(read_global(data / FILES[0])) * 1.05)


def test_it_drives_a_domain(guess: xr.Dataset) -> None:
    fields = atmosphere_on_domain(guess, PlainDomain(nx=16, ny=14))
    for name, values in fields.items():
        assert np.isfinite(values).all(), name
    east, _ = PlainDomain(nx=16, ny=14).to_east_north(fields["u"], fields["v"])
    assert 30.0 < east[25].max() < 80.0  # the winter jet over Japan


def test_regional_or_foreign_samples_are_refused(data: Path) -> None:
    gefs = data / "driving/gefs_japan_20200327/gefs_2020032606_f036_0p5deg_90-180E_10-60N.grib2"
    with pytest.raises(InputError, match="regional or uneven"):
        planetary_first_guess([gefs])
    with pytest.raises(InputError, match="without eastward_wind"):
        planetary_first_guess([data / "driving/era5/era5_20110117_14Z_30-40N_120-140E_ztq.grib"])
    with pytest.raises(InputError, match="none was named"):
        planetary_first_guess([])
    with pytest.raises(InputError, match="8 times"):
        planetary_first_guess([data / "driving/ecmwf_20240603/ecmwf_20240603_0604_6hourly_10deg.grib"])
