"""Comparison: could break by a wrong sign, by masks, by days that are taken for equal or counted twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import kaiseki
from archive.release.days import a_release, date, layout, of_day, write
from kaiseki.archive.care.compare import compare
from kaiseki.archive.care.comparison import ALL, CompareSettings, Comparison, Side
from kaiseki.archive.release.store import ReleaseStore
from kaiseki.core.errors import InputError

OFFSET = 1.5


def warmer(store: ReleaseStore, day: int) -> None:
    """Write a day again with temperatures that differ, in part."""
    with store.day("two", date(day), replace=True) as writer:
        air = of_day("temperature", day)
        air[:, 1] += np.linspace(0.0, 1.0, air[:, 1].size, dtype=np.float32).reshape(air[:, 1].shape)
        surface = of_day("temperature_2m", day) + np.float32(OFFSET)
        surface[3, 0, 0] = np.nan
        writer.write("model_levels", "temperature", air)
        writer.write("surface", "temperature_2m", surface)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions v1 of two days and v2, in which the second is another and a third was added."""
    place = tmp_path_factory.mktemp("compare") / "release"
    with a_release(place, days=40) as store:
        for day in (0, 1):
            write(store, day)
        store.publish("v1")
        warmer(store, 1)
        write(store, 2)
        store.publish("v2")
    return place


def row(found: Comparison, variable: str, region: str = "whole", level: float | None = None, month: str = ALL):
    (one,) = [
        each
        for each in found.rows
        if (each.variable, each.region, each.level, each.month) == (variable, region, level, month)
    ]
    return one


