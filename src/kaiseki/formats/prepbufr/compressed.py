"""Compressed messages: each element holds a least value and the increments of all subsets (FM 94, 94.6.3.2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kaiseki.formats.prepbufr.bits import BitBuffer
from kaiseki.formats.prepbufr.lanes import LaneError, characters, scaled
from kaiseki.formats.prepbufr.reports import Node
from kaiseki.formats.prepbufr.template import ROOT, Group, Repeat, Template, TemplateColumn

WIDTH_BITS = 6
"""Bits that give the width of the increments: in bits for numbers, in octets for texts."""


class CompressedDecoder:
    """Decodes the subsets of one compressed message.

    Args:
        bits: the file.
        template: what the subsets hold.
        wanted: whether the values of a mnemonic are kept; all others are stepped over.
    """

    def __init__(self, bits: BitBuffer, template: Template, wanted: Callable[[str], bool]) -> None:
        self.bits = bits
        self.template = template
        self.wanted = wanted

    def decode(self, start: int, stop: int, subsets: int) -> tuple[dict[str, Node], int]:
        """Decode `subsets` subsets between the bits `start` and `stop`; also gives the bit where they end.

        Raises:
            LaneError: the message ends too early or its replication factors differ between subsets.
        """
        self.position, self.stop, self.subsets = start, stop, subsets
        self.parents: dict[str, list[int]] = {path: [] for path in (ROOT, *self.template.parents)}
        self.indices: dict[str, list[int]] = {path: [] for path in self.parents}
        self.columns: dict[str, dict[str, list[NDArray[np.generic]]]] = {path: {} for path in self.parents}
        for path, group in self.template.groups():
            for column in group.columns:
                if self.wanted(column.element.mnemonic):
                    self.columns[path][column.name] = []
        self.parents[ROOT].append(0)
        self.indices[ROOT].append(0)
        self._run(self.template.steps, ROOT, 0)
        return self._nodes(), self.position

    def _run(self, steps: list[Group | Repeat], path: str, row: int) -> None:
        for step in steps:
            if isinstance(step, Group):
                for column in step.columns:
                    self._column(column, path)
            else:
                self._repeat(step, row)

    def _number(self, width: int, what: str) -> int:
        if self.position + width > self.stop:
            raise LaneError(0, self.position, f"the message ends within {what}")
        value = int(self.bits.unsigned(np.array([self.position]), width)[0])
        self.position += width
        return value

    def _increments(self, width: int, what: str) -> NDArray[np.int64]:
        if self.position + width * self.subsets > self.stop:
            raise LaneError(0, self.position, f"the message ends within {what}")
        places = self.position + width * np.arange(self.subsets)
        self.position += width * self.subsets
        return places

    def _raw(self, width: int, what: str) -> NDArray[np.uint64]:
        least = np.uint64(self._number(width, what))
        extra = self._number(WIDTH_BITS, what)
        if extra > width:
            raise LaneError(0, self.position, f"increments of {extra} bits in {what}, expected at most {width}")
        if not extra:
            return np.full(self.subsets, least)
        increment = self.bits.unsigned(self._increments(extra, what), extra)
        missing = np.uint64((1 << width) - 1)
        return np.where(increment == np.uint64((1 << extra) - 1), missing, (least + increment) & missing)

    def _column(self, column: TemplateColumn, path: str) -> None:
        element, what = column.element, f"{path or 'its header'} ({column.name})"
        values: NDArray[np.generic]
        if element.is_text:
            values = characters(self._octets(element.width // 8, what))
        else:
            values = scaled(self._raw(element.width, what), element)
        if column.name in self.columns[path]:
            self.columns[path][column.name].append(values)

    def _octets(self, length: int, what: str) -> NDArray[np.uint64]:
        common = np.array([self._number(8, what) for _ in range(length)], dtype=np.uint64)
        each = self._number(WIDTH_BITS, what)
        if not each:
            return np.tile(common, (self.subsets, 1))
        if each > length:
            raise LaneError(0, self.position, f"texts of {each} characters in {what}, expected at most {length}")
        places = self._increments(8 * each, what)
        octets = np.full((self.subsets, length), ord(" "), dtype=np.uint64)
        octets[:, :each] = self.bits.unsigned(places[:, None] + 8 * np.arange(each), 8)
        return octets

    def _repeat(self, step: Repeat, row: int) -> None:
        count = step.count
        if step.count_bits:
            factors = self._raw(step.count_bits, f"the replication factor of {step.path}")
            if (factors != factors[0]).any():
                raise LaneError(0, self.position, f"the subsets differ in the replication factor of {step.path}")
            count = int(factors[0])
        # Asked before anything is stored, so that a damaged factor cannot fill the memory.
        if self.position + count * step.least_bits > self.stop:
            raise LaneError(0, self.position, f"the message ends within the repetitions of {step.path}")
        for k in range(count):
            own = len(self.parents[step.path])
            self.parents[step.path].append(row)
            self.indices[step.path].append(k)
            self._run(step.body, step.path, own)

    def _nodes(self) -> dict[str, Node]:
        nodes: dict[str, Node] = {}
        for path, parents in self.parents.items():
            rows, above = len(parents), 1 if path == ROOT else len(self.parents[self.template.parents[path]])
            subset = np.repeat(np.arange(self.subsets), rows)
            parent = np.tile(np.array(parents, dtype=np.int64), self.subsets) + subset * above
            index = np.tile(np.array(self.indices[path], dtype=np.int64), self.subsets)
            columns = {
                name: np.stack(parts, axis=1).reshape(-1) if parts else np.zeros(0)
                for name, parts in self.columns[path].items()
            }
            nodes[path] = Node(parent, index, columns)
        return nodes
