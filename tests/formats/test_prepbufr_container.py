"""Forms of the same messages: record markers of any width and byte order, padding, empty messages, dictionaries."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formats.bufr_writer import (
    Dictionary,
    Field,
    Layout,
    Loop,
    file,
    message,
    packed,
    records,
    register,
    table_message,
    written,
)
from kaiseki.core.errors import InputError
from kaiseki.formats.prepbufr import Decoded, decode, read

QUICK = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
FAULTS = "data/faults"
MODERN = "data/observations/prepbufr_20201101"

LAYOUT: Layout = (
    Field("048001", "SID", 64, units="CCITT IA5"),
    Loop("LEVEL", "348001", "031001", (Field("048003", "POB", 14, 1), Field("048004", "TOB", 14, 1, -2732))),
)
SUBSETS: list[list] = [[b"STATION%d" % i, [[10000 - 10 * k, 2732 + k] for k in range(i)]] for i in range(6)]
EMPTY_TABLE = message(11, ("103000", "031001", "000001", "000002", "000003"), bytes(4), subsets=0)
"""As NCEP ends its dictionaries."""
EMPTY_REPORTS = message(230, ("048001",), b"", subsets=0)
"""As NCEP's dumps hold two in front, whose times are no cycle."""


def framed(messages: list[bytes], size: int, order: str, pads: list[int], blocks: list[int]) -> bytes:
    """Records with control words of `size` bytes; `pads` zeros at the end of each, `blocks` words of zeros behind."""
    made = b""
    for each, pad, block in zip(messages, pads, blocks, strict=True):
        content = each + bytes(pad)
        word = len(content).to_bytes(size, order)  # type: ignore[arg-type]
        made += word + content + word + bytes(block)
    return made


def stations(decoded: Decoded) -> list[bytes]:
    return [name for reports in decoded.reports for name in reports.nodes[""].columns["SID"].tolist()]


def pressures(decoded: Decoded) -> list[float]:
    return [p for reports in decoded.reports for p in reports.nodes["LEVEL"].columns["POB"].tolist()]


NAMES = [s[0] for s in SUBSETS]
PRESSURES = [level[0] / 10 for s in SUBSETS for level in s[1]]


@given(
    data=st.data(),
    size=st.sampled_from([0, 4, 8]),
    order=st.sampled_from(["big", "little"]),
    how=st.sampled_from(["counted", "plain"]),
    per_message=st.integers(1, 4),
    tail=st.integers(0, 40),
    zipped=st.booleans(),
)
@QUICK
def test_every_form_gives_the_same_reports(
    data: st.DataObject, size: int, order: str, how: str, per_message: int, tail: int, zipped: bool
) -> None:
    made = file(LAYOUT, SUBSETS, how=how, per_message=per_message)
    for _ in range(data.draw(st.integers(0, 3))):
        made.insert(data.draw(st.integers(0, len(made))), data.draw(st.sampled_from([EMPTY_TABLE, EMPTY_REPORTS])))
    # First records whose lengths are multiples of 256 or of 65536 leave the byte order open.
    align = data.draw(st.sampled_from([1, 8, 256, 65536]))
    pads = [-len(each) % align for each in made]
    blocks = [4 * data.draw(st.integers(0, 3)) for _ in made]
    if size:
        content = framed(made, size, order, pads, blocks) + bytes(tail)
    else:
        content = b"".join(each + bytes(b) for each, b in zip(made, blocks, strict=True)) + bytes(tail)
    decoded = decode(gzip.compress(content, 1) if zipped else content, "made")
    assert decoded.counts == {"TEST": len(SUBSETS)}
    assert stations(decoded) == NAMES
    assert pressures(decoded) == PRESSURES


@pytest.mark.parametrize("order", ["big", "little"])
def test_a_first_length_that_fits_both_byte_orders(order: str) -> None:
    """The bytes 00 01 01 00 are the same length in both orders: only the records behind show which it is."""
    made = file(LAYOUT, SUBSETS)
    length = 0x010100
    assert length.to_bytes(4, "big") == length.to_bytes(4, "little")
    pads = [length - len(made[0]), *(-len(each) % 8 for each in made[1:])]
    content = framed(made, 4, order, pads, [0] * len(made))
    assert stations(decode(content, "made")) == NAMES


@pytest.mark.parametrize("length", [0x2020, 0x0D0A, 0x2000])
def test_a_first_length_made_of_blanks(length: int) -> None:
    """Its control word looks like padding in front of a file without control words."""
    made = file(LAYOUT, SUBSETS)
    pads = [length - len(made[0]), *(3 for _ in made[1:])]
    assert stations(decode(framed(made, 4, "big", pads, [0] * len(made)), "made")) == NAMES


@pytest.mark.parametrize("front", [bytes(4), bytes(8), b"    ", b"\r\n\r\n"])
def test_padding_in_front_that_is_as_long_as_a_control_word(front: bytes) -> None:
    made = file(LAYOUT, SUBSETS)
    assert stations(decode(front + b"".join(made), "made")) == NAMES


def test_records_of_several_messages() -> None:
    made = file(LAYOUT, SUBSETS, per_message=1)
    content = framed([made[0], b"".join(made[1:3]), b"\0\0".join(made[3:])], 4, "little", [0, 5, 0], [0, 0, 0])
    assert stations(decode(content, "made")) == NAMES


def test_a_record_of_more_than_two_gigabytes_is_refused_with_its_place() -> None:
    made = file(LAYOUT, SUBSETS)
    content = bytearray(records(made))
    second = len(records(made[:1]))
    content[second : second + 4] = (-2147483639).to_bytes(4, "big", signed=True)
    with pytest.raises(InputError, match=rf"message 2 \(byte offset {second} .*more than 2 GB.*one message per record"):
        decode(bytes(content), "made")


