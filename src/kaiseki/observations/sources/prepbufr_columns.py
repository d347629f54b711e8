"""Columns of the observation table from decoded PREPBUFR reports, in SI units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kaiseki.formats.prepbufr import Reports
from kaiseki.observations.sources.prepbufr_kinds import FIRST_ASCENT, FLIGHTS, kinds
from kaiseki.observations.sources.prepbufr_levels import ROOT, ReportLevels, Value, levels, sea_level_pressure

Arrays = dict[str, NDArray[np.generic]]
Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]

SURFACE = 0
"""Level category (CAT) of the surface level."""
INTERPOLATED = 7
"""Level category (CAT) of levels that NCEP interpolated between those observed (PREPBUFR documentation, table 1)."""
NO_MARK = -1
"""Quality mark where the file gives none."""
ZERO_CELSIUS = 273.15
PA_PER_MB = 100.0
KG_KG_PER_MG_KG = 1e-6
SECONDS_PER_HOUR = 3600
WITH_OWN_ELEVATION = ("sonde", "pilot", "synop", "ship", "buoy", "paob")
"""Kinds whose ELV is the height of a station; for the others it is the height of the observation."""
WITH_PRESSURE = ("sonde", "synop", "ship", "buoy", "paob")
FIRST_WIND_TYPE = 200
"""First report type that holds wind: types 1xx hold mass, 2xx hold wind and only repeat the pressure."""
IDENTITY = ("SID", "DHR", "XOB", "YOB")
"""Header values that are the same in both reports, mass and wind, of one observation."""
SEQUENCE_BITS = 19
SPARE_BITS = 4
BY_ORDER = np.int64(1) << 62
"""Bit of the report numbers that are made of the order in the file instead of the sequence number."""
PAIR = {183: 84, **{code: 70 + code % 100 for code in FLIGHTS}}
"""Types whose pair is not their last two digits: 183 belongs to the wind 284; aircraft profiles to nothing else."""
SAME_SECONDS = 4
"""Bound of the difference between the times of one observation in its two forms [s]: the coarser is given to 0.001
h."""


def times(cycle: np.ndarray, hours: Floats) -> np.ndarray:
    """Instants `hours` after `cycle`, to the second."""
    return cycle + np.rint(hours * SECONDS_PER_HOUR).astype("timedelta64[s]")


def westward(longitude: Floats) -> Floats:
    """Longitudes from -180 up to, not including, 180 degrees."""
    return np.round((longitude + 180.0) % 360.0 - 180.0, 6)


def inside(longitude: Floats, latitude: Floats, box: Box | None) -> NDArray[np.bool_]:
    """Which places lie in the box (west, south, east, north)."""
    if box is None:
        return np.ones(longitude.shape, dtype=bool)
    west, south, east, north = box
    breadth = 360.0 if east - west >= 360 else (east - west) % 360.0
    # Rounded as the places of the files are, to hundredths of a degree and finer, so that the edges are in the box.
    eastward = np.round((longitude - west) % 360.0, 6) % 360.0
    return (eastward <= breadth) & (latitude >= south) & (latitude <= north)


def joined(parts: list[Arrays]) -> Arrays:
    """The rows of all parts (at least one), by report, level and quantity as they come."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class Part:
    """What the reports of one message type give.

    Attributes:
        rows: columns of the observation table.
        not_read: number of reports whose types are not read.
        silent: by report type that is read, how many reports give no value, of how many; only where some do not.
        not_observed: number of levels left out since NCEP added them to an observed profile.
    """

    rows: Arrays
    not_read: int
    silent: dict[int, tuple[int, int]]
    not_observed: int


