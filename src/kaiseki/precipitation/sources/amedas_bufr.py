"""AMeDAS in BUFR as JMA distributes it: one fixed template with nine local elements, so that places of bits are known.

The widths of the local elements before the amounts follow from data: the station is three numbers of 5, 7 and 10 bits,
and with two bits for 020212 the amounts over three hours are the sums of the hourly ones at each of 1,282 stations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.formats.prepbufr.bits import BitBuffer
from kaiseki.precipitation.data import HOUR
from kaiseki.precipitation.sources.amedas import GOOD

_TEMPLATE: Final = "001202 001200 001201 002001 301011 301012 301021 007030 001197 007031 025219"
_STATION_BITS: Final = 1029
"""Length of the report of one station, bits."""
_OCTETS_AT_MOST: Final = 1
PLACES: Final = {
    np.timedelta64(600, "s"): 489,
    HOUR: 506,
    3 * HOUR: 523,
    6 * HOUR: 540,
    12 * HOUR: 557,
    24 * HOUR: 574,
}
"""First bit of the amounts (14 bits, in 0.1 mm from -0.1) by period; JMA's quality follows, but for the last."""
_AMOUNT_BITS, _QUALITY_BITS = 14, 3
_MISSING: Final = 2**_AMOUNT_BITS - 1


def is_amedas(message: bytes) -> bool:
    """Whether a BUFR message has the template of AMeDAS."""
    return _descriptors(message).startswith(_TEMPLATE)


def values(
    where: str, message: bytes, period: np.timedelta64
) -> Iterator[tuple[str, float, float, float, np.datetime64, float]]:
    """Station, latitude, longitude, height, end of the interval and amount of all reports of a message.

    Raises:
        InputError: the message is not of the length that its stations need, its reports have other times than itself,
            or the period is none of AMeDAS.
    """
    if period not in PLACES:
        raise InputError(f"{where}: AMeDAS has amounts over {', '.join(map(str, PLACES))}, not over {period}")
    if message[7] != 4:
        raise InputError(f"{where}: AMeDAS in BUFR edition {message[7]}; expected 4")
    three, four = _sections(message)
    count = int.from_bytes(message[three + 4 : three + 6], "big")
    data = message[four + 4 : -4]
    if not 0 <= len(data) - (count * _STATION_BITS + 7) // 8 <= _OCTETS_AT_MOST:
        raise InputError(
            f"{where}: {count} stations of AMeDAS in {len(data)} octets; expected {_STATION_BITS} bits each, the "
            "template has changed"
        )
    buffer, base = BitBuffer(data), np.arange(count, dtype=np.int64) * _STATION_BITS

    def bits(first: int, width: int) -> np.ndarray:
        return buffer.unsigned(base + first, width).astype(np.int64)

    clock = [bits(first, width) for first, width in ((24, 12), (36, 4), (40, 6), (46, 5), (51, 6))]
    if any(np.unique(one).size != 1 for one in clock) or (bits(279, 8) != 1).any():
        raise InputError(f"{where}: reports of AMeDAS are not where they should be; the template has changed")
    year, month, day, hour, minute = (int(one[0]) for one in clock)
    stated = int.from_bytes(message[23:25], "big"), *message[25:29]
    if (year, month, day, hour, minute) != stated:
        raise InputError(f"{where}: its reports are of {year}-{month}-{day} {hour}:{minute:02d}, it says {stated}")
    time = np.datetime64(f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:00", "s")
    first = PLACES[period]
    raw = bits(first, _AMOUNT_BITS)
    good = raw != _MISSING
    if period != 24 * HOUR:
        good &= np.isin(bits(first + _AMOUNT_BITS, _QUALITY_BITS), GOOD)
    amount = np.where(good, np.maximum(raw - 1, 0) / 10.0, np.nan)
    lat, lon = bits(57, 25) * 1e-5 - 90.0, bits(82, 26) * 1e-5 - 180.0
    height = bits(108, 17) * 0.1 - 400.0
    prefecture, station = bits(5, 7), bits(12, 10)
    for number in range(count):
        name = f"{prefecture[number]:02d}{station[number]:03d}"
        yield name, float(lat[number]), float(lon[number]), float(height[number]), time, float(amount[number])


def _sections(message: bytes) -> tuple[int, int]:
    """First octets of sections 3 and 4."""
    one = 8
    three = one + int.from_bytes(message[one : one + 3], "big")
    if message[one + (9 if message[7] == 4 else 7)] & 0x80:
        three += int.from_bytes(message[three : three + 3], "big")
    return three, three + int.from_bytes(message[three : three + 3], "big")


def _descriptors(message: bytes) -> str:
    three, four = _sections(message)
    listed = message[three + 7 : four]
    each = (int.from_bytes(listed[at : at + 2], "big") for at in range(0, len(listed) - 1, 2))
    return " ".join(f"{one >> 14}{one >> 8 & 63:02d}{one & 255:03d}" for one in each)
