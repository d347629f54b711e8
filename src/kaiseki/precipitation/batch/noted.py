"""What the hours in a folder were made of, so that a call with other inputs or settings does not mix with them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from kaiseki.core.errors import StoreError
from kaiseki.core.files import make_folder, write_text
from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.analysis import AnalysisSettings
from kaiseki.precipitation.batch.inputs import InputSettings
from kaiseki.precipitation.data import RainGrid

NAME: Final = "analysis.json"
"""Name of the file in the folder."""


def note(folder: Path, inputs: InputSettings, grid: RainGrid, analysis: AnalysisSettings) -> None:
    """Note what the hours of a folder are made of, or compare it with what is noted.

    Raises:
        StoreError: the hours that are there were made of something else.
    """
    mine = {
        "inputs": _plain(inputs),
        "files": {
            name: [[str(path), path.stat().st_size] for path in getattr(inputs, name) if path.is_file()]
            for name in ("gauges", "radar", "links")
        },
        "grid": _grid(grid),
        "analysis": _plain(analysis),
    }
    text = json.dumps(mine, indent=1, sort_keys=True)
    path = folder / NAME
    make_folder(folder)
    if not path.exists():
        if any(folder.glob("rain_*.nc")):
            raise StoreError(f"{folder} holds hours, but no {NAME} that says what they are made of; give a new folder")
        write_text(path, text)
        return
    held = json.loads(path.read_text(encoding="utf-8"))
    mine = json.loads(text)
    if differing := sorted(name for name in mine if mine[name] != held.get(name)):
        raise StoreError(
            f"{folder} holds hours with other {' and '.join(differing)} than this call's (see {NAME} there); give the "
            "same ones, or a new folder, or remove it"
        )


def forget(folder: Path) -> None:
    """Remove a folder of hours whose days are all handed on; one that holds something else stays."""
    (folder / NAME).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _plain(one: Any) -> Any:
    """A value as JSON holds it."""
    if dataclasses.is_dataclass(one) and not isinstance(one, type):
        return {field.name: _plain(getattr(one, field.name)) for field in dataclasses.fields(one)}
    if isinstance(one, list | tuple):
        return [_plain(part) for part in one]
    return one if one is None or isinstance(one, bool | int | float | str) else str(one)


def _grid(grid: RainGrid) -> dict[str, Any]:
    axes = (grid.lat, grid.lon) if isinstance(grid, LatLonGrid) else (grid.y, grid.x)
    chart = "" if isinstance(grid, LatLonGrid) else str(grid.projection)
    digest = hashlib.sha256(b"".join(np.round(axis, 6).tobytes() for axis in axes)).hexdigest()[:16]
    return {"shape": list(grid.shape), "projection": chart, "axes": digest}
