"""The terrain filter: what it removes and what it keeps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from grid.grids import small
from kaiseki.grid.smoothing import smooth

DOMAIN = small(20e3, (40, 48))
X, Y = np.arange(48), np.arange(40)[:, None]


@settings(max_examples=40, deadline=None)
@given(
    terrain=arrays(float, (12, 15), elements=st.floats(-50.0, 4000.0)),
    strength=st.floats(0.05, 3.0),
)
def test_volume_and_lowest_ground_are_kept(terrain: np.ndarray, strength: float) -> None:
    domain = small()
    result = smooth(terrain, domain, strength)
    volume = (domain.cell_area * terrain).sum()
    scale = (domain.cell_area * np.abs(terrain)).sum()
    assert abs((domain.cell_area * result).sum() - volume) <= 1e-9 * scale + 1e-6 * domain.cell_area.sum()
    assert result.min() >= min(0.0, terrain.min()) - 1e-9


@pytest.mark.parametrize(("strength", "edge"), [(0.3, 15), (1.0, 5), (2.0, 5)])
@pytest.mark.parametrize(
    "wave", [(-1.0) ** X + 0 * Y, (-1.0) ** Y + 0 * X, (-1.0) ** (X + Y)], ids=["x", "y", "chequered"]
)
def test_waves_of_two_grid_lengths_vanish(wave: np.ndarray, strength: float, edge: int) -> None:
    result = smooth(500.0 + 300.0 * wave, DOMAIN, strength)
    # At the outer edge the filter has neighbours on one side only; a weak filter carries that farther in.
    np.testing.assert_allclose(result[edge:-edge, edge:-edge], 500.0, atol=3.0)


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_waves_of_the_named_length_are_halved(strength: float) -> None:
    length = 2.0 * (1.0 + strength)
    domain = small(1e3, (6, 240))  # map factors that hardly vary
    wave = np.broadcast_to(np.cos(2.0 * np.pi * np.arange(240) / length), (6, 240))
    result = smooth(1000.0 + 100.0 * wave, domain, strength) - 1000.0
    middle = slice(60, 180)
    amplitude = 2.0 * np.mean(result[2, middle] * wave[2, middle])
    assert amplitude == pytest.approx(50.0, rel=0.01)
    longer = np.broadcast_to(np.cos(2.0 * np.pi * np.arange(240) / (4.0 * length)), (6, 240))
    result = smooth(1000.0 + 100.0 * longer, domain, strength) - 1000.0
    assert 2.0 * np.mean(result[2, middle] * longer[2, middle]) > 99.0


@pytest.mark.parametrize("height", [0.0, 250.0])
def test_flat_ground_stays(height: float) -> None:
    np.testing.assert_allclose(smooth(np.full((40, 48), height), DOMAIN, 1.0), height, rtol=1e-11)


def test_no_strength_changes_nothing() -> None:
    terrain = np.random.default_rng(3).uniform(0.0, 3000.0, (40, 48))
    np.testing.assert_array_equal(smooth(terrain, DOMAIN, 0.0), terrain)


def test_the_sea_stays_level_far_from_a_steep_coast() -> None:
    terrain = np.zeros((40, 48))
    terrain[10:20, 10:20] = 2000.0
    result = smooth(terrain, DOMAIN, 1.0)
    assert result.min() >= 0.0
    assert result[30:, 30:].max() < 0.5
    assert result[12:18, 12:18].min() > 1800.0
