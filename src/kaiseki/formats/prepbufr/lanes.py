"""Uncompressed subsets decoded side by side: one lane per subset, all lanes take each step of the template together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kaiseki.formats.prepbufr.bits import BitBuffer
from kaiseki.formats.prepbufr.reports import Node
from kaiseki.formats.prepbufr.tables import Element
from kaiseki.formats.prepbufr.template import ROOT, Group, Repeat, Template

Ints = NDArray[np.int64]
Values = NDArray[np.generic]


class LaneError(Exception):
    """A lane ran past its end; `lane` is its number, `position` the bit where it was."""

    def __init__(self, lane: int, position: int, what: str) -> None:
        super().__init__(what)
        self.lane, self.position = lane, position


@dataclass
class _Rows:
    """The rows of one node as they come, in order of decoding."""

    parent: list[Ints] = field(default_factory=list)
    index: list[Ints] = field(default_factory=list)
    count: int = 0

    def add(self, parent: Ints, index: int) -> Ints:
        rows = np.arange(self.count, self.count + parent.size)
        self.count += parent.size
        self.parent.append(parent)
        self.index.append(np.full(parent.size, index))
        return rows


class _Plan:
    """The wanted columns of a group as arrays, and what was read of them, one matrix (rows, columns) per step."""

    def __init__(self, group: Group, wanted: Callable[[str], bool]) -> None:
        columns = [c for c in group.columns if wanted(c.element.mnemonic)]
        self.numbers = [c for c in columns if not c.element.is_text]
        self.texts = [c for c in columns if c.element.is_text]
        self.offsets = np.array([c.offset for c in self.numbers], dtype=np.int64)
        self.widths = np.array([c.element.width for c in self.numbers], dtype=np.int64)
        octets = [c.offset + 8 * np.arange(c.element.width // 8) for c in self.texts]
        self.octets = np.concatenate(octets) if octets else np.zeros(0, np.int64)
        self.read_numbers: list[NDArray[np.uint64]] = [np.zeros((0, len(self.numbers)), np.uint64)]
        self.read_octets: list[NDArray[np.uint64]] = [np.zeros((0, self.octets.size), np.uint64)]

    def read(self, bits: BitBuffer, position: Ints) -> None:
        if self.numbers:
            self.read_numbers.append(bits.unsigned(position[:, None] + self.offsets, self.widths))
        if self.texts:
            self.read_octets.append(bits.unsigned(position[:, None] + self.octets, 8))

    def columns(self) -> dict[str, Values]:
        numbers = np.concatenate(self.read_numbers)
        octets = np.concatenate(self.read_octets)
        found: dict[str, Values] = {c.name: scaled(numbers[:, i], c.element) for i, c in enumerate(self.numbers)}
        first = 0
        for column in self.texts:
            length = column.element.width // 8
            found[column.name] = characters(octets[:, first : first + length])
            first += length
        return found


def scaled(raw: NDArray[np.uint64], element: Element) -> NDArray[np.float64]:
    """Numbers from raw bits; all ones is missing, except in one bit, where nothing can be missing."""
    missing = np.uint64((1 << element.width) - 1)
    value = raw.astype(np.float64) + float(element.reference)
    # Dividing by a power of ten gives the double nearest to the decimal number, multiplying by 0.1 does not.
    value = value / 10.0**element.scale if element.scale >= 0 else value * 10.0**-element.scale
    if element.width > 1:
        value[raw == missing] = np.nan
    return value


def characters(octets: NDArray[np.uint64]) -> Values:
    """Texts from (n, length) octets without the blanks behind them; all ones is missing, given as b""."""
    joined = np.ascontiguousarray(octets.astype(np.uint8))
    joined[(joined == 0xFF).all(axis=1)] = 0
    length = joined.shape[1]
    return np.char.rstrip(joined.view(f"S{length}").reshape(len(joined)), b" \0")


class LaneDecoder:
    """Decodes subsets that start at given bits with one template.

    Args:
        bits: the file.
        template: what the subsets hold.
        wanted: whether the values of a mnemonic are kept; all others are stepped over.
    """

    def __init__(self, bits: BitBuffer, template: Template, wanted: Callable[[str], bool]) -> None:
        self.bits = bits
        self.template = template
        self.wanted = wanted

    def decode(self, start: Ints, stop: Ints) -> tuple[dict[str, Node], Ints]:
        """Decode subsets that start at bit `start` and must not go beyond bit `stop`; also gives where they end.

        Raises:
            LaneError: a subset goes beyond its `stop`.
        """
        self._prepare(start, stop)
        lanes = np.arange(start.size)
        self._run(self.template.steps, ROOT, lanes, self.rows[ROOT].add(lanes, 0))
        return self._nodes(), self.position

    def head(self, start: Ints, stop: Ints) -> dict[str, Values]:
        """Decode the values before the first replication alone.

        Raises:
            LaneError: a subset goes beyond its `stop`.
        """
        self._prepare(start, stop)
        for step in self.template.steps[:1]:
            if isinstance(step, Group):
                self._group(step, ROOT, np.arange(start.size))
        return self._columns(ROOT)

    def _prepare(self, start: Ints, stop: Ints) -> None:
        self.position, self.stop = start.copy(), stop
        self.rows = {path: _Rows() for path in (ROOT, *self.template.parents)}
        self.plans = {id(g): (path, _Plan(g, self.wanted)) for path, g in self.template.groups()}

    def _columns(self, path: str) -> dict[str, Values]:
        columns: dict[str, Values] = {}
        for owner, plan in self.plans.values():
            if owner == path:
                columns |= plan.columns()
        return columns

    def _run(self, steps: list[Group | Repeat], path: str, lanes: Ints, rows: Ints) -> None:
        for step in steps:
            if isinstance(step, Group):
                self._group(step, path, lanes)
            else:
                self._repeat(step, lanes, rows)

    def _take(self, lanes: Ints, bits: Ints | int, what: str) -> Ints:
        """Position of the next `bits` of each lane, after making sure that they are there."""
        position = self.position[lanes]
        beyond = position + bits > self.stop[lanes]
        if beyond.any():
            lane = int(lanes[np.argmax(beyond)])
            raise LaneError(lane, int(self.position[lane]), f"the report ends within {what}")
        return position

    def _group(self, group: Group, path: str, lanes: Ints) -> None:
        position = self._take(lanes, group.bits, f"{path or 'its header'} ({group.columns[0].name} ...)")
        self.plans[id(group)][1].read(self.bits, position)
        self.position[lanes] = position + group.bits

    def _repeat(self, step: Repeat, lanes: Ints, rows: Ints) -> None:
        if step.count_bits:
            position = self._take(lanes, step.count_bits, f"the replication factor of {step.path}")
            count = self.bits.unsigned(position, step.count_bits).astype(np.int64)
            self.position[lanes] = position + step.count_bits
        else:
            count = np.full(lanes.size, step.count)
        some = count > 0
        if not some.all():
            lanes, rows, count = lanes[some], rows[some], count[some]
        if not lanes.size:
            return
        # Asked before anything is stored, so that a damaged factor cannot fill the memory.
        self._take(lanes, count * step.least_bits, f"the repetitions of {step.path}")
        node = self.rows[step.path]
        for k in range(int(count.max())):
            if k:
                more = count > k
                if not more.all():
                    lanes, rows, count = lanes[more], rows[more], count[more]
            self._run(step.body, step.path, lanes, node.add(rows, k))

    def _nodes(self) -> dict[str, Node]:
        nodes: dict[str, Node] = {}
        place: dict[str, Ints] = {}
        for path, rows in self.rows.items():
            parent = np.concatenate(rows.parent) if rows.parent else np.zeros(0, np.int64)
            index = np.concatenate(rows.index) if rows.index else np.zeros(0, np.int64)
            if path != ROOT:
                parent = place[self.template.parents[path]][parent]
            order = np.lexsort((index, parent))
            place[path] = np.empty_like(order)
            place[path][order] = np.arange(order.size)
            columns = {name: values[order] for name, values in self._columns(path).items()}
            nodes[path] = Node(parent[order], index[order], columns)
        return nodes
