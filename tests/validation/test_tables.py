"""The tables of the documents: what they say is what the files say.

What went wrong, or may: a page that still has the numbers of an earlier run; a baseline that is left out; a comparison
with another engine that passes for one with the default; rows of a handful of values; twins and the real case in one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaiseki.verification.departures import NEEDED, Departures
from validation import engines, tables


@pytest.mark.parametrize("name", tables.DOCUMENTS)
def test_the_tables_of_a_document_are_those_of_the_files(name: str, root: Path) -> None:
    text = (root / name).read_text(encoding="utf-8")
    assert text.count("<!-- table: ") == text.count("<!-- end of table -->") == len(tables.BLOCK.findall(text)) > 0
    assert tables.filled(text) == text, f"{name} is behind its files; run python -m validation.tables --write"


def test_every_table_stands_in_a_document(root: Path) -> None:
    text = "".join((root / name).read_text(encoding="utf-8") for name in tables.DOCUMENTS)
    assert {name for _, name, _, _ in tables.BLOCK.findall(text)} == tables.TABLES.keys()


def given(monkeypatch: pytest.MonkeyPatch, **files: Any) -> None:
    monkeypatch.setattr(tables, "read", lambda name: json.loads(json.dumps(files[Path(name).stem])))


def row(baseline: str, n: int, ratio: float) -> dict[str, Any]:
    """The default engine against a baseline in surface pressure at 00Z."""
    head = {"baseline": baseline, "variable": "surface_air_pressure", "time": "1989-01-02T00:00Z", "level": None}
    return head | {"n": n, "rms": 100.0, "ratio": ratio, "low": ratio - 0.1, "high": ratio + 0.1}


def card(baseline: str, n: int, reduction: float) -> dict[str, Any]:
    """A row of the cross-validation."""
    kept = row(baseline, n, 1.0 - reduction)
    ends = {"reduction": reduction, "reduction_low": reduction - 0.1, "reduction_high": reduction + 0.1}
    return kept | ends | {"experiment": "analysis", "against": "withheld", "baseline_rms": 100.0 / (1.0 - reduction)}


def test_reductions_have_their_interval_the_right_way_round(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"engine": tables.DEFAULT, "folds": [row("free_run", 50, 0.75), row("driving", 40, 1.25)]}
    given(monkeypatch, engines={"default_engine": known})
    head, _, line = tables.default_engine("folds").splitlines()
    assert "less than no assimilation, % | less than driving fields, %" in head
    assert line == "| surface pressure, 00Z (Pa) | 50 | 100.0 | 25 (15 to 35) | -25 (-35 to -15), n = 40 |"


def test_driving_fields_compared_with_another_engine_are_named_so(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"engine": tables.DEFAULT, "folds": [row("free_run", 50, 0.75)]}
    study = {"engine": "3dfgat", "scorecard": [card("driving", 40, 0.2), card("free_run", 40, 0.3)]}
    given(monkeypatch, engines={"default_engine": known}, japan_1989_crossval=study)
    head, _, line = tables.default_engine("folds").splitlines()
    assert "driving fields (of 3D-FGAT)" in head
    assert line.endswith("| 25 (15 to 35) | 20 (10 to 30), n = 40 |")


def test_few_values_make_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"engine": tables.DEFAULT, "folds": [row("free_run", 14, 0.5), row("driving", 14, 0.5)]}
    given(monkeypatch, engines={"default_engine": known})
    assert len(tables.default_engine("folds").splitlines()) == 2


def test_a_group_that_was_not_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, engines={"scores": {}, "seconds": {}})
    assert tables.engines("twin-2") == tables.default_engine("twin-2") == tables.not_run("twin-2")


def departures(names: list[str], size: dict[str, float]) -> Departures:
    """Departures of 40 barometers of 20 stations: a pattern of its own times the size of each experiment."""
    pattern = np.random.default_rng(3).standard_normal(40)
    columns: dict[str, np.ndarray] = {name: np.zeros(40) for name in NEEDED}
    columns |= {"time": np.full(40, "1989-01-02T00", "datetime64[s]"), "kind": np.full(40, "synop")}
    columns |= {"station": np.repeat(np.arange(20).astype(str), 2), "quantity": np.full(40, "surface_pressure")}
    columns |= {"withheld": np.ones(40, bool), "flags": np.zeros(40, np.int64), "value": np.arange(40.0)}
    return Departures(columns, {name: size[name] * pattern for name in names})


def test_a_fold_keeps_the_driving_fields_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ratios of errors that are known: 0.5 of the driving fields, 0.25 of the free run, 0.8 of 3D-FGAT."""
    size = {"3dfgat": 1.25, "hybrid": 1.0, "free_run": 4.0, "optimal_interpolation": 1.0, "driving": 2.0}
    asked = []

    def of_runs(folders: dict[str, Path], time: np.datetime64, baselines: Any = engines.BASELINES) -> Departures:
        asked.append((*folders, *baselines))
        return departures([*folders, *baselines], size)

    monkeypatch.setattr(engines, "KEPT", tmp_path)
    monkeypatch.setattr(engines, "DEFAULT", "hybrid")
    monkeypatch.setattr(engines, "departures_of", of_runs)
    engines.keep_fold("fold-0", {"3dfgat": tmp_path, "hybrid": tmp_path})
    assert asked[:2] == [
        ("3dfgat", "hybrid", "free_run", "optimal_interpolation"),
        ("3dfgat", "hybrid", "driving"),
    ]
    found = {
        one["baseline"]: one["ratio"]
        for one in engines.default_of_folds(["fold-0"])
        if one["variable"] == "surface_air_pressure" and one["time"] == engines.TIMES[0]
    }
    wanted = {"3dfgat": 0.8, "free_run": 0.25, "optimal_interpolation": 1.0, "driving": 0.5}
    assert found == pytest.approx(wanted, rel=1e-5)
    # The table of all engines stays without them.
    assert "driving" not in {one["experiment"] for one in engines.table_of_folds(["fold-0"])}
