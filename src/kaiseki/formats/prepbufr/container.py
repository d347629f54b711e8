"""Container of BUFR messages in a file: compression, Fortran record control words, blank padding.

A PREPBUFR file is a chain of BUFR messages. Written by Fortran as a sequential unformatted file, each record (mostly
one message and its padding) stands between two control words that give the record's length: four bytes, or eight with
some compilers' options, in the byte order of the machine that wrote them. Other files hold the messages one after the
other. All of these, plain or compressed with gzip, are understood; zeros between and behind the records are padding.
The control words of the first record do not always tell which form it is (a length that is a multiple of 256 has a
zero byte at both ends), so that each form is followed to its end and the one that fits is taken.

A record of more than 2 GB, which compilers split into parts with negative lengths, is refused.
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
CONTROL_WORD_BYTES = (4, 8)
LEAST_MESSAGE_BYTES = 12
"""Least length of a message, bytes: sections 0 and 5."""
PIECE = 1 << 16
"""Number of bytes examined together where padding is skipped."""
LARGEST_FILE_BYTES = 4 * 1024**3
"""Uncompressed size above which a file is refused: PREPBUFR cycles of today stay below 0.5 GB."""


@dataclass(frozen=True)
class Span:
    """Place of a message: its number in the file (1 is the first) and its byte range [start, stop)."""

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


@dataclass(frozen=True)
class _ControlWords:
    """The lengths before and behind each record: how many bytes they have, which end comes first."""

    size: int
    byte_order: Literal["big", "little"]

    def read(self, content: bytes, offset: int) -> int:
        return int.from_bytes(content[offset : offset + self.size], self.byte_order, signed=True)


@dataclass(frozen=True)
class _Walk:
    """The messages found in one form of file, and why it went no further, None if it reached the end."""

    spans: list[Span]
    failure: InputError | None


def messages(content: bytes, name: str) -> Iterator[Span]:
    """The messages of an uncompressed file in order.

    Raises:
        InputError: the content is not a chain of BUFR messages, or ends within one.
    """
    best: _Walk | None = None
    for form in _forms(content):
        walk = _plain(content, name) if form is None else _records(content, name, form)
        if best is None or walk.failure is None or len(walk.spans) > len(best.spans):
            best = walk
        if walk.failure is None:
            break
    if best is None:
        raise problem(
            name, 1, 0, f"expected 'BUFR' at its beginning, found {content[:8]!r}", "give the path of a PREPBUFR file"
        )
    yield from best.spans
    if best.failure is not None:
        raise best.failure


def _forms(content: bytes) -> list[_ControlWords | None]:
    """The forms that the beginning of the file allows, the likeliest first; None is a file without control words."""
    if content.startswith(START):
        return [None]
    forms: list[_ControlWords | None] = [
        _ControlWords(size, order)
        for size in CONTROL_WORD_BYTES
        if content[size : size + len(START)] == START
        for order in ("big", "little")
    ]

    def excess(form: _ControlWords | None) -> int:
        """Bytes by which the first record is longer than its message."""
        assert form is not None
        return abs(form.read(content, 0) - int.from_bytes(content[form.size + 4 : form.size + 7], "big"))

    forms.sort(key=excess)
    start = _behind(content, 0, PADDING)
    return [*forms, None] if content[start : start + len(START)] == START else forms


def _behind(content: bytes, offset: int, characters: bytes) -> int:
    """The first place from `offset` on where another byte stands than one of `characters`."""
    while offset < len(content):
        piece = content[offset : offset + PIECE]
        rest = len(piece.lstrip(characters))
        offset += len(piece) - rest
        if rest:
            break
    return offset


def _plain(content: bytes, name: str) -> _Walk:
    spans: list[Span] = []
    offset = _behind(content, 0, PADDING)
    try:
        while offset < len(content):
            number = len(spans) + 1
            spans.append(Span(number, offset, _message_end(content, name, number, offset, len(content))))
            offset = _behind(content, spans[-1].stop, PADDING)
    except InputError as error:
        return _Walk(spans, error)
    return _Walk(spans, None)


def _records(content: bytes, name: str, words: _ControlWords) -> _Walk:
    spans: list[Span] = []
    offset = 0
    try:
        while (start := _record_start(content, name, len(spans) + 1, offset, words)) is not None:
            stop = _record_stop(content, name, len(spans) + 1, start, words)
            place = start
            while place < stop:
                number = len(spans) + 1
                spans.append(Span(number, place, _message_end(content, name, number, place, stop)))
                place = min(_behind(content, spans[-1].stop, PADDING), stop)
                if place < stop and content[place : place + len(START)] != START:
                    what = "expected only padding or another message before the end of the record"
                    raise problem(name, number, place, what, "fetch the file again, or write it anew without padding")
            offset = stop + words.size
    except InputError as error:
        return _Walk(spans, error)
    return _Walk(spans, None)


def _record_start(content: bytes, name: str, number: int, offset: int, words: _ControlWords) -> int | None:
    """Start of the content of the next record, None where only padding follows."""
    if _behind(content, offset, PADDING) == len(content):
        return None
    end = _behind(content, offset, b"\0")
    # The control word may begin with zeros itself, so that the message shows where it is.
    start = content.find(START, end, end + words.size + len(START))
    if start < offset + words.size:
        what = f"expected the length of a record and 'BUFR', or the end of the file, found {content[end : end + 8]!r}"
        raise problem(name, number, end, what, "fetch the file again, or cut off there what does not belong to it")
    return start


def _record_stop(content: bytes, name: str, number: int, start: int, words: _ControlWords) -> int:
    """End of the content of the record that begins at `start`, after comparing both control words."""
    before = start - words.size
    length = words.read(content, before)
    if length < 0:
        what = f"the record has the length {length}: a part of one of more than 2 GB, which is not supported"
        raise problem(name, number, before, what, "write the file anew with one message per record")
    own = int.from_bytes(content[start + 4 : start + 7], "big")
    if length < own:
        what = f"expected a record of at least the {own} bytes of its message, its control word says {length}"
        raise problem(name, number, before, what, "fetch the file again")
    stop = start + length
    if stop + words.size > len(content):
        missing = stop + words.size - len(content)
        what = f"the file ends {missing} bytes before the end of the record of {length} bytes"
        raise problem(name, number, before, what, "fetch it again")
    closing = words.read(content, stop)
    if closing != length:
        remedy = "fetch the file again, or strip the control words in another way"
        raise problem(name, number, stop, f"expected the control word {length}, found {closing}", remedy)
    return stop


def _message_end(content: bytes, name: str, number: int, start: int, limit: int) -> int:
    head = content[start : min(start + 8, limit)]
    again = "fetch the file again"
    if len(head) < 8 and START.startswith(head[: len(START)]):
        raise problem(name, number, start, "the file ends within section 0 (8 bytes)", again)
    if not head.startswith(START):
        what = f"expected 'BUFR' or the end of the file, found {head!r}"
        raise problem(name, number, start, what, "fetch the file again, or cut off there what does not belong to it")
    length = int.from_bytes(head[4:7], "big")
    if length < LEAST_MESSAGE_BYTES:
        what = f"the message says it has {length} bytes, expected at least {LEAST_MESSAGE_BYTES}"
        raise problem(name, number, start, what, again)
    if start + length > limit:
        what = f"the message should have {length} bytes, {limit - start} are there"
        raise problem(name, number, start, what, again)
    return start + length
