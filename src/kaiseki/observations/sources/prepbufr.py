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
from kaiseki.observations.sources.prepbufr_columns import Arrays, Box, columns, inside, joined, times
from kaiseki.observations.sources.prepbufr_levels import ELEMENTS
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
    the levels of a sonde carry their own time and place where the file follows the balloon. Heights are observed
    values only for sondes; those of aircraft and satellite winds are made from the pressure and appear as `height`.
    Report types that are not read (satellite soundings, scatterometer, synthetic cyclones) are left out, which is
    logged, as are reports without time or place. A type in no list is kept as kind `unknown`, with a warning: it is
    used for nothing, and stands in the feedback.

    What it does not do: quality control; the surface level of an ascent is known only where the file marks it
    (category 0), so that many sondes have no `surface_pressure`; pressures of pilot balloons are those that NCEP
    made from the heights with the standard atmosphere, so that `height` is what was measured.

    Args:
        paths: files, each of another cycle.
        drift: whether levels of sondes get their own time and place; otherwise those of the report.
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
            InputError: a file is not PREPBUFR, damaged, or of the same cycle as another, or the box is none.
        """
        if box is not None and not (-90 <= box[1] <= box[3] <= 90):
            raise InputError(f"The box {box} has no latitudes; give west, south, east, north in degrees")
        parts: list[Arrays] = []
        files_of: dict[object, Path] = {}
        for path in self.paths:
            decoded = prepbufr.read(path, elements=ELEMENTS, keep=_Inside(path, window, box))
            for cycle in decoded.cycles:
                if cycle in files_of:
                    raise InputError(
                        f"{path}: holds the cycle {cycle:%Y-%m-%dT%H:%MZ} that {files_of[cycle]} holds too, expected "
                        "one file per cycle; leave one out."
                    )
                files_of[cycle] = path
            virtual_code = decoded.tables.program_codes().get(VIRTUAL_PROGRAM)
            categories = {mnemonic: category for category, mnemonic in decoded.tables.types.items()}
            for reports in decoded.reports:
                part, left_out = columns(reports, categories[reports.type], virtual_code, self.drift)
                parts.append(part)
                if left_out:
                    _LOG.info("%s: %d reports %s left out: of types that are not read", path, left_out, reports.type)
                _warn_of_unknown(path, reports.type, part)
        return Table.from_columns({**joined(parts), "source": self.name}) if parts else Table.empty()


def _warn_of_unknown(path: Path, message_type: str, part: Arrays) -> None:
    unknown = part["kind"] == "unknown"
    if unknown.any():
        types = ", ".join(str(code) for code in np.unique(part["report_type"][unknown]))
        count = len(np.unique(part["report"][unknown]))
        _LOG.warning("%s: %d reports %s of unknown type %s: kept, used for nothing", path, count, message_type, types)


class _Inside:
    """Asked for each message type which reports belong to window and box."""

    def __init__(self, path: Path, window: Window | None, box: Box | None) -> None:
        self.path, self.window, self.box = path, window, box

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
        return chosen
