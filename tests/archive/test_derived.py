"""Derived fields and heights of datasets: against the formulas they are made of, and where the answer is known.

What can go wrong: axes in another order, fewer or more of them (one place, a list of places, forecasts, members), times
mixed up between blocks, a mask or coordinate that is lost, attributes, fields that are missing, infinities, NaN.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from archive.atmosphere import GROUND_TEMPERATURE, LAPSE, SEA_LEVEL_PRESSURE, dataset, log_wind
from kaiseki.archive.products import blocks
from kaiseki.archive.products.derived import DERIVED, derived_fields
from kaiseki.archive.products.geometry import horizontal_grid
from kaiseki.archive.products.height_levels import HEIGHT_LEVELS, on_height_levels
from kaiseki.archive.products.pressure_levels import JMA_PRESSURE_LEVELS, on_pressure_levels
from kaiseki.core.errors import InputError
from kaiseki.core.variables import VARIABLES
from kaiseki.diagnostics import vorticity
from kaiseki.diagnostics.humidity import relative_humidity
from kaiseki.diagnostics.pressure import temperature_below_ground


@pytest.fixture(scope="module")
def source() -> xr.Dataset:
    return dataset()


@pytest.fixture(scope="module")
def everything(source: xr.Dataset) -> xr.Dataset:
    return derived_fields(source, DERIVED)


@pytest.mark.parametrize("name", DERIVED)
def test_every_derived_field_is_in_its_range_and_described(name: str, everything: xr.Dataset) -> None:
    field, row = everything[name], VARIABLES[name]
    assert field.dims == (("time", "level", "y", "x") if row.levels == "air" else ("time", "y", "x"))
    assert field.attrs == row.attributes() | {"grid_mapping": "crs"}
    assert field.dtype == np.float32
    values = field.values[np.isfinite(field.values)]
    assert values.size == field.size or name.startswith("cin_")
    assert values.size == 0 or (values.min() >= row.low and values.max() <= row.high)


def test_coordinates_are_kept(source: xr.Dataset, everything: xr.Dataset) -> None:
    for name in ("time", "level", "lat", "lon", "altitude", "terrain", "crs", "decay"):
        xr.testing.assert_identical(everything[name].variable, source[name].variable)
    assert everything["height_2m"] == 2.0
    assert everything["height_100m"].attrs["units"] == "m"
    assert everything["relative_humidity_2m"].encoding["coordinates"] == "lat lon height_2m"
    assert everything["potential_vorticity"].encoding["coordinates"] == "lat lon altitude"
    assert everything.attrs == source.attrs


def test_known_values(source: xr.Dataset, everything: xr.Dataset) -> None:
    np.testing.assert_allclose(everything["relative_humidity"], 0.6, rtol=1e-5)
    # Water in the air makes the fictitious column warmer than the real one: 1 % of 290 K over up to 1500 m.
    slp = everything["mean_sea_level_pressure"].isel(time=0).values
    np.testing.assert_allclose(slp, SEA_LEVEL_PRESSURE, rtol=2e-3)
    assert slp.min() > SEA_LEVEL_PRESSURE - 300.0
    for hour in range(3):
        freezing = (GROUND_TEMPERATURE + hour - 273.15) / LAPSE
        np.testing.assert_allclose(everything["freezing_level"].isel(time=hour), freezing, rtol=1e-5)
    direction = 270.0 - np.rad2deg(0.3)
    np.testing.assert_allclose(everything["wind_from_direction"], direction, rtol=1e-6)
    np.testing.assert_allclose(everything["wind_from_direction_10m"], direction, rtol=1e-6)
    np.testing.assert_allclose(everything["wind_speed_10m"], log_wind(10.0), rtol=1e-6)
    speed = np.hypot(everything["eastward_wind_100m"], everything["northward_wind_100m"])
    np.testing.assert_allclose(speed, log_wind(100.0), rtol=1e-6)
    np.testing.assert_allclose(everything["omega"], -9.80665 * 0.1 * everything["rho"], rtol=1e-6)
    assert np.all(everything["wind_gust_10m"] >= everything["wind_speed_10m"])


def test_freezing_at_the_ground_and_nowhere(source: xr.Dataset) -> None:
    cold = source.assign(temperature=source["temperature"] - 60.0, temperature_2m=source["temperature_2m"] - 60.0)
    found = derived_fields(cold, ["freezing_level"])["freezing_level"]
    np.testing.assert_allclose(found, source["terrain"].broadcast_like(found).transpose(*found.dims), atol=1e-3)
    warm = source.assign(temperature=source["temperature"] + 110.0)
    assert np.isnan(derived_fields(warm, ["freezing_level"])["freezing_level"]).all()


def test_vorticity_is_that_of_the_grid(source: xr.Dataset, everything: xr.Dataset) -> None:
    now = source.isel(time=1)
    grid = horizontal_grid(source)
    expected = vorticity.relative_vorticity(
        now["eastward_wind"].values, now["northward_wind"].values, now["altitude"].values, grid
    )
    np.testing.assert_allclose(everything["relative_vorticity"].isel(time=1), expected, rtol=1e-5, atol=1e-12)
    difference = everything["absolute_vorticity"] - everything["relative_vorticity"]
    np.testing.assert_allclose(difference, np.broadcast_to(grid.coriolis, difference.shape), rtol=1e-4)


@pytest.mark.parametrize("largest", [1, 700, 10**9])
def test_blocks_make_no_difference(
    largest: int, source: xr.Dataset, everything: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "LARGEST_BLOCK", largest)
    names = ["cape_surface", "relative_humidity", "potential_vorticity", "mean_sea_level_pressure"]
    found = derived_fields(source, names)
    for name in names:
        np.testing.assert_allclose(found[name], everything[name], rtol=1e-5)


def test_any_axes(source: xr.Dataset, everything: xr.Dataset) -> None:
    """One time, one place, places of a list, forecasts with members: the same numbers."""
    names = ["cape_most_unstable", "cin_mixed_layer", "relative_humidity", "freezing_level", "wind_gust_10m"]
    expected = everything[names]
    now = derived_fields(source.isel(time=1), names)
    for name in names:
        np.testing.assert_allclose(now[name], expected[name].isel(time=1), rtol=1e-5)
    place = derived_fields(source.isel(y=2, x=3), names)
    assert place["relative_humidity"].dims == ("time", "level")
    np.testing.assert_allclose(place["cape_most_unstable"], expected["cape_most_unstable"].isel(y=2, x=3), rtol=1e-4)
    single = derived_fields(source.isel(time=0, y=2, x=3), names)
    assert single["freezing_level"].dims == ()
    np.testing.assert_allclose(single["freezing_level"], expected["freezing_level"].isel(time=0, y=2, x=3), rtol=1e-6)
    chosen = {"y": xr.DataArray([0, 2, 4], dims="place"), "x": xr.DataArray([1, 3, 5], dims="place")}
    places = derived_fields(source.isel(chosen), names)
    assert places["relative_humidity"].dims == ("time", "level", "place")
    np.testing.assert_allclose(places["wind_gust_10m"], expected["wind_gust_10m"].isel(chosen), rtol=1e-6)
    forecasts = xr.concat([source, source], "forecast_reference_time").rename(time="forecast_period")
    found = derived_fields(forecasts.transpose("y", ..., "level"), names)
    assert set(found["cape_most_unstable"].dims) == {"forecast_reference_time", "forecast_period", "y", "x"}
    again = found["cape_most_unstable"].isel(forecast_reference_time=1).transpose("forecast_period", "y", "x")
    np.testing.assert_allclose(again, expected["cape_most_unstable"], rtol=1e-4)


def test_a_regular_grid_and_pressure_levels(source: xr.Dataset) -> None:
    """Fields on pressure levels of latitudes and longitudes, as imported: humidity and potential vorticity."""
    lat, lon = np.linspace(40.0, 35.0, 5), np.linspace(130.0, 136.0, 6)
    on = on_pressure_levels(source, [80000.0, 70000.0, 60000.0, 50000.0])
    plain = (
        on.drop_vars(["lat", "lon", "x", "y", "crs", "terrain"])
        .rename(y="lat", x="lon")
        .assign_coords(lat=lat, lon=lon)
    )
    found = derived_fields(plain, ["relative_humidity", "potential_vorticity"])
    assert found["potential_vorticity"].dims == ("time", "pressure", "lat", "lon")
    temperature, pressure = plain["temperature"].values, plain["pressure"].values[:, None, None]
    expected = relative_humidity(plain["qv"].values, temperature, pressure)
    np.testing.assert_allclose(found["relative_humidity"], expected, rtol=1e-5)
    with pytest.raises(InputError, match="Heights above ground need fields on model levels"):
        derived_fields(plain, ["freezing_level"])


def test_missing_values_stay_missing(source: xr.Dataset) -> None:
    broken = source.copy(deep=True)
    broken["temperature"][0, 3, 1, 2] = np.nan
    names = ["relative_humidity", "cape_surface", "freezing_level", "mean_sea_level_pressure"]
    found = derived_fields(broken, names)
    assert np.isnan(found["relative_humidity"][0]).sum() == 1
    assert np.isnan(found["cape_surface"][0, 1, 2])
    assert np.isnan(found["freezing_level"][0, 1, 2])
    assert np.isfinite(found["cape_surface"][1]).all()
    assert np.isfinite(found["mean_sea_level_pressure"]).all()


@pytest.mark.parametrize(
    ("change", "names", "words"),
    [
        (
            lambda d: d.assign(qv=d["qv"].where(d["time"] != d["time"][2], np.inf)),
            ["dew_point"],
            "'qv' holds infinities",
        ),
        (lambda d: d.drop_vars("qv"), ["dew_point"], "needs the field 'qv'"),
        (lambda d: d.drop_vars("lat"), ["dew_point"], "needs the coordinate 'lat'"),
        (lambda d: d, ["dewpoint"], "no derived field 'dewpoint'"),
        (lambda d: d, [], "at least one derived field"),
        (lambda d: d.drop_vars("crs"), ["divergence"], "grid mapping 'crs'"),
        (lambda d: d.assign_coords(lat=d["lat"] + 1.0), ["divergence"], "not those of its grid mapping"),
        (lambda d: d.isel(x=slice(2)), ["divergence"], "at least three cells"),
        (lambda d: d.isel(y=0, x=0), ["divergence"], "need a grid"),
        (
            lambda d: d.assign_coords(terrain=d["terrain"] + 100.0),
            ["freezing_level"],
            "must rise from above the ground",
        ),
        (lambda d: d.assign(surface_pressure=d["surface_pressure"] - 5e3), ["precipitable_water"], "exceeds that at"),
        (
            lambda d: d.assign(surface_pressure=d["surface_pressure"] - 5e3),
            ["cape_surface"],
            "must fall from the ground",
        ),
        (
            lambda d: d[["surface_pressure"]],
            ["dew_point"],
            "no vertical axis .* dew_point needs; open a group on levels",
        ),
        (lambda d: d.isel(level=0), ["divergence"], "which divergence needs; derive it before you choose a level"),
    ],
)
def test_refusals(change, names: list[str], words: str, source: xr.Dataset) -> None:
    with pytest.raises(InputError, match=words):
        derived_fields(change(source), names)


def test_on_a_level_that_was_chosen_before(source: xr.Dataset) -> None:
    names = ["wind_speed", "wind_from_direction", "relative_humidity"]
    before, after = derived_fields(source, names).isel(level=1), derived_fields(source.isel(level=1), names)
    for name in names:
        assert after[name].dims == ("time", "y", "x")
        np.testing.assert_array_equal(after[name], before[name])
    winds = on_height_levels(source, [50.0, 100.0], ["eastward_wind", "northward_wind"])
    chosen = derived_fields(winds.sel(height=100.0), ["wind_speed"])
    np.testing.assert_array_equal(chosen["wind_speed"], derived_fields(winds, ["wind_speed"])["wind_speed"][:, 1])
    assert chosen["height"] == 100.0


def test_a_log_wind_comes_out_exactly_at_every_height(source: xr.Dataset) -> None:
    product = on_height_levels(
        source, HEIGHT_LEVELS, ["eastward_wind", "wind_speed", "wind_from_direction", "pressure"]
    )
    assert product["wind_speed"].dims == ("time", "height", "y", "x")
    assert product["height"].attrs["standard_name"] == "height"
    expected = np.broadcast_to(log_wind(np.array(HEIGHT_LEVELS))[:, None, None], product["wind_speed"].shape)
    np.testing.assert_allclose(product["wind_speed"], expected, rtol=1e-5)
    np.testing.assert_allclose(product["wind_from_direction"], 270.0 - np.rad2deg(0.3), rtol=1e-6)
    ten = product["eastward_wind"].sel(height=10.0)
    assert np.array_equal(ten, source["eastward_wind_10m"].astype(np.float32))
    height = source["terrain"].values + np.array(HEIGHT_LEVELS)[:, None, None]
    pressure = SEA_LEVEL_PRESSURE * (1.0 - LAPSE * height / GROUND_TEMPERATURE) ** (9.80665 / (287.05 * LAPSE))
    # Linear in height between levels up to 140 m apart, and water in the air below the lowest: a few Pa.
    np.testing.assert_allclose(product["pressure"][0], pressure, atol=3.0)


def test_without_measurements_near_the_ground_the_lowest_heights_are_missing(source: xr.Dataset) -> None:
    bare = source.drop_vars(["eastward_wind_10m", "northward_wind_10m", "temperature_2m", "specific_humidity_2m"])
    product = on_height_levels(bare, [10.0, 20.0, 30.0, 20_000.0], ["eastward_wind", "temperature"])
    for name in ("eastward_wind", "temperature"):
        assert np.isnan(product[name].sel(height=[10.0, 20.0, 20_000.0])).all()
        assert np.isfinite(product[name].sel(height=30.0)).all()
    assert np.isfinite(on_height_levels(source, [10.0, 20.0], ["temperature", "qv"]).to_array()).all()


def test_a_mixed_layer_comes_out_exactly(source: xr.Dataset) -> None:
    above = source["altitude"] - source["terrain"]
    mixed = source.assign(
        temperature=(300.0 - 9.80665 / 1004.675 * above + 0.0 * source["time"].dt.hour).transpose(
            "time", "level", "y", "x"
        ),
        temperature_2m=source["temperature_2m"] * 0.0 + 300.0 - 9.80665 / 1004.675 * 2.0,
    )
    found = on_height_levels(mixed, [2.0, 10.0, 50.0, 300.0], ["temperature"])["temperature"]
    expected = 300.0 - 9.80665 / 1004.675 * found["height"]
    np.testing.assert_allclose(found, expected.broadcast_like(found).transpose(*found.dims), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda d: on_height_levels(d, [0.0]), "must be positive, in m"),
        (lambda d: on_height_levels(d, [10.0], ["cape_surface"]), "no field at heights 'cape_surface'"),
        (lambda d: on_height_levels(d[["surface_pressure"]]), "fields on model levels"),
        (lambda d: on_pressure_levels(d, below_ground="guess"), "'missing' or 'extrapolated', not 'guess'"),
        (
            lambda d: on_pressure_levels(d, variables=["theta"], below_ground="extrapolated"),
            "'theta' is not extrapolated",
        ),
        (lambda d: on_pressure_levels(d, []), "must be positive"),
    ],
)
def test_refusals_of_levels(call, words: str, source: xr.Dataset) -> None:
    with pytest.raises(InputError, match=words):
        call(source)


def test_the_levels_of_jma(source: xr.Dataset) -> None:
    product = on_pressure_levels(
        source, variables=["omega", "relative_humidity", "wind_from_direction", "potential_vorticity"]
    )
    assert product.sizes["pressure"] == len(JMA_PRESSURE_LEVELS) == 16
    np.testing.assert_array_equal(product["pressure"], JMA_PRESSURE_LEVELS)
    there = np.isfinite(product["relative_humidity"])
    np.testing.assert_allclose(product["relative_humidity"].values[there], 0.6, rtol=1e-4)
    np.testing.assert_allclose(product["wind_from_direction"].values[there], 270.0 - np.rad2deg(0.3), rtol=1e-5)


def test_extrapolation_below_the_ground(source: xr.Dataset) -> None:
    names = ["temperature", "geopotential_height", "eastward_wind", "qv", "relative_humidity"]
    levels = np.array([1.0e5, 9.5e4, 9.0e4, 8.5e4, 7.0e4, 5.0e4])
    missing = on_pressure_levels(source, levels, names)
    filled = on_pressure_levels(source, levels, names, below_ground="extrapolated")
    assert filled["below_ground"].dtype == np.int8
    assert filled["temperature"].attrs["ancillary_variables"] == "below_ground"
    under = levels[:, None, None] > source["surface_pressure"].values[:, None]
    assert np.array_equal(filled["below_ground"], under)
    assert under.any()
    assert not under.all()
    for name in names:
        there = np.isfinite(missing[name].values)
        assert np.array_equal(filled[name].values[there], missing[name].values[there])
        assert np.isfinite(filled[name]).all()
        assert np.isnan(missing[name].values[under]).all()
    lowest = np.broadcast_to(source["eastward_wind"].values[:, :1], under.shape)
    np.testing.assert_allclose(filled["eastward_wind"].values[under], lowest[under], rtol=1e-6)
    # Under ground below 2000 m temperature goes on with the standard lapse rate, which is that of this air.
    exact = temperature_below_ground(levels[:, None, None], SEA_LEVEL_PRESSURE, GROUND_TEMPERATURE, np.zeros((1, 5, 6)))
    np.testing.assert_allclose(
        filled["temperature"][0],
        np.where(np.isfinite(missing["temperature"][0]), filled["temperature"][0], exact),
        rtol=1e-5,
    )
    # The height is that of the fictitious column of sea-level pressure.
    slp = derived_fields(source, ["mean_sea_level_pressure"])["mean_sea_level_pressure"].values[0]
    for j, i in ((2, 2), (2, 3), (1, 1)):
        one = source.isel(time=0, y=j, x=i)
        level = on_pressure_levels(one, [float(slp[j, i])], ["geopotential_height"], below_ground="extrapolated")
        assert float(level["geopotential_height"][0]) == pytest.approx(0.0, abs=0.05)
