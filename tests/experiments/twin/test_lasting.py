"""Errors of driving fields that last: as large on day 10 as on day 1, alike for as long as they say, in balance.

Failure modes: errors that die out or grow; that never change, or jump; that change the short twins, which lack the key.
"""

from __future__ import annotations

import numpy as np
import pytest

from kaiseki.config import Experiment
from kaiseki.core.constants import EARTH_RADIUS, EARTH_ROTATION, R_DRY
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.driving.column import hydrostatic_pressure
from kaiseki.experiments.twin import make_driving
from kaiseki.experiments.twin.flow import Flow
from kaiseki.experiments.twin.integration import Relaxation
from kaiseki.experiments.twin.ripples import PARALLEL, SPEED, Ripples
from kaiseki.experiments.twin.wide import outside, wide_domain
from kaiseki.grid.build import domain_from_section

FIRST = np.datetime64("1989-01-01T12:00:00")
DAY = 86_400.0
DEGREE = np.deg2rad(1.0) * EARTH_RADIUS
SEEDS = range(1, 41)
LAT, LON = np.arange(28.0, 46.1, 2.0), np.arange(126.0, 148.1, 2.0)


def squares(seed: int, seconds: float) -> list[float]:
    """Mean squares over Japan of the errors of geostrophic wind, hydrostatic temperature and pressure at the ground."""
    truth = Flow.drawn(seed)
    wrong = truth.perturbed_at(seconds, seed, 1.0, DAY, 135.0)
    s, d, e = np.log(np.arange(1.0, 0.19, -0.1)), 0.01, 0.1
    f = 2 * EARTH_ROTATION * np.sin(np.deg2rad(LAT))[None, :, None]

    def error(lat: np.ndarray, lon: np.ndarray, s: np.ndarray) -> np.ndarray:
        return wrong.geopotential(lat, lon, s, seconds) - truth.geopotential(lat, lon, s, seconds)

    temperature = (error(LAT, LON, s - d) - error(LAT, LON, s + d)) / (2 * d * R_DRY)
    v = (error(LAT, LON + e, s) - error(LAT, LON - e, s)) / (2 * e * DEGREE * np.cos(np.deg2rad(LAT)))[:, None] / f
    u = (error(LAT + e, LON, s) - error(LAT - e, LON, s)) / (2 * e * DEGREE) / f
    pressure = 1.25 * error(LAT, LON, np.zeros(1)) / 100.0
    return [float(np.mean(x)) for x in (u**2 + v**2, temperature**2, pressure**2)]


def test_errors_are_as_large_on_day_ten_as_on_day_one_and_as_large_as_they_claim() -> None:
    """Forty seeds: the mean squares of both days differ by less than three standard errors of the difference."""
    first, tenth = (np.array([squares(seed, day * DAY) for seed in SEEDS]) for day in (0.5, 9.5))
    difference = tenth - first
    error = difference.std(axis=0, ddof=1) / np.sqrt(len(difference))
    assert (np.abs(difference.mean(axis=0)) < 3.0 * error).all()
    # A decay to 2.9 of 7.8 m/s would be seen.
    assert (3.0 * error < 0.6 * first.mean(axis=0)).all()
    wind, warmth, pressure = np.sqrt(np.concatenate([first, tenth]).mean(axis=0))
    assert wind == pytest.approx(4.5, rel=0.2)
    assert warmth == pytest.approx(1.2, rel=0.2)
    assert pressure == pytest.approx(1.5, rel=0.2)


def test_errors_of_parameters_are_alike_for_as_long_as_they_say() -> None:
    """Correlation exp(-(t / memory)^2 / 2) over seeds, with a standard error of 1 / sqrt(n) at most."""
    seeds, memory = range(400), 10.0 * 3600.0
    names = ("jet_latitude", "warmth", "phase")

    def errors(seconds: float) -> np.ndarray:
        flow = Flow()
        found = [flow.perturbed_at(seconds, seed, 1.0, memory, 135.0) for seed in seeds]
        return np.array([[getattr(one, name) - getattr(flow, name) for name in names] for one in found])

    now = errors(5e5)
    for lag in (0.5, 1.0, 2.0, 5.0):
        later = errors(5e5 + lag * memory)
        for number in range(len(names)):
            correlation = np.corrcoef(now[:, number], later[:, number])[0, 1]
            assert correlation == pytest.approx(np.exp(-0.5 * lag**2), abs=3.5 / np.sqrt(len(seeds))), (lag, number)


def test_waves_travel_and_change_while_they_do() -> None:
    """Along a parallel where there is no envelope to speak of, at the place that moves with the waves."""
    memory, lat = 12.0 * 3600.0, np.array([37.0])
    degrees_per_second = SPEED[0] / (DEGREE * np.cos(np.deg2rad(PARALLEL)))
    lon = np.arange(118.0, 133.0)

    def field(seed: int, seconds: float, moved: float) -> np.ndarray:
        waves = Ripples((seed, 9), 18.0, 125.0, memory)
        return waves.geopotential(lat, lon + moved, np.log(np.array([0.5])), seconds).ravel()

    now = np.concatenate([field(seed, 0.0, 0.0) for seed in range(60)])
    for lag in (0.25, 0.5, 1.0):
        seconds = lag * memory
        with_them = np.concatenate([field(seed, seconds, degrees_per_second * seconds) for seed in range(60)])
        assert np.corrcoef(now, with_them)[0, 1] == pytest.approx(np.exp(-0.5 * lag**2), abs=0.15), lag


