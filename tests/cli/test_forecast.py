"""`kaiseki forecast`.

What would be wrong: a start that is not the analysis the run went on with; a boundary without what analyses changed;
a resumed forecast that differs; hours that the driving fields do not cover; a store that mixes two requests; a steady
boundary that nobody is told of; half a store left by bad input.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kaiseki
from cycle import small
from kaiseki.archive import ForecastStore, RunStore
from kaiseki.archive.run import RunFolder
from kaiseki.archive.store.layout import Layout
from kaiseki.cli import main
from kaiseki.config import Experiment
from kaiseki.cycle.integration import Integration
from kaiseki.experiments.baselines import run_experiment
from kaiseki.experiments.real_data import real_case
from kaiseki.experiments.twin import DEMO
from kaiseki.experiments.twin.flow import Flow

NOON, HOUR = np.datetime64("1989-01-01T12:00:00", "s"), np.timedelta64(3600, "s")
FILES = ("a.nc", "b.nc")


def experiment(name: str = "free", **driving: Any) -> Experiment:
    return small.experiment(
        case={"name": name, "kind": "real"},
        observations={"folds": 0, "files": ["none"]},
        driving={"first_guess_files": FILES, **driving},
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Analyses of the analytic flow at 12 and 18 UTC, a run of two cycles on them, the experiment as a file."""
    folder = tmp_path_factory.mktemp("world")
    for name, hours in zip(FILES, (0, 6), strict=True):
        dataset = Flow().dataset(NOON + hours * HOUR, NOON)
        dataset = dataset.isel(latitude=slice(None, None, 2), longitude=slice(None, None, 2))
        dataset["pressure"].attrs["units"] = "Pa"
        dataset.to_netcdf(folder / name, engine="scipy")
    experiment().save(folder / "free.toml")
    run = RunFolder(folder / "run")
    run.begin(experiment())
    small.observations(Flow(), NOON).to_parquet(run.observations)
    run_experiment(real_case(experiment(), run, folder), "analysis")
    return folder


def forecast(world: Path, *arguments: str) -> int:
    return main(["forecast", *arguments, "--data", str(world)])


def arrays(path: Path) -> dict[str, np.ndarray]:
    opened = kaiseki.open(path)
    return {str(name): np.asarray(array.values) for name, array in opened.items()}


def assert_equal(one: Path, other: Path) -> None:
    a, b = arrays(one), arrays(other)
    assert a.keys() == b.keys()
    assert len(a) > 10
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.fixture(scope="module")
def from_driving(world: Path) -> Path:
    """Two forecasts of two hours from the driving fields, which nobody changes."""
    path = world / "driving.store"
    every = ("--at", "1989-01-01T12:00Z", "--every", "2h", "--hours", "2")
    assert forecast(world, str(world / "free.toml"), "--from", "driving", *every, "--out", str(path)) == 0
    return path


