"""The table of published cases: `validation/results.json`, one row per measured quantity, and the figures beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
FIGURES = HERE / "figures"


@dataclass(frozen=True)
class Row:
    """One measured quantity beside what was published.

    Args:
        case: name of the script, without `.py`.
        quantity: what was measured, with its unit.
        ours: our value.
        published: the value of the source, or the bound that `source` explains.
        source: paper with table, figure or equation, or the law that the value follows from.
        passed: whether it meets the criterion written in `criterion`.
        criterion: in words, e.g. "within 5 %" or "at least".
    """

    case: str
    quantity: str
    ours: float
    published: float
    source: str
    passed: bool
    criterion: str


def within(case: str, quantity: str, ours: float, published: float, source: str, share: float) -> Row:
    """A row that passes when ours differs from the published value by at most `share` of it."""
    good = abs(ours - published) <= share * abs(published)
    return Row(case, quantity, float(ours), float(published), source, bool(good), f"within {100 * share:g} %")


def at_least(case: str, quantity: str, ours: float, bound: float, source: str) -> Row:
    """A row that passes when ours is not below the bound."""
    return Row(case, quantity, float(ours), float(bound), source, bool(ours >= bound), "at least")


def at_most(case: str, quantity: str, ours: float, bound: float, source: str) -> Row:
    """A row that passes when ours is not above the bound."""
    return Row(case, quantity, float(ours), float(bound), source, bool(ours <= bound), "at most")


def record(rows: list[Row]) -> None:
    """Print the rows of one case and put them into the table in place of its earlier ones."""
    table = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    cases = {row.case for row in rows}
    table = [row for row in table if row["case"] not in cases]
    for row in rows:
        print(
            f"{'pass' if row.passed else 'FAIL'}  {row.case}: {row.quantity} {row.ours:.6g}, {row.criterion} "
            f"{row.published:.6g} ({row.source})",
            flush=True,
        )
        entry = asdict(row) | {"difference": row.ours - row.published}
        entry["pass"] = entry.pop("passed")
        table.append(entry)
    table.sort(key=lambda row: row["case"])
    RESULTS.write_text(json.dumps(table, indent=1) + "\n")
