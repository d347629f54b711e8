"""`kaiseki new`: what it writes is accepted by `config check`, and nonsense is refused in one sentence."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaiseki.acquisition.plan import chosen_sources, make_plan
from kaiseki.cli import main
from kaiseki.config import Experiment
from kaiseki.experiments import new as experiments_new
from kaiseki.experiments import size
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section
from kaiseki.grid.presets import GridSpecification

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
    assert "\nnot ready: 4 of 5 inputs are missing\n" in said.out
    assert said.out.endswith(f"\nnext: kaiseki fetch {file} --data {tmp_path}\n")


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
    assert checked["next"] == [f"kaiseki forecast {file} --from driving --at 1959-01-02T00:00Z --hours 6 --data {data}"]
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
        (("--center=-37S,147E", *PLACE[1:], *PERIOD, *ERA5), "a sign and a letter for one angle; give one of them"),
        (("--center=38,-98W", *PLACE[1:], *PERIOD, *ERA5), "a sign and a letter for one angle; give one of them"),
        (("--center=+38N,98W", *PLACE[1:], *PERIOD, *ERA5), "a sign and a letter for one angle; give one of them"),
        ((*PLACE, "--start", "2020-05-04T00:00Z", "--hours", "24.5", *ERA5), "--hours 24.5: give whole hours"),
        ((*PLACE, "--start", "2020-05-04T00:00Z", "--hours", "inf", *ERA5), "--hours inf: give whole hours"),
        ((*PLACE, "--start", "9999-12-31T23:00Z", "--hours", "6", *ERA5), "end after the year 9999; give fewer"),
        ((*PLACE, "--start", "2020-05-04T00:00Z", "--hours", "1" + 12 * "0", *ERA5), "end after the year 9999"),
        ((*PLACE, "--start", "2999-05-04T00:00Z", "--hours", "6", *ERA5), "2999-05-04 is still to come (today is"),
        ((*PLACE, "--start", "2999-05-04T00:00Z", "--hours", "6", "--driving", "a/*"), "is still to come (today is"),
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


@pytest.mark.parametrize(
    "center",
    ["-37,147", "37S,147E", "37s, 147", "-37，147", "３７S、１４７E", "−37,147"],
)
def test_a_place_in_any_usual_writing(center: str, tmp_path: Path) -> None:
    file = tmp_path / "there.toml"
    assert main(["new", str(file), f"--center={center}", "--size=2400×1800", "--spacing=60", *PERIOD, *ERA5]) == 0
    domain = Experiment.load(file).domain
    assert (domain.reference_latitude, domain.reference_longitude, domain.shape) == (-37.0, 147.0, (30, 40))


def test_driving_data_without_a_sea_get_one_beside_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their plan holds none; before the source of the sea begins the user has to name it."""
    file = tmp_path / "sea.toml"
    coast = ("--center=36,138", *PLACE[1:])
    old, new = (("--hours", "24", "--start", f"{year}-05-04T00:00Z", "--force") for year in (1981, 1982))
    assert main(["new", str(file), *coast, *new, "--driving", "JRA3Q"]) == 0
    driving = Experiment.load(file).driving
    assert driving.first_guess_files == ("driving/jra3q/*",)
    assert driving.sea_temperature_files == driving.sea_ice_files == ("sea/oisst/*",)
    assert "those of OISST, in the same files. Where the domain turns out to hold no sea" in file.read_text().replace(
        "\n# ", " "
    )
    planned = make_plan(Experiment.load(file), chosen_sources(Experiment.load(file), ()))
    assert {"jra3q", "oisst"} <= {one.name for one in planned.sources}
    capsys.readouterr()
    assert main(["new", str(file), *coast, *old, "--driving", "jra55"]) == 0
    words = "driving/jra55/* hold no sea temperature: name files of it under driving.sea_temperature_files"
    assert words in capsys.readouterr().out
    assert Experiment.load(file).driving.sea_temperature_files == ()
    assert main(["config", "check", str(file), "--json"]) == 0
    assert words in json.loads(capsys.readouterr().out)["remarks"][-1]
    assert main(["new", str(file), *coast, *new, *ERA5]) == 0
    assert Experiment.load(file).driving.sea_temperature_files == ()
    laid_out = experiments_new._domain

    def all_land(*arguments: Any) -> tuple[Domain, bool]:
        domain, _ = laid_out(*arguments)
        return domain.with_terrain(domain.terrain, np.ones_like(domain.terrain)), True

    monkeypatch.setattr(experiments_new, "_domain", all_land)
    assert main(["new", str(file), *coast, *new, "--driving", "jra55"]) == 0
    assert Experiment.load(file).driving.sea_temperature_files == ()