def both(release: Path, group: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """What users get of the two days that both versions have."""
    times = {"time": slice("1989-01-01", "1989-01-02")}
    return tuple(  # type: ignore[return-value]
        kaiseki.open(release, group, version=version)[name].sel(times).values.astype(float) for version in ("v1", "v2")
    )


def check(found: Comparison, release: Path) -> None:
    """The rows against NumPy."""
    fields = kaiseki.open(release, "surface", version="v1")
    land = fields["land_fraction"].values >= 0.5
    masks = {"whole": np.ones_like(land), "land": land, "sea": ~land, "interior": fields["rim"].values == 0}
    for group, name in (("model_levels", "temperature"), ("surface", "temperature_2m")):
        a, b = both(release, group, name)
        for region, mask in masks.items():
            for index, level in enumerate([None] if a.ndim == 3 else [None, *fields_levels(release)]):
                part = np.s_[:] if level is None else np.s_[:, index - 1]
                difference = (b - a)[part][..., mask]
                good = difference[np.isfinite(difference)]
                one = row(found, name, region, level)
                assert one.n == good.size
                assert one.bias == pytest.approx(good.mean(), abs=1e-12)
                assert one.rms == pytest.approx(np.sqrt((good**2).mean()), abs=1e-12)
                assert one.largest == pytest.approx(np.abs(good).max(), abs=1e-12)
                only = np.isfinite(a[part][..., mask]) & ~np.isfinite(b[part][..., mask])
                assert (one.only_a, one.only_b) == (only.sum(), 0)


def fields_levels(release: Path) -> list[float]:
    return kaiseki.open(release, "model_levels", version="v1")["level"].values.tolist()


def test_two_versions_differ_as_numpy_says_and_equal_days_are_not_read(release: Path) -> None:
    found = compare(Side(release, "v1"), Side(release, "v2"))
    check(found, release)
    assert (found.identical, found.read) == (2, 2)
    assert row(found, "temperature_2m").bias == pytest.approx(OFFSET / 2, abs=0.02)
    assert [entry["in"] for entry in found.lacking] == ["B", "B"]
    assert "24 times of surface" in found.lacking[1]["what"]
    # Whatever order is asked for, it is known which chunks are equal.
    back = compare(Side(release, "v2"), Side(release, "v1"))
    assert (back.identical, back.read) == (2, 2)
    assert row(back, "temperature_2m").bias == -row(found, "temperature_2m").bias


def test_a_copy_elsewhere_gives_the_same_without_knowing_its_chunks(release: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(release, tmp_path / "copy"))
    found = compare(Side(release, "v1"), Side(copied, "v2"))
    check(found, release)
    assert (found.identical, found.read) == (0, 4)
    known = compare(Side(release, "v1"), Side(release, "v2"))
    assert found.rows == known.rows


def test_one_version_is_identical_with_itself(release: Path) -> None:
    found = compare(Side(release, "v2"), Side(release, "v2"))
    assert found.read == 0
    assert found.identical == 6
    assert not found.lacking
    assert {(one.bias, one.rms, one.largest) for one in found.rows} == {(0.0, 0.0, 0.0)}
    assert row(found, "temperature_2m").n == 3 * 24 * 30 - 1


def test_months_are_apart_and_together_the_whole(tmp_path: Path) -> None:
    for name, shift in (("a", 0.0), ("b", 2.0)):
        with ReleaseStore.create(tmp_path / name, layout(40)) as store:
            store.add_variables({("surface", "temperature_2m"): None})
            for day in (30, 31):
                with store.day("one", date(day)) as writer:
                    values = of_day("temperature_2m", day) + np.float32(shift * (day - 30))
                    writer.write("surface", "temperature_2m", values)
            store.publish("v1")
    found = compare(Side(tmp_path / "a"), Side(tmp_path / "b"))
    assert row(found, "temperature_2m", month="1989-01").rms == 0.0
    assert row(found, "temperature_2m", month="1989-02").bias == pytest.approx(2.0, abs=0.02)
    assert row(found, "temperature_2m").bias == pytest.approx(1.0, abs=0.02)
    only = compare(Side(tmp_path / "a"), Side(tmp_path / "b"), CompareSettings(start="1989-02-01"))
    assert {one.month for one in only.rows} == {"1989-02", ALL}


def test_a_polygon_is_a_region_and_maps_are_kept(release: Path) -> None:
    fields = kaiseki.open(release, "surface", version="v1")
    lat, lon = fields["lat"].values, fields["lon"].values
    west, east, south, north = lon.min(), float(np.median(lon)), lat.min() - 0.2, lat.max() + 0.2
    ring = ([west - 0.2, east, east, west - 0.2, west - 0.2], [south, south, north, north, south])
    settings = CompareSettings(variables=("temperature_2m",), polygon=ring, maps=("temperature_2m",))
    found = compare(Side(release, "v1"), Side(release, "v2"), settings)
    inside = lon < east
    a, b = both(release, "surface", "temperature_2m")
    difference = (b - a)[:, inside]
    assert row(found, "temperature_2m", "polygon").n == np.isfinite(difference).sum()
    assert row(found, "temperature_2m", "polygon").bias == pytest.approx(np.nanmean(difference), abs=1e-12)
    (drawn,) = found.maps.values()
    np.testing.assert_allclose(drawn, np.sqrt(np.nanmean((b - a) ** 2, axis=0)), atol=1e-12)
    json.dumps(found.as_mapping(), allow_nan=False)
    assert "temperature_2m" in found.as_text()


def test_what_cannot_be_compared_is_refused(release: Path, tmp_path: Path) -> None:
    one, two = Side(release, "v1"), Side(release, "v2")
    with pytest.raises(InputError, match="not 'sky'"):
        compare(one, two, CompareSettings(groups=("sky",)))
    with pytest.raises(InputError, match="no variable and day in common"):
        compare(one, two, CompareSettings(variables=("precipitation",)))
    with pytest.raises(InputError, match="no date"):
        compare(one, two, CompareSettings(start="tomorrow"))
    moved = Path(shutil.copytree(release, tmp_path / "moved"))
    import zarr

    store = ReleaseStore.open(moved, "a")
    session = store.repository.writable_session("quality")
    lat = zarr.open_group(session.store, mode="r+")["static/lat"]
    lat[...] = np.asarray(lat) + 0.1
    session.commit("moved")
    with pytest.raises(InputError, match="differ in lat"):
        compare(one, Side(moved, "quality"))


def test_a_side_is_a_place_with_or_without_a_version(release: Path, tmp_path: Path) -> None:
    assert Side.parse(f"{release}@v1") == Side(str(release), "v1")
    assert Side.parse(str(release)) == Side(str(release))
    strange = Path(shutil.copytree(release, tmp_path / "me@home"))
    assert Side.parse(str(strange)) == Side(str(strange))
    assert Side.parse(f"{strange}@v2") == Side(str(strange), "v2")
    assert Side.parse("s3://user@bucket/release") == Side("s3://user@bucket/release")
