"""Where the files of foreign data come from, by what they say of themselves: producer, title, history, licence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kaiseki.core.errors import InputError
from kaiseki.driving.sources.layouts import MEANINGS, NEAR_MEANINGS
from kaiseki.driving.sources.pieces import Piece, Refused
from kaiseki.formats.grib.library import eccodes
from kaiseki.formats.grib.messages import headers
from kaiseki.formats.netcdf import is_netcdf, is_zarr, opened

_KEPT: Final = {
    "title": ("title", "longname"),
    "source": ("source",),
    "institution": ("institution", "originating_or_generating_center"),
    "references": ("references",),
    "license": ("license", "licence", "rights"),
    "history": ("history",),
}
"""Attributes of a release and those of a file, in lower case, that they come from."""
_UNREAD: Final = "no field of a quantity that the readers know"
GENERAL: Final = "cf"
"""Layout whose names any producer may use, and what files of other formats count as."""


@dataclass(frozen=True)
class FileOrigin:
    """What the files say of themselves.

    Attributes:
        producer: code of the centre in GRIB, or name of the layout in NetCDF and Zarr.
        attributes: title, source, institution, references, license, history, as far as they tell.
        unread: fields that the readers do not know, by the names of the files.
    """

    producer: str
    attributes: dict[str, str]
    unread: tuple[str, ...] = ()


def file_origin(pieces: Sequence[Piece], refused: Sequence[Refused] = ()) -> FileOrigin:
    """Origin of the files of pieces.

    Args:
        pieces: that are read.
        refused: fields that are not, which are told of elsewhere.

    Raises:
        InputError: they are of several producers.
    """
    paths = dict.fromkeys(piece.path for piece in pieces)
    known: dict[Path, set[str]] = {}
    for path, label in [*((p.path, p.label) for p in pieces), *((r.path, r.label) for r in refused)]:
        known.setdefault(path, set()).add(label)
    found = {path: _origin(path, [piece for piece in pieces if piece.path == path], known[path]) for path in paths}
    named = {path: one for path, one in found.items() if one.producer != GENERAL}
    first = next(iter(named or found))
    for path, one in named.items():
        if one.producer != found[first].producer:
            raise InputError(
                f"{first} is of the producer {found[first].producer} and {path} of {one.producer}; import each source "
                "into a release of its own"
            )
    unread = dict.fromkeys(name for one in found.values() for name in one.unread)
    return FileOrigin(found[first].producer, found[first].attributes, tuple(unread))


def _origin(path: Path, pieces: Sequence[Piece], known: Collection[str]) -> FileOrigin:
    """Origin of one file, of whose fields some labels are known."""
    if not is_zarr(path):
        with path.open("rb") as stream:
            head = stream.read(8)
        if head.startswith(b"GRIB"):
            return _of_grib(path, known)
        if not is_netcdf(head):
            return FileOrigin(GENERAL, {})
    meanings = MEANINGS | NEAR_MEANINGS
    layouts = dict.fromkeys(meanings[p.label].layout.name for p in pieces if p.label in meanings)
    producer = next((name for name in layouts if name != GENERAL), GENERAL)
    with opened(path) as dataset:
        places = {dim for p in pieces if p.label in dataset for dim in dataset[p.label].dims[-2:]}
        names = [str(name) for name in dataset.data_vars if places and places <= set(dataset[name].dims)]
        unread = tuple(f"{name} of {path.name}: {_UNREAD}" for name in names if name not in known)
        stated = {str(key).lower(): str(value).strip() for key, value in dataset.attrs.items()}
    known = {key: next((stated[name] for name in names if stated.get(name)), "") for key, names in _KEPT.items()}
    return FileOrigin(producer, {key: text for key, text in known.items() if text}, unread)


def _of_grib(path: Path, known: Collection[str]) -> FileOrigin:
    """Origin of a file by its first field, and the fields that were not read."""
    unread, found = Counter[str](), None
    for place, message in headers(path):
        handle = eccodes.codes_new_from_message(message)
        try:
            name, level, step = (
                str(eccodes.codes_get(handle, key)) for key in ("shortName", "typeOfLevel", "stepType")
            )
            if f"field {place.count} ({name})" not in known:
                unread[f"{name} on {level} ({step})"] += 1
            if found is not None:
                continue
            centre = str(eccodes.codes_get(handle, "centre"))
            institution = str(eccodes.codes_get(handle, "centreDescription"))
            process = eccodes.codes_get(handle, "generatingProcessIdentifier")
            edition = eccodes.codes_get(handle, "edition")
        finally:
            eccodes.codes_release(handle)
        source = f"GRIB edition {edition}, generating process {process} of {centre} ({institution})"
        found = FileOrigin(centre, {"source": source, "institution": institution})
    if found is None:
        raise InputError(f"{path}: holds no GRIB field")
    lines = (f"{count} fields {name} of {path.name}: {_UNREAD}" for name, count in unread.items())
    return FileOrigin(found.producer, found.attributes, tuple(lines))
