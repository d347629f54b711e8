"""Table messages (data category 11): a file's own Tables A, B and D, themselves written in BUFR."""

from __future__ import annotations

import numpy as np

from kaiseki.formats.prepbufr.bits import BitBuffer
from kaiseki.formats.prepbufr.container import problem
from kaiseki.formats.prepbufr.lanes import LaneDecoder, LaneError
from kaiseki.formats.prepbufr.reports import Node
from kaiseki.formats.prepbufr.sections import Message
from kaiseki.formats.prepbufr.tables import MNEMONIC_CHARACTERS, Element, Sequence, Tables, number, of_table_messages
from kaiseki.formats.prepbufr.template import ROOT, TemplateError, compile_template

REMEDY = "fetch the file again, or take one that carries its BUFR tables"


def extend(tables: Tables, message: Message, bits: BitBuffer, name: str) -> Tables:
    """The tables with what one table message adds or replaces.

    Raises:
        InputError: the message cannot be read or an entry in it is not one.
    """
    number_of = message.span.number
    try:
        template = compile_template(of_table_messages(), message.descriptors)
        if message.compressed or message.subsets != 1:
            raise TemplateError(f"a table message has {message.subsets} subsets, expected one, not compressed")
        start, stop = np.array([8 * message.data_start]), np.array([8 * message.data_stop])
        nodes, end = LaneDecoder(bits, template, lambda _: True).decode(start, stop)
        if message.data_stop - int(end[0]) // 8 > 1:
            raise TemplateError(f"{message.data_stop - int(end[0]) // 8} bytes are left over behind the tables")
        return _extended(tables, nodes)
    except LaneError as error:
        raise problem(name, number_of, error.position // 8, f"the tables are cut off: {error}", REMEDY) from error
    except TemplateError as error:
        raise problem(name, number_of, message.data_start, f"the BUFR tables are damaged: {error}", REMEDY) from error


def _extended(tables: Tables, nodes: dict[str, Node]) -> Tables:
    types, elements, sequences = dict(tables.types), dict(tables.elements), dict(tables.sequences)
    for path, node in nodes.items():
        if path == ROOT:
            continue
        rows = [
            dict(zip(node.columns, row, strict=True)) for row in zip(*map(_texts, node.columns.values()), strict=True)
        ]
        if "type" in node.columns:
            types |= {_integer(row["type"], "data category"): _split(row["type line 1"])[0] for row in rows}
        elif "units" in node.columns:
            elements |= {_descriptor(row): _element(row) for row in rows}
        elif "name line 1" in node.columns or "characters 64" in node.columns:
            members: list[list[int]] = [[] for _ in rows]
            for child_path, child in nodes.items():
                if child_path.startswith(f"{path}/"):
                    for parent, member in zip(child.parent, _texts(child.columns["member"]), strict=True):
                        members[parent].append(_number(member))
            for row, listed in zip(rows, members, strict=True):
                sequences[_descriptor(row)] = Sequence(*_split(row["characters 64"]), tuple(listed))
    return Tables(types, elements, sequences)


def _texts(values: np.ndarray) -> list[str]:
    return [value.decode("latin-1") for value in values]


def _split(text: str) -> tuple[str, str]:
    return text[:MNEMONIC_CHARACTERS].strip(), text[MNEMONIC_CHARACTERS:].strip()


def _element(row: dict[str, str]) -> Element:
    mnemonic, description = _split(row["name line 1"].ljust(32) + row["name line 2"])
    return Element(
        mnemonic=mnemonic,
        description=description,
        units=row["units"].strip(),
        scale=_signed(row["scale sign"], row["scale"], "scale"),
        reference=_signed(row["reference sign"], row["reference"], "reference value"),
        width=_integer(row["width"], "width"),
    )


def _descriptor(row: dict[str, str]) -> int:
    return _number(row["F"] + row["X"] + row["Y"])


def _number(text: str) -> int:
    try:
        return number(text)
    except ValueError as error:
        raise TemplateError(f"expected a descriptor, {error}") from error


def _signed(sign: str, digits: str, what: str) -> int:
    if sign.strip() not in ("+", "-", ""):
        raise TemplateError(f"expected + or - before the {what}, found {sign!r}")
    return -_integer(digits, what) if sign.strip() == "-" else _integer(digits, what)


def _integer(digits: str, what: str) -> int:
    stripped = digits.strip()
    if not (stripped.isascii() and stripped.isdigit()):
        raise TemplateError(f"expected a number for the {what}, found {digits!r}")
    return int(stripped)
