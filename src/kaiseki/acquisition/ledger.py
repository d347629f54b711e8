"""What has been loaded: of a file that is not complete its pieces, of a folder its complete files.

Both are JSON lines that only grow. A line that a kill has cut short is not counted.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kaiseki.core.errors import StoreError
from kaiseki.core.files import FETCHED

_BLOCK = 1 << 20


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a file of JSON lines, none if there is no file.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror or error}); move it away, or mend it") from None
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found


def add_line(path: Path, values: dict[str, Any]) -> None:
    """Put a line at the end of a file, on the disk when this returns; a cut line before it is closed first."""
    with path.open("ab") as file:
        cut = file.tell() > 0 and path.read_bytes()[-1:] != b"\n"
        file.write((b"\n" if cut else b"") + json.dumps(values).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def add_record(folder: Path, values: dict[str, Any]) -> None:
    """Note a complete file in the record of its folder."""
    add_line(folder / FETCHED, values)


def records(folder: Path) -> dict[str, dict[str, Any]]:
    """The last record of each file in a folder, by its name."""
    return {line["file"]: line for line in lines_of(folder / FETCHED) if isinstance(line.get("file"), str)}


@dataclass
class PieceLedger:
    """The pieces of a partial file that are on the disk, with a check sum of each (CRC-32).

    Attributes:
        path: of the ledger, beside the partial file.
        of: what the partial file is of: address (a digest of it), size, entity tag, time of change, ranges. Another
            object begins a new ledger.
    """

    path: Path
    of: dict[str, Any]
    pieces: dict[int, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, of: dict[str, Any]) -> PieceLedger:
        """The ledger of an object; empty if there is none, or one of another object."""
        kept = list(lines_of(path))
        made = cls(path, of)
        if kept and kept[0].get("of") == of:
            for line in kept[1:]:
                if {"start", "length", "crc32"} <= line.keys():
                    made.pieces[int(line["start"])] = int(line["length"]), int(line["crc32"])
        else:
            path.unlink(missing_ok=True)
            add_line(path, {"of": of})
        return made

    def add(self, start: int, length: int, crc32: int) -> None:
        """Note a piece, which must be on the disk."""
        add_line(self.path, {"start": start, "length": length, "crc32": crc32})
        self.pieces[start] = length, crc32

    def check(self, part: Path) -> None:
        """Forget the pieces that are not on the disk as they were noted."""
        try:
            with part.open("rb") as file:
                for start, (length, crc32) in list(self.pieces.items()):
                    file.seek(start)
                    found, left = 0, length
                    while left and (block := file.read(min(_BLOCK, left))):
                        found, left = zlib.crc32(block, found), left - len(block)
                    if left or found != crc32:
                        del self.pieces[start]
        except FileNotFoundError:
            self.pieces.clear()
