"""`kaiseki new`: what it writes is accepted by `config check`, and nonsense is refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kaiseki.cli import main
from kaiseki.config import Experiment

PLACE = ("--center=38.5,-98", "--size", "2400x1800", "--spacing", "60")
PERIOD = ("--start", "2020-05-04T00:00Z", "--hours", "24")
ERA5 = ("--driving", "era5")
GLOBAL = ("--terrain", "static/era5_geopotential_0p25.nc", "--mask", "static/era5_lsm_0p25.nc")


def test_a_new_experiment_is_accepted_and_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "runs" / "kansas.toml"
    assert main(["new", str(file), *PLACE, *PERIOD, *ERA5]) == 0
    said = capsys.readouterr()
    assert "lambert conformal: the middle lies in the middle latitudes of the north" in said.out
    assert "40 x 30 cells of 60 km, 40 levels to 22 km, rim of 5 cells, steps of 300 s" in said.out
    assert "The map shows no coastlines" in said.err
    experiment = Experiment.load(file)
    assert experiment.case.name == "kansas"
    assert experiment.domain.shape == (30, 40)
    assert experiment.domain.standard_parallels == (33.1, 43.9)
    assert experiment.dynamics.time_step == 300.0
    assert experiment.driving.first_guess_files == ("driving/era5/*",)
    assert experiment.observations.files == ("observations/nnja/*",)
    text = file.read_text()
    assert "# The middle lies in the middle latitudes of the north. Map factor 0.99" in text
    assert "# Seconds; what the spacing bears. Its terrain was not at hand" in text
    assert file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert main(["config", "check", str(file), "--data", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "a domain of its own, 2020-05-04T00:00Z to 2020-05-05T00:00Z, 8 cycles of 3 h" in said.out
    assert "GB of memory" in said.out
    assert "global analyses (driving.first_guess_files = driving/era5/*): missing" in said.out
    assert "4 of 5 inputs are missing" in said.out


def test_terrain_at_hand_decides_on_the_time_step(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Himalaya at 20 km asks for a shorter step than the spacing does."""
    file = tmp_path / "nepal.toml"
    place = ("--center=28,84", "--size=800", "--spacing=20")
    assert main(["new", str(file), *place, *PERIOD, *ERA5, *GLOBAL, "--data", str(data), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["terrain"] is True
    assert made["time_step"] == Experiment.load(file).dynamics.time_step
    assert made["time_step"] < 100.0
    assert "shorter than the spacing alone would bear, for terrain up to" in file.read_text()


@pytest.mark.parametrize(
    ("center", "projection"),
    [("-37,147", "lambert_conformal"), ("18S,179E", "mercator"), ("78.5N,16E", "polar_stereographic")],
)
def test_other_places(center: str, projection: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "there.toml"
    assert main(["new", str(file), "--center", center, "--size=2400", "--spacing=60", *PERIOD, *ERA5, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["projection"] == projection
    assert main(["config", "check", str(file), "--json"]) == 0
    checked = json.loads(capsys.readouterr().out)
    assert checked["valid"]
    assert checked["ready"] is False
    assert checked["cost"]["disk"] > 0.0


def test_an_experiment_for_forecasts_alone_needs_no_observations(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "old.toml"
    sample = ("--driving", "driving/era5/era5_tl31_1959010200.nc", *GLOBAL, "--data", str(data))
    period = ("--start", "1959-01-02T00:00Z", "--hours", "6")
    assert main(["new", str(file), *PLACE, *period, *sample, "--steady", "--forecast-only"]) == 0
    experiment = Experiment.load(file)
    assert experiment.driving.steady
    assert not experiment.has_observations
    assert experiment.assimilation.engine == "none"
    assert "# The analysis of the start is held constant" in file.read_text()
    capsys.readouterr()
    assert main(["config", "check", str(file), "--data", str(data), "--json"]) == 0
    checked = json.loads(capsys.readouterr().out)
    assert checked["ready"] is True
    assert "held constant in time" in checked["remarks"][0]
    assert main(["run", str(file), "--data", str(data), "--out", str(tmp_path / "run")]) == 2
    assert "old names no observations, so that there is nothing to analyse" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    both = ("--observations", "a", "--forecast-only", "--force")
    assert main(["new", str(file), *PLACE, *period, *sample, *both]) == 2
    assert "leave --observations out" in capsys.readouterr().err
    # Nothing of this is implied.
    assert main(["new", str(file), *PLACE, *PERIOD, *ERA5, "--force"]) == 0
    assert not Experiment.load(file).driving.steady


def test_a_preset_and_an_experiment_like_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    assert main(["new", str(first), "--preset", "japan-60km", *PERIOD, *ERA5]) == 0
    assert Experiment.load(first).domain.preset == "japan-60km"
    moved = ("--start", "2021-01-01T06:00Z", "--hours", "8", "--driving", "mine/*.nc")
    assert main(["new", str(second), "--like", str(first), *moved]) == 0
    made = Experiment.load(second)
    assert made.domain == Experiment.load(first).domain
    assert made.driving.first_guess_files == ("mine/*.nc",)
    assert made.period.window_hours == 2.0
    assert (made.period.end - made.period.cold_start).total_seconds() == 8 * 3600.0
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((*PLACE, *PERIOD), "needs driving data: give --driving with one of era5"),
        ((*PLACE, *PERIOD, "--driving", "era4"), "There are no driving data 'era4'; did you mean era5?"),
        ((*PLACE, *PERIOD, "--driving", "cfsr"), "is there from 1979-01-01 to 2011-03-31, but 2020-05-04"),
        ((*PLACE, *ERA5), "needs a time: give --start TIME and --hours N"),
        ((*PERIOD, *ERA5), "needs a place: give --center LAT,LON --size KM --spacing KM"),
        (("--center=1,2", *PERIOD, *ERA5), "A new domain needs --size, --spacing as well"),
        (("--center=95,2", *PLACE[1:], *PERIOD, *ERA5), "There is no place at latitude 95"),
        (("--center=Kansas", *PLACE[1:], *PERIOD, *ERA5), "give latitude and longitude in degrees with a comma"),
        (("--center=98W,38N", *PLACE[1:], *PERIOD, *ERA5), "give latitude and longitude in degrees with a comma"),
        ((PLACE[0], "--size=-3", "--spacing=60", *PERIOD, *ERA5), "give kilometres"),
        ((PLACE[0], "--size=300", "--spacing=60", *PERIOD, *ERA5), "takes 4 on each side; take at least 1080 km"),
        ((PLACE[0], "--size=2400", "--spacing=0", *PERIOD, *ERA5), "the model is meant for 0.5 to 200 km"),
        ((PLACE[0], "--size=30000", "--spacing=100", *PERIOD, *ERA5), "too large"),
        ((*PLACE, "--start", "2020-05-04", "--hours", "6", *ERA5), "--start 2020-05-04"),
        ((*PLACE, "--start", "2020-05-04T00:30Z", "--hours", "6", *ERA5), "give a whole hour"),
        ((*PLACE, "--start", "2020-05-04T00:00Z", "--hours", "0", *ERA5), "a run has at least one hour"),
        ((*PLACE, "--start", "1950-05-04T00:00Z", "--hours", "6", *ERA5), "no archive of observations before 1979"),
        ((*PLACE, "--preset", "japan-60km", *PERIOD, *ERA5), "has a place of its own; leave --center and --size"),
        (("--preset", "mars-60km", *PERIOD, *ERA5), "mars-60km"),
    ],
)
def test_nonsense_is_refused_and_nothing_is_written(
    arguments: tuple[str, ...], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", str(tmp_path / "new.toml"), *arguments]) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_not_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("precious")
    assert main(["new", str(file), *PLACE, *PERIOD, *ERA5]) == 2
    assert "exists; give another name, or --force" in capsys.readouterr().err
    assert file.read_text() == "precious"
    assert main(["new", str(file.with_suffix(".json")), *PLACE, *PERIOD, *ERA5]) == 2
    assert "must end in .toml" in capsys.readouterr().err
