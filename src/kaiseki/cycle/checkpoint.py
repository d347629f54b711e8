"""What a minimisation has paid for, kept on disk until its cycle is complete, so that a kill loses one iteration.

The minimiser is deterministic: begun again it asks for the same products in the same order, and each is answered from
the disk as long as the question is the same bit for bit. So the resumed minimisation ends at the same analysis.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from kaiseki.archive.store.schema import label
from kaiseki.core.files import make_folder, whole_file


@dataclass
class MinimisationCheckpoint:
    """Products of the Hessian of one window after another.

    Attributes:
        folder: holds a folder per window; is gone when no window is open.
    """

    folder: Path
    _window: Path | None = None
    _next: int = 0

    def open(self, time: np.datetime64) -> None:
        """Begin the window that ends at a time; what other windows left is removed."""
        self._window, self._next = self.folder / label(time), 0
        if self.folder.exists():
            for other in self.folder.iterdir():
                if other != self._window:
                    shutil.rmtree(other, ignore_errors=True)

    def close(self) -> None:
        """The window's cycle is complete: nothing of it is needed any more."""
        self._window = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def __call__(self, question: np.ndarray, answer: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The answer to the next question: from the disk if it was asked before, else computed and kept.

        Raises:
            StoreError: it cannot be written.
            ResourceError: the disk is full.
        """
        if self._window is None:
            return answer(question)
        path = self._window / f"{self._next:04d}.npz"
        self._next += 1
        found = _read(path, question)
        if found is not None:
            return found
        found = np.asarray(answer(question))
        make_folder(self._window)
        with whole_file(path) as scratch, scratch.open("wb") as file:
            np.savez(file, question=question, answer=found)
        return found


def _read(path: Path, question: np.ndarray) -> np.ndarray | None:
    """The answer kept for a question; None where there is none, or one to another question."""
    try:
        with path.open("rb") as opened, np.load(opened) as file:
            if np.array_equal(file["question"], question):
                return np.asarray(file["answer"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    return None
