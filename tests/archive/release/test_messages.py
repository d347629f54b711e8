"""What goes wrong with a release is one clear sentence, whatever is called, and nothing is lost.

Could break by a command that reads a newer store all the same, by a packer that leaves half a day on a full disk or
with a wrong clock, by messages of libraries. Infinities, wrong days, damage and clocks of single commits are tested
beside what they concern.
"""

from __future__ import annotations

import dataclasses
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr

import kaiseki
from archive.release.days import a_release, a_run, write
from kaiseki.archive.care.compare import compare
from kaiseki.archive.care.comparison import Side
from kaiseki.archive.care.info import info
from kaiseki.archive.care.verify import verify
from kaiseki.archive.exchange.export import Choice, export
from kaiseki.archive.release.packing import PackSettings, pack
from kaiseki.archive.release.report import sizes
from kaiseki.archive.release.store import QUALITY, ReleaseStore
from kaiseki.core.errors import ResourceError, StoreError

PRESSURES = (85_000.0,)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_run(tmp_path_factory.mktemp("messages") / "winter", hours=15)


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """A release whose schema is that of a program to come."""
    place = tmp_path / "newer"
    with a_release(place, 1) as store:
        write(store, 0)
        store.publish("v1")
        session = store.repository.writable_session(QUALITY)
        zarr.open_group(session.store, mode="r+").attrs["schema_version"] = 2
        session.commit("made by a newer program")
    return place


@pytest.mark.parametrize("what", ["open", "pack", "verify", "info", "export", "compare", "report", "publish"])
def test_a_newer_store_is_refused_by_everything(newer: Path, run: Path, tmp_path: Path, what: str) -> None:
    calls: dict[str, Callable[[], object]] = {
        "open": lambda: kaiseki.open(newer, "surface", version=QUALITY),
        "pack": lambda: pack([run], newer),
        "verify": lambda: verify(newer),
        "info": lambda: info(newer),
        "export": lambda: export(newer, tmp_path / "x.nc", "netcdf", Choice(version=QUALITY), kind="surface"),
        "compare": lambda: compare(Side(str(newer)), Side(str(newer))),
        "report": lambda: sizes(newer),
        "publish": lambda: ReleaseStore.open(newer, "a").publish("v2"),
    }
    with pytest.raises(
        StoreError, match=r"has schema version 2 of release stores, .*up to 1; install a newer one"
    ) as one:
        calls[what]()
    assert "\n" not in str(one.value)
    assert not list(tmp_path.glob("x.nc*"))


def test_a_full_disk_while_packing_leaves_whole_days_and_packing_goes_on(run: Path, tmp_path: Path) -> None:
    settings, place = PackSettings(pressures=PRESSURES), tmp_path / "r"
    assert not pack([run], place, dataclasses.replace(settings, end="1988-12-31")).days
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(ResourceError) as caught:
            pack([run], place, settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match="holds nothing"):
        kaiseki.open(place, "surface", version=QUALITY)
    done = pack([run], place, settings)
    assert len(done.days) == 2
    assert verify(place).sound


@pytest.mark.parametrize(
    ("offset", "words"), [("-5m", "is behind the newest commit"), ("+2h", "more than ten minutes")]
)
def test_a_wrong_clock_while_publishing_is_one_sentence(tmp_path: Path, offset: str, words: str) -> None:
    if shutil.which("faketime") is None:
        pytest.skip("no faketime: the clock of a process cannot be set")
    with a_release(tmp_path / "r", 1) as store:
        write(store, 0)
    program = (
        "import sys; from kaiseki.archive.release.store import ReleaseStore; "
        "ReleaseStore.open(sys.argv[1], 'a').publish('v1')"
    )
    command = ["faketime", "-f", offset, sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "r")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("kaiseki.core.errors.StoreError: The clock of this machine (")
    assert words in last
    with ReleaseStore.open(tmp_path / "r", "a") as store:
        assert store.versions() == []
        store.publish("v1")
    assert np.isfinite(kaiseki.open(tmp_path / "r", "surface")["temperature_2m"]).all()