def test_without_the_key_the_perturbed_start_is_what_it_was() -> None:
    """Numbers of the version before there was a choice: the short twins are the same for a seed."""
    at = (np.array([30.0, 40.0]), np.array([130.0, 140.0]), np.log(np.array([0.85, 0.3])), 86400.0)
    known = [
        *(15744.02213114147, 14843.53014930462, 14910.8517335464, 13652.113761178416),
        *(93313.43389389146, 92661.33572029506, 89829.76413859043, 87319.61579979192),
    ]
    np.testing.assert_allclose(Flow.drawn(1).perturbed(1).geopotential(*at).ravel(), known, rtol=1e-12)
    twin = Experiment.from_mapping({**SMALL, "twin": {}}).twin
    assert twin is not None
    assert twin.perturbation_hours == 0.0


SMALL = {
    "case": {"name": "small-twin", "kind": "twin"},
    "domain": {
        "spacing": 200_000.0,
        "shape": (15, 19),
        "reference_latitude": 36.0,
        "reference_longitude": 135.0,
        "standard_parallels": (30.0, 60.0),
        "central_longitude": 140.0,
        "rim_width": 4,
        "terrain": "analytic",
        "levels": {"number": 14, "top": 22_000.0, "first_thickness": 200.0},
    },
    "period": {"cold_start": "1989-01-01T12:00Z", "end": "1989-01-01T14:00Z", "window_hours": 1.0},
    "physics": {"microphysics": False, "boundary_layer": False, "surface": False, "radiation": False, "soil": False},
}


def test_weather_is_drawn_in_from_outside_and_left_alone_over_the_region() -> None:
    """A twelfth of the way in an hour far outside, nothing over the region, between them in proportion to distance."""
    experiment = Experiment.from_mapping({**SMALL, "twin": {}})
    inner, domain = domain_from_section(experiment.domain), wide_domain(experiment)
    weight = outside(experiment, domain)
    j, i = inner.index(domain.lat, domain.lon)
    beyond = np.hypot(*(np.maximum(np.maximum(-k, k - n + 1), 0.0) for k, n in ((j, inner.ny), (i, inner.nx))))
    np.testing.assert_allclose(weight, np.clip(200e3 * beyond / 600e3, 0.0, 1.0), atol=1e-6)
    assert weight.min() == 0.0
    assert weight.max() == 1.0
    names = ("u", "v", "temperature", "pressure", "qv")
    relaxation = Relaxation(lambda _: dict.fromkeys(names, np.full((2, *weight.shape), 13.0)), weight)
    found = relaxation.increment(FIRST, dict.fromkeys(names, np.ones((2, *weight.shape))))
    for name in names:
        np.testing.assert_allclose(found[name], np.broadcast_to(weight, found[name].shape), err_msg=name)


@pytest.mark.slow
def test_driving_fields_err_about_the_weather_by_what_the_flow_errs() -> None:
    """Size 0 gives the weather; size 1 its error, hydrostatic and positive; the cold start has a size of its own."""

    def driving(size: float, start: float) -> tuple[object, dict[str, np.ndarray]]:
        twin = {
            "spin_up_hours": 1.0,
            "perturbation_hours": 12.0,
            "boundary_perturbation": size,
            "initial_perturbation": start,
        }
        experiment = Experiment.from_mapping({**SMALL, "twin": twin})
        return make_driving(experiment, domain)

    domain = domain_from_section(Experiment.from_mapping({**SMALL, "twin": {}}).domain)
    (right, start), (wrong, same) = driving(0.0, 1.0), driving(1.0, 1.0)
    for name, field in wrong(FIRST).items():  # type: ignore[operator]
        np.testing.assert_array_equal(same[name], field, err_msg=name)
        np.testing.assert_array_equal(start[name], field, err_msg=name)
    for hour in (0, 2):
        time = FIRST + np.timedelta64(hour * 3600, "s")
        one, other = right(time), wrong(time)  # type: ignore[operator]
        layer = one["pressure"] > 2e4
        wind = np.sqrt(np.mean(((other["u"] - one["u"]) ** 2 + (other["v"] - one["v"]) ** 2)[layer]))
        assert 2.0 < wind < 9.0
        assert 0.4 < np.sqrt(np.mean((other["temperature"] - one["temperature"])[layer] ** 2)) < 3.0
        assert 30.0 < np.sqrt(np.mean((other["surface_pressure"] - one["surface_pressure"]) ** 2)) < 500.0
        assert (other["qv"] >= 0.0).all()
        np.testing.assert_array_equal(other["w"], one["w"])  # what has no error is left as it is
        virtual = virtual_temperature(other["temperature"].astype(float), other["qv"].astype(float))
        wanted = hydrostatic_pressure(other["surface_pressure"].astype(float), virtual, domain.z, domain.terrain)
        np.testing.assert_allclose(other["pressure"], wanted, rtol=2e-3)
