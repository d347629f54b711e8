"""Run-length packing of levels (WMO-No. 306, data representation and data templates 5.200 and 7.200), vectorised.

A field is a sequence of runs of equal levels. A run is coded by its level v, 0 <= v <= V, and the digits of its length:
numbers above V are digits of base B = 2^bits - 1 - V, the least significant first, and a run with digits d_1 .. d_k has
1 + sum (d_i - V - 1) B^(i-1) points. V is the highest level in use, which the header states.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

BITS: Final[dict[int, np.dtype[np.unsignedinteger]]] = {8: np.dtype(">u1"), 16: np.dtype(">u2")}
"""Numbers of bits per packed number that are read, with their types."""


class PackingError(ValueError):
    """Packed octets that contradict the header or themselves; the message is a clause without the place."""


def unpack(packed: bytes, *, size: int, highest: int, bits: int = 8) -> np.ndarray:
    """The levels (size,) of a packed field, unsigned integers of as many bits as one packed number.

    Args:
        packed: data of section 7.
        size: number of points.
        highest: V, the highest level in use.
        bits: of one packed number, 8 or 16.

    Raises:
        PackingError: the octets do not begin with a level, are not whole, or give another number of points.
    """
    if bits not in BITS:
        raise PackingError(f"has run-length packing with {bits} bits per number; 8 and 16 are read")
    kind = BITS[bits]
    base = 2**bits - 1 - highest
    if highest < 0 or base < 1:
        raise PackingError(f"states {highest} as the highest level in use, which {bits} bits do not allow")
    if len(packed) % kind.itemsize:
        raise PackingError("does not end with a whole packed number")
    numbers = np.frombuffer(packed, kind)
    starts = np.flatnonzero(numbers <= highest)
    if numbers.size == 0 or starts.size == 0 or starts[0] != 0:
        raise PackingError("does not begin with a level")
    digits = np.diff(starts, append=numbers.size) - 1
    most = int(digits.max())
    # Every digit beyond these would make a run longer than the field; a base of 1 has no digit that lengthens a run.
    if most > (math.ceil(math.log(max(size, 2), base)) + 1 if base > 1 else 0):
        raise PackingError("has a run longer than the field")
    lengths = np.ones(starts.size, np.int64)
    for place in range(most):
        longer = np.flatnonzero(digits > place)
        digit = numbers[starts[longer] + 1 + place].astype(np.int64) - (highest + 1)
        lengths[longer] += digit * base**place
    total = int(lengths.sum())
    if total != size or lengths.max() > size or lengths.min() < 1:
        raise PackingError(f"unpacks to {total} points where the header states {size}")
    return np.repeat(numbers[starts].astype(kind.newbyteorder("=")), lengths)


def pack(levels: np.ndarray, *, highest: int, bits: int = 8) -> bytes:
    """Packed octets of levels: each run by its level and as few digits as its length needs.

    Args:
        levels: (n,) unsigned integers, none above `highest`.
        highest: V, which is at least the highest level in use and leaves a base of 2 or more.
        bits: of one packed number, 8 or 16.

    Raises:
        PackingError: there is no point, a level is above `highest`, or that leaves no base.
    """
    base = 2**bits - 1 - highest
    if bits not in BITS or base < 2:
        raise PackingError(f"cannot be packed with {bits} bits and levels up to {highest}")
    if levels.size == 0 or int(levels.max()) > highest:
        raise PackingError(f"has no points, or levels above {highest}")
    starts = np.flatnonzero(np.concatenate(([True], levels[1:] != levels[:-1])))
    rest = np.diff(starts, append=levels.size) - 1
    digits = np.zeros(starts.size, np.int64)
    longer, left = np.flatnonzero(rest), rest[rest > 0]
    while longer.size:
        digits[longer] += 1
        left = left // base
        longer, left = longer[left > 0], left[left > 0]
    places = np.cumsum(digits + 1) - digits - 1
    numbers = np.empty(starts.size + int(digits.sum()), BITS[bits])
    numbers[places] = levels[starts]
    for place in range(int(digits.max())):
        longer = np.flatnonzero(digits > place)
        numbers[places[longer] + 1 + place] = rest[longer] // base**place % base + highest + 1
    return numbers.tobytes()
