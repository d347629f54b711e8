"""3D-FGAT and optimal interpolation: against each other, against analytic answers, and what must not matter."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from assimilation import worlds
from kaiseki.assimilation import Analysis, AnalysisInput, departures, engine
from kaiseki.assimilation.engines import OWN
from kaiseki.assimilation.operators import linearise, locate
from kaiseki.assimilation.problem import background_spread, sqrt, sqrt_transpose
from kaiseki.config import Assimilation
from kaiseki.core.constants import EPSILON
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.observations import Flag, Table
from kaiseki.statistics import ANALYSIS_VARIABLES
from kaiseki.statistics.configuration import Scales
from kaiseki.testing import check_engine

STILL = [name for name in OWN if not (engine(name).needs_window_model or engine(name).needs_ensemble)]
"""Engines that need no model."""

GRID = worlds.domain()
FIELDS = worlds.lapsing(GRID)
WINDOW = worlds.steady(GRID, FIELDS)
PLAIN = Assimilation(robust="none", background_check=1e9, inner_iterations=200, gradient_reduction=1e-9)


def drawn(number: int = 7, seed: int = 1) -> Table:
    """Observations of a truth drawn from the background covariance itself, with errors as they are said to be."""
    table = worlds.ascents(GRID, number, seed)
    covariance = worlds.covariance(GRID, FIELDS)
    operator, equivalent = linearise(WINDOW.stacked(), locate(WINDOW, table))
    random = np.random.default_rng(seed + 100)
    change = operator(sqrt(covariance, random.standard_normal(covariance.control_size)))
    noise = table.column("error") * random.standard_normal(len(table))
    return table.with_columns(value=equivalent + change + noise)


def analysed(name: str, table: Table, settings: Assimilation = PLAIN, **changes: object) -> Analysis:
    return worlds.analyse(name, WINDOW, table, worlds.covariance(GRID, FIELDS, **changes), settings)


@pytest.mark.usefixtures("x64")
def test_optimal_interpolation_equals_three_d_fgat() -> None:
    table = drawn()
    first, second = analysed("3dfgat", table), analysed("optimal_interpolation", table)
    for name in ANALYSIS_VARIABLES:
        scale = np.max(np.abs(first.increment[name]))
        assert scale > 0.0
        np.testing.assert_allclose(second.increment[name], first.increment[name], rtol=0, atol=1e-6 * scale)
    np.testing.assert_allclose(
        first.table.column("analysis_departure"), second.table.column("analysis_departure"), rtol=1e-6, atol=1e-6
    )
    assert first.diagnostics["cost"] == pytest.approx(second.diagnostics["cost"], rel=1e-9)
    # The minimum of the dual cost is the negative of the primal one.
    assert second.diagnostics["iterations"][-1]["cost"] == pytest.approx(-first.diagnostics["cost"], rel=1e-9)


@pytest.mark.usefixtures("x64")
def test_analysis_solves_the_dense_equations() -> None:
    table = drawn(5)
    covariance = worlds.covariance(GRID, FIELDS)
    operator, equivalent = linearise(WINDOW.stacked(), locate(WINDOW, table))
    root = np.stack([sqrt_transpose(covariance, operator.transpose(unit)) for unit in np.eye(len(table))])
    departure = table.column("value") - equivalent
    analysis = analysed("3dfgat", table)
    matrix = root @ root.T + np.diag(analysis.table.column("error") ** 2)
    control = root.T @ np.linalg.solve(matrix, departure)
    dense = sqrt(covariance, control)
    flat = np.concatenate([analysis.increment[name].ravel() for name in ANALYSIS_VARIABLES])
    for part, exact in zip(np.split(flat, 5), np.split(dense, 5), strict=True):
        np.testing.assert_allclose(part, exact, rtol=0, atol=1e-7 * np.max(np.abs(exact)))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", STILL)
def test_a_single_humidity_gives_the_analytic_column_of_the_covariance(name: str) -> None:
    """dqv(x) = s(x) s(x0) C(x, x0) d / (s(x0)^2 sigma^2 + sigma_o^2), C a sum of two Gaussians of distance and ln p."""
    grid = worlds.domain(hill=0.0)
    fields = worlds.lapsing(grid)
    j, i, k = 9, 10, 5
    error, departure = 5e-4, 1e-3
    pressure = float(fields["pressure"][k, j, i])
    table = worlds.at(grid, float(j), float(i), "specific_humidity", pressure=pressure, error=error)
    window = worlds.steady(grid, fields)
    table = table.with_columns(value=-departures(window, table) + departure)
    covariance = worlds.covariance(grid, fields)
    found = worlds.analyse(name, window, table, covariance, PLAIN).increment["qv"]

    # Saturation after Bolton (1980) at the place and in its column.
    celsius = fields["temperature"][:, j, i] - 273.15
    vapour = 611.2 * np.exp(17.67 * celsius / (celsius + 243.5))
    full = EPSILON * vapour / (fields["pressure"][:, j, i] - (1.0 - EPSILON) * vapour)
    saturation = np.minimum(full, 10.0 * fields["qv"][:, j, i])
    scales = Scales.of(worlds.errors()).humidity
    # Standard atmosphere: what the covariance takes for ln p.
    log_pressure = np.log(101_325.0) + 5.25588 * np.log(1.0 - 0.0065 * np.minimum(grid.zeta, 11_000.0) / 288.15)
    log_pressure -= np.maximum(grid.zeta - 11_000.0, 0.0) / (287.05 * 216.65 / 9.80665)
    sigma = np.interp(-log_pressure, -np.log([1e5, 5e4, 1e4]), [0.15, 0.2, 0.1])
    gain = saturation[k] * sigma[k] / ((saturation[k] * sigma[k]) ** 2 + error**2) * departure
    column = sum(s.weight * np.exp(-0.5 * ((log_pressure - log_pressure[k]) / s.vertical_length) ** 2) for s in scales)
    np.testing.assert_allclose(found[:, j, i], saturation * sigma * column * gain, rtol=0, atol=0.02 * found.max())
    middle = float(grid.map_factor[9, 10])
    distance = np.abs(grid.x - grid.x[i]) / middle
    row = sum(s.weight * np.exp(-0.5 * (distance / s.length) ** 2) for s in scales)
    profile = saturation[k] * sigma[k] * row * gain
    inside = slice(4, -4)
    # Saturation along the row follows the humidity limit or the temperature, both nearly constant there.
    along = covariance.balance.saturation[k, j] / covariance.balance.saturation[k, j, i]
    np.testing.assert_allclose(
        found[k, j, inside], (profile * np.asarray(along))[inside], rtol=0, atol=0.02 * found.max()
    )


@pytest.mark.parametrize("name", STILL)
def test_the_contract_is_kept(name: str) -> None:
    table = drawn().with_flags(np.arange(7 * 33) % 7 == 0, Flag.MONITORED)
    settings = Assimilation(inner_iterations=20)
    check_engine(engine(name), AnalysisInput(WINDOW, table, worlds.covariance(GRID, FIELDS), settings))


@pytest.mark.parametrize("name", STILL)
def test_withheld_and_monitored_values_do_not_touch_the_analysis(name: str) -> None:
    table = drawn()
    random = np.random.default_rng(4)
    aside = random.random(len(table)) < 0.3
    monitored = (random.random(len(table)) < 0.1) & ~aside
    marked = table.with_columns(withheld=aside).with_flags(monitored, Flag.MONITORED)
    settings = Assimilation(inner_iterations=15)
    full = analysed(name, marked, settings)
    wild = marked.with_columns(value=np.where(aside | monitored, 1e3, marked.column("value")))
    without = marked.take(~(aside | monitored))
    for other in (analysed(name, wild, settings), analysed(name, without, settings)):
        for field in ANALYSIS_VARIABLES:
            assert np.array_equal(full.increment[field], other.increment[field])
    before, after = (full.table.column(f"{which}_departure")[aside] for which in ("background", "analysis"))
    assert np.isfinite(before).all()
    assert np.isfinite(after).all()
    assert (before != after).any()


@pytest.mark.parametrize("name", STILL)
def test_departures_shrink_and_are_those_of_the_analysis(name: str) -> None:
    analysis = analysed(name, drawn(), Assimilation())
    after = departures(WINDOW.plus(analysis.increment), analysis.table)
    np.testing.assert_allclose(analysis.table.column("analysis_departure"), after, rtol=1e-4, atol=2e-2)
    for row in analysis.diagnostics["innovations"]:
        assert row["analysis_rms"] < row["background_rms"]
    iterations = analysis.diagnostics["iterations"]
    first = [step["cost"] for step in iterations if step["outer"] == 1]
    assert all(later <= earlier for earlier, later in itertools.pairwise(first))
    assert analysis.diagnostics["converged"]


@pytest.mark.usefixtures("x64")
def test_twice_the_minimum_is_the_number_of_observations_where_the_statistics_are_true() -> None:
    values = []
    for seed in range(6):
        diagnostics = analysed("3dfgat", drawn(7, seed), Assimilation(robust="none", background_check=1e3)).diagnostics
        values.append(diagnostics["chi_square"])
        count = diagnostics["counts"]["used"]
    assert np.mean(values) == pytest.approx(1.0, abs=4.0 * np.sqrt(2.0 / (6 * count)))


def test_cost_and_gradient_are_reported_each_iteration() -> None:
    lines: list[str] = []
    found = worlds.analyse(
        "3dfgat", WINDOW, drawn(), worlds.covariance(GRID, FIELDS), Assimilation(inner_iterations=8), lines.append
    )
    assert len(lines) == len(found.diagnostics["iterations"])
    assert all("cost" in line and "gradient" in line for line in lines)


@pytest.mark.parametrize("name", STILL)
def test_no_observation_leaves_the_background(name: str) -> None:
    in_rim = worlds.at(GRID, 0.5, 9.0, "air_temperature", pressure=5e4, value=250.0)
    for table in (Table.empty(), in_rim):
        lines: list[str] = []
        analysis = worlds.analyse(name, WINDOW, table, worlds.covariance(GRID, FIELDS), PLAIN, lines.append)
        assert not any(field.any() for field in analysis.increment.values())
        assert lines == [f"No observation of {len(table)} values can be assimilated; the analysis is the background"]
        assert analysis.diagnostics["chi_square"] is None
        json.dumps(analysis.diagnostics, allow_nan=False)
    assert analysis.table.column("flags")[0] == Flag.OUTSIDE_DOMAIN
    assert np.isfinite(analysis.table.column("background_departure")[0])


def test_increments_vanish_in_the_rim() -> None:
    analysis = analysed("3dfgat", drawn(), Assimilation(inner_iterations=10))
    for field in analysis.increment.values():
        assert not field[:, ~GRID.inside_rim].any()
        assert field[:, GRID.inside_rim].any()


def test_robust_likelihood_takes_weight_from_what_disagrees() -> None:
    table = drawn()
    row = int(np.flatnonzero(table.where(quantity="air_temperature"))[10])
    value = table.column("value").copy()
    value[row] += 15.0
    wrong = table.with_columns(value=value)
    open_check = Assimilation(background_check=100.0)
    robust = analysed("3dfgat", wrong, open_check)
    plain = analysed("3dfgat", wrong, Assimilation(background_check=100.0, robust="none"))
    right = analysed("3dfgat", table, open_check)

    def harm(analysis: Analysis) -> float:
        return float(np.max(np.abs(analysis.increment["temperature"] - right.increment["temperature"])))

    assert robust.table.column("flags")[row] & Flag.DOWNWEIGHTED
    assert not plain.table.column("flags")[row] & Flag.DOWNWEIGHTED
    assert harm(robust) < 0.5 * harm(plain)


def test_surface_pressure_is_not_used_where_heights_differ_much_and_trusted_less_where_a_little() -> None:
    difference = np.array([0.0, 100.0, 299.0, 301.0, -400.0])
    table = worlds.at(
        GRID,
        np.full(5, 8.0),
        np.full(5, 9.0),
        "surface_pressure",
        kind="synop",
        level=0,
        station_elevation=GRID.terrain[8, 9] - difference,
        error=100.0,
    )
    table = table.with_columns(value=-departures(WINDOW, table))
    after = analysed("optimal_interpolation", table).table
    assert ((after.column("flags") & Flag.NO_EQUIVALENT) != 0).tolist() == [False, False, False, True, True]
    np.testing.assert_allclose(after.column("error")[:3], np.hypot(100.0, 0.5 * difference[:3]))
    assert np.isfinite(after.column("background_departure")).all()


def test_rows_without_error_are_not_used() -> None:
    table = drawn()
    error = table.column("error").copy()
    error[:5] = [np.nan, 0.0, -1.0, np.nan, np.inf]
    after = analysed("3dfgat", table.with_columns(error=error), Assimilation(inner_iterations=3))
    assert ((after.table.column("flags") & Flag.NO_ERROR) != 0).sum() == 5
    assert after.diagnostics["counts"]["not_used"]["no_error"] == 5


def test_background_spread_is_the_root_of_the_diagonal() -> None:
    table = drawn(4)
    covariance = worlds.covariance(GRID, FIELDS)
    operator, _ = linearise(WINDOW.stacked(), locate(WINDOW, table))
    rows = [sqrt_transpose(covariance, operator.transpose(unit)) for unit in np.eye(len(table))]
    exact = np.linalg.norm(rows, axis=1)
    estimate = background_spread(operator, covariance, 400)
    # Standard error 1 / sqrt(2 * 400) = 3.5 %; 132 correlated values.
    assert np.max(np.abs(estimate / exact - 1.0)) < 0.15
    assert np.mean(estimate / exact) == pytest.approx(1.0, abs=0.03)


def test_engines_are_found_by_name() -> None:
    with pytest.raises(ConfigError, match="did you mean '3dfgat'"):
        engine("3dfgta")


def test_a_covariance_of_another_grid_is_refused() -> None:
    other = worlds.domain(ny=17)
    covariance = worlds.covariance(other, worlds.lapsing(other))
    with pytest.raises(InputError, match="build it on the same domain"):
        worlds.analyse("3dfgat", WINDOW, drawn(), covariance, PLAIN)


@pytest.mark.parametrize(
    "wrong",
    [
        {"inner_iterations": 0},
        {"gradient_reduction": 1.0},
        {"spread_samples": 1},
        {"station_height_difference": 0.0},
        {"engine": "3dfgta"},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Assimilation(**wrong)
