"""The analysis error that an engine gives: the exact one where the spectrum is complete, never less where it is not."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from assimilation import worlds
from assimilation.test_four_d_var import Identity
from kaiseki.assimilation import uncertainty
from kaiseki.assimilation.engines import four_d_var, optimal_interpolation, three_d_fgat
from kaiseki.assimilation.operators import linearise, locate
from kaiseki.assimilation.uncertainty import FIELDS, Errors, Uncertainty, left_by_draws, of_members, randomised
from kaiseki.config import Assimilation, FourDVarSettings
from kaiseki.core.constants import GRAVITY, R_DRY, VIRTUAL
from kaiseki.grid.coarsening import Coarsening
from kaiseki.observations import Table
from kaiseki.statistics import ANALYSIS_VARIABLES
from kaiseki.statistics.configuration import scaled
from kaiseki.statistics.covariance import build

GRID = worlds.domain(ny=9, nx=10, nz=6)
THERE = worlds.lapsing(GRID)
WINDOW = worlds.steady(GRID, THERE)
PLAIN = Assimilation(
    robust="none",
    background_check=1e9,
    inner_iterations=200,
    gradient_reduction=1e-11,
    four_d_var=FourDVarSettings(
        coarsening=(1,), inner_iterations=200, gradient_reduction=1e-11, gravity_wave_penalty=0.0
    ),
)
SHORT = dataclasses.replace(
    PLAIN, inner_iterations=3, four_d_var=dataclasses.replace(PLAIN.four_d_var, inner_iterations=3)
)
ENGINES = ("3dfgat", "optimal_interpolation", "4dvar")


class Still(Identity):
    """A model that leaves everything as it is."""

    domain = GRID


def table(seed: int = 4) -> Table:
    """Five temperatures, four winds and a surface pressure with departures at random."""
    random = np.random.default_rng(seed)
    quantities = ["air_temperature"] * 5 + ["eastward_wind"] * 2 + ["northward_wind"] * 2 + ["surface_pressure"]
    number = len(quantities)
    j, i = (random.uniform(2.5, n - 3.5, number) for n in (GRID.ny, GRID.nx))
    aloft = np.array(quantities) != "surface_pressure"
    made = worlds.at(
        GRID,
        j,
        i,
        np.array(quantities),
        pressure=np.where(aloft, random.uniform(30_000.0, 80_000.0, number), np.nan),
        kind=np.where(aloft, "sonde", "synop"),
        level=np.where(aloft, 1, 0),
        station_elevation=np.where(aloft, np.nan, GRID.terrain[np.rint(j).astype(int), np.rint(i).astype(int)]),
        error=np.where(aloft, 1.0, 100.0),
    )
    away = random.standard_normal(number) * made.column("error")
    return worlds.with_departures(made, -equivalents(made), away)


def equivalents(observations: Table) -> np.ndarray:
    return linearise(WINDOW.stacked(), locate(WINDOW, observations))[1]


def exact(observations: Table, error: np.ndarray) -> Errors:
    """The root of the diagonal of S (1 + S^T H^T R^-1 H S)^-1 S^T, written out."""
    covariance = worlds.covariance(GRID, THERE, taper=None)
    columns = jax.jit(jax.vmap(covariance.sqrt))(jnp.eye(covariance.control_size))
    root = np.concatenate(
        [np.asarray(columns[name]).reshape(len(columns[name]), -1) for name in ANALYSIS_VARIABLES], axis=1
    ).T
    operator, _ = linearise(WINDOW.stacked(), locate(WINDOW, observations))
    seen = operator.matrix @ root / error[:, None]
    factor = np.linalg.cholesky(np.linalg.inv(np.eye(root.shape[1]) + seen.T @ seen))
    u, v, temperature, pressure, _ = (root @ factor).reshape(5, *GRID.shape, -1)
    cosine, sine = np.cos(GRID.rotation)[..., None], np.sin(GRID.rotation)[..., None]
    virtual = THERE["temperature"][0] * (1.0 + VIRTUAL * THERE["qv"][0])
    ground = np.exp(GRAVITY * (GRID.z[0] - GRID.terrain) / (R_DRY * virtual))
    columns = (u * cosine + v * sine, v * cosine - u * sine, temperature, ground[..., None] * pressure[0])
    return {name: np.sqrt(np.sum(column**2, axis=-1)) for name, column in zip(FIELDS, columns, strict=True)}


def found(name: str, observations: Table, settings: Assimilation = PLAIN) -> tuple[Errors, np.ndarray]:
    """The errors that an engine gives, and those of the observations as it used them."""
    covariance = worlds.covariance(GRID, THERE, taper=None)
    analysis = worlds.analyse(name, WINDOW, observations, covariance, settings, None, Still(WINDOW))
    assert analysis.errors is not None
    assert analysis.diagnostics["counts"]["used"] == np.sum(~observations.column("withheld"))
    return analysis.errors, analysis.table.column("error")


def background() -> tuple[Errors, np.ndarray]:
    return found("3dfgat", table().with_columns(withheld=True))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ENGINES)
def test_with_the_whole_spectrum_it_is_the_exact_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(four_d_var, "PAIRS_CARRIED", 40)
    observations = table()
    errors, assumed = found(name, observations)
    wanted = exact(observations, assumed)
    nothing, _ = background()
    for field in FIELDS:
        # Stored in single precision.
        np.testing.assert_allclose(errors[field], wanted[field], rtol=1e-5, err_msg=field)
        assert np.min(errors[field] / nothing[field]) < 0.9, "the observations matter"


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ENGINES)
def test_fewer_pairs_never_promise_more(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    observations = table()
    before, _ = background()
    largest = {field: np.max(before[field]) for field in FIELDS}
    for number in (1, 2, 4, 8, 40):
        for module in (three_d_fgat, optimal_interpolation):
            monkeypatch.setattr(module, "PAIRS", number)
        monkeypatch.setattr(four_d_var, "PAIRS_CARRIED", number)
        errors, assumed = found(name, observations)
        for field in FIELDS:
            assert np.all(errors[field] <= before[field] + 1e-6 * largest[field]), field
        before = errors
    wanted = exact(observations, assumed)
    for field in FIELDS:
        assert np.all(before[field] >= wanted[field] - 1e-5 * largest[field]), field


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ENGINES)
def test_pairs_of_an_early_end_never_promise_more_than_the_exact_error(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Uncertainty, "draw", lambda self, controls: None)
    observations = table()
    errors, assumed = found(name, observations, SHORT)
    wanted = exact(observations, assumed)
    for field in FIELDS:
        assert np.all(errors[field] >= wanted[field] * (1.0 - 1e-5)), field


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ["3dfgat", "4dvar"])
def test_random_analyses_say_how_much_an_early_end_has_not_resolved(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    observations = table()
    with monkeypatch.context() as patch:
        patch.setattr(Uncertainty, "draw", lambda self, controls: None)
        bound, _ = found(name, observations, SHORT)
    monkeypatch.setattr(uncertainty, "DRAWS", 100)
    errors, assumed = found(name, observations, SHORT)
    wanted, (before, _) = exact(observations, assumed), background()
    # How well 100 draws over a grid of some correlation lengths know the mean share that is left.
    for fields, known in (
        (("eastward_wind", "northward_wind"), 0.1),
        (("temperature",), 0.1),
        (("surface_pressure",), 0.3),
    ):
        share, least = (
            np.mean([np.mean((made[field] / before[field]) ** 2) for field in fields]) for made in (errors, wanted)
        )
        assert share == pytest.approx(least, rel=known), fields
    for field in FIELDS:
        assert np.all(errors[field] <= bound[field] * (1.0 + 1e-5)), "the draws only add to what is told"
    assert np.mean(errors["temperature"] ** 2) < 0.99 * np.mean(bound["temperature"] ** 2)


def test_random_analyses_have_the_covariance_of_the_analysis_error(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    matrix, weights = random.standard_normal((6, 9)), random.uniform(0.2, 1.0, 6)
    monkeypatch.setattr(uncertainty, "DRAWS", 1000)
    errors = np.array(randomised(lambda v: matrix @ v, lambda r: matrix.T @ r, weights, 9))
    before, after = errors[:, 0], errors[:, 1]
    wanted = np.linalg.inv(np.eye(9) + matrix.T @ (weights[:, None] * matrix))
    # Entries of a sample covariance are known to sqrt(2 / N) of the variances.
    known = 5.0 * np.sqrt(2.0 / 1000)
    np.testing.assert_allclose(before.T @ before / 1000, np.eye(9), atol=known)
    np.testing.assert_allclose(after.T @ after / 1000, wanted, atol=known)
    np.testing.assert_allclose(after.T @ before / 1000, wanted, atol=known)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8, 0.95])
def test_the_known_background_makes_a_random_analysis_tell_the_share_better(share: float) -> None:
    # Forty independent places, about what a level of a limited area holds; an analysis that leaves `share` of each.
    places, trials = 40, 5_000
    before, noise = np.random.default_rng(5).standard_normal((2, trials, places))
    after = share * before + np.sqrt(share * (1.0 - share)) * noise
    means = [np.mean(error**2, axis=1) for error in (before, after)]
    found = left_by_draws(*means)
    assert np.mean(found) == pytest.approx(share, rel=0.05)
    assert np.all(found > 0.0)
    # With the share itself in place of the ratio it would be sqrt(1 - share^2); the ratio has a noise of its own.
    assert np.std(found) / np.std(means[1]) == pytest.approx(np.sqrt(1.0 - share**2), rel=0.15)


@pytest.mark.parametrize("name", ENGINES)
def test_without_observations_it_is_the_error_of_the_background(name: str) -> None:
    none = table().with_columns(withheld=True)
    covariance = worlds.covariance(GRID, THERE, taper=None)
    analysis = worlds.analyse(name, WINDOW, none, covariance, PLAIN, None, Still(WINDOW))
    assert analysis.errors is not None
    columns = jax.jit(jax.vmap(covariance.sqrt))(jnp.eye(covariance.control_size))
    wanted = np.sqrt(np.sum(np.asarray(columns["temperature"], np.float64) ** 2, axis=0))
    np.testing.assert_allclose(analysis.errors["temperature"], wanted, rtol=1e-4)


def test_at_the_end_of_the_window_the_background_has_the_cycled_error() -> None:
    none = table().with_columns(withheld=True)
    halved = scaled(worlds.errors(), 0.5)
    settings = dataclasses.replace(PLAIN, four_d_var=FourDVarSettings(background_deviation=0.5))
    at_start = build(GRID, halved, THERE)
    analysis = worlds.analyse("4dvar", WINDOW, none, at_start, settings, None, Still(WINDOW))
    wanted, _ = background()
    assert analysis.errors is not None
    for field in FIELDS:
        np.testing.assert_allclose(analysis.errors[field], wanted[field], rtol=1e-4)


def test_on_a_coarser_grid_variances_are_interpolated() -> None:
    coarsening = Coarsening.build(worlds.domain(ny=12, nx=14, nz=6), 2)
    fine, coarse = coarsening.fine, coarsening.coarse
    fields = worlds.lapsing(fine)
    made = Uncertainty(worlds.covariance(fine, fields, taper=None), fine, fields)
    before = made.errors()
    there = {name: coarsening(field) for name, field in fields.items()}
    one = np.zeros((5, *coarse.shape), np.float32)
    one[2] = 0.5
    made.explain_carried([one, one], coarse, there)
    after = made.errors()
    np.testing.assert_allclose(before["temperature"] ** 2 - after["temperature"] ** 2, 0.5, rtol=1e-4)
    np.testing.assert_array_equal(after["eastward_wind"], before["eastward_wind"])


def test_members_say_what_they_differ_by() -> None:
    coarsening = Coarsening.build(worlds.domain(ny=12, nx=14, nz=6), 2)
    coarse = coarsening.coarse
    mean = {name: coarsening(field) for name, field in worlds.lapsing(coarsening.fine).items()}
    pattern = np.array([-1.0, 0.0, 1.0])[:, None, None, None]
    anomalies = np.zeros((3, 5, *coarse.shape))
    anomalies[:, 0] = 3.0 * pattern * np.cos(coarse.rotation)
    anomalies[:, 1] = 3.0 * pattern * np.sin(coarse.rotation)
    anomalies[:, 3] = 50.0 * pattern
    errors = of_members(anomalies, coarsening, mean)
    # A wind to the east along the grid's own direction of it.
    np.testing.assert_allclose(errors["eastward_wind"], 3.0, rtol=1e-6)
    np.testing.assert_allclose(errors["northward_wind"], 0.0, atol=1e-5)
    assert not errors["temperature"].any()
    gap = GRAVITY * (coarse.z[0] - coarse.terrain) / (R_DRY * mean["temperature"][0])
    assert np.all(errors["surface_pressure"] > 50.0)
    np.testing.assert_allclose(errors["surface_pressure"].mean(), 50.0 * (1.0 + gap.mean()), rtol=2e-3)
