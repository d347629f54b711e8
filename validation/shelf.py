"""The table of published cases: `validation/results.json`, one row per measured quantity, and the figures beside it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
FIGURES = HERE / "figures"

type Basis = Literal["published", "law", "peer", "chosen"]
"""What the number of a row rests on: it stands in the source; it follows from an exact solution, a conservation law or
a definition; another program was run; or it is a bound of our own, for which a reason must be given."""


@dataclass(frozen=True)
class Source:
    """Where the number of a row comes from.

    Args:
        text: paper with table, figure or equation, the public file that quotes it where the paper was not at hand, or
            the law that the value follows from.
        basis: kind of source, see `Basis`.
        reason: why the bound or the tolerance lies where it does; needed where it was chosen.
        provisional: what has not been looked up and is given from memory; empty where all has been.
    """

    text: str
    basis: Basis
    reason: str = ""
    provisional: str = ""

    def __post_init__(self) -> None:
        if not self.text or (self.basis == "chosen" and not self.reason):
            raise ValueError(f"source {self.text!r}: a source needs its text, and a chosen bound its reason")


@dataclass(frozen=True)
class Row:
    """One measured quantity beside what was published.

    Args:
        case: name of the script, without `.py`.
        quantity: what was measured, with its unit.
        ours: our value.
        published: the value of the source, or the bound that `source` explains.
        source: where that value comes from.
        criterion: in words that `meets` understands: "within 5 %", "at least" or "at most".
        null_value: the value that a model would have that does nothing, where there is one; the criterion excludes it.
    """

    case: str
    quantity: str
    ours: float
    published: float
    source: Source
    criterion: str
    null_value: float | None = None

    def __post_init__(self) -> None:
        if self.null_value is not None and meets(self.criterion, self.null_value, self.published):
            raise ValueError(
                f"{self.case}: {self.quantity}: doing nothing ({self.null_value:g}) is {self.criterion} "
                f"{self.published:g}; give a bound that excludes it"
            )

    @property
    def passed(self) -> bool:
        """Whether our value meets the criterion."""
        return meets(self.criterion, self.ours, self.published)

    def entry(self) -> dict[str, object]:
        """The row as it stands in the table."""
        head = {name: getattr(self, name) for name in ("case", "quantity", "ours", "published")}
        source = asdict(self.source)
        tail = {"criterion": self.criterion, "null_value": self.null_value}
        difference = {"difference": self.ours - self.published, "pass": self.passed}
        return head | {"source": source.pop("text")} | source | tail | difference


def meets(criterion: str, value: float, published: float) -> bool:
    """Whether a value is within so many per cent of the published one, at least or at most the bound; never where it is
    not a finite number."""
    if not math.isfinite(value):
        return False
    match criterion.split():
        case ["at", "least"]:
            return value >= published
        case ["at", "most"]:
            return value <= published
        case ["within", share, "%"]:
            return abs(value - published) <= 0.01 * float(share) * abs(published)
    raise ValueError(f"criterion {criterion!r}: expected 'at least', 'at most' or 'within <number> %'")


def within(case: str, quantity: str, ours: float, published: float, source: Source, share: float) -> Row:
    """A row that passes when ours differs from the published value by at most `share` of it."""
    return Row(case, quantity, float(ours), float(published), source, f"within {100 * share:g} %")


def at_least(
    case: str, quantity: str, ours: float, bound: float, source: Source, null_value: float | None = None
) -> Row:
    """A row that passes when ours is not below the bound."""
    return Row(case, quantity, float(ours), float(bound), source, "at least", null_value)


def at_most(
    case: str, quantity: str, ours: float, bound: float, source: Source, null_value: float | None = None
) -> Row:
    """A row that passes when ours is not above the bound."""
    return Row(case, quantity, float(ours), float(bound), source, "at most", null_value)


def record(rows: list[Row]) -> None:
    """Print the rows of one case and put them into the table in place of its earlier ones."""
    table = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    cases = {row.case for row in rows}
    table = [row for row in table if row["case"] not in cases]
    for row in rows:
        remark = f"; provisional: {row.source.provisional}" if row.source.provisional else ""
        print(
            f"{'pass' if row.passed else 'FAIL'}  {row.case}: {row.quantity} {row.ours:.6g}, {row.criterion} "
            f"{row.published:.6g} ({row.source.text}{remark})",
            flush=True,
        )
        table.append(row.entry())
    table.sort(key=lambda row: row["case"])
    RESULTS.write_text(json.dumps(table, indent=1) + "\n")
