"""The energy norm in closed form, fields against a truth, and the way to another grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kaiseki.config import Verification
from kaiseki.core.constants import CP_DRY, GRAVITY, R_DRY
from kaiseki.core.errors import InputError
from kaiseki.grid import Domain, LambertConformal
from kaiseki.verification import compare_with_truth, dry_total_energy, onto_cells, truth_rows
from kaiseki.verification.energy import REFERENCE_PRESSURE, REFERENCE_TEMPERATURE, layer_weights
from kaiseki.verification.truth import TRUTH_LEVELS, blocks, surface_pressure_onto

FEW_DRAWS = Verification(bootstrap_samples=50)

LEVELS = np.array(TRUTH_LEVELS)
TIME = np.datetime64("1989-01-02T00:00", "s")


def _domain(spacing: float = 60e3, ny: int = 24, nx: int = 30) -> Domain:
    projection = LambertConformal()
    x0, y0 = projection.forward(np.asarray(36.0), np.asarray(138.0))
    half = np.linspace(0.0, 20000.0, 21)
    flat = np.zeros((ny, nx))
    x = float(x0) + spacing * (np.arange(nx) - 0.5 * (nx - 1))
    y = float(y0) + spacing * (np.arange(ny) - 0.5 * (ny - 1))
    return Domain("test", projection, spacing, x, y, half, (1.0 - half / 20000.0) ** 2, flat, flat, 3)


def _uniform(domain: Domain, u: float = 0.0, v: float = 0.0, t: float = 0.0, ps: float = 0.0) -> dict[str, np.ndarray]:
    shape = (LEVELS.size, domain.ny, domain.nx)
    return {
        "u": np.full(shape, u),
        "v": np.full(shape, v),
        "temperature": np.full(shape, t),
        "surface_pressure": np.full(shape[1:], ps),
    }


def test_uniform_differences_in_closed_form():
    domain = _domain()
    energy = dry_total_energy(_uniform(domain, u=3.0, v=-4.0, t=2.0, ps=150.0), LEVELS, domain.inside_rim)
    expected = 0.5 * (9 + 16) + 0.5 * CP_DRY / REFERENCE_TEMPERATURE * 4.0
    expected += 0.5 * R_DRY * REFERENCE_TEMPERATURE * (150.0 / REFERENCE_PRESSURE) ** 2
    assert energy == pytest.approx(expected, rel=1e-12)


def test_a_profile_is_integrated_over_mass():
    """u' = a p: the mean of its square over mass is a² (b³ - t³) / (3 (b - t)); the trapezoidal rule is near."""
    domain = _domain()
    fine = np.linspace(100_000.0, 20_000.0, 401)
    shape = (fine.size, domain.ny, domain.nx)
    zero = np.zeros(shape)
    difference = {
        "u": np.broadcast_to(fine[:, None, None] / 1e4, shape),
        "v": zero,
        "temperature": zero,
        "surface_pressure": np.zeros(shape[1:]),
    }
    expected = 0.5 * (10.0**3 - 2.0**3) / (3.0 * 8.0)
    assert dry_total_energy(difference, fine) == pytest.approx(expected, rel=1e-5)


