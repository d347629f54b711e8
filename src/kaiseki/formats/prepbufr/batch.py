"""All messages of a file that share one template, decoded together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kaiseki.core.errors import InputError
from kaiseki.formats.prepbufr.bits import BitBuffer
from kaiseki.formats.prepbufr.compressed import CompressedDecoder
from kaiseki.formats.prepbufr.container import problem
from kaiseki.formats.prepbufr.lanes import LaneDecoder, LaneError
from kaiseki.formats.prepbufr.reports import Node, Reports, join, select
from kaiseki.formats.prepbufr.sections import Message
from kaiseki.formats.prepbufr.tables import Tables
from kaiseki.formats.prepbufr.template import ROOT, Group, Template, least_bits

BYTE_COUNT = "BYTCNT"
"""NCEP's element 0-63-000 at the head of a subset: its length in octets, itself included."""
REMEDY = "fetch the file again"

Ints = NDArray[np.int64]
Keep = Callable[[str, Mapping[str, NDArray[np.generic]], np.ndarray], NDArray[np.bool_]]


@dataclass
class Batch:
    """Messages with the same template.

    Attributes:
        name: the file.
        type: message type.
        tables: of the file, where the messages stand.
        template: what each subset holds.
        content, bits: the uncompressed file.
        messages: in the order of the file, each with at least one subset.
        before: number of reports of the type that stand in the file before each message.
    """

    name: str
    type: str
    tables: Tables
    template: Template
    content: bytes
    bits: BitBuffer
    messages: list[Message] = field(default_factory=list)
    before: list[int] = field(default_factory=list)

    def decode(self, elements: frozenset[str] | None, keep: Keep | None) -> Reports:
        """All reports, or those that `keep` chooses, with the values of `elements` (all if None).

        Raises:
            InputError: a message is damaged.
        """
        wanted = (lambda _: True) if elements is None else elements.__contains__
        if self.messages[0].compressed:
            reports = self._compressed(wanted)
        elif self._has_byte_counts():
            return self._counted(wanted, keep)
        else:
            reports = self._sequential(wanted)
        if keep is None:
            return reports
        return select(reports, keep(self.type, reports.nodes[ROOT].columns, reports.cycle))

    def _has_byte_counts(self) -> bool:
        first = self.template.steps[0] if self.template.steps else None
        return isinstance(first, Group) and first.columns[0].element.mnemonic == BYTE_COUNT

    def _reports(self, nodes: dict[str, Node], of_message: Ints, within: Ints) -> Reports:
        """Reports of the given messages, `within` their numbers there from 0."""
        numbers = np.array([m.span.number for m in self.messages], dtype=np.int64)
        cycles = np.array([m.time for m in self.messages], dtype="datetime64[s]")
        ordinal = np.array(self.before, dtype=np.int64)[of_message] + within
        category = self.messages[0].category
        return Reports(self.type, category, self.tables, nodes, numbers[of_message], ordinal, cycles[of_message])

    def _fail(self, message: Message, position: int, what: str) -> InputError:
        return problem(self.name, message.span.number, position // 8, f"{what} (type {self.type})", REMEDY)

    def _counted(self, wanted: Callable[[str], bool], keep: Keep | None) -> Reports:
        start, stop, of_message, within = self._lanes()
        decoder = LaneDecoder(self.bits, self.template, wanted)
        try:
            if keep is not None:
                everything = LaneDecoder(self.bits, self.template, lambda _: True)
                head = everything.head(start, stop)
                chosen = keep(self.type, head, self._reports({}, of_message, within).cycle)
                start, stop, of_message, within = start[chosen], stop[chosen], of_message[chosen], within[chosen]
            nodes, end = decoder.decode(start, stop)
        except LaneError as error:
            raise self._fail(self.messages[of_message[error.lane]], error.position, str(error)) from error
        wrong = end != stop
        if wrong.any():
            lane = int(np.argmax(wrong))
            left = int(stop[lane] - end[lane])
            raise self._fail(self.messages[of_message[lane]], int(end[lane]), f"a report ends {left} bits early")
        return self._reports(nodes, of_message, within)

    def _lanes(self) -> tuple[Ints, Ints, Ints, Ints]:
        """First and last bit of every subset from the byte counts, the message it is in and its number there."""
        starts: list[int] = []
        stops: list[int] = []
        for message in self.messages:
            place = message.data_start
            for i in range(message.subsets):
                count = int.from_bytes(self.content[place : place + 2], "big")
                if place + count > message.data_stop or count < 2:
                    room = message.data_stop - place
                    what = f"report {i + 1} says it has {count} bytes, expected 2 to {room}"
                    raise self._fail(message, 8 * place, what)
                starts.append(place)
                place += count
                stops.append(place)
            self._check_end(message, 8 * place)
        subsets = np.array([m.subsets for m in self.messages], dtype=np.int64)
        of_message = np.repeat(np.arange(subsets.size), subsets)
        within = np.arange(of_message.size) - (np.cumsum(subsets) - subsets)[of_message]
        return 8 * np.array(starts, np.int64), 8 * np.array(stops, np.int64), of_message, within

    def _check_end(self, message: Message, position: int) -> None:
        left = message.data_stop - (position + 7) // 8
        if left > 1:
            raise self._fail(message, position, f"{left} bytes are left over behind the last report")

    def _sequential(self, wanted: Callable[[str], bool]) -> Reports:
        """Without byte counts a subset starts where the one before it ends: the n-th of all messages at a time."""
        place = np.array([8 * m.data_start for m in self.messages], dtype=np.int64)
        stop = np.array([8 * m.data_stop for m in self.messages], dtype=np.int64)
        subsets = np.array([m.subsets for m in self.messages], dtype=np.int64)
        decoder = LaneDecoder(self.bits, self.template, wanted)
        least = least_bits(self.template.steps)
        for message, room in zip(self.messages, stop - place, strict=True):
            if message.subsets * least > room:
                what = f"{message.subsets} reports need at least {message.subsets * least} bits, {room} are there"
                raise self._fail(message, 8 * message.data_start, what)
        parts: list[Reports] = []
        for i in range(int(subsets.max())):
            lanes = np.flatnonzero(subsets > i)
            try:
                nodes, place[lanes] = decoder.decode(place[lanes], stop[lanes])
            except LaneError as error:
                raise self._fail(self.messages[lanes[error.lane]], error.position, str(error)) from error
            parts.append(self._reports(nodes, lanes, np.full(lanes.size, i)))
        for message, end in zip(self.messages, place, strict=True):
            self._check_end(message, int(end))
        joined = join(parts)
        return select(joined, np.argsort(joined.message, kind="stable"))

    def _compressed(self, wanted: Callable[[str], bool]) -> Reports:
        parts: list[Reports] = []
        decoder = CompressedDecoder(self.bits, self.template, wanted)
        for i, message in enumerate(self.messages):
            try:
                nodes, end = decoder.decode(8 * message.data_start, 8 * message.data_stop, message.subsets)
            except LaneError as error:
                raise self._fail(message, error.position, str(error)) from error
            self._check_end(message, end)
            parts.append(self._reports(nodes, np.full(message.subsets, i), np.arange(message.subsets)))
        return join(parts)
