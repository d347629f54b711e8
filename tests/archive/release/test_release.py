"""The release store: could break by days that are seen in part, by copies that differ, by versions that change."""

from __future__ import annotations

import dataclasses
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import kaiseki
from archive.release.days import DAY, HOUR, START, a_release, a_run, date, layout, of_day, values, write
from archive.runs import small_domain
from kaiseki.archive.release.packing import PackSettings, pack
from kaiseki.archive.release.report import as_mapping, as_text, sizes
from kaiseki.archive.release.store import QUALITY, ReleaseStore
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.variables import VARIABLES


def test_the_days_of_a_run_are_there_within_their_bounds(run: Path, release: Path) -> None:
    source = kaiseki.open(run, "background")
    for group in ("model_levels", "surface", "precipitation"):
        fields = kaiseki.open(release, group)
        # Nothing has fallen at the start of the run.
        first = 1 if group == "precipitation" else 0
        np.testing.assert_array_equal(fields["time"].values, source["time"].values[first:])
        for name in fields.data_vars:
            if name not in source or name == "time_bnds":
                continue
            bound = VARIABLES[str(name)].bound
            mine, theirs = fields[name].values.astype(float), source[name].values[first:].astype(float)
            np.testing.assert_array_equal(np.isnan(mine), np.isnan(theirs))
            assert np.nanmax(np.abs(mine - theirs)) <= bound
            assert fields[name].attrs["maximum_absolute_error"] == bound
            assert fields[name].attrs["units"] == VARIABLES[str(name)].units
    assert "precipitation" not in kaiseki.open(release, "surface")


def test_analyses_their_errors_and_pressure_levels_are_groups_of_their_own(run: Path, release: Path) -> None:
    source = kaiseki.open(run, "analysis")
    fields, errors = kaiseki.open(release, "analysis"), kaiseki.open(release, "uncertainty")
    np.testing.assert_array_equal(fields["time"].values, source["time"].values)
    np.testing.assert_allclose(fields["temperature"].values, source["temperature"].values, atol=0.01)
    np.testing.assert_allclose(errors["temperature_spread"].values, source["temperature_spread"].values, atol=0.005)
    assert "temperature_spread" not in fields
    from kaiseki.archive import on_pressure_levels

    background = kaiseki.open(run, "background").isel(time=[3, 20])
    expected = on_pressure_levels(background, [90_000.0, 70_000.0], ["temperature"])["temperature"]
    found = (
        kaiseki.open(release, "pressure_levels")["temperature"].sel(pressure=[90_000.0, 70_000.0]).isel(time=[3, 20])
    )
    np.testing.assert_allclose(found.values, expected.values, atol=0.01)


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"pressure": slice(1, None)},
        {"pressure": slice(None, -1)},
        {"pressure": -1},
        {"pressure": [0, 2], "time": 3},
    ],
    ids=str,
)
def test_levels_however_they_are_asked_for(release: Path, part: dict[str, Any]) -> None:
    """The copy for maps holds some of the pressure levels only; what is asked of all must not come from it."""
    lazy = kaiseki.open(release, "pressure_levels")["temperature"]
    each = np.stack([lazy.isel(pressure=[level]).values[:, 0] for level in range(lazy.sizes["pressure"])], axis=1)
    assert each.shape == lazy.shape
    whole = xr.DataArray(each, dims=lazy.dims).isel(part)
    np.testing.assert_array_equal(lazy.isel(part).values, whole.values)


def test_what_a_run_does_not_store_is_derived(run: Path, release: Path) -> None:
    from kaiseki.archive.products.derived import derived_fields
    from kaiseki.archive.products.height_levels import on_height_levels

    background = kaiseki.open(run, "background").isel(time=[5, 30])
    for name in ("precipitable_water", "freezing_level", "cape_mixed_layer"):
        expected = derived_fields(background, [name])[name]
        found = kaiseki.open(release, "surface")[name].isel(time=[5, 30])
        np.testing.assert_allclose(found.values, expected.values, atol=VARIABLES[name].bound)
    expected = on_height_levels(background, [100.0], ["eastward_wind"])["eastward_wind"]
    found = kaiseki.open(release, "height_levels")["eastward_wind"].sel(height=[100.0]).isel(time=[5, 30])
    np.testing.assert_allclose(found.values, expected.values, atol=0.02)


