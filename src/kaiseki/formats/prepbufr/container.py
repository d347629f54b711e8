"""From a file to its BUFR messages: compression, Fortran record control words, blank padding.

A PREPBUFR file is a chain of BUFR messages. Written by Fortran as a sequential unformatted file, each record (one
message and its padding) stands between two four-byte control words that give the record's length; other files hold
the messages one after the other. Both, plain or compressed with gzip, are understood.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kaiseki.core.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"
START = b"BUFR"
PADDING = b"\x00 \r\n"
CONTROL_WORD_BYTES = 4
LARGEST_FILE_BYTES = 4 * 1024**3
"""Uncompressed size above which a file is refused: PREPBUFR cycles of today stay below 0.5 GB."""


@dataclass(frozen=True)
class Span:
    """Where a message lies: its number in the file (1 is the first) and its byte range [start, stop)."""

    number: int
    start: int
    stop: int


def problem(name: str, message: int, offset: int, what: str, remedy: str) -> InputError:
    """The one sentence about a damaged place: file, message, byte offset, what was expected, what to do."""
    return InputError(f"{name}: message {message} (byte offset {offset} of the uncompressed file): {what}; {remedy}.")


def load(path: str | Path) -> bytes:
    """The uncompressed content of a file.

    Raises:
        InputError: it cannot be opened, is empty, or its gzip stream is damaged or incomplete.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be opened ({error.strerror or error}); give the path of a PREPBUFR file."
        ) from error
    return uncompress(content, str(path))


def uncompress(content: bytes, name: str) -> bytes:
    """Undo gzip where the first bytes say so; other content is returned as it is.

    Raises:
        InputError: nothing in it, or the gzip stream is damaged, incomplete or larger than `LARGEST_FILE_BYTES`.
    """
    if content.startswith(GZIP_MAGIC):
        try:
            content = _gunzip(content)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                f"{name}: the gzip stream of {len(content)} bytes is damaged or ends too early ({error}), expected a "
                "complete one with a matching checksum before message 1 can be read; fetch the file again."
            ) from error
        except MemoryError as error:
            raise InputError(
                f"{name}: unpacks to more than {LARGEST_FILE_BYTES} bytes, expected a PREPBUFR file of one cycle; "
                "check that it is the right file."
            ) from error
    if not content:
        raise InputError(f"{name}: is empty, expected a PREPBUFR file that starts with 'BUFR'; fetch the file again.")
    return content


def _gunzip(content: bytes) -> bytes:
    parts: list[bytes] = []
    total = 0
    while content:
        if not content.startswith(GZIP_MAGIC):
            if content.strip(b"\0"):
                raise gzip.BadGzipFile("bytes that are not gzip follow the stream")
            break
        stream = zlib.decompressobj(wbits=31)
        part = stream.decompress(content, LARGEST_FILE_BYTES + 1 - total)
        total += len(part)
        if total > LARGEST_FILE_BYTES:
            raise MemoryError
        if not stream.eof:
            raise EOFError("end of the file within the stream")
        parts.append(part)
        content = stream.unused_data
    return b"".join(parts)


def messages(content: bytes, name: str) -> Iterator[Span]:
    """The messages of an uncompressed file in order.

    Raises:
        InputError: the content is not a chain of BUFR messages, or ends within one.
    """
    byte_order = _control_word_order(content)
    if byte_order is None and not content.lstrip(PADDING).startswith(START):
        raise problem(
            name, 1, 0, f"expected 'BUFR' at its beginning, found {content[:8]!r}", "give the path of a PREPBUFR file"
        )
    yield from _plain(content, name) if byte_order is None else _records(content, name, byte_order)


def _control_word_order(content: bytes) -> Literal["big", "little"] | None:
    if content[CONTROL_WORD_BYTES : CONTROL_WORD_BYTES + len(START)] != START or content.startswith(START):
        return None
    # Records are far shorter than 16 MB, so the zero byte shows which end comes first.
    return "big" if content[0] == 0 else "little"


def _plain(content: bytes, name: str) -> Iterator[Span]:
    offset = number = 0
    while True:
        offset += _leading_padding(content, offset)
        if offset == len(content):
            return
        number += 1
        stop = _message_end(content, name, number, offset, len(content))
        yield Span(number, offset, stop)
        offset = stop


def _leading_padding(content: bytes, offset: int) -> int:
    stop = offset
    while stop < len(content) and content[stop] in PADDING:
        stop += 1
    return stop - offset


def _records(content: bytes, name: str, byte_order: Literal["big", "little"]) -> Iterator[Span]:
    offset = number = 0
    remedy = "fetch the file again, or strip the control words in another way"
    while offset < len(content):
        number += 1
        start = offset + CONTROL_WORD_BYTES
        length = int.from_bytes(content[offset:start], byte_order)
        stop = start + length
        if stop + CONTROL_WORD_BYTES > len(content):
            missing = stop + CONTROL_WORD_BYTES - len(content)
            raise problem(
                name, number, offset, f"the file ends {missing} bytes before the end of the record", "fetch it again"
            )
        closing = int.from_bytes(content[stop : stop + CONTROL_WORD_BYTES], byte_order)
        if closing != length:
            raise problem(name, number, stop, f"expected the control word {length}, found {closing}", remedy)
        end = _message_end(content, name, number, start, stop)
        if content[end:stop].strip(PADDING):
            raise problem(name, number, end, "expected only padding between message and end of record", remedy)
        yield Span(number, start, end)
        offset = stop + CONTROL_WORD_BYTES


def _message_end(content: bytes, name: str, number: int, start: int, limit: int) -> int:
    head = content[start : min(start + 8, limit)]
    if len(head) < 8 and START.startswith(head[: len(START)]):
        raise problem(name, number, start, "the file ends within section 0 (8 bytes)", "fetch the file again")
    if not head.startswith(START):
        raise problem(name, number, start, f"expected 'BUFR', found {head[:4]!r}", "fetch the file again")
    stop = start + int.from_bytes(head[4:7], "big")
    if stop > limit:
        raise problem(
            name,
            number,
            start,
            f"the message should have {stop - start} bytes, {limit - start} are there",
            "fetch the file again",
        )
    return stop