def columns(reports: Reports, apart: NDArray[np.bool_], virtual_code: int | None, drift: bool) -> Part:
    """Columns of the observation table.

    Args:
        reports: decoded reports of one message type.
        apart: (reports,) which have no sequence number of their own.
        virtual_code: program code of events that are virtual temperatures, None if there is none.
        drift: whether levels of sondes get their own time and place; those of aircraft always do.
    """
    head = reports.nodes[ROOT].columns
    station = np.char.decode(np.asarray(head["SID"], dtype="S"), "latin-1").astype(str)
    report_type = _integers(_floats(head, "TYP"), NO_MARK)
    kind = kinds(reports.type, report_type, _floats(head, "T29"), station)
    by_level = levels(reports, virtual_code)
    added = _added(by_level, report_type)
    if added.any():
        by_level = by_level.take(~added)
    mass = report_type < FIRST_WIND_TYPE
    everywhere = np.arange(by_level.report.size)
    surface = by_level.category == SURFACE
    at = by_level.report
    pressure = by_level.values["pressure"]
    values = by_level.values
    temperature_si = (1.0, ZERO_CELSIUS)
    profile = (kind[at] == "sonde") & mass[at]
    station_pressure = surface & mass[at] & np.isin(kind[at], WITH_PRESSURE)
    pieces = [
        _Piece("air_temperature", values["temperature"], everywhere, temperature_si),
        _Piece("virtual_temperature", by_level.virtual, everywhere, temperature_si),
        _Piece("specific_humidity", values["humidity"], everywhere, (KG_KG_PER_MG_KG, 0.0)),
        _Piece("eastward_wind", values["eastward"], everywhere, (1.0, 0.0)),
        _Piece("northward_wind", values["northward"], everywhere, (1.0, 0.0)),
        _Piece("geopotential_height", values["height"], np.flatnonzero(profile & ~surface), (1.0, 0.0)),
        _Piece("surface_pressure", pressure, np.flatnonzero(station_pressure), (PA_PER_MB, 0.0)),
    ]
    place = _places(reports, by_level, (kind == "aircraft") | drift)
    number = report_numbers(reports, report_type, apart)
    place["level"] = _profile_levels(number[at], by_level)
    place["pressure"] = pressure.value * PA_PER_MB
    place["height"] = np.where(np.isnan(values["height"].value) & surface, place["elevation"], values["height"].value)
    parts = [piece.rows(place) for piece in pieces]
    parts.append(_sea_level_part(reports, place, by_level))
    rows = joined(parts)
    own = rows.pop("own")
    rows |= {
        "report": number[own],
        "station": station[own],
        "kind": kind[own],
        "report_type": report_type[own].astype(np.int32),
        "station_elevation": np.where(np.isin(kind, WITH_OWN_ELEVATION), _floats(head, "ELV"), np.nan)[own],
    }
    known = (kind != "")[own]
    order = np.flatnonzero(known)
    order = order[np.lexsort((order, rows["level"][order], rows["report"][order]))]
    read = kind != ""
    without_value = read.copy()
    without_value[own] = False
    silent = {
        int(code): (int((without_value & (report_type == code)).sum()), int((read & (report_type == code)).sum()))
        for code in np.unique(report_type[without_value])
    }
    rows = {name: column[order] for name, column in rows.items()}
    return Part(rows, int((~read).sum()), silent, int(added.sum()))


