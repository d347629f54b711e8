"""What a small independent writer puts into messages comes out again."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formats.bufr_writer import Field, Layout, Loop, file, records
from kaiseki.core.errors import InputError
from kaiseki.formats.prepbufr import Decoded, decode
from kaiseki.formats.prepbufr.bits import BitBuffer

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


class Names:
    """Fresh codes and mnemonics."""

    def __init__(self) -> None:
        self.used = 0

    def next(self, f: int) -> tuple[str, str]:
        self.used += 1
        return f"{f}{48 + self.used // 200:02d}{self.used % 200:03d}", f"N{self.used}"


@st.composite
def fields(draw: st.DrawFn, names: Names) -> Field:
    code, mnemonic = names.next(0)
    if draw(st.integers(0, 5)) == 0:
        return Field(code, mnemonic, 8 * draw(st.integers(1, 9)), units="CCITT IA5")
    scale, reference = draw(st.integers(-3, 5)), draw(st.integers(-30000, 30000))
    return Field(code, mnemonic, draw(st.integers(1, 64)), scale, reference)


@st.composite
def layouts(draw: st.DrawFn, names: Names, depth: int = 0) -> Layout:
    items: list[Field | Loop] = [draw(fields(names))]
    for _ in range(draw(st.integers(0, 3))):
        if depth < 3 and draw(st.booleans()):
            code, mnemonic = names.next(3)
            factor = draw(st.sampled_from(["031000", "031001", "031002", ""]))
            count = draw(st.integers(1, 3)) if not factor else 0
            items.append(Loop(mnemonic, code, factor, draw(layouts(names, depth + 1)), count))
        else:
            items.append(draw(fields(names)))
    return tuple(items)


def texts(length: int) -> st.SearchStrategy[bytes]:
    return st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=length, max_size=length).map(str.encode)


@st.composite
def values(draw: st.DrawFn, layout: Layout, lengths: dict[str, int] | None) -> list:
    """Raw values; with `lengths`, loops get the length noted there (compressed subsets agree on it)."""
    made: list = []
    for item in layout:
        if isinstance(item, Loop):
            most = 1 if item.factor == "031000" else 3
            length = item.count or draw(st.integers(0, most))
            if lengths is not None:
                length = lengths.setdefault(item.code, length)
            made.append([draw(values(item.body, lengths)) for _ in range(length)])
        elif item.units == "CCITT IA5":
            made.append(draw(texts(item.width // 8)))
        else:
            made.append(draw(st.integers(0, (1 << item.width) - 1)))
    return made


def expected(layout: Layout, subsets: list[list]) -> dict[str, dict[str, list]]:
    """Rows of each node in order, as lists by mnemonic with "parent" and "index"."""
    nodes: dict[str, dict[str, list]] = {}

    def prepare(items: Layout, path: str) -> None:
        nodes[path] = {"parent": [], "index": []} | {i.mnemonic: [] for i in items if isinstance(i, Field)}
        for item in items:
            if isinstance(item, Loop):
                prepare(item.body, f"{path}/{item.mnemonic}".lstrip("/"))

    def add(items: Layout, path: str, given: list, parent: int, index: int) -> None:
        row = len(nodes[path]["parent"])
        nodes[path]["parent"].append(parent)
        nodes[path]["index"].append(index)
        for item, value in zip(items, given, strict=True):
            if isinstance(item, Loop):
                for k, each in enumerate(value):
                    add(item.body, f"{path}/{item.mnemonic}".lstrip("/"), each, row, k)
            elif isinstance(value, bytes):
                nodes[path][item.mnemonic].append(value)
            else:
                missing = item.width > 1 and value == (1 << item.width) - 1
                number = float(np.float64(value) + item.reference)
                number = number / 10.0**item.scale if item.scale >= 0 else number * 10.0**-item.scale
                nodes[path][item.mnemonic].append(float("nan") if missing else number)

    prepare(layout, "")
    for i, subset in enumerate(subsets):
        add(layout, "", subset, i, 0)
    return nodes


def same(decoded: Decoded, layout: Layout, subsets: list[list]) -> None:
    (reports,) = decoded.reports
    assert decoded.counts == {"TEST": len(subsets)}
    for path, columns in expected(layout, subsets).items():
        node = reports.nodes[path]
        assert node.parent.tolist() == columns.pop("parent")
        assert node.index.tolist() == columns.pop("index")
        for name, wanted in columns.items():
            got = node.columns[name]
            if got.dtype.kind == "S":
                assert got.tolist() == wanted
            else:
                np.testing.assert_array_equal(got, np.array(wanted, dtype=float))


@given(data=st.data(), how=st.sampled_from(["counted", "plain", "compressed"]), count=st.integers(1, 5))
@QUICK
def test_random_layouts(data: st.DataObject, how: str, count: int) -> None:
    layout = data.draw(layouts(Names()))
    lengths: dict[str, int] | None = {} if how == "compressed" else None
    subsets = [data.draw(values(layout, lengths)) for _ in range(count)]
    messages = file(layout, subsets, how=how)
    same(decode(b"".join(messages), "made"), layout, subsets)


@given(content=st.binary(min_size=1, max_size=40), place=st.integers(0, 300), width=st.integers(1, 64))
@QUICK
def test_bits_equal_those_of_a_big_integer(content: bytes, place: int, width: int) -> None:
    total = 8 * len(content)
    width = min(width, total)
    place %= total - width + 1
    whole = int.from_bytes(content, "big")
    got = BitBuffer(content).unsigned(np.array([place]), width)
    assert int(got[0]) == whole >> (total - place - width) & ((1 << width) - 1)


PLACE: Layout = (
    Field("048001", "SID", 64, units="CCITT IA5"),
    Field("048002", "XOB", 16, 2, -18000),
    Loop("LEVEL", "348001", "031001", (Field("048003", "POB", 14, 1), Field("048004", "TOB", 14, 1, -2732))),
)
SUBSETS = [[b"STATION%d" % i, 18000 + i, [[10000 - 10 * k, 2732 + k] for k in range(i)]] for i in range(5)]


@pytest.mark.parametrize("how", ["counted", "plain", "compressed"])
def test_keep_chooses_reports_by_their_header(how: str) -> None:
    subsets = SUBSETS if how != "compressed" else [[s[0], s[1], [[9000, i]]] for i, s in enumerate(SUBSETS)]
    content = b"".join(file(PLACE, subsets, how=how))
    decoded = decode(content, "made", keep=lambda _type, head, _cycle: np.asarray(head["XOB"], float) >= 0.03)
    assert decoded.counts == {"TEST": 5}
    (reports,) = decoded.reports
    assert reports.nodes[""].columns["SID"].tolist() == [b"STATION3", b"STATION4"]
    level = reports.nodes["LEVEL"]
    assert reports.nodes[""].columns["SID"][level.parent].tolist() == [
        b"STATION%d" % i for i in (3, 4) for _ in range(i if how != "compressed" else 1)
    ]
    assert level.parent.tolist() == sorted(level.parent.tolist())


@pytest.mark.parametrize("how", ["counted", "plain", "compressed"])
def test_only_wanted_elements_and_types(how: str) -> None:
    subsets = SUBSETS if how != "compressed" else SUBSETS[:1]
    content = b"".join(file(PLACE, subsets, how=how))
    (reports,) = decode(content, "made", elements={"TOB"}).reports
    assert list(reports.nodes[""].columns) == []
    assert list(reports.nodes["LEVEL"].columns) == ["TOB"]
    none = decode(content, "made", types={"OTHER"})
    assert none.reports == ()
    assert none.counts == {"TEST": len(subsets)}


def test_missing_text_and_numbers() -> None:
    subsets: list[list] = [[b"\xff" * 8, (1 << 16) - 1, [[(1 << 14) - 1, 0]]]]
    (reports,) = decode(b"".join(file(PLACE, subsets)), "made").reports
    assert reports.nodes[""].columns["SID"].tolist() == [b""]
    assert np.isnan(reports.nodes[""].columns["XOB"].astype(float)).all()
    assert np.isnan(reports.nodes["LEVEL"].columns["POB"].astype(float)).all()
    assert reports.nodes["LEVEL"].columns["TOB"].tolist() == [-273.2]


@pytest.mark.parametrize("wrapped", ["plain", "big", "little", "gzip", "two gzip members", "padded"])
def test_containers(wrapped: str) -> None:
    messages = file(PLACE, SUBSETS)
    content = {
        "plain": b"".join(messages),
        "big": records(messages, "big"),
        "little": records(messages, "little"),
        "gzip": gzip.compress(records(messages)),
        "two gzip members": gzip.compress(messages[0]) + gzip.compress(b"".join(messages[1:])),
        "padded": b"\r\n" + b"\0\0".join(messages) + b"\0" * 5,
    }[wrapped]
    same(decode(content, "made"), PLACE, SUBSETS)


def test_ancestor_goes_up_only() -> None:
    inner = Loop("EVENT", "348002", "031001", (Field("048003", "POB", 14, 1),))
    layout: Layout = (Field("048002", "XOB", 16), Loop("LEVEL", "348001", "031001", (Field("048005", "CAT", 6), inner)))
    subsets: list[list] = [[1, [[1, [[5], [6]]], [2, []]]], [2, [[3, [[7]]]]]]
    (reports,) = decode(b"".join(file(layout, subsets)), "made").reports
    assert reports.ancestor("LEVEL/EVENT", "LEVEL").tolist() == [0, 0, 2]
    assert reports.ancestor("LEVEL/EVENT", "").tolist() == [0, 0, 1]
    with pytest.raises(KeyError):
        reports.ancestor("LEVEL", "LEVEL/EVENT")


def test_nothing_but_tables_is_refused() -> None:
    with pytest.raises(InputError, match="no report"):
        decode(file(PLACE, SUBSETS)[0], "made")
