"""Soil by depth: closed profiles, conservation, layers of other sources than ours. Fails where layers are taken by
their order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaiseki.config.physics import Soil
from kaiseki.driving.soil import bounds_about, bounds_of, means_onto_layers, onto_layers, profile_onto_layers, touch

OURS = Soil().thickness
NOAH = (0.1, 0.3, 0.6, 1.0)
"""Layers of the GFS, m (Ek et al. 2003)."""
thicknesses = st.lists(st.floats(0.02, 2.0), min_size=1, max_size=7)


def test_a_profile_linear_in_depth_stays_so_between_the_middles() -> None:
    depth = bounds_of(NOAH).mean(axis=-1)
    temperature = (280.0 + 5.0 * depth)[:, None, None] * np.ones((1, 2, 3))
    found = onto_layers(temperature, depth, bounds_of(NOAH), OURS, amount=False)
    middle = bounds_of(OURS).mean(axis=-1)
    expected = 280.0 + 5.0 * np.clip(middle, depth[0], depth[-1])
    np.testing.assert_allclose(found, np.broadcast_to(expected[:, None, None], found.shape), rtol=1e-12)
    # The order of the layers, four here and there, would leave every value where it is.
    assert np.abs(found - temperature).max() == pytest.approx(5.0 * (0.25 - 0.175))


def test_the_daily_mean_wave_of_the_year_is_met_where_the_source_resolves_it() -> None:
    """Annual wave in a half space, T = 285 + 12 exp(-z/d) cos(-z/d), d = 2.2 m, on twenty layers."""
    fine = (0.15,) * 20
    wave = lambda z: 285.0 + 12.0 * np.exp(-z / 2.2) * np.cos(z / 2.2)  # noqa: E731
    depth = bounds_of(fine).mean(axis=-1)
    found = profile_onto_layers(wave(depth)[:, None, None], depth, OURS)[1:, 0, 0]
    np.testing.assert_allclose(found, wave(bounds_of(OURS).mean(axis=-1))[1:], atol=0.02)


@given(thicknesses, thicknesses, st.randoms(use_true_random=False))
def test_water_in_the_ground_stays(source: list[float], target: list[float], random: object) -> None:
    """Down to any depth at which both have an edge, here the bottom of the shallower one after cutting."""
    depth = min(sum(source), sum(target))
    target = [*np.diff(np.append(np.unique([0.0, *np.minimum(np.cumsum(target), depth)]), []))]
    values = np.random.default_rng(random.randrange(2**31)).uniform(0.0, 0.5, (len(source), 1, 1))  # type: ignore[attr-defined]
    found = means_onto_layers(values, bounds_of(source), target)
    edges = np.minimum(np.concatenate([[0.0], np.cumsum(source)]), depth)
    held = float(np.sum(values[:, 0, 0] * np.diff(edges)))
    assert float(np.sum(found[:, 0, 0] * target)) == pytest.approx(held, rel=1e-9, abs=1e-12)
    assert values.min() - 1e-12 <= found.min() <= found.max() <= values.max() + 1e-12


@given(thicknesses)
def test_layers_of_our_own_stay_as_they_are(layers: list[float]) -> None:
    values = np.linspace(0.1, 0.4, len(layers))[:, None, None]
    bounds = bounds_of(layers)
    np.testing.assert_allclose(bounds_about(bounds.mean(axis=-1)), bounds, atol=1e-9)
    for amount in (True, False):
        found = onto_layers(values, bounds.mean(axis=-1), bounds, layers, amount)
        np.testing.assert_allclose(found, values, rtol=1e-9)


def test_layers_that_do_not_follow_one_another_are_not_taken_for_layers() -> None:
    points = np.array([[0.05, 0.05], [0.2, 0.2], [0.4, 0.4]])
    assert not touch(points)
    assert not touch(np.array([[0.0, 0.1], [0.2, 0.4]]))
    assert touch(bounds_of(NOAH))
    moisture = np.array([0.1, 0.2, 0.4])[:, None, None]
    found = onto_layers(moisture, points[:, 0], points, OURS, amount=True)
    np.testing.assert_allclose(found[:, 0, 0], np.interp(bounds_of(OURS).mean(axis=-1), points[:, 0], [0.1, 0.2, 0.4]))
