"""Reading files of JMA's fields by levels, as they are or compressed by gzip, xz or bzip2."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.formats.grib.messages import Place, fields_within
from kaiseki.formats.jma_grib.grids import Grid, read_grid, signed
from kaiseki.formats.jma_grib.levels import MISSING, LevelTable
from kaiseki.formats.jma_grib.product_section import TEMPLATES, Definition, read_definition, read_time
from kaiseki.formats.jma_grib.quantities import Quantity, describe, quantity_of
from kaiseki.formats.jma_grib.run_length import PackingError, unpack

RUN_LENGTH: Final = 200
"""Data representation template of run-length packing with levels."""
MOST_OCTETS: Final = 2**31
"""Length from which on the content of a compressed file is refused."""
_MOST_BETWEEN: Final = 256
"""Octets of bulletin headers that may stand before, between and after messages."""
_COMPRESSED: Final[dict[bytes, Callable[..., Any]]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\0": lzma.open,
    b"BZh": bz2.open,
}
_DECIMALS: Final = range(5)
"""Decimal scale factors that are read; with more a whole number would not fit 32 bits."""
_NO_BITMAP, _OWN_BITMAP = 255, 0
_DAMAGE: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)


@dataclass(frozen=True, eq=False)
class Field:
    """One field of a file.

    Attributes:
        quantity: what it is.
        grid: where its points are.
        levels: (ny, nx) unsigned integers in the order of the file; 0 where there is no value.
        table: values of the levels.
        definition: product definition, with the words about radars and gauges where it has them.
        reference: reference time of the file, UTC.
        centre: originating centre, common code table C-11; 34 is JMA, 65535 is none.
        status: production status, code table 1.3.
        local: octets of the local use section.
    """

    quantity: Quantity
    grid: Grid
    levels: np.ndarray
    table: LevelTable
    definition: Definition
    reference: np.datetime64
    centre: int
    status: int
    local: bytes = b""

    @property
    def time(self) -> np.datetime64:
        """Time for which the field holds, UTC: the end of its interval, or the instant."""
        if self.definition.end is not None:
            return self.definition.end
        return self.reference + np.timedelta64(self.definition.begin, "s")

    @property
    def start(self) -> np.datetime64:
        """Start of the interval, UTC; of an instant the instant."""
        return self.time - np.timedelta64(self.definition.length, "s")

    def values(self, dtype: type[np.floating] = np.float32) -> np.ndarray:
        """Values (ny, nx) in the units of the quantity and the order of the file, NaN where there is none."""
        values = self.table.values.astype(dtype)
        return (np.abs(values) if self.quantity.marked else values)[self.levels]


def read(path: Path) -> Iterator[Field]:
    """All fields of a file in order.

    Raises:
        InputError: the file cannot be read, is not GRIB 2, is truncated or damaged, or holds a field that is not by
            levels, on another grid, of another template or of a quantity that is not known; the sentence says which
            and what it is.
    """
    content = _content(path)
    end = 0
    for place, message in fields_within(path, content):
        if place.start - end > _MOST_BETWEEN:
            raise _gap(path, end, place.start)
        end = place.end
        yield _field(path, place, message)
    if len(content) - end > _MOST_BETWEEN:
        raise _gap(path, end, len(content))


def _gap(path: Path, start: int, end: int) -> InputError:
    return InputError(
        f"{path}: {end - start} octets from byte {start} on belong to no GRIB message; the file is damaged, "
        "fetch it again."
    )


def _content(path: Path) -> bytes:
    """Content of a file, decompressed."""
    try:
        content = path.read_bytes()
        for magic, opener in _COMPRESSED.items():
            if content.startswith(magic):
                with opener(path, "rb") as stream:
                    content = stream.read(MOST_OCTETS)
                    if len(content) == MOST_OCTETS:
                        raise InputError(f"{path}: is longer than {MOST_OCTETS} octets when it is decompressed.")
                break
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except _DAMAGE as error:
        raise InputError(f"{path}: cannot be read or decompressed ({error}); fetch it again.") from error
    return content


def _field(path: Path, place: Place, message: bytes) -> Field:
    where = f"{path}: field {place.count}"
    if message[7] != 2:
        raise InputError(f"{where} is of GRIB edition {message[7]}; JMA's fields by levels are of edition 2.")
    sections = _sections(message)
    first, product, packed = sections[1], sections[4], sections[5]
    packing = int.from_bytes(packed[9:11])
    if len(first) < 21 or len(product) < 11 or len(packed) < 11:
        raise InputError(f"{where} has a section shorter than GRIB allows; the file is damaged, fetch it again.")
    if packing != RUN_LENGTH:
        raise InputError(
            f"{where} is no field of rain by levels but {describe(message[6], product, packed)}; "
            "model output is read by `kaiseki archive import` and by ecCodes."
        )
    what = describe(message[6], product, packed)
    if int.from_bytes(product[7:9]) not in TEMPLATES:
        known = ", ".join(f"4.{number}" for number in TEMPLATES)
        raise InputError(f"{where} is {what}; of product templates {known} are read.")
    definition = read_definition(product, where)
    quantity = quantity_of(message[6], definition)
    if quantity is None:
        raise InputError(f"{where} is {what}: no quantity that is known here.")
    grid = read_grid(sections[3], where)
    table = _table(packed, quantity, where)
    levels = _levels(sections, grid, table, where)
    reference = read_time(first[12:19], where)
    found = Field(
        quantity, grid, levels, table, definition, reference,
        centre=int.from_bytes(first[5:7]), status=first[19], local=sections.get(2, b"")[5:],
    )  # fmt: skip
    begin = reference + np.timedelta64(definition.begin, "s")
    if definition.end is not None and begin != found.start:
        raise InputError(
            f"{where} ends at {definition.end} after {definition.length} s but starts at {begin}; the file is damaged, "
            "fetch it again."
        )
    return found


def _sections(message: bytes) -> dict[int, bytes]:
    """Sections of a message with one field, by number."""
    sections, position = {}, 16
    while position < len(message) - 4:
        length = int.from_bytes(message[position : position + 4])
        sections[message[position + 4]] = message[position : position + length]
        position += length
    return sections


def _table(packed: bytes, quantity: Quantity, where: str) -> LevelTable:
    """Table of levels of section 5, which rises and stays within what the quantity can be."""
    count = int.from_bytes(packed[14:16]) if len(packed) >= 17 else 0
    if count == 0 or len(packed) != 17 + 2 * count:
        raise InputError(
            f"{where} has a section of {len(packed)} octets for a table of {count} levels, which needs "
            f"{17 + 2 * count}; the file is damaged, fetch it again."
        )
    raw = np.frombuffer(packed[17:], ">u2").astype(np.int32)
    scaled = np.where(raw < 2**15, raw, 2**15 - raw).astype(np.int32)
    decimal = signed(packed[16:17])
    if decimal not in _DECIMALS:
        raise InputError(
            f"{where} has a decimal scale factor of {decimal}; fields by levels have 0 to {_DECIMALS[-1]}. The file is "
            "damaged, fetch it again."
        )
    table = LevelTable(scaled, decimal)
    rising = scaled if not quantity.marked else np.concatenate((scaled[scaled >= 0], -scaled[scaled < 0]))
    falls = np.count_nonzero(np.diff(rising) <= 0)
    if falls > (1 if quantity.marked else 0) or np.abs(scaled).max() / 10.0**decimal > quantity.largest:
        raise InputError(
            f"{where} has a table of levels for {quantity.title} that does not rise or goes beyond "
            f"{quantity.largest:g} {quantity.units}; the file is damaged, fetch it again."
        )
    return table


def _levels(sections: dict[int, bytes], grid: Grid, table: LevelTable, where: str) -> np.ndarray:
    """Levels (ny, nx) of the data, 0 where a bitmap has no value."""
    packed, bitmap, data = sections[5], sections[6], sections[7]
    points = grid.shape[0] * grid.shape[1]
    size, bits, highest = int.from_bytes(packed[5:9]), packed[11], int.from_bytes(packed[12:14])
    if highest > table.scaled.size:
        raise InputError(
            f"{where} uses levels up to {highest} but its table has {table.scaled.size}; the file is damaged, "
            "fetch it again."
        )
    present = _present(bitmap, points, where)
    expected = points if present is None else int(np.count_nonzero(present))
    if size != expected:
        raise InputError(
            f"{where} has data of {size} points where its grid and bitmap have {expected}; the file is damaged, "
            "fetch it again."
        )
    try:
        levels = unpack(data[5:], size=size, highest=highest, bits=bits)
    except PackingError as error:
        raise InputError(f"{where} {error}; the file is damaged, fetch it again.") from error
    if present is None:
        return levels.reshape(grid.shape)
    whole = np.full(points, MISSING, levels.dtype)
    whole[present] = levels
    return whole.reshape(grid.shape)


def _present(bitmap: bytes, points: int, where: str) -> np.ndarray | None:
    """Which points have a value; None if there is no bitmap."""
    indicator = bitmap[5] if len(bitmap) > 5 else -1
    if indicator == _NO_BITMAP and len(bitmap) == 6:
        return None
    if indicator != _OWN_BITMAP or len(bitmap) != 6 + -(-points // 8):
        raise InputError(
            f"{where} has a bitmap section of {len(bitmap)} octets with the indicator {indicator}, which does not fit "
            f"{points} points; the file is damaged, fetch it again."
        )
    return np.unpackbits(np.frombuffer(bitmap[6:], np.uint8), count=points).astype(bool)
