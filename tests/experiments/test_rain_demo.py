"""Synthetic storms and the demonstration on them.

What can go wrong:
- storms that are others each time, that stand still, or whose radars do not have the factors that are told;
- a calibration that does not find them, faults that are not found;
- an analysis that is worse than what goes into it; scores of another thing than is said;
- a page that lacks a map or a number.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kaiseki.cli.precip_demo import LIMITS
from kaiseki.core.errors import ConfigError
from kaiseki.experiments.rain_demo import OURS, RainDemo, rain_demo
from kaiseki.experiments.storms import Storms, StormSettings, beam_height, make_storms
from kaiseki.report.rain_maps import RainHour
from kaiseki.report.rain_page import RainStory, write_rain_page

SMALL = StormSettings(hours=2, spacing=5.0, gauges=100)


@pytest.fixture(scope="module")
def storms() -> Storms:
    return make_storms(SMALL)


@pytest.fixture(scope="module")
def demo(storms: Storms) -> RainDemo:
    return rain_demo(storms)


def test_storms_are_the_same_each_time(storms: Storms) -> None:
    again = make_storms(SMALL)
    np.testing.assert_array_equal(storms.truth, again.truth)
    np.testing.assert_array_equal(storms.gauges.amount, again.gauges.amount)
    other = make_storms(StormSettings(hours=2, spacing=5.0, gauges=100, seed=2))
    assert not np.array_equal(storms.truth, other.truth)


def test_rain_is_of_a_plausible_kind(storms: Storms) -> None:
    wet = storms.truth >= 0.1
    assert 0.2 < wet.mean() < 0.9
    assert 15.0 < storms.truth.max() < 150.0


def test_storms_move_with_the_flow() -> None:
    still = make_storms(StormSettings(hours=2, spacing=5.0, gauges=20, flow=(0.0, 0.0)))
    moving = make_storms(StormSettings(hours=2, spacing=5.0, gauges=20))
    one, other = (np.corrcoef(made.truth[0].ravel(), made.truth[1].ravel())[0, 1] for made in (still, moving))
    assert one > other + 0.1


def test_radars_see_the_truth_through_their_factors(storms: Storms) -> None:
    for radar, seen, height in zip(SMALL.radars, storms.radars, storms.heights, strict=True):
        there = np.isfinite(height) & (storms.truth[0] >= 2.0) & (np.nan_to_num(seen.amount[0]) > 0.2)
        ratio = np.log(storms.truth[0][there] / seen.amount[0][there]) - radar.sensitivity - radar.slope * height[there]
        # What is left is the error of the radar, of mean half its variance.
        assert ratio.mean() == pytest.approx(0.5 * SMALL.radar_error**2, abs=0.12)
        assert ratio.std() == pytest.approx(SMALL.radar_error, rel=0.4)
        assert np.isnan(seen.amount[:, np.isnan(height)]).all()


def test_the_height_of_a_beam_follows_the_standard_formula(storms: Storms) -> None:
    # 100 km away at 0.5 degrees the standard refraction gives 0.873 + 0.588 km.
    radar = SMALL.radars[0]
    height = beam_height(storms.grid, radar, SMALL)
    lat, lon = storms.grid.points()
    north = np.argwhere(np.isclose(lon, radar.lon, atol=0.04))
    distances = 111.195 * np.abs(lat[tuple(north.T)] - radar.lat)
    nearest = north[np.argmin(np.abs(distances - 100.0))]
    assert height[tuple(nearest)] == pytest.approx(0.873 + 0.588, abs=0.06)


def test_impossible_storms_are_refused() -> None:
    with pytest.raises(ConfigError, match="need an hour, ten gauges"):
        StormSettings(hours=0)


def test_the_calibration_finds_the_factors(demo: RainDemo) -> None:
    assert [row["radar"] for row in demo.factors] == ["north", "east", "south", "west"]
    for row in demo.factors:
        # Two hours and a hundred gauges tell less than the four hours of the demonstration.
        assert abs(row["error"]) < 0.12, row


def test_planted_faults_are_found(demo: RainDemo) -> None:
    assert set(demo.found) == demo.storms.faulty.keys()


def test_the_analysis_is_best(demo: RainDemo) -> None:
    errors = {name: row["rmse"] for name, row in demo.scores.items()}
    assert min(errors, key=lambda name: errors[name]) == OURS
    assert errors[OURS] < 0.8 * errors["radars as they are"]
    assert 0.9 < demo.scores[OURS]["bias"] < 1.1
    assert demo.scores[OURS]["coverage_80"] > 0.7
    seen = np.isfinite(demo.raw.amount)
    mean = np.stack([one.mean for one in demo.analyses])
    expected = np.sqrt(np.mean((mean[seen].astype(float) - demo.storms.truth[seen]) ** 2))
    assert errors[OURS] == pytest.approx(expected)


def test_the_page_tells_all_of_it(demo: RainDemo, tmp_path: Path) -> None:
    hours = [
        RainHour(one.time, one.grid, one.mean, one.quantiles[0], one.quantiles[2], demo.raw, demo.gauges)
        for one in demo.analyses
    ]
    story = RainStory(
        title="Rain of a test",
        hours=hours,
        scores=demo.scores,
        factors=demo.factors,
        faulty=demo.storms.faulty,
        found=demo.found,
        cells=int(np.isfinite(demo.raw.amount).sum()),
        seconds=1.0,
        limits=LIMITS,
    )
    text = write_rain_page(story, tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count('<img class="map"') == len(hours)
    assert all(line.split(";")[0][:40] in text for line in LIMITS)
    assert f"{demo.scores[OURS]['rmse']:.2f}" in text
    assert all(name in text for name in (*demo.storms.faulty, "north", "east", "south", "west", "Rain of a test"))
    assert "http://" not in text.replace("http://www.w3.org", "")
