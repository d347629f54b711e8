"""Packing of fields as integers with a declared largest error, and the codecs of the layouts.

A value is stored as the nearest multiple of a step. The step is a little below twice the bound, so that rounding and
the single precision in which users get the value stay within the bound together. There is no offset: xarray then
unpacks to single precision, and zero stays zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn

import numpy as np
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.codecs.numcodecs import PCodec

from kaiseki.archive.release.differences import Differences
from kaiseki.core.errors import InputError
from kaiseki.core.variables import Variable

BoundSet = Literal["tight", "user", "lossless"]
"""Set of bounds: "tight" for producers, "user", or every bit ("lossless")."""

BOUND_SETS: Final[tuple[BoundSet, ...]] = ("tight", "user", "lossless")


@dataclass(frozen=True)
class Packing:
    """How the values of a variable become integers.

    Attributes:
        name: of the variable, for messages.
        bound: declared largest absolute error, in the units of the variable.
        step: difference between neighbouring stored values; the stored integer times it is the value.
        dtype: of the integers: uint16, int16 or int32, the smallest that holds the physical range.
        fill: integer that stands for a missing value.
        low, high: physical range; a value outside by more than the bound is refused.
    """

    name: str
    bound: float
    step: float
    dtype: np.dtype
    fill: int
    low: float
    high: float

    def attributes(self) -> dict[str, Any]:
        """CF attributes of packed data, and the declared error."""
        return {
            "scale_factor": self.step,
            "_FillValue": self.fill,
            "maximum_absolute_error": self.bound,
        }


def packing_of(row: Variable, bounds: BoundSet) -> Packing | None:
    """The packing of a variable, None where every bit is kept.

    Raises:
        InputError: the range does not fit 32 bits in steps of this size.
    """
    bound = {"tight": row.bound, "user": row.user_bound, "lossless": 0.0}[bounds]
    if bound == 0.0:
        return None
    largest = max(abs(row.low), abs(row.high))
    # The value is rounded to single precision, by half a unit in the last place at most. The step is itself a number of
    # single precision, so that all programs unpack to the same bits.
    wanted = 2.0 * (bound - 0.5 * float(np.spacing(np.float32(largest))))
    nearest = np.float32(wanted)
    step = float(nearest if nearest <= wanted else np.nextafter(nearest, np.float32(0.0)))
    if step <= 0.0:
        raise InputError(
            f"The bound {bound:g} {row.units} of {row.name} is below single precision at {largest:g}; set it to 0"
        )
    kind: type[np.integer[Any]]
    if row.low >= 0.0 and row.high / step < np.iinfo(np.uint16).max - 1:
        kind, fill = np.uint16, int(np.iinfo(np.uint16).max)
    elif largest / step < np.iinfo(np.int16).max - 1:
        kind, fill = np.int16, int(np.iinfo(np.int16).min)
    elif largest / step < np.iinfo(np.int32).max - 1:
        kind, fill = np.int32, int(np.iinfo(np.int32).min)
    else:
        raise InputError(f"The range of {row.name} in steps of {step:g} {row.units} passes 32 bits; give a wider bound")
    return Packing(row.name, bound, step, np.dtype(kind), fill, row.low, row.high)


def stored_packing(name: str, dtype: np.dtype, attributes: Mapping[str, Any]) -> Packing | None:
    """The packing with which an array was written, from its own attributes: bounds may have changed since then.

    Args:
        name: of the variable, for messages.
        dtype: of the stored integers.
        attributes: of the array; without `scale_factor` every bit was kept and there is no packing.
    """
    if "scale_factor" not in attributes:
        return None
    step, fill = float(attributes["scale_factor"]), int(attributes["_FillValue"])
    limits = np.iinfo(dtype)
    bound = float(attributes["maximum_absolute_error"])
    return Packing(name, bound, step, np.dtype(dtype), fill, limits.min * step, limits.max * step)


def pack(values: np.ndarray, packing: Packing) -> np.ndarray:
    """The integers of values; NaN becomes the fill value.

    Args:
        values: of any shape, float.
        packing: of the variable.

    Raises:
        InputError: infinite values, or values outside the physical range by more than the bound; the message gives
            the first one and its indices.
    """
    values = np.asarray(values)
    flat = values.reshape(-1)
    integers = np.empty(flat.size, packing.dtype)
    limits = np.iinfo(packing.dtype)
    for block in _blocks(flat.size):
        part = flat[block]
        if np.fmin.reduce(part) < packing.low - packing.bound or np.fmax.reduce(part) > packing.high + packing.bound:
            _refuse(values, packing)
        scaled = np.divide(part, packing.step, dtype=np.float64)
        np.rint(scaled, out=scaled)
        # What lies outside the range within the bound may round to one step beyond the integers.
        np.clip(scaled, limits.min, limits.max, out=scaled)
        scaled[np.isnan(scaled)] = packing.fill
        integers[block] = scaled
    return integers.reshape(values.shape)


def _blocks(size: int) -> Iterator[slice]:
    """Stretches of so many values that fit the cache of a processor, which makes several passes over them cheap."""
    return (slice(start, min(start + _BLOCK, size)) for start in range(0, size, _BLOCK))


_BLOCK: Final = 2**15


def _refuse(values: np.ndarray, packing: Packing) -> NoReturn:
    """Say which values lie outside the physical range."""
    inside = (values >= packing.low - packing.bound) & (values <= packing.high + packing.bound)
    wrong = ~np.isnan(values) & ~inside
    place = tuple(int(index) for index in np.argwhere(wrong)[0])
    raise InputError(
        f"{packing.name} is {values[place]:g} at {place}, {int(wrong.sum())} of {values.size} values outside the "
        f"physical range {packing.low:g} to {packing.high:g}; nothing of this day is written"
    )


def unpack(integers: np.ndarray, packing: Packing) -> np.ndarray:
    """The float32 values of integers, NaN for the fill value, as xarray unpacks them."""
    integers = np.asarray(integers)
    small = integers.dtype.itemsize <= 2
    values = np.asarray(np.multiply(integers, packing.step, dtype=np.float32 if small else np.float64), np.float32)
    missing = integers == packing.fill
    if missing.any():
        values[missing] = np.nan
    return values


def largest_error(values: np.ndarray, integers: np.ndarray, packing: Packing) -> float:
    """The largest absolute difference between values and what users get, 0 where all are missing.

    Raises:
        InputError: it is above the bound, or a missing value was not kept as missing.
    """
    flat, stored = np.asarray(values).reshape(-1), np.asarray(integers).reshape(-1)
    found, kept = 0.0, True
    for block in _blocks(flat.size):
        again = unpack(stored[block], packing)
        difference = np.abs(np.subtract(flat[block], again, dtype=np.float64))
        found = max(found, float(np.fmax.reduce(difference, initial=0.0)))
        kept &= np.array_equal(np.isnan(flat[block]), np.isnan(again))
    if found > packing.bound or not kept:
        raise InputError(
            f"Packing {packing.name} made an error of {found:g}, above its bound of {packing.bound:g}"
            if kept
            else f"Packing {packing.name} changed which values are missing"
        )
    return found


def archive_codecs(packing: Packing | None, axes: int) -> dict[str, Any]:
    """Arguments of `zarr.Group.create_array` for the archive: differences and PCodec, or lossless Blosc for what is not
    packed; every chunk with its checksum.

    Differences are kept along all axes but the last, of which PCodec itself makes use.

    Args:
        packing: of the variable.
        axes: number of axes of the array.
    """
    if packing is None:
        return {"compressors": [BloscCodec(cname="zstd", clevel=5, shuffle="shuffle"), Crc32cCodec()]}
    return {
        "filters": [Differences(axes=range(axes - 1))],
        "serializer": PCodec(level=8),
        "compressors": [Crc32cCodec()],
    }


def browser_codecs() -> dict[str, Any]:
    """Arguments of `zarr.Group.create_array` for what browsers read: Blosc with Zstandard.

    Every chunk has its checksum, since Blosc itself notices few errors.
    """
    return {"compressors": [BloscCodec(cname="zstd", clevel=5, shuffle="shuffle"), Crc32cCodec()]}
