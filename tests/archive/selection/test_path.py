"""Paths, profiles and heights: analytic fields that are linear in all four coordinates, over mountains too.

What can go wrong:
- the vertical is interpolated between surfaces of the model instead of in each column;
- the time between two labels, or the level above, is taken from the wrong side;
- sums are interpolated as if they were instants; a gap in the times is bridged;
- a point below the ground or above the top is answered;
- a pressure level that lies below ground hides the levels above it, or answers a path with NaN.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.selection.grids import HOUR, SHAPE, START, on_map, to_zarr
from kaiseki.archive.selection import heights, path, points, profile, units
from kaiseki.core.errors import InputError

P0, SCALE = 1.0e5, 8000.0


def linear(x: Any, y: Any, z: Any, t: Any) -> Any:
    return 250.0 + 1e-5 * x - 2e-5 * y - 6e-3 * z + 0.7 * t


def pressure(x: Any, y: Any, z: Any, t: Any) -> Any:
    return P0 * np.exp(-z / SCALE) + 0.0 * (x + y + t)


def in_log_p(x: Any, y: Any, z: Any, t: Any) -> Any:
    return linear(x, y, 0.0, t) + 3.0 * np.log(pressure(x, y, z, t))


def rain(x: Any, y: Any, z: Any, t: Any) -> Any:
    return 1.0 + t + 0.0 * (x + y)


def hills(x: Any, y: Any) -> Any:
    return 30.0 + 400.0 * np.sin(x / 4e4) ** 2 * np.cos(y / 5e4) ** 2


def a_dataset(**more: Any) -> xr.Dataset:
    fields = {"temperature": linear, "virtual_temperature": in_log_p, "pressure": pressure, "temperature_2m": linear,
              "precipitation": rain}  # fmt: skip
    return on_map(fields, terrain=hills, **more)


def places(dataset: xr.Dataset, column: Any, row: Any) -> tuple[Any, Any, Any, Any]:
    """x, y, lon, lat of fractional numbers of cells."""
    from kaiseki.grid import LambertConformal

    x, y = dataset["x"].values[0] + 20e3 * np.asarray(column), dataset["y"].values[0] + 20e3 * np.asarray(row)
    lat, lon = LambertConformal().inverse(np.asarray(x), np.asarray(y))
    return x, y, lon, lat


@settings(max_examples=30, deadline=None)
@given(
    track=st.lists(
        st.tuples(st.floats(0.0, 13.0), st.floats(0.0, 11.0), st.floats(0.0, 5.0), st.floats(600.0, 7000.0)),
        min_size=1,
        max_size=15,
    )
)
def test_linear_in_all_four(track: list[tuple[float, float, float, float]]) -> None:
    dataset = a_dataset()
    column, row, hour, height = np.array(track).T
    time = START + np.round(hour * 3.6e12).astype("timedelta64[ns]")
    hour = (time - START) / HOUR
    x, y, lon, lat = places(dataset, column, row)
    got = path(dataset, lon, lat, time, height=height)
    np.testing.assert_allclose(got["temperature"], linear(x, y, height, hour), rtol=1e-9)
    np.testing.assert_allclose(got["temperature_2m"], linear(x, y, 0.0, hour), rtol=1e-9)
    np.testing.assert_allclose(got["precipitation"], 1.0 + np.ceil(hour), rtol=1e-12)
    by_pressure = path(dataset, lon, lat, time, pressure=P0 * np.exp(-height / SCALE))
    np.testing.assert_allclose(by_pressure["virtual_temperature"], in_log_p(x, y, height, hour), rtol=1e-9)
    np.testing.assert_array_equal(got["time"], time)
    np.testing.assert_array_equal(got["altitude"], height)


def test_above_ground_in_each_column() -> None:
    # A field of the height above ground alone comes back exactly, whatever the mountains.
    dataset = a_dataset()
    ground = dataset["altitude"] - dataset["terrain"]
    dataset["temperature"] = dataset["temperature"] * 0.0 + (280.0 - 5e-3 * ground)
    _, _, lon, lat = places(dataset, [3.3, 7.9, 10.1], [2.2, 5.5, 9.6])
    time = START + HOUR * np.array([0, 1, 2])
    above = np.array([60.0, 500.0, 3000.0])
    got = path(dataset, lon, lat, time, above_ground=above)["temperature"]
    np.testing.assert_allclose(got, 280.0 - 5e-3 * above, rtol=1e-9)


def test_from_a_store_in_single_precision(tmp_path: Path) -> None:
    dataset = to_zarr(a_dataset(dtype=np.float32), tmp_path / "s.zarr")
    column, row = np.linspace(1.0, 12.0, 40), np.linspace(1.0, 10.0, 40)
    hour, height = np.linspace(0.1, 4.8, 40), np.linspace(900.0, 6000.0, 40)
    x, y, lon, lat = places(dataset, column, row)
    time = START + np.round(hour * 3.6e12).astype("timedelta64[ns]")
    got = path(dataset, lon, lat, time, height=height)
    assert "temperature" in repr(got)
    np.testing.assert_allclose(got["temperature"], linear(x, y, height, hour), rtol=1e-5)
    assert got["temperature"].dtype == np.float32
    # In another unit, before or after.
    before = path(units(dataset, {"temperature": "degC"}), lon, lat, time, height=height)["temperature"]
    after = units(got, {"temperature": "degC"})["temperature"]
    np.testing.assert_allclose(before, after, atol=1e-4)


def test_a_section_keeps_its_levels() -> None:
    dataset = a_dataset()
    lon, lat = places(dataset, [3.3, 7.9], [2.2, 5.5])[2:]
    got = path(dataset, lon, lat, [START, START + HOUR])
    assert got["temperature"].dims == ("point", "level")
    columns = points(dataset, lon, lat, "bilinear")["temperature"]
    for number in (0, 1):
        np.testing.assert_allclose(got["temperature"][number], columns[number, :, number], rtol=1e-12)


def test_what_comes_out() -> None:
    dataset = a_dataset()
    _, _, lon, lat = places(dataset, [3.3, 7.9], [2.2, 5.5])
    got = path(dataset, lon, lat, ["2019-10-11T22:00+09:00", "2019-10-11T14:30Z"], above_ground=100.0)
    assert got["temperature"].dims == ("point",)
    assert got["time"].values[0] == np.datetime64("2019-10-11T13:00")
    assert set(got["temperature"].coords) == {"time", "lon", "lat", "height", "terrain"}
    assert "grid_mapping" not in got["temperature"].attrs


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"height": 10.0}, r"10 m above the sea at .*, point number 0 of the path, lies below the lowest or above"),
        ({"height": [1000.0, 9000.0]}, "9000 m above the sea at .*, point number 1"),
        ({"above_ground": 10.0}, "10 m above the ground"),
        ({"pressure": 100.0}, "100 Pa at"),
        ({"pressure": -1.0}, "must be positive, in Pa"),
        (
            {"height": 1000.0, "pressure": 9e4},
            "one vertical position: height, pressure or above_ground; got height and",
        ),
        ({"height": [1.0, 2.0, 3.0]}, "one height for each place of the path; got 3 and 2"),
        ({"height": "high"}, "must be numbers"),
        ({"height": 2000.0, "time": ["2019-10-11T13:00Z"] * 3}, "one time for each place of the path; got 3 and 2"),
        ({"height": 2000.0, "time": "2019-10-12T13:00Z"}, "lies outside the times of the dataset"),
        ({"height": 2000.0, "time": "2019-10-12"}, "is not an instant"),
        ({"height": 2000.0, "lon": [10.0, 138.0]}, "lies outside the grid"),
    ],
)
def test_paths_that_are_none(more: dict[str, Any], words: str) -> None:
    dataset = a_dataset()
    _, _, lon, lat = places(dataset, [3.3, 7.9], [2.2, 5.5])
    given_ = {"lon": lon, "lat": lat, "time": "2019-10-11T13:00Z"} | more
    with pytest.raises(InputError, match=words):
        path(dataset, given_.pop("lon"), given_.pop("lat"), given_.pop("time"), **given_)


def test_missing_instead_of_refused() -> None:
    dataset = a_dataset()
    _, _, lon, lat = places(dataset, [3.3, 7.9, 5.0, 30.0], [2.2, 5.5, 5.0, 5.0])
    time = [*(START + HOUR * np.array([0, 1])), START - HOUR, START]
    got = path(dataset, lon, lat, np.array(time), height=[2000.0, 9000.0, 2000.0, 2000.0], outside="nan")
    np.testing.assert_array_equal(np.isnan(got["temperature"]), [False, True, True, True])


def test_a_gap_is_not_bridged() -> None:
    dataset = a_dataset().isel(time=[0, 1, 4, 5])
    _, _, lon, lat = places(dataset, 3.3, 2.2)
    for hour, fine in ((0.5, True), (1.0, True), (2.0, False), (4.0, True), (4.5, True)):
        time = START + np.timedelta64(int(hour * 60), "m")
        got = path(dataset, lon, lat, time, height=2000.0, outside="nan")["temperature"]
        assert bool(np.isfinite(got[0])) is fine


def test_forecasts_say_what_to_do() -> None:
    dataset = a_dataset().rename_dims(time="forecast_period").reset_index("time")
    _, _, lon, lat = places(dataset, 3.3, 2.2)
    with pytest.raises(InputError, match="it holds forecasts: choose one with"):
        path(dataset, lon, lat, START, height=2000.0)
    one = dataset.swap_dims(forecast_period="time").set_xindex("time") if "time" not in dataset.xindexes else dataset
    assert np.isfinite(path(one, lon, lat, START, height=2000.0)["temperature"][0])


def test_profile() -> None:
    dataset = a_dataset()
    x, y, lon, lat = places(dataset, 3.3, 2.2)
    got = profile(dataset, float(lon), float(lat), START + HOUR // 4, "bilinear")
    assert got["temperature"].dims == ("level",)
    column = points(dataset, float(lon), float(lat), "bilinear")
    expected = 0.75 * column["temperature"][0] + 0.25 * column["temperature"][1]
    np.testing.assert_allclose(got["temperature"], expected, rtol=1e-12)
    np.testing.assert_allclose(got["altitude"], column["altitude"])
    # A field that is linear in height is that of the altitude of each level here.
    np.testing.assert_allclose(got["temperature"], linear(x, y, got["altitude"].values, 0.25), rtol=1e-9)
    assert float(got["precipitation"]) == 2.0
    exact = profile(dataset, float(lon), float(lat), START + 5 * HOUR)
    np.testing.assert_array_equal(exact["temperature"], dataset["temperature"][5, :, 2, 3])
    with pytest.raises(InputError, match="outside the times"):
        profile(dataset, float(lon), float(lat), START + 6 * HOUR)
    late = profile(dataset, float(lon), float(lat), START + 6 * HOUR, outside="nan")
    assert np.isnan(late["temperature"]).all()
    with pytest.raises(InputError, match="one place"):
        profile(dataset, [138.0], [35.0], START)
    with pytest.raises(InputError, match="one instant"):
        profile(dataset, 138.0, 35.0, [START, START])


@pytest.mark.parametrize("above", ["ground", "sea"])
def test_heights(above: Any) -> None:
    dataset = a_dataset()
    metres = np.array([40.0, 700.0, 5000.0])
    got = heights(dataset, metres, above)
    name = "height" if above == "ground" else "altitude"
    assert got["temperature"].dims == ("time", name, "y", "x")
    assert got["temperature_2m"].dims == ("time", "y", "x")
    target = metres[:, None, None] + (dataset["terrain"].values if above == "ground" else 0.0)
    altitude = dataset["altitude"].values
    inside = (target >= altitude[0]) & (target <= altitude[-1])
    expected = linear(dataset["x"].values, dataset["y"].values[:, None], target, np.arange(6.0)[:, None, None, None])
    assert inside[1:].all()
    np.testing.assert_allclose(got["temperature"], np.where(inside, expected, np.nan), rtol=1e-9)
    one = heights(dataset, 700.0, above)["temperature"]
    np.testing.assert_array_equal(one, got["temperature"][:, 1])
    np.testing.assert_array_equal(got["temperature"][3, 1, ::2, 4], np.asarray(got["temperature"])[3, 1, ::2, 4])


def test_heights_after_places_and_without_the_formula() -> None:
    dataset = a_dataset()
    lon, lat = places(dataset, [3.0, 7.0], [2.0, 5.0])[2:]
    here = heights(points(dataset, lon, lat), [300.0, 1000.0], "ground")["temperature"]
    assert here.dims == ("time", "height", "place")
    np.testing.assert_allclose(here, heights(dataset, [300.0, 1000.0])["temperature"].values[:, :, [2, 5], [3, 7]])
    without = heights(dataset.drop_vars("decay"), [300.0, 1000.0])["temperature"]
    np.testing.assert_allclose(without, heights(dataset, [300.0, 1000.0])["temperature"], rtol=1e-12)


def test_other_levels() -> None:
    # Pressure levels with geopotential height, from the top down or from the ground up.
    source = on_map({"temperature_2m": linear}, terrain=hills)
    levels = np.array([100_000.0, 85_000.0, 70_000.0, 50_000.0, 30_000.0])
    height = -SCALE * np.log(levels / P0)[:, None, None] + 0.0 * source["terrain"].values
    hour = np.arange(6.0)[:, None, None, None]
    values = linear(source["x"].values, source["y"].values[:, None], height, hour)
    dims = ("time", "pressure", "y", "x")
    dataset = source.drop_vars(["level", "decay", "altitude"]).assign_coords(
        pressure=("pressure", levels, {"units": "Pa"})
    )
    dataset["temperature"] = (dims, values, {"units": "K"})
    dataset["geopotential_height"] = (dims, np.broadcast_to(height, values.shape), {"units": "m"})
    x, y, lon, lat = places(source, [3.3, 7.9], [2.2, 5.5])
    for one in (dataset, dataset.isel(pressure=slice(None, None, -1)), units(dataset, {"pressure": "hPa"})):
        got = path(one, lon, lat, START + HOUR // 2, pressure=[60_000.0, 90_000.0])["temperature"]
        np.testing.assert_allclose(got, linear(x, y, -SCALE * np.log(np.array([0.6, 0.9])), 0.5), rtol=1e-9)
        at = heights(one, 2000.0, "sea")["temperature"]
        np.testing.assert_allclose(
            at[1], linear(source["x"].values, source["y"].values[:, None], 2000.0, 1.0), rtol=1e-9
        )
    with pytest.raises(InputError, match="no levels"):
        heights(source.isel(level=0), 10.0)
    with pytest.raises(InputError, match="has no geopotential_height on its levels"):
        heights(dataset.drop_vars("geopotential_height"), 10.0)
    with pytest.raises(InputError, match="has no terrain"):
        heights(dataset.drop_vars("terrain"), 10.0)
    with pytest.raises(InputError, match="in m"):
        heights(dataset, [np.nan])


def on_pressures_above_hills() -> tuple[xr.Dataset, np.ndarray]:
    """Fields on pressure levels, missing where these lie below hills of 30 to 430 m, and the heights of the levels."""
    source = on_map({"temperature_2m": linear}, terrain=hills)
    levels = np.array([100_000.0, 97_000.0, 95_000.0, 85_000.0, 50_000.0])
    height = -SCALE * np.log(levels / P0)[:, None, None] + 0.0 * source["terrain"].values
    hour = np.arange(6.0)[:, None, None, None]
    above = height >= source["terrain"].values
    values = linear(source["x"].values, source["y"].values[:, None], height, hour)
    dims = ("time", "pressure", "y", "x")
    dataset = source.drop_vars(["level", "decay", "altitude"]).assign_coords(
        pressure=("pressure", levels, {"units": "Pa"})
    )
    dataset["temperature"] = (dims, np.where(above, values, np.nan), {"units": "K"})
    heights_of = np.where(above, np.broadcast_to(height, values.shape), np.nan)
    dataset["geopotential_height"] = (dims, heights_of, {"units": "m"})
    return dataset, height


@pytest.mark.parametrize("order", [1, -1])
def test_levels_below_ground_do_not_hide_those_above(order: int) -> None:
    dataset, height = on_pressures_above_hills()
    lowest = np.nanmin(np.where(np.isnan(dataset["geopotential_height"][0]), np.nan, height), axis=0)
    assert np.unique(np.isnan(dataset["temperature"][0]).sum("pressure")).tolist() == [1, 2, 3]
    upside = dataset.isel(pressure=slice(None, None, order))
    for metres in (-1.0, 200.0, 420.0, 1500.0, 5000.0, 6000.0):
        got = heights(upside, metres, "sea")["temperature"]
        expected = linear(dataset["x"].values, dataset["y"].values[:, None], metres, np.arange(6.0)[:, None, None])
        inside = (metres >= lowest) & (metres <= height[-1])
        np.testing.assert_allclose(got, np.where(inside, expected, np.nan), rtol=1e-9)
    # A path at the height of an aircraft needs no level below it.
    x, y, lon, lat = places(dataset, [3.3, 7.9], [2.2, 5.5])
    got = path(upside, lon, lat, START + HOUR // 2, height=3000.0)["temperature"]
    np.testing.assert_allclose(got, linear(x, y, 3000.0, 0.5), rtol=1e-9)


def test_a_path_below_ground_is_refused_on_pressure_levels() -> None:
    dataset, _ = on_pressures_above_hills()
    _, _, lon, lat = places(dataset, [3.3, 7.9], [2.2, 5.5])
    for one in (dataset, dataset[["temperature"]]):
        with pytest.raises(InputError, match=r"100000 Pa at .* point number 0 of the path, lies below the lowest"):
            path(one, lon, lat, START, pressure=[100_000.0, 85_000.0])
        got = path(one, lon, lat, START, pressure=[100_000.0, 85_000.0], outside="nan")["temperature"]
        assert np.isnan(got).values.tolist() == [True, False]


@settings(max_examples=60, deadline=None)
@given(
    known=st.lists(st.booleans(), min_size=3, max_size=7).filter(lambda one: sum(one) >= 2),
    target=st.floats(-1.0, 7.0),
)
def test_between_two_levels_that_are_known_and_neighbours(known: list[bool], target: float) -> None:
    from kaiseki.archive.selection.vertical import locate

    position = np.where(known, np.arange(len(known), dtype=float), np.nan)
    low, weight, outside = locate(position[:, None], target)
    pairs = [k for k in range(len(known) - 1) if known[k] and known[k + 1] and k <= target <= k + 1]
    if pairs:
        assert not outside[0]
        assert low[0] + weight[0] == pytest.approx(target, abs=1e-9)
    elif not any(known[k] and abs(target - k) < 1e-6 for k in range(len(known))):
        assert outside[0]


def test_only_the_levels_about_the_height_are_read() -> None:
    dataset = a_dataset()
    read: list[Any] = []

    def part(key: dict[Any, Any]) -> np.ndarray:
        read.append(key["level"])
        chosen = [np.arange(size)[one] for one, size in zip(key.values(), (6, *SHAPE), strict=True)]
        return dataset["temperature"].values[np.ix_(*chosen)]

    from kaiseki.archive.selection.lazy import computed

    hidden = computed(dataset["temperature"].sizes, float, part, dataset["temperature"].attrs)
    got = heights(dataset.assign(temperature=hidden), 100.0)
    assert not read
    np.asarray(got["temperature"].isel(time=2))
    levels = {int(one) for key in read for one in np.arange(6)[key]}
    assert levels <= {0, 1, 2}
