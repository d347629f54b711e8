"""A folder into which a release is exported: what lies in it is noted there, so that nothing foreign is touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kaiseki.archive.store.metadata import program_version
from kaiseki.core.errors import StoreError
from kaiseki.core.files import file_errors, make_folder, write_text

NOTE: Final = "kaiseki_export.json"
"""File that says what a folder holds: the form, and by group of the release how its files were made."""
FILES: Final = "kaiseki_export_files.jsonl"
"""File with a line for each file that cannot say itself what it was made of (GRIB)."""


class ExportFolder:
    """A folder for the files of one form, new or gone on with.

    Args:
        path: of the folder; made if it is not there.
        form: of the files.
        part: what is written now, such as the group of the release.
        settings: all that decides what stands in the files, but for times and version.

    Raises:
        StoreError: the path is a file, or the folder holds something else, or the same part in another way.
    """

    def __init__(self, path: str | Path, form: str, part: str, settings: Mapping[str, Any]) -> None:
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise StoreError(f"{self.path} is a file; give a new folder for the export")
        there = sorted(one.name for one in self.path.iterdir()) if self.path.is_dir() else []
        note: dict[str, Any] = {"form": form, "parts": {}}
        others = [name for name in there if not (name.startswith(".") and name.endswith(".part")) and name != NOTE]
        # A note alone is what a call left that failed before its first file.
        if NOTE in there and others:
            note = self._read()
        elif foreign := others:
            raise StoreError(
                f"{self.path} holds {foreign[0]!r}, which is no part of an export of Kaiseki; give a new folder"
            )
        if note["form"] != form:
            raise StoreError(f"{self.path} holds an export in the form {note['form']}, not {form}; give a new folder")
        wanted = json.loads(json.dumps(settings))
        earlier = note["parts"].get(part, wanted)
        if changed := [key for key in wanted if earlier.get(key) != wanted[key]]:
            raise StoreError(
                f"{self.path} holds an export of {part} with {changed[0]} {_words(earlier.get(changed[0]))}, not "
                f"{_words(wanted[changed[0]])}; give a new folder"
            )
        make_folder(self.path)
        note["parts"][part] = wanted
        write_text(self.path / NOTE, json.dumps(note, indent=1, ensure_ascii=False) + "\n")
        self._lines: dict[str, tuple[str, int]] | None = None

    def _read(self) -> dict[str, Any]:
        try:
            note = json.loads((self.path / NOTE).read_text("utf-8"))
            if not isinstance(note["form"], str) or not isinstance(note["parts"], dict):
                raise ValueError
        except (OSError, ValueError, KeyError, TypeError):
            raise StoreError(f"{self.path / NOTE} is damaged; give a new folder for the export") from None
        return note

    def is_kept(self, name: str, identity: str) -> bool:
        """Whether a file of the folder is whole and was made of just this."""
        if self._lines is None:
            self._lines = self._read_lines()
        path = self.path / name
        known = self._lines.get(name)
        return known is not None and known[0] == identity and path.is_file() and path.stat().st_size == known[1]

    def note_file(self, name: str, identity: str) -> None:
        """Note of what a file that has just been written was made."""
        line = {"file": name, "identity": identity, "bytes": (self.path / name).stat().st_size}
        with file_errors(self.path / FILES), (self.path / FILES).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    def _read_lines(self) -> dict[str, tuple[str, int]]:
        """The last line of each file; one that was cut by the end of a writer counts for nothing."""
        path, found = self.path / FILES, {}
        for line in path.read_text("utf-8").splitlines() if path.is_file() else []:
            try:
                one = json.loads(line)
                found[str(one["file"])] = (str(one["identity"]), int(one["bytes"]))
            except (ValueError, KeyError, TypeError):
                continue
        if path.is_file() and not path.read_bytes().endswith(b"\n"):
            with file_errors(path), path.open("a", encoding="utf-8") as stream:
                stream.write("\n")
        return found


def digest(*parts: Any) -> str:
    """Digest of what something is made of, with the version of this program."""
    return hashlib.sha256(json.dumps([*parts, program_version()], sort_keys=True).encode()).hexdigest()


def _words(value: Any) -> str:
    text = "none" if value in (None, [], "") else json.dumps(value, ensure_ascii=False)
    return text if len(text) < 60 else f"{text[:57]}..."