def test_columns_count_by_their_air_above_ground():
    domain = _domain()
    difference = _uniform(domain, u=1.0)
    difference["u"][:, :, : domain.nx // 2] = 3.0
    difference["u"][LEVELS > 60_000.0, :, : domain.nx // 2] = np.nan
    part = layer_weights(LEVELS, 1e5, 2e4)[LEVELS <= 60_000.0].sum()
    expected = (0.5 * 9.0 * part + 0.5 * 1.0) / (part + 1.0)
    assert dry_total_energy(difference, LEVELS) == pytest.approx(expected)


def test_the_layer_must_have_its_ends():
    with pytest.raises(InputError, match="start and end at a level"):
        layer_weights(np.array([90_000.0, 20_000.0]), 100_000.0, 20_000.0)
    with pytest.raises(InputError, match="in order"):
        layer_weights(np.array([1e5, 5e4, 7e4]), 1e5, 5e4)
    with pytest.raises(InputError, match="No cell"):
        dry_total_energy(_uniform(_domain()), LEVELS, np.zeros((24, 30)))


def test_blocks_fill_the_inside_evenly():
    domain = _domain()
    block = blocks(domain)
    assert np.array_equal(block >= 0, domain.inside_rim)
    sizes = np.bincount(block[block >= 0])
    assert len(sizes) == 4  # 18 by 24 cells of 60 km: two by two of about 600 km
    assert sizes.max() <= 1.3 * sizes.min()


def _rows(fields: Any, truth: Any, domain: Domain) -> dict[tuple[Any, ...], dict[str, Any]]:
    options = {"case": "t", "experiment": "analysis", "time": TIME, "settings": FEW_DRAWS}
    rows = truth_rows(fields, truth, LEVELS, domain, **options)
    return {(row["variable"], row["level"]): row for row in rows}


def test_rows_of_uniform_errors():
    domain = _domain()
    rows = _rows(_uniform(domain), _uniform(domain, u=3.0, v=4.0, t=-1.5, ps=80.0), domain)
    wind = rows["wind", 50_000.0]
    assert (wind["bias"], wind["rms"], wind["n"]) == (5.0, 5.0, domain.inside_rim.sum())
    assert rows["air_temperature", 85_000.0]["bias"] == pytest.approx(-1.5)
    assert rows["surface_air_pressure", None]["rms"] == pytest.approx(80.0)
    norm = rows["dry_total_energy", "1000-200"]
    energy = dry_total_energy(_uniform(domain, u=3.0, v=4.0, t=-1.5, ps=80.0), LEVELS)
    assert norm["rms"] == pytest.approx(np.sqrt(energy))
    assert (norm["rms_low"], norm["rms_high"]) == (pytest.approx(norm["rms"]), pytest.approx(norm["rms"]))
    assert norm["bias"] is None


def test_the_rim_does_not_count():
    domain = _domain()
    fields = _uniform(domain)
    for name in fields:
        fields[name][..., ~domain.inside_rim] = 1e3
    assert _rows(fields, _uniform(domain), domain)["dry_total_energy", "1000-200"]["rms"] == 0.0


def test_half_the_error_is_half_the_norm():
    domain = _domain()
    generator = np.random.default_rng(4)
    noise = {name: generator.normal(size=field.shape) for name, field in _uniform(domain).items()}
    half = {name: 0.5 * field for name, field in noise.items()}
    pairs = compare_with_truth(
        half, noise, _uniform(domain), LEVELS, domain, settings=Verification(bootstrap_samples=50)
    )
    for pair in pairs.values():
        assert pair.ratio == pytest.approx(0.5)
        assert pair.high == pytest.approx(0.5)


def test_faults_of_fields():
    domain = _domain()
    fields = _uniform(domain)
    with pytest.raises(InputError, match="'u' on both sides"):
        compare_with_truth({}, fields, fields, LEVELS, domain)
    with pytest.raises(InputError, match="shape"):
        _rows(fields | {"u": fields["u"][1:]}, fields, domain)


def test_bilinear_is_exact_for_planes():
    source, target = _domain(45e3, 40, 50), _domain()
    x, y = np.meshgrid(source.x, source.y)
    wanted_x, wanted_y = np.meshgrid(target.x, target.y)
    field = np.stack([2.0 + 3e-6 * x - 1e-6 * y, y])
    expected = np.stack([2.0 + 3e-6 * wanted_x - 1e-6 * wanted_y, wanted_y])
    np.testing.assert_allclose(onto_cells(source, target, field), expected, rtol=1e-9)


def test_a_truth_that_is_too_small():
    with pytest.raises(InputError, match="does not cover"):
        onto_cells(_domain(), _domain(ny=60, nx=60), np.zeros((24, 30)))


def test_surface_pressure_over_another_terrain():
    """An isothermal atmosphere at rest has p = p0 exp(-g z / (R T)) over any terrain, below the lowest level too."""
    source, target = _domain(45e3, 40, 50), _domain()
    rough = source.with_terrain(800.0 + 600.0 * np.cos(np.arange(50) / 3.0) * np.ones((40, 1)), np.ones((40, 50)))
    hill = target.with_terrain(500.0 * np.ones((24, 30)) + np.linspace(-500.0, 900.0, 30), np.ones((24, 30)))
    scale = R_DRY * 260.0 / GRAVITY
    pressure = 1.01e5 * np.exp(-rough.z / scale)
    found = surface_pressure_onto(rough, hill, pressure, np.full_like(pressure, 260.0))
    np.testing.assert_allclose(found, 1.01e5 * np.exp(-hill.terrain / scale), rtol=1e-12)
