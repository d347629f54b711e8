"""Scores of a run with known errors, from its stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kaiseki.archive import open_archive
from kaiseki.archive.run import Run
from kaiseki.report.tables import rejections
from kaiseki.verification import dry_total_energy
from kaiseki.verification.run import Judgement, comparable, departures_at, judge
from kaiseki.verification.truth import TRUTH_LEVELS
from report import synthetic

LAST = np.datetime64("1989-01-01T18:00", "s")


def test_departures_are_those_of_the_tables(twin: Path):
    run = Run(twin)
    departures = departures_at(run, LAST)
    assert departures is not None
    assert set(departures.values) == {"analysis", "background", "optimal_interpolation", "free_run", "driving"}
    made = synthetic.tables(run.domain, 2)
    table = made["free_run"].to_pydict()
    known = dict(zip(table["value"], table["background_departure"], strict=True))
    for value, departure in zip(departures.columns["value"], departures.values["free_run"], strict=True):
        assert departure == known[value]
    assert 0 < len(departures) < len(table["value"])  # what lies in the rim is left out


def test_the_order_of_the_errors_is_found(judged: Judgement):
    for against, variable, level in (
        ("truth", "dry_total_energy", "1000-200"),
        ("truth", "surface_air_pressure", None),
        ("withheld", "wind", "850-250"),
    ):
        rms = {
            row["experiment"]: row["rms"]
            for row in judged.rows
            if (row["against"], row["variable"], row["level"]) == (against, variable, level)
            and row["time"] == "1989-01-01T18:00Z"
        }
        order = sorted(rms, key=lambda name: rms[name])
        assert order == ["analysis", "optimal_interpolation", "background", "driving", "free_run"]
    card = {(row["baseline"], row["variable"]): row for row in judged.truth_card if row["time"] == "1989-01-01T18:00Z"}
    assert card["free_run", "dry_total_energy"]["verdict"] == "better"
    assert card["free_run", "dry_total_energy"]["reduction"] > 0.4


def test_the_norm_is_that_of_the_fields(twin: Path, judged: Judgement):
    run = Run(twin)
    fields = [comparable(run.fields(name, LAST), run.domain, run.domain) for name in ("truth", "free_run")]  # type: ignore[arg-type]
    difference = {name: fields[0][name] - fields[1][name] for name in ("u", "v", "temperature", "surface_pressure")}
    energy = dry_total_energy(difference, np.array(TRUTH_LEVELS), run.domain.inside_rim)
    row = next(
        row
        for row in judged.rows
        if (row["experiment"], row["variable"], row["time"]) == ("free_run", "dry_total_energy", "1989-01-01T18:00Z")
    )
    assert row["rms"] == pytest.approx(np.sqrt(energy))


def test_background_and_analysis_fields_are_told_apart(twin: Path):
    run = Run(twin)
    before, after = run.fields("analysis", LAST, background=True), run.fields("analysis", LAST)
    assert before is not None
    assert after is not None
    expected = open_archive(twin / "analysis.store", "background").sel(time=LAST)["temperature"].values
    np.testing.assert_array_equal(before["temperature"].values, expected)
    assert not np.array_equal(before["temperature"].values, after["temperature"].values)
    assert run.fields("analysis", LAST + np.timedelta64(1, "h")) is None
    assert run.fields("nothing", LAST) is None


def test_a_truth_on_a_finer_grid(tmp_path: Path):
    """The same analytic state on two grids differs by interpolation only, far less than by an error of the state."""
    coarse, fine = synthetic.domain((16, 14, 16), 150e3), synthetic.domain((16, 26, 30), 90e3)
    states = {}
    for name, where, error in (("coarse", coarse, 0.0), ("fine", fine, 0.0), ("wrong", coarse, 1.0)):
        path = synthetic.write_fields_only(tmp_path / f"{name}.store", where, error)
        states[name] = comparable(open_archive(path).isel(time=0), where, coarse)

    def norm(one: str, other: str) -> float:
        difference = {key: states[one][key] - states[other][key] for key in states[one]}
        return float(np.sqrt(dry_total_energy(difference, np.array(TRUTH_LEVELS), coarse.inside_rim)))

    assert norm("coarse", "fine") < 0.25 * norm("coarse", "wrong")


def test_the_time_of_the_soundings(twin: Path):
    run = Run(twin)
    assert run.main_time == LAST
    assert len(run.observed_cycles) == 3


def test_the_cold_start_is_never_what_is_judged_first(tmp_path: Path):
    """Nothing is assimilated there, whatever soundings it has."""
    run = Run(synthetic.make_run(tmp_path / "short", stores=("analysis",), cycles=2))
    assert run.observed_cycles[0] == run.experiment.period.first
    assert run.analysed_cycles == run.observed_cycles[1:]
    first = run.table("analysis", run.observed_cycles[0])
    assert first is not None
    assert (first["kind"] == "sonde").any()
    others = [run.table("analysis", time) for time in run.analysed_cycles]
    for table in others:
        assert table is not None
        table["kind"][table["kind"] == "sonde"] = "ship"
    assert run.main_time == run.observed_cycles[-1]
    values = sum(int(row["values"].replace(" ", "")) for row in rejections(run))
    assert values == sum(len(table["kind"]) for table in others if table is not None)


def test_scores_come_out_the_same_again(twin: Path, judged: Judgement):
    assert judge(Run(twin)).rows == judged.rows
