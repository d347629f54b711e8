"""Analyses on a Domain: closed forms over a mountain, and real data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from driving.cases import ERA5_LEVELS, PlainDomain, Profile, dataset_of, hill
from kaiseki import grid
from kaiseki.core.constants import GRAVITY, R_DRY, VIRTUAL
from kaiseki.core.errors import InputError
from kaiseki.diagnostics.saturation import saturation_specific_humidity
from kaiseki.driving import atmosphere_on_domain, read_global
from kaiseki.driving.onto_domain import at_time
from kaiseki.driving.weights import from_lat_lon

MOUNTAIN = PlainDomain(terrain_function=hill)
FLAT = PlainDomain()


def height_of(pressure: float, fields: dict[str, np.ndarray], domain: PlainDomain) -> np.ndarray:
    """Height of an isobar, linear in ln p between the cell centres with their own virtual temperature."""
    log_p, z = np.log(fields["pressure"]), domain.z
    tv = fields["temperature"] * (1.0 + VIRTUAL * fields["qv"])
    k = np.argmax(fields["pressure"] < pressure, axis=0)[None] - 1
    take = lambda f, i: np.take_along_axis(f, i, 0)[0]  # noqa: E731
    first = take(z, k) + R_DRY / GRAVITY * take(tv, k) * (take(log_p, k) - np.log(pressure))
    mean = take(tv, k) + 0.5 * (first - take(z, k)) / (take(z, k + 1) - take(z, k)) * (take(tv, k + 1) - take(tv, k))
    return take(z, k) + R_DRY / GRAVITY * mean * (take(log_p, k) - np.log(pressure))


@pytest.mark.parametrize(
    "profile",
    [Profile(surface_temperature=270.0, lapse=0.0), Profile(tropopause=60000.0, lapse=0.004), Profile()],
    ids=["isothermal", "constant lapse", "standard"],
)
def test_closed_form_over_a_mountain(profile: Profile) -> None:
    fields = atmosphere_on_domain(dataset_of(profile), MOUNTAIN)
    assert np.abs(fields["pressure"] - profile.pressure(MOUNTAIN.z)).max() < 10.0
    assert np.abs(fields["surface_pressure"] - profile.pressure(MOUNTAIN.terrain)).max() < 10.0
    # Known from the source: not under its lowest level, and not within the layer where the profile bends.
    known = (MOUNTAIN.z > profile.height(ERA5_LEVELS[:1])) & (np.abs(MOUNTAIN.z - profile.tropopause) > 1500.0)
    assert np.abs(fields["temperature"] - profile.temperature(MOUNTAIN.z))[known].max() < 0.1


def test_another_terrain_gives_the_same_height_of_500_hpa() -> None:
    dataset = dataset_of(Profile(surface_temperature=282.0, lapse=0.0058))
    heights = [height_of(50000.0, atmosphere_on_domain(dataset, d), d) for d in (FLAT, MOUNTAIN)]
    assert np.abs(heights[0] - heights[1]).max() < 1.0


def test_column_is_hydrostatic_to_round_off() -> None:
    fields = atmosphere_on_domain(dataset_of(Profile(), humidity=0.004), MOUNTAIN)
    tv = fields["temperature"] * (1.0 + VIRTUAL * fields["qv"])
    step = np.diff(MOUNTAIN.z, axis=0)
    residual = np.diff(np.log(fields["pressure"]), axis=0) + GRAVITY * step / (R_DRY * 0.5 * (tv[1:] + tv[:-1]))
    assert np.abs(residual).max() < 1e-13
    depth = MOUNTAIN.z[0] - MOUNTAIN.terrain
    ground = tv[0] - depth * (tv[1] - tv[0]) / step[0]
    lowest = np.log(fields["pressure"][0] / fields["surface_pressure"]) + GRAVITY * depth / (
        R_DRY * 0.5 * (ground + tv[0])
    )
    assert np.abs(lowest).max() < 1e-13


def test_humidity_is_cut_at_saturation_without_touching_pressure() -> None:
    dry, wet = (atmosphere_on_domain(dataset_of(Profile(), humidity=q), FLAT) for q in (0.0, 0.02))
    saturation = saturation_specific_humidity(wet["temperature"], wet["pressure"])
    assert (wet["qv"] / saturation).max() <= 1.0 + 1e-6
    assert wet["qv"][0].min() > 0.005
    # Wetter air is lighter at equal temperature: the virtual temperature, not the temperature, made the column.
    assert (wet["temperature"] < 1.02 * dry["temperature"]).all()


def test_supersaturated_source_keeps_its_virtual_temperature() -> None:
    dataset = dataset_of(Profile(), humidity=0.02)
    fields = atmosphere_on_domain(dataset, FLAT)
    tv = fields["temperature"] * (1.0 + VIRTUAL * fields["qv"])
    low = FLAT.z < 9000.0
    wanted = Profile().temperature(FLAT.z) * (1.0 + VIRTUAL * 0.02)
    # The heights given are those of the dry profile, so the layers' correction pulls by at most its limit.
    assert np.abs(tv - wanted)[low].max() < 1.5 * 3.0 + 0.1


def test_solid_body_rotation_blows_along_the_parallels() -> None:
    dataset = dataset_of(Profile(), wind=lambda lat, lon: (40.0 * np.cos(np.radians(lat)), 0.0 * lat))
    fields = atmosphere_on_domain(dataset, FLAT)
    x0, y0 = FLAT.projection.forward(FLAT.lat, FLAT.lon - 1e-3)
    x1, y1 = FLAT.projection.forward(FLAT.lat, FLAT.lon + 1e-3)
    length = np.hypot(x1 - x0, y1 - y0)
    speed = 40.0 * np.cos(np.radians(FLAT.lat))
    assert np.abs(fields["u"] - speed * (x1 - x0) / length).max() < 5e-3
    assert np.abs(fields["v"] - speed * (y1 - y0) / length).max() < 5e-3


def test_surface_pressure_of_the_source_is_kept_over_its_own_terrain() -> None:
    dataset = dataset_of(Profile())
    dataset["surface_altitude"] = (("latitude", "longitude"), np.full((27, 39), 300.0))
    shifted = Profile().pressure(np.array(300.0)) * 1.002
    dataset["surface_air_pressure"] = (("time", "latitude", "longitude"), np.full((1, 27, 39), shifted))
    domain = PlainDomain(terrain_function=lambda lat, lon: np.full_like(lat, 300.0))
    fields = atmosphere_on_domain(dataset, domain)
    np.testing.assert_allclose(fields["surface_pressure"], shifted, rtol=1e-9)


def test_time_is_interpolated_and_must_be_covered() -> None:
    first = dataset_of(Profile(surface_temperature=280.0))
    second = dataset_of(Profile(surface_temperature=290.0)).assign_coords(time=first["time"] + np.timedelta64(6, "h"))
    both = xr.concat([first, second], "time")
    middle = at_time(both, np.datetime64("2000-01-01T03"))
    wanted = 0.5 * (first["air_temperature"].values[0] + second["air_temperature"].values[0])
    np.testing.assert_allclose(middle["air_temperature"].values, wanted)
    with pytest.raises(InputError, match="say which one"):
        atmosphere_on_domain(both, FLAT)
    with pytest.raises(InputError, match="2000-01-01T09:00:00 is wanted"):
        atmosphere_on_domain(both, FLAT, np.datetime64("2000-01-01T09"))


def test_incomplete_sources_are_refused() -> None:
    dataset = dataset_of(Profile())
    with pytest.raises(InputError, match="without eastward_wind"):
        atmosphere_on_domain(dataset.drop_vars("eastward_wind"), FLAT)
    with pytest.raises(InputError, match=r"lies \d+ m under the domain's top"):
        atmosphere_on_domain(dataset_of(Profile(), ERA5_LEVELS[ERA5_LEVELS >= 30000.0]), FLAT)
    holed = dataset.copy(deep=True)
    holed["air_temperature"][0, 3, 4, 5] = np.nan
    with pytest.raises(InputError, match="air_temperature has missing values"):
        atmosphere_on_domain(holed, FLAT)


@pytest.mark.parametrize(
    ("file", "limit"),
    [
        ("gfs/gfs_2011011012_f120_2p5deg.grib2", 1.0),
        ("gefs_japan_20200327/gefs_2020032606_f036_0p5deg_90-180E_10-60N.grib2", 2.0),
        ("era5/era5_tl31_1959010200.nc", 2.0),
    ],
)
def test_heights_on_real_data_are_those_of_the_source(data: Path, file: str, limit: float) -> None:
    dataset = read_global(data / "driving" / file)
    for domain in (FLAT, MOUNTAIN):
        fields = atmosphere_on_domain(dataset, domain)
        for name, values in fields.items():
            assert np.isfinite(values).all(), name
        weights = from_lat_lon(dataset.latitude.values, dataset.longitude.values, domain.lat, domain.lon)
        source = weights(dataset.geopotential_height.sel(pressure=50000.0).values[0])
        error = height_of(50000.0, fields, domain) - source
        assert np.sqrt(np.mean(error**2)) < limit
        assert np.abs(error).max() < 12.0


@pytest.mark.parametrize("name", ["inner", "coarse"])
def test_real_domains_over_a_mountain(data: Path, name: str) -> None:
    domain = grid.preset("japan-60km") if name == "inner" else grid.coarse_domain()
    terrain = hill(domain.lat, domain.lon)
    domain = domain.with_terrain(terrain, (terrain > 1.0).astype(float))
    gfs = data / "driving/gfs/gfs_2011011012_f120_2p5deg.grib2"
    fields = atmosphere_on_domain(dataset_of(Profile()) if name == "inner" else read_global(gfs), domain)
    for field, values in fields.items():
        assert np.isfinite(values).all(), field
        assert values.shape[-2:] == domain.lat.shape
    if name == "inner":
        assert np.abs(fields["pressure"] - Profile().pressure(domain.z)).max() < 10.0
