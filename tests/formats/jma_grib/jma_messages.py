"""Small messages in JMA's form for tests: sections taken apart, changed and put together again."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from kaiseki.formats.jma_grib.grids import Grid, grid_section
from kaiseki.formats.jma_grib.writing import encode

END = np.datetime64("2016-11-21T01:00:00", "s")
GRID = Grid((3, 5), (36_004_167, 138_006_250), (35_987_500, 138_056_250), (8_333, 12_500))
AMOUNT = np.array(
    [[np.nan, 0.0, 0.0, 0.4, 1.0], [np.nan, 0.0, 77.0, 255.0, 3.0], [np.nan, np.nan, 0.0, 0.0, 0.0]], np.float32
)


def sections(message: bytes) -> list[tuple[int, bytes]]:
    """Sections 1 to 7 of a message in order, with their numbers."""
    found, position = [], 16
    while position < len(message) - 4:
        length = int.from_bytes(message[position : position + 4])
        found.append((message[position + 4], message[position : position + length]))
        position += length
    return found


def together(parts: list[tuple[int, bytes]], discipline: int = 0) -> bytes:
    """A message of sections."""
    body = b"".join(section for _, section in parts) + b"7777"
    return b"GRIB\xff\xff" + bytes([discipline, 2]) + struct.pack(">Q", 16 + len(body)) + body


def hour() -> bytes:
    """An hour of precipitation on a grid of 3 x 5 points."""
    return encode(AMOUNT, GRID, END).message


def with_sections(message: bytes, changed: dict[int, bytes]) -> bytes:
    """A message with some sections replaced; each gets its length and number."""
    parts = []
    for number, section in sections(message):
        body = changed.get(number, section[5:])
        parts.append((number, struct.pack(">IB", 5 + len(body), number) + body))
    return together(parts)


def with_octet(message: bytes, number: int, octet: int, value: int) -> bytes:
    """A message with one octet of a section changed, counted from 1 as in the manual."""
    parts = [
        (n, section[: octet - 1] + bytes([value]) + section[octet:] if n == number else section)
        for n, section in sections(message)
    ]
    return together(parts)


def tile(first: tuple[int, int], cells: int, size: int, levels: np.ndarray) -> list[tuple[int, bytes]]:
    """Sections 3 to 7 of a tile of a composite, template 4.50011, like those of JMA's 250-m product.

    Args:
        first: latitude and longitude of the north-western point, microdegrees.
        cells: rows in a degree; a degree has two thirds as many columns.
        size: number of rows and columns.
        levels: (size, size) levels up to 3, of 0, 0.1 and 0.25 mm/h.
    """
    from kaiseki.formats.jma_grib.run_length import pack

    rows, columns = 1e6 / cells, 1.5e6 / cells
    last = (round(first[0] - (size - 1) * rows), round(first[1] + (size - 1) * columns))
    grid = Grid((size, size), first, last, (int(rows), int(columns)))
    data = pack(levels.astype(np.uint8).ravel(), highest=3)
    product = bytes.fromhex(
        "0000c35b01cb0097ff00000500800000050"
        + "1"
        + "ff" * 11
        + "07e50706171e0001"
        + "00000000c402000000000500"
        + "00000000"
    )
    return [
        (3, grid_section(grid)),
        (4, struct.pack(">IB", 82, 4) + product + b"\xff" * 24),
        (5, struct.pack(">IBIHBHHB3H", 23, 5, size * size, 200, 8, 3, 3, 2, 0, 10, 25)),
        (6, struct.pack(">IBB", 6, 6, 255)),
        (7, struct.pack(">IB", 5 + len(data), 7) + data),
    ]


def tiled(*tiles: list[tuple[int, bytes]]) -> bytes:
    """A message of tiles."""
    first = struct.pack(">IBHHBBBH5BBB", 21, 1, 34, 0, 10, 1, 0, 2021, 7, 6, 23, 30, 0, 0, 0)
    return together([(1, first), *(section for one in tiles for section in one)])


def written(path: Path, content: bytes) -> Path:
    """A file with this content."""
    path.write_bytes(content)
    return path
