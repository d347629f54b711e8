"""Templates: the descriptors of section 3 compiled, once per type, to a program of fixed groups of bits and
replications."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from kaiseki.formats.prepbufr.tables import Element, Tables, text

ROOT = ""
MOST_ELEMENTS = 20_000
"""More elements in one template than any real one has: beyond it the tables are damaged."""
DEEPEST = 32
COUNT_CLASS = 31
WIDEST_NUMBER = 64


class TemplateError(Exception):
    """The descriptors or tables make no sense or ask for something not supported; the text says what."""


@dataclass(frozen=True)
class TemplateColumn:
    """A value at a fixed place of a group: `offset` bits after the group's start; `element` as operators changed it."""

    name: str
    offset: int
    element: Element


@dataclass
class Group:
    """Neighbouring values of fixed width."""

    columns: list[TemplateColumn] = field(default_factory=list)
    bits: int = 0


@dataclass
class Repeat:
    """A replication: `count_bits` wide factor in the data, or a fixed `count` where that is 0.

    Attributes:
        path: names of the replications from the root to this one, joined by "/".
        least_bits: bits that one repetition needs at least.
    """

    path: str
    count_bits: int
    count: int
    body: list[Group | Repeat]
    least_bits: int


@dataclass
class Template:
    """The compiled program of a message type.

    Attributes:
        steps: what to read, in order.
        parents: path of every replication and the path it lies in, parents first.
    """

    steps: list[Group | Repeat]
    parents: dict[str, str]

    def groups(self) -> Iterator[tuple[str, Group]]:
        """Every group with the path of the node it belongs to, in order."""
        yield from _groups(self.steps, ROOT)


def _groups(steps: list[Group | Repeat], path: str) -> Iterator[tuple[str, Group]]:
    for step in steps:
        if isinstance(step, Group):
            yield path, step
        else:
            yield from _groups(step.body, step.path)


@dataclass(frozen=True)
class _Operators:
    width: int = 0
    scale: int = 0
    combined: int = 0
    text_characters: int = 0


