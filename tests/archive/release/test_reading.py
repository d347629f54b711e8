"""Reading of releases: could break by points mixed up, copies not used, requests that multiply, memory."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import kaiseki
from archive.release.days import DAY, a_release, layout, of_day, write
from kaiseki.archive.release.reading import _PickedArray
from kaiseki.archive.release.store import QUALITY, ReleaseStore
from kaiseki.core.errors import InputError, StoreError


def test_a_map_of_a_model_level_is_fetched_by_one_request_and_the_index(tmp_path: Path) -> None:
    from kaiseki.archive.release.layout import Chunks
    from kaiseki.archive.store.reading import ReadingStore

    with ReleaseStore.create(tmp_path / "r", layout(1, chunks=Chunks(cells=(2, 2), levels=1, times=6))) as store:
        store.add_variables({("model_levels", "temperature"): "level"})
        with store.day("one", DAY) as writer:
            writer.write("model_levels", "temperature", of_day("temperature", 0))
    field = kaiseki.open(tmp_path / "r", "model_levels", version=QUALITY)["temperature"]
    asked: list[Any] = []
    original = ReadingStore.get

    async def get(self: Any, key: str, *arguments: Any, **options: Any) -> Any:
        asked.append(arguments)
        return await original(self, key, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ReadingStore, "get", get)
        found = field.isel(time=13, level=1).values
    assert np.abs(found - of_day("temperature", 0)[13, 1]).max() <= 0.01
    assert len(asked) == 2
    extent, stored = asked[1][1], sum(file.stat().st_size for file in (tmp_path / "r" / "chunks").iterdir())
    assert extent.end - extent.start < 0.1 * stored, "a twelfth: six hours of one level of three"


def test_all_layouts_give_the_same_and_the_cheapest_is_read(tmp_path: Path) -> None:
    with a_release(tmp_path / "r", 32) as store:
        for day in range(2):
            write(store, day)
        assert store.pack_series() == 1
        store.publish("v1")
    fields = kaiseki.open(tmp_path / "r", "surface")["temperature_2m"]
    picked: Any = fields.variable._data
    while not isinstance(picked, _PickedArray):
        picked = picked.array
    whole = np.concatenate([of_day("temperature_2m", day) for day in range(2)])
    for copy in picked.copies:
        found = np.asarray(copy.array[:48]) * float(str(copy.array.attrs["scale_factor"]))
        assert np.abs(found - whole).max() <= 0.01
    layouts = {"": 0, "map": 1, "series": 2}
    one_map = picked._cheapest((5, slice(0, 5), slice(0, 6)))[0]
    series = picked._cheapest((slice(0, 48), 2, 3))[0]
    assert one_map is picked.copies[layouts["map"]]
    assert series is picked.copies[layouts[""]] or series is picked.copies[layouts["series"]]


def test_points_are_those_of_the_whole_field(release: Path) -> None:
    random = np.random.default_rng(3)
    fields = kaiseki.open(release, "model_levels")["temperature"]
    whole = fields.values
    y, x, k, t = (xr.DataArray(random.integers(0, n, 40), dims="p") for n in (5, 6, 3, 37))
    np.testing.assert_array_equal(fields.isel(y=y, x=x).values, whole[:, :, y.values, x.values])
    np.testing.assert_array_equal(
        fields.isel(time=t, level=k, y=y, x=x).values, whole[t.values, k.values, y.values, x.values]
    )
    np.testing.assert_array_equal(
        fields.isel(time=t, x=x).transpose("p", "level", "y").values, whole[t.values, :, :, x.values]
    )
    np.testing.assert_array_equal(
        fields.isel(y=xr.DataArray(y.values.reshape(8, 5), dims=("a", "b"))).isel(time=4).values,
        whole[4][:, y.values.reshape(8, 5)],
    )
    assert fields.isel(y=y[:0], x=x[:0]).values.shape == (37, 3, 0)


def test_series_at_many_places_are_read_as_such(release: Path) -> None:
    fields = kaiseki.open(release, "model_levels")["temperature"]
    whole = fields.values
    y, x = xr.DataArray([4, 0, 4, 2], dims="place"), xr.DataArray([5, 1, 0, 3], dims="place")
    expected = whole[:, :, y.values, x.values]
    np.testing.assert_array_equal(fields.isel(y=y, x=x).values, expected)
    np.testing.assert_array_equal(fields.isel(x=x, y=y).isel(time=slice(3, 9)).values, expected[3:9])
    np.testing.assert_array_equal(fields.isel(level=2).isel(y=y, x=x).values, expected[:, 2])
    every = fields.isel(time=xr.DataArray(np.arange(4), dims="place"), y=y, x=x).values
    np.testing.assert_array_equal(every, whole[np.arange(4), :, y.values, x.values])


@pytest.mark.parametrize("piece", [1, 5000, 2**26])
def test_many_places_are_read_in_pieces_that_fit_the_memory(
    release: Path, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaiseki.archive.selection.lazy.PIECE", piece)
    fields = kaiseki.open(release, "model_levels")[["temperature"]]
    rows, columns = np.array([1, 4, 0, 1, 3]), np.array([5, 0, 2, 5, 3])
    lat, lon = fields["lat"].values[rows, columns], fields["lon"].values[rows, columns]
    found = fields.kaiseki.points(lon, lat)["temperature"]
    expected = fields["temperature"].values[:, :, rows, columns]
    np.testing.assert_array_equal(found.values, expected)
    np.testing.assert_array_equal(found.isel(time=slice(30, None), level=1).values, expected[30:, 1])


@pytest.mark.parametrize(
    "shapes",
    [
        {"t": (7, 1), "y": (1, 5), "x": (1, 5)},
        {"t": (7, 5), "y": (7, 5), "x": (7, 5)},
        {"t": (1, 5), "y": (7, 1), "x": (7, 1)},
        {"t": (7, 1), "y": (1, 5), "x": (7, 5)},
    ],
)
@pytest.mark.parametrize("stretch", [False, True])
def test_points_along_one_dimension_are_found(release: Path, shapes: dict[str, Any], stretch: bool) -> None:
    fields = kaiseki.open(release, "model_levels")["temperature"]
    draw = np.random.default_rng(5)
    sizes = {"t": 37, "y": 5, "x": 6}
    index = {name: draw.integers(0, sizes[name], shape) for name, shape in shapes.items()}
    if stretch:
        index["t"] = np.arange(3, 3 + index["t"].size).reshape(shapes["t"]) % 37
    t, y, x = np.broadcast_arrays(*index.values())
    places = {name: xr.DataArray(one, dims=("a", "b")) for name, one in zip("tyx", (t, y, x), strict=True)}
    found = fields.isel(time=places["t"], y=places["y"], x=places["x"]).transpose("a", "b", "level").values
    whole = fields.values
    np.testing.assert_array_equal(found, np.moveaxis(whole, 1, -1)[t, y, x])


def test_what_was_opened_can_be_copied_and_sent_to_another_process(release: Path) -> None:
    fields = kaiseki.open(release, "surface")["temperature_2m"]
    expected = fields.isel(y=2, x=3).values
    for again in (fields.copy(deep=True), pickle.loads(pickle.dumps(fields))):
        np.testing.assert_array_equal(again.isel(y=2, x=3).values, expected)


def test_maps_of_all_pressure_levels_are_whole(release: Path) -> None:
    fields = kaiseki.open(release, "pressure_levels")["temperature"]
    assert fields.isel(time=3).values.shape == fields.shape[1:]
    np.testing.assert_array_equal(fields.isel(time=3).values, fields.values[3])
    np.testing.assert_array_equal(fields.isel(time=3, pressure=slice(2, None)).values, fields.values[3, 2:])


def test_fields_that_do_not_change(release: Path) -> None:
    static, surface = kaiseki.open(release, "static"), kaiseki.open(release, "surface")
    assert {"terrain", "land_fraction", "rim"} <= set(static.data_vars)
    for name in ("terrain", "lat", "lon", "rim"):
        np.testing.assert_array_equal(static[name], surface[name])
    assert static.attrs["kind"] == "static"
    here = static.kaiseki.points(float(surface["lon"][2, 3]), float(surface["lat"][2, 3]))
    assert here["terrain"] == surface["terrain"][2, 3]
    air = kaiseki.open(release, "model_levels")
    np.testing.assert_array_equal(static["altitude"], air["altitude"])
    with pytest.raises(InputError, match=r"uncertainty, static, not 'statics'$"):
        kaiseki.open(release, "statics")
    with pytest.raises(InputError, match="the observations come from kaiseki"):
        kaiseki.open(release, "observations")


def test_observations_of_a_release_are_those_of_its_run(release: Path, run: Path) -> None:
    found, expected = kaiseki.open_observations(release), kaiseki.open_observations(run)
    assert found.num_rows == expected.num_rows > 0
    pd.testing.assert_frame_equal(
        found.select(expected.column_names).to_pandas(), expected.to_pandas(), check_categorical=False
    )
    cycles = found["cycle"].to_numpy()
    some = kaiseki.open_observations(release, "1989-01-01T15:00", "1989-01-02T03:00")
    within = (cycles >= np.datetime64("1989-01-01T15:00")) & (cycles <= np.datetime64("1989-01-02T03:00"))
    assert some.num_rows == within.sum() > 0
    with pytest.raises(StoreError, match="holds no observations from 1990-01-01"):
        kaiseki.open_observations(release, "1990-01-01T00:00")
    with pytest.raises(InputError, match="only these have versions"):
        kaiseki.open_observations(run, version="v1")
