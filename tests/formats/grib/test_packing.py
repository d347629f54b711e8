"""Packing in GRIB 2: a declared error is held, by whatever decoder, for whatever field.

Failure modes: a step wider than twice the error; a reference value that loses digits; constant and empty fields, which
decoders treat apart; missing values taken for values; a decimal scale that a decoder forgets.
"""

from __future__ import annotations

import struct
from datetime import datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.core.errors import InputError
from kaiseki.core.variables import VARIABLES
from kaiseki.formats.grib import writing
from kaiseki.formats.grib.packing import PACKINGS, Packing, scale_for, unpack

LAT, LON = 40.0 - 0.5 * np.arange(9), 130.0 + 0.25 * np.arange(11)
SECTIONS = (
    writing.identification(datetime(1989, 1, 1, 12), 0, 0, (65535, 0)),
    writing.latitude_longitude(LAT, LON),
    writing.product((0, 0), (100, -2, 500), 0, timedelta(0)),
)


def coded(values: np.ndarray, error: float, packing: Packing = "simple") -> tuple[bytes, float]:
    return writing.message(0, SECTIONS, values.ravel(), error, packing)


def sections_of(message: bytes) -> dict[int, bytes]:
    """Sections of a message with one field."""
    found, position = {}, 16
    while message[position : position + 4] != b"7777":
        length = int.from_bytes(message[position : position + 4])
        found[message[position + 4]] = message[position : position + length]
        position += length
    return found


def decoded_by_the_manual(message: bytes) -> np.ndarray:
    """Values of a message with simple packing by the formula of the Manual on Codes, without ecCodes."""
    parts = sections_of(message)
    five, points = parts[5], int.from_bytes(parts[3][6:10])

    def signed(octets: bytes) -> int:
        number = int.from_bytes(octets)
        return -(number & 0x7FFF) if number & 0x8000 else number

    (reference,) = struct.unpack(">f", five[11:15])
    binary, decimal, bits = signed(five[15:17]), signed(five[17:19]), five[19]
    count = int.from_bytes(five[5:9])
    stream = np.unpackbits(np.frombuffer(parts[7][5:], np.uint8))[: count * bits]
    numbers = np.zeros(count)
    for bit in range(bits):
        numbers = 2.0 * numbers + stream[bit::bits]
    values = (reference + numbers * 2.0**binary) / 10.0**decimal
    if parts[6][5] == 255:
        return values
    present = np.unpackbits(np.frombuffer(parts[6][6:], np.uint8))[:points].astype(bool)
    result = np.full(points, np.nan)
    result[present] = values
    return result


@given(st.floats(1e-7, 1e3))
def test_the_step_is_at_most_twice_the_error_and_close_to_it(error: float) -> None:
    step = scale_for(error).step
    assert step <= 2 * Fraction(repr(error))
    assert step > Fraction(repr(error)) * Fraction(17, 10)


def test_errors_of_the_table_of_variables_are_met_exactly() -> None:
    for row in VARIABLES.values():
        for bound in (row.bound, row.user_bound):
            leading = f"{bound:e}"[0]
            if bound > 0.0 and leading in "125" and Fraction(repr(bound)).numerator < 10:
                assert scale_for(bound).step == 2 * Fraction(repr(bound)), row.name


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    base=st.sampled_from([0.0, -40.0, 280.0, 10_132.5]),
    spread=st.sampled_from([1e-3, 1.0, 30.0]),
    error=st.sampled_from([0.01, 0.02, 0.05, 0.5, 0.003]),
    holes=st.sampled_from([0.0, 0.4]),
    packing=st.sampled_from(sorted(PACKINGS)),
)
def test_the_error_is_held(seed: int, base: float, spread: float, error: float, holes: float, packing: Packing) -> None:
    generator = np.random.default_rng(seed)
    values = (base + spread * generator.normal(size=99)).astype(np.float32).astype(float)
    values[generator.random(99) < holes] = np.nan
    message, made = coded(values, error, packing)
    found = unpack(message)
    assert np.array_equal(np.isnan(found), np.isnan(values))
    worst = np.nanmax(np.abs(found - values))
    assert made == worst
    # Half a step plus the rounding of the decoder's 64-bit arithmetic.
    assert worst <= error + 4.0 * np.spacing(np.nanmax(np.abs(values)))
    if packing == "simple":
        np.testing.assert_allclose(decoded_by_the_manual(message), found, rtol=1e-15, equal_nan=True)


@pytest.mark.parametrize("packing", sorted(PACKINGS))
def test_values_packed_before_with_the_same_error_do_not_change(packing: Packing) -> None:
    steps = np.random.default_rng(0).integers(-4000, 4000, 99)
    values = steps * 0.04
    message, made = coded(values, 0.02, packing)
    assert made < 1e-12
    np.testing.assert_allclose(unpack(message), values, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("packing", sorted(PACKINGS))
@pytest.mark.parametrize("value", [0.0, 281.234, -3.5, 101_325.0])
def test_a_field_of_one_value(packing: Packing, value: float) -> None:
    values = np.full(99, value)
    values[:7] = np.nan
    message, made = coded(values, 0.01, packing)
    parts = sections_of(message)
    assert int.from_bytes(parts[5][17:19]) == 0, "ecCodes does not heed a decimal scale here"
    assert made <= 0.01
    np.testing.assert_allclose(unpack(message), values, atol=0.01)


@pytest.mark.parametrize("packing", sorted(PACKINGS))
def test_a_field_without_any_value(packing: Packing) -> None:
    message, made = coded(np.full(99, np.nan), 0.01, packing)
    assert made == 0.0
    assert np.isnan(unpack(message)).all()
    assert np.isnan(decoded_by_the_manual(message)).all()


@pytest.mark.parametrize("packing", sorted(PACKINGS))
def test_9999_which_eccodes_takes_for_missing_is_a_value(packing: Packing) -> None:
    values = 9950.0 + np.arange(99.0)
    message, made = coded(values, 0.5, packing)
    assert made <= 0.5
    assert sections_of(message)[6][5] == 255
    assert np.array_equal(unpack(message), values)


def test_the_number_of_bits_follows_from_the_range() -> None:
    values = np.zeros(99)
    for top, bits in ((0.02, 1), (0.06, 2), (0.08, 3), (20.46, 10), (20.48, 11)):
        values[3] = top
        assert sections_of(coded(values, 0.01)[0])[5][19] == bits, top


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (np.inf, 0.01, "infinite"),
        (-np.inf, 0.01, "infinite"),
        (1e9, 0.01, "numbers too large for an error of 0.01"),
        (1.0, 0.0, "positive absolute error"),
        (1.0, np.nan, "positive absolute error"),
    ],
)
def test_refusals(value: float, error: float, words: str) -> None:
    values = np.zeros(99)
    values[5] = value
    with pytest.raises(InputError, match=words):
        coded(values, error)