@pytest.mark.parametrize("rubbish", [b"x", b"rubbish", b"\x00\x00\x01\x00", b"\x01\x00\x00\x00", b"GRIB" * 9])
@pytest.mark.parametrize("form", ["records", "plain"])
def test_what_follows_the_last_message_is_refused_with_its_place(form: str, rubbish: bytes) -> None:
    made = file(LAYOUT, SUBSETS)
    content = records(made) if form == "records" else b"".join(made)
    place = len(content) + len(rubbish) - len(rubbish.lstrip(b"\0"))
    with pytest.raises(InputError, match=rf"message 5 \(byte offset {place} .*the end of the file.*cut off there"):
        decode(content + rubbish, "made")


def test_an_empty_message_that_holds_data_is_refused() -> None:
    made = file(LAYOUT, SUBSETS)
    zero = message(230, ("048001",), b"STATION7", subsets=0)
    with pytest.raises(InputError, match=r"message 2 .*no subset, but its section 4 holds data"):
        decode(made[0] + zero + b"".join(made[1:]), "made")


def test_only_empty_messages_are_no_reports() -> None:
    made = file(LAYOUT, SUBSETS)
    with pytest.raises(InputError, match="1 messages with BUFR tables but no report"):
        decode(made[0] + EMPTY_TABLE + EMPTY_REPORTS, "made")


def test_times_of_empty_messages_are_no_cycles() -> None:
    made = file(LAYOUT, SUBSETS)
    # Month 13: NCEP's empty messages may hold any time.
    stray = bytearray(EMPTY_REPORTS)
    stray[8 + 13] = 13
    decoded = decode(made[0] + bytes(stray) + b"".join(made[1:]), "made")
    assert [cycle.isoformat() for cycle in decoded.cycles] == ["1989-01-01T12:00:00"]


def test_files_put_together_keep_each_their_own_dictionary() -> None:
    """The same descriptors mean other things behind the second dictionary."""
    wide = (
        LAYOUT[0],
        Loop("LEVEL", "348001", "031001", (Field("048003", "POB", 20, 2), Field("048004", "TOB", 14, 1))),
    )
    first = file(LAYOUT, SUBSETS, how="plain")
    tables = Dictionary(types={231: "OTHER"}, fields={"031001": Field("031001", "DRF8BIT", 8)})
    listed = register(wide, tables)
    subset = [b"ANOTHER1", [[95001, 12], [90002, 13]]]
    second = [table_message(tables), EMPTY_TABLE, message(231, listed, packed(written(wide, subset)))]
    decoded = decode(b"".join([*first, *second]), "made")
    assert decoded.counts == {"TEST": 6, "OTHER": 1}
    assert {r.type: r.category for r in decoded.reports} == {"TEST": 230, "OTHER": 231}
    assert stations(decoded) == [*NAMES, b"ANOTHER1"]
    assert pressures(decoded) == [*PRESSURES, 950.01, 900.02]
    assert [sorted(r.tables.types.values()) for r in decoded.reports] == [["TEST"], ["OTHER"]]
    # The first dictionary does not lend the second what it lacks.
    with pytest.raises(InputError, match=r"data category 230.*Table A of the file does not have it"):
        decode(b"".join([*first, second[0], first[1]]), "made")


def test_the_same_dictionary_twice_gives_one_table_of_reports() -> None:
    made = file(LAYOUT, SUBSETS)
    decoded = decode(b"".join([*made[:3], made[0], EMPTY_TABLE, *made[3:]]), "made")
    assert len(decoded.reports) == 1
    assert stations(decoded) == NAMES
    assert decoded.reports[0].ordinal.tolist() == list(range(6))
    assert decoded.repeated == ()


def test_messages_that_come_twice_are_told() -> None:
    made = file(LAYOUT, SUBSETS)
    assert decode(b"".join([*made, *made]), "made").repeated == ((2, 6), (3, 7), (4, 8))


@pytest.mark.parametrize("how", ["counted", "plain", "compressed"])
def test_ordinals_do_not_depend_on_what_is_kept(how: str) -> None:
    subsets = SUBSETS if how != "compressed" else [[s[0], [[9000, i]]] for i, s in enumerate(SUBSETS)]
    content = b"".join(file(LAYOUT, subsets, how=how))
    odd = decode(content, "made", keep=lambda _t, head, _c: head["SID"] >= b"STATION3").reports[0]
    assert odd.ordinal.tolist() == [3, 4, 5]
    assert odd.message.tolist() == [3, 4, 4]


def test_real_little_endian_file_with_a_first_record_of_a_multiple_of_256_bytes(shared: Path) -> None:
    """The subsets that section 3 of its messages gives: 13 + 15 sondes, ..."""
    found = read(shared / FAULTS / "little_first256.prepbufr")
    content = (shared / FAULTS / "little_first256.prepbufr").read_bytes()
    assert content[:4] == b"\x00\x27\x00\x00"
    big, place = b"", 0
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "little")
        word = length.to_bytes(4, "big")
        big += word + content[place + 4 : place + 4 + length] + word
        place += length + 8
    assert found.counts["ADPUPA"] == 13 + 15
    assert found.counts == decode(big, "big").counts


def test_real_modern_files_have_the_counts_of_their_manifest(shared: Path) -> None:
    counts = {path.name: read(path, elements={"SID"}).counts for path in (shared / MODERN).iterdir()}
    assert counts == {
        "ADPUPA_2933k.prepbufr": {"ADPUPA": 1341},
        "gdas.t12z.acft_profiles.prepbufr": {"AIRCFT": 854},
        "gdas.t12z.adpsfc.prepbufr": {"ADPSFC": 1591},
    }