def test_coordinates_are_those_of_the_run_and_the_rim_is_flagged(run: Path, release: Path) -> None:
    source, fields = kaiseki.open(run, "background"), kaiseki.open(release, "model_levels")
    for name in ("x", "y", "level", "lat", "lon", "altitude", "terrain"):
        np.testing.assert_array_equal(fields[name].values, source[name].values)
        assert fields[name].attrs == source[name].attrs
    assert fields["crs"].attrs == source["crs"].attrs
    rim = fields["rim"].values
    assert rim[0].all()
    assert rim[:, -1].all()
    assert not rim[1:-1, 1:-1].any()
    assert set(np.unique(fields["state"].values)) == {2}


def test_fields_at_a_fixed_height_have_it_as_a_coordinate(release: Path, tmp_path: Path) -> None:
    import h5netcdf

    from kaiseki.archive.exchange.netcdf import write_netcdf

    opened = kaiseki.open(release, "surface", version=QUALITY)
    height = opened["temperature_2m"]["height_2m"]
    assert height == 2.0
    assert {"standard_name": "height", "units": "m", "positive": "up"}.items() <= height.attrs.items()
    coordinates = kaiseki.open(release, "model_levels", version=QUALITY).coords
    assert not [name for name in coordinates if "height_" in str(name)]
    with h5netcdf.File(write_netcdf(opened, tmp_path / "x.nc"), "r") as file:
        listed = {name: str(one.attrs.get("coordinates", "")).split() for name, one in file.variables.items()}
        assert file.variables["height_2m"][()] == 2.0
    assert [name for name, places in listed.items() if "height_2m" in places] == ["temperature_2m"]


def test_a_second_call_packs_nothing_again(run: Path, release: Path) -> None:
    before = ReleaseStore.open(release).history()
    done = pack([run], release)
    assert not done.days
    assert len(done.kept) == 3
    assert ReleaseStore.open(release).history() == before


def test_a_day_that_the_run_has_not_completed_waits(tmp_path: Path) -> None:
    run = a_run(tmp_path / "half", 36, complete=8)
    done = pack([run], tmp_path / "release", PackSettings(pressures=()))
    assert [str(day) for day in done.days] == ["1989-01-01"]
    assert [str(day) for day in done.waiting] == ["1989-01-02", "1989-01-03"]
    fields = kaiseki.open(tmp_path / "release", "surface", version="quality")
    assert fields["time"].values[-1] == np.datetime64("1989-01-01T23:00", "ns")


def test_opening_what_was_published_does_not_read_the_ledger_of_every_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kaiseki.archive.store.reading import ReadingStore

    asked: list[str] = []
    original = ReadingStore.get

    async def get(self: Any, key: str, *arguments: Any, **options: Any) -> Any:
        asked.append(key)
        return await original(self, key, *arguments, **options)

    monkeypatch.setattr(ReadingStore, "get", get)
    with a_release(tmp_path / "r", 12) as store:
        for day in range(3):
            write(store, day)
        store.publish("v1")
        asked.clear()
        assert kaiseki.open(tmp_path / "r", "surface").sizes["time"] == 72
        assert not [key for key in asked if key.startswith("ledger/") and "/state/c/" in key]
        assert len(asked) < 60
        write(store, 3)
        assert kaiseki.open(tmp_path / "r", "surface").sizes["time"] == 72
        assert kaiseki.open(tmp_path / "r", "surface", version="quality").sizes["time"] == 96
        store.publish("v2")
    assert kaiseki.open(tmp_path / "r", "surface").sizes["time"] == 96
    assert kaiseki.open(tmp_path / "r", "surface", version="v1").sizes["time"] == 72


def test_a_day_committed_during_a_publication_is_not_told_wrongly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kaiseki.archive.release.store as module

    original, times = module.write_summary, []

    def with_another(root: Any) -> None:
        original(root)
        if not times:
            times.append(1)
            # An object store has no lock that would keep the other writer waiting.
            with monkeypatch.context() as patch:
                patch.setattr("kaiseki.archive.release.commits.commit_lock", lambda *_: nullcontext())
                with ReleaseStore.open(tmp_path / "r", "a") as other:
                    write(other, 1, "two")

    with a_release(tmp_path / "r") as store:
        write(store, 0)
        monkeypatch.setattr(module, "write_summary", with_another)
        store.publish("v1")
    assert times
    assert kaiseki.open(tmp_path / "r", "surface").sizes["time"] == 48
    assert (ReleaseStore.open(tmp_path / "r").states("surface", "v1") == 2).all()