class _Compiler:
    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.parents: dict[str, str] = {}
        self.elements = 0
        self.operators = _Operators()
        self.local_width = 0

    def compile(self, descriptors: list[int], path: str, names: dict[str, int]) -> list[Group | Repeat]:
        steps: list[Group | Repeat] = []
        queue = self.splice(descriptors, 0)
        while queue:
            descriptor = queue.pop(0)
            f, x, y = descriptor >> 14, descriptor >> 8 & 63, descriptor & 255
            if f == 3 and not self.local_width:
                queue[:0] = self.splice(self.members(descriptor), 0)
            elif f == 2 and not self.local_width:
                if x == 5:
                    characters = Element("characters", "", "CCITT IA5", 0, 0, 8 * y)
                    self.append(steps, names, replace(characters, mnemonic=f"characters {y}"))
                else:
                    self.operate(descriptor, x, y)
            elif f == 1 and not self.local_width:
                steps.append(self.repeat(queue, x, y, path))
            elif f == 0:
                self.append(steps, names, self.element(descriptor))
            else:
                raise TemplateError(f"descriptor {text(descriptor)} cannot follow operator 206")
        return steps

    def splice(self, descriptors: list[int], depth: int) -> list[int]:
        """Replace sequences that end in a replication without its body, which applies to what follows them."""
        if depth > DEEPEST:
            raise TemplateError(f"sequences of Table D lie more than {DEEPEST} deep, probably within themselves")
        result: list[int] = []
        for descriptor in descriptors:
            if descriptor >> 14 == 3:
                members = self.members(descriptor)
                if _open_ended(members):
                    result.extend(self.splice(members, depth + 1))
                    continue
            result.append(descriptor)
        return result

    def members(self, descriptor: int) -> list[int]:
        if descriptor not in self.tables.sequences:
            raise TemplateError(f"descriptor {text(descriptor)} is not in Table D of the file")
        self.count()
        return list(self.tables.sequences[descriptor].members)

    def count(self) -> None:
        self.elements += 1
        if self.elements > MOST_ELEMENTS:
            raise TemplateError(f"the template has more than {MOST_ELEMENTS} elements")

    def element(self, descriptor: int) -> Element:
        entry = self.tables.elements.get(descriptor)
        if self.local_width:
            if entry is None:
                entry = Element(text(descriptor), "", "NUMERIC", 0, 0, self.local_width)
            entry, self.local_width = replace(entry, width=self.local_width), 0
            return entry
        if entry is None:
            raise TemplateError(f"descriptor {text(descriptor)} is not in Table B of the file")
        return self.changed(entry)

    def changed(self, entry: Element) -> Element:
        now = self.operators
        if entry.is_text:
            return replace(entry, width=8 * now.text_characters) if now.text_characters else entry
        if entry.units in ("CODE TABLE", "FLAG TABLE"):
            return entry
        scale, reference, width = entry.scale + now.scale, entry.reference, entry.width + now.width
        if now.combined:
            scale += now.combined
            reference *= 10**now.combined
            width += (10 * now.combined + 2) // 3
        return replace(entry, scale=scale, reference=reference, width=width)

    def operate(self, descriptor: int, x: int, y: int) -> None:
        if x == 1:
            self.operators = replace(self.operators, width=y - 128 if y else 0)
        elif x == 2:
            self.operators = replace(self.operators, scale=y - 128 if y else 0)
        elif x == 6 and y:
            self.local_width = y
        elif x == 7:
            self.operators = replace(self.operators, combined=y)
        elif x == 8:
            self.operators = replace(self.operators, text_characters=y)
        else:
            raise TemplateError(f"operator {text(descriptor)} is not supported, known are 201, 202, 205 to 208")

    def append(self, steps: list[Group | Repeat], names: dict[str, int], element: Element) -> None:
        self.count()
        if element.is_text and element.width % 8:
            raise TemplateError(f"text element {element.mnemonic} has {element.width} bits, expected whole characters")
        if element.width < 1 or (not element.is_text and element.width > WIDEST_NUMBER):
            raise TemplateError(f"element {element.mnemonic} has {element.width} bits, expected 1 to {WIDEST_NUMBER}")
        if abs(element.scale) > 100:
            raise TemplateError(f"element {element.mnemonic} has scale {element.scale}, expected -100 to 100")
        if not steps or isinstance(steps[-1], Repeat):
            steps.append(Group())
        group = steps[-1]
        assert isinstance(group, Group)
        names[element.mnemonic] = names.get(element.mnemonic, 0) + 1
        times = names[element.mnemonic]
        name = element.mnemonic if times == 1 else f"{element.mnemonic}#{times}"
        group.columns.append(TemplateColumn(name, group.bits, element))
        group.bits += element.width

    def repeat(self, queue: list[int], members: int, count: int, path: str) -> Repeat:
        count_bits = 0
        if count == 0:
            factor = queue.pop(0) if queue else 0
            if factor >> 14 or factor >> 8 != COUNT_CLASS:
                raise TemplateError(f"a delayed replication is followed by {text(factor)}, expected 0-31-YYY")
            count_bits = self.element(factor).width
            if not 1 <= count_bits <= 32:
                raise TemplateError(f"the replication factor {text(factor)} has {count_bits} bits, expected 1 to 32")
        body, queue[:members] = queue[:members], []
        if not members or len(body) < members:
            raise TemplateError(f"a replication of {members} descriptors is followed by {len(body)}")
        name = self.name(body[0])
        own_path, times = f"{path}/{name}" if path else name, 1
        while own_path in self.parents:
            times += 1
            own_path = f"{path}/{name}#{times}" if path else f"{name}#{times}"
        if own_path.count("/") > DEEPEST:
            raise TemplateError(f"replications lie more than {DEEPEST} deep")
        self.parents[own_path] = path
        before = self.operators
        steps = self.compile(body, own_path, {})
        if self.operators != before or self.local_width:
            raise TemplateError(f"an operator within the replication {own_path} is not ended within it")
        least = least_bits(steps)
        if least < 1:
            raise TemplateError(f"the replication {own_path} can have no bits at all")
        return Repeat(own_path, count_bits, count, steps, least)

    def name(self, descriptor: int) -> str:
        entry = self.tables.sequences.get(descriptor) or self.tables.elements.get(descriptor)
        return (entry.mnemonic if entry else text(descriptor)).replace("/", "|")


def _open_ended(members: list[int]) -> bool:
    if len(members) >= 1 and members[-1] >> 14 == 1 and members[-1] & 255:
        return True
    return len(members) >= 2 and members[-2] >> 14 == 1 and not members[-2] & 255 and members[-1] >> 8 == COUNT_CLASS


def least_bits(steps: list[Group | Repeat]) -> int:
    """Bits that a program needs when every delayed replication is empty."""
    total = 0
    for step in steps:
        if isinstance(step, Group):
            total += step.bits
        else:
            total += step.count_bits + step.count * step.least_bits
    return total


def compile_template(tables: Tables, descriptors: tuple[int, ...]) -> Template:
    """Compile the descriptors of section 3.

    Raises:
        TemplateError: a descriptor is in no table, an operator is not supported, or the tables are damaged.
    """
    compiler = _Compiler(tables)
    steps = compiler.compile(list(descriptors), ROOT, {})
    if least_bits(steps) < 1:
        raise TemplateError("its descriptors ask for no bits at all")
    return Template(steps, dict(compiler.parents))
