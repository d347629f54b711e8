"""The sections of one BUFR message (WMO Manual on Codes, FM 94, editions 2 to 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kaiseki.core.errors import InputError
from kaiseki.formats.prepbufr.container import Span, problem

TABLE_CATEGORY = 11
"""Data category of messages that carry BUFR tables."""
END = b"7777"
COMPRESSED_FLAG = 0x40
OPTIONAL_SECTION_FLAG = 0x80
EARLIEST_YEAR = 1940
"""First year of the hundred assumed where a message gives only the year of the century."""


@dataclass(frozen=True)
class Message:
    """What the sections of a message say.

    Attributes:
        span: number and byte range in the file.
        edition: 2, 3 or 4.
        category: data category of section 1; for PREPBUFR data the Y of the message type's Table D entry.
        time: the time of section 1 (the cycle's), UTC; None for messages without reports.
        subsets: number of subsets.
        compressed: whether the subsets are compressed.
        descriptors: those of section 3, each 16 bits as F (2), X (6), Y (8).
        data_start, data_stop: byte range of the data of section 4 in the file.
    """

    span: Span
    edition: int
    category: int
    time: datetime | None
    subsets: int
    compressed: bool
    descriptors: tuple[int, ...]
    data_start: int
    data_stop: int

    @property
    def is_table(self) -> bool:
        """Whether the message defines BUFR tables instead of carrying reports."""
        return self.category == TABLE_CATEGORY


def parse(content: bytes, span: Span, name: str) -> Message:
    """Read sections 0, 1, 3 and 5 and the extent of section 4.

    Raises:
        InputError: a section does not end where it should, or holds something impossible.
    """

    def fail(offset: int, what: str) -> InputError:
        return problem(name, span.number, offset, what, "fetch the file again")

    def section(number: int, start: int, least: int) -> int:
        if start + 3 > last:
            raise fail(start, f"the message ends before section {number}")
        length = int.from_bytes(content[start : start + 3], "big")
        if length < least or start + length > last:
            room = last - start
            raise fail(start, f"section {number} says it has {length} bytes, expected {least} to {room}")
        return start + length

    last = span.stop - len(END)
    edition = content[span.start + 7]
    if edition not in (2, 3, 4):
        raise problem(
            name,
            span.number,
            span.start + 7,
            f"BUFR edition {edition} is not supported, expected 2, 3 or 4",
            "convert the file",
        )
    if content[last : span.stop] != END or last < span.start + 8:
        raise fail(max(last, span.start), f"expected {END!r} at the end of the message")
    one = span.start + 8
    three = section(1, one, 17 if edition < 4 else 22)
    if content[one + (7 if edition < 4 else 9)] & OPTIONAL_SECTION_FLAG:
        three = section(2, three, 4)
    four = section(3, three, 9)
    five = section(4, four, 4)
    if five != last:
        raise fail(five, f"expected section 5 here, the message ends {last - five} bytes later")
    category = content[one + (8 if edition < 4 else 10)]
    subsets = int.from_bytes(content[three + 4 : three + 6], "big")
    # NCEP ends its tables, and starts its dumps, with messages of no subset; their time is any, or none.
    if not subsets and (at := _first_bit(content, four + 4, five)) is not None:
        raise fail(at, "the message says it has no subset, but its section 4 holds data")
    listed = content[three + 7 : four - (four - three - 7) % 2]
    return Message(
        span=span,
        edition=edition,
        category=category,
        time=None if category == TABLE_CATEGORY or not subsets else _time(content, one, three - one, edition, fail),
        subsets=subsets,
        compressed=bool(content[three + 6] & COMPRESSED_FLAG),
        descriptors=tuple(int.from_bytes(listed[i : i + 2], "big") for i in range(0, len(listed), 2)),
        data_start=four + 4,
        data_stop=five,
    )


def _first_bit(content: bytes, start: int, stop: int) -> int | None:
    """Place of the first byte that is not zero, None if all are."""
    rest = content[start:stop].lstrip(b"\0")
    return stop - len(rest) if rest else None


def _time(content: bytes, one: int, length: int, edition: int, fail: Callable[[int, str], InputError]) -> datetime:
    if edition == 4:
        year = int.from_bytes(content[one + 15 : one + 17], "big")
        month, day, hour, minute = content[one + 17 : one + 21]
    else:
        of_century, month, day, hour, minute = content[one + 12 : one + 17]
        # NCEP writes the century (20 for 1901-2000) into the first byte of section 1 that is left to local use.
        century = content[one + 17] if length > 17 else 0
        if 19 <= century <= 22:
            year = (century - 1) * 100 + of_century
        else:
            year = EARLIEST_YEAR + (of_century - EARLIEST_YEAR) % 100
    try:
        return datetime(year, month, day, hour, minute)
    except ValueError:
        raise fail(one, f"section 1 gives the impossible time {year}-{month}-{day} {hour}:{minute}") from None
