"""NCEP PREPBUFR files as a source of observations."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kaiseki.core.errors import InputError
from kaiseki.core.timing import Time, Window
from kaiseki.formats import prepbufr
from kaiseki.observations.sources.prepbufr_columns import (
    Arrays,
    Box,
    Part,
    columns,
    inside,
    joined,
    of_earlier_parts,
    repeated_flights,
    times,
    without_sequence_number,
)
from kaiseki.observations.sources.prepbufr_kinds import FLIGHTS
from kaiseki.observations.sources.prepbufr_levels import ELEMENTS, PROFILES
from kaiseki.observations.table import Table

VIRTUAL_PROGRAM = "VIRTMP"
"""Name in the files of the program whose temperature events are virtual temperatures."""
REQUIRED_HEADER = {"SID": "S", "XOB": "f", "YOB": "f", "DHR": "f", "TYP": "f"}
"""Values that every report must have in its header: S text, f number."""
_LOG = logging.getLogger(__name__)


class PrepbufrSource:
    """Reads PREPBUFR files into the observation table.

    The latest event of each stack is taken, with its quality mark; a temperature event of the program VIRTMP is passed
    over for the sensible temperature beneath it, or, where there is none, given as `virtual_temperature`. Mass and
    wind reports of the same ascent or station and time share one `report` number, which stays the same whatever part
    of a file is read. Reports stay whole: `window` and `box` are compared with time and place of the report, while
    the levels of a sonde or an aircraft carry their own time and place where the file follows it. Heights are observed
    values only for sondes; those of aircraft and satellite winds are made from the pressure and appear as `height`.
    Aircraft profiles are read beside or instead of reports of single levels; a value that both hold is given once, as
    part of the profile. Levels that NCEP added to a profile (interpolated, or the surface below an aircraft) are left
    out.
    Report types that are not read (satellite soundings, scatterometer, synthetic cyclones) are left out, which is
    logged, as are reports without time or place. A type in no list is kept as kind `unknown`, with a warning: it is
    used for nothing, and stands in the feedback. Where no report of a type gives a value there is a warning.

    What it does not do: quality control; the surface level of an ascent is known only where the file marks it
    (category 0), so that many sondes have no `surface_pressure`; pressures of pilot balloons are those that NCEP
    made from the heights with the standard atmosphere, so that `height` is what was measured.

    Args:
        paths: files, each of another cycle, or of other message types of the same; aircraft profiles may stand beside
            the single levels of the same message type.
        drift: whether levels of sondes get their own time and place; otherwise those of the report. Those of aircraft
            profiles always do.
    """

    name = "prepbufr"

    def __init__(self, paths: Sequence[str | Path], *, drift: bool = True) -> None:
        self.paths = tuple(Path(path) for path in paths)
        self.drift = drift

    def times(self) -> list[Time]:
        """The cycle times of the files, rising; reports lie up to three hours around each.

        Raises:
            InputError: a file cannot be read as PREPBUFR.
        """
        found = {cycle for path in self.paths for cycle in prepbufr.read(path, types=()).cycles}
        return [np.datetime64(cycle, "s") for cycle in sorted(found)]

    def read(self, window: Window | None = None, box: Box | None = None) -> Table:
        """The reports of a window and region.

        Args:
            window: (start, end]; all times by default.
            box: west, south, east, north in degrees, ends included; west > east crosses the date line. All the
                world by default.

        Returns:
            One row per value; an empty table where no report fits.

        Raises:
            InputError: a file is not PREPBUFR, damaged, or repeats what it or another holds, or the box is none.
        """
        if box is not None and not (-90 <= box[1] <= box[3] <= 90):
            raise InputError(f"The box {box} has no latitudes; give west, south, east, north in degrees")
        parts: list[Arrays] = []
        path_of: dict[tuple[str, str, str], Path] = {}
        for path in self.paths:
            choice = _Inside(path, window, box)
            decoded = prepbufr.read(path, elements=ELEMENTS, keep=choice)
            if decoded.repeated:
                first, again = decoded.repeated[0]
                raise InputError(
                    f"{path}: message {again} is the same as message {first}, as are {len(decoded.repeated)} in all, "
                    "expected each report once; fetch the file again, or cut it off behind its first part."
                )
            for told in choice.told:
                if told in path_of:
                    raise InputError(
                        f"{path}: holds {told[2]} {told[0]} of the cycle {told[1]}Z that {path_of[told]} holds too, "
                        "expected one file per cycle and message type; leave one out."
                    )
            path_of |= dict.fromkeys(choice.told, path)
            for reports, apart in zip(decoded.reports, choice.apart, strict=True):
                virtual_code = reports.tables.program_codes().get(VIRTUAL_PROGRAM)
                part = columns(reports, apart, virtual_code, self.drift)
                parts.append(part.rows)
                _tell(path, reports.type, part)
        if not parts:
            return Table.empty()
        rows = joined(parts)
        twice = repeated_flights(rows)
        if twice.any():
            _LOG.info("%d values of single aircraft levels left out: aircraft profiles hold them too", twice.sum())
            rows = {name: column[~twice] for name, column in rows.items()}
        return Table.from_columns({**rows, "source": self.name})


def _tell(path: Path, message_type: str, part: Part) -> None:
    """Log what was left out or is doubtful in the reports of one message type."""
    if part.not_read:
        _LOG.info("%s: %d reports %s left out: of types that are not read", path, part.not_read, message_type)
    if part.not_observed:
        what = "%s: %d levels of reports %s left out: interpolated, or of the surface below an aircraft"
        _LOG.info(what, path, part.not_observed, message_type)
    for code, (silent, count) in part.silent.items():
        if silent < count:
            what = "%s: %d of %d reports %s of type %d give no value"
            _LOG.info(what, path, silent, count, message_type, code)
        else:
            what = "%s: none of the %d reports %s of type %d gives a value; expected levels with their events in %s"
            _LOG.warning(what, path, count, message_type, code, f"{', '.join(PROFILES)} or the report itself")
    _warn_of_unknown(path, message_type, part.rows)


def _warn_of_unknown(path: Path, message_type: str, part: Arrays) -> None:
    unknown = part["kind"] == "unknown"
    if unknown.any():
        types = ", ".join(str(code) for code in np.unique(part["report_type"][unknown]))
        count = len(np.unique(part["report"][unknown]))
        _LOG.warning("%s: %d reports %s of unknown type %s: kept, used for nothing", path, count, message_type, types)


class _Inside:
    """Selection of the reports of each message type that lie in window and box."""

    def __init__(self, path: Path, window: Window | None, box: Box | None) -> None:
        self.path, self.window, self.box = path, window, box
        self.told: set[tuple[str, str, str]] = set()
        """Message type, cycle, and form of what the file holds, chosen or not."""
        self.apart: list[NDArray[np.bool_]] = []
        """Mask of each message type asked about: which of the chosen reports have no sequence number of their own."""
        self._earlier: dict[str, list[tuple[Arrays, np.ndarray]]] = {}
        """Headers and cycles by message type: of several where the tables or the form of the messages change."""

    def __call__(self, kind: str, head: Mapping[str, NDArray[np.generic]], cycle: np.ndarray) -> NDArray[np.bool_]:
        for name, form in REQUIRED_HEADER.items():
            if name not in head or head[name].dtype.kind != form:
                raise InputError(
                    f"{self.path}: reports of type {kind} have no {name} in their header, expected that of "
                    "PREPBUFR; give a PREPBUFR file, other BUFR files need another reader."
                )
        hours, longitude, latitude = (np.asarray(head[name], dtype=float) for name in ("DHR", "XOB", "YOB"))
        known = np.isfinite(hours) & np.isfinite(longitude) & np.isfinite(latitude)
        if not known.all():
            _LOG.info("%s: %d reports %s left out: no time or place", self.path, int((~known).sum()), kind)
        chosen = known & inside(longitude, latitude, self.box)
        if self.window is not None:
            chosen &= self.window.contains(times(cycle, np.where(known, hours, 0.0)))
        profile = np.isin(head["TYP"], FLIGHTS)
        for form, of_form in (("aircraft profiles", profile), ("reports", ~profile)):
            self.told |= {(kind, str(at.astype("datetime64[m]")), form) for at in np.unique(cycle[of_form])}
        apart = without_sequence_number(dict(head), cycle)
        earlier = self._earlier.setdefault(kind, [])
        if earlier:
            repeated, collide = of_earlier_parts(dict(head), cycle, earlier)
            if repeated.any():
                what = "%s: %d reports %s left out: the file holds them once more before"
                _LOG.warning(what, self.path, int(repeated.sum()), kind)
            chosen &= ~repeated
            apart |= collide
        earlier.append((dict(head), cycle))
        shared = int((apart & np.isfinite(np.asarray(head.get("SQN", hours * np.nan), dtype=float))).sum())
        if shared:
            what = "%s: %d reports %s have the sequence number (SQN) of another: told apart by station, time and place"
            _LOG.warning(what, self.path, shared, kind)
        self.apart.append(apart[chosen])
        return chosen
