"""The note of a folder of exports.

What can go wrong:
- a call that failed before its first file holds the next to its options;
- other options, another form or a damaged note are passed over;
- a line of a file that was cut, or of a file that was changed since, counts.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kaiseki.archive.store.export_folder import FILES, NOTE, ExportFolder
from kaiseki.core.errors import StoreError


def test_options_hold_from_the_first_file_on(tmp_path: Path) -> None:
    place = tmp_path / "export"
    ExportFolder(place, "netcdf", "surface", {"grid": None})
    ExportFolder(place, "climcore", "model_levels", {"grid": (0.1, 0.1)})
    (place / "a.nc").write_text("a")
    ExportFolder(place, "climcore", "model_levels", {"grid": (0.1, 0.1)})
    ExportFolder(place, "climcore", "analysis", {"grid": None})
    with pytest.raises(StoreError, match=r"model_levels with grid \[0\.1, 0\.1\], not none"):
        ExportFolder(place, "climcore", "model_levels", {"grid": None})
    with pytest.raises(StoreError, match="in the form climcore, not netcdf"):
        ExportFolder(place, "netcdf", "surface", {})
    (place / NOTE).write_text("[]")
    with pytest.raises(StoreError, match="is damaged"):
        ExportFolder(place, "climcore", "model_levels", {"grid": None})


def test_files_are_known_by_their_last_whole_line(tmp_path: Path) -> None:
    folder = ExportFolder(tmp_path, "grib2", "surface", {})
    for name in ("a", "b"):
        (tmp_path / name).write_text("content")
        folder.note_file(name, f"of {name}")
    with (tmp_path / FILES).open("a") as stream:
        stream.write('{"file": "a", "ident')
    again = ExportFolder(tmp_path, "grib2", "surface", {})
    assert again.is_kept("a", "of a")
    assert not again.is_kept("a", "of another state")
    assert not again.is_kept("c", "of c")
    again.note_file("a", "new")
    assert ExportFolder(tmp_path, "grib2", "surface", {}).is_kept("a", "new")
    (tmp_path / "b").write_text("cont")
    assert not again.is_kept("b", "of b")