def _middle(domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    return domain.projection.inverse(np.asarray(domain.x.mean()), np.asarray(domain.y.mean()))


def test_what_another_experiment_gives_of_a_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    assert main(["new", str(first), *PLACE, *PERIOD, *ERA5]) == 0
    assert main(["new", str(second), "--like", str(first), "--center=40,0"]) == 0
    made = Experiment.load(second)
    assert (made.domain.shape, made.domain.spacing, made.domain.reference_longitude) == ((30, 40), 60e3, 0.0)
    assert made.period == Experiment.load(first).period
    assert main(["new", str(second), "--like", str(first), "--spacing=30", "--force"]) == 0
    made = Experiment.load(second)
    assert (made.domain.shape, made.domain.reference_latitude) == ((60, 80), 38.5)
    # The grid of a preset has its reference point off the middle.
    assert main(["new", str(first), "--preset", "japan-20km", *PERIOD, *ERA5, "--force"]) == 0
    assert main(["new", str(second), "--like", str(first), "--spacing=60", "--force"]) == 0
    there, here = (
        domain_from_section(dataclasses.replace(Experiment.load(f).domain, terrain="flat")) for f in (first, second)
    )
    assert here.shape[1:] == (55, 68)
    middle = _middle(there)
    np.testing.assert_allclose(_middle(here), middle, atol=1e-5)


def test_a_grid_too_large_is_refused_before_it_is_laid_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of 437 million cells needs a terabyte, their grid alone 26 GB."""
    monkeypatch.setattr(size, "total_memory", lambda: 24 * 10**9)

    def laid_out(self: object) -> None:
        raise AssertionError

    monkeypatch.setattr(GridSpecification, "domain", laid_out)
    file, fine = tmp_path / "fine.toml", (PLACE[0], "--size=2400", "--spacing=1", *PERIOD, *ERA5)
    assert main(["new", str(file), *fine]) == 6
    assert "fine needs about 1140 GB of memory and this machine has 24 GB; take a coarser" in capsys.readouterr().err
    assert main(["new", str(file), *fine, "--force"]) == 6
    assert "The grid of fine alone needs about 26 GB of memory and this machine has 24" in capsys.readouterr().err
    file.write_text(
        '[case]\nname = "fine"\nkind = "twin"\n[domain]\npreset = "japan-5km-96"\nshape = [6000, 8000]\n'
        "[period]\ncold_start = 2020-01-01T00:00:00Z\nend = 2020-01-01T03:00:00Z\n"
    )
    assert main(["config", "check", str(file)]) == 6
    assert "The grid of fine alone needs about 276 GB" in capsys.readouterr().err


def test_force_writes_what_only_a_larger_machine_can_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size, "total_memory", lambda: 10**9)
    file = tmp_path / "kansas.toml"
    assert main(["new", str(file), *PLACE, *PERIOD, *ERA5]) == 6
    assert main(["new", str(file), *PLACE, *PERIOD, *ERA5, "--force"]) == 0
    assert main(["config", "check", str(file)]) == 0


def test_a_file_is_not_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("precious")
    assert main(["new", str(file), *PLACE, *PERIOD, *ERA5]) == 2
    assert "exists; give another name, or --force" in capsys.readouterr().err
    assert file.read_text() == "precious"
    assert main(["new", str(file.with_suffix(".json")), *PLACE, *PERIOD, *ERA5]) == 2
    assert "must end in .toml" in capsys.readouterr().err
