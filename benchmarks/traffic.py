"""Memory traffic of a compiled program, counted from its optimised HLO: what every kernel reads and writes, times how
often it runs. Caches are not known of: it is what the kernels ask for, not what the memory delivers."""

from __future__ import annotations

import re
from functools import cache

SIZES = {"f64": 8, "s64": 8, "u64": 8, "f32": 4, "s32": 4, "u32": 4, "bf16": 2, "f16": 2, "pred": 1, "s8": 1, "u8": 1}
SHAPE = re.compile(r"\b(f64|s64|u64|f32|s32|u32|bf16|f16|pred|s8|u8)\[([\d,]*)\]")
LINE = re.compile(r"^\s*(?:ROOT )?%?([\w.\-]+) = (.*?) ([\w\-]+)\((.*)$")
FREE = {
    "parameter",
    "constant",
    "get-tuple-element",
    "tuple",
    "bitcast",
    "opt-barrier",
    "after-all",
    "iota",
    "partition-id",
}


def _bytes(text: str) -> int:
    total = 0
    for kind, dims in SHAPE.findall(text):
        n = 1
        for d in filter(None, dims.split(",")):
            n *= int(d)
        total += n * SIZES[kind]
    return total


class Program:
    """The computations of an HLO text."""

    def __init__(self, text: str) -> None:
        self.computations: dict[str, list[tuple[str, str, str, str]]] = {}
        self.entry, name = "", ""
        for line in text.splitlines():
            head = re.match(r"^(ENTRY )?%?([\w.\-]+) .*\{$", line)
            if head and " = " not in line.split("{")[0]:
                name = head.group(2)
                self.computations[name] = []
                self.entry = name if head.group(1) else self.entry
            elif (match := LINE.match(line)) and name:
                self.computations[name].append(match.groups())  # type: ignore[arg-type]
        self._cost = cache(self._count)

    def traffic(self) -> float:
        """Bytes read and written in one run."""
        return self._cost(self.entry)

    def kernels(self) -> float:
        """Kernels started in one run."""
        return self._started(self.entry)

    def _started(self, name: str) -> float:
        total = 0.0
        for _, _, op, rest in self.computations[name]:
            if op == "while":
                total += self._trips(rest) * self._started(self._called(rest, "body"))
            elif op == "call":
                total += self._started(self._called(rest, "to_apply"))
            elif op not in FREE:
                total += 1.0
        return total

    @staticmethod
    def _called(rest: str, key: str) -> str:
        match = re.search(key + r"=%?([\w.\-]+)", rest)
        assert match, rest
        return match.group(1)

    @staticmethod
    def _trips(rest: str) -> int:
        match = re.search(r'known_trip_count":\{"n":"(\d+)"', rest)
        return int(match.group(1)) if match else 1

    def _count(self, name: str) -> float:
        shapes = {n: s for n, s, _, _ in self.computations[name]}
        total = 0.0
        for _, shape, op, rest in self.computations[name]:
            if op in FREE:
                continue
            if op == "while":
                total += self._trips(rest) * self._cost(self._called(rest, "body"))
            elif op == "call":
                total += self._cost(self._called(rest, "to_apply"))
            elif op == "conditional":
                branches = re.findall(r"%([\w.\-]+)", re.sub(r"^.*?branch_computations=\{", "", rest).split("}")[0])
                total += max((self._cost(b) for b in branches if b in self.computations), default=0.0)
            elif op == "fusion":
                total += self._fusion(self._called(rest, "calls"), shape)
            elif op in {"dynamic-update-slice", "dynamic-slice", "slice"}:
                names = re.findall(r"%([\w.\-]+)", rest.split(")")[0])
                part = shapes.get(names[1], shape) if op == "dynamic-update-slice" and len(names) > 1 else shape
                total += 2 * _bytes(part)
            else:
                names = re.findall(r"%([\w.\-]+)", rest.split(")")[0])
                total += _bytes(shape) + sum(_bytes(shapes.get(n, "")) for n in names)
        return total

    def _fusion(self, name: str, shape: str) -> float:
        """Operands as far as they are read, and the output as far as it is written."""
        body = self.computations[name]
        shapes = {n: s for n, s, _, _ in body}
        read: dict[str, float] = {n: 0.0 for n, _, op, _ in body if op == "parameter"}
        whole: set[str] = set()
        written = float(_bytes(shape))
        for n, s, op, rest in body:
            used = re.findall(r"%([\w.\-]+)", rest.split(")")[0]) if op != "parameter" else []
            if op == "dynamic-update-slice" and n == body[-1][0] and len(used) > 1:
                written = float(_bytes(shapes[used[1]]))
                used = used[1:]
            for u in used:
                if u not in read:
                    continue
                if op in {"slice", "dynamic-slice"}:
                    read[u] += _bytes(s)
                else:
                    whole.add(u)
        return written + sum(_bytes(shapes[n]) if n in whole else min(v, _bytes(shapes[n])) for n, v in read.items())
