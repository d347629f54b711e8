from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kaiseki.cli import main
from kaiseki.config import Experiment
from kaiseki.core import memory
from kaiseki.experiments import size

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


def test_check_ends_with_whether_it_is_ready_and_what_comes_next(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["config", "check", str(file)]) == 0
    ready = f"\nready: everything is there that it needs\nnext: kaiseki run {file}\n"
    assert capsys.readouterr().out.endswith(ready)
    monkeypatch.setattr(size, "total_memory", lambda: 10**9)
    monkeypatch.setattr(memory, "total_memory", lambda: 10**9)
    assert main(["config", "check", str(file)]) == 0
    assert "\nnot ready: it needs about 3 GB of memory and this machine has 1 GB\n" in capsys.readouterr().out
    monkeypatch.undo()
    # Of the files that are missing a source of ours has one.
    file.write_text(REAL.replace("era5.nc", "driving/era5/*"))
    assert main(["config", "check", str(file), "--data", str(file.parent)]) == 0
    end = (
        f"\nnot ready: 2 of 2 inputs are missing\nnext: kaiseki fetch {file} --data {file.parent}\n"
        f"next: put prepbufr/* into {file.parent}, or name other files in {file}\n"
    )
    assert capsys.readouterr().out.endswith(end)
    assert main(["config", "check", str(file)]) == 0
    end = "no data folder is given\n" + "".join(
        f"next: kaiseki {command} {file} --data FOLDER\n" for command in ("config check", "fetch")
    )
    assert capsys.readouterr().out.endswith(end)


