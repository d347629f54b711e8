"""Run-length packing of levels.

What can go wrong:
- digits in the wrong order or base, a run one point too long or short;
- octets of a damaged file make a field of another size, a huge one, or an error that is no sentence;
- levels of two octets in the wrong byte order.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaiseki.formats.jma_grib.run_length import PackingError, pack, unpack


def by_hand(numbers: list[int], highest: int, bits: int) -> list[int]:
    """The rule of template 7.200, number by number."""
    base = 2**bits - 1 - highest
    levels: list[int] = []
    place = 0
    for number in numbers:
        if number <= highest:
            levels.append(number)
            place = 0
        else:
            levels += [levels[-1]] * ((number - highest - 1) * base**place)
            place += 1
    return levels


def test_runs_of_known_length() -> None:
    """V = 3, base 252: 10 points of 3 are (3, 4 + 9); 254 points of 0 are 1 + 1 x 1 + 1 x 252, so (0, 5, 5)."""
    packed = bytes([3, 13, 1, 0, 5, 5, 2])
    levels = [3] * 10 + [1] + [0] * 254 + [2]
    np.testing.assert_array_equal(unpack(packed, size=266, highest=3), levels)
    assert pack(np.array(levels, np.uint8), highest=3) == packed


@given(
    st.sampled_from([(8, 3), (8, 98), (8, 253), (16, 98), (16, 300)]),
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 700)), min_size=1, max_size=12),
)
def test_packing_is_undone_and_agrees_with_the_rule(form: tuple[int, int], runs: list[tuple[int, int]]) -> None:
    bits, highest = form
    levels = np.concatenate([np.full(length, level % (highest + 1)) for level, length in runs])
    packed = pack(levels.astype(np.uint16), highest=highest, bits=bits)
    np.testing.assert_array_equal(unpack(packed, size=levels.size, highest=highest, bits=bits), levels)
    assert by_hand(np.frombuffer(packed, f">u{bits // 8}").tolist(), highest, bits) == levels.tolist()


@given(st.binary(max_size=40), st.integers(0, 260), st.integers(0, 2000), st.sampled_from([1, 8, 16]))
def test_any_octets_give_a_field_of_the_size_or_a_sentence(octets: bytes, highest: int, size: int, bits: int) -> None:
    try:
        levels = unpack(octets, size=size, highest=highest, bits=bits)
    except PackingError:
        return
    assert levels.shape == (size,)
    assert levels.max(initial=0) <= highest


@pytest.mark.parametrize(
    ("octets", "size", "highest", "words"),
    [
        (b"", 0, 3, "begin with a level"),
        (b"\x04\x01", 1, 3, "begin with a level"),
        (b"\x01\x01", 3, 3, "2 points where the header states 3"),
        (b"\x01\xff\xff\xff\xff\xff", 100, 3, "longer than the field"),
        (b"\x01\xff\xff\xff\xff\xff\xff\xff\xff", 2, 254, "longer than the field"),
        (b"\x01", 1, 255, "8 bits do not allow"),
    ],
)
def test_what_contradicts_itself_is_refused(octets: bytes, size: int, highest: int, words: str) -> None:
    with pytest.raises(PackingError, match=words):
        unpack(octets, size=size, highest=highest)


def test_a_run_that_overflows_64_bits_is_refused() -> None:
    """A base of 65,533 and five digits pass 2^63."""
    octets = np.array([0, *[65_535] * 4], ">u2").tobytes()
    with pytest.raises(PackingError, match=r"points where|longer than"):
        unpack(octets, size=2**32 - 1, highest=1, bits=16)


@pytest.mark.parametrize(("highest", "bits"), [(254, 8), (300, 8), (3, 4)])
def test_levels_that_leave_no_digits_are_refused(highest: int, bits: int) -> None:
    with pytest.raises(PackingError):
        pack(np.zeros(3, np.uint16), highest=highest, bits=bits)


def test_a_level_above_the_highest_is_refused() -> None:
    with pytest.raises(PackingError, match="levels above 3"):
        pack(np.array([4], np.uint8), highest=3)
