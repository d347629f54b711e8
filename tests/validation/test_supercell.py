"""The supercell, smaller: a storm grows from the bubble, rains, and keeps the water that there was."""

from __future__ import annotations

import numpy as np

from kaiseki.core.constants import KAPPA, P0
from validation import supercell


def test_a_storm_grows_and_rains_and_no_water_is_lost() -> None:
    model, state = supercell.storm((32, 32), nz=24, depth=800.0)

    def water(s: supercell.State) -> float:
        mass = np.asarray(model.metrics.volume * model.metrics.rho_ref + s.drho, np.float64)
        return float((mass * np.asarray(s.water, np.float64).sum(axis=0)).sum() + np.asarray(s.precipitation).sum())

    story, end = supercell.run(model, state, 2700.0, every=900.0)
    assert 10.0 < max(story.updraught) < 60.0
    assert story.rain[-1] > 0.5
    assert abs(water(end) / water(state) - 1.0) < 1e-5


def test_the_sounding_is_that_of_weisman_and_klemp() -> None:
    """14 g/kg near the ground, freezing near 4 km, 343 K of potential temperature at 12 km; wind of the hodograph."""
    temperature, pressure, vapour = supercell.sounding(np.array([0.0, 500.0, 4000.0, 12000.0]))
    assert abs(temperature[0] - 300.0) < 1e-6
    assert np.all(np.abs(vapour[:2] - 0.014) < 1e-9)
    assert abs(temperature[2] - 273.0) < 4.0
    assert abs(temperature[3] / (pressure[3] / P0) ** KAPPA - 343.0) < 0.1
    assert np.all(np.diff(pressure) < 0.0)
    u, v = supercell.wind(np.array([0.0, 2000.0, 6000.0, 12000.0]))
    np.testing.assert_allclose(u + supercell.MOTION[0], [0.0, 7.0, 31.0, 31.0], atol=1e-9)
    np.testing.assert_allclose(v + supercell.MOTION[1], [0.0, 7.0, 7.0, 7.0], atol=1e-9)
