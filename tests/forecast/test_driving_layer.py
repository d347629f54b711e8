"""The layer under the model top that follows the driving state, as the experiment asks for it."""

from __future__ import annotations

import numpy as np
import pytest

from kaiseki.config import Dynamics
from kaiseki.forecast.model import with_time_steps
from kaiseki.forecast.rim import make_relaxation
from kaiseki.grid import preset

DOMAIN = preset("japan-60km")
DEPTH, TIME = 5000.0, 1800.0


def test_the_rate_is_a_squared_sine_of_the_depth() -> None:
    top = np.asarray(make_relaxation(DOMAIN, 300.0, 2.0, DEPTH, TIME).top)[:, 0, 0]
    share = np.clip((DOMAIN.zeta - (DOMAIN.zeta_half[-1] - DEPTH)) / DEPTH, 0.0, 1.0)
    # After `TIME` the model top itself would have lost the part 1 - 1/e.
    remaining = (1.0 - top) ** (TIME / 300.0)
    np.testing.assert_allclose(-np.log(remaining), np.sin(0.5 * np.pi * share) ** 2, atol=1e-5)
    assert np.count_nonzero(top) == np.count_nonzero(share)


def test_no_depth_no_relaxation() -> None:
    assert not np.asarray(make_relaxation(DOMAIN, 300.0, 2.0, 0.0, TIME).top).any()


def test_the_experiment_decides() -> None:
    parameters = with_time_steps(Dynamics(driving_depth=DEPTH, driving_time=TIME), DOMAIN)
    assert (parameters.driving_depth, parameters.driving_time) == pytest.approx((DEPTH, TIME))
