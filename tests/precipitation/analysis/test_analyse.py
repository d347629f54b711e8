"""The analysis of precipitation as a whole.

What could fail: gauges make it worse than radar, or radar worse than gauges; intervals too narrow or wide; a value at
a place differs from the cell there; hours with nothing, with one gauge, with absurd gauges end in an error or in
values that are not finite, negative or out of order; unknown is given as dry.
"""

from dataclasses import replace

import numpy as np
import pytest

from kaiseki.core.errors import InputError
from kaiseki.precipitation.analysis import AnalysisSettings, analyse, at_places
from kaiseki.precipitation.data import AnalysisFlag, Gauges, RadarRain, RainAnalysis, fractional_index
from precipitation.analysis.synthetic import TIME, gauges, grid, of, storms

QUICK = AnalysisSettings(fit=False)


def sound(one: RainAnalysis) -> np.ndarray:
    """Where an analysis is known, after checks that hold for all."""
    known = one.flag != AnalysisFlag.GAP
    fields = [one.mean, *one.quantiles, one.probability, one.gauge_weight, *one.samples]
    for field in fields:
        assert field.dtype == np.float32
        assert field.shape == one.grid.shape
        assert np.isfinite(field[known]).all()
        assert np.isnan(field[~known]).all()
        assert (field[known] >= 0.0).all()
    assert (np.diff(one.quantiles, axis=0)[:, known] >= 0.0).all()
    assert one.probability[known].max(initial=0.0) <= 1.0
    assert one.gauge_weight[known].max(initial=0.0) <= 1.0
    return known


def error(field: np.ndarray, truth: np.ndarray) -> float:
    """Root-mean-square difference."""
    return float(np.sqrt(np.mean((field - truth) ** 2)))


@pytest.mark.parametrize("seed", [3, 4])
def test_radar_and_gauges_beat_either_alone(seed):
    truth, radar = storms(seed)
    some = gauges(truth, 120)
    both = analyse(some, radar, TIME, grid())
    alone = analyse(some, None, TIME, grid())
    assert sound(both).all()
    assert sound(alone).all()
    assert error(both.mean, truth) < 0.8 * error(radar.amount[0], truth)
    assert error(both.mean, truth) < 0.8 * error(alone.mean, truth)
    assert abs(both.mean.mean() / truth.mean() - 1.0) < 0.05


def test_intervals_hold_the_truth_as_often_as_they_say():
    inside = []
    for seed in range(3, 7):
        truth, radar = storms(seed)
        some = gauges(truth, 120, error=0.1)
        held = gauges(truth, 200, seed=77, error=0.1)
        there = at_places(some, radar, TIME, held.lat, held.lon)
        amount = held.amount[0]
        shown = (amount >= 0.1) | (there.mean >= 0.1)
        inside.append(((amount >= there.quantile(0.1)) & (amount <= there.quantile(0.9)))[shown].mean())
    assert 0.7 < np.mean(inside) < 0.92


def test_a_radar_that_sees_a_third_is_put_right_even_by_five_gauges():
    truth, radar = storms(factor=1.0 / 3.0, spread=0.05)
    many, few = gauges(truth, 120), gauges(truth, 5, seed=8)
    raw = radar.amount[0].mean() / truth.mean()
    assert abs(analyse(many, radar, TIME, grid()).mean.mean() / truth.mean() - 1.0) < 0.1
    assert abs(np.log(analyse(few, radar, TIME, grid()).mean.mean() / truth.mean())) < 0.4 * abs(np.log(raw))


def test_cells_agree_with_places():
    truth, radar = storms()
    some = gauges(truth, 60)
    one = analyse(some, radar, TIME, grid(), AnalysisSettings(mesh_km=2.0))
    rows, columns = np.meshgrid(np.arange(4, 90, 9), np.arange(3, 95, 9), indexing="ij")
    there = at_places(some, radar, TIME, grid().lat[rows.ravel()], grid().lon[columns.ravel()])
    np.testing.assert_allclose(one.mean[rows, columns].ravel(), there.mean, atol=0.15)
    assert error(one.mean[rows, columns].ravel(), there.mean) < 0.03


def test_all_gauges_and_radar_dry_is_a_dry_field():
    dry = RadarRain(grid=grid(), time=np.array([TIME]), amount=np.zeros((1, *grid().shape)))
    some = gauges(np.zeros(grid().shape), 40)
    one = analyse(some, dry, TIME, grid())
    assert sound(one).all()
    assert (one.mean == 0.0).all()
    assert one.quantiles[2].max() < 0.1


