"""Expected departures: at places worked out by hand, and 1 over the observed ones where both errors are true."""

from __future__ import annotations

import numpy as np
import pytest

from kaiseki.config import Verification
from kaiseki.grid.presets import preset
from kaiseki.verification import align, score_rows
from kaiseki.verification.calibration import analysis_error, with_expected
from verification.observed import TIME, columns, network

FEW_DRAWS = Verification(bootstrap_samples=20)

GRID = preset("japan-60km")
SCALE = 7000.0


def fields(temperature: float = 0.8, wind: float = 2.0, pressure: float = 60.0) -> dict[str, np.ndarray]:
    """Uniform errors in an isothermal atmosphere."""
    return {
        "pressure": 101_325.0 * np.exp(-GRID.z / SCALE),
        "temperature_spread": np.full(GRID.shape, temperature),
        "eastward_wind_spread": np.full(GRID.shape, wind),
        "northward_wind_spread": np.full(GRID.shape, 0.5 * wind),
        "surface_pressure_spread": np.full(GRID.shape[1:], pressure),
    }


def test_errors_are_taken_at_the_place_of_the_observation():
    made = fields()
    # Linear along x, y and ln p, so that linear interpolation is exact.
    j, i = np.mgrid[: GRID.ny, : GRID.nx]
    made["temperature_spread"] = 0.1 * i + 0.02 * j + np.log(101_325.0 / made["pressure"])
    made["surface_pressure_spread"] = 10.0 + 1.0 * i
    y, x = 20.25, 33.5
    at = GRID.projection.inverse(np.array(GRID.x[0] + x * GRID.spacing), np.array(GRID.y[0] + y * GRID.spacing))
    place = {"latitude": float(at[0]), "longitude": float(at[1])}
    table = columns(
        [
            place | {"quantity": "air_temperature", "pressure": 50_000.0},
            place | {"quantity": "virtual_temperature", "pressure": 25_000.0},
            place | {"quantity": "northward_wind", "pressure": 70_000.0},
            place | {"quantity": "surface_pressure", "kind": "synop"},
            place | {"quantity": "specific_humidity", "pressure": 70_000.0},
            place | {"quantity": "air_temperature", "kind": "synop"},
        ]
    )
    found = analysis_error(made, GRID, table)
    flat = 0.1 * x + 0.02 * y
    wanted = [flat + np.log(101_325.0 / 50_000.0), flat + np.log(101_325.0 / 25_000.0), 1.0, 10.0 + x]
    np.testing.assert_allclose(found[:4], wanted, rtol=1e-6)
    assert np.isnan(found[4:]).all(), "no error of humidity, nor of what has no pressure"


@pytest.mark.parametrize(("claimed", "ratio"), [(1.0, 1.0), (3.0, None)])
def test_the_ratio_is_one_where_both_errors_are_true(claimed: float, ratio: float | None):
    table = network(7, stations=400)
    generator = np.random.default_rng(8)
    truth = {"air_temperature": 0.8, "eastward_wind": 2.0, "northward_wind": 1.0, "surface_pressure": 60.0}
    noise = {"air_temperature": 0.6, "eastward_wind": 1.5, "northward_wind": 1.5, "surface_pressure": 80.0}
    quantity = table["quantity"].astype(str)
    table["error"] = np.array([noise.get(name, 1.0) for name in quantity])
    size = np.hypot([truth.get(name, 1.0) for name in quantity], table["error"])
    table["analysis_departure"] = size * generator.standard_normal(len(size))
    departures = align(table, {"analysis": (table, "analysis_departure"), "other": (table, "analysis_departure")})
    made = fields(0.8 * claimed, 2.0 * claimed, 60.0 * claimed)
    rows = score_rows(
        with_expected(departures, made, GRID), case="test", time=TIME, settings=Verification(bootstrap_samples=20)
    )
    said = {(row["variable"], row["level"]): row for row in rows if "expected" in row}
    wanted = {
        ("air_temperature", "850-250"): np.hypot(0.8 * claimed, 0.6),
        ("wind", "850-250"): np.sqrt((2.0 * claimed) ** 2 + claimed**2 + 2 * 1.5**2),
        ("surface_air_pressure", None): np.hypot(60.0 * claimed, 80.0),
    }
    for key, size_ in wanted.items():
        assert said[key]["expected"] == pytest.approx(size_, rel=1e-6), key
        if ratio is not None:
            assert said[key]["expected"] / said[key]["rms"] == pytest.approx(ratio, abs=0.15), key
    assert ("geopotential_height", 85e3) not in said
    assert {(row["experiment"], row["against"]) for row in rows if "expected" in row} == {("analysis", "withheld")}


def test_one_unknown_error_of_observation_leaves_the_score_without_expectation():
    table = network(3)
    table["error"] = np.where(np.arange(len(table["time"])) == 17, np.nan, 1.0)  # a temperature at a withheld station
    assert table["withheld"][17]
    name = str(table["quantity"][17])
    departures = align(table, {"analysis": (table, "analysis_departure")})
    rows = score_rows(
        with_expected(departures, fields(), GRID), case="test", time=TIME, settings=Verification(bootstrap_samples=20)
    )
    known = {row["variable"] for row in rows if "expected" in row and row["level"] in (None, "850-250")}
    lost = {"air_temperature": "air_temperature", "eastward_wind": "wind", "northward_wind": "wind"}[name]
    assert known == {"surface_air_pressure", "air_temperature", "wind"} - {lost}
