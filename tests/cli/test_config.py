from __future__ import annotations

import json
from pathlib import Path

import pytest

from kaiseki.cli import main
from kaiseki.config import Experiment

TOML = """
[case]
name = "small-twin"
kind = "twin"
[domain]
preset = "japan-60km"
[period]
cold_start = 1989-01-01T12:00:00Z
end = 1989-01-02T06:00:00Z
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "twin.toml"
    path.write_text(TOML)
    return path


def test_show_prints_a_file_that_says_the_same(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", str(file)]) == 0
    shown = file.with_name("shown.toml")
    shown.write_text(capsys.readouterr().out)
    assert len(shown.read_text()) > 4 * len(TOML)
    assert Experiment.load(shown) == Experiment.load(file)


def test_show_for_machines_says_the_same(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", str(file), "--json"]) == 0
    assert Experiment.from_mapping(json.loads(capsys.readouterr().out)) == Experiment.load(file)


def test_check_says_what_would_run(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(file)]) == 0
    assert (
        "small-twin (twin), japan-60km, 1989-01-01T12:00Z to 1989-01-02T06:00Z, 6 cycles of 3 h"
        in capsys.readouterr().out
    )
    assert main(["config", "check", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cycles"] == 6


def test_check_refuses_an_unknown_key(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(TOML + "windw_hours = 3\n")
    assert main(["config", "check", str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"kaiseki: {file}: unknown key period.windw_hours; did you mean period.window_hours?\n"


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    assert "Period" in json.loads(capsys.readouterr().out)["$defs"]
