"""Cutting a GRIB file into messages with one field each.

NCEP packs u and v as two fields into one GRIB2 message. A decoder that looks at messages sees the first only, and the
multi-field switch of ecCodes is global to the process and tied to open streams. So messages are cut here by their
section lengths (WMO-No. 306, FM 92 GRIB, edition 2: sections 2 to 7, 3 to 7 or 4 to 7 may repeat), which also tells
exactly where a file breaks off.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kaiseki.core.errors import InputError

START, END = b"GRIB", b"7777"
SECTION_0_LENGTH = {1: 8, 2: 16}
LARGE_EDITION_1 = 0x800000
NO_BITMAP, NO_DATA = b"\x00\x00\x00\x06\x06\xff", b"\x00\x00\x00\x05\x07"
SAME_BITMAP = 254
"""Bitmap indicator (code table 6.0): the bitmap defined before in the same message."""


@dataclass(frozen=True)
class Place:
    """Place of one field in a file.

    Attributes:
        count: number of the field in the file, from 1.
        start, end: bytes of the message that holds it.
        number: number of the field in its message, from 0.
    """

    count: int
    start: int
    end: int
    number: int


def single_fields(path: Path) -> Iterator[tuple[int, bytes]]:
    """All fields of a file in order: (number of the field from 1, a whole message with that field alone).

    Raises:
        InputError: the file breaks off within a message, or a message is not built as the standard says.
    """
    for place, field in _fields(path, headers=False):
        yield place.count, field


def fields_within(path: Path, content: bytes) -> Iterator[tuple[Place, bytes]]:
    """All fields of the content of a file that is in memory, such as a decompressed one: the place of each in the
    content and a whole message with that field alone.

    Args:
        path: of the file, for messages.
        content: of the file.

    Raises:
        InputError: as of `single_fields`.
    """
    yield from _scan(path, content, headers=False)


def headers(path: Path) -> Iterator[tuple[Place, bytes]]:
    """All fields of a file in order: the place of each and a message that describes it, in edition 2 without its data.

    Raises:
        InputError: the file breaks off within a message, or a message is not built as the standard says.
    """
    yield from _fields(path, headers=True)


def field_at(path: Path, place: Place) -> bytes:
    """A whole message with the field of a place alone; InputError if the file has changed meanwhile."""
    with path.open("rb") as stream:
        stream.seek(place.start)
        message = stream.read(place.end - place.start)
    if not message.startswith(START) or message[-4:] != END:
        raise InputError(f"{path}: has changed since it was opened; run again when it is complete.")
    if message[7] == 1:
        return message
    for number, field in enumerate(_split(message, (0, len(message)), f"{path}: field {place.count}")):
        if number == place.number:
            return field
    raise InputError(f"{path}: has changed since it was opened; run again when it is complete.")


def _fields(path: Path, headers: bool) -> Iterator[tuple[Place, bytes]]:
    with path.open("rb") as stream:
        if not stream.read(1):
            raise InputError(f"{path}: holds no GRIB message; the file is empty or truncated, fetch it again.")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield from _scan(path, content, headers)


def _scan(path: Path, content: bytes | mmap.mmap, headers: bool) -> Iterator[tuple[Place, bytes]]:
    position, count = 0, 0
    while (start := content.find(START, position)) >= 0:
        where = f"{path}: the GRIB message after field {count}, at byte {start},"
        edition, length = _length(content, start, where)
        end = start + length
        if end > len(content):
            missing = end - len(content)
            raise InputError(
                f"{where} breaks off {missing} bytes before its end; the file is truncated, fetch it again."
            )
        if content[end - 4 : end] != END:
            raise InputError(f"{where} does not end where it says; the file is damaged, fetch it again.")
        if edition == 1:
            fields: Iterator[bytes] = iter([content[start:end]])
        else:
            fields = _split(content, (start, end), where, headers)
        for number, field in enumerate(fields):
            count += 1
            yield Place(count, start, end, number), field
        position = end
    tail = content[max(position, len(content) - 3) :]
    if any(tail.endswith(START[:n]) for n in (1, 2, 3)):
        raise InputError(
            f"{path}: breaks off at the start of a message after field {count}; it is truncated, fetch it again."
        )
    if count == 0:
        raise InputError(f"{path}: holds no GRIB message; the file is empty or truncated, fetch it again.")


def _length(content: bytes | mmap.mmap, start: int, where: str) -> tuple[int, int]:
    """Edition and total length of the message at `start`."""
    if start + 8 > len(content):
        raise InputError(f"{where} breaks off in its first section; the file is truncated, fetch it again.")
    edition = content[start + 7]
    if edition not in SECTION_0_LENGTH:
        raise InputError(f"{where} is of edition {edition}; only editions 1 and 2 are read.")
    if edition == 1:
        length = int.from_bytes(content[start + 4 : start + 7])
        if length >= LARGE_EDITION_1:
            raise InputError(f"{where} is an edition-1 message over 8 MiB; convert the file to edition 2.")
        return edition, length
    if start + 16 > len(content):
        raise InputError(f"{where} breaks off in its first section; the file is truncated, fetch it again.")
    return edition, int.from_bytes(content[start + 8 : start + 16])


def _split(content: bytes | mmap.mmap, bounds: tuple[int, int], where: str, headers: bool = False) -> Iterator[bytes]:
    """The fields of the edition-2 message at `bounds` of the content, each as a message of its own; with `headers` the
    data are left out."""
    sections: dict[int, bytes] = {}
    bitmap = b""
    start, last = bounds[0], bounds[1] - len(END)
    position = start + SECTION_0_LENGTH[2]
    while position != last:
        length = int.from_bytes(content[position : position + 4])
        number = content[position + 4] if position + 5 <= bounds[1] else 0
        if length < 5 or position + length > last or not 1 <= number <= 7:
            raise InputError(
                f"{where} has a wrong section at its byte {position - start}; the file is damaged, fetch it again."
            )
        leave_out = headers and number in (6, 7)
        section = b"" if leave_out else content[position : position + length]
        if number == 2:
            sections[2] = section
        elif number == 6 and content[position + 5] == SAME_BITMAP:
            if not bitmap:
                raise InputError(
                    f"{where} refers to a bitmap that it does not hold; the file is damaged, fetch it again."
                )
            sections[6] = bitmap
        else:
            sections[number] = section
            if number == 6 and content[position + 5] == 0:
                bitmap = section or NO_BITMAP
        if number == 7:
            if not {1, 3, 4, 5, 6} <= sections.keys():
                raise InputError(f"{where} lacks a section before its data; the file is damaged, fetch it again.")
            if headers:
                sections |= {6: NO_BITMAP, 7: NO_DATA}
            body = b"".join(sections[n] for n in sorted(sections)) + END
            yield content[start : start + 8] + (SECTION_0_LENGTH[2] + len(body)).to_bytes(8) + body
        position += length
