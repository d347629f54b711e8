"""The linear model of a window: against the forecast it is the derivative of, and against its own transpose."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from assimilation import worlds
from kaiseki.core.constants import VIRTUAL
from kaiseki.diagnostics.saturation import specific_humidity_from_relative
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.integrate import Forcing
from kaiseki.forecast.linear.increments import ANALYSED, from_model, into_model
from kaiseki.forecast.linear.simplified_physics import RegularPhysics, condensation
from kaiseki.forecast.linear.window import LinearWindow, _segment
from kaiseki.forecast.model import Model
from kaiseki.forecast.perturbation import Perturbation
from kaiseki.forecast.physics.columns import make_columns
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.rim import Boundary
from kaiseki.forecast.state import State
from kaiseki.grid import Domain

GRID = worlds.domain(ny=10, nx=11, nz=8, hill=500.0)
UNMIXED = RegularPhysics(mixing=False)
SIZES = {"u": 1.0, "v": 1.0, "temperature": 0.5, "pressure": 50.0, "qv": 2e-4}


def world(dtype: type, domain: Domain = GRID) -> tuple[Model, State, Forcing]:
    """A model of the rim, a start of 85 to 101 % relative humidity and a boundary that stands still."""
    fields = worlds.lapsing(domain)
    humidity = 0.93 + 0.08 * np.sin(0.9 * np.arange(domain.nx))
    fields["qv"] = specific_humidity_from_relative(humidity, fields["temperature"], fields["pressure"])
    virtual = fields["temperature"] * (1.0 + VIRTUAL * fields["qv"])
    reference = ReferenceProfile.fit(domain.z, virtual, fields["pressure"])
    model = Model.make(domain, reference, DynamicsParameters(time_step=150.0, acoustic_substeps=2), dtype=dtype)
    j, i = np.mgrid[: domain.ny, : domain.nx]
    fields["u"] = fields["u"] + 4.0 * np.sin(0.7 * i) * np.cos(0.5 * j)
    return model, model.start(fields), Forcing(*[model.boundary(fields)] * 2)


def change(seed: int, dtype: type = np.float64) -> dict[str, jax.Array]:
    """Random; vapour less where the air can hold less, as in increments."""
    random = np.random.default_rng(seed)
    sizes = {name: size * (np.exp(-GRID.z / 2000.0) if name == "qv" else 1.0) for name, size in SIZES.items()}
    return {n: jnp.asarray((sizes[n] * random.standard_normal(GRID.shape)).astype(dtype)) for n in ANALYSED}


def window(dtype: type, physics: RegularPhysics | None = None, **others: object) -> LinearWindow:
    model, state, forcing = world(dtype)
    states = [state]
    for _ in range(2):
        states.append(model.advance(states[-1], forcing, 600.0))
    return LinearWindow.about(model, forcing, states, 600.0, physics, **others)  # type: ignore[arg-type]


def test_into_the_model_is_the_derivative_of_adding_an_increment(x64: None) -> None:
    model, state, _ = world(np.float64)
    wanted = into_model(change(1), state, model.metrics)
    small = {name: 1e-4 * np.asarray(field) for name, field in change(1).items()}
    for name in ("ru", "rv", "rw", "drho", "drt", "water"):
        one = np.asarray(getattr(model.add_increment(state, small), name))
        two = np.asarray(getattr(model.add_increment(state, {n: -f for n, f in small.items()}), name))
        slope = (one - two) / 2e-4
        if name == "rw":
            slope, ours = slope[0], np.asarray(wanted.rw)[0]
        else:
            ours = np.asarray(getattr(wanted, name))
        np.testing.assert_allclose(ours, slope, rtol=0, atol=1e-6 * np.abs(slope).max(), err_msg=name)


def test_what_goes_into_the_model_comes_out_of_it(x64: None) -> None:
    model, state, _ = world(np.float64)
    given = change(2)
    found = from_model(into_model(given, state, model.metrics), state, model.metrics)
    for name in ("temperature", "qv"):
        np.testing.assert_allclose(found[name], given[name], rtol=0, atol=1e-9 * SIZES[name])
    np.testing.assert_allclose(found["pressure"][0], given["pressure"][0], rtol=0, atol=1e-7)


def test_the_tangent_is_the_derivative_of_the_smooth_forecast(x64: None) -> None:
    """Taylor: what is left falls with the step (not quite in proportion: upwinding has a kink where the
    wind turns round); mixing is left out, whose coefficients are held."""
    linear = window(np.float64, UNMIXED)
    model, state, _ = world(np.float64)
    fixed = linear._fixed
    start = Perturbation.of(state)
    moved = into_model(change(3), state, model.metrics)

    @jax.jit
    def forecast(size: float) -> Perturbation:
        # The first of two slots; the second begins anew from the state given.
        boundary = Boundary.of(jax.tree.map(lambda a: size * a, moved))

        def one(fields: Perturbation, k: jax.Array) -> tuple[Perturbation, None]:
            return _segment(fields, boundary, state, k, fixed, linear._settings, 8), None

        return jax.lax.scan(one, jax.tree.map(lambda a, b: a + size * b, start, moved), jnp.arange(4))[0]

    reached = forecast(0.0)
    # Changes are read about the state given for the slot, not about the smooth forecast's own.
    slot = jax.tree.map(lambda a: a[1], linear.course.slots).onto(state)
    exact = linear.tangent(change(3))[0]
    errors: dict[str, list[float]] = {"u": [], "qv": []}
    for size in (1e-2, 1e-3, 1e-4):
        far = forecast(size)
        secant = jax.tree.map(lambda a, b, size=size: (a - b) / size, far, reached)
        found = from_model(secant, slot, model.metrics)
        for name, of_name in errors.items():
            wanted = np.asarray(exact[name][1])
            of_name.append(float(np.linalg.norm(np.asarray(found[name]) - wanted) / np.linalg.norm(wanted)))
    for of_name in errors.values():
        assert of_name[0] < 0.01
        for earlier, later in itertools.pairwise(of_name):
            assert later < 0.3 * earlier, errors
    # The start is moist enough for condensation to matter.
    columns = make_columns(state, model.metrics)
    rain = condensation(columns.temperature, columns.water.rv, columns.pressure, RegularPhysics(), 600.0)[1]
    assert 0.1 < float(jnp.mean(rain > 0.0)) < 0.9


@pytest.mark.parametrize(
    ("dtype", "bound"), [(np.float64, 1e-12), pytest.param(np.float32, 1e-4, marks=pytest.mark.slow)]
)
def test_the_adjoint_is_the_transpose(dtype: type, bound: float, request: pytest.FixtureRequest) -> None:
    """The chain of 4D-Var in tests/assimilation/test_four_d_var.py shows as much in single precision."""
    if dtype is np.float64:
        request.getfixturevalue("x64")
    penalty = np.linspace(-1.0, 1.0, 8)
    linear = window(dtype, RegularPhysics(), penalty=penalty)
    slots, total = linear.tangent(change(4, dtype))
    random = np.random.default_rng(5)
    # Random, but not so that the product is chance: everything in units of its own size.
    other = {n: (a / SIZES[n] ** 2 * (1.0 + random.random(a.shape))).astype(dtype) for n, a in slots.items()}
    waves = jax.tree.map(lambda a: jnp.asarray((1e-3 * random.standard_normal(a.shape)).astype(dtype)), total)
    back = linear.adjoint(other, waves)

    def product(a: object, b: object) -> float:
        pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
        return sum(float(np.vdot(np.asarray(x, np.float64), np.asarray(y, np.float64))) for x, y in pairs)

    one = product(slots, other) + product(total, waves)
    two = product(change(4, dtype), {name: back[name] for name in ANALYSED})
    scaled = {
        n: (np.asarray(a, np.float64) / SIZES[n], np.asarray(other[n], np.float64) * SIZES[n]) for n, a in slots.items()
    }
    norms = [np.sqrt(sum(float(np.sum(pair[k] ** 2)) for pair in scaled.values())) for k in (0, 1)]
    assert abs(one - two) < bound * norms[0] * norms[1]
    assert one > 0.3 * norms[0] * norms[1]


def test_a_change_at_the_edge_comes_from_outside_and_stays(x64: None) -> None:
    """The outermost cells are the boundary's, which stands still here and is changed as the start is."""
    slots = window(np.float64, RegularPhysics()).tangent(change(7))[0]
    edge = np.ones(GRID.shape[1:], bool)
    edge[1:-1, 1:-1] = False
    for name in ("temperature", "pressure", "qv"):
        found = np.asarray(slots[name])[..., edge]
        np.testing.assert_allclose(found[1:], found[:1].repeat(2, axis=0), rtol=0, atol=1e-9 * SIZES[name])


