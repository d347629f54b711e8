"""Packing of a field in GRIB 2 with an absolute error that is stated beforehand.

A packed value is Y = (R + X 2^E) / 10^D with whole numbers X, E and D and a 32-bit reference value R (WMO-No. 306,
regulation 92.9.4). So the distance of two values, the step, is a power of two over a power of ten. The largest such
step that is at most twice the allowed error is taken, for rounding to the nearest errs by half a step; of the allowed
errors 1, 2 or 5 times a power of ten it is exactly twice the error. The number of bits follows from the range.

ecCodes chooses E from the number of bits with D = 0, or D alone with E = 0. To have both, it is given the values times
10^D, already rounded to multiples of 2^E, with just the bits that these need; then D is set in the header.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.formats.grib.library import eccodes

Packing = Literal["simple", "complex"]
PACKINGS: Final[dict[Packing, str]] = {"simple": "grid_simple", "complex": "grid_complex_spatial_differencing"}
"""Packings by name: data representation templates 5.0, and 5.3 with second-order differences."""

MOST_STEPS: Final = 2**24
"""Number from which on multiples of the step are no longer exact in the 32-bit reference value."""
_DECIMALS: Final = range(-9, 13)
_HOLE: Final = -1.0e36


@dataclass(frozen=True)
class Scale:
    """Scale factors of a packed field.

    Attributes:
        decimal: decimal scale factor D.
        binary: binary scale factor E.
    """

    decimal: int
    binary: int

    @property
    def step(self) -> Fraction:
        """Distance of two packed values, 2^E / 10^D."""
        return Fraction(2) ** self.binary / Fraction(10) ** self.decimal


def scale_for(error: float) -> Scale:
    """Scale factors with the largest step at most twice an absolute error; of equal steps the one with the smallest D.

    Raises:
        InputError: the error is not positive and finite.
    """
    if not (math.isfinite(error) and error > 0.0):
        raise InputError(f"GRIB packs with a positive absolute error, not {error}")
    # As it is printed: 0.02 is meant, not the binary number next to it.
    widest = 2 * Fraction(repr(float(error)))
    scales = [Scale(decimal, _floor_log2(widest * Fraction(10) ** decimal)) for decimal in _DECIMALS]
    return max(scales, key=lambda scale: (scale.step, -abs(scale.decimal)))


def _floor_log2(value: Fraction) -> int:
    """Largest whole number whose power of two is at most the value."""
    power = value.numerator.bit_length() - value.denominator.bit_length()
    return power if Fraction(2) ** power <= value else power - 1


def pack(handle: Any, values: np.ndarray, error: float, packing: Packing) -> None:
    """Set the data of a message whose grid and product are set already, NaN by a bitmap.

    A field of one value is coded by the reference value alone and without a decimal scale, which ecCodes does not heed
    there; one without any value has simple packing.

    Args:
        handle: of ecCodes.
        values: (n,) in the order of the grid, in the units of GRIB.
        error: largest absolute error allowed.
        packing: "simple" or "complex".

    Raises:
        InputError: a value is infinite, or of more than `MOST_STEPS` steps.
    """
    holes = np.isnan(values)
    present = values[~holes].astype(float)
    if not np.isfinite(present).all():
        raise InputError("a field to be packed in GRIB holds infinite values")
    scale = scale_for(error)
    # Scaling by whole powers first keeps multiples of the step, such as fields that were packed before, as they are.
    steps = np.round(present * 10.0**scale.decimal / 2.0**scale.binary)
    constant = steps.size == 0 or steps.min() == steps.max()
    bits = 0 if constant else int(steps.max() - steps.min()).bit_length()
    if not constant and np.abs(steps).max() >= MOST_STEPS:
        raise InputError(
            f"a field to be packed in GRIB goes from {present.min():g} to {present.max():g}, numbers too large for an "
            f"error of {error:g}: the 32-bit reference value of GRIB has not as many digits"
        )
    coded = np.full(values.shape, _HOLE)
    coded[~holes] = present.mean() if constant and present.size else steps * 2.0**scale.binary
    packing = packing if steps.size else "simple"
    eccodes.codes_set(handle, "packingType", PACKINGS[packing])
    if packing == "complex":
        eccodes.codes_set(handle, "orderOfSpatialDifferencing", 2)
    # Without a bitmap too: complex packing takes what equals it, 9999 if nothing is said, for missing.
    eccodes.codes_set(handle, "missingValue", _HOLE)
    if holes.any():
        eccodes.codes_set(handle, "bitmapPresent", 1)
    eccodes.codes_set(handle, "bitsPerValue", bits)
    eccodes.codes_set_values(handle, coded)
    if not constant:
        eccodes.codes_set(handle, "decimalScaleFactor", scale.decimal)


def unpack(message: bytes) -> np.ndarray:
    """The values (n,) of a message in the order of its grid, float64, NaN where the bitmap has none."""
    handle = eccodes.codes_new_from_message(message)
    try:
        eccodes.codes_set(handle, "missingValue", _HOLE)
        values = eccodes.codes_get_values(handle)
    finally:
        eccodes.codes_release(handle)
    return np.where(values == _HOLE, np.nan, values)
