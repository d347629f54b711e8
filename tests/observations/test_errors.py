"""Observation errors: the table, its interpolation, humidity, surface pressure."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kaiseki.core.errors import ConfigError
from kaiseki.observations import Flag, Table, usable
from kaiseki.observations.errors import Profile, assign, overridden, surface_pressure_error


def level(kind: str, pressure: float, **values: float) -> Table:
    return Table.from_columns(
        {
            "report": 0,
            "time": np.datetime64("1989-01-01T12:00:00", "s"),
            "latitude": 35.0,
            "longitude": 140.0,
            "pressure": pressure,
            "quantity": list(values),
            "value": np.array(list(values.values())),
            "kind": kind,
        }
    )


@pytest.mark.parametrize(
    ("kind", "quantity", "pressure", "error"),
    [
        ("sonde", "air_temperature", 50_000.0, 1.0),
        ("sonde", "eastward_wind", 95_000.0, 1.1),
        ("sonde", "northward_wind", 50_000.0, 2.3),
        ("sonde", "eastward_wind", 25_000.0, 3.3),
        ("sonde", "eastward_wind", 1_000.0, 2.7),
        ("aircraft", "eastward_wind", 25_000.0, 3.6),
        ("satwind", "eastward_wind", 25_000.0, 3.7),
        ("synop", "surface_pressure", 100_000.0, 100.0),
        ("ship", "surface_pressure", math.nan, 160.0),
    ],
)
def test_values_of_the_source(kind: str, quantity: str, pressure: float, error: float) -> None:
    assert assign(level(kind, pressure, **{quantity: 1.0})).column("error")[0] == pytest.approx(error)


def test_interpolation_is_linear_in_the_logarithm_of_pressure() -> None:
    profile = Profile((100_000.0, 10_000.0), (1.0, 3.0))
    middle = math.sqrt(100_000.0 * 10_000.0)
    assert profile.at(np.array([middle])) == pytest.approx(2.0)
    assert profile.at(np.array([110_000.0, 1_000.0, np.nan])).tolist() == [1.0, 3.0, 1.0]


def test_humidity_error_is_that_of_relative_humidity() -> None:
    table = assign(level("sonde", 85_000.0, specific_humidity=0.005, air_temperature=283.15))
    # Saturation over water at 10 degC is 12.27 hPa (Goff-Gratch, WMO-No. 188).
    saturation = 0.62198 * 12.27 / (850.0 - 0.378 * 12.27)
    assert table.column("error")[0] == pytest.approx(0.10 * saturation, rel=5e-3)


def test_humidity_in_the_cold_or_without_temperature_has_no_error() -> None:
    cold = assign(level("sonde", 40_000.0, specific_humidity=1e-4, air_temperature=233.0))
    alone = assign(level("sonde", 40_000.0, specific_humidity=1e-4))
    wrong = level("sonde", 40_000.0, specific_humidity=1e-4, air_temperature=250.0)
    wrong = assign(wrong.with_columns(flags=np.array([0, int(Flag.HYDROSTATIC)])))
    for table in (cold, alone, wrong):
        assert np.isnan(table.column("error")[0])
        assert table.column("flags")[0] == int(Flag.NO_ERROR)
        assert not usable(table.column("flags"))[0]
    assert cold.column("error")[1] == 1.0


def test_overrides_and_representativeness() -> None:
    errors = overridden({("sonde", "air_temperature"): Profile((), (1.5,))})
    table = level("sonde", 50_000.0, air_temperature=250.0)
    assert assign(table, errors, representativeness={"sonde": 2.0}).column("error")[0] == 3.0
    with pytest.raises(ConfigError, match="no observation errors"):
        overridden({("sonde", "temperature"): Profile((), (1.0,))})
    with pytest.raises(ConfigError, match="factor"):
        assign(table, representativeness={"sonde": 0.0})
    with pytest.raises(ConfigError, match="must fall"):
        Profile((1.0, 2.0), (1.0, 1.0))
    with pytest.raises(ConfigError, match="one positive value"):
        Profile((2.0, 1.0), (1.0,))


def test_surface_pressure_error_grows_and_ends() -> None:
    error = surface_pressure_error(100.0, np.array([0.0, 100.0, -100.0, 299.0, 300.0, -400.0]))
    assert error[0] == 100.0
    assert error[1] == error[2] == pytest.approx(math.hypot(100.0, 50.0))
    assert error[3] > error[2]
    assert np.isnan(error[4:]).all()
