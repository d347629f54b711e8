"""The engine keeps the contract; one sonde is drawn for as the formula says; two scans come nearer than one."""

from __future__ import annotations

import cressman_engine
import numpy as np
import pytest
from cressman_engine import Cressman, weight

from kaiseki.assimilation import Analysis, AnalysisInput, Trajectory
from kaiseki.config import Assimilation
from kaiseki.diagnostics.standard_atmosphere import standard_pressure, standard_temperature
from kaiseki.grid.levels import stretched_interfaces
from kaiseki.grid.presets import GridSpecification
from kaiseki.observations import Table
from kaiseki.statistics.covariance import build
from kaiseki.testing import check_engine

NOON = np.datetime64("2024-01-01T12:00:00")
INTERFACES = tuple(stretched_interfaces(12, 16_000.0, 200.0).tolist())
DOMAIN = GridSpecification("small", 100e3, (14, 16), 36.0, 138.0, INTERFACES, rim_width=2).domain()
SETTINGS = Assimilation()


def background() -> Trajectory:
    """The standard atmosphere with a wind of 10 m/s along the grid."""
    pressure = standard_pressure(DOMAIN.z)
    zero = np.zeros(DOMAIN.shape)
    fields = {"u": zero + 10.0, "v": zero, "temperature": standard_temperature(pressure), "pressure": pressure}
    return Trajectory.make([NOON], [fields | {"qv": zero + 1e-4}], DOMAIN)


def sonde(temperature: float = 3.0) -> Table:
    """At 500 hPa in the middle of the domain, warmer than the standard atmosphere [K], with a north wind."""
    middle = np.array([50_000.0, 50_000.0, 50_000.0])
    return Table.from_columns(
        {
            "time": np.full(3, NOON),
            "report": 0,
            "latitude": DOMAIN.lat[7, 8],
            "longitude": DOMAIN.lon[7, 8],
            "pressure": middle,
            "kind": "sonde",
            "level": 1,
            "quantity": ["air_temperature", "eastward_wind", "northward_wind"],
            "value": [float(standard_temperature(middle)[0]) + temperature, 10.0, -4.0],
            "error": [1.0, 2.0, 2.0],
        }
    )


def given(table: Table) -> AnalysisInput:
    start = background()
    return AnalysisInput(start, table, build(DOMAIN, SETTINGS.cycled, start.last, 1), SETTINGS)


def analysed(table: Table) -> Analysis:
    return Cressman().analyse(given(table))


def test_the_contract_is_kept() -> None:
    check_engine(Cressman(), given(sonde()))


def test_the_weight_is_cressmans() -> None:
    np.testing.assert_allclose(weight(np.array([0.0, 1.0, 2.0, 3.0]), 2.0), [1.0, 3.0 / 5.0, 0.0, 0.0])


def test_one_scan_draws_by_the_ratio_of_the_variances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cressman_engine, "RADII", (2.0,))
    found = analysed(sonde())
    before, after, spread, error = (
        found.table.column(name) for name in ("background_departure", "analysis_departure", "spread", "error")
    )
    # At the sonde itself the weight is that of the level between two of the model: from 0.8 to 1 here.
    expected = spread**2 / (spread**2 + error**2)
    share = 1.0 - after / before
    assert (share < expected).all()
    assert (share > 0.7 * expected).all()


def test_more_scans_come_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = []
    for radii in ((3.0,), (3.0, 2.0), (3.0, 2.0, 1.0)):
        monkeypatch.setattr(cressman_engine, "RADII", radii)
        costs.append(analysed(sonde()).diagnostics["cost"])
    assert costs[2] < costs[1] < costs[0]


def test_the_correction_ends_at_the_largest_radius() -> None:
    found = analysed(sonde()).increment["temperature"]
    distance = np.hypot(DOMAIN.x - DOMAIN.x[8], DOMAIN.y[:, None] - DOMAIN.y[7]) / DOMAIN.map_factor.mean()
    assert found.max() > 0.5
    assert not found[:, distance > 3.2 * SETTINGS.cycled.length].any()
