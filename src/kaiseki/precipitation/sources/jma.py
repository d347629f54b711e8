"""JMA's GRIB 2 of radars and of analysed precipitation, as fields for an analysis; forecasts are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.formats.jma_grib.quantities import AMOUNT, COMPOSITE_RATE
from kaiseki.formats.jma_grib.reading import read as read_fields
from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.sources.reading import Reading, Scans


def read(path: Path, reading: Reading) -> Scans:
    """The fields of a file: rain rates of the composite of radars, or analysed hourly amounts.

    Rows keep the order of the file, from the north. Level 0, outside coverage, is NaN. A rate stands for the interval
    that the file states, five or ten minutes, or for `reading.period`, where scans were left out.

    Raises:
        InputError: the file is damaged, holds a forecast or no rain, or fields of several kinds or grids.
    """
    if reading.time_is == "start":
        raise InputError(f"{path}: fields of JMA are labelled by the end of their interval; leave out time_is")
    fields = list(read_fields(path))
    if not fields:
        raise InputError(f"{path}: holds no field")
    first = fields[0]
    for one in fields:
        if one.quantity not in (AMOUNT, COMPOSITE_RATE):
            raise InputError(f"{path}: holds {one.quantity.title}; expected {AMOUNT.title}, or {COMPOSITE_RATE.title}")
        if one.quantity is not first.quantity or one.grid != first.grid:
            raise InputError(f"{path}: holds fields of several kinds or grids; divide it")
    amount = first.quantity is AMOUNT
    stated = first.time - first.start
    period = stated if amount or reading.period is None else reading.period.astype("timedelta64[s]")
    return Scans(
        grid=LatLonGrid(first.grid.latitudes, first.grid.longitudes),
        time=np.array([one.time for one in fields], "datetime64[s]"),
        values=np.stack([one.values() for one in fields]),
        measure="amount" if amount else "rate",
        period=period,
        source=f"{first.quantity.title}, Japan Meteorological Agency",
    )
