"""Wind profilers in CSV files, one line per height:

    station,time,latitude,longitude,elevation,height,eastward_wind,northward_wind,error
    47629,2024-01-01T12:00Z,36.38,140.47,29,1200,8.3,-2.1,2.5

Elevation of the station and height of the value in m above mean sea level, wind and its standard error in m s-1.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from kaiseki.core.errors import InputError
from kaiseki.core.timing import parse_time
from kaiseki.observations import Table
from kaiseki.observations.sources.registry import Box, ObservationSource

NUMBERS = ("latitude", "longitude", "elevation", "height", "eastward_wind", "northward_wind", "error")
HEADER = ("station", "time", *NUMBERS)


class WindProfilerCsv(ObservationSource):
    """Reader of the files; what `observations.sources.wind_profiler` of an experiment names."""

    def read(self, paths: Sequence[Path], box: Box | None = None) -> Table:
        """The profiles of the files in a region; see `ObservationSource.read`.

        Raises:
            InputError: a file cannot be opened, has another header, or a line with something that is no number or time.
        """
        rows = [row for path in paths for row in lines(path) if box is None or inside(row, box)]
        if not rows:
            return Table.empty()
        # All values of one station at one time are one report: they are used, thinned and withheld together.
        profiles = {key: number for number, key in enumerate(dict.fromkeys((r["station"], r["time"]) for r in rows))}
        # One row of the table is one value, so each line makes two.
        both = [(row, quantity) for row in rows for quantity in ("eastward_wind", "northward_wind")]
        return Table.from_columns(
            {
                "report": [profiles[row["station"], row["time"]] for row, _ in both],
                "station": [row["station"] for row, _ in both],
                "time": [row["time"] for row, _ in both],
                "latitude": [row["latitude"] for row, _ in both],
                "longitude": [row["longitude"] for row, _ in both],
                "station_elevation": [row["elevation"] for row, _ in both],
                "height": [row["height"] for row, _ in both],
                "level": 1,
                "quantity": [quantity for _, quantity in both],
                "value": [row[quantity] for row, quantity in both],
                "error": [row["error"] for row, _ in both],
                "kind": "wind_profiler",
                "source": "wind profilers in CSV",
            }
        )


def lines(path: Path) -> Iterator[dict]:
    """The lines of a file as dictionaries by the names of the header.

    Raises:
        InputError: see `WindProfilerCsv.read`; says which file and line.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            if tuple(reader.fieldnames or ()) != HEADER:
                raise InputError(f"{path}: the first line must be {','.join(HEADER)}, not {reader.fieldnames}")
            for row in reader:
                try:
                    numbers = {name: float(row[name]) for name in NUMBERS}
                    yield {"station": row["station"], "time": parse_time(row["time"]), **numbers}
                except (TypeError, ValueError, InputError) as error:
                    raise InputError(f"{path}, line {reader.line_num}: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror})") from error


def inside(row: dict, box: Box) -> bool:
    """Whether a line lies in a box of west, south, east, north; west > east crosses the date line."""
    west, south, east, north = box
    longitude = (row["longitude"] + 180.0) % 360.0 - 180.0
    across = west <= longitude <= east if west <= east else longitude >= west or longitude <= east
    return across and south <= row["latitude"] <= north
