"""Files that are cut, changed or no GRIB at all.

What can go wrong:
- an error of Python, or a crash, or memory filled, instead of one sentence;
- a damaged file read as if it were whole: numbers beyond the table, another number of points, an impossible time. What
  cannot be found is a changed octet in the data that makes another valid run: GRIB has no checksum.
"""

from __future__ import annotations

import contextlib
import gzip
import lzma
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.jma_grib.jma_messages import AMOUNT, GRID, hour, sections, tile, tiled, with_octet, with_sections, written
from kaiseki.core.errors import InputError
from kaiseki.formats.jma_grib.dataset import to_dataset
from kaiseki.formats.jma_grib.reading import Field, read
from kaiseki.formats.jma_grib.run_length import pack

TILES = tiled(tile((36_000_000, 138_000_000), 480, 4, np.eye(4)), tile((36_100_000, 138_000_000), 480, 4, np.eye(4)))


def sound(fields: list[Field]) -> None:
    """Whether what was read is a field at all."""
    for one in fields:
        assert one.levels.shape == one.grid.shape
        assert one.levels.max(initial=0) <= one.table.scaled.size
        values = one.values(np.float64)
        assert np.nanmax(np.abs(values), initial=0.0) <= one.quantity.largest
        assert 1900 <= int(str(one.time)[:4]) < 2202
        assert one.start <= one.time
        assert np.abs(one.grid.latitudes).max() <= 90.0


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_cut_file_is_refused_wherever_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    message = data.draw(st.sampled_from([hour(), TILES]))
    length = data.draw(st.integers(0, len(message) - 1))
    path = written(tmp_path_factory.getbasetemp() / "cut.grib2", message[:length])
    with pytest.raises(InputError, match=r"cut\.grib2"):
        list(read(path))