def test_dry_gauges_without_radar_are_a_dry_field():
    one = analyse(gauges(np.zeros(grid().shape), 40), None, TIME, grid())
    assert sound(one).all()
    assert one.mean.mean() < 0.02


def test_without_radar_and_gauges_all_is_a_gap_and_not_dry():
    none = of([], [], [])
    one = analyse(none, None, TIME, grid())
    assert (one.flag == AnalysisFlag.GAP).all()
    assert np.isnan(one.mean).all()
    sound(one)


def test_radar_alone_and_radar_with_an_absent_hour():
    _, radar = storms()
    one = analyse(of([], [], []), radar, TIME, grid())
    assert sound(one).all()
    assert np.corrcoef(one.mean.ravel(), radar.amount.ravel())[0, 1] > 0.98
    assert abs(one.mean.mean() / radar.amount.mean() - 1.0) < 0.25
    later = analyse(of([], [], []), radar, TIME + np.timedelta64(3600, "s"), grid())
    assert np.isnan(later.mean).all()


def test_one_absurd_gauge_among_zeros_changes_little():
    dry = RadarRain(grid=grid(), time=np.array([TIME]), amount=np.zeros((1, *grid().shape)))
    some = gauges(np.zeros(grid().shape), 60)
    amount = some.amount.copy()
    amount[0, 7] = 500.0
    for radar in (dry, None):
        one = analyse(replace(some, amount=amount), radar, TIME, grid())
        assert sound(one).all()
        assert one.mean.max() < 5.0
        assert np.median(one.mean) < 0.02


def test_a_stuck_gauge_amid_rain_is_weighted_down():
    truth, radar = storms()
    some = gauges(truth, 80)
    worst = int(np.argmax(some.amount[0]))
    amount = some.amount.copy()
    amount[0, worst] = 0.0
    there = at_places(replace(some, amount=amount), radar, TIME, some.lat[[worst]], some.lon[[worst]])
    assert there.mean[0] > 0.5 * some.amount[0, worst]


@pytest.mark.parametrize("apart", [0.0, 1e-7])
def test_two_gauges_at_one_place(apart):
    truth, radar = storms()
    some = gauges(truth, 30)
    lat, lon = np.append(some.lat, some.lat[:1] + apart), np.append(some.lon, some.lon[:1])
    twice = of(lat, lon, np.append(some.amount[0], some.amount[0, 0] + 3.0))
    assert sound(analyse(twice, radar, TIME, grid(), QUICK)).all()


def test_a_cluster_of_gauges_counts_for_little_more_than_one():
    truth, radar = storms()
    some, rng = gauges(truth, 20), np.random.default_rng(0)
    lat = np.append(some.lat, some.lat[0] + 1e-7 * rng.standard_normal(50))
    lon = np.append(some.lon, some.lon[0] + 1e-7 * rng.standard_normal(50))
    cluster = of(lat, lon, np.append(some.amount[0], np.full(50, some.amount[0, 0])))
    place = np.array([some.lat[0] + 0.05]), np.array([some.lon[0]])
    one, many = (at_places(each, radar, TIME, *place, QUICK) for each in (some, cluster))
    assert abs(one.mean[0] - many.mean[0]) < 0.3 * max(one.mean[0], 0.3)
    assert many.latent[0] > 0.8 * one.latent[0]


def test_gauges_outside_the_grid_are_used_or_harmless():
    truth, radar = storms()
    some = gauges(truth, 30)
    lat, lon = np.append(some.lat, [36.2, -40.0, 36.0]), np.append(some.lon, [138.5, 10.0, -41.0])
    one = analyse(of(lat, lon, np.append(some.amount[0], [2.0, 90.0, 90.0])), radar, TIME, grid(), QUICK)
    assert sound(one).all()
    assert one.mean.max() < 1.5 * truth.max()


def test_one_gauge_without_radar_is_known_nearby_alone():
    one = analyse(of([35.9], [138.1], [4.0]), None, TIME, grid(), AnalysisSettings(gauge_reach_km=40.0, fit=False))
    known = sound(one)
    assert 0.05 < known.mean() < 0.95
    row, column = (int(part[0].round()) for part in fractional_index(grid(), np.array([35.9]), np.array([138.1])))
    assert one.mean[row, column] > one.mean[known].mean()


def test_partial_coverage_is_filled_with_gauges_and_says_so():
    truth, radar = storms()
    amount = radar.amount.copy()
    amount[:, :, 50:] = np.nan
    one = analyse(gauges(truth, 100), replace(radar, amount=amount), TIME, grid())
    assert sound(one).all()
    assert (one.flag[:, :49] & AnalysisFlag.RADAR).all()
    assert not (one.flag[:, 52:] & AnalysisFlag.RADAR).any()
    width = one.quantiles[2] - one.quantiles[0]
    assert width[:, 60:].mean() > 1.5 * width[:, :40].mean()


