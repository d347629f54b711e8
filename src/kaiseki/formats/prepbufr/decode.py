"""A whole PREPBUFR file: tables first, then all messages of a type side by side."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kaiseki.core.errors import InputError
from kaiseki.formats.prepbufr import table_messages
from kaiseki.formats.prepbufr.batch import Batch, Keep
from kaiseki.formats.prepbufr.bits import BitBuffer
from kaiseki.formats.prepbufr.container import load, messages, problem, uncompress
from kaiseki.formats.prepbufr.reports import Reports
from kaiseki.formats.prepbufr.sections import Message, parse
from kaiseki.formats.prepbufr.tables import Tables
from kaiseki.formats.prepbufr.template import TemplateError, compile_template


@dataclass(frozen=True)
class Decoded:
    """What a file holds.

    Attributes:
        name: the file.
        tables: the BUFR tables it carries; where a second dictionary follows on reports, as in files that were put
            together, that one. `Reports.tables` are those that belong to the reports.
        counts: number of reports in the file by message type, whether they were decoded or not.
        cycles: times of section 1 of the messages with reports, rising, each once, UTC.
        repeated: pairs of message numbers, the second the same byte for byte as the first.
        reports: the decoded reports, one entry per message type (more only if the tables change within the file, or
            some messages are compressed and others not).
    """

    name: str
    tables: Tables
    counts: dict[str, int]
    cycles: tuple[datetime, ...]
    repeated: tuple[tuple[int, int], ...]
    reports: tuple[Reports, ...]


def read(
    path: str | Path,
    *,
    types: Collection[str] | None = None,
    elements: Collection[str] | None = None,
    keep: Keep | None = None,
) -> Decoded:
    """Read a PREPBUFR file, plain or gzip.

    Args:
        path: the file.
        types: message types to decode, e.g. {"ADPUPA"}; all by default.
        elements: mnemonics of the values to give, e.g. {"SID", "POB"}; all by default.
        keep: asked with the message type, the values of the report headers (arrays by mnemonic) and the cycle times
            which reports to decode; where lengths are in the file, only those are looked at any further.

    Raises:
        InputError: the file is not PREPBUFR, damaged, incomplete, or uses what is not supported; one sentence with
            file, message number, byte offset, what was expected and what to do.
    """
    return decode(load(path), str(path), types=types, elements=elements, keep=keep)


def decode(
    content: bytes,
    name: str,
    *,
    types: Collection[str] | None = None,
    elements: Collection[str] | None = None,
    keep: Keep | None = None,
) -> Decoded:
    """Decode the bytes of a PREPBUFR file as `read` does; `name` is what errors call it."""
    content = uncompress(content, name)
    bits = BitBuffer(content)
    tables = Tables()
    dictionaries: list[Tables] = []
    ended = False
    table_messages_read = 0
    counts: dict[str, int] = {}
    batches: dict[tuple[object, ...], Batch] = {}
    cycles: set[datetime] = set()
    # The frame of the whole file is checked before anything is decoded, so that a cut is found at once.
    parsed = [parse(content, span, name) for span in messages(content, name)]
    for message in parsed:
        if not message.subsets:
            continue  # NCEP ends each dictionary with a table message of no subset.
        if message.is_table:
            # As in NCEP's library, a dictionary behind reports replaces the one before instead of adding to it.
            tables = table_messages.extend(Tables() if ended else tables, message, bits, name)
            table_messages_read += 1
            ended = False
        else:
            ended = True
            kind = _type(tables, message, name)
            before = counts.get(kind, 0)
            counts[kind] = before + message.subsets
            assert message.time is not None
            cycles.add(message.time)
            if types is not None and kind not in types:
                continue
            # Files put together of parts repeat their dictionary: the reports behind it go on with those before.
            if not any(tables is known for known in dictionaries):
                tables = next((known for known in dictionaries if known == tables), tables)
                dictionaries.append(tables)
            key = (id(tables), kind, message.descriptors, message.compressed)
            if key not in batches:
                batches[key] = _batch(name, kind, message, tables, content, bits)
            batches[key].messages.append(message)
            batches[key].before.append(before)
    if not counts:
        raise InputError(
            f"{name}: holds {table_messages_read} messages with BUFR tables but no report, expected messages with "
            "reports behind them; fetch the file again."
        )
    wanted = None if elements is None else frozenset(elements)
    reports = tuple(batch.decode(wanted, keep) for batch in batches.values())
    return Decoded(name, tables, counts, tuple(sorted(cycles)), _repeated(content, parsed), reports)


def _repeated(content: bytes, parsed: list[Message]) -> tuple[tuple[int, int], ...]:
    """Messages with reports that another one before them equals, byte for byte."""
    first: dict[int, Message] = {}
    found: list[tuple[int, int]] = []
    for message in parsed:
        if message.is_table or not message.subsets:
            continue
        span = message.span
        own = content[span.start : span.stop]
        other = first.setdefault(hash(own), message).span
        if other.number != span.number and content[other.start : other.stop] == own:
            found.append((other.number, span.number))
    return tuple(found)


def _type(tables: Tables, message: Message, name: str) -> str:
    if message.category not in tables.types:
        what = "no table message stands before it" if not tables.types else "Table A of the file does not have it"
        raise problem(
            name,
            message.span.number,
            message.span.start,
            f"the reports are of data category {message.category}, but {what}",
            "take a file that carries its BUFR tables in front",
        )
    return tables.types[message.category]


def _batch(name: str, kind: str, message: Message, tables: Tables, content: bytes, bits: BitBuffer) -> Batch:
    try:
        template = compile_template(tables, message.descriptors)
    except TemplateError as error:
        raise problem(
            name, message.span.number, message.span.start, f"cannot be decoded: {error}", table_messages.REMEDY
        ) from error
    return Batch(name, kind, tables, template, content, bits)
