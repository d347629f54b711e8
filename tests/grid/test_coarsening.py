"""Coarser grids of the same region."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.core.errors import ConfigError
from kaiseki.grid import Domain
from kaiseki.grid.coarsening import Coarsening
from kaiseki.grid.presets import preset


@pytest.fixture(scope="module")
def fine() -> Domain:
    domain = preset("japan-60km")
    j, i = np.mgrid[: domain.ny, : domain.nx]
    return domain.with_terrain(500.0 + 5.0 * i + 3.0 * j, (i > 30) * 1.0)


@given(st.integers(1, 5), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_means_keep_constants_and_their_transpose_is_exact(factor: int, seed: int) -> None:
    coarsening = Coarsening.build(preset("japan-60km"), factor)
    random = np.random.default_rng(seed)
    field = random.standard_normal(coarsening.fine.terrain.shape)
    np.testing.assert_allclose(coarsening(np.ones_like(field)), 1.0, rtol=1e-14)
    other = random.standard_normal(coarsening.coarse.terrain.shape)
    forward = np.vdot(coarsening(field), other)
    assert forward == pytest.approx(np.vdot(field, coarsening.y.T @ other @ coarsening.x), rel=1e-12)


def test_cells_lie_in_the_middle_of_their_blocks(fine: Domain) -> None:
    coarse = Coarsening.build(fine, 2).coarse
    assert coarse.spacing == 2.0 * fine.spacing
    np.testing.assert_allclose(coarse.x[:3], [fine.x[0:2].mean(), fine.x[2:4].mean(), fine.x[4:6].mean()])
    # A field that is linear in place keeps its values there.
    j, i = coarse.index(fine.lat[10:12, 20:22].mean(keepdims=True), fine.lon[10:12, 20:22].mean(keepdims=True))
    np.testing.assert_allclose([j.item(), i.item()], [5.0, 10.0], atol=0.01)
    inside = coarse.terrain[:-1]
    np.testing.assert_allclose(inside[3, 4], fine.terrain[6:8, 8:10].mean())
    assert coarse.rim_width * coarse.spacing >= fine.rim_width * fine.spacing


def test_factor_one_is_the_same_grid(fine: Domain) -> None:
    coarse = Coarsening.build(fine, 1).coarse
    for name in ("x", "y", "terrain", "land_fraction", "spacing", "rim_width", "name"):
        ours, theirs = getattr(coarse, name), getattr(fine, name)
        assert np.allclose(ours, theirs, rtol=1e-14) if isinstance(ours, np.ndarray) else ours == theirs, name


def test_a_grid_of_which_nothing_would_be_left_is_refused(fine: Domain) -> None:
    with pytest.raises(ConfigError, match="cannot be made 20 times coarser"):
        Coarsening.build(fine, 20)
    with pytest.raises(ConfigError, match="whole factor"):
        Coarsening.build(dataclasses.replace(fine), 0)
