"""The operator keeps the contract, and gives what the operators of the two components give."""

from __future__ import annotations

import numpy as np
from wind_speed_operator import WindSpeed

from kaiseki.assimilation import Trajectory, departures
from kaiseki.diagnostics.standard_atmosphere import standard_pressure, standard_temperature
from kaiseki.grid.levels import stretched_interfaces
from kaiseki.grid.presets import GridSpecification
from kaiseki.observations import Table
from kaiseki.testing import check_operator

NOON = np.datetime64("2024-01-01T12:00:00")
INTERFACES = tuple(stretched_interfaces(12, 16_000.0, 200.0).tolist())
DOMAIN = GridSpecification("small", 100e3, (10, 12), 36.0, 138.0, INTERFACES, rim_width=2).domain()


def sheared() -> Trajectory:
    """Wind that turns and grows with height and from west to east, in the standard atmosphere."""
    pressure = standard_pressure(DOMAIN.z)
    u = 3.0 + DOMAIN.z / 400.0 + 0.2 * np.arange(DOMAIN.nx)
    v = 8.0 - DOMAIN.z / 900.0
    fields = {"u": u, "v": v, "temperature": standard_temperature(pressure), "pressure": pressure, "qv": 0.0 * u}
    return Trajectory.make([NOON], [fields], DOMAIN)


def values(quantity: str) -> Table:
    """Values of 0: from a sonde at four pressures, a pilot balloon at two heights, and a ship's mast."""
    return Table.from_columns(
        {
            "time": np.full(7, NOON),
            "latitude": 36.3,
            "longitude": 138.4,
            "pressure": [85_000.0, 70_000.0, 50_000.0, 30_000.0, np.nan, np.nan, np.nan],
            "height": [np.nan, np.nan, np.nan, np.nan, 2500.0, 7000.0, np.nan],
            "kind": ["sonde"] * 4 + ["pilot"] * 2 + ["ship"],
            "level": [1, 2, 3, 4, 1, 2, 0],
            "quantity": quantity,
            "value": np.zeros(7),
        }
    )


def test_the_contract_is_kept() -> None:
    check_operator(WindSpeed(), sheared(), values("wind_speed"))


def test_the_speed_is_that_of_the_two_components() -> None:
    east, north, speed = (
        -departures(sheared(), values(name)) for name in ("eastward_wind", "northward_wind", "wind_speed")
    )
    assert speed.min() > 3.0
    np.testing.assert_allclose(speed, np.hypot(east, north), rtol=1e-3)
