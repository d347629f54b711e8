"""Files of runs: found again only when whole and asked for alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kaiseki.config import Experiment
from kaiseki.core.errors import StoreError
from kaiseki.experiments.twin.kept import digest_of, find, keep

TIMES = np.arange("1989-01-01T00", "1989-01-01T03", 3600, dtype="datetime64[s]")
FIELDS = {"u": np.arange(24.0, dtype=np.float32).reshape(3, 2, 4), "terrain_like": np.ones((3, 5), np.float32)}


def experiment(**sections: dict[str, object]) -> Experiment:
    values = {
        "case": {"name": "a", "kind": "twin"},
        "domain": {"preset": "japan-60km"},
        "period": {"cold_start": "1989-01-01T12:00Z", "end": "1989-01-02T00:00Z"},
    }
    return Experiment.from_mapping({**values, **sections})


def test_what_was_kept_is_found(tmp_path: Path) -> None:
    keep(tmp_path / "run.npz", "abc", TIMES, FIELDS)
    found = find(tmp_path / "run.npz", "abc")
    assert found is not None
    np.testing.assert_array_equal(found[0], TIMES)
    assert set(found[1]) == set(FIELDS)
    for name, field in FIELDS.items():
        assert found[1][name].dtype == field.dtype
        np.testing.assert_array_equal(found[1][name], field)
    assert list(tmp_path.iterdir()) == [tmp_path / "run.npz"]


def test_another_digest_or_no_file_is_nothing(tmp_path: Path) -> None:
    assert find(tmp_path / "run.npz", "abc") is None
    keep(tmp_path / "run.npz", "abc", TIMES, FIELDS)
    assert find(tmp_path / "run.npz", "abd") is None


@pytest.mark.parametrize("part", [0.0, 0.2, 0.6, 0.99])
def test_a_file_cut_short_is_nothing(tmp_path: Path, part: float) -> None:
    path = tmp_path / "run.npz"
    keep(path, "abc", TIMES, FIELDS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    assert find(path, "abc") is None


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    keep(path, "abc", TIMES, FIELDS)
    content = bytearray(path.read_bytes())
    at = content.index(FIELDS["u"].tobytes()[8:40])
    content[at] ^= 0xFF
    path.write_bytes(bytes(content))
    assert find(path, "abc") is None


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not be written"):
        keep(tmp_path / "absent" / "run.npz", "abc", TIMES, FIELDS)


def test_the_digest_knows_what_decides_and_nothing_else() -> None:
    sections = ("domain", "physics")
    base = digest_of(experiment(), sections, 1, "x")
    assert base == digest_of(experiment(assimilation={"engine": "none"}), sections, 1, "x")
    assert base != digest_of(experiment(physics={"radiation": False}), sections, 1, "x")
    assert base != digest_of(experiment(), sections, 2, "x")
