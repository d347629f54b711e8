"""Inventories of GRIB files in the short form of wgrib2: where each message lies, and what it is.

A line is "number:first byte:d=time:NAME:level:forecast:...", messages in their order in the file; fields of one message
share its first byte (wgrib2 documentation, "inventory").
"""

from __future__ import annotations

import re

from kaiseki.acquisition.remote import Remote
from kaiseki.acquisition.retry import Patience
from kaiseki.acquisition.structure import foreign
from kaiseki.acquisition.transfer import Ranges
from kaiseki.core.errors import InputError

_MOST = 64 << 20


def text_of(remote: Remote, patience: Patience) -> str:
    """The whole of a small text file.

    Raises:
        InputError: as `Remote.read`, or it is larger than 64 MiB.
    """

    def work() -> bytes:
        with remote.read(0, None, None) as blocks:
            content = bytearray()
            for block in blocks:
                content += block
                if len(content) > _MOST:
                    raise InputError(f"{remote.address} is larger than a listing should be")
            return bytes(content)

    content = patience.keep_trying(f"Loading {remote.address}", work)
    if (came := foreign(content[:512], "json")) is not None:
        raise InputError(f"{remote.address}: {came}")
    return content.decode("utf-8", errors="replace")


def ranges(text: str, wanted: tuple[str, ...], size: int | None, where: str) -> Ranges:
    """Byte ranges of the wanted messages, neighbours joined.

    Args:
        text: the inventory.
        wanted: regular expressions, of which each must find a message: a field that has another name now would else be
            left out in silence.
        size: of the GRIB file, bytes; where the last message ends.
        where: its address, for messages.

    Raises:
        InputError: a line is of another form, or an expression finds nothing.
    """
    rows: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        words = line.split(":")
        if len(words) < 6 or not words[1].isdigit():
            raise InputError(f"{where}, line {number}: is no line of a GRIB inventory ({line[:60]!r})")
        rows.append((int(words[1]), ":".join(words[3:6])))
    starts = sorted({start for start, _ in rows})
    ends = dict(zip(starts, [*starts[1:], size or 0], strict=True))
    chosen = set()
    for pattern in wanted:
        matched = {start for start, name in rows if re.search(pattern, name)}
        if not matched:
            raise InputError(f"{where}: names no message like {pattern!r}; see kaiseki fetch --probe")
        chosen |= matched
    found: list[tuple[int, int]] = []
    for start in sorted(chosen):
        if ends[start] <= start:
            raise InputError(f"{where}: does not fit its GRIB file of {size} bytes (a message begins at {start})")
        if found and found[-1][1] == start:
            found[-1] = found[-1][0], ends[start]
        else:
            found.append((start, ends[start]))
    return tuple(found)
