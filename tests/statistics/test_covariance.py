"""The background covariance: adjoint, variances, balance, rim."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assimilation import worlds
from kaiseki.core.constants import GRAVITY, R_DRY, VIRTUAL
from kaiseki.core.errors import ConfigError
from kaiseki.statistics import ANALYSIS_VARIABLES, BackgroundCovariance
from kaiseki.statistics.balance import rim_mask, vertical_derivative
from kaiseki.statistics.configuration import profile as deviation_profile
from kaiseki.statistics.configuration import two_scales
from kaiseki.statistics.covariance import build
from kaiseki.statistics.variance import variances

GRID = worlds.domain()
FLAT = worlds.domain(hill=0.0)
UNITS = dict(zip(ANALYSIS_VARIABLES, (1.0, 1.0, 1.0, 100.0, 1e-3), strict=True))


@jax.jit
def increment(made: BackgroundCovariance, control: Any) -> dict[str, Any]:
    return made.sqrt(control)


@jax.jit
def covaried(made: BackgroundCovariance, fields: dict[str, Any]) -> dict[str, Any]:
    return made.covary(fields)


@jax.jit
def transposed(made: BackgroundCovariance, fields: dict[str, Any]) -> Any:
    return made.sqrt_transpose(fields)


def random_control(made: BackgroundCovariance, seed: int) -> Any:
    return jnp.asarray(np.random.default_rng(seed).standard_normal(made.control_size), dtype=float)


def covariance(grid: object = GRID, taper: int = 1, **changes: object) -> BackgroundCovariance:
    return build(grid, worlds.errors(**changes), worlds.lapsing(grid), taper)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_transpose_is_adjoint_to_round_off(seed: int) -> None:
    made = covariance()
    random = np.random.default_rng(seed)
    v = random_control(made, seed + 10)
    x = {name: random.standard_normal(GRID.shape) / UNITS[name] for name in ANALYSIS_VARIABLES}
    image, back = increment(made, v), transposed(made, {name: jnp.asarray(field) for name, field in x.items()})
    left = sum(float(np.vdot(image[name], x[name])) for name in ANALYSIS_VARIABLES)
    assert left == pytest.approx(float(np.vdot(v, back)), rel=1e-12)


@pytest.mark.usefixtures("x64")
def test_the_covariance_is_symmetric_and_positive() -> None:
    made, random = covariance(), np.random.default_rng(3)
    x, y = (
        {name: jnp.asarray(random.standard_normal(GRID.shape) / UNITS[name]) for name in ANALYSIS_VARIABLES}
        for _ in range(2)
    )
    b_x, b_y = covaried(made, x), covaried(made, y)
    dot = {
        key: sum(float(jnp.vdot(one[name], two[name])) for name in ANALYSIS_VARIABLES)
        for key, (one, two) in {"x_by": (x, b_y), "y_bx": (y, b_x), "x_bx": (x, b_x)}.items()
    }
    assert dot["x_by"] == pytest.approx(dot["y_bx"], rel=1e-10)
    assert dot["x_bx"] > 0.0


@pytest.mark.usefixtures("x64")
@given(st.floats(-3.0, 3.0), st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_the_square_root_is_linear(factor: float, seed: int) -> None:
    made = covariance()
    v, w = random_control(made, seed), random_control(made, seed + 1)
    together, first, second = (increment(made, one) for one in (v + factor * w, v, w))
    for name in ANALYSIS_VARIABLES:
        expected = first[name] + factor * second[name]
        np.testing.assert_allclose(together[name], expected, rtol=0, atol=1e-11 * float(jnp.max(jnp.abs(expected))))


def samples(made: BackgroundCovariance, number: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Increments (number, nz, ny, nx) of random control vectors."""
    random = np.random.default_rng(seed)
    draw = jax.jit(jax.vmap(made.sqrt))
    return {
        name: np.asarray(field)
        for name, field in draw(jnp.asarray(random.standard_normal((number, made.control_size)), dtype=float)).items()
    }


