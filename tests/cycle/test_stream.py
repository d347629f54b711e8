"""A stream of cycles: what it leaves in the store, and that being ended at any moment changes nothing."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import zarr

import kaiseki
from cycle import small
from kaiseki.archive import RunStore
from kaiseki.archive.run import RunFolder
from kaiseki.assimilation import uncertainty
from kaiseki.core.errors import ConfigError
from kaiseki.cycle import fields as fd
from kaiseki.cycle.snapshot import from_tree, to_tree
from kaiseki.experiments import baselines as experiments
from kaiseki.experiments.case import PreparedCase
from kaiseki.experiments.run import nothing_used, run_whole
from kaiseki.observations import Flag, Table


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """A run from beginning to end, with its baselines, and the hours of the filters of the analysis."""
    folder = tmp_path_factory.mktemp("whole")
    case = small.case(folder)
    with small.filters_counted() as spans:
        experiments.run_experiment(case, "analysis")
    for name in ("free_run", "driving"):
        experiments.run_experiment(case, name)
    return folder, spans


@pytest.fixture(scope="module")
def whole(made: tuple[Path, list[float]]) -> Path:
    return made[0]


def arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of the newest commit of a store by its path."""
    root = RunStore.open(path, "r").root()
    return {
        name: np.asarray(member[...]) for name, member in root.members(max_depth=None) if isinstance(member, zarr.Array)
    }


def assert_equal(one: Path, other: Path) -> None:
    """Two stores hold the same arrays, bit for bit (seconds spent are attributes, not arrays)."""
    a, b = arrays(one), arrays(other)
    assert a.keys() == b.keys()
    assert len(a) > 40
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def departures(folder: Path, name: str, time: np.datetime64) -> Table:
    store = RunStore.open(folder / f"{name}.store", "r")
    return Table.from_arrow(store.read_observations(time))


def test_every_cycle_is_there(whole: Path) -> None:
    store = RunStore.open(whole / "analysis.store", "r")
    assert list(store.completed_cycles()) == experiments.cycle_times(small.experiment())
    owners = np.asarray(store.root()["forecast"]["cycle"][...])
    # The half-hourly slots of each window belong to the cycle at its end.
    assert owners.tolist() == [0, 1, 1, 2, 2]


def test_its_steps_are_those_of_the_estimate(made: tuple[Path, list[float]]) -> None:
    """The cold start and two analyses are filtered."""
    assert made[1] == [1.5] * 3
    small.assert_steps_are_estimated(small.experiment(), made[1])


def test_the_analysis_is_nearer_to_what_it_used(whole: Path) -> None:
    for end in experiments.cycle_times(small.experiment())[1:]:
        table = departures(whole, "analysis", end)
        used = (table.column("flags") & np.uint32(Flag.BACKGROUND)) == 0
        used &= np.isfinite(table.column("analysis_departure"))
        assert used.sum() > 20
        before, after = (table.column(f"{name}_departure")[used] for name in ("background", "analysis"))
        winds = table.where(quantity=("eastward_wind", "northward_wind"))[used]
        assert np.square(after[winds]).sum() < 0.8 * np.square(before[winds]).sum()


@pytest.mark.parametrize("left", ["none", "one, flagged"])
def test_a_run_without_a_usable_report_says_that_it_is_the_forecast(
    whole: Path, tmp_path: Path, left: str, caplog: pytest.LogCaptureFixture
) -> None:
    given = small.case(tmp_path / "given")
    rows = given.table.take(np.arange(len(given.table)) < (left != "none"))
    table = rows.with_flags(np.ones(len(rows), dtype=bool), Flag.RANGE)
    folder = RunFolder(tmp_path / "run")
    run_whole(
        given.experiment,
        folder,
        None,
        make_case=lambda *_: dataclasses.replace(given, folder=folder, table=table),
        baselines=False,
    )
    (told,) = [
        record.getMessage() for record in caplog.records if "the analysis is the forecast" in record.getMessage()
    ]
    assert told.startswith(f"{folder.path}: ")
    assert (
        "no report lies in a window" if left == "none" else "of 1 values in the windows none was usable (range 1"
    ) in told
    # It is: the winds are those of the run without observations.
    analysis, free = (arrays(path) for path in (folder.store("analysis"), whole / "free_run.store"))
    winds = [name for name in analysis if name.endswith("eastward_wind") and name in free]
    assert winds
    for name in winds:
        np.testing.assert_allclose(analysis[name], free[name], atol=1e-3, err_msg=name)


def test_a_run_with_reports_does_not_say_so(whole: Path) -> None:
    assert nothing_used(RunFolder(whole)) is None


def test_an_absurd_value_leaves_the_cycle_running(whole: Path) -> None:
    first = experiments.cycle_times(small.experiment())[1]
    table = departures(whole, "analysis", first)
    absurd = table.take(table.where(station="absurd"))
    assert len(absurd) == 1
    assert absurd.column("flags")[0] & np.uint32(Flag.BACKGROUND)


