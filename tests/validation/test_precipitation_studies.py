"""Studies of precipitation: the rules by which they choose, and scores of sums against scores of all values.

What may go wrong: a month or a day that is chosen by what is missing; scores of resampled days that are not those of
the values; methods compared at different places; numbers that JSON does not have; pinned packages that are not
pinned.
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from validation.precipitation_methods import OURS, plain, rows

from kaiseki.precipitation.data import HOUR, Gauges
from kaiseki.precipitation.scores import LEVELS, Predicted, table
from validation import precipitation_month as month
from validation import precipitation_tables as tables

RNG = np.random.default_rng(5)


def gauges(start: str, hours: int, stations: int = 30) -> Gauges:
    """Gauges with rain in every hour but those that end at 15 UTC, which are not in the file."""
    time = np.datetime64(start, "s") + HOUR * np.arange(1, hours + 1)
    time = time[(time - time.astype("datetime64[D]")) != 15 * HOUR]
    return Gauges(
        station=np.arange(stations).astype(str),
        lat=RNG.uniform(34.0, 36.0, stations),
        lon=RNG.uniform(135.0, 140.0, stations),
        time=time,
        amount=RNG.gamma(0.5, 1.0, (time.size, stations)),
    )


def test_the_month_is_the_wettest_of_those_that_are_there() -> None:
    known = gauges("2024-05-01", 24 * 91)
    months = known.time.astype("datetime64[M]")
    amount = np.array(known.amount)
    amount[months == np.datetime64("2024-06")] *= 2.0
    amount[months == np.datetime64("2024-07")] *= 3.0
    whole = replace(known, amount=amount)
    assert month.chosen_month(whole) == np.datetime64("2024-07")
    broken = np.array(amount)
    broken[np.flatnonzero(months == np.datetime64("2024-07"))[::10]] = np.nan
    assert month.chosen_month(replace(known, amount=broken)) == np.datetime64("2024-06")


def test_hours_of_a_month_end_in_it_or_at_its_end() -> None:
    hours = month.hours_of(np.datetime64("2025-02"))
    assert hours.size == 28 * 24
    assert str(hours[0]) == "2025-02-01T01:00:00"
    assert str(hours[-1]) == "2025-03-01T00:00:00"


def test_the_day_is_the_wettest_of_those_without_another_gap() -> None:
    known = gauges("2024-05-01", 24 * 31)
    day = (known.time - HOUR).astype("datetime64[D]")
    amount = np.array(known.amount)
    amount[day == np.datetime64("2024-05-10")] *= 5.0
    amount[day == np.datetime64("2024-05-20")] *= 3.0
    amount[np.flatnonzero(day == np.datetime64("2024-05-10"))[3]] = np.nan
    chosen = month.chosen_day(replace(known, amount=amount), month.hours_of(np.datetime64("2024-05")))
    assert chosen == np.datetime64("2024-05-20")


def test_scores_of_sums_are_those_of_the_values() -> None:
    observed = RNG.gamma(0.3, 4.0, 900)
    mean = observed * RNG.lognormal(0.0, 0.5, 900)
    one = Predicted(mean, mean * LEVELS[:, None] * 2.0)
    by_day = month.sums(observed, one, np.repeat(np.arange(9), 100))
    found = month.scores_of(by_day.sum(axis=0)[None])
    wanted = table(observed, one, month.THRESHOLDS)
    for name, value in found.items():
        assert value[0] == pytest.approx(wanted[name], rel=1e-9), name


def test_methods_are_scored_where_all_say_something() -> None:
    observed = RNG.gamma(0.5, 2.0, 60)
    near, far = observed + 0.1, observed + 1.0
    lacking = np.where(np.arange(60) < 20, np.nan, far)
    found = rows(observed, {"raw radar": Predicted(lacking), OURS: Predicted(near)}, np.arange(60) // 3, draws=50)
    assert {one["places"] for one in found.values()} == {40}
    assert found[OURS]["scores"]["rmse"] == pytest.approx(0.1)
    assert found["raw radar"]["rmse_of_analysis_over_this"][0] == pytest.approx(0.1)
    again = json.loads(json.dumps(plain(found), allow_nan=False))
    assert again[OURS]["scores"]["coverage_80"] is None
    head, lines = tables.methods(again)
    assert head[0] == "n = 40"
    assert {len(line) for line in lines} == {len(head)}
    assert lines[0][-1].startswith("0.10 (")


def test_requirements_of_other_tools_are_pinned_and_not_those_of_the_project(root: Path) -> None:
    folder = root / "validation/other_tools"
    pinned = [line for line in (folder / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert all("==" in line for line in pinned)
    asked = [line for line in (folder / "requirements.in").read_text().splitlines() if not line.startswith("#")]
    assert set(asked) <= set(pinned)
    assert not {"wradlib", "mergeplg"} & {
        line.split("==")[0] for line in (root / "requirements.lock").read_text().splitlines()
    }


def test_gauges_of_other_tools_stand_in_the_cells_of_the_radar(root: Path) -> None:
    path = root / "validation/other_tools/predict.py"
    spec = importlib.util.spec_from_file_location("predict", path)
    assert spec is not None
    assert spec.loader is not None
    predict = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(predict)
    data = {
        "x": np.arange(5) * 1000.0,
        "y": 3000.0 - np.arange(4) * 1000.0,
        "gauge_x": np.array([400.0, 2600.0, 4400.0]),
        "gauge_y": np.array([2900.0, 600.0, -300.0]),
    }
    row, column = predict.cell_of(data, np.array([True, False, True]))
    assert row.tolist() == [0, 3]
    assert column.tolist() == [0, 4]
