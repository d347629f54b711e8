"""The plain Zarr mirror: opened without the package, written day by day, gone on with, never half a day to a reader.

What can go wrong:
- a reader beside the writer sees times whose fields are not all there;
- a writer that is killed leaves what is not whole, or its successor begins anew or skips a day;
- a mirror is gone on with from another archive, on another grid or with other packing;
- a bucket is written otherwise than a folder.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

import kaiseki
from archive.exchange.grids import archive, on_degrees
from archive.exchange.test_points import series
from archive.runs import whole_forecasts
from kaiseki.archive.exchange import zarr_mirror
from kaiseki.archive.exchange.mirror_store import open_place
from kaiseki.archive.exchange.source import Source, chosen, open_source
from kaiseki.archive.exchange.zarr_mirror import Mirrored, write_zarr
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.lock import WriterLock
from kaiseki.core.variables import VARIABLES

HOURS = 62


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days and a half of hours, from noon."""
    return archive(tmp_path_factory.mktemp("archive") / "run", hours=HOURS)


def same(found: xr.Dataset, source: xr.Dataset) -> None:
    assert {str(name) for name in source.variables} - set(found.variables) <= {"height_2m"}
    for name in found.variables:
        there = source[name].values
        assert np.array_equal(found[name].values, there, equal_nan=there.dtype.kind == "f"), name


