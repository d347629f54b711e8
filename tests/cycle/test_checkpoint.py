"""What is kept of a minimisation that is ended; that it ends at the same analysis is tested in test_four_d_var."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kaiseki.cycle.checkpoint import MinimisationCheckpoint

NOON = np.datetime64("1989-01-01T12:00", "s")
ONE, TWO = np.arange(3.0), np.arange(3.0) + 0.5


class Asked:
    """Doubles what it is asked, and counts."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, question: np.ndarray) -> np.ndarray:
        self.times += 1
        return 2.0 * question


def test_what_was_answered_is_not_computed_again(tmp_path: Path) -> None:
    asked = Asked()
    for _ in range(2):
        checkpoint = MinimisationCheckpoint(tmp_path / "checkpoint")
        checkpoint.open(NOON)
        np.testing.assert_array_equal(checkpoint(ONE, asked), 2.0 * ONE)
        np.testing.assert_array_equal(checkpoint(TWO, asked), 2.0 * TWO)
    assert asked.times == 2


def test_other_questions_other_windows_and_broken_files_are_answered_anew(tmp_path: Path) -> None:
    asked = Asked()
    checkpoint = MinimisationCheckpoint(tmp_path / "checkpoint")
    checkpoint.open(NOON)
    checkpoint(ONE, asked)
    checkpoint.open(NOON)
    np.testing.assert_array_equal(checkpoint(TWO, asked), 2.0 * TWO)
    checkpoint.open(NOON)
    file = next((tmp_path / "checkpoint").rglob("*.npz"))
    file.write_bytes(file.read_bytes()[:40])
    np.testing.assert_array_equal(checkpoint(TWO, asked), 2.0 * TWO)
    checkpoint.open(NOON + np.timedelta64(3, "h"))
    assert not list((tmp_path / "checkpoint").rglob("*.npz"))
    checkpoint(TWO, asked)
    assert asked.times == 4
    checkpoint.close()
    assert not (tmp_path / "checkpoint").exists()
    assert np.array_equal(checkpoint(ONE, asked), 2.0 * ONE)
    assert not (tmp_path / "checkpoint").exists()
