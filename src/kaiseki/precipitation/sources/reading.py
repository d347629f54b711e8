"""What a file of precipitation must say, and what the user says where it does not: units, period, clock."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from kaiseki.core.errors import ConfigError, InputError
from kaiseki.precipitation.data import RainGrid
from kaiseki.precipitation.sources.reflectivity import ZR

type Measure = Literal["amount", "rate", "reflectivity"]
"""What numbers of a field are: mm over a period, mm h-1, or dBZ."""


@dataclass(frozen=True, kw_only=True)
class Polar:
    """How volumes of one radar become a field on a map.

    Attributes:
        spacing: of the map around the radar, m; used where no grid is given.
        reach: distance from the radar up to which cells are filled, m.
        lowest_beam: least height of the beam's axis above the antenna, m; lower bins are not used.
        highest_beam: largest height of the beam's axis above the antenna, m; beyond, nothing is known.
        method: `nearest` bin, or `average` of the bins in a cell.
        grid: of the field; a square map around the radar by default.
    """

    spacing: float = 1000.0
    reach: float = 150e3
    lowest_beam: float = 0.0
    highest_beam: float = 4000.0
    method: Literal["nearest", "average"] = "average"
    grid: RainGrid | None = None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What files leave unsaid; where a file says it itself, that holds.

    Attributes:
        time_zone: of times without one: `UTC`, `+09:00` or a name as `Asia/Tokyo`.
        time_is: whether a time is the `end` or the `start` of its interval.
        period: length of the intervals; of rates, the time that each stands for. Of several periods in a file, the one
            wanted (one hour by default).
        units: of the numbers: mm, mm h-1, dBZ.
        variable: name of the one wanted among several in a file.
        time: of files that hold none: AMeDAS maps (the time), AMeDAS days (the first time).
        stations: table of AMeDAS stations (amedastable.json), for files that hold none.
        z_r: relation of reflectivity to rain.
        polar: settings for volumes.
    """

    time_zone: str = ""
    time_is: Literal["", "end", "start"] = ""
    period: np.timedelta64 | None = None
    units: str = ""
    variable: str = ""
    time: np.datetime64 | None = None
    stations: Path | None = None
    z_r: ZR = field(default_factory=ZR)
    polar: Polar = field(default_factory=Polar)

    def __post_init__(self) -> None:
        if self.time_zone:
            zone(self.time_zone)
        if self.period is not None and not self.period > np.timedelta64(0, "s"):
            raise ConfigError(f"The period of precipitation must be longer than 0; got {self.period}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Scans:
    """Fields of one file before rates and reflectivities have become amounts.

    Attributes:
        grid: of the fields.
        time: ends of the intervals, or times of the scans, (t,).
        values: (t, ny, nx), NaN outside coverage.
        measure: what the numbers are.
        period: length of the intervals; None where the file does not say.
        quality: (ny, nx), empty where not known.
        source: in words.
    """

    grid: RainGrid
    time: np.ndarray
    values: np.ndarray
    measure: Measure
    period: np.timedelta64 | None
    quality: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    source: str = ""


_UNITS: Final[dict[str, tuple[Measure, float]]] = {
    "mm": ("amount", 1.0),
    "kgm-2": ("amount", 1.0),
    "kg/m2": ("amount", 1.0),
    "kg/m^2": ("amount", 1.0),
    "kgm^-2": ("amount", 1.0),
    "kgm**-2": ("amount", 1.0),
    "millimeter": ("amount", 1.0),
    "millimetre": ("amount", 1.0),
    "m": ("amount", 1000.0),
    "cm": ("amount", 10.0),
    "mm/h": ("rate", 1.0),
    "mmh-1": ("rate", 1.0),
    "mm/hr": ("rate", 1.0),
    "mmhr-1": ("rate", 1.0),
    "mm/hour": ("rate", 1.0),
    "kgm-2s-1": ("rate", 3600.0),
    "kg/m2/s": ("rate", 3600.0),
    "mms-1": ("rate", 3600.0),
    "mm/s": ("rate", 3600.0),
    "ms-1": ("rate", 3.6e6),
    "m/s": ("rate", 3.6e6),
    "dbz": ("reflectivity", 1.0),
}
"""Measure, and factor to mm or mm h-1, of units without spaces in lower case."""


def measure_of(where: str, units: str, reading: Reading) -> tuple[Measure, float]:
    """What the numbers of a file are and the factor to mm, mm h-1 or dBZ, by its units or the user's.

    Raises:
        InputError: there are no units, they are not of precipitation, or the user says otherwise.
    """
    stated = units.strip() or reading.units.strip()
    if not stated:
        raise InputError(f"{where} has no units; state them (mm, mm h-1 or dBZ)")
    found = _UNITS.get(_plain(stated))
    if found is None:
        raise InputError(
            f"{where} has the units {stated!r}, which are not of precipitation; expected mm, mm h-1 or dBZ"
        )
    if units.strip() and reading.units and _UNITS.get(_plain(reading.units)) != found:
        raise InputError(f"{where} has the units {units!r}, but {reading.units!r} were stated; leave them out")
    return found


def _plain(units: str) -> str:
    return re.sub(r"[\s.]+", "", units).lower()


def zone(name: str) -> tzinfo:
    """A time zone of a name or an offset such as +09:00.

    Raises:
        ConfigError: there is none.
    """
    if name.upper() in ("UTC", "Z", "GMT"):
        return UTC
    if found := re.fullmatch(r"([+-])(\d{1,2}):?(\d{2})?", name):
        minutes = 60 * int(found[2]) + int(found[3] or 0)
        return timezone(timedelta(minutes=minutes if found[1] == "+" else -minutes))
    try:
        return ZoneInfo("Asia/Tokyo" if name.upper() == "JST" else name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"There is no time zone {name!r}; give UTC, an offset as +09:00 or a name as Asia/Tokyo"
        ) from (error)


def utc(where: str, text: str, reading: Reading) -> np.datetime64:
    """A time of a text file as UTC.

    Raises:
        InputError: it is no time, or neither it nor the user says in which zone.
    """
    try:
        given = datetime.fromisoformat(text.strip().replace("/", "-"))
    except ValueError as error:
        raise InputError(
            f"{where}: {text!r} is no time; expected YYYY-MM-DD HH:MM[:SS] with or without zone"
        ) from error
    if given.tzinfo is None:
        if not reading.time_zone:
            raise InputError(f"{where}: the time {text!r} has no time zone; state time_zone (UTC, +09:00, Asia/Tokyo)")
        given = given.replace(tzinfo=zone(reading.time_zone))
    return np.datetime64(given.astimezone(UTC).replace(tzinfo=None), "s")


def ends(where: str, time: np.ndarray, period: np.timedelta64, reading: Reading) -> np.ndarray:
    """Ends of intervals from their labels, as the user says what these are.

    Raises:
        InputError: the user does not say.
    """
    if not reading.time_is:
        raise InputError(f"{where} does not say whether its times are ends or starts of intervals; state time_is")
    return time + (period if reading.time_is == "start" else np.timedelta64(0, "s"))


def spacing(where: str, time: np.ndarray, reading: Reading) -> np.timedelta64:
    """Length of the intervals: the user's, else the commonest step of the times.

    Raises:
        InputError: the user does not say and there is one time only, or steps shorter than the commonest.
    """
    if reading.period is not None:
        return reading.period.astype("timedelta64[s]")
    steps = np.diff(np.unique(time)).astype("timedelta64[s]").astype(np.int64)
    if not steps.size:
        raise InputError(f"{where} has one time and does not say over which period; state period")
    lengths, counts = np.unique(steps, return_counts=True)
    common = int(lengths[np.argmax(counts)])
    if common != lengths[0]:
        raise InputError(
            f"{where}: times are {common} s apart for the most part and {lengths[0]} s apart elsewhere; state period"
        )
    return np.timedelta64(common, "s")
