"""Rain gauges in text: one line a value, columns by the names of a header, UTF-8 or Shift-JIS."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.precipitation.data import Gauges
from kaiseki.precipitation.sources.reading import Reading, ends, measure_of, spacing, utc

COLUMNS: Final = {
    "station": ("station", "station_id", "id", "観測所番号", "地点番号"),
    "lat": ("latitude", "lat", "緯度"),
    "lon": ("longitude", "lon", "経度"),
    "time": ("time", "datetime", "date_time", "日時", "年月日時"),
    "amount": (
        "amount",
        "rainfall_amount",
        "rain",
        "precipitation",
        "amount_mm",
        "rain_mm",
        "precipitation_mm",
        "rainfall_mm",
        "降水量",
        "降水量(mm)",
    ),
    "height": ("height", "elevation", "altitude", "標高"),
    "resolution": ("resolution", "quantization"),
}
"""Names of the columns that are read; the last two may be lacking, others are passed over."""
_OPTIONAL: Final = ("height", "resolution")
_MISSING: Final = ("", "nan", "na", "null", "-", "--", "///", "×", "-999", "-9999", "-999.0", "-9999.0")
_MOST: Final = 1440 * 400_000
"""Values of a table of stations and times beyond which a file cannot be meant."""


def is_text(head: bytes) -> bool:
    """Whether a file begins as text does, with a separator in its first line."""
    line = head.splitlines()[0] if head.splitlines() else b""
    return b"\0" not in head and any(one in line for one in (b",", b";", b"\t"))


def read(path: Path, content: bytes, reading: Reading) -> Gauges:
    """Gauges of a file of text.

    Columns are separated by comma, semicolon or tabulator; see `COLUMNS` for their names.

    Raises:
        InputError: a column lacks, a line cannot be read (its number is told), or units, period or time zone are not
            said.
    """
    lines = list(csv.reader(io.StringIO(_decoded(path, content), newline=""), delimiter=_separator(content)))
    if len(lines) < 2:
        raise InputError(f"{path}: has a header and no line of values")
    place, units = _columns(path, lines[0])
    measure, factor = measure_of(f"{path}: {lines[0][place['amount']]}", units, reading)
    if measure == "reflectivity":
        raise InputError(f"{path}: gauges measure rain, not dBZ")
    stations: dict[str, tuple[int, list[float]]] = {}
    clocks: dict[str, np.datetime64] = {}
    rows: list[tuple[np.datetime64, int, float, int]] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line or not any(line):
            continue
        where = f"{path}, line {number}"
        if len(line) <= max(place.values()):
            raise InputError(
                f"{where}: has {len(line)} columns, expected {len(lines[0])}; the file is damaged or cut off"
            )
        clock = line[place["time"]]
        if clock not in clocks:
            clocks[clock] = utc(where, clock, reading)
        numbers = [_number(where, line, place, key) for key in ("lat", "lon", *_OPTIONAL)]
        if not np.isfinite(numbers[:2]).all():
            raise InputError(f"{where}: the station has no latitude or longitude")
        index, there = stations.setdefault(line[place["station"]].strip(), (len(stations), numbers))
        if np.abs(np.subtract(there[:2], numbers[:2])).max() > 1e-4:
            raise InputError(f"{where}: the station {line[place['station']]} has moved; give it a name for each place")
        amount = _number(where, line, place, "amount") * factor
        if amount < 0.0:
            raise InputError(f"{where}: the amount {line[place['amount']]} is negative; leave it empty where unknown")
        rows.append((clocks[clock], index, amount, number))
    if not rows:
        raise InputError(f"{path}: has a header and no line of values")
    time, period, table = _table(path, rows, len(stations), reading)
    if measure == "rate":
        table = table * (period / np.timedelta64(3600, "s"))
    columns = np.array([numbers for _, numbers in stations.values()]).T
    return Gauges(
        station=np.array(list(stations)),
        lat=columns[0],
        lon=columns[1],
        time=time,
        amount=table,
        period=period,
        height=columns[2],
        resolution=columns[3],
        source=path.name,
    )


def _table(
    path: Path, rows: list[tuple[np.datetime64, int, float, int]], count: int, reading: Reading
) -> tuple[np.ndarray, np.timedelta64, np.ndarray]:
    stamps = np.array([row[0] for row in rows], "datetime64[s]")
    time, at = np.unique(stamps, return_inverse=True)
    period = spacing(str(path), time, reading)
    if time.size * count > _MOST:
        raise InputError(f"{path}: {count} stations at {time.size} times; a column is not what it is named")
    table = np.full((time.size, count), np.nan)
    seen = np.zeros(table.shape, bool)
    for row, (_, index, amount, number) in zip(at, rows, strict=True):
        if seen[row, index]:
            raise InputError(f"{path}, line {number}: a second value of the same station and time")
        seen[row, index] = True
        table[row, index] = amount
    return ends(str(path), time, period, reading), period, table


def _decoded(path: Path, content: bytes) -> str:
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"{path}: is text neither in UTF-8 nor in Shift-JIS; convert it to UTF-8")


def _separator(content: bytes) -> str:
    line = content.splitlines()[0]
    return max(",;\t", key=lambda one: line.count(one.encode()))


def _columns(path: Path, header: list[str]) -> tuple[dict[str, int], str]:
    """Place of every column, and the units if the name of the amount has them."""
    plain = [name.strip().lower() for name in header]
    place = {}
    for key, aliases in COLUMNS.items():
        found = [number for number, name in enumerate(plain) if name in aliases]
        if len(found) > 1 or (not found and key not in _OPTIONAL):
            what = "several columns" if found else "no column"
            raise InputError(f"{path}: has {what} named {' or '.join(aliases[:3])}; its header is {', '.join(header)}")
        if found:
            place[key] = found[0]
    name = plain[place["amount"]]
    return place, "mm" if "mm" in name or name == "rainfall_amount" else ""


def _number(where: str, line: list[str], place: dict[str, int], key: str) -> float:
    if key not in place:
        return np.nan
    text = line[place[key]].strip()
    if text.lower() in _MISSING:
        return np.nan
    try:
        value = float(text)
    except ValueError as error:
        raise InputError(f"{where}: {key} is {text!r}; expected a number") from error
    if np.isinf(value):
        raise InputError(f"{where}: {key} is infinite; leave it empty where unknown")
    return value
