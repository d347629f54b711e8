"""Damaged, incomplete and wrong files: always one sentence, never half of the data."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formats.bufr_writer import Field, Layout, Loop, code, file, message, number, packed, records
from kaiseki.core.errors import InputError
from kaiseki.formats.prepbufr import decode, read
from kaiseki.formats.prepbufr.container import messages, uncompress

LAYOUT: Layout = (
    Field("048001", "SID", 64, units="CCITT IA5"),
    Loop("LEVEL", "348001", "031001", (Field("048003", "POB", 14, 1), Field("048004", "TOB", 14, 1, -2732))),
)
SUBSETS: list[list] = [[b"STATION%d" % i, [[10000 - 10 * k, 2732 + k] for k in range(i)]] for i in range(4)]
RECORD = 8
"""Bytes of the two control words of a record."""


def refused(content: bytes, name: str = "somewhere/file") -> str:
    """The message of the error, after making sure that it is one sentence that names the file and says what to do."""
    with pytest.raises(InputError) as caught:
        decode(content, name)
    said = str(caught.value)
    assert said.startswith(f"{name}: ")
    assert "\n" not in said
    assert said.endswith(".")
    assert ";" in said
    return said


@pytest.fixture(scope="module")
def real(shared: Path) -> bytes:
    """A small real file: the table records and the first data record of two message types."""
    path = shared / "data/observations/prepbufr_198901/prepqm89010106.gz"
    content = uncompress(path.read_bytes(), "real")
    chosen, types = [], []
    for span in messages(content, "real"):
        category = content[span.start + 16]
        if category == 11 or (category in (230, 238) and category not in types):
            length = int.from_bytes(content[span.start - 4 : span.start], "big")
            chosen.append(content[span.start - 4 : span.start + length + 4])
            types.append(category)
    return b"".join(chosen)


def boundaries(content: bytes) -> list[int]:
    """Where sections 0, 1, 3, 4 and 5 of each message end."""
    found = []
    for span in messages(content, "real"):
        place = span.start + 8
        found.append(place)
        while place < span.stop - 4:
            place += int.from_bytes(content[place : place + 3], "big")
            found.append(place)
        found.append(span.stop)
    return found


def test_real_file_cut_at_every_section(real: bytes) -> None:
    assert set(decode(real, "real").counts) == {"ADPUPA", "SFCSHP"}
    ends = boundaries(real)
    assert len(ends) == 5 * 7
    for end in ends:
        assert "byte offset" in refused(real[:end])


def test_real_file_cut_anywhere(real: bytes) -> None:
    records_end = {0}
    place = 0
    while place < len(real):
        place += int.from_bytes(real[place : place + 4], "big") + RECORD
        records_end.add(place)
    for end in np.linspace(1, len(real) - 1, 200).astype(int):
        if int(end) not in records_end:
            said = refused(real[:end])
            assert "message" in said
            assert "byte offset" in said
    whole = gzip.compress(real, mtime=0)
    for end in np.linspace(2, len(whole) - 1, 40).astype(int):
        assert "gzip stream" in refused(whole[:end])


def test_real_file_with_a_table_missing(real: bytes) -> None:
    first = int.from_bytes(real[:4], "big") + RECORD
    refused(real[first:])
    spans = list(messages(real, "real"))
    assert "no table message" in refused(real[spans[5].start - 4 :])


def test_real_file_with_flipped_bytes_never_raises_anything_else(real: bytes) -> None:
    rng = np.random.default_rng(2)
    outcomes = []
    for _ in range(30):
        damaged = bytearray(real)
        for place in rng.integers(0, len(real), 5):
            damaged[place] = rng.integers(0, 256)
        try:
            decode(bytes(damaged), "real")
            outcomes.append(True)
        except InputError:
            outcomes.append(False)
    assert 0 < sum(outcomes) < len(outcomes)


@given(
    how=st.sampled_from(["counted", "plain", "compressed"]),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6),
    in_data=st.booleans(),
    cut=st.integers(0, 400),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
def test_random_damage(how: str, changes: list[tuple[int, int]], in_data: bool, cut: int) -> None:
    subsets = SUBSETS if how != "compressed" else [[b"STATION%d" % i, [[9000, i]]] for i in range(4)]
    made = file(LAYOUT, subsets, how=how)
    content = bytearray(b"".join(made))
    first = len(made[0]) if in_data else 0
    for place, value in changes:
        content[first + place % (len(content) - first)] = value
    try:
        decode(bytes(content[: len(content) - cut] if cut < 40 else content), "made")
    except InputError as error:
        assert str(error).startswith("made: ")  # noqa: PT017


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_rubbish(content: bytes) -> None:
    refused(content)
    refused(b"BUFR" + content)
    refused(gzip.compress(content, mtime=0))
    refused(gzip.compress(b"\0\0\0\x10BUFR" + content, mtime=0))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"DATE,STATION,PRESSURE\n1989-01-01,47646,1013\n", "expected 'BUFR'"),
        (gzip.compress(b"nothing of the kind", mtime=0), "expected 'BUFR'"),
        (b"\x1f\x8brubbish that is no gzip stream", "gzip stream"),
        (b"GRIB\0\0\0\x01" + bytes(100), "expected 'BUFR'"),
        (b"\0\0\0\x10GRIB" + bytes(16), "expected 'BUFR'"),
        (bytes(64), "expected 'BUFR'"),
        (b"BUF", "expected 'BUFR'"),
        (b"BUFR\0\0", "within section 0"),
    ],
)
def test_wrong_files(content: bytes, said: str, tmp_path: Path) -> None:
    assert said in refused(content)
    path = tmp_path / "wrong"
    path.write_bytes(content)
    with pytest.raises(InputError, match=str(path)):
        read(path)


def test_no_such_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match="cannot be opened"):
            read(path)


def changed(content: bytes, place: int, new: bytes) -> bytes:
    return content[:place] + new + content[place + len(new) :]


def test_each_section_says_what_is_wrong() -> None:
    tables, first, second = file(LAYOUT, SUBSETS)
    start = len(tables)
    three = 8 + 18
    cases = {
        "edition 9": tables + changed(first, 7, b"\x09"),
        "section 1 says it has 5 bytes": tables + changed(first, 8, b"\0\0\x05"),
        "section 3 says": tables + changed(first, three, b"\0\xff\xff"),
        "expected b'7777'": tables + changed(first, len(first) - 4, b"7778"),
        "impossible time": tables + changed(first, 8 + 13, b"\x0d"),
        "data category 99": tables + changed(first, 8 + 8, b"\x63"),
        "the message should have": tables + first[:-1],
        "expected section 5 here": tables + first[:-4] + b"\0" * 8 + b"7777",
    }
    cases["expected section 5 here"] = changed(
        cases["expected section 5 here"], start + 4, (len(first) + 8).to_bytes(3, "big")
    )
    for said, content in cases.items():
        assert said in refused(content)
        assert "message 2 (byte offset " in refused(content)
    assert "message 3" in refused(tables + first + second[:-1])


def test_record_control_words_that_disagree() -> None:
    made = file(LAYOUT, SUBSETS)
    content = records(made)
    assert "control word" in refused(content[:-4] + b"\0\0\0\1")
    padded = next(i for i, each in enumerate(made) if len(each) % 8)
    end = len(records(made[:padded])) + 4 + len(made[padded])
    assert "padding" in refused(changed(content, end, b"x"))


def test_reports_that_do_not_fill_their_length() -> None:
    tables, first, _ = file(LAYOUT, SUBSETS)
    data = 8 + 18 + int.from_bytes(first[26:29], "big") + 4
    count = int.from_bytes(first[data : data + 2], "big")
    assert "says it has 1 bytes" in refused(tables + changed(first, data, b"\0\1"))
    assert "says it has 65535 bytes" in refused(tables + changed(first, data, b"\xff\xff"))
    refused(tables + changed(first, data, (count - 1).to_bytes(2, "big")))
    # The number of levels is the byte behind the station name: more of them than there are bits.
    assert "ends within the repetitions of LEVEL" in refused(tables + changed(first, data + 10, b"\xff"))


def test_left_over_bytes_and_differing_compressed_factors() -> None:
    tables = file(LAYOUT, SUBSETS)[0]
    listed = ("048001", "101000", "031001", "348001")
    subset = b"STATION0\0"
    assert "left over" in refused(tables + message(230, listed, subset + b"\1\2\3\4"))
    assert "reports need at least" in refused(tables + message(230, listed, subset, subsets=65535))
    assert "no bits at all" in refused(tables + message(230, ("201130", "201000"), subset))
    same_name = packed("".join(number(c, 8) for c in b"STATION0") + number(0, 6) + number(0, 8) + number(2, 6) + "0001")
    assert "differ in the replication factor" in refused(
        tables + message(230, listed, same_name, subsets=2, compressed=True)
    )


def test_damaged_table_entries() -> None:
    made = file(LAYOUT, SUBSETS)
    for old, new in ((b"048003", b"04x003"), (b"048003", b"099003"), (b"-2732", b"?2732"), (b"348001", b"3 8001")):
        assert "BUFR tables are damaged" in refused(b"".join(made).replace(old, new)), old
    # Table A without a number, Table B with a width that is none.
    assert "data category" in refused(b"".join(made).replace(b"230TEST", b"2x0TEST"))
    assert "width" in refused(b"".join(made).replace(b"14 ", b"1x ", 1))
    # The element of section 3 is not in Table B of the file.
    assert "is not in Table" in refused(changed(b"".join(made), b"".join(made).rindex(code("348001")), code("348002")))
