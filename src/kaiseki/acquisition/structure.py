"""Whether a file is of the format it should be, whole from its first byte to its last, without meteorology.

For files of services that give no digest this is what can be known besides the length. It finds pages of HTML, files
cut short and pieces in the wrong place; a byte changed within a packed field it cannot find.
"""

from __future__ import annotations

import gzip
import json
import mmap
import zlib
from collections.abc import Callable
from pathlib import Path

from kaiseki.acquisition.descriptor import Format

PAGE = (
    "a web page came in place of the file, to log in or to tell of an error; open the address in a browser to see what "
    "the service says, or call the command again later"
)
"""What to say where a page of HTML came."""
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<body")


def foreign(head: bytes, kind: Format) -> str | None:
    """What came in place of a file of a format, in words, where its first bytes tell; None if nothing is found.

    Args:
        head: the first bytes, 64 or more of them.
        kind: format that was wanted.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_PAGES) or (kind != "any" and start.startswith(b"<?xml")):
        return PAGE
    if kind not in ("any", "prepbufr") and head.startswith(b"\x1f\x8b"):
        return "it came packed with gzip, which was not asked for; take a mirror that gives it as it is (--mirror)"
    return None


def fault(path: Path, kind: Format) -> str | None:
    """What is wrong with a file, in words; None if nothing is found."""
    if path.stat().st_size == 0:
        return "it is empty"
    check = _CHECKS.get(kind)
    return check(path) if check is not None else None


def _grib(path: Path) -> str | None:
    """GRIB messages end to end, each with its length (WMO Manual on Codes, FM 92), zeros between them allowed."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at, count = 0, 0
        while at < len(data):
            if data[at : at + 4] != b"GRIB":
                if data[at] == 0:
                    at += 1
                    continue
                return f"byte {at} is no begin of a GRIB message, after {count} messages"
            edition = data[at + 7]
            if edition == 2:
                length = int.from_bytes(data[at + 8 : at + 16], "big")
            else:
                length = int.from_bytes(data[at + 4 : at + 7], "big")
                if length & 0x800000:
                    # Large GRIB 1 as ECMWF writes it: the length counts 120 bytes, and lies above by less than that.
                    length = (length & 0x7FFFFF) * 120
                    end = data.find(b"7777GRIB", at + length - 240)
                    length = (data.rfind(b"7777", at) if end < 0 else end) + 4 - at
            if length < 8 or data[at + length - 4 : at + length] != b"7777":
                return f"GRIB message {count + 1} at byte {at} is cut short or damaged"
            at, count = at + length, count + 1
    return None if count else "it holds no GRIB message"


def _netcdf(path: Path) -> str | None:
    """The head of a NetCDF file, and of one in HDF5 the length that its superblock gives.

    HDF5 File Format Specification 3.0, II.A.
    """
    with path.open("rb") as file:
        head = file.read(64)
    if head[:3] == b"CDF":
        return None
    if head[:8] != b"\x89HDF\r\n\x1a\n":
        return f"it is no NetCDF file (it begins with {head[:8]!r})"
    if head[8] in (2, 3):
        end = int.from_bytes(head[28:36], "little")
    else:
        at = 24 if head[8] == 0 else 28
        end = int.from_bytes(head[at + 16 : at + 24], "little")
    size = path.stat().st_size
    return f"it has {size} bytes of {end}" if size < end else None


def _prepbufr(path: Path) -> str | None:
    """A PREPBUFR file, plain or gzipped, begins within its first record with the letters BUFR and holds an end of a
    message near its end."""
    with path.open("rb") as file:
        head = file.read(64)
        file.seek(max(0, path.stat().st_size - 8192))
        tail = file.read()
    if head.startswith(b"\x1f\x8b"):
        return _gzip(path)
    if b"BUFR" not in head:
        return f"it is no PREPBUFR file (it begins with {head[:8]!r})"
    return None if b"7777" in tail else "it ends within a BUFR message"


def _gzip(path: Path) -> str | None:
    try:
        with gzip.open(path) as stream:
            while stream.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error) as error:
        return f"it cannot be unpacked ({error})"
    return None


def _tiff(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(4)
    return None if head in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") else f"it is no TIFF (it begins with {head!r})"


def _json(path: Path) -> str | None:
    try:
        json.loads(path.read_bytes())
    except ValueError as error:
        return f"it is no JSON ({error})"
    return None


_CHECKS: dict[str, Callable[[Path], str | None]] = {
    "grib": _grib,
    "netcdf": _netcdf,
    "prepbufr": _prepbufr,
    "tiff": _tiff,
    "json": _json,
}
