"""Fields of a run at many times in one file, so that what was computed once is not computed again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np

from kaiseki.config import Experiment
from kaiseki.core.files import whole_file

SCHEMA: Final = 5
"""Part of every digest; to be raised when the flow or the runs change."""


def digest_of(experiment: Experiment, sections: Iterable[str], *further: object) -> str:
    """Hexadecimal SHA-256 of some sections of an experiment and of further values: what decides a run."""
    values = {name: value for name, value in experiment.as_mapping().items() if name in set(sections)}
    text = json.dumps([SCHEMA, values, [repr(value) for value in further]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def keep(path: Path, digest: str, times: np.ndarray, fields: Mapping[str, np.ndarray]) -> None:
    """Write an .npz file, whole or not at all.

    Args:
        path: of the file.
        digest: of what decided the fields.
        times: (nt,) datetime64[s].
        fields: name -> (nt, ...).

    Raises:
        StoreError: the file cannot be written.
        ResourceError: the disk is full.
    """
    content: dict[str, np.ndarray] = {"digest": np.asarray(digest), "times": times.astype(np.int64), **fields}
    with whole_file(path) as scratch, scratch.open("wb") as file:
        np.savez(file, allow_pickle=False, **content)


def find(path: Path, digest: str) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
    """Times and fields of a file written by `keep`; None if there is none, it is damaged, or of another digest."""
    try:
        with path.open("rb") as stream, np.load(stream) as file:
            if str(file["digest"]) != digest:
                return None
            fields = {name: file[name] for name in file.files if name not in ("digest", "times")}
            return file["times"].astype("datetime64[s]"), fields
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
