"""Where the files of foreign data come from, by what they say of themselves: producer, title, history, licence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kaiseki.core.errors import InputError
from kaiseki.driving.sources.layouts import MEANINGS
from kaiseki.driving.sources.pieces import Piece
from kaiseki.formats.grib.library import eccodes
from kaiseki.formats.grib.messages import headers
from kaiseki.formats.netcdf import is_zarr, opened

_KEPT: Final = {
    "title": ("title", "longname"),
    "source": ("source",),
    "institution": ("institution", "originating_or_generating_center"),
    "references": ("references",),
    "license": ("license", "licence", "rights"),
    "history": ("history",),
}
"""Attributes of a release and those of a file, in lower case, that they come from."""
GENERAL: Final = "cf"
"""Layout whose names any producer may use."""


@dataclass(frozen=True)
class FileOrigin:
    """What the files say of themselves.

    Attributes:
        producer: code of the centre in GRIB, or name of the layout in NetCDF and Zarr.
        attributes: title, source, institution, references, license, history, as far as they tell.
    """

    producer: str
    attributes: dict[str, str]


def file_origin(pieces: Sequence[Piece]) -> FileOrigin:
    """Origin of the files of pieces.

    Raises:
        InputError: they are of several producers.
    """
    paths = dict.fromkeys(piece.path for piece in pieces)
    found = {path: _origin(path, [piece for piece in pieces if piece.path == path]) for path in paths}
    named = {path: one for path, one in found.items() if one.producer != GENERAL}
    first = next(iter(named or found))
    for path, one in named.items():
        if one.producer != found[first].producer:
            raise InputError(
                f"{first} is of the producer {found[first].producer} and {path} of {one.producer}; import each source "
                "into a release of its own"
            )
    return found[first]


def _origin(path: Path, pieces: Sequence[Piece]) -> FileOrigin:
    """Origin of one file."""
    if not is_zarr(path):
        with path.open("rb") as stream:
            if stream.read(4) == b"GRIB":
                return _of_grib(path)
    layouts = dict.fromkeys(MEANINGS[p.label].layout.name for p in pieces if p.label in MEANINGS)
    producer = next((name for name in layouts if name != GENERAL), GENERAL)
    with opened(path) as dataset:
        stated = {str(key).lower(): str(value).strip() for key, value in dataset.attrs.items()}
    known = {key: next((stated[name] for name in names if stated.get(name)), "") for key, names in _KEPT.items()}
    return FileOrigin(producer, {key: text for key, text in known.items() if text})


def _of_grib(path: Path) -> FileOrigin:
    """Origin of a file by its first field."""
    for _, message in headers(path):
        handle = eccodes.codes_new_from_message(message)
        try:
            centre = str(eccodes.codes_get(handle, "centre"))
            name = str(eccodes.codes_get(handle, "centreDescription"))
            process = eccodes.codes_get(handle, "generatingProcessIdentifier")
            edition = eccodes.codes_get(handle, "edition")
        finally:
            eccodes.codes_release(handle)
        source = f"GRIB edition {edition}, generating process {process} of {centre} ({name})"
        return FileOrigin(centre, {"source": source, "institution": name})
    raise InputError(f"{path}: holds no GRIB field")