def test_cells_beyond_the_radar_are_dry_where_gauges_inside_are():
    amount = np.zeros((1, *grid().shape), np.float32)
    amount[:, :, 60:] = np.nan
    radar = RadarRain(grid=grid(), time=np.array([TIME]), amount=amount)
    some = gauges(np.zeros(grid().shape), 60)
    inside = some.some(some.lon < grid().lon[58])
    one = analyse(inside, radar, TIME, grid())
    sound(one)
    assert one.mean[:, 60:70].mean() < 0.06
    there = at_places(inside, radar, TIME, np.full(2, 35.6), grid().lon[[50, 65]])
    assert (there.mean < 0.05).all()


def test_a_background_helps_where_no_radar_sees():
    truth, radar = storms()
    some = gauges(truth, 25)
    rough = replace(radar, amount=(truth * 0.8)[None].astype(np.float32))
    alone, helped = analyse(some, None, TIME, grid()), analyse(some, None, TIME, grid(), background=rough)
    assert error(helped.mean, truth) < 0.7 * error(alone.mean, truth)
    assert (helped.flag & AnalysisFlag.BACKGROUND).all()


def test_samples_scatter_about_the_mean_as_the_intervals_say():
    truth, radar = storms()
    one = analyse(gauges(truth, 60), radar, TIME, grid(), AnalysisSettings(samples=30, mesh_km=2.0))
    sound(one)
    wet = one.mean > 0.5
    assert abs(one.samples[:, wet].mean() / one.mean[wet].mean() - 1.0) < 0.03
    assert np.allclose(one.samples[:, wet].mean(axis=0), one.mean[wet], rtol=0.6)
    below = (one.samples[:, wet] < one.quantiles[0][wet]).mean()
    assert 0.02 < below < 0.13


def test_heights_weaken_correlations():
    some = of([35.6], [138.5], [9.0])
    low = replace(some, height=np.array([0.0]))
    terrain = np.zeros(grid().shape)
    terrain[:, 40:] = 2000.0
    settings = AnalysisSettings(terrain_km_per_km=40.0, fit=False)
    flat, steep = (analyse(low, None, TIME, grid(), settings, terrain=one) for one in (0.0 * terrain, terrain))
    assert np.allclose(flat.mean[:, :30], steep.mean[:, :30], atol=0.02)
    assert (steep.quantiles[1, 40:60, 50:60] < flat.quantiles[1, 40:60, 50:60]).all()


def test_later_gauges_help_where_one_is_absent_now():
    hour = np.timedelta64(3600, "s")
    truth, radar = storms(spread=0.4)
    some = gauges(truth, 40)
    times = TIME + hour * np.arange(-1, 2)
    amount = np.repeat(some.amount, 3, axis=0)
    amount[:2, :30] = np.nan
    lasting = replace(some, time=times, amount=amount, flags=np.zeros((3, 40), np.uint16))
    always = RadarRain(grid=radar.grid, time=times, amount=np.repeat(radar.amount, 3, axis=0))
    with_later = analyse(lasting, always, TIME, grid(), AnalysisSettings(hours_before=1, hours_after=1, fit=False))
    filtered = analyse(lasting, always, TIME, grid(), AnalysisSettings(hours_before=1, fit=False))
    assert error(with_later.mean, truth) < error(filtered.mean, truth)


def test_intervals_of_other_lengths_and_terrain_of_another_shape_are_refused():
    truth, radar = storms()
    some: Gauges = replace(gauges(truth, 5), period=np.timedelta64(600, "s"))
    with pytest.raises(InputError, match="over one interval"):
        analyse(some, radar, TIME, grid())
    with pytest.raises(InputError, match="terrain has shape"):
        analyse(gauges(truth, 5), radar, TIME, grid(), terrain=np.zeros((3, 3)))


def test_a_useless_radar_is_hardly_used():
    """A radar that shows the storms elsewhere leaves little more error than gauges alone do."""
    truth, radar = storms()
    some = gauges(truth, 150)
    wrong = replace(radar, amount=np.ascontiguousarray(radar.amount[:, ::-1, ::-1]))
    alone, misled = analyse(some, None, TIME, grid()), analyse(some, wrong, TIME, grid())
    assert sound(misled).all()
    assert error(misled.mean, truth) < 1.15 * error(alone.mean, truth)
