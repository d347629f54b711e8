"""AMeDAS, the gauges of the Japan Meteorological Agency: hourly tables in NetCDF, maps and days of JSON.

Amounts are multiples of 0.5 mm. The quality of a value is JMA's: 0 normal and 1 nearly normal in maps and BUFR, 8 and 5
in tables of past days; whatever has another one is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.formats.cf_time import decode_times
from kaiseki.formats.netcdf import find, opened
from kaiseki.precipitation.data import HOUR, Gauges
from kaiseki.precipitation.sources.reading import Reading

RESOLUTION: Final = 0.5
"""Content of a tipping bucket of AMeDAS, mm."""
GOOD: Final = (0, 1)
"""Quality in maps and BUFR with which a value counts: normal, nearly normal."""
_GOOD_TABLE: Final = (5.0, 8.0)
_HOURLY: Final = ("rain_1h", "precipitation1h")
_TEN_MINUTES: Final = np.timedelta64(600, "s")
_PERIODS: Final = {_TEN_MINUTES: "precipitation10m", HOUR: "precipitation1h"}
_STEPS_OF_DAY: Final = 144


def is_table(path: Path) -> bool:
    """Whether a NetCDF file is an hourly table of AMeDAS."""
    with opened(path) as dataset:
        return "station_id" in dataset.variables and find(dataset, _HOURLY) is not None


def read_table(path: Path, reading: Reading) -> Gauges:
    """Hourly rain of a NetCDF table of AMeDAS; times are ends of hours, UTC.

    Values without good quality and those of hours marked stale (the hour before published again) are NaN.

    Raises:
        InputError: the file is damaged, or a period other than one hour is wanted.
    """
    _check_period(path, reading, (HOUR,))
    with opened(path) as dataset:
        name = find(dataset, _HOURLY)
        if name is None:
            raise InputError(f"{path}: has none of {', '.join(_HOURLY)}")
        if str(dataset[name].attrs.get("units")) != "mm":
            raise InputError(f"{path}: {name} has the units {dataset[name].attrs.get('units')!r}; expected mm")
        amount = np.array(dataset[name].transpose("time", "station").values, float)
        if f"{name}_qc" in dataset.variables:
            amount[~np.isin(dataset[f"{name}_qc"].transpose("time", "station").values, _GOOD_TABLE)] = np.nan
        if "stale" in dataset.variables:
            amount[dataset["stale"].values == 1] = np.nan
        clock = dataset["time"]
        time = decode_times(f"{path}: time", clock.values, str(clock.attrs.get("units", "")))
        return _gauges(
            path,
            [str(one) for one in dataset["station_id"].values],
            np.array([dataset[one].values for one in ("lat", "lon", "alt")], float),
            (time, HOUR),
            amount,
        )


def read_json(path: Path, content: bytes, reading: Reading) -> Gauges:
    """A map of AMeDAS (all elements at one time), or a day of running hourly sums every ten minutes.

    Neither holds its time or the places of the stations: `reading.time` (UTC) and `reading.stations` say them.

    Raises:
        InputError: the file is damaged or neither of the two, or time or stations are not stated.
    """
    document = _json(path, content)
    if reading.time is None:
        raise InputError(f"{path}: JSON of AMeDAS does not hold its time; state time, in UTC")
    if reading.stations is None:
        raise InputError(f"{path}: JSON of AMeDAS does not hold the places of its stations; state stations")
    start = reading.time.astype("datetime64[s]")
    sample = next(iter(document.values()))
    if isinstance(sample, list):
        _check_period(path, reading, (HOUR,))
        amounts = {key: _day(path, key, values) for key, values in document.items()}
        time, period = start + _TEN_MINUTES * np.arange(_STEPS_OF_DAY), HOUR
    elif isinstance(sample, dict):
        period = _check_period(path, reading, tuple(_PERIODS))
        element = _PERIODS[period]
        amounts = {key: _value(path, key, one[element]) for key, one in document.items() if element in one}
        time = np.array([start])
    else:
        raise InputError(f"{path}: is JSON, but neither a map of AMeDAS nor a day of its sums")
    if not amounts:
        raise InputError(f"{path}: no station has {_PERIODS[period]}")
    table = stations(reading.stations)
    known = [key for key in amounts if key in table]
    if not known:
        raise InputError(f"{path}: none of its {len(amounts)} stations is in {reading.stations}")
    places = np.array([table[key] for key in known]).T
    return _gauges(path, known, places, (time, period), np.array([amounts[key] for key in known], float).T)


def stations(path: Path) -> dict[str, tuple[float, float, float]]:
    """Latitude, longitude (degrees) and height (m) of the stations of an amedastable.json.

    Raises:
        InputError: it is damaged, or not such a table.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: the table of stations cannot be read ({error.strerror})") from error
    found = {}
    for key, one in _json(path, content).items():
        try:
            lat, lon = (float(one[name][0]) + float(one[name][1]) / 60.0 for name in ("lat", "lon"))
            found[key] = (lat, lon, float(one["alt"]))
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise InputError(f"{path}: the station {key} has no lat, lon and alt as AMeDAS tables have them") from error
    return found


def _check_period(path: Path, reading: Reading, known: tuple[np.timedelta64, ...]) -> np.timedelta64:
    period = HOUR if reading.period is None else reading.period.astype("timedelta64[s]")
    if period not in known:
        raise InputError(f"{path}: holds sums over {', '.join(map(str, known))}; {period} are wanted")
    if reading.time_is == "start":
        raise InputError(f"{path}: times of AMeDAS are the ends of intervals; leave out time_is")
    return period


def _json(path: Path, content: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(content)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: is no complete JSON ({error}); it is damaged or truncated") from error
    if not isinstance(document, dict) or not document:
        raise InputError(f"{path}: is JSON without stations of AMeDAS")
    return document


def _value(path: Path, key: str, pair: Any) -> list[float]:
    """One amount of a map with its quality."""
    try:
        amount, quality = pair
        return [float(amount)] if quality in GOOD and amount is not None else [np.nan]
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: the station {key} has {pair!r}; expected an amount and its quality") from error


def _day(path: Path, key: str, values: Any) -> list[float]:
    if not isinstance(values, list) or len(values) != _STEPS_OF_DAY:
        count = len(values) if isinstance(values, list) else "no"
        raise InputError(f"{path}: the station {key} has {count} values; a day has {_STEPS_OF_DAY} of ten minutes")
    try:
        return [np.nan if one is None else float(one) for one in values]
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: the station {key} has values that are no numbers") from error


def _gauges(
    path: Path,
    names: list[str],
    places: np.ndarray,
    clock: tuple[np.ndarray, np.timedelta64],
    amount: np.ndarray,
) -> Gauges:
    if np.nanmin(amount, initial=0.0) < 0.0:
        raise InputError(f"{path}: amounts are negative down to {np.nanmin(amount):g} mm; the file is damaged")
    return Gauges(
        station=np.array(names),
        lat=places[0],
        lon=places[1],
        time=clock[0],
        amount=amount,
        period=clock[1],
        height=places[2],
        resolution=np.full(len(names), RESOLUTION),
        source="AMeDAS, Japan Meteorological Agency",
    )