def _added(by_level: ReportLevels, report_type: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Levels that were not observed, or not by this platform.

    NCEP interpolates to mandatory levels, and puts the report of a surface station below ascents and descents of
    aircraft (program PREPOBS_PREPACPF); the station's own report has it already.
    """
    of_flight = np.isin(report_type, FLIGHTS) & (report_type >= FIRST_ASCENT)
    below = (by_level.category == SURFACE) & of_flight[by_level.report]
    return below | (by_level.category == INTERPOLATED)


def repeated_flights(rows: Arrays) -> NDArray[np.bool_]:
    """Mask (n,) of the rows of aircraft reports of one level whose value stands in an aircraft profile as well.

    NCEP gives the same flights twice: in PREPBUFR level by level, mass and wind apart (1xx, 2xx), and as profiles (3xx
    to 5xx). An observation is the same when quantity, place to 0.01 degree, pressure to 0.1 hPa and time to
    `SAME_SECONDS` are. The identifier is not asked: it may be the flight's in one form and the aircraft's in the other.
    """
    aircraft = np.flatnonzero(rows["kind"] == "aircraft")
    profile = np.isin(rows["report_type"][aircraft], FLIGHTS)
    found = np.zeros(rows["kind"].size, dtype=bool)
    if profile.all() or not profile.any():
        return found
    _, quantity = np.unique(rows["quantity"][aircraft], return_inverse=True)
    scales = (("longitude", 100.0), ("latitude", 100.0), ("pressure", 0.1))
    where_is = [np.rint(np.asarray(rows[name][aircraft], dtype=float) * scale) for name, scale in scales]
    keys = np.stack([quantity, *where_is], axis=1)
    _, where = np.unique(keys, axis=0, return_inverse=True)
    seconds = rows["time"][aircraft].astype(np.int64)
    seconds -= seconds.min()
    # Times behind one another, place after place, with gaps wider than what counts as the same.
    along = where.reshape(-1) * (seconds.max() + 2 * SAME_SECONDS + 1) + seconds
    known, single = np.sort(along[profile]), along[~profile]
    next_one = np.minimum(np.searchsorted(known, single - SAME_SECONDS), known.size - 1)
    found[aircraft[~profile]] = np.abs(known[next_one] - single) <= SAME_SECONDS
    return found


class _Piece:
    """One quantity: where it is taken and how it becomes SI."""

    def __init__(self, quantity: str, value: Value, at: NDArray[np.int64], si: tuple[float, float]) -> None:
        self.quantity, self.value, self.at, self.si = quantity, value, at, si

    def rows(self, place: Arrays) -> Arrays:
        """Rows of the table where there is a value; `own` is the row of the report."""
        at = self.at[np.isfinite(self.value.value[self.at])]
        factor, offset = self.si
        names = ("own", "time", "longitude", "latitude", "pressure", "height", "level")
        return {name: place[name][at] for name in names} | {
            "quantity": np.full(at.size, self.quantity, dtype="U24"),
            "value": self.value.value[at] * factor + offset,
            "quality_mark": _integers(self.value.mark[at], NO_MARK).astype(np.int32),
        }


def _sea_level_part(reports: Reports, place: Arrays, by_level: ReportLevels) -> Arrays:
    """Mean sea-level pressure, one per report, at height 0 and at no pressure level."""
    found = sea_level_pressure(reports)
    first = np.full(len(reports), -1)
    first[by_level.report[::-1]] = np.arange(by_level.report.size)[::-1]
    having = np.flatnonzero(np.isfinite(found.value) & (first >= 0))
    per_report = {name: values[first[having]] for name, values in place.items() if name != "elevation"}
    per_report |= {"pressure": np.full(having.size, np.nan), "height": np.zeros(having.size)}
    per_report["level"] = np.zeros(having.size, np.int32)
    value = Value(found.value[having], found.mark[having])
    return _Piece("mean_sea_level_pressure", value, np.arange(having.size), (PA_PER_MB, 0.0)).rows(per_report)


def _places(reports: Reports, by_level: ReportLevels, drift: NDArray[np.bool_]) -> Arrays:
    """Time and place of each level: its own where the file has it and the report is in `drift`, or the report's."""
    head, at = reports.nodes[ROOT].columns, by_level.report

    def of_level(own: Floats, of_report: str) -> Floats:
        return np.where(drift[at] & np.isfinite(own), own, _floats(head, of_report)[at])

    return {
        "own": at,
        "time": times(reports.cycle[at], of_level(by_level.hours, "DHR")),
        "longitude": westward(of_level(by_level.longitude, "XOB")),
        "latitude": of_level(by_level.latitude, "YOB"),
        "elevation": _floats(head, "ELV")[at],
    }


def report_numbers(reports: Reports, report_type: NDArray[np.int64], apart: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Numbers (reports,) that the mass and wind part of one ascent or station and time share.

    NCEP gives both the same sequence number SQN (unique within message type and process). The number is made of cycle,
    category, process, pair of types and SQN, so that it does not depend on which part of a file was read. Reports
    `apart` have none: their number is made of their place in the file, and a mass report shares it with the wind report
    of the same station, time and place.
    """
    head = reports.nodes[ROOT].columns
    number = _series(head, reports.cycle, reports.category, report_type)
    by_sequence = np.nan_to_num(_floats(head, "SQN")).astype(np.int64) & ((1 << SEQUENCE_BITS) - 1)
    if not apart.any():
        return (number << (SEQUENCE_BITS + SPARE_BITS)) | (by_sequence << SPARE_BITS)
    by_order = reports.ordinal.copy()
    by_order[apart] = _first_of_pair(head, number, report_type, reports.ordinal, np.flatnonzero(apart))
    number <<= SEQUENCE_BITS + SPARE_BITS
    return np.where(apart, (number | by_order) ^ BY_ORDER, number | (by_sequence << SPARE_BITS))


def without_sequence_number(head: Arrays, cycle: np.ndarray) -> NDArray[np.bool_]:
    """Mask (reports,) of those which have no SQN, or one that reports of another station, time or place have too.

    Args:
        head: header values of all reports of one message type.
        cycle: (reports,) cycle times.
    """
    number, given = _in_sequence(head, cycle)
    order = np.argsort(number, kind="stable")
    order = order[given[order]]
    after, before = order[1:], order[:-1]
    same = number[after] == number[before]
    differ = np.zeros(same.shape, dtype=bool)
    for name in IDENTITY:
        one, other = head[name][after], head[name][before]
        differ |= (one != other) & ((one == one) | (other == other))
    return ~given | np.isin(number, number[after[same & differ]])


def of_earlier_parts(
    head: Arrays, cycle: np.ndarray, earlier: list[tuple[Arrays, np.ndarray]]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks (reports,) of those which stand in an earlier part of the file too, and of those which share only the
    sequence number with one.

    Args:
        head, cycle: header values and cycle times of all reports of a message type in one part of a file.
        earlier: the same of the parts before.
    """

    def keys(head: Arrays, cycle: np.ndarray) -> tuple[list[tuple], list[tuple]]:
        number, given = _in_sequence(head, cycle)
        columns = [number, given, *(head[name] for name in IDENTITY)]
        whole = list(zip(*(c.tolist() for c in columns), head["TYP"].tolist(), strict=True))
        return [key[:-1] for key in whole], whole

    known_places: set[tuple] = set()
    known: set[tuple] = set()
    for part in earlier:
        places, whole = keys(*part)
        known_places.update(places)
        known.update(whole)
    numbers = {place[0] for place in known_places if place[1]}
    places, whole = keys(head, cycle)
    repeated = [key[1] and key in known for key in whole]
    shared = [place[1] and place[0] in numbers and place not in known_places for place in places]
    return np.array(repeated, dtype=bool), np.array(shared, dtype=bool)


def _in_sequence(head: Arrays, cycle: np.ndarray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Numbers (reports,) made of the series and SQN, and whether there is one."""
    sequence = _floats(head, "SQN")
    given = np.isfinite(sequence)
    series = _series(head, cycle, 0, _integers(_floats(head, "TYP"), NO_MARK))
    return (series << SEQUENCE_BITS) | np.where(given, sequence, 0.0).astype(np.int64), given


def _series(head: Arrays, cycle: np.ndarray, category: int, report_type: NDArray[np.int64]) -> NDArray[np.int64]:
    """Series (reports,) within which sequence numbers are unique: cycle, category, process, and pair of types."""
    codes, at = np.unique(report_type, return_inverse=True)
    pair = np.array([PAIR.get(int(code), int(code) % 100) for code in codes], dtype=np.int64)[at.reshape(-1)]
    number = cycle.astype("datetime64[h]").astype(np.int64)
    for part, bits in ((category, 5), (_integers(_floats(head, "PROCN"), 0), 7), (pair, 7)):
        number = (number << bits) | (part & ((1 << bits) - 1))
    return number


def _first_of_pair(
    head: Arrays, series: NDArray[np.int64], report_type: NDArray[np.int64], ordinal: NDArray[np.int64], at: np.ndarray
) -> NDArray[np.int64]:
    """Place in the file of the first of the reports that belong together, for the reports `at`.

    The n-th mass report of a station, time and place belongs to the n-th wind report.
    """
    _, place = np.unique(np.rec.fromarrays([series[at], *(head[name][at] for name in IDENTITY)]), return_inverse=True)
    form, order_in_file = report_type[at] // 100, ordinal[at]
    order = np.lexsort((order_in_file, form, place))
    new = np.ones(order.size, dtype=bool)
    new[1:] = (place[order][1:] != place[order][:-1]) | (form[order][1:] != form[order][:-1])
    turn = np.empty_like(order)
    turn[order] = np.arange(order.size) - np.maximum.accumulate(np.where(new, np.arange(order.size), 0))
    _, together = np.unique(place * (turn.max() + 1) + turn, return_inverse=True)
    first = np.full(together.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, together, order_in_file)
    return first[together]


def _profile_levels(number: NDArray[np.int64], by_level: ReportLevels) -> NDArray[np.int32]:
    """Number of the level: 0 at the surface and for single levels, otherwise counted upward from 1 over the pressures
    of mass and wind."""
    pressure = by_level.values["pressure"].value
    profile = np.flatnonzero((by_level.category != SURFACE) & np.isfinite(pressure))
    order = profile[np.lexsort((-pressure[profile], number[profile]))]
    new_report = np.concatenate([[True], number[order][1:] != number[order][:-1]])[: order.size]
    new_level = new_report | np.concatenate([[True], pressure[order][1:] != pressure[order][:-1]])[: order.size]
    count = np.cumsum(new_level)
    found = np.zeros(pressure.size, dtype=np.int32)
    base = np.maximum.accumulate(np.where(new_report, count - 1, 0)) if order.size else count
    found[order] = count - base
    distinct, first = np.unique(by_level.report, return_index=True)
    single = np.bincount(by_level.report, minlength=int(distinct[-1]) + 1 if first.size else 0)[by_level.report] == 1
    report_single = np.isin(number, number[~single], invert=True)
    found[report_single] = 0
    return found


def _floats(head: Arrays, name: str) -> Floats:
    return np.asarray(head[name], dtype=np.float64) if name in head else np.full(len(head["SID"]), np.nan)


def _integers(values: Floats, missing: int) -> NDArray[np.int64]:
    return np.where(np.isfinite(values), values, missing).astype(np.int64)