def test_nothing_is_public_before_it_is_published_and_versions_stay(tmp_path: Path) -> None:
    with a_release(tmp_path / "r") as store:
        with pytest.raises(StoreError, match="no day yet"):
            store.publish("v1")
        write(store, 0, preliminary=True)
        with pytest.raises(StoreError, match="published yet"):
            kaiseki.open(tmp_path / "r", "surface")
        store.publish("preliminary")
        assert kaiseki.open(tmp_path / "r", "surface")["state"].values.max() == 1
        with store.day("one", DAY) as writer:
            writer.write("surface", "temperature_2m", of_day("temperature_2m", 1))
        assert kaiseki.open(tmp_path / "r", "surface")["state"].values.max() == 1
        store.publish("final")
        assert store.versions() == ["preliminary", "final"]
        with pytest.raises(InputError, match="never changed"):
            store.publish("final")
        with pytest.raises(InputError, match="no version 'v9'"):
            kaiseki.open(tmp_path / "r", version="v9")
    old = kaiseki.open(tmp_path / "r", "surface", version="preliminary")["temperature_2m"].values
    new = kaiseki.open(tmp_path / "r", "surface")["temperature_2m"].values
    assert np.abs(old - of_day("temperature_2m", 0)).max() <= 0.01
    assert np.abs(new - of_day("temperature_2m", 1)).max() <= 0.01


def test_a_final_day_is_replaced_only_when_asked(tmp_path: Path) -> None:
    with a_release(tmp_path / "r") as store:
        write(store, 0)
        with pytest.raises(StoreError, match="final"):
            write(store, 0)
        write(store, 0, replace=True)


def test_a_day_left_by_an_error_leaves_nothing(tmp_path: Path) -> None:
    with a_release(tmp_path / "r") as store:
        write(store, 0)
        before = store.history()
        for bad in (np.inf, 1e9):
            wrong = of_day("temperature_2m", 1)
            wrong[3, 2, 1] = bad
            with pytest.raises(InputError, match=r"1989-01-02, surface: temperature_2m is .* \(3, 2, 1\)"):
                _write_both(store, wrong)
        assert store.history() == before
        assert not store.states("model_levels")[24:].any()


def _write_both(store: ReleaseStore, surface: np.ndarray) -> None:
    with store.day("one", date(1)) as writer:
        writer.write("model_levels", "temperature", of_day("temperature", 1))
        writer.write("surface", "temperature_2m", surface)


def test_days_outside_the_axis_and_wrong_shapes_are_refused(tmp_path: Path) -> None:
    with a_release(tmp_path / "r") as store:
        with pytest.raises(StoreError, match="1989-01-03 is outside the axis"), store.day("one", date(2)):
            pass
        with pytest.raises(StoreError, match="must have the shape"), store.day("one", DAY) as writer:
            writer.write("surface", "temperature_2m", of_day("temperature_2m", 0)[1:])
        with pytest.raises(StoreError, match="add_variables"), store.day("one", DAY) as writer:
            writer.write("surface", "precipitation", of_day("precipitation", 0))


def test_days_that_two_streams_have_are_kept_apart(tmp_path: Path) -> None:
    with a_release(tmp_path / "r") as store:
        write(store, 0)
        store.add_variables({("surface", "temperature_2m"): None}, "spin-up")
        with store.day("spin-up", DAY, overlap=True) as writer:
            writer.write("surface", "temperature_2m", of_day("temperature_2m", 1))
        store.publish("v1")
        kept = store.root()["overlap/spin-up/surface/temperature_2m"]
    found = np.asarray(kept[:24]) * float(str(kept.attrs["scale_factor"]))  # type: ignore[index]
    assert np.abs(found - of_day("temperature_2m", 1)).max() <= 0.01
    fields = kaiseki.open(tmp_path / "r", "surface")["temperature_2m"].values
    assert np.abs(fields - of_day("temperature_2m", 0)).max() <= 0.01