def test_wind_variance_is_the_configured_one_at_every_level() -> None:
    errors = worlds.errors()
    drawn = samples(build(FLAT, errors, worlds.lapsing(FLAT), 1), 400)
    inside = rim_mask(FLAT, 1) == 1.0
    assert inside.sum() > 60
    # The covariance takes ln p of the standard atmosphere.
    log_pressure = np.log(101_325.0) + 5.25588 * np.log(1.0 - 0.0065 * np.minimum(FLAT.zeta, 11_000.0) / 288.15)
    log_pressure -= np.maximum(FLAT.zeta - 11_000.0, 0.0) * 9.80665 / (287.05 * 216.65)
    wanted = np.interp(-log_pressure, -np.log([1e5, 5e4, 1e4]), [2.0, 3.0, 3.0])
    ratio = FLAT.map_factor / FLAT.map_factor[FLAT.ny // 2, FLAT.nx // 2]
    for name in ("u", "v"):
        found = np.sqrt(np.mean((drawn[name] / ratio)[:, :, inside] ** 2, axis=(0, 2)))
        np.testing.assert_allclose(found, wanted, rtol=0.05)
        assert np.mean(found / wanted) == pytest.approx(1.0, abs=0.03)


def test_humidity_and_unbalanced_temperature_have_their_variances() -> None:
    # Without balance and pressure all temperature is unbalanced; humidity always is.
    made = covariance(FLAT, balance=0.0)
    drawn = samples(made, 400, seed=1)
    inside = rim_mask(FLAT, 1) == 1.0
    log_pressure = np.log(101_325.0) + 5.25588 * np.log(1.0 - 0.0065 * np.minimum(FLAT.zeta, 11_000.0) / 288.15)
    log_pressure -= np.maximum(FLAT.zeta - 11_000.0, 0.0) * 9.80665 / (287.05 * 216.65)
    for name, profile, scale in (
        ("temperature", (1.2, 1.0, 1.2), 1.0),
        ("qv", (0.15, 0.2, 0.1), np.asarray(made.balance.saturation)),
    ):
        wanted = np.interp(-log_pressure, -np.log([1e5, 5e4, 1e4]), profile)
        found = np.sqrt(np.mean((drawn[name] / scale)[:, :, inside] ** 2, axis=(0, 2)))
        np.testing.assert_allclose(found, wanted, rtol=0.06)


@pytest.mark.usefixtures("x64")
def test_increments_are_hydrostatic_by_finite_differences_of_the_nonlinear_relation() -> None:
    """ln p[k+1] - ln p[k] = -g dz / (R Tm), perturbed both ways and differenced."""
    made = covariance(taper=0)
    fields = worlds.lapsing(GRID)
    change = {name: np.asarray(field) for name, field in increment(made, random_control(made, 5)).items()}

    def thickness(step: float) -> np.ndarray:
        qv = fields["qv"] + step * change["qv"]
        virtual = (fields["temperature"] + step * change["temperature"]) * (1.0 + VIRTUAL * qv)
        return -GRAVITY * np.diff(GRID.z, axis=0) / (R_DRY * 0.5 * (virtual[1:] + virtual[:-1]))

    step = 1e-4
    wanted = (thickness(step) - thickness(-step)) / (2.0 * step)
    found = np.diff(change["pressure"] / fields["pressure"], axis=0)
    inside = rim_mask(GRID, 0) == 1.0
    scale = np.max(np.abs(change["pressure"] / fields["pressure"]))
    np.testing.assert_allclose(found[:, inside], wanted[:, inside], rtol=0, atol=1e-7 * scale)


def ageostrophic_part(levels: int) -> float:
    """Root mean square of wind minus geostrophic wind over that of wind, above the boundary layer.

    f u = -(1/rho) dp/dy + psi df/dy and f v = (1/rho) dp/dx - psi df/dx at constant height, by differences of our own;
    the last terms are those in beta that the local balance f psi leaves to the mass field.
    """
    grid = worlds.domain(hill=0.0, nz=levels)
    made = covariance(grid, balance=1.0, divergent=0.0, taper=0)
    control = np.zeros(made.control_size)
    size = sum(term.size for term in made.psi)
    control[:size] = np.random.default_rng(6).standard_normal(size)
    psi = np.asarray(made.fields(jnp.asarray(control)).psi)
    change = {name: np.asarray(field) for name, field in increment(made, jnp.asarray(control)).items()}
    fields = worlds.lapsing(grid)
    virtual = fields["temperature"] * (1.0 + VIRTUAL * fields["qv"])
    mass = R_DRY * virtual * change["pressure"] / fields["pressure"]
    f, m = grid.coriolis, grid.map_factor
    along_y, along_x = (
        m / f * (np.gradient(mass, grid.spacing, axis=axis) - psi * np.gradient(f, grid.spacing, axis=axis - 1))
        for axis in (1, 2)
    )
    inner = (grid.zeta > 2_500.0, slice(4, -4), slice(4, -4))
    error = (change["u"] + along_y)[inner] ** 2 + (change["v"] - along_x)[inner] ** 2
    return float(np.sqrt(np.sum(error) / np.sum(change["u"][inner] ** 2 + change["v"][inner] ** 2)))


@pytest.mark.usefixtures("x64")
def test_the_balanced_part_is_geostrophic_to_second_order_in_the_layers() -> None:
    coarse, fine = ageostrophic_part(40), ageostrophic_part(80)
    assert fine < 0.01
    assert coarse / fine > 3.0


def test_increments_vanish_in_the_rim_and_rise_smoothly() -> None:
    made = covariance(taper=3)
    change = increment(made, random_control(made, 7))
    for field in change.values():
        assert not np.asarray(field)[:, ~GRID.inside_rim].any()
    mask = rim_mask(GRID, 3)
    middle = mask[GRID.ny // 2]
    assert (middle[:2] == 0.0).all()
    assert (np.diff(middle[1:6]) > 0.0).all()
    assert middle[5] == 1.0


def test_the_control_size_does_not_depend_on_the_background() -> None:
    fields = worlds.lapsing(GRID)
    warm = {**fields, "temperature": fields["temperature"] + 10.0}
    sizes = {build(GRID, worlds.errors(), one).control_size for one in (fields, warm)}
    assert len(sizes) == 1


@given(st.lists(st.floats(50.0, 1000.0), min_size=4, max_size=12))
def test_vertical_derivative_is_exact_for_parabolas_inside(thickness: list[float]) -> None:
    height = np.cumsum(thickness)
    found = vertical_derivative(height) @ (3.0 + 2.0 * height + 1e-3 * height**2)
    np.testing.assert_allclose(found[1:-1], 2.0 + 2e-3 * height[1:-1], rtol=1e-7)


@given(st.floats(20e3, 2000e3), st.floats(0.05, 2.0))
def test_two_scales_keep_variance_and_curvature(length: float, vertical: float) -> None:
    scales = two_scales(length, vertical)
    assert sum(s.weight for s in scales) == pytest.approx(1.0)
    assert sum(s.weight / s.length**2 for s in scales) == pytest.approx(length**-2)
    assert sum(s.weight / s.vertical_length**2 for s in scales) == pytest.approx(vertical**-2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wind": (1.0, 2.0)}, "wind needs 3 values, one per pressure"),
        ({"pressure": (5e4, 1e5, 1e4)}, "must fall"),
        ({"balance": 1.5}, "must be at most 1"),
        ({"surface_pressure": 0.0}, "must be greater than 0"),
    ],
)
def test_errors_that_make_no_sense_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        worlds.errors(**changes)


def test_profiles_are_linear_in_the_logarithm_of_pressure() -> None:
    errors = worlds.errors()
    assert deviation_profile(errors, "wind", np.array([np.sqrt(1e5 * 5e4)]))[0] == pytest.approx(2.5)
    assert deviation_profile(errors, "wind", np.array([1.2e5, 5e3])).tolist() == [2.0, 3.0]


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("taper", [None, 1])
def test_variances_are_the_diagonal_of_the_covariance(taper: int | None) -> None:
    grid = worlds.domain(ny=7, nx=8, nz=6)
    made = covariance(grid, taper=taper)
    columns = jax.jit(jax.vmap(made.sqrt))(jnp.eye(made.control_size))
    whole = {name: np.asarray(columns[name]) for name in ANALYSIS_VARIABLES}
    found = variances(made)
    wanted = {
        "u": np.sum(whole["u"] ** 2, axis=0),
        "v": np.sum(whole["v"] ** 2, axis=0),
        "uv": np.sum(whole["u"] * whole["v"], axis=0),
        "temperature": np.sum(whole["temperature"] ** 2, axis=0),
        "pressure": np.sum(whole["pressure"][:, 0] ** 2, axis=0),
    }
    for name, exact in wanted.items():
        # Inside, the two winds are not correlated at all: their covariance is compared with the variances.
        scale = np.abs(wanted["u" if name == "uv" else name]).max()
        assert scale > 0.0
        np.testing.assert_allclose(getattr(found, name), exact, rtol=0, atol=1e-10 * scale, err_msg=name)