@given(st.data())
@settings(max_examples=500, deadline=None)
def test_changed_octets_give_a_sentence_or_a_field(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    message = bytearray(data.draw(st.sampled_from([hour(), TILES])))
    for _ in range(data.draw(st.integers(1, 3))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    path = written(tmp_path_factory.getbasetemp() / "changed.grib2", bytes(message))
    with contextlib.suppress(InputError):
        fields = list(read(path))
        sound(fields)
        to_dataset(fields, path)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_what_is_no_grib_is_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = written(tmp_path_factory.getbasetemp() / "none.bin", content)
    with pytest.raises(InputError, match=r"none\.bin"):
        list(read(path))


@pytest.mark.parametrize(
    ("section", "octet", "value", "words"),
    [
        (4, 8, 0, r"product template 4\.88.* are read"),
        (4, 10, 2, "parameter 0-2-200"),
        (4, 11, 199, "parameter 0-1-199"),
        (4, 12, 4, "an ensemble forecast"),
        (4, 18, 9, "unit 9 of code table 4.4"),
        (4, 22, 30, "but starts at"),
        (4, 37, 13, "2016-13-21"),
        (4, 42, 2, "made of 2 time ranges"),
        (4, 53, 10, "parameter 0-1-200"),
        (5, 9, 9, "data of"),
        (5, 11, 3, "packing 5.3"),
        (5, 12, 4, "4 bits per number"),
        (5, 14, 250, "beyond|levels up to 250"),
        (5, 16, 97, "a table of 97 levels"),
        (5, 17, 0, "goes beyond"),
        (5, 17, 130, "decimal scale factor of -2"),
        (5, 17, 9, "decimal scale factor of 9"),
        (5, 19, 200, "does not rise"),
        (6, 6, 3, "indicator 3"),
        (1, 13, 1, "which there is not"),
        (1, 18, 100, "which there is not"),
        (1, 19, 147, "which there is not"),
    ],
)
def test_each_contradiction_has_its_sentence(tmp_path: Path, section: int, octet: int, value: int, words: str) -> None:
    message = with_octet(hour(), section, octet, value)
    assert message != hour()
    with pytest.raises(InputError, match=words) as error:
        list(read(written(tmp_path / "a.grib2", message)))
    assert "\n" not in str(error.value)
    assert "field 1" in str(error.value)


def test_levels_outside_the_table_are_refused(tmp_path: Path) -> None:
    """V above the number of levels: the data could hold a level that stands for nothing."""
    packed = dict(sections(hour()))[5]
    message = with_sections(hour(), {5: packed[5:12] + struct.pack(">HH", 98, 40) + packed[16 : 17 + 80]})
    with pytest.raises(InputError, match="levels up to 98 but its table has 40"):
        list(read(written(tmp_path / "a.grib2", message)))


def test_too_few_points_are_refused(tmp_path: Path) -> None:
    data = pack(np.zeros(14, np.uint8), highest=98)
    with pytest.raises(InputError, match="unpacks to 14 points where the header states 15"):
        list(read(written(tmp_path / "a.grib2", with_sections(hour(), {7: data}))))


def test_a_bitmap_leaves_points_without_a_value(tmp_path: Path) -> None:
    present = ~np.isnan(AMOUNT.ravel())
    packed = dict(sections(hour()))[5]
    levels = np.array([1] * int(present.sum()), np.uint8)
    message = with_sections(
        hour(),
        {
            5: struct.pack(">I", levels.size) + packed[9:],
            6: b"\0" + np.packbits(present).tobytes(),
            7: pack(levels, highest=98),
        },
    )
    (found,) = read(written(tmp_path / "a.grib2", message))
    np.testing.assert_array_equal(np.isnan(found.values()), np.isnan(AMOUNT))
    np.testing.assert_array_equal(found.values()[~np.isnan(AMOUNT)], 0.0)


def test_a_local_section_is_kept(tmp_path: Path) -> None:
    message = hour()
    position = 16 + 21
    local = struct.pack(">IB", 8, 2) + b"abc"
    whole = message[:8] + struct.pack(">Q", len(message) + 8) + message[16:position] + local + message[position:]
    (found,) = read(written(tmp_path / "a.grib2", whole))
    assert found.local == b"abc"


def test_several_messages_and_bulletin_headers(tmp_path: Path) -> None:
    fields = list(read(written(tmp_path / "a.grib2", b"\x01\r\r\n001 ANAL\r\r\n" + hour() + hour() + b"\r\r\n\x03")))
    assert len(fields) == 2


def test_a_message_whose_start_is_damaged_is_not_passed_over(tmp_path: Path) -> None:
    content = hour() + b"GRIX" + hour()[4:] + hour()
    with pytest.raises(InputError, match="belong to no GRIB message"):
        list(read(written(tmp_path / "a.grib2", content)))
    with pytest.raises(InputError, match="belong to no GRIB message"):
        list(read(written(tmp_path / "b.grib2", hour() + b"GRIX" + hour()[4:])))


@pytest.mark.parametrize(("ending", "compress"), [("gz", gzip.compress), ("xz", lzma.compress)])
def test_compressed_files_are_read_and_cut_ones_refused(tmp_path: Path, ending: str, compress: object) -> None:
    assert callable(compress)
    content = compress(hour())
    (found,) = read(written(tmp_path / f"a.{ending}", content))
    np.testing.assert_array_equal(found.values(), AMOUNT)
    assert found.grid == GRID
    for length in (7, len(content) // 2, len(content) - 1):
        with pytest.raises(InputError, match=r"decompressed|no GRIB message"):
            list(read(written(tmp_path / f"b.{ending}", content[:length])))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        list(read(tmp_path / "nowhere.grib2"))
    with pytest.raises(InputError, match="cannot be read"):
        list(read(tmp_path))


def test_edition_1_is_refused(tmp_path: Path) -> None:
    message = b"GRIB" + (20).to_bytes(3) + b"\x01" + b"\0" * 8 + b"7777"
    with pytest.raises(InputError, match="edition 1"):
        list(read(written(tmp_path / "a.grib", message)))
