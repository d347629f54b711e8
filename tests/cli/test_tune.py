"""`kaiseki tune`: known errors come back as TOML that an experiment takes; later windows and withheld stations count
for nothing."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from archive import runs
from assimilation.test_estimate import LENGTH, windows
from kaiseki.cli.main import main
from kaiseki.config import Experiment
from kaiseki.observations import Table

CYCLES = 10
UNTIL = "1989-01-02T12:00Z"
"""The end of the eighth window."""


def made(folder: Path, tables: list[Table]) -> Path:
    """A run whose cycles after the cold start hold these tables."""
    folder.mkdir()
    values = {
        "case": {"name": "tuned", "kind": "twin"},
        "domain": {"preset": "japan-60km"},
        "period": {"cold_start": "1989-01-01T12:00Z", "end": "1989-01-02T18:00Z"},
    }
    Experiment.from_mapping(values).save(folder / "experiment.toml")
    with runs.create(folder / "analysis.store", CYCLES) as store:
        for number in range(CYCLES + 1):
            with store.cycle(store.cycle_times[number]) as out:
                for hour in range(3 * number - 2, 3 * number + 1) if number else (0,):
                    out.write_fields("forecast", runs.times(CYCLES)[hour], runs.forecast_fields(hour))
                out.write_fields("analysis", store.cycle_times[number], runs.analysis_fields(number))
                out.write_observations(tables[max(number - 1, 0)].to_arrow())
                out.write_restart(runs.restart(number))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tables = windows(CYCLES)
    # What lies beyond --until, and what is withheld, is nonsense that would be seen in the result.
    wild = [table.with_columns(background_departure=100.0 * table.column("background_departure")) for table in tables]
    aside = [table.with_columns(withheld=True, station="ASIDE") for table in wild]
    joined = [Table.concat([table, one]) for table, one in zip(tables, aside, strict=True)]
    return made(tmp_path_factory.mktemp("tune") / "run", joined[:8] + wild[8:])


def test_known_errors_come_back(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", str(run), "--until", UNTIL, "--balance", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["windows"]) == 8
    cycled = found["assimilation"]["cycled"]
    assert cycled["length"] == pytest.approx(LENGTH, rel=0.2)
    by_quantity = {row["quantity"]: row["error"] for row in found["observations"]["errors"]}
    assert np.mean(by_quantity["eastward_wind"]) == pytest.approx(2.0, rel=0.15)
    assert np.mean(by_quantity["air_temperature"]) == pytest.approx(1.0, rel=0.15)


def test_what_is_printed_is_taken_by_an_experiment(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", str(run), "--until", UNTIL]) == 0
    found = tomllib.loads(capsys.readouterr().out)
    values = Experiment.load(run / "experiment.toml").as_mapping()
    before = values["assimilation"]["cycled"]
    values["assimilation"]["cycled"] = {**before, **found["assimilation"]["cycled"]}
    values["observations"]["errors"] = found["observations"]["errors"]
    after = Experiment.from_mapping(values).assimilation.cycled
    assert np.interp(np.log(50_000.0), *_rising(after.pressure, after.wind)) == pytest.approx(3.0, rel=0.2)
    assert list(after.humidity) == before["humidity"]


def _rising(pressure: tuple[float, ...], values: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    return np.log(pressure[::-1]), np.array(values[::-1])


def test_a_time_before_the_first_window_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", str(run), "--until", "1989-01-01T12:00Z"]) == 3
    assert "give a later time" in capsys.readouterr().err
