"""A store of a run of our own as driving data of a new region within its domain.

What would be wrong: other air, sea or soil than the store holds there; soil on the layers of the store; a period that
it does not cover; a domain beyond its own that is told of in metres on a map.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cycle import small
from kaiseki.archive import RunStore
from kaiseki.archive.store.schema import FORECAST
from kaiseki.config import Experiment
from kaiseki.core.errors import InputError
from kaiseki.cycle.fields import from_store
from kaiseki.driving.weights import interpolation
from kaiseki.experiments.baselines import run_experiment
from kaiseki.experiments.real_data import direct_driving
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section

HOUR = np.timedelta64(1, "h")
INNER: dict[str, Any] = {**small.DOMAIN, "spacing": 60e3, "shape": [13, 12], "terrain": "analytic"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A free run of two hours with all physics over the island arc."""
    chosen = small.experiment(
        domain={**small.DOMAIN, "terrain": "analytic"}, physics={}, assimilation={"engine": "none"}
    )
    case = small.case(tmp_path_factory.mktemp("wide"), chosen)
    run_experiment(case, "analysis")
    return case.folder.store("analysis")


def region(**domain: Any) -> Experiment:
    return small.experiment(
        case={"name": "region", "kind": "real"},
        observations={"folds": 0, "files": ["none"]},
        driving={"first_guess_files": ["analysis.store"]},
        domain={**INNER, **domain},
        physics={"schemes": {"soil": {"thickness": [0.1, 0.3, 0.6, 1.0]}}},
    )


def linear(wide: Domain, inner: Domain, field: np.ndarray) -> np.ndarray:
    x, y = wide.projection.forward(inner.lat, inner.lon)
    return interpolation(wide.y, wide.x, y, x, method="linear")(field)


def test_a_run_drives_a_region_within_it(store: Path) -> None:
    chosen = region()
    driving, domain = direct_driving(
        [store], domain_from_section(chosen.domain), soil=chosen.physics.schemes.soil.thickness
    )
    opened = RunStore.open(store, "r")
    wide, time = opened.domain(), chosen.period.first + HOUR
    given, made = from_store(opened, FORECAST, time), driving(time)
    # Over the terrain of the wider run at the edge, and its own inside the rim.
    np.testing.assert_allclose(domain.terrain[0], linear(wide, domain, wide.terrain)[0], atol=60.0)
    np.testing.assert_allclose(made["sst"], linear(wide, domain, given["sst"]), atol=1e-3)
    assert np.ptp(made["sst"]) > 1.0
    # High above the terrain the levels of both are nearly the same.
    for name, most in (("temperature", 0.5), ("u", 1.0)):
        expected = linear(wide, domain, given[name])[-2]
        assert np.abs(made[name][-2] - expected).max() < most, name
        assert np.ptp(expected) > 2.0 * most
    thickness = np.array(chosen.physics.schemes.soil.thickness)
    assert made["soil_temperature"].shape == made["soil_moisture"].shape == (thickness.size, *domain.shape[1:])
    land = domain.land_fraction > 0.5
    assert land.any()
    assert np.isfinite(made["soil_temperature"][:, land]).all()
    # The water of a soil that is evenly moist stays what it was on any layers.
    moisture = linear(wide, domain, given["soil_moisture"].mean(0))
    np.testing.assert_allclose(made["soil_moisture"].mean(0)[land], moisture[land], atol=0.02)
    # Between two times of the store it is linear.
    half = driving(time + HOUR // 4)["sst"]
    np.testing.assert_allclose(half, linear(wide, domain, given["sst"]), atol=0.1)
    times = chosen.period.first + HOUR * np.arange(5)
    np.testing.assert_array_equal(driving.missing(times), times[3:])  # type: ignore[attr-defined]


def test_a_region_beyond_the_run_is_named_with_file_and_place(store: Path) -> None:
    chosen = region(reference_longitude=160.0)
    with pytest.raises(InputError) as caught:
        direct_driving([store], domain_from_section(chosen.domain), soil=chosen.physics.schemes.soil.thickness)
    said = str(caught.value)
    assert str(store) in said
    assert "km beyond it at 3" in said
    assert "make the domain smaller, move it, or take a wider run" in said
    assert "e+06" not in said