def test_check_refuses_an_unknown_key(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(TOML + "windw_hours = 3\n")
    assert main(["config", "check", str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"kaiseki: {file}: unknown key period.windw_hours; did you mean period.window_hours?\n"


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    assert "Period" in json.loads(capsys.readouterr().out)["$defs"]


REAL = """
[case]
name = "real"
kind = "real"
[domain]
preset = "japan-60km"
[period]
cold_start = 1989-01-01T12:00:00Z
end = 1989-01-02T06:00:00Z
[observations]
files = ["prepbufr/*"]
[driving]
first_guess_files = ["era5.nc"]
"""
COARSE = """
[driving.coarse]
spacing = 135000.0
shape = [51, 70]
reference_latitude = 40.0
reference_longitude = 135.0
standard_parallels = [25.0, 55.0]
central_longitude = 135.0
"""


def explicit(**changes: object) -> str:
    """A grid of 20 x 24 cells as the section `domain`."""
    values: dict[str, object] = {
        "spacing": 60e3,
        "shape": [20, 24],
        "reference_latitude": 36.0,
        "reference_longitude": 138.0,
        "standard_parallels": [30.0, 60.0],
        "central_longitude": 140.0,
        "rim_width": 4,
    }
    return "".join(f"{name} = {value}\n" for name, value in (values | changes).items())


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('first_guess_files = ["era5.nc"]', "", 'kind = "real" needs driving.first_guess_files'),
        ("[period]", "standard_parallels = [-30.0, -60.0]\n[period]", "choose standard parallels near to the grid"),
        ("[period]", "rim_width = 40\n[period]", "The rim of 40 cells leaves nothing"),
        ("[period]", "shape = [400, 400]\n[period]", "reaches around the pole"),
        ("[period]", 'terrain = "files"\nterrain_files = ["a.nc"]\n[period]', "needs domain.mask_files"),
        ("[period]", "levels = { top = 9500.0 }\n[period]", "lower terrain_decay"),
        ("[period]", "levels = { number = 2 }\n[period]", "has 2 layers, but the model needs at least 4"),
        ("[period]", "levels = { table = [0, 3, 4000, 12000, 20000] }\n[period]", "is 3.0 m thick"),
        (
            'first_guess_files = ["era5.nc"]',
            'first_guess_files = "era5/*"',
            "driving.first_guess_files = 'era5/*', but must be a list; write first_guess_files = [\"era5/*\"]",
        ),
        ("[period]", "shape = 40\n[period]", "domain.shape = 40, but must be a list; write shape = [40]"),
        ("[period]", "shape = [40, 50, 60]\n[period]", "has 3 values, but must have 2"),
        ("[period]", "levels = [3]\n[period]", "must be a table with keys of its own, [domain.levels]"),
        (
            '["prepbufr/*"]',
            '["prepbufr/*"]\nsources = ["a"]',
            "must be a table, [observations.sources], in which every",
        ),
        (
            "[observations]",
            "[dynamics]\ntime_step = 420.0\n[observations]",
            "does not divide the output interval of 3600",
        ),
        ("[observations]", "[dynamics]\ntime_step = 0.5\n[observations]", "not a whole number of seconds"),
        ("[observations]", "[dynamics]\nacoustic_substeps = 3\n[observations]", "even and at least 2"),
        (
            "[observations]",
            "[dynamics]\ntime_step = 600.0\nacoustic_substeps = 2\n[observations]",
            "too long for sound",
        ),
        ("[driving]", "[driving]\ninterval_hours = 0.7", "does not divide 360 s"),
        ("[driving]", "[driving]\ninterval_hours = 1e18", "driving.interval_hours: 1e+18 hours is more than"),
        (
            "[observations]",
            "[assimilation.four_d_var]\ncoarsening = [1000000000]\n[observations]",
            "cannot be made 1000000000 times coarser",
        ),
        ("[driving]", "[driving]\ninterval_hours = 0.0001", "driving.interval_hours: 0.0001 hours is not a whole"),
        (
            "cold_start = 1989-01-01T12:00:00Z",
            "cold_start = 1989-01-02T05:59:59Z\nwindow_hours = 0.000277777777777778",
            "whole seconds",
        ),
        (
            "[observations]",
            "[physics.schemes.surface]\ncharnok = 1.0\n[observations]",
            "did you mean physics.schemes.surface.charnock?",
        ),
        ('preset = "japan-60km"', explicit(), ""),
        ('preset = "japan-60km"', explicit(shape=[9, 9]), "assimilation.four_d_var.coarsening = 2: "),
        (
            'preset = "japan-60km"',
            explicit(shape=[9, 9]) + '[assimilation]\nengine = "letkf"',
            "assimilation.ensemble.coarsening = 2: ",
        ),
        ('preset = "japan-60km"', explicit(shape=[9, 9]) + '[assimilation]\nengine = "3dfgat"', ""),
        ('["era5.nc"]', '["era5.nc"]\nscales = []' + COARSE, "driving.scales is empty"),
        ('["era5.nc"]', '["era5.nc"]' + COARSE, ""),
        (
            '["era5.nc"]',
            '["era5.nc"]' + COARSE.replace("[51, 70]", "[20, 20]"),
            "domain does not lie inside driving.coarse",
        ),
        (
            '["era5.nc"]',
            '["era5.nc"]' + COARSE + "levels = { top = 19000.0 }",
            "over the outer domain's; lower its top",
        ),
    ],
)
def test_what_can_be_known_without_data_is_refused_by_check_and_run_alike(
    old: str, new: str, sentence: str, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    assert REAL.count(old) == 1
    file.write_text(REAL.replace(old, new))
    assert main(["config", "check", str(file)]) == (2 if sentence else 0)
    words = capsys.readouterr().err
    assert sentence in words
    if sentence:
        assert main(["run", str(file)]) == 2
        assert capsys.readouterr().err == words
        assert not (file.parent / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("12:00:00Z", "12:30:00Z\nwindow_hours = 0.5\noutput_hours = 0.5", "period.cold_start must be whole hours"),
        ("[period]", "[period]\noutput_hours = 0.5", "period.output_hours must be whole hours"),
        ("[period]", "[driving]\ninterval_hours = 0.5\n[period]", "driving.interval_hours must be whole hours"),
        ("[period]", "[twin]\nspacing_factor = 0.0\n[period]", "twin.spacing_factor = 0.0: "),
        (
            "[period]",
            '[twin.physics]\n"surface.charnok" = 1.0\n[period]',
            "There is no constant 'surface.charnok' of the physics",
        ),
        ("[period]", "reference_latitude = 75.0\n[period]", "cannot be placed: "),
    ],
)
def test_a_twin_is_checked_too(
    old: str, new: str, sentence: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(TOML.replace(old, new))
    assert main(["config", "check", str(file)]) == 2
    assert sentence in capsys.readouterr().err


def test_without_jax_the_rest_is_checked_and_said(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kaiseki.experiments.model_checks", None)
    monkeypatch.delattr("kaiseki.experiments.model_checks", raising=False)
    assert main(["config", "check", str(file)]) == 0
    assert "were not checked, for JAX cannot be used; install kaiseki[run]" in capsys.readouterr().err
    assert main(["config", "check", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["complete"] is False
    file.write_text(TOML.replace("[period]", "rim_width = 40\n[period]"))
    assert main(["config", "check", str(file)]) == 2