def test_baselines_are_judged_by_the_same_rows(whole: Path) -> None:
    for end in experiments.cycle_times(small.experiment())[1:]:
        tables = [departures(whole, name, end) for name in ("analysis", "free_run", "driving")]
        for other in tables[1:]:
            np.testing.assert_array_equal(other.column("value"), tables[0].column("value"))
            np.testing.assert_array_equal(other.column("analysis_departure"), other.column("background_departure"))


def test_all_experiments_begin_with_the_same_state(whole: Path) -> None:
    start = experiments.cycle_times(small.experiment())[0]
    states = [arrays(whole / f"{name}.store") for name in ("analysis", "free_run")]
    for name in ("temperature", "eastward_wind", "pressure", "w"):
        one, other = (state[f"forecast/{name}"][0] for state in states)
        assert np.isfinite(one).all(), (name, start)
        np.testing.assert_array_equal(one, other)


def test_what_an_analysis_changes_at_the_edge_stays_in_the_next_forecast(whole: Path) -> None:
    """The outermost cells of a forecast are those of the driving fields plus what is carried, not of these alone."""
    store = RunStore.open(whole / "analysis.store", "r")
    case = small.case(whole)
    _, middle, end = store.completed_cycles()
    tree = store.read_restart(middle)
    boundaries = case.boundaries
    state = from_tree(tree["state"], case.model.start(case.driving(middle)))
    edge = np.ones(case.domain.shape[1:], bool)
    edge[1:-1, 1:-1] = False
    forecast = fd.from_store(store, fd.FORECAST, end, case.domain)
    wrong = []
    for carried in ({}, tree["boundary"]):
        boundaries.correction.resume(carried)
        there = dataclasses.replace(state, **vars(boundaries.at(end)))
        expected = np.asarray(case.model.atmosphere(there).as_dict()["temperature"])
        wrong.append(np.abs(forecast["temperature"] - expected)[:, edge].max())
    assert wrong[1] < 1e-3
    assert wrong[0] > 0.05


def test_the_filter_calms_the_surface_pressure(whole: Path) -> None:
    store = RunStore.open(whole / "analysis.store", "r")
    for end in store.completed_cycles()[1:]:
        tendency = store.read_diagnostics(end)["surface_pressure_tendency"]
        assert tendency["after"] < tendency["before"]


def test_without_observations_the_forecast_goes_on_unfiltered(whole: Path, tmp_path: Path) -> None:
    """A window whose observations are all withheld: the analysis is the forecast, bit for bit."""
    case = small.case(tmp_path)
    none = dataclasses.replace(case, table=case.table.with_columns(withheld=True))
    experiments.run_experiment(none, "analysis")
    free = arrays(whole / "free_run.store")
    found = arrays(tmp_path / "analysis.store")
    for name in ("forecast/temperature", "analysis/temperature", "analysis/surface_pressure"):
        np.testing.assert_array_equal(found[name], free[name])
    store = RunStore.open(tmp_path / "analysis.store", "r")
    diagnostics = store.read_diagnostics(experiments.cycle_times(small.experiment())[-1])
    assert "No observation" in diagnostics["remarks"][0]
    assert diagnostics["surface_pressure_tendency"] == {}


