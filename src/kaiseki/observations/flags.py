"""Bits of the column `flags`: why a value is not used, or used with less weight."""

from __future__ import annotations

from enum import IntFlag
from typing import Final

import numpy as np


class Flag(IntFlag):
    """Reason why a value is not used or used with less weight, one bit each; bits keep their place for ever, since
    archives hold them."""

    RANGE = 1 << 0
    """Outside the physical range, or the gross climatological limits of its level."""
    HYDROSTATIC = 1 << 1
    """Heights and temperatures of a sounding disagree."""
    SUPERADIABATIC = 1 << 2
    """Temperature falls with height faster than air can support."""
    WIND_SHEAR = 1 << 3
    """Wind changes between neighbouring levels more than is credible."""
    DUPLICATE = 1 << 4
    """Another report of the same station and time is more complete."""
    POSITION = 1 << 5
    """A ship on land, a station at sea, a place that does not fit the track."""
    BUDDY = 1 << 6
    """Disagrees with its neighbours."""
    BACKGROUND = 1 << 7
    """Too far from the background."""
    THINNED = 1 << 8
    """A nearer or more complete report stands for this one."""
    OUTSIDE_DOMAIN = 1 << 9
    """Outside the domain, its rim or its levels."""
    OUTSIDE_WINDOW = 1 << 10
    """Not in the time window."""
    BLACKLISTED = 1 << 11
    """Named in a list of stations that are not to be used."""
    MONITORED = 1 << 12
    """Compared, not assimilated: this quantity of this kind is not used, or only verifies."""
    SOURCE_MARK = 1 << 13
    """The source's own quality mark rejects it."""
    NO_EQUIVALENT = 1 << 14
    """The model has no equivalent: below ground, heights too different, too cold for humidity."""
    NO_ERROR = 1 << 15
    """The error table has no value for it."""
    DOWNWEIGHTED = 1 << 16
    """Variational quality control gave it less than half of its weight; not a rejection."""
    SUSPECT = 1 << 17
    """A check found it doubtful without being sure; not a rejection."""


REJECTING: Final[Flag] = Flag(sum(int(flag) for flag in Flag) & ~int(Flag.DOWNWEIGHTED | Flag.SUSPECT))
"""Bits with which a value is not assimilated."""

WRONG: Final[Flag] = (
    Flag.RANGE
    | Flag.HYDROSTATIC
    | Flag.SUPERADIABATIC
    | Flag.WIND_SHEAR
    | Flag.DUPLICATE
    | Flag.POSITION
    | Flag.BUDDY
    | Flag.BLACKLISTED
    | Flag.SOURCE_MARK
)
"""Bits that say that the value itself is not to be trusted, for verification too."""


def usable(flags: np.ndarray) -> np.ndarray:
    """Mask (n,) of the rows without a rejecting bit; `flags` uint32 (n,)."""
    return (flags & np.uint32(REJECTING)) == 0


def trusted(flags: np.ndarray) -> np.ndarray:
    """Mask (n,) of the rows whose value no check doubts (`WRONG`), whether assimilated or not: for verification."""
    return (flags & np.uint32(WRONG)) == 0


def names(flags: int) -> list[str]:
    """The reasons in a bit mask as words, lower case."""
    return [flag.name.lower() for flag in Flag if flag & int(flags) and flag.name]
