"""A store that has lost files says what is lost, in one sentence, whenever that is asked for."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from archive import runs
from kaiseki.archive import RunStore, export_netcdf, observations, open_archive
from kaiseki.core.errors import StoreError


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose fields are too large to lie in the lists of chunks."""
    monkeypatch.setattr(runs, "SHAPE", (3, 20, 24))
    runs.whole_run(tmp_path / "run", 2)
    return tmp_path / "run"


def test_a_lost_chunk_is_named_with_its_array_and_time(run: Path) -> None:
    dataset = open_archive(run, "background")
    shutil.rmtree(run / "chunks")
    for number, time in ((0, "1989-01-01T12:00Z"), (4, "1989-01-01T16:00Z")):
        words = rf"run is damaged .*: forecast/temperature of {time} could not be read \(object not found\); bring back"
        with pytest.raises(StoreError, match=words):
            dataset["temperature"].isel(time=number).values  # noqa: B018
        with pytest.raises(StoreError, match=words):
            pickle.loads(pickle.dumps(dataset))["temperature"].isel(time=number).values  # noqa: B018


def test_an_analysis_has_the_time_of_its_cycle(run: Path) -> None:
    dataset = open_archive(run)
    shutil.rmtree(run / "chunks")
    with pytest.raises(StoreError, match=r"analysis/temperature of 1989-01-01T15:00Z could not be read"):
        dataset["temperature"].isel(time=1).values  # noqa: B018


def export_both(run: Path, file: Path) -> None:
    for kind in ("background", "analysis"):
        export_netcdf(run, file, kind=kind)
        file.unlink()


def test_an_export_of_what_is_lost_leaves_no_file(run: Path, tmp_path: Path) -> None:
    lost = max((run / "chunks").iterdir(), key=lambda path: path.stat().st_size)
    whole = open_archive(run, "background").load()
    lost.unlink()
    with pytest.raises(StoreError, match="could not be read"):
        export_both(run, tmp_path / "a.nc")
    assert not list(tmp_path.glob("*a.nc*"))
    assert np.isfinite(whole["temperature"]).all()


def test_a_chunk_that_was_cut_short_is_a_sentence(run: Path) -> None:
    for chunk in (run / "chunks").iterdir():
        chunk.write_bytes(chunk.read_bytes()[:50])
    with pytest.raises(StoreError, match=r"is damaged or cannot be reached: .* could not be read \(.*\); bring back"):
        RunStore.open(run, "r").read_restart()


@pytest.mark.parametrize("lost", ["chunks", "manifests", "snapshots"])
def test_whatever_is_lost_is_a_sentence(run: Path, lost: str) -> None:
    shutil.rmtree(run / lost)
    for read in (
        lambda: RunStore.open(run, "r").read_restart(),
        lambda: RunStore.open(run, "r").domain(),
        lambda: observations(run),
        lambda: open_archive(run)["temperature"].values,
    ):
        with pytest.raises(StoreError) as caught:
            read()
        assert "\n" not in str(caught.value)
