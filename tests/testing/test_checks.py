"""Tests of conformance let a part pass that keeps its contract, and name what another one breaks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from assimilation import worlds
from kaiseki.assimilation import Analysis, AnalysisInput, Engine
from kaiseki.assimilation.operators import ObservationOperator
from kaiseki.assimilation.operators.equivalents import at_levels
from kaiseki.assimilation.problem import Solution, finish, prepare
from kaiseki.config import Assimilation
from kaiseki.observations import Table
from kaiseki.observations.sources.registry import ObservationSource
from kaiseki.testing import check_driving_source, check_engine, check_observation_source, check_operator

GRID = worlds.domain(ny=10, nx=11, nz=8)
FIELDS = worlds.lapsing(GRID)
WINDOW = worlds.steady(GRID, FIELDS, hours=1)


class Speed(ObservationOperator):
    """Wind speed, kept from the root of zero."""

    def equivalent(self, profiles: Any, columns: Any, wanted: Any) -> Any:
        u, v = (at_levels(field, profiles, columns, wanted) for field in (profiles.u, profiles.v))
        return self.of(u, v)

    def of(self, u: Any, v: Any) -> Any:
        return jnp.sqrt(u**2 + v**2 + 0.01)


class Bare(Speed):
    def of(self, u: Any, v: Any) -> Any:
        return jnp.sqrt(u**2 + v**2)


class Rounded(Speed):
    """Gives values whose slope is not that of the derivative."""

    def of(self, u: Any, v: Any) -> Any:
        speed = super().of(u, v)
        return speed + jnp.round(speed / 0.01) * 0.01


class Deaf(Speed):
    def of(self, u: Any, v: Any) -> Any:
        return 0.0 * u + 3.0


class Total(Speed):
    def of(self, u: Any, v: Any) -> Any:
        return jnp.sum(u)


def upper_winds() -> Table:
    return worlds.at(GRID, [4.2, 5.1, 3.3], [5.5, 6.0, 4.1], "eastward_wind", pressure=[85e3, 5e4, 3e4])


def test_an_operator_that_keeps_its_contract_passes() -> None:
    check_operator(Speed(), WINDOW, upper_winds())


@pytest.mark.parametrize(
    ("operator", "sentence"),
    [
        (Bare(), "finite in calm, dry air"),
        (Rounded(), "derivatives are those of the values"),
        (Deaf(), "the model's state moves the values"),
        (Total(), "one value per row"),
    ],
)
def test_an_operator_that_breaks_it_does_not(operator: Any, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_operator(operator, WINDOW, upper_winds())


class Nudge(Engine):
    """Adds the mean departure to the temperature everywhere: an engine of few lines that keeps the contract."""

    name = "nudge"

    def analyse(self, given: AnalysisInput) -> Analysis:
        problem = prepare(given)
        increment = {name: np.zeros(GRID.shape) for name in FIELDS}
        if len(problem.used):
            increment["temperature"] += problem.departure.mean()
        return self.changed(finish(problem, self.name, Solution(increment=increment, cost=1.0, cost_before=2.0)))

    def changed(self, analysis: Analysis) -> Analysis:
        return analysis


def breaking(change: Callable[[Analysis], dict[str, Any]]) -> Engine:
    """The engine with something of its analysis replaced."""

    class Breaking(Nudge):
        def changed(self, analysis: Analysis) -> Analysis:
            return dataclasses.replace(analysis, **change(analysis))

    return Breaking()


def warm() -> AnalysisInput:
    table = worlds.at(GRID, [4.2, 5.1], [5.5, 6.0], "air_temperature", pressure=[85e3, 5e4], value=[280.0, 255.0])
    return AnalysisInput(WINDOW, table, worlds.covariance(GRID, FIELDS), Assimilation())


def test_an_engine_that_keeps_its_contract_passes() -> None:
    check_engine(Nudge(), warm())


def without(diagnostics: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in diagnostics.items() if name != key}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a: {"increment": without(a.increment, "qv")}, "has the fields of statistics.ANALYSIS_VARIABLES"),
        (lambda a: {"increment": {**a.increment, "u": np.zeros(3)}}, "increment of u has the shape"),
        (lambda a: {"increment": {**a.increment, "u": a.increment["u"] * np.nan}}, "increment of u is finite"),
        (lambda a: {"increment": {**a.increment, "u": a.increment["u"] + 1.0}}, "what is withheld moves nothing"),
        (lambda a: {"table": a.table.take(slice(0, 1))}, "gives back the rows"),
        (lambda a: {"table": a.table.with_columns(value=a.table.column("value") + 1.0)}, "value is left as it was"),
        (lambda a: {"diagnostics": {**a.diagnostics, "engine": "other"}}, "diagnostics name the engine"),
        (lambda a: {"diagnostics": without(a.diagnostics, "counts")}, "diagnostics hold counts"),
        (lambda a: {"diagnostics": {**a.diagnostics, "iterations": [{"cost": 1.0}]}}, "has cost and gradient"),
        (lambda a: {"errors": {"temperature": np.ones(GRID.shape)}}, "errors are those of uncertainty.FIELDS"),
    ],
)
def test_an_engine_that_breaks_it_does_not(change: Callable[[Analysis], dict[str, Any]], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_engine(breaking(change), warm())


class Stations(ObservationSource):
    """Two ships and a buoy, whatever the files."""

    def read(self, paths: Sequence[Path], box: Any = None) -> Table:
        table = worlds.at(GRID, [3.0, 4.0, 7.0], [3.0, 4.0, 7.0], "air_temperature", kind="ship", level=0)
        if box is None:
            return table
        latitude = table.column("latitude")
        return table.take((latitude >= box[1]) & (latitude <= box[3]))


class Everywhere(Stations):
    def read(self, paths: Sequence[Path], box: Any = None) -> Table:
        return super().read(paths)


class OneNumber(Stations):
    """Gives all reports one number, though they lie far apart."""

    def read(self, paths: Sequence[Path], box: Any = None) -> Table:
        return super().read(paths, box).with_columns(report=0, latitude=np.array([10.0, 35.0, 36.0]))


def test_a_source_of_observations_that_keeps_its_contract_passes() -> None:
    check_observation_source(Stations(), "ship", [Path("any")])


@pytest.mark.parametrize(
    ("source", "name", "sentence"),
    [
        (Stations(), "buoy", "name of the source as kind"),
        (Everywhere(), "ship", "a box keeps just the reports within it"),
        (OneNumber(), "ship", "rows of one report share its number"),
    ],
)
def test_a_source_of_observations_that_breaks_it_does_not(source: Any, name: str, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_observation_source(source, name, [Path("any")])


class Analyses:
    """A driving source for files that begin with MINE."""

    name = "mine"

    def __init__(self, **changes: Any) -> None:
        self.changes = changes

    def recognises(self, path: Path, head: bytes) -> bool:
        return head.startswith(b"MINE") or "greedy" in self.changes

    def read(self, path: Path) -> xr.Dataset:
        axes = {
            "time": np.array(["2024-01-01T00"], "datetime64[s]"),
            "pressure": [85e3, 5e4],
            "latitude": [30.0, 40.0],
            "longitude": [130.0, 140.0],
        }
        axes |= {name: value for name, value in self.changes.items() if name in axes}
        warmth = np.full((1, 2, 2, 2), self.changes.get("warmth", 270.0))
        return xr.Dataset({"air_temperature": (tuple(axes), warmth)}, axes)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "mine.bin", tmp_path / "other.bin"
    for path, head in zip(paths, (b"MINE", b"GRIB"), strict=True):
        path.write_bytes(head + bytes(50))
    return paths


def test_a_driving_source_that_keeps_its_contract_passes(files: tuple[Path, Path]) -> None:
    check_driving_source(Analyses(), *files)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"greedy": True}, "leaves files of other formats alone"),
        ({"latitude": [40.0, 30.0]}, "latitude ascends"),
        ({"longitude": [-10.0, 10.0]}, "longitude runs from 0 to 360"),
        ({"pressure": [5e4, 85e3]}, "pressure descends"),
        ({"pressure": [850.0, 500.0]}, "pressure is in Pa"),
        ({"warmth": 15.0}, "air_temperature is in SI units"),
    ],
)
def test_a_driving_source_that_breaks_it_does_not(
    files: tuple[Path, Path], changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_driving_source(Analyses(**changes), *files)
