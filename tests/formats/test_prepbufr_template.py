"""Descriptors become programs: operators, replication, sequences, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from formats.bufr_writer import FACTORS, Dictionary, Field, message, number, octets, packed, table_message
from kaiseki.core.errors import InputError
from kaiseki.formats.prepbufr import Decoded, decode
from kaiseki.formats.prepbufr.tables import number as descriptor_number
from kaiseki.formats.prepbufr.tables import text as descriptor_text

PRESSURE = Field("007245", "POB", 14, 1)
TEMPERATURE = Field("012245", "TOB", 14, 1, -2732)
MARK = Field("007246", "PQM", 5, units="CODE TABLE")
NAME = Field("001194", "SID", 64, units="CCITT IA5")


def one(descriptors: str, bits: str, sequences: dict[str, tuple[str, tuple[str, ...]]] | None = None) -> Decoded:
    fields = {f.code: f for f in (*FACTORS, PRESSURE, TEMPERATURE, MARK, NAME)}
    tables = Dictionary(types={230: "TEST"}, fields=fields, sequences=sequences or {})
    listed = tuple(descriptors.split())
    return decode(table_message(tables) + message(230, listed, packed(bits)), "made")


def root(decoded: Decoded) -> dict[str, list]:
    return {name: values.tolist() for name, values in decoded.reports[0].nodes[""].columns.items()}


@pytest.mark.parametrize(
    ("descriptors", "bits", "found"),
    [
        # Two bits wider, then as in the table again; code tables are not touched.
        (
            "201130 007245 007246 201000 007245",
            number(40000, 16) + number(3, 5) + number(9000, 14),
            {"POB": [4000.0], "PQM": [3.0], "POB#2": [900.0]},
        ),
        # One power of ten more.
        ("202129 007245 202000 007245", number(9000, 14) * 2, {"POB": [90.0], "POB#2": [900.0]}),
        ("201130 202130 012245 201000 202000", number(40000, 16), {"TOB": [(40000 - 2732) / 1000]}),
        ("205003 007245", octets(b"abc") + number(9000, 14), {"characters 3": [b"abc"], "POB": [900.0]}),
        ("206007 012099 206014 007245", number(5, 7) + number(9000, 14), {"012099": [5.0], "POB": [900.0]}),
        # Operator 207 with Y = 2: scale + 2, reference * 100, width + (10 * 2 + 2) // 3 = 7.
        ("207002 012245 207000 012245", number(1_000_000, 21) + number(2732, 14), {"TOB": [726.8], "TOB#2": [0.0]}),
        ("208003 001194 208000 007245", octets(b"abc") + number(9000, 14), {"SID": [b"abc"], "POB": [900.0]}),
    ],
)
def test_operators(descriptors: str, bits: str, found: dict[str, list]) -> None:
    assert root(one(descriptors, bits)) == found


def test_replication_written_as_a_sequence_applies_to_what_follows_it() -> None:
    sequences = {
        "360002": ("DRP8BIT", ("101000", "031001")),
        "360004": ("DRP1BIT", ("101000", "031000")),
        "361001": ("LEVEL", ("007245", "360004", "361002")),
        "361002": ("MORE", ("012245",)),
    }
    bits = number(2, 8) + number(9000, 14) + "1" + number(2732, 14) + number(8000, 14) + "0"
    nodes = one("360002 361001", bits, sequences).reports[0].nodes
    assert nodes["LEVEL"].columns["POB"].tolist() == [900.0, 800.0]
    assert nodes["LEVEL/MORE"].parent.tolist() == [0]
    assert nodes["LEVEL/MORE"].columns["TOB"].tolist() == [0.0]


def test_replication_of_several_descriptors_and_equal_names() -> None:
    bits = number(1, 16) + number(9000, 14) + number(4, 5) + number(8000, 14) * 2
    nodes = one("102000 031002 007245 007246 101002 007245", bits).reports[0].nodes
    assert nodes["POB"].columns["PQM"].tolist() == [4.0]
    assert nodes["POB#2"].columns["POB"].tolist() == [800.0, 800.0]
    np.testing.assert_array_equal(nodes["POB#2"].index, [0, 1])


@pytest.mark.parametrize(
    ("descriptors", "said"),
    [
        ("203014 007245", "operator 203014"),
        ("222000 007245", "operator 222000"),
        ("007199", "007199 is not in Table B"),
        ("363199", "363199 is not in Table D"),
        ("101000 007245", "expected 0-31-YYY"),
        ("105000 031001 007245", "replication of 5 descriptors is followed by 1"),
        ("101000", "expected 0-31-YYY"),
        ("101000 031001 201130", "not ended within it"),
        ("101000 031001 202000", "no bits at all"),
        ("201110 007246 012245", "bits, expected"),
        ("206010 363001", "cannot follow operator 206"),
        ("361001", "deep"),
        ("361003", "more than"),
    ],
)
def test_what_is_refused(descriptors: str, said: str) -> None:
    sequences: dict[str, tuple[str, tuple[str, ...]]] = {
        "361001": ("LOOP", ("007245", "361001", "101000", "031001")),
        "361003": ("AROUND", ("007245", "361003")),
        "363001": ("PREPRO", ()),
    }
    with pytest.raises(InputError, match=said) as caught:
        one(descriptors, "0" * 400, sequences)
    assert str(caught.value).startswith("made: message 2 (byte offset ")


def test_descriptors_as_text() -> None:
    assert descriptor_text(descriptor_number("363255")) == "363255"
    for wrong in ("36325", "36325x", "964000", "364000", "363256"):
        with pytest.raises(ValueError, match=r"is not six digits|is out of range"):
            descriptor_number(wrong)
