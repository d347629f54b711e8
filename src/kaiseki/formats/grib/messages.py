"""Cutting a GRIB file into messages with one field each.

NCEP packs u and v as two fields into one GRIB2 message. A decoder that looks at messages sees the first only, and the
multi-field switch of ecCodes is global to the process and tied to open streams. So messages are cut here by their
section lengths (WMO-No. 306, FM 92 GRIB, edition 2: sections 2 to 7, 3 to 7 or 4 to 7 may repeat), which also tells
exactly where a file breaks off.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kaiseki.core.errors import InputError

START, END = b"GRIB", b"7777"
SECTION_0_LENGTH = {1: 8, 2: 16}
LARGE_EDITION_1 = 0x800000
SAME_BITMAP = 254
"""Bitmap indicator (code table 6.0): the bitmap defined before in the same message."""


def single_fields(path: Path) -> Iterator[tuple[int, bytes]]:
    """All fields of a file in order: (number of the field from 1, a whole message with that field alone).

    Raises:
        InputError: the file breaks off within a message, or a message is not built as the standard says.
    """
    content = path.read_bytes()
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
        message = content[start:end]
        for field in [message] if edition == 1 else _split(message, where):
            count += 1
            yield count, field
        position = end
    tail = content[position:]
    if any(tail.endswith(START[:n]) for n in (1, 2, 3)):
        raise InputError(
            f"{path}: breaks off at the start of a message after field {count}; it is truncated, fetch it again."
        )
    if count == 0:
        raise InputError(f"{path}: holds no GRIB message; the file is empty or truncated, fetch it again.")


def _length(content: bytes, start: int, where: str) -> tuple[int, int]:
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


def _split(message: bytes, where: str) -> Iterator[bytes]:
    """The fields of an edition-2 message, each as a message of its own."""
    sections: dict[int, bytes] = {}
    bitmap = b""
    position = SECTION_0_LENGTH[2]
    while message[position : position + 4] != END or position != len(message) - 4:
        length = int.from_bytes(message[position : position + 4])
        number = message[position + 4] if position + 5 <= len(message) else 0
        if length < 5 or position + length > len(message) - 4 or not 1 <= number <= 7:
            raise InputError(
                f"{where} has a wrong section at its byte {position}; the file is damaged, fetch it again."
            )
        section = message[position : position + length]
        position += length
        if number == 2:
            sections[2] = section
        elif number == 6 and section[5] == SAME_BITMAP:
            if not bitmap:
                raise InputError(
                    f"{where} refers to a bitmap that it does not hold; the file is damaged, fetch it again."
                )
            sections[6] = bitmap
        else:
            sections[number] = section
            if number == 6 and section[5] == 0:
                bitmap = section
        if number == 7:
            if not {1, 3, 4, 5, 6} <= sections.keys():
                raise InputError(f"{where} lacks a section before its data; the file is damaged, fetch it again.")
            body = b"".join(sections[n] for n in sorted(sections)) + END
            yield message[:8] + (SECTION_0_LENGTH[2] + len(body)).to_bytes(8) + body
