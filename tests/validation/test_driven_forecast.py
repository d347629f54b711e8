"""What the driven forecasts are compared with: means over boxes, skill scores, the data that judge.

What may go wrong: boxes that are shifted by half a cell or reach into the rim; a skill score that counts what is not
known; rows that a forecast without skill passes; hours or accumulations that are taken for others.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from validation.driven_forecast import merra2, ruc13
from validation.driven_forecast.boxes import Boxes
from validation.driven_forecast.forecast import Hourly

from kaiseki.config import DomainSettings, Levels
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section
from validation import driven_forecast


@pytest.fixture(scope="module")
def domain() -> Domain:
    settings = DomainSettings(
        spacing=20e3,
        shape=(60, 70),
        reference_latitude=38.0,
        reference_longitude=-90.0,
        standard_parallels=(35.0, 41.0),
        central_longitude=-90.0,
        levels=Levels(number=8, top=16_000.0, first_thickness=500.0),
        rim_width=6,
    )
    return domain_from_section(settings)


@pytest.fixture(scope="module")
def boxes(domain: Domain) -> Boxes:
    return Boxes.of(domain, *np.meshgrid(np.arange(30.0, 46.0, 0.5), np.arange(-100.0, -80.0, 0.625), indexing="ij"))


def test_means_over_boxes_of_a_smooth_field_are_its_values_in_the_middle(domain: Domain, boxes: Boxes) -> None:
    field = 3.0 * domain.lat - 2.0 * domain.lon
    expected = 3.0 * boxes.latitude - 2.0 * boxes.longitude
    got = boxes(np.stack([field, np.ones_like(field)]))
    np.testing.assert_allclose(got[0][boxes.inside], expected[boxes.inside], atol=0.02)
    np.testing.assert_allclose(got[1][boxes.inside], 1.0, rtol=1e-12)


def test_boxes_that_touch_the_rim_are_left_out(domain: Domain, boxes: Boxes) -> None:
    inner = np.where(domain.inside_rim, 1.0, 1e6)
    got = boxes(inner)
    assert np.nanmax(got) == pytest.approx(1.0)
    assert np.isnan(got[~boxes.inside]).all()
    area = (58 * 48 * 20.0**2) * (boxes.inside.sum() > 0)
    size = 0.5 * 111.2 * 0.625 * 111.2 * np.cos(np.deg2rad(boxes.latitude[boxes.inside])).sum()
    assert 0.85 * area < size < area


def brute_force(ours: np.ndarray, theirs: np.ndarray, threshold: float, width: int) -> float:
    known, half = np.isfinite(ours) & np.isfinite(theirs), width // 2
    above, below = 0.0, 0.0
    for j, i in np.argwhere(known):
        part = []
        for field in (ours, theirs):
            square = np.s_[max(j - half, 0) : j + half + 1, max(i - half, 0) : i + half + 1]
            part.append(float((field[square][known[square]] >= threshold).mean()))
        above += (part[0] - part[1]) ** 2
        below += part[0] ** 2 + part[1] ** 2
    return 1.0 - above / below


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 5]))
def test_fractions_skill_against_its_definition(seed: int, width: int) -> None:
    random = np.random.default_rng(seed)
    ours, theirs = random.gamma(0.5, 4.0, (2, 9, 11))
    ours[0, 0] = theirs[4, 4] = 9.0
    theirs[random.random((9, 11)) < 0.2] = np.nan
    ours[0, 1], theirs[0, 0], theirs[4, 4] = np.nan, 9.0, 9.0
    got = ruc13.fractions_skill(ours, theirs, 2.0, width)
    assert got == pytest.approx(brute_force(ours, theirs, 2.0, width), abs=1e-9)


def test_fractions_skill_of_rain_beside_the_place_grows_with_the_square() -> None:
    ours, theirs = np.zeros((2, 20, 20))
    ours[10, 8], theirs[10, 10] = 9.0, 9.0
    skill = [ruc13.fractions_skill(ours, theirs, 1.0, width) for width in (1, 3, 5, 9)]
    assert skill[0] == 0.0
    assert skill == sorted(skill)
    assert skill[-1] > 0.7
    assert ruc13.fractions_skill(theirs, theirs, 1.0, 3) == 1.0


def test_a_forecast_no_better_than_persistence_fails_every_row() -> None:
    one = {"rms": [0.0, *[2.0] * 21], "persistence": [0.0, *[2.0] * 21]}
    made = driven_forecast.rows({"instant": dict.fromkeys(driven_forecast.SCORED, one)})
    assert len(made) == 12
    assert not any(row.passed for row in made)
    half = {"rms": [0.0, *[1.0] * 21], "persistence": [0.0, *[2.0] * 21]}
    assert all(row.passed for row in driven_forecast.rows({"instant": dict.fromkeys(driven_forecast.SCORED, half)}))


def test_persistence_of_merra2(data: Path) -> None:
    """Against values computed beforehand from the files, of the points four or more from their edge."""
    truth = merra2.read(data)
    inner = np.s_[merra2.AWAY : -merra2.AWAY, merra2.AWAY : -merra2.AWAY]
    for name, factor, wanted in (
        ("eastward_wind_10m", 1.0, (2.0, 3.1, 3.7)),
        ("sea_level_pressure", 0.01, (2.8, 4.8, 4.8)),
        ("temperature_2m", 1.0, (4.5, 6.5, 3.4)),
    ):
        field = factor * truth.instant[name]
        got = [merra2.rms((field[hour] - field[0])[inner]) for hour in (6, 12, 18)]
        np.testing.assert_allclose(got, wanted, atol=0.06, err_msg=name)


def test_a_perfect_forecast_has_no_error(data: Path) -> None:
    """MERRA-2's own fields on a fine grid of latitude and longitude, put through the comparison."""
    truth = merra2.read(data)
    domain = merra2.domain_of(data, 60e3)
    from kaiseki.driving.weights import from_lat_lon

    onto = from_lat_lon(truth.latitude, truth.longitude, domain.lat, domain.lon, "linear")
    perfect = Hourly(
        domain,
        merra2.START,
        {name: onto(a) for name, a in truth.instant.items()},
        {name: onto(a) for name, a in truth.mean.items()},
        {},
    )
    found = merra2.compare(perfect, truth)
    for name in driven_forecast.SCORED:
        one = found["instant"][name]
        assert max(one["rms"][6:]) < 0.35 * min(one["persistence"][6:]), name
        assert abs(one["bias"][6]) < 0.1 * one["persistence"][6], name


def test_rain_of_stage_ii_and_of_the_driving_forecast(data: Path) -> None:
    rain = ruc13.read(data)
    assert rain.stage2.shape == (24, 129, 185)
    # The three-hourly sums of the driving forecast add up to that of the day, which its last file holds too.
    whole = ruc13.chosen(ruc13.files(data)[-1], "tp", "0-24").values
    known = np.isfinite(rain.wrf).all(axis=0)
    assert known.sum() > 0.5 * known.size
    np.testing.assert_allclose(rain.wrf.sum(axis=0)[known], whole[known], atol=0.05)
    assert np.nanmax(rain.stage2) == pytest.approx(71.8, abs=0.1)