def test_another_grid_is_refused(run: Path, tmp_path: Path) -> None:
    from kaiseki.archive.release.layout import of_domain

    other = dataclasses.replace(layout(), **of_domain(dataclasses.replace(small_domain(), terrain=np.zeros((5, 6)))))
    ReleaseStore.create(tmp_path / "r", other).close()
    with pytest.raises(StoreError, match="differ in terrain"):
        pack([run], tmp_path / "r")


def test_a_damaged_shard_is_one_sentence(tmp_path: Path) -> None:
    with a_release(tmp_path / "r") as store:
        write(store, 0)
        store.publish("v1")
    fields = kaiseki.open(tmp_path / "r", "model_levels")["temperature"]
    chunks = sorted((tmp_path / "r" / "chunks").iterdir(), key=lambda file: -file.stat().st_size)
    for file in chunks:
        data = bytearray(file.read_bytes())
        for place in range(40, min(len(data) - 40, 4000), 97):
            data[place] ^= 0xFF
        file.write_bytes(bytes(data))
    with pytest.raises(StoreError, match=r"model_levels/temperature of 1989-01-01T05:00Z is damaged"):
        fields.isel(time=5).values  # noqa: B018
    shutil.rmtree(tmp_path / "r" / "chunks")
    with pytest.raises(StoreError, match="damaged or cannot be reached"):
        fields.isel(time=slice(0, 3)).values  # noqa: B018


def test_a_store_is_read_with_the_steps_it_was_written_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with a_release(tmp_path / "r") as store:
        write(store, 0)
        store.publish("v1")
    row = dataclasses.replace(VARIABLES["temperature_2m"], bound=0.5)
    monkeypatch.setattr("kaiseki.core.variables.VARIABLES", {**VARIABLES, "temperature_2m": row})
    found = kaiseki.open(tmp_path / "r", "surface")["temperature_2m"]
    assert np.abs(found.values - of_day("temperature_2m", 0)).max() <= 0.01
    assert found.attrs["maximum_absolute_error"] == 0.01


def test_a_newer_store_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("kaiseki.archive.release.schema.VERSION", 2)
        a_release(tmp_path / "r").close()
    with pytest.raises(StoreError, match=r"schema version 2 .* install a newer one"):
        kaiseki.open(tmp_path / "r")


def test_only_releases_have_versions(run: Path) -> None:
    with pytest.raises(InputError, match="only these have versions"):
        kaiseki.open(run, version="v1")


def test_sizes_and_errors_are_told(release: Path) -> None:
    rows = sizes(release)
    told = as_mapping(rows)
    assert told["bounds_held"]
    assert {row.layout for row in rows} == {"core", "map", "series"}
    # Small chunks lie in the manifests.
    stored = sum(file.stat().st_size for file in release.rglob("*") if file.is_file())
    assert told["bytes"] <= stored
    one = next(row for row in rows if (row.group, row.name, row.layout) == ("model_levels", "temperature", "core"))
    assert one.values == 37 * 3 * 5 * 6
    assert one.year == pytest.approx(one.bits / 8 * 661 * 817 * 96 * 8766)
    assert "TB" in as_text(rows)


def test_a_full_disk_is_one_sentence_and_the_day_can_be_written_again(tmp_path: Path) -> None:
    import resource

    with a_release(tmp_path / "r") as store:
        write(store, 0)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
        try:
            with pytest.raises(Exception, match="limit") as caught:
                write(store, 1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert type(caught.value).__name__ == "ResourceError"
        write(store, 1)
        assert (store.states("surface") == 2).all()


def test_values_of_the_helper_follow_from_the_time() -> None:
    np.testing.assert_array_equal(values("temperature", START), of_day("temperature", 0)[12])
    assert not np.array_equal(values("temperature", START), values("temperature", START + HOUR))


def test_sizes_are_told_without_reading_a_value(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kaiseki.archive.store.reading import ReadingStore

    asked: list[str] = []
    get = ReadingStore.get
    monkeypatch.setattr(
        ReadingStore,
        "get",
        lambda self, key, *arguments, **options: asked.append(key) or get(self, key, *arguments, **options),
    )
    rows = sizes(release)
    chunks = [key for key in asked if "/c/" in key and not key.startswith("ledger/")]
    assert rows
    assert chunks == []
