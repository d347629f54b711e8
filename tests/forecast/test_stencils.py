"""What every stencil stands on: extended arrays, readers of columns, tridiagonal systems; and their transposes."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from kaiseki.forecast.dynamics import tridiagonal
from kaiseki.forecast.dynamics.edges import Edges, extend
from kaiseki.forecast.dynamics.pressure_gradient import HorizontalStencil


def adjoint_mismatch(f: Callable[[jax.Array], jax.Array], x: jax.Array, seed: int = 0) -> float:
    """|<F x, y> - <x, F' y>| over the product of the norms, for a linear F."""
    fx, back = jax.vjp(f, x)
    _, tangent = jax.jvp(f, (x,), (x,))
    np.testing.assert_allclose(tangent, fx, rtol=1e-12)
    y = jnp.asarray(np.random.default_rng(seed).normal(size=fx.shape))
    (ct,) = back(y)
    return float(abs(jnp.vdot(fx, y) - jnp.vdot(x, ct)) / (jnp.linalg.norm(fx) * jnp.linalg.norm(y)))


@pytest.mark.parametrize("periodic", [False, True])
@given(
    st.tuples(st.integers(3, 5), st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)),
)
@settings(max_examples=25, deadline=None)
def test_extension_of_cells_is_numpys(periodic: bool, shape: tuple[int, int, int], n: tuple[int, int, int]) -> None:
    q = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    found = extend(jnp.asarray(q), Edges(periodic), *n)
    levels = np.pad(q, ((n[0], n[0]), (0, 0), (0, 0)), mode="edge")
    expected = np.pad(levels, ((0, 0), (n[1], n[1]), (n[2], n[2])), mode="wrap" if periodic else "edge")
    np.testing.assert_array_equal(found, expected)


def test_faces_of_a_periodic_domain_go_on_without_the_doubled_face() -> None:
    q = jnp.asarray([[[0.0, 1.0, 2.0, 0.0]]])
    np.testing.assert_array_equal(extend(q, Edges(True), x=2, faces="x")[0, 0], [1, 2, 0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("faces", ["", "x", "y"])
@pytest.mark.parametrize("shape", [(4, 5, 6), (3, 2, 2)])
def test_transpose_of_extension(x64: None, periodic: bool, faces: str, shape: tuple[int, int, int]) -> None:
    q = jnp.asarray(np.random.default_rng(2).normal(size=shape))
    assert adjoint_mismatch(lambda a: extend(a, Edges(periodic), 2, 2, 1, faces), q) < 1e-14


def steep_columns() -> np.ndarray:
    """Heights of cell centres (z, 1, x) over a mountain of 2 km between neighbours."""
    half = np.linspace(0.0, 15000.0, 31)
    ground = np.array([0.0, 100.0, 2000.0, 300.0])
    z = half[:, None, None] + ground * (1.0 - half[:, None, None] / 15000.0) ** 3
    return 0.5 * (z[1:] + z[:-1])


def test_columns_are_read_at_one_height(x64: None) -> None:
    """A cubic function of height is read exactly, whatever the slope; one of the horizontal place gives its step."""
    z = steep_columns()
    stencil = HorizontalStencil.build(z, 2, "wall", np.float64)
    assert stencil.reach > 3
    padded = np.pad(z, ((0, 0), (0, 0), (1, 1)), mode="edge")
    cubic = (padded / 1000.0) ** 3 - 4.0 * (padded / 1000.0) ** 2
    step = 10.0 * np.arange(6)
    column = extend(jnp.asarray(cubic + step), Edges(), z=stencil.reach)
    found = np.asarray(stencil.difference(column, -1))
    low, high = padded[..., :-1], padded[..., 1:]
    middle = 0.5 * (low + high)
    above = (middle >= np.maximum(low[0], high[0])) & (middle <= np.minimum(low[-1], high[-1]))
    np.testing.assert_allclose(found[above], 10.0, atol=1e-8)
    smooth = CubicSpline(padded[:, 0, 3], np.exp(-padded[:, 0, 3] / 7000.0))
    bell = extend(jnp.asarray(np.asarray(smooth(padded))), Edges(), z=stencil.reach)
    assert float(jnp.max(jnp.abs(stencil.difference(bell, -1)[above]))) < 2e-5


def test_transpose_of_reading_columns(x64: None) -> None:
    stencil = HorizontalStencil.build(steep_columns(), 2, "wall", np.float64)
    q = jnp.asarray(np.random.default_rng(3).normal(size=(30 + 2 * stencil.reach, 1, 6)))
    assert adjoint_mismatch(lambda a: stencil.difference(a, -1), q) < 1e-14


def test_tridiagonal_systems_and_their_derivatives(x64: None) -> None:
    r = np.random.default_rng(4)
    lower, upper, rhs = (jnp.asarray(r.normal(size=(9, 2, 3))) for _ in range(3))
    diagonal = jnp.asarray(3.0 + r.uniform(size=(9, 2, 3)))

    def solve(low: jax.Array, mid: jax.Array, up: jax.Array, b: jax.Array) -> jax.Array:
        return tridiagonal.solve(low, mid, up, *tridiagonal.factorise(low, mid, up), b)

    def dense(low: jax.Array, mid: jax.Array, up: jax.Array, b: jax.Array) -> jax.Array:
        def one(low: jax.Array, mid: jax.Array, up: jax.Array, b: jax.Array) -> jax.Array:
            return jnp.linalg.solve(jnp.diag(mid) + jnp.diag(low[1:], -1) + jnp.diag(up[:-1], 1), b)

        flat = [a.reshape(9, 6).T for a in (low, mid, up, b)]
        return jax.vmap(one)(*flat).T.reshape(9, 2, 3)

    given = (lower, diagonal, upper, rhs)
    np.testing.assert_allclose(solve(*given), dense(*given), rtol=1e-11)
    weight = jnp.asarray(r.normal(size=(9, 2, 3)))
    gradients = [
        jax.grad(lambda *a, f=f: jnp.sum(weight * f(*a)), argnums=(0, 1, 2, 3))(*given) for f in (solve, dense)
    ]
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-11)
    direction = tuple(jnp.asarray(r.normal(size=(9, 2, 3))) for _ in range(4))
    np.testing.assert_allclose(jax.jvp(solve, given, direction)[1], jax.jvp(dense, given, direction)[1], atol=1e-11)
