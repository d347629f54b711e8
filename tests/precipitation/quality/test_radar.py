"""Maps of clutter and blockage, quality by height, and attenuation."""

from __future__ import annotations

import numpy as np
import pytest

from kaiseki.core.errors import InputError
from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.data import RadarRain
from kaiseki.precipitation.quality import beam_quality, exceedance, masked, two_way_attenuation

GRID = LatLonGrid(35.0 + 0.01 * np.arange(40), 135.0 + 0.01 * np.arange(50))


def month(seed: int = 5) -> RadarRain:
    """Two hundred scans, a quarter of them with rain over all cells but some."""
    rng = np.random.default_rng(seed)
    wet = rng.uniform(size=(200, 1, 1)) < 0.25
    field = np.where(wet & (rng.uniform(size=(200, *GRID.shape)) < 0.9), rng.gamma(1.0, 0.2, (200, *GRID.shape)), 0.0)
    time = np.datetime64("2024-07-01", "s") + np.timedelta64(300, "s") * np.arange(200)
    return RadarRain(grid=GRID, time=time, amount=field, period=np.timedelta64(300, "s"))


def test_clutter_and_blocked_cells_are_found() -> None:
    radar = month()
    amount = np.array(radar.amount)
    amount[::2, 10, 10] = 1.0
    amount[:, 20:22, 30] = 0.0
    maps = exceedance(RadarRain(grid=GRID, time=radar.time, amount=amount, period=radar.period))
    assert np.argwhere(maps.clutter).tolist() == [[10, 10]]
    assert np.argwhere(maps.blockage).tolist() == [[20, 30], [21, 30]]
    clean = masked(radar, maps)
    assert np.isnan(clean.amount[:, 10, 10]).all()
    assert clean.quality[10, 10] == 0.0
    assert clean.quality.sum() == GRID.shape[0] * GRID.shape[1] - 3


def test_a_few_scans_are_no_month() -> None:
    radar = month()
    with pytest.raises(InputError, match="need 10 scans"):
        exceedance(RadarRain(grid=GRID, time=radar.time[:5], amount=radar.amount[:5], period=radar.period))
    other = LatLonGrid(GRID.lat[:-1], GRID.lon)
    short = RadarRain(grid=other, time=radar.time, amount=radar.amount[:, :-1], period=radar.period)
    with pytest.raises(InputError, match="have shape"):
        masked(short, exceedance(radar))


def test_quality_fades_with_height_and_is_zero_where_unknown() -> None:
    np.testing.assert_allclose(beam_quality(np.array([0.0, 2000.0, np.nan])), [1.0, 0.5, 0.0])


def test_attenuation_grows_along_the_ray() -> None:
    distance = 250.0 + 500.0 * np.arange(100)
    rate = np.zeros((2, 100))
    rate[1, 20:40] = 50.0
    rate[0, 5] = np.nan
    found = two_way_attenuation(rate, distance, 6.0)
    assert not found[0].any()
    assert not found[1, :20].any()
    # ITU-R P.838-3, table 5, 6 GHz: k = 0.0007056 and a = 1.5900, over 10 km there and back.
    assert found[1, -1] == pytest.approx(20.0 * 0.0007056 * 50.0**1.59, rel=0.01)
    assert (np.diff(found[1]) >= 0.0).all()
    with pytest.raises(InputError, match="do not fit"):
        two_way_attenuation(rate, distance[:-1], 5.6)
