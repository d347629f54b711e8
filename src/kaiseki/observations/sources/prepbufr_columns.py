"""Columns of the observation table from decoded PREPBUFR reports, in SI units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kaiseki.core.errors import InputError
from kaiseki.formats.prepbufr import Reports
from kaiseki.observations.sources.prepbufr_kinds import kinds
from kaiseki.observations.sources.prepbufr_levels import ROOT, Levels, Value, levels, sea_level_pressure

Arrays = dict[str, NDArray[np.generic]]
Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]

SURFACE = 0
"""CAT of the surface level."""
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
"""Report types 1xx hold mass, 2xx hold wind and only repeat the pressure."""
SPARE_BITS = 4
PAIR = {183: 84}
"""Mass types whose wind report has other last two digits: 183 belongs to 284."""


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


def columns(reports: Reports, category: int, virtual_code: int | None, drift: bool) -> tuple[Arrays, int]:
    """Columns of the observation table, and the number of reports whose types are not read.

    Args:
        reports: decoded reports of one message type.
        category: data category of the type, part of the report numbers.
        virtual_code: program code of events that are virtual temperatures, None if there is none.
        drift: whether levels get their own time and place.
    """
    head = reports.nodes[ROOT].columns
    station = np.char.decode(np.asarray(head["SID"], dtype="S"), "latin-1").astype(str)
    report_type = _integers(_floats(head, "TYP"), NO_MARK)
    kind = kinds(reports.type, report_type, _floats(head, "T29"), station)
    by_level = levels(reports, virtual_code)
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
    place = _places(reports, by_level, drift)
    number = report_numbers(reports, category, report_type)
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
    return {name: column[order] for name, column in rows.items()}, int((kind == "").sum())


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


def _sea_level_part(reports: Reports, place: Arrays, by_level: Levels) -> Arrays:
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


def _places(reports: Reports, by_level: Levels, drift: bool) -> Arrays:
    """Time and place of each level: its own where the file follows the balloon, otherwise the report's."""
    head, at = reports.nodes[ROOT].columns, by_level.report

    def of_level(own: Floats, of_report: str) -> Floats:
        common = _floats(head, of_report)[at]
        return np.where(np.isnan(own), common, own) if drift else common

    return {
        "own": at,
        "time": times(reports.cycle[at], of_level(by_level.hours, "DHR")),
        "longitude": westward(of_level(by_level.longitude, "XOB")),
        "latitude": of_level(by_level.latitude, "YOB"),
        "elevation": _floats(head, "ELV")[at],
    }


def report_numbers(reports: Reports, category: int, report_type: NDArray[np.int64]) -> NDArray[np.int64]:
    """(reports,) numbers that mass and wind part of one ascent or station and time share.

    NCEP gives both the same sequence number SQN (unique within message type and process). The number is made of
    cycle, category, process, pair of types and SQN, so that it does not depend on which part of a file was read; should
    reports of different station, time or place have the same, the last four bits tell them apart. Without SQN the
    parts stay apart.

    Raises:
        InputError: so many different reports have the same number that it cannot be a sequence number.
    """
    head = reports.nodes[ROOT].columns
    sequence = _floats(head, "SQN")
    pair = np.array([PAIR.get(int(code), int(code) % 100) for code in report_type], dtype=np.int64)
    hours = reports.cycle.astype("datetime64[h]").astype(np.int64)
    number = hours
    for part, bits in (
        (np.full(len(reports), category), 5),
        (_integers(_floats(head, "PROCN"), 0), 7),
        (pair, 7),
        (np.where(np.isfinite(sequence), sequence, np.arange(sequence.size)).astype(np.int64), 19),
        (np.zeros(len(reports), np.int64), SPARE_BITS),
    ):
        number = (number << bits) | (part & ((1 << bits) - 1))
    identity = np.rec.fromarrays([number, head["SID"], *(_floats(head, name) for name in ("DHR", "XOB", "YOB"))])
    different, group = np.unique(identity, return_inverse=True)
    same_number = different["f0"]
    again = np.arange(different.size) - np.searchsorted(same_number, same_number)
    if again.max(initial=0) >= 1 << SPARE_BITS:
        raise InputError(
            f"The {reports.type} reports of cycle {reports.cycle[0]}Z: over {1 << SPARE_BITS} different ones share one "
            "sequence number (SQN), expected it to be unique; read the file without these reports."
        )
    return number + again[group.reshape(-1)]


def _profile_levels(number: NDArray[np.int64], by_level: Levels) -> NDArray[np.int32]:
    """0 at the surface and for single levels, otherwise counted upward from 1 over the pressures of mass and wind."""
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