def test_opened_without_the_package(run: Path, tmp_path: Path) -> None:
    assert write_zarr(open_source(run, "background"), tmp_path / "mirror") == Mirrored(HOURS + 1, HOURS + 1)
    code = (
        "import sys, warnings; warnings.simplefilter('error'); import xarray as xr\n"
        f"d = xr.open_zarr({str(tmp_path / 'mirror')!r}, decode_coords='all')\n"
        "print(float(d.temperature[-1, 1, 2, 3]), d.crs.attrs['grid_mapping_name'], d.sizes['time'])\n"
        "assert 'kaiseki' not in sys.modules"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    source = kaiseki.open(run, "background")
    assert float(printed[0]) == float(source["temperature"][-1, 1, 2, 3])
    assert printed[1:] == ["lambert_conformal_conic", str(HOURS + 1)]
    same(xr.open_zarr(tmp_path / "mirror"), source)
    same(xr.open_zarr(tmp_path / "mirror", consolidated=False), source)
    array = zarr.open_group(tmp_path / "mirror", mode="r")["temperature"]
    assert "zstd" in repr(array.compressors)


def test_forecasts_and_degrees(tmp_path: Path) -> None:
    forecasts = whole_forecasts(tmp_path / "forecasts", 2)
    assert write_zarr(open_source(forecasts), tmp_path / "mirror") == Mirrored(2, 2)
    found, source = xr.open_zarr(tmp_path / "mirror", decode_timedelta=True), kaiseki.open(forecasts)
    same(found, source)
    degrees = on_degrees(rising=False, mapped=True)
    write_zarr(Source(degrees, "degrees"), tmp_path / "degrees")
    same(xr.open_zarr(tmp_path / "degrees"), degrees)


@pytest.mark.parametrize("bounds", ["tight", "user"])
def test_packed_within_the_bound(run: Path, tmp_path: Path, bounds: str) -> None:
    source = chosen(open_source(run, "background"), variables=["temperature", "pressure", "precipitation"])
    write_zarr(source, tmp_path / "mirror", bounds)
    found = xr.open_zarr(tmp_path / "mirror")
    for name in ("temperature", "pressure", "precipitation"):
        row, values = VARIABLES[name], source.dataset[name].values
        bound = row.bound if bounds == "tight" else row.user_bound
        assert np.array_equal(np.isnan(values), np.isnan(found[name].values))
        assert np.nanmax(np.abs(found[name].values.astype(float) - values)) <= bound
        assert found[name].attrs["maximum_absolute_error"] == bound


def test_a_reader_sees_whole_days_only(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After every write of a variable a reader opens the mirror: what it finds is whole, and as long as days end."""
    source, seen = open_source(run, "background"), []
    write = zarr_mirror._Mirror.write
    reference = source.dataset.load()

    def watched(self: object, start: int, end: int) -> None:
        everything = self.variables  # type: ignore[attr-defined]
        for one in everything:
            self.variables = [one]  # type: ignore[attr-defined]
            write(self, start, end)  # type: ignore[arg-type]
            if (tmp_path / "mirror" / "zarr.json").exists():
                found = xr.open_zarr(tmp_path / "mirror")
                seen.append(found.sizes["time"])
                same(found, reference.isel(time=slice(0, found.sizes["time"])))
        self.variables = everything  # type: ignore[attr-defined]

    monkeypatch.setattr(zarr_mirror._Mirror, "write", watched)
    part = chosen(Source(source.dataset, source.where, source.state), variables=["temperature", "precipitation"])
    reference = part.dataset.load()
    write_zarr(part, tmp_path / "mirror")
    assert sorted(set(seen)) == [12, 36, 60]


def test_a_killed_writer_is_followed(run: Path, tmp_path: Path) -> None:
    """Killed at any moment, opened after it, gone on with; at the end it is what an undisturbed writer makes."""
    program = (
        "import sys; from kaiseki.archive.exchange.export import export\n"
        f"print('ready', flush=True); export({str(run)!r}, {str(tmp_path / 'mirror')!r}, 'zarr', kind='background')"
    )
    source, delays = kaiseki.open(run, "background").load(), np.random.default_rng(5).uniform(0.02, 1.2, 5)
    lengths = []
    for delay in delays:
        writer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        if (tmp_path / "mirror" / "zarr.json").exists():
            found = xr.open_zarr(tmp_path / "mirror")
            lengths.append(found.sizes["time"])
            same(found, source.isel(time=slice(0, found.sizes["time"])))
    assert set(lengths) <= {12, 36, 60, HOURS + 1}
    assert lengths == sorted(lengths)
    write_zarr(open_source(run, "background"), tmp_path / "mirror")
    write_zarr(open_source(run, "background"), tmp_path / "whole")
    for path in (tmp_path / "whole").rglob("*"):
        if path.is_file() and path.name != "zarr.json":
            assert path.read_bytes() == (tmp_path / "mirror" / path.relative_to(tmp_path / "whole")).read_bytes()
    same(xr.open_zarr(tmp_path / "mirror", consolidated=False), source)


def test_only_new_times_are_written(run: Path, tmp_path: Path) -> None:
    whole = open_source(run, "background")
    early = Source(whole.dataset.isel(time=slice(0, 20)), whole.where, whole.state)
    assert write_zarr(early, tmp_path / "mirror") == Mirrored(20, 20)
    chunk = tmp_path / "mirror/lat/c/0/0"
    before = chunk.stat().st_mtime_ns
    assert write_zarr(whole, tmp_path / "mirror") == Mirrored(HOURS + 1, HOURS - 19)
    assert write_zarr(whole, tmp_path / "mirror") == Mirrored(HOURS + 1, 0)
    assert chunk.stat().st_mtime_ns == before
    same(xr.open_zarr(tmp_path / "mirror"), whole.dataset)


def test_other_words_are_no_other_data(run: Path, tmp_path: Path) -> None:
    source = open_source(run)
    write_zarr(source, tmp_path / "mirror")
    source.dataset["temperature"].attrs["long_name"] = "how warm it is"
    assert write_zarr(source, tmp_path / "mirror").new == 0
    source.dataset["temperature"].attrs["units"] = "degC"
    with pytest.raises(StoreError, match="temperature is encoded otherwise"):
        write_zarr(source, tmp_path / "mirror")


def test_documents_of_arrays_that_a_killed_writer_left_behind_are_mended(run: Path, tmp_path: Path) -> None:
    source = open_source(run)
    write_zarr(source, tmp_path / "mirror")
    document = tmp_path / "mirror/temperature/zarr.json"
    told = json.loads(document.read_text())
    document.write_text(json.dumps(told | {"shape": [1, *told["shape"][1:]]}))
    assert write_zarr(source, tmp_path / "mirror").new == 0
    assert json.loads(document.read_text()) == told


def test_what_is_no_mirror_of_this_is_refused(run: Path, tmp_path: Path) -> None:
    source, place = open_source(run), tmp_path / "mirror"
    write_zarr(source, place)
    before = (place / "zarr.json").read_bytes()
    refused = {
        "mirror of another state": open_source(archive(tmp_path / "other", hours=3)),
        "of a dataset it is not known": Source(source.dataset, "a dataset"),
        "other variables": chosen(source, variables=["temperature"]),
        "temperature is encoded otherwise": Source(
            source.dataset.assign(temperature=source.dataset["temperature"].astype(float)), "", source.state
        ),
        "with another y": Source(source.dataset.assign_coords(y=source.dataset["y"] + 1.0), "", source.state),
        "with another time": Source(
            source.dataset.assign_coords(time=source.dataset["time"] + np.timedelta64(1, "h")), "", source.state
        ),
    }
    for words, wrong in refused.items():
        with pytest.raises(StoreError, match=words):
            write_zarr(wrong, place)
    with pytest.raises(StoreError, match="is encoded otherwise"):
        write_zarr(source, place, "tight")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"not empty \(it holds 'letter.txt'\)"):
        write_zarr(source, tmp_path / "full")
    with pytest.raises(StoreError, match="is a file"):
        write_zarr(source, tmp_path / "full" / "letter.txt")
    with pytest.raises(StoreError, match="not supported"):
        write_zarr(source, "gs://bucket/mirror")
    with pytest.raises(StoreError, match="names no bucket"):
        write_zarr(source, "s3://")
    with pytest.raises(InputError, match="needs an axis of time"):
        write_zarr(Source(source.dataset.isel(time=0), "one"), tmp_path / "one")
    with pytest.raises(InputError, match="'station' is text"):
        write_zarr(Source(series(2, 2), "points"), tmp_path / "points")
    with WriterLock(tmp_path / ".mirror.lock", "The mirror"), pytest.raises(StoreError, match="The mirror"):
        write_zarr(source, place)
    (place / "zarr.json").write_text("{")
    with pytest.raises(StoreError, match="is damaged"):
        write_zarr(source, place)
    (place / "zarr.json").write_bytes(before)
    assert write_zarr(source, place).new == 0


@pytest.fixture
def bucket() -> Iterator[dict[str, object]]:
    """Options for a bucket "mirrors" on a real server of the S3 protocol."""
    from moto.server import ThreadedMotoServer
    from obstore.store import S3Store  # noqa: F401

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    import urllib.request

    address = f"http://{host}:{port}"
    headers = {"x-amz-acl": "public-read-write"}
    urllib.request.urlopen(urllib.request.Request(f"{address}/mirrors", method="PUT", headers=headers)).close()
    yield {
        "endpoint": address,
        "region": "us-east-1",
        "access_key_id": "test",
        "secret_access_key": "test",
        "client_options": {"allow_http": True},
    }
    server.stop()


def test_in_a_bucket(run: Path, tmp_path: Path, bucket: dict[str, object]) -> None:
    whole = open_source(run)
    first = Source(whole.dataset.isel(time=slice(0, 1)), whole.where, whole.state)
    assert write_zarr(first, "s3://mirrors/a/b", storage_options=bucket) == Mirrored(1, 1)
    assert write_zarr(whole, "s3://mirrors/a/b", storage_options=bucket) == Mirrored(2, 1)
    same(xr.open_zarr(open_place("s3://mirrors/a/b", bucket)), whole.dataset)
    with pytest.raises(StoreError, match=r"The mirror s3://absent/a could not be written"):
        write_zarr(whole, "s3://absent/a", storage_options=bucket)
