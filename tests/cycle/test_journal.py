"""What is kept of a minimisation that is ended; that it ends at the same analysis is tested in test_four_d_var."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kaiseki.cycle.journal import Journal

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
        journal = Journal(tmp_path / "journal")
        journal.open(NOON)
        np.testing.assert_array_equal(journal(ONE, asked), 2.0 * ONE)
        np.testing.assert_array_equal(journal(TWO, asked), 2.0 * TWO)
    assert asked.times == 2


def test_other_questions_other_windows_and_broken_files_are_answered_anew(tmp_path: Path) -> None:
    asked = Asked()
    journal = Journal(tmp_path / "journal")
    journal.open(NOON)
    journal(ONE, asked)
    journal.open(NOON)
    np.testing.assert_array_equal(journal(TWO, asked), 2.0 * TWO)
    journal.open(NOON)
    file = next((tmp_path / "journal").rglob("*.npz"))
    file.write_bytes(file.read_bytes()[:40])
    np.testing.assert_array_equal(journal(TWO, asked), 2.0 * TWO)
    journal.open(NOON + np.timedelta64(3, "h"))
    assert not list((tmp_path / "journal").rglob("*.npz"))
    journal(TWO, asked)
    assert asked.times == 4
    journal.close()
    assert not (tmp_path / "journal").exists()
    assert np.array_equal(journal(ONE, asked), 2.0 * ONE)
    assert not (tmp_path / "journal").exists()
