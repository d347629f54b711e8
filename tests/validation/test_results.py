"""The table of published cases: where its numbers come from, and bounds that can fail.

What went wrong, or may: a number from memory that looks like a published one; a bound that a model which does nothing
would meet; a row whose words differ from its script's; a criterion that holds for any value, or for none.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import re
from pathlib import Path

import pytest

from validation import inner_model, shelf

TABLE = json.loads(shelf.RESULTS.read_text())
CASES = sorted({row["case"] for row in TABLE})
WORDS = [field.name for field in dataclasses.fields(shelf.Source) if field.name != "text"]


def rows(case: str) -> list[dict]:
    return [row for row in TABLE if row["case"] == case]


@pytest.mark.parametrize("case", CASES)
def test_every_row_says_what_its_number_rests_on(case: str) -> None:
    for row in rows(case):
        assert row["source"], row
        assert row["criterion"], row
        assert row["basis"] in {"published", "law", "peer", "chosen"}, row
        assert row["reason"], row
        # A number from memory carries the mark that says so, and a published one says where, with a year.
        assert row["provisional"] or "memory" not in f"{row['source']} {row['reason']}", row
        if row["basis"] == "published":
            assert not row["provisional"], row
            assert re.search(r"\((19|20)\d\d", row["source"]), row


@pytest.mark.parametrize("case", CASES)
def test_the_table_says_what_the_script_says(case: str) -> None:
    script = importlib.import_module(f"validation.{case}")
    sources = [value for value in vars(script).values() if isinstance(value, shelf.Source)]
    for row in rows(case):
        assert shelf.Source(row["source"], **{word: row[word] for word in WORDS}) in sources, row


@pytest.mark.parametrize("case", CASES)
def test_a_value_beyond_its_criterion_would_fail(case: str) -> None:
    for row in rows(case):
        criterion, published = row["criterion"], row["published"]
        assert row["pass"] == shelf.meets(criterion, row["ours"], published), row
        assert shelf.meets(criterion, published, published), row
        step = 1e-3 * abs(published)
        assert step > 0.0, row
        share = 0.01 * float(criterion.split()[1]) if criterion.startswith("within") else 0.0
        assert share < 0.25, row
        below, above = published - share * abs(published) - step, published + share * abs(published) + step
        assert shelf.meets(criterion, below, published) == (criterion == "at most"), row
        assert shelf.meets(criterion, above, published) == (criterion == "at least"), row
        assert not shelf.meets(criterion, math.nan, published), row
        if row["null_value"] is not None:
            assert not shelf.meets(criterion, row["null_value"], published), row


def test_errors_relative_to_no_model_at_all_are_bounded_below_one() -> None:
    for row in rows(inner_model.CASE):
        assert row["null_value"] == 1.0
        assert row["published"] < 1.0, row


def test_an_inner_model_or_physics_that_do_nothing_fail() -> None:
    nothing = inner_model.compared({"inner": 1.0, "without physics": 1.0, "nonlinear": 0.36})
    assert [row.passed for row in nothing] == [False, False, True, False]
    assert not any(row.passed for row in inner_model.by_variable({"u": 1.0, "qv": 0.41}))
    # Linearising that costs as much again, in squares, as grid and missing physics: 0.36 sqrt(2).
    poor = inner_model.compared({"inner": 0.3, "without physics": 0.51, "nonlinear": 0.36})
    assert [row.passed for row in poor] == [True, False, True, True]


def test_sources_and_bounds_without_meaning_are_refused() -> None:
    law = shelf.Source("a law", "law")
    with pytest.raises(ValueError, match="its reason"):
        shelf.Source("our bound", "chosen")
    with pytest.raises(ValueError, match="its text"):
        shelf.Source("", "law")
    with pytest.raises(ValueError, match="doing nothing"):
        shelf.at_most("case", "relative error", 0.3, 1.0, law, null_value=1.0)
    with pytest.raises(ValueError, match="criterion 'about right'"):
        shelf.Row("case", "error", 0.3, 1.0, law, "about right").entry()


def test_what_is_provisional_is_seen_in_table_and_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shelf, "RESULTS", tmp_path / "results.json")
    source = shelf.Source("a paper", "chosen", "round number", "not looked up")
    shelf.record([shelf.within("case", "speed", 1.0, 1.2, source, 0.1)])
    assert "provisional: not looked up" in capsys.readouterr().out
    (row,) = json.loads(shelf.RESULTS.read_text())
    assert (row["basis"], row["reason"], row["provisional"]) == ("chosen", "round number", "not looked up")
    assert row["pass"] is False