def test_a_forecast_from_an_analysis_is_that_of_the_next_cycle(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The run's own background after each analysis is the independent result, bit for bit."""
    start, hours = ("--at", "1989-01-01T13:00Z"), ("--hours", "3")
    assert forecast(world, str(world / "run"), *start, *hours, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["starts"] == ["1989-01-01T13:00Z"]
    assert Path(told["store"]) == world / "run" / "forecast-analysis-19890101T1300Z.store"
    assert Path(told["map"]).read_bytes().startswith(b"\x89PNG")
    made = kaiseki.open(told["store"]).isel(forecast_reference_time=0)
    assert made.sizes["forecast_period"] == 7
    background = kaiseki.open(world / "run", "background")
    shared = background["time"].values[background["time"].values > NOON + HOUR]
    assert len(shared) == 2
    made = made.swap_dims(forecast_period="time")
    for name in background:
        if name != "time_bnds":
            np.testing.assert_array_equal(made[name].sel(time=shared), background[name].sel(time=shared), err_msg=name)
    diagnostics = ForecastStore.open(told["store"], "r").read_diagnostics(NOON + HOUR)
    assert diagnostics["start"] == "state after the analysis"


def test_each_start_of_several_is_as_if_alone(world: Path, from_driving: Path, tmp_path: Path) -> None:
    both = kaiseki.open(from_driving)
    assert both.sizes["forecast_reference_time"] == 2
    alone = ("--from", "driving", "--at", "1989-01-01T14:00Z", "--hours", "2", "--out", str(tmp_path / "one.store"))
    assert forecast(world, str(world / "free.toml"), *alone) == 0
    one = kaiseki.open(tmp_path / "one.store")
    for name in one:
        np.testing.assert_array_equal(one[name], both[name].isel(forecast_reference_time=[1]), err_msg=str(name))
    # The start is the driving analysis, filtered: near it, and the driving fields differ from hour to hour.
    assert np.abs(both["temperature"][0, 0] - both["temperature"][1, 0]).max() > 0.1


def test_ended_by_an_error_within_a_forecast_and_called_again(
    world: Path, from_driving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real, calls = tmp_path / "a.store", Integration.advance, []

    def failing(self: Integration, *arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(Integration, "advance", failing)
    command = (str(world / "free.toml"), "--from", "driving", "--at", "1989-01-01T12:00Z", "--every", "2h")
    command = (*command, "--hours", "2", "--out", str(path))
    assert forecast(world, *command) == 130
    assert ForecastStore.open(path, "r").done() == 1
    assert forecast(world, *command) == 0
    assert_equal(path, from_driving)
    count = len(calls)
    assert forecast(world, *command) == 0
    assert len(calls) == count, "what is there is not done again"


@pytest.mark.timeout(600)
def test_killed_and_called_again(world: Path, from_driving: Path, tmp_path: Path) -> None:
    """`kill -9` right after the first stretch, and again at some moment of the second try."""
    path = tmp_path / "a.store"
    environment = os.environ | {
        "KAISEKI_CACHE": str(tmp_path / "compiled"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    command = [sys.executable, "-m", "kaiseki", "forecast", str(world / "free.toml"), "--from", "driving"]
    command += ["--at", "1989-01-01T12:00Z", "--every", "2h", "--hours", "2"]
    command += ["--data", str(world), "--out", str(path)]
    process = subprocess.Popen(command, env=environment)
    while process.poll() is None and not done(path):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 1 <= done(path) < 4
    second = subprocess.Popen(command, env=environment)
    time.sleep(3.0)
    second.send_signal(signal.SIGKILL)
    second.wait()
    subprocess.run(command, env=environment, check=True)
    assert done(path) == 4
    assert_equal(path, from_driving)


def done(path: Path) -> int:
    return ForecastStore.open(path, "r").done() if ForecastStore.exists(path) else 0


def test_without_the_state_the_fields_of_the_analysis_serve(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The driving store of a run has analyses and no states of the model."""
    run = RunFolder(tmp_path / "run")
    run.begin(experiment())
    small.observations(Flow(), NOON).to_parquet(run.observations)
    run_experiment(real_case(experiment(), run, world), "driving")
    place = str(tmp_path / "a.store")
    start = ("--from", str(run.store("driving")), "--at", "1989-01-01T13:00Z", "--hours", "1", "--out", place)
    assert forecast(world, str(run.path), *start) == 0
    assert "begun from the fields of the analysis" in capsys.readouterr().err
    opened = kaiseki.open(place)
    analysis = kaiseki.open(run.store("driving")).sel(time=NOON + HOUR)
    for name, most in (("temperature", 3.0), ("eastward_wind", 6.0), ("surface_pressure", 300.0)):
        if name in analysis:
            assert np.abs(opened[name].isel(forecast_reference_time=0, forecast_period=0) - analysis[name]).max() < most
    diagnostics = ForecastStore.open(place, "r").read_diagnostics(NOON + HOUR)
    assert diagnostics["start"] == "fields of the analysis"
    assert set(diagnostics["surface_pressure_tendency"]) == {"before", "after"}, "it was filtered"


def test_what_the_driving_fields_do_not_cover_is_refused_before_anything_is_made(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "a.store"
    start = ("--from", "driving", "--at", "1989-01-01T14:00Z", "--hours", "6", "--out", str(place))
    assert forecast(world, str(world / "free.toml"), *start) == 3
    assert "lack 2 of the 7 times from 1989-01-01T14:00Z to 1989-01-01T20:00Z" in capsys.readouterr().err
    assert not place.exists()


def test_steady_driving_fields_are_told_of_everywhere(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "the analysis of 1989-01-01T12:00Z is held constant in time"
    file, place = tmp_path / "steady.toml", tmp_path / "a.store"
    experiment("steady", first_guess_files=FILES[:1], steady=True).save(file)
    start = ("--from", "driving", "--at", "1989-01-01T13:00Z", "--hours", "1", "--out", str(place))
    assert forecast(world, str(file), *start) == 0
    said = capsys.readouterr()
    assert words in said.out
    assert words in said.err
    opened = kaiseki.open(place)
    assert words in opened.attrs["driving_fields"]
    assert "driving_fields" not in kaiseki.open(world / "run").attrs
    # An hour later it begins where it would have begun at noon.
    noon = ("--from", "driving", "--at", "1989-01-01T12:00Z", "--hours", "1", "--out", str(tmp_path / "b.store"))
    assert forecast(world, str(file), *noon) == 0
    np.testing.assert_array_equal(opened["temperature"][0], kaiseki.open(tmp_path / "b.store")["temperature"][0])
    assert main(["config", "check", str(file), "--data", str(world)]) == 0
    assert words in capsys.readouterr().out
    run = tmp_path / "run"
    shutil.copytree(world / "run", run)
    experiment("steady", steady=True).save(run / "experiment.toml")
    assert main(["report", str(run), "--data", str(world)]) == 0
    assert (run / "report.html").read_text().count(words) == 2
    moved = experiment("moved", first_guess_files=FILES[1:], steady=True)
    moved.save(file)
    assert forecast(world, str(file), *noon[:-1], str(tmp_path / "c.store")) == 3
    assert "the driving data are of 1989-01-01T18:00Z; set period.cold_start" in capsys.readouterr().err
    assert not (tmp_path / "c.store").exists()


def test_a_place_holds_the_forecasts_of_one_request(
    world: Path, from_driving: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ("--from", "driving", "--at", "1989-01-01T12:00Z", "--hours", "1", "--out", str(from_driving))
    assert forecast(world, str(world / "free.toml"), *start) == 2
    assert (
        "was made for other forecasts (2 h from the driving fields of 1989-01-01T12:00Z to 1989-01-01T14:00Z every 2 h)"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"--at": "1989-01-01T12:30Z"}, 3, "has no analysis of 1989-01-01T12:30Z; it has 3 from 1989-01-01T12:00Z to"),
        ({"--at": "1989-01-01T12:10Z"}, 2, "--at: 0.166667 h is not a whole number of output intervals of 0.5 h"),
        ({"--at": "1989-01-02T12:00Z"}, 2, "is outside the period of free, 1989-01-01T12:00Z to 1989-01-01T14:00Z"),
        ({"--at": "noon"}, 2, "--at: 'noon' is not a time"),
        ({"--hours": "1.5"}, 2, "--hours 1.5: give whole hours"),
        ({"--hours": "0"}, 2, "--hours 0: give whole hours, at least one"),
        ({"--hours": "nan"}, 2, "--hours nan: give whole hours"),
        ({"--hours": "inf"}, 2, "--hours inf: give whole hours"),
        ({"--hours": "1e300"}, 2, "--hours: 1e+300 hours is more than"),
        ({"--hours": "8e7"}, 2, "--hours 8e+07 end after the year 9999"),
        ({"--every": "0h"}, 2, "give a positive number of hours"),
        ({"--every": "often"}, 2, "--every 'often': give hours, such as 3h"),
        ({"--until": "1989-01-01T14:00Z"}, 2, "--until needs --every"),
        ({"--every": "1h", "--until": "1989-01-01T11:00Z"}, 2, "lies before --at"),
        ({"--from": "nowhere.store"}, 4, "There is no run store at"),
        ({"--from": "driving.store"}, 4, "is a store of forecasts and not a run store"),
        ({"--from": "empty.store"}, 4, "holds no analyses; give the analysis.store of a run"),
        ({"--from": "elsewhere.store"}, 2, "lie on another grid or terrain than the domain of free"),
        ({"--out": "free.toml/a.store"}, 4, "free.toml"),
        ({"--out": "run/analysis.store"}, 4, "is a run store and not a store of forecasts"),
        ({"--data": "nowhere"}, 2, "There is no data folder"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    world: Path,
    from_driving: Path,
    tmp_path: Path,
    change: dict[str, str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    others(world)
    options = {"--at": "1989-01-01T13:00Z", "--hours": "1", "--data": ".", "--out": str(tmp_path / "a.store")} | change
    paths = {key: str(world / value) for key, value in options.items() if key in ("--from", "--out", "--data")}
    words = [word for pair in (options | paths).items() for word in pair]
    before = sorted(path.name for path in world.iterdir())
    assert main(["forecast", str(world / "run"), *words]) == code
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("kaiseki: ")
    assert message in said
    assert not (tmp_path / "a.store").exists()
    assert sorted(path.name for path in world.iterdir()) == before


def others(world: Path) -> None:
    """Stores that no forecast of the run can start from: without analyses, and of another domain."""
    with RunStore.open(world / "run" / "analysis.store", "r") as run:
        domain = run.domain()
    raised = domain.with_terrain(domain.terrain + 10.0, domain.land_fraction)
    for name, grid, written in (("empty", domain, False), ("elsewhere", raised, True)):
        place = world / f"{name}.store"
        if RunStore.exists(place):
            continue
        times = NOON + HOUR * np.arange(2)
        layout = Layout(experiment_json="{}", domain=grid, times=times, cycle_times=times)
        with RunStore.create(place, layout) as store:
            for moment in times if written else ():
                with store.cycle(moment) as out:
                    out.write_fields("analysis", moment, {"temperature": np.full(grid.shape, 280.0)})


def test_a_file_alone_does_not_say_where_to_start(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert forecast(world, str(world / "free.toml"), "--at", "1989-01-01T13:00Z", "--hours", "1") == 2
    assert "Where do the forecasts start? Give --from driving" in capsys.readouterr().err


def test_driving_fields_that_a_run_makes_need_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(DEMO, tmp_path / "twin.toml")
    first = str(Experiment.load(DEMO).period.cold_start)
    start = ("--from", "driving", "--at", first, "--hours", "1", "--out", str(tmp_path / "a.store"))
    assert main(["forecast", str(tmp_path / "twin.toml"), *start]) == 2
    assert "are made by its run; give the folder of that run" in capsys.readouterr().err
    assert not (tmp_path / "a.store").exists()
