"""Rain gauges in BUFR: SYNOP through ecCodes, and JMA's AMeDAS messages, whose local elements ecCodes does not know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from kaiseki.core.errors import InputError, KaisekiError
from kaiseki.precipitation.data import HOUR, Gauges
from kaiseki.precipitation.sources import amedas_bufr
from kaiseki.precipitation.sources.reading import Reading

type _Value = tuple[str, float, float, float, np.datetime64, float]
"""Station, latitude, longitude, height, end of the interval, amount."""

_SECONDS: Final = {4024: 3600, 4025: 60}
"""Length of the units of the elements `time period`."""
_LEAST: Final = -0.05
"""Amount that stands for a trace, which counts as dryness; SYNOP has -0.1 mm for it."""


def read(path: Path, content: bytes, reading: Reading) -> Gauges:
    """Gauges of all BUFR messages of a file, over the period wanted (one hour by default).

    SYNOP holds each amount with its period, in hours or minutes, which ends at the time of the report. A station that
    sends a report twice counts once; two different amounts are refused.

    Raises:
        InputError: a message is truncated, cannot be unpacked, or none has amounts over the period.
        KaisekiError: ecCodes is not installed.
    """
    if reading.time_is == "start":
        raise InputError(f"{path}: amounts of BUFR reports end at the time of the report; leave out time_is")
    period = HOUR if reading.period is None else reading.period.astype("timedelta64[s]")
    values: list[_Value] = []
    periods: set[int] = set()
    for number, message in enumerate(_messages(path, content), start=1):
        where = f"{path}, message {number}"
        if amedas_bufr.is_amedas(message):
            values += amedas_bufr.values(where, message, period)
            periods |= {int(one / np.timedelta64(1, "s")) for one in amedas_bufr.PLACES}
        else:
            values += _synop(where, message, int(period / np.timedelta64(1, "s")), periods)
    if not values:
        held = ", ".join(f"{one / 3600:g} h" for one in sorted(periods)) or "no period"
        raise InputError(f"{path}: no report has an amount over {period}; there are amounts over {held}")
    return _together(path, values, period)


def _messages(path: Path, content: bytes) -> Iterator[bytes]:
    start = content.find(b"BUFR")
    while start >= 0:
        length = int.from_bytes(content[start + 4 : start + 7], "big")
        message = content[start : start + length]
        if length < 32 or message[-4:] != b"7777":
            raise InputError(f"{path}: the BUFR message at octet {start} does not end with 7777; the file is truncated")
        yield message
        start = content.find(b"BUFR", start + length)


def _synop(where: str, message: bytes, wanted: int, periods: set[int]) -> Iterator[_Value]:
    try:
        import eccodes
    except ImportError as error:
        raise KaisekiError(f"{where}: cannot be read without ecCodes; install kaiseki[formats]") from error
    handle = eccodes.codes_new_from_message(message)
    try:
        eccodes.codes_set(handle, "unpack", 1)
        count = eccodes.codes_get(handle, "numberOfSubsets")
        for subset in range(1, count + 1):
            if count == 1:
                yield from _report(eccodes, handle, wanted, periods)
                return
            eccodes.codes_set(handle, "extractSubset", subset)
            eccodes.codes_set(handle, "doExtractSubsets", 1)
            one = eccodes.codes_clone(handle)
            try:
                eccodes.codes_set(one, "unpack", 1)
                yield from _report(eccodes, one, wanted, periods)
            finally:
                eccodes.codes_release(one)
    except eccodes.CodesInternalError as error:
        raise InputError(f"{where}: ecCodes cannot unpack it ({error}); it is damaged or has local elements") from error
    finally:
        eccodes.codes_release(handle)


def _report(eccodes: Any, handle: Any, wanted: int, periods: set[int]) -> Iterator[_Value]:
    """Amount of one report over the period wanted; every amount goes with the period before it."""
    values: dict[str, Any] = {}
    length: int | None = None
    amount: float | None = None
    iterator = eccodes.codes_bufr_keys_iterator_new(handle)
    try:
        while eccodes.codes_bufr_keys_iterator_next(iterator):
            key = eccodes.codes_bufr_keys_iterator_get_name(iterator)
            name = key.rpartition("#")[2]
            if name in _PLACE:
                values.setdefault(name, eccodes.codes_get(handle, key))
            elif name == "timePeriod":
                given = eccodes.codes_get(handle, key)
                unit = _SECONDS.get(int(eccodes.codes_get(handle, f"{key}->code")))
                length = None if unit is None or given == eccodes.CODES_MISSING_LONG else -int(given) * unit
            elif name in ("totalPrecipitationOrTotalWaterEquivalent", "totalPrecipitationPast24Hours"):
                over = 86400 if name.endswith("Hours") else length
                given = eccodes.codes_get(handle, key)
                if over is None or given == eccodes.CODES_MISSING_DOUBLE:
                    continue
                periods.add(over)
                if over == wanted:
                    amount = given
    finally:
        eccodes.codes_bufr_keys_iterator_delete(iterator)
    if amount is None or amount < -0.15:
        return
    place = [values.get(name, eccodes.CODES_MISSING_DOUBLE) for name in ("latitude", "longitude")]
    if eccodes.CODES_MISSING_DOUBLE in place:
        return
    height = values.get("heightOfStationGroundAboveMeanSeaLevel", eccodes.CODES_MISSING_DOUBLE)
    year, month, day, hour, minute = (
        int(values.get(name, 0 if name == "minute" else -1)) for name in ("year", "month", "day", "hour", "minute")
    )
    try:
        time = np.datetime64(f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:00", "s")
    except ValueError:
        return
    yield (
        _station(eccodes, values),
        place[0],
        place[1],
        np.nan if height == eccodes.CODES_MISSING_DOUBLE else height,
        time,
        max(amount, 0.0) if amount > _LEAST else 0.0,
    )


_PLACE: Final = (
    "latitude",
    "longitude",
    "heightOfStationGroundAboveMeanSeaLevel",
    "blockNumber",
    "stationNumber",
    "wigosLocalIdentifierCharacter",
    "stationOrSiteName",
    "year",
    "month",
    "day",
    "hour",
    "minute",
)


def _station(eccodes: Any, values: dict[str, Any]) -> str:
    block, number = (values.get(name, eccodes.CODES_MISSING_LONG) for name in ("blockNumber", "stationNumber"))
    if eccodes.CODES_MISSING_LONG not in (block, number):
        return f"{block:02d}{number:03d}"
    named = str(values.get("wigosLocalIdentifierCharacter") or values.get("stationOrSiteName") or "").strip()
    return named or f"{values['latitude']:.3f} {values['longitude']:.3f}"


def _together(path: Path, values: list[_Value], period: np.timedelta64) -> Gauges:
    names = list(dict.fromkeys(one[0] for one in values))
    place = {name: number for number, name in enumerate(names)}
    time = np.unique(np.array([one[4] for one in values], "datetime64[s]"))
    amount = np.full((time.size, len(names)), np.nan)
    where = np.full((3, len(names)), np.nan)
    for name, lat, lon, height, when, value in values:
        row, column = int(np.searchsorted(time, when)), place[name]
        if abs(amount[row, column] - value) > 1e-6:
            raise InputError(
                f"{path}: the station {name} reports {amount[row, column]:g} and {value:g} mm for {when}; leave out "
                "the report that is superseded"
            )
        amount[row, column] = value if np.isfinite(value) else amount[row, column]
        where[:, column] = lat, lon, height
    return Gauges(
        station=np.array(names),
        lat=where[0],
        lon=where[1],
        time=time,
        amount=amount,
        period=period,
        height=where[2],
        source=f"BUFR reports of {path.name}",
    )
