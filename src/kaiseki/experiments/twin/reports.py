"""Who reports what, where and when: the rows of the observation table before anything is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from kaiseki.core.timing import Window
from kaiseki.experiments.twin.moving import aircraft_reports, marine_reports, motion_vectors
from kaiseki.experiments.twin.rows import Rows
from kaiseki.experiments.twin.stations import fixed_reports
from kaiseki.grid import Domain
from kaiseki.observations import Table
from kaiseki.observations.windows import report_times

CODES: Final = {"sonde": 120, "pilot": 221, "synop": 181, "ship": 180, "buoy": 180, "aircraft": 230, "satwind": 245}
"""Report types in the numbering of PREPBUFR."""

COLUMNS_OF_REPORTS: Final[dict[str, Any]] = {
    **dict.fromkeys(("kind", "station", "quantity", "time", "latitude", "longitude")),
    **dict.fromkeys(("station_elevation", "pressure"), np.nan),
    "level": 0,
}
"""Columns that reports fill, with what stands for those they leave out."""


def blank_reports(domain: Domain, window: Window, seed: int, density: float = 1.0) -> Table:
    """All reports of a period over a domain, every value 0.

    Args:
        domain: of the nature run; its terrain carries the stations, its sea the ships.
        window: reports later than its start, up to its end.
        seed: of ships, aircraft, motion vectors, significant levels, and of the stations that are silent.
        density: part of the stations, ships, flights and motion vectors that report, 0..1.

    Returns:
        Rows inside the domain, `pressure` of surface values missing.
    """
    r = np.random.default_rng([seed, 5])
    parts = [
        *fixed_reports(domain, window, r),
        *marine_reports(domain, window, r),
        *aircraft_reports(window, r),
        *motion_vectors(domain, window, r),
    ]
    # Who is silent is decided last, so that a thinner network is a part of the fuller one.
    silent = {name: r.random() >= density for name in sorted({str(part["station"]) for part in parts})}
    table = _joined([part for part in parts if not silent[str(part["station"])]])
    j, i = domain.index(table.column("latitude"), table.column("longitude"))
    inside = (j >= 0) & (j <= domain.ny - 1) & (i >= 0) & (i <= domain.nx - 1)
    return table.take(inside & np.asarray(window.contains(report_times(table))))


def _joined(parts: Sequence[Rows]) -> Table:
    """One table of the rows of many reports, each with a number of its own."""
    if not parts:
        return Table.empty()
    counts = np.array([len(part["quantity"]) for part in parts])
    number = np.repeat(np.arange(len(parts)), counts)
    columns: Rows = {"report": number, "value": 0.0, "source": "twin"}
    columns["report_type"] = np.array([CODES[part["kind"]] for part in parts])[number]
    for name, missing in COLUMNS_OF_REPORTS.items():
        values = [np.broadcast_to(part.get(name, missing), n) for part, n in zip(parts, counts, strict=True)]
        columns[name] = np.concatenate(values)
    return Table.from_columns(columns)
