"""Background errors estimated from innovations drawn from known ones."""

from __future__ import annotations

import json

import numpy as np
import pytest

from assimilation import worlds
from kaiseki.assimilation.estimate import (
    DEFAULT_INTERFACES,
    collect,
    horizontal,
    mass_correlation,
    suggest,
    wind_correlation,
)
from kaiseki.core.errors import InputError
from kaiseki.observations import Flag, Table
from kaiseki.statistics.configuration import two_scales

LENGTH, DEPTH = 250e3, 0.6
PRESSURES = np.array([85_000.0, 70_000.0, 50_000.0, 30_000.0])
RADIUS = 6_371_000.0


def features(random: np.random.Generator, depths: np.ndarray, number: int = 300) -> list[tuple[np.ndarray, ...]]:
    """Waves whose sum is a random field with `two_scales`: numbers, phases, amplitudes (number, levels) per scale."""
    made = []
    for scale in two_scales(LENGTH, DEPTH):
        apart = depths[:, None] - depths[None, :]
        root = np.linalg.cholesky(np.exp(-0.5 * (apart / scale.vertical_length) ** 2) + 1e-9 * np.eye(len(depths)))
        waves = random.standard_normal((number, 2)) / scale.length
        phases = random.uniform(0.0, 2.0 * np.pi, number)
        amplitudes = random.standard_normal((number, len(depths))) @ root.T * np.sqrt(2.0 * scale.weight / number)
        made.append((waves, phases, amplitudes))
    return made


def field(made: list[tuple[np.ndarray, ...]], xy: np.ndarray) -> np.ndarray:
    """Unit field (places, levels)."""
    return sum(np.cos(xy @ waves.T + phases) @ amplitudes for waves, phases, amplitudes in made)


def flow(made: list[tuple[np.ndarray, ...]], xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """-d/dy and d/dx of the field, which has standard deviation LENGTH: each of unit variance."""
    east: np.ndarray = np.zeros(())
    north: np.ndarray = np.zeros(())
    for waves, phases, amplitudes in made:
        slope = -np.sin(xy @ waves.T + phases)
        east = east - LENGTH * (slope * waves[:, 1]) @ amplitudes
        north = north + LENGTH * (slope * waves[:, 0]) @ amplitudes
    return east, north


def windows(count: int = 10, stations: int = 130, seed: int = 0) -> list[Table]:
    """Sondes near the equator, where degrees are plane: sigma_b 1.5 K and 3 m/s, sigma_o 1 K and 2 m/s."""
    random = np.random.default_rng(seed)
    places = random.uniform(-1.1e6, 1.1e6, (stations, 2))
    longitude, latitude = np.rad2deg(places / RADIUS).T
    tables = []
    for _ in range(count):
        made = features(random, np.log(PRESSURES))
        mass = 1.5 * field(features(random, np.log(PRESSURES)), places) + random.standard_normal((stations, 4))
        east, north = (3.0 * part + 2.0 * random.standard_normal((stations, 4)) for part in flow(made, places))
        report, level = np.indices((stations, 4))
        quantities = np.array(["air_temperature", "eastward_wind", "northward_wind"])
        tables.append(
            Table.from_columns(
                {
                    "report": np.tile(report.ravel(), 3),
                    "time": np.full(3 * report.size, worlds.NOON),
                    "latitude": np.tile(latitude[report.ravel()], 3),
                    "longitude": np.tile(longitude[report.ravel()], 3),
                    "pressure": np.tile(PRESSURES[level.ravel()], 3),
                    "level": 1,
                    "quantity": np.repeat(quantities, report.size),
                    "value": np.zeros(3 * report.size),
                    "kind": "sonde",
                    "station": np.tile(np.array([f"{n:05d}" for n in range(stations)])[report.ravel()], 3),
                    "background_departure": np.concatenate([mass.ravel(), east.ravel(), north.ravel()]),
                }
            )
        )
    return tables


TABLES = windows()


def test_variances_and_lengths_are_found_again() -> None:
    found = suggest(TABLES, balance=0.0)
    for name, sigma_b, sigma_o in (("temperature", 1.5, 1.0), ("wind", 3.0, 2.0)):
        fits = found["fits"][name]
        assert len(fits) == 4
        assert np.mean([fit["sigma_b"] for fit in fits]) == pytest.approx(sigma_b, rel=0.1)
        assert np.mean([fit["sigma_o"] for fit in fits]) == pytest.approx(sigma_o, rel=0.1)
        assert np.mean([fit["length"] for fit in fits]) == pytest.approx(LENGTH, rel=0.15)
        assert found[name][2] == pytest.approx(sigma_b, rel=0.15)
    assert found["length"] == pytest.approx(LENGTH, rel=0.15)
    assert found["vertical_length"] == pytest.approx(DEPTH, rel=0.2)
    assert "humidity" not in found
    assert "surface_pressure" not in found
    json.dumps(found, allow_nan=False)


def test_only_the_unbalanced_part_of_temperature_is_suggested() -> None:
    whole, part = suggest(TABLES, balance=0.0), suggest(TABLES, balance=0.75)
    np.testing.assert_allclose(part["temperature"], np.multiply(0.5, whole["temperature"]))
    assert part["wind"] == whole["wind"]


def test_withheld_and_doubtful_values_do_not_count() -> None:
    table = TABLES[0]
    random = np.random.default_rng(9)
    withheld, doubtful = random.random(len(table)) < 0.2, random.random(len(table)) < 0.2
    departure = np.where(withheld | doubtful, 1e6, table.column("background_departure"))
    marked = table.with_columns(withheld=withheld, background_departure=departure).with_flags(doubtful, Flag.BUDDY)
    data = collect([marked], ("air_temperature",), DEFAULT_INTERFACES)
    good = table.where(quantity="air_temperature") & ~withheld & ~doubtful
    assert len(data.value) == good.sum()
    assert np.abs(data.value).max() < 1e3


def test_windows_are_not_paired_with_each_other() -> None:
    """The same departures twice, once with the sign turned: pairs across windows would cancel all covariance."""
    turned = [TABLES[0], TABLES[0].with_columns(background_departure=-TABLES[0].column("background_departure"))]
    fits, once = (
        horizontal(collect(tables, ("air_temperature",), DEFAULT_INTERFACES), DEFAULT_INTERFACES, wind=False)
        for tables in (turned, [TABLES[0]])
    )
    for one, two in zip(fits, once, strict=True):
        assert one.sigma_b == pytest.approx(two.sigma_b, rel=1e-9)
        assert one.pairs == 2 * two.pairs


def test_few_pairs_give_no_estimate() -> None:
    few = TABLES[0].take(TABLES[0].column("report") < 10)
    assert horizontal(collect([few], ("air_temperature",), DEFAULT_INTERFACES), DEFAULT_INTERFACES, wind=False) == []
    with pytest.raises(InputError, match="without a table"):
        suggest([])


def test_wind_correlation_is_the_mean_of_longitudinal_and_transverse() -> None:
    """-psi'/r and -psi'' of the correlation of the stream function, by differences, times L^2."""
    r, step = np.linspace(50e3, 900e3, 30), 100.0
    plus, here, minus = (mass_correlation(r + d, LENGTH) for d in (step, 0.0, -step))
    along = -(plus - minus) / (2.0 * step) / r
    across = -(plus - 2.0 * here + minus) / step**2
    np.testing.assert_allclose(wind_correlation(r, LENGTH), 0.5 * (along + across) * LENGTH**2, atol=1e-4)
    assert wind_correlation(np.zeros(1), LENGTH)[0] == pytest.approx(1.0)