@pytest.mark.slow
def test_less_memory_gives_the_same(x64: None) -> None:
    """Segments of more steps compute again what they do not keep."""
    penalty = np.random.default_rng(8).standard_normal(8)
    plenty, little = window(np.float64, penalty=penalty), window(np.float64, penalty=penalty, memory=1.0)
    assert (plenty.segment, little.segment) == (1, 4)
    assert little.memory < 0.3 * plenty.memory
    assert float(little.course.penalty.sum()) == pytest.approx(penalty.sum())
    one, two = plenty.tangent(change(6))[0], little.tangent(change(6))[0]
    for name in ANALYSED:
        np.testing.assert_allclose(two[name], one[name], rtol=0, atol=1e-12 * SIZES[name] * 10)
    back, again = plenty.adjoint(one), little.adjoint(one)
    for name in ANALYSED:
        np.testing.assert_allclose(again[name], back[name], rtol=1e-9, atol=1e-9 * float(np.abs(back[name]).max()))


def test_regular_physics_damps_the_wind_at_the_ground(x64: None) -> None:
    linear, unmixed = window(np.float64, RegularPhysics()), window(np.float64, UNMIXED)
    breeze = {name: jnp.zeros(GRID.shape) for name in ANALYSED} | {"u": jnp.ones(GRID.shape)}
    with_drag, without = (w.tangent(breeze)[0]["u"][-1] for w in (linear, unmixed))
    inside = (slice(3, -3), slice(3, -3))
    assert (np.asarray(with_drag)[0][inside] < np.asarray(without)[0][inside]).all()
