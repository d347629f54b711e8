"""What a decoded message type looks like: one table per replication, rows tied to the row they lie in."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kaiseki.formats.prepbufr.tables import Tables
from kaiseki.formats.prepbufr.template import ROOT


@dataclass(frozen=True)
class Node:
    """The repetitions of one replication over all reports of a type.

    Attributes:
        parent: (n,) row of the parent node in which the repetition lies; rising. For the root the row itself.
        index: (n,) number of the repetition within its parent row, from 0. In a stack of events 0 is the latest.
        columns: (n,) values by mnemonic in the units of the file: float64 with NaN for missing, or bytes `S` with
            b"" for missing. A mnemonic that comes again at the same level has "#2", "#3", ... behind it.
    """

    parent: NDArray[np.int64]
    index: NDArray[np.int64]
    columns: dict[str, NDArray[np.generic]]

    def __len__(self) -> int:
        return int(self.parent.size)


@dataclass(frozen=True)
class Reports:
    """All decoded reports of one message type.

    Attributes:
        type: mnemonic of Table A, e.g. "ADPUPA".
        category: data category of the type.
        tables: the tables with which the reports were decoded.
        nodes: the root under "" (one row per report), each replication under its path, e.g.
            "PRSLEVEL/P___INFO/P__EVENT".
        message: (reports,) number of the message in the file.
        ordinal: (reports,) number of the report among all of its type in the file, chosen or not, from 0.
        cycle: (reports,) time of section 1, datetime64[s], UTC.
    """

    type: str
    category: int
    tables: Tables
    nodes: dict[str, Node]
    message: NDArray[np.int64]
    ordinal: NDArray[np.int64]
    cycle: np.ndarray

    def __len__(self) -> int:
        return len(self.nodes[ROOT])

    def ancestor(self, path: str, upper: str) -> NDArray[np.int64]:
        """Rows (n,) of the node `upper` in which the rows of the node `path` lie.

        Raises:
            KeyError: `upper` is not above `path`.
        """
        rows = np.arange(len(self.nodes[path]))
        while path != upper:
            if path == ROOT:
                raise KeyError(upper)
            rows = self.nodes[path].parent[rows]
            path = path.rpartition("/")[0]
        return rows


def join(parts: list[Reports]) -> Reports:
    """Reports of one type one after the other."""
    first = parts[0]
    nodes: dict[str, Node] = {}
    for path, node in first.nodes.items():
        upper = path.rpartition("/")[0]
        shifts = np.cumsum([0, *(len(part.nodes[upper]) for part in parts[:-1])])
        pieces = [part.nodes[path] for part in parts]
        nodes[path] = Node(
            np.concatenate([piece.parent + shift for piece, shift in zip(pieces, shifts, strict=True)]),
            np.concatenate([piece.index for piece in pieces]),
            {name: np.concatenate([piece.columns[name] for piece in pieces]) for name in node.columns},
        )
    message, ordinal, cycle = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("message", "ordinal", "cycle")
    )
    return replace(first, nodes=nodes, message=message, ordinal=ordinal, cycle=cycle)


def select(reports: Reports, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Reports:
    """Some reports (a mask or row numbers, in the order given) with everything that lies in them."""
    chosen = np.arange(len(reports))[rows]
    new_row = {ROOT: _renumbered(chosen, len(reports))}
    nodes = {ROOT: Node(np.arange(chosen.size), np.zeros(chosen.size, np.int64), _taken(reports.nodes[ROOT], chosen))}
    for path, node in reports.nodes.items():
        if path == ROOT:
            continue
        parent = new_row[path.rpartition("/")[0]][node.parent]
        inside = np.flatnonzero(parent >= 0)
        order = inside[np.argsort(parent[inside], kind="stable")]
        new_row[path] = _renumbered(order, len(node))
        nodes[path] = Node(parent[order], node.index[order], _taken(node, order))
    message, ordinal, cycle = (values[chosen] for values in (reports.message, reports.ordinal, reports.cycle))
    return replace(reports, nodes=nodes, message=message, ordinal=ordinal, cycle=cycle)


def _renumbered(chosen: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    place = np.full(total, -1, dtype=np.int64)
    place[chosen] = np.arange(chosen.size)
    return place


def _taken(node: Node, rows: NDArray[np.int64]) -> dict[str, NDArray[np.generic]]:
    return {name: values[rows] for name, values in node.columns.items()}
