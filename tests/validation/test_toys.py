"""The small chaotic models of `validation/toys` and short versions of the twins that run on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from validation.toys import lorenz96
from validation.toys.quasi_geostrophic import OBSERVED, QuasiGeostrophic, free_run, observed_points

from kaiseki.statistics.localisation import neighbourhoods
from validation import lorenz96 as twins
from validation import quasi_geostrophic as gyres


def on_the_attractor(seed: int) -> np.ndarray:
    return lorenz96.forecast(lorenz96.first_states(np.random.default_rng(seed), 1)[0], 400)


def test_advection_of_lorenz96_conserves_energy() -> None:
    states = np.random.default_rng(0).standard_normal((5, 40)) * 4.0
    advected = lorenz96.tendency(states, forcing=0.0, damping=0.0)
    assert np.abs(advected).max() > 1.0
    np.testing.assert_allclose((states * advected).sum(axis=-1), 0.0, atol=1e-11)


def test_lorenz96_is_its_equation_and_members_do_not_mix() -> None:
    states = np.random.default_rng(1).standard_normal((3, 40))
    rate = lorenz96.tendency(states)
    for i in (0, 1, 20, 39):
        x = states[1]
        exact = (x[(i + 1) % 40] - x[i - 2]) * x[i - 1] - x[i] + 8.0
        assert rate[1, i] == pytest.approx(exact, rel=1e-13)
    np.testing.assert_array_equal(lorenz96.step(states)[2], lorenz96.step(states[2]))


def test_the_runge_kutta_step_is_of_fourth_order(monkeypatch: pytest.MonkeyPatch) -> None:
    start, ends = on_the_attractor(2), []
    for steps in (8, 16, 128):
        monkeypatch.setattr(lorenz96, "STEP", 0.4 / steps)
        ends.append(lorenz96.forecast(start, steps))
    errors = [np.linalg.norm(end - ends[-1]) for end in ends[:2]]
    assert 3.5 < np.log2(errors[0] / errors[1]) < 5.0


def test_the_climate_of_lorenz96_is_the_published_one() -> None:
    """Mean 2.3 and standard deviation 3.6 (Lorenz and Emanuel 1998, section 3)."""
    state, sample = on_the_attractor(3), []
    for _ in range(500):
        state = lorenz96.forecast(state, 4)
        sample.append(state)
    assert np.mean(sample) == pytest.approx(2.34, abs=0.1)
    assert np.std(sample) == pytest.approx(3.64, abs=0.1)


@pytest.mark.parametrize("steps", [1, 4, 16])
def test_tangent_and_adjoint_of_lorenz96_are_transposes(steps: int) -> None:
    model = lorenz96.Linear(on_the_attractor(4), steps)
    x, y = np.random.default_rng(5).standard_normal((2, 40))
    assert model.tangent(x) @ y == pytest.approx(x @ model.adjoint(y), rel=1e-11)


def test_the_tangent_of_lorenz96_is_the_limit_of_differences() -> None:
    state, change = on_the_attractor(6), np.random.default_rng(6).standard_normal(40)
    model = lorenz96.Linear(state, 8)
    np.testing.assert_array_equal(model.end, lorenz96.forecast(state, 8))
    steps = 10.0 ** -np.arange(2, 6)
    left = [
        np.linalg.norm((lorenz96.forecast(state + step * change, 8) - model.end) / step - model.tangent(change))
        for step in steps
    ]
    np.testing.assert_allclose(np.diff(np.log10(left)), -1.0, atol=0.02)


@pytest.mark.parametrize("method", [twins.local_filter, twins.global_filter], ids=["LETKF", "global"])
def test_ensemble_filters_keep_lorenz96_well_below_the_errors_of_observations(
    method: Callable[[lorenz96.Twin], twins.Run],
) -> None:
    run = method(lorenz96.twin(11, 200, 1))
    assert run.errors[100:].mean() < 0.35
    assert run.errors.max() < 1.0


def test_four_d_var_keeps_lorenz96_and_a_longer_window_is_better() -> None:
    climate = lorenz96.climate(12, 100)
    scores = [
        twins.four_d_var(lorenz96.twin(13, 80, 1), share * climate, lag).errors[30:].mean()
        for lag, share in ((1, 0.01), (4, 0.005))
    ]
    assert scores[1] < scores[0] < 0.5


def rough(model: QuasiGeostrophic, seed: int) -> np.ndarray:
    field = np.zeros((model.points, model.points))
    field[1:-1, 1:-1] = np.random.default_rng(seed).standard_normal((model.points - 2, model.points - 2))
    return field


def test_the_arakawa_jacobian_conserves_energy_and_enstrophy() -> None:
    model = QuasiGeostrophic(points=33)
    psi, q = rough(model, 1), rough(model, 2)
    jacobian = model.jacobian(psi, q)
    for weight in (psi, q):
        product = weight[1:-1, 1:-1] * jacobian
        assert abs(product.sum()) < 1e-13 * np.abs(product).sum()
    # Antisymmetric, which the centred form alone is not in its discrete sums.
    np.testing.assert_allclose(jacobian, -model.jacobian(q, psi), atol=1e-9)


def test_the_arakawa_jacobian_is_of_second_order() -> None:
    errors = []
    for points in (33, 65):
        x = np.linspace(0.0, 1.0, points)
        a, b = np.sin(3 * x)[None] * np.cos(2 * x)[:, None], np.cos(x)[None] * np.exp(x)[:, None]
        a_x, a_y = 3 * np.cos(3 * x)[None] * np.cos(2 * x)[:, None], -2 * np.sin(3 * x)[None] * np.sin(2 * x)[:, None]
        exact = a_x * b + a_y * np.sin(x)[None] * np.exp(x)[:, None]
        errors.append(np.abs(QuasiGeostrophic(points=points).jacobian(a, b) - exact[1:-1, 1:-1]).max())
    assert 1.8 < np.log2(errors[0] / errors[1]) < 2.2


def test_the_helmholtz_solver_is_exact() -> None:
    model = QuasiGeostrophic(points=33)
    psi = rough(model, 3)
    np.testing.assert_allclose(model.invert(model.vorticity(psi)), psi, atol=1e-12)
    # An eigenfunction of the five points: sin(2 pi x) sin(3 pi y).
    x = np.linspace(0.0, 1.0, 33)
    wave = np.sin(2 * np.pi * x)[None] * np.sin(3 * np.pi * x)[:, None]
    symbol = sum(-4.0 * np.sin(k * np.pi / 64) ** 2 * 32**2 for k in (2, 3)) - 1600.0
    np.testing.assert_allclose(model.invert(wave), wave / symbol, atol=1e-15)


def test_terms_of_the_vorticity_equation() -> None:
    """Of a single wave nothing advects itself: Rossby term, friction and wind are left."""
    model = QuasiGeostrophic(points=65)
    x = np.linspace(0.0, 1.0, 65)
    wave = np.sin(2 * np.pi * x)[None] * np.sin(3 * np.pi * x)[:, None]
    rate = model.tendency(model.vorticity(wave))[1:-1, 1:-1]
    symbol = sum(-4.0 * np.sin(k * np.pi / 128) ** 2 * 64**2 for k in (2, 3))
    slope = np.cos(2 * np.pi * x)[None] * np.sin(3 * np.pi * x)[:, None] * np.sin(2 * np.pi / 64) * 64
    wind = -2.0 * np.pi * np.sin(2.0 * np.pi * x)[:, None]
    exact = (-slope - model.friction * symbol**3 * wave + wind)[1:-1, 1:-1]
    np.testing.assert_allclose(rate, exact, atol=1e-8)


def test_members_of_the_gyres_are_forecast_alone() -> None:
    model = QuasiGeostrophic(points=33)
    both = np.stack([10.0 * rough(model, 4), rough(model, 5)])
    np.testing.assert_array_equal(model.forecast(both, 2)[1], model.forecast(both[1], 2))


def test_tracks_of_observations_stay_on_the_map_and_move() -> None:
    generator = np.random.default_rng(8)
    drawn = [observed_points(129, generator) for _ in range(60)]
    assert all(len(np.unique(seen)) == OBSERVED and 0 <= seen[0] and seen[-1] < 129**2 for seen in drawn)
    assert len({int(seen[0]) for seen in drawn}) > 20


def test_the_filter_of_the_gyres_reduces_error_near_observations_only() -> None:
    model = QuasiGeostrophic(points=33)
    ensemble = free_run(model, np.random.default_rng(9), 100, 9, 10)
    truth, members = ensemble[0], ensemble[1:]
    local = gyres.Filter(33, half_width=3.0, every=2)
    seen = np.array([16 * 33 + 8, 10 * 33 + 8])
    mean, analysed = local.analyse(members, seen, truth.ravel()[seen])
    before = members.mean(axis=0)
    np.testing.assert_allclose(analysed.mean(axis=0), mean, atol=1e-10)
    changed = np.abs(mean - before) > 1e-12
    points = np.stack(np.meshgrid(np.arange(33.0), np.arange(33.0), indexing="ij"), axis=-1).reshape(-1, 2)
    # Two half-widths, and the interval of the weights around.
    reach = neighbourhoods(points, points[seen], 4.5).tapers.any(axis=1).reshape(33, 33)
    assert changed.any()
    assert not (changed & ~reach).any()
    error = [np.abs(state - truth).ravel()[seen] for state in (before, mean)]
    assert (error[1] < error[0]).all()
