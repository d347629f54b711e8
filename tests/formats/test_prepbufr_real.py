"""Real files, against a second decoder that reads one bit field after the other by the letter of FM 94."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kaiseki.formats.prepbufr import Decoded, read
from kaiseki.formats.prepbufr.container import Span, messages, uncompress

FOLDER = "data/observations/prepbufr_198901"
MODERN = "data/observations/prepbufr_20201101"
COUNTS = {
    "prepqm89010106": {"ADPUPA": 531, "PROFLR": 1, "AIRCFT": 2805, "ADPSFC": 16285, "SFCSHP": 3765, "SATWND": 1652},
    "prepqm89010112": {
        "ADPUPA": 1648,
        "PROFLR": 1,
        "AIRCFT": 2794,
        "ADPSFC": 17528,
        "SFCSHP": 3899,
        "SATWND": 2923,
        "SFCBOG": 157,
    },
}
"""Subsets by message type as section 3 of the messages gives them."""


class Plain:
    """Tables and one message, bit by bit; values as (mnemonic, value) in the order of the message."""

    def __init__(self, content: bytes) -> None:
        self.b: dict[str, tuple[str, str, int, int, int]] = {}
        self.d: dict[str, list[str]] = {}
        for span in messages(content, "plain"):
            if content[span.start + 16] == 11:
                self.tables(content, span.start + 8)

    def tables(self, content: bytes, place: int) -> None:
        for _ in (1, 3):
            place += int.from_bytes(content[place : place + 3], "big")
        place += 4
        place += 1 + 67 * content[place]
        count, place = content[place], place + 1
        for _ in range(count):
            entry = content[place : place + 112].decode("latin-1")
            place += 112
            numbers = (int(entry[94:98].replace(" ", "")), int(entry[98:109].replace(" ", "")), int(entry[109:112]))
            self.b[entry[:6]] = (entry[6:14].strip(), entry[70:94].strip(), *numbers)
        count, place = content[place], place + 1
        for _ in range(count):
            name, members = content[place : place + 6].decode(), content[place + 70]
            place += 71
            self.d[name] = [content[place + 6 * i : place + 6 * i + 6].decode() for i in range(members)]
            place += 6 * members

    def subset(self, descriptors: list[str], bits: str) -> list[tuple[str, float | str]]:
        self.bits, self.place, self.found, self.wider, self.scale, self.finer = bits, 0, [], 0, 0, 0
        self.walk(list(descriptors))
        return self.found

    def take(self, width: int) -> int:
        self.place += width
        return int(self.bits[self.place - width : self.place], 2)

    def walk(self, queue: list[str]) -> None:
        while queue:
            entry = queue.pop(0)
            if entry[0] == "3":
                queue[:0] = self.d[entry]
            elif entry[0] == "1":
                span, count = int(entry[1:3]), int(entry[3:])
                if not count:
                    count = self.take(self.b[queue.pop(0)][4])
                body, queue[:span] = queue[:span], []
                for _ in range(count):
                    self.walk(list(body))
            elif entry[0] == "2":
                operand = int(entry[3:])
                if entry[1:3] == "01":
                    self.wider = operand - 128 if operand else 0
                elif entry[1:3] == "02":
                    self.scale = operand - 128 if operand else 0
                elif entry[1:3] == "07":
                    self.finer = operand
            else:
                self.element(*self.b[entry])

    def element(self, mnemonic: str, units: str, scale: int, reference: int, width: int) -> None:
        if units.startswith("CCITT"):
            raw = self.take(width).to_bytes(width // 8, "big")
            self.found.append((mnemonic, "" if raw == b"\xff" * len(raw) else raw.decode("latin-1").rstrip()))
            return
        changed = 0 if units in ("CODE TABLE", "FLAG TABLE") else 1
        finer = changed * self.finer
        width += changed * self.wider + (10 * finer + 2) // 3
        raw_number = self.take(width)
        missing = width > 1 and raw_number == (1 << width) - 1
        value = (
            float("nan")
            if missing
            else (raw_number + reference * 10**finer) / 10.0 ** (scale + changed * self.scale + finer)
        )
        self.found.append((mnemonic, value))


@pytest.fixture(scope="module")
def content(shared: Path) -> bytes:
    return uncompress((shared / FOLDER / "prepqm89010112.gz").read_bytes(), "real")


@pytest.fixture(scope="module")
def decoded(shared: Path) -> Decoded:
    return read(shared / FOLDER / "prepqm89010112.gz")


def same_as_bitwise(content: bytes, decoded: Decoded, span: Span, sequence: str, most: int) -> None:
    """Compare the first reports of a message with a bitwise decoding; `sequence` is what follows the byte count."""
    plain = Plain(content)
    three = span.start + 26
    count = int.from_bytes(content[three + 4 : three + 6], "big")
    place = three + int.from_bytes(content[three : three + 3], "big") + 4
    reports = next(r for r in decoded.reports if r.type == decoded.tables.types[content[span.start + 16]])
    first = int(np.argmax(reports.message == span.number))
    of_report = {path: reports.ancestor(path, "") for path in reports.nodes}
    for i in range(min(count, most)):
        length = int.from_bytes(content[place : place + 2], "big")
        bits = "".join(f"{byte:08b}" for byte in content[place : place + length])
        place += length
        wanted: dict[str, list] = {}
        for mnemonic, value in plain.subset(["063000", sequence], bits):
            if not mnemonic.startswith("DRF"):
                wanted.setdefault(mnemonic, []).append(value)
        got: dict[str, list] = {}
        for path, node in reports.nodes.items():
            rows = of_report[path] == first + i
            for name, values in node.columns.items():
                if name != "BITPAD":
                    got.setdefault(name.partition("#")[0], []).extend(values[rows].tolist())
        for mnemonic, values in wanted.items():
            if isinstance(values[0], str):
                assert [v.decode("latin-1") for v in got[mnemonic]] == values
            else:
                np.testing.assert_array_equal(np.sort(got[mnemonic]), np.sort(values))
        assert {name for name, values in got.items() if values} == set(wanted)


@pytest.mark.parametrize("category", [230, 232, 233, 237, 238, 239])
def test_first_message_of_each_type_equals_a_bitwise_decoding(content: bytes, decoded: Decoded, category: int) -> None:
    span = next(s for s in messages(content, "plain") if content[s.start + 16] == category)
    same_as_bitwise(content, decoded, span, f"360{category}", 12)


@pytest.mark.parametrize("name", ["ADPUPA_2933k", "gdas.t12z.acft_profiles", "gdas.t12z.adpsfc"])
def test_some_messages_of_modern_files_equal_a_bitwise_decoding(shared: Path, name: str) -> None:
    content = (shared / MODERN / f"{name}.prepbufr").read_bytes()
    spans = [s for s in messages(content, "plain") if content[s.start + 16] != 11]
    decoded = read(shared / MODERN / f"{name}.prepbufr")
    for span in (spans[0], spans[-1]):
        same_as_bitwise(content, decoded, span, f"348{content[span.start + 16]}", 3)


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_counts_by_message_type(shared: Path, name: str) -> None:
    found = read(shared / FOLDER / f"{name}.gz", elements={"SID"})
    assert found.counts == COUNTS[name]
    assert {r.type: len(r) for r in found.reports} == COUNTS[name]


def test_tables_and_program_codes(decoded: Decoded) -> None:
    assert decoded.tables.program_codes()["VIRTMP"] == 8
    temperature = next(e for e in decoded.tables.elements.values() if e.mnemonic == "TOB")
    assert (temperature.units, temperature.scale, temperature.reference, temperature.width) == ("DEG C", 1, -2732, 14)
    assert decoded.cycles[0].isoformat() == "1989-01-01T12:00:00"


def test_no_temperature_event_is_of_the_virtual_program(decoded: Decoded) -> None:
    # Found in all five files: one event per stack, sondes and aircraft by PREPRO (1), SYNOP 2 or 4, ships without.
    for reports in decoded.reports:
        for path, node in reports.nodes.items():
            if path.endswith("T__EVENT"):
                assert not np.isin(node.columns["TPC"], [8]).any()
                assert node.index.max(initial=0) == 0
