"""Binary RADOLAN composites of Deutscher Wetterdienst: one line of text, then two octets a cell.

The layout is that of DWD's description of the RADOLAN composite format; wradlib (MIT licence) reads the same.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.grid.projection import PolarStereographic
from kaiseki.grid.regular import MapGrid
from kaiseki.precipitation.sources.reading import Reading, Scans

RADIUS: Final = 6370040.0
"""Sphere of the RADOLAN map, m."""
PROJECTION: Final = PolarStereographic(60.0, 10.0, RADIUS)
_CORNER: Final = {(900, 900): (-523_462.17, -4_658_644.72), (1100, 900): (-443_462.17, -4_758_644.72)}
"""Lower left corner of the lower left cell by (rows, columns), m."""
_START_LABELLED: Final = ("RY", "RX", "YW")
"""Products of five minutes whose time is the start of the measurement; sums over longer are labelled by their end."""
_HEADER: Final = re.compile(rb"(?P<product>[A-Z]{2})(?P<time>\d{6})(?P<radar>\d{5})(?P<month>\d{4})BY")
_VALUE, _NEGATIVE, _NODATA, _CLUTTER = 0x0FFF, 0x4000, 0x2000, 0x8000
_ETX: Final = b"\x03"


def is_radolan(head: bytes) -> bool:
    """Whether a file begins as a RADOLAN composite does."""
    return _HEADER.match(head) is not None


def grid_of_shape(shape: tuple[int, int]) -> MapGrid | None:
    """The grid of a composite of DWD, south first; None where the shape is of none."""
    if shape not in _CORNER:
        return None
    x, y = _CORNER[shape]
    return MapGrid(PROJECTION, x + 1e3 * (np.arange(shape[1]) + 0.5), y + 1e3 * (np.arange(shape[0]) + 0.5))


def read(path: Path, content: bytes, reading: Reading) -> Scans:
    """The amounts of a composite (RY, RW, SF, YW and their like), NaN where there is no radar or only clutter.

    Raises:
        InputError: the file is truncated, of another grid, or holds no amounts.
    """
    end = content.find(_ETX, 0, 4096)
    found = _HEADER.match(content)
    if found is None or end < 0:
        raise InputError(f"{path}: the header of RADOLAN does not end; the file is damaged")
    header = content[:end].decode("ascii", "replace")
    product = found["product"].decode()
    precision, minutes, size = (
        _item(path, header, key, form)
        for key, form in (
            ("PR", r"PR\s*(E[-+]\s?\d+)"),
            ("INT", r"INT\s*(\d+)"),
            ("GP", r"GP\s*(\d+\s*x\s*\d+)"),
        )
    )
    ny, nx = (int(one) for one in size.split("x"))
    grid = grid_of_shape((ny, nx))
    if grid is None:
        raise InputError(f"{path}: is a RADOLAN grid of {ny} x {nx} cells; expected {' or '.join(map(str, _CORNER))}")
    data = content[end + 1 :]
    if len(data) != 2 * ny * nx:
        raise InputError(
            f"{path}: RADOLAN {product} holds {len(data)} octets of data, expected {2 * ny * nx}; it is truncated, or "
            "a product without amounts"
        )
    packed = np.frombuffer(data, "<u2").reshape(ny, nx)
    values = (packed & _VALUE) * 10.0 ** int(precision[1:].replace(" ", ""))
    if ((packed & _NEGATIVE) != 0)[(packed & _NODATA) == 0].any():
        raise InputError(f"{path}: RADOLAN {product} has negative values; it is no product of amounts")
    values[(packed & (_NODATA | _CLUTTER)) != 0] = np.nan
    period = np.timedelta64(60 * int(minutes), "s")
    time = _time(path, found)
    if (reading.time_is or ("start" if product in _START_LABELLED else "end")) == "start":
        time = time + period
    return Scans(
        grid=grid,
        time=np.array([time]),
        values=values[None],
        measure="amount",
        period=period,
        source=f"RADOLAN {product}, Deutscher Wetterdienst",
    )


def _time(path: Path, found: re.Match[bytes]) -> np.datetime64:
    text, month = found["time"].decode(), found["month"].decode()
    try:
        return np.datetime64(f"20{month[2:]}-{month[:2]}-{text[:2]}T{text[2:4]}:{text[4:]}", "s")
    except ValueError as error:
        raise InputError(f"{path}: the header has no time ({text} {month}); the file is damaged") from error


def _item(path: Path, header: str, key: str, form: str) -> str:
    found = re.search(form, header)
    if found is None:
        raise InputError(f"{path}: the header of RADOLAN lacks {key}; the file is damaged")
    return found[1]