def test_ended_by_an_error_and_run_again(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = small.case(tmp_path)
    real = experiments.analyst_of
    calls = []

    def failing(*arguments: object, **named: object) -> object:
        analyst = real(*arguments, **named)

        def once(trajectory: object, window: object, model: object) -> object:
            calls.append(window)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return analyst(trajectory, window, model)

        return once

    monkeypatch.setattr(experiments, "analyst_of", failing)
    with pytest.raises(KeyboardInterrupt):
        experiments.run_experiment(case, "analysis")
    assert len(RunStore.open(tmp_path / "analysis.store", "r").completed_cycles()) == 2
    experiments.run_experiment(dataclasses.replace(case), "analysis")
    assert_equal(tmp_path / "analysis.store", whole / "analysis.store")


@pytest.mark.timeout(600)
def test_killed_and_run_again(whole: Path, tmp_path: Path) -> None:
    """`kill -9` right after the first commit, and again at some moment of the second try."""
    run, cache = tmp_path / "run", tmp_path / "compiled"
    environment = {
        **os.environ,
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    command = [sys.executable, str(Path(small.__file__)), str(run)]
    process = subprocess.Popen(command, env=environment)
    while process.poll() is None and not completed(run):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = completed(run)
    assert 1 <= done < 3
    second = subprocess.Popen(command, env=environment)
    time.sleep(3.0)
    second.send_signal(signal.SIGKILL)
    second.wait()
    subprocess.run(command, env=environment, check=True)
    assert completed(run) == 3
    assert_equal(run / "analysis.store", whole / "analysis.store")


def completed(folder: Path) -> int:
    """Complete cycles of the analysis, 0 where there is no store yet."""
    store = folder / "analysis.store"
    return len(RunStore.open(store, "r").completed_cycles()) if RunStore.exists(store) else 0


def test_a_folder_belongs_to_one_experiment(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.begin(small.experiment())
    folder.begin(small.experiment())
    with pytest.raises(ConfigError, match="another experiment"):
        folder.begin(small.experiment(assimilation={"inner_iterations": 9}))


def rainy(folder: Path) -> PreparedCase:
    """The small case with clouds, in air that drizzles."""
    switches = dict.fromkeys(("boundary_layer", "surface", "radiation", "soil"), False)
    case = small.case(folder, small.experiment(physics={**switches, "microphysics": True}))
    return dataclasses.replace(case, driving=lambda time: drizzling(case, time))


def drizzling(case: PreparedCase, time: np.datetime64) -> dict[str, np.ndarray]:
    fields = case.driving(time)
    return {**fields, "qr": 1e-6 * np.exp(-case.domain.z / 2000.0)}


def test_precipitation_of_an_interval_does_not_depend_on_what_fell_before(tmp_path: Path) -> None:
    """A restart that holds what fell since the start of the run, as old ones do, goes on with nothing lost: the half
    hour's drizzle of many cells is less than single precision resolves at 1500 kg m-2."""
    case = rainy(tmp_path)
    stream = experiments._stream(case, "free_run", None)
    time = case.experiment.period.first
    state = stream.model.start(case.driving(time))
    restart = to_tree(state)
    restart["precipitation"] = np.full_like(restart["precipitation"], 1500.0)
    new, old = (
        fd.of_state(case.model, stream.advance(one, time, time + stream.output))["precipitation"]
        for one in (state, from_tree(restart, state))
    )
    assert (new > 0.0).all()
    assert np.mean(np.float32(1500.0) + new == np.float32(1500.0)) > 0.1
    np.testing.assert_array_equal(old, new)


def test_the_archive_holds_all_that_fell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its intervals add up to what the model adds up by itself over the run."""
    case = rainy(tmp_path)
    experiments.run_experiment(case, "free_run")
    root = RunStore.open(tmp_path / "free_run.store", "r").root()
    intervals = np.asarray(root["forecast"]["precipitation"][...], np.float64)
    monkeypatch.setattr("kaiseki.cycle.integration.begin_interval", lambda state: state)
    stream, period = experiments._stream(case, "free_run", None), case.experiment.period
    start = stream.model.start(case.driving(period.first))
    state = stream.initialise(start, period.first, fd.of_state(case.model, start))[0]
    state = stream.advance(state, period.first, period.last)
    total = np.asarray(state.precipitation, np.float64)
    assert len(intervals) == 5
    assert (intervals[1:].max(axis=(1, 2)) > 0.0).all()
    np.testing.assert_allclose(intervals.sum(axis=0), total, rtol=1e-5, atol=1e-9)


def test_the_archive_says_how_sure_it_is(whole: Path) -> None:
    analysis = kaiseki.open(whole / "analysis.store")
    for name, of in (
        ("temperature", "temperature"),
        ("eastward_wind", "eastward_wind"),
        ("northward_wind", "northward_wind"),
        ("surface_pressure", "surface_pressure"),
    ):
        spread = analysis[f"{name}_spread"]
        assert spread.attrs["standard_name"] == f"{analysis[of].attrs['standard_name']} standard_error"
        assert "eigenpairs of the Hessian" in spread.attrs["comment"]
        assert np.isnan(spread.isel(time=0).values).all(), "the cold start has none"
        last = spread.isel(time=-1).values
        assert last.shape == analysis[of].isel(time=-1).shape
        assert (last > 0.0).all()


def test_the_archive_is_surer_where_the_sondes_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One random analysis sizes the error of so few independent places to a few parts in a hundred only.
    monkeypatch.setattr(uncertainty, "DRAWS", 40)
    experiments.run_experiment(small.case(tmp_path), "analysis")
    analysis = kaiseki.open(tmp_path / "analysis.store")
    domain = RunStore.open(tmp_path / "analysis.store", "r").domain()
    # At the sondes and far from all of them, at a level that they report, 500 hPa.
    pressure = analysis["pressure"].isel(time=-1).values.mean(axis=(1, 2))
    error = analysis["temperature_spread"].isel(time=-1).values[np.argmin(np.abs(pressure - 50_000.0))]
    places = [(33.0 + 1.5 * n, 132.0 + 2.0 * n) for n in range(6)]
    j, i = (np.rint(a).astype(int) for a in domain.index(*(np.array(a) for a in zip(*places, strict=True))))
    assert error[j, i].mean() < 0.95 * error[[0, -1], [-1, 0]].mean()
