"""Observation operators: exact values of analytic atmospheres, derivatives, padding."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assimilation import worlds
from kaiseki.assimilation import Trajectory, comparison, departures
from kaiseki.assimilation.operators import bucket, linearise, locate
from kaiseki.core.constants import GRAVITY, R_DRY, STANDARD_LAPSE_RATE, VIRTUAL
from kaiseki.core.errors import InputError
from kaiseki.observations import Table
from kaiseki.statistics import ANALYSIS_VARIABLES

pytestmark = pytest.mark.usefixtures("x64")

GRID = worlds.domain()
FLAT = worlds.domain(hill=0.0)


def values(trajectory: Trajectory, table: Table) -> np.ndarray:
    """Equivalents: all values of these tables are 0."""
    return -departures(trajectory, table)


def mixed(number: int = 40, seed: int = 3) -> Table:
    """All quantities at random places, pressures and times, at the surface too."""
    random = np.random.default_rng(seed)
    sondes = worlds.ascents(GRID, number, seed)
    j, i = random.uniform(1.0, 15.0, (2, number))
    more = [
        worlds.at(GRID, j, i, "virtual_temperature", pressure=random.uniform(2e4, 8e4, number), kind="aircraft"),
        worlds.at(GRID, j, i, "geopotential_height", pressure=random.uniform(2e4, 8e4, number)),
        worlds.at(GRID, j, i, "eastward_wind", height=random.uniform(2e3, 9e3, number), kind="pilot"),
        worlds.at(GRID, j, i, "air_temperature", kind="synop", station_elevation=200.0),
        worlds.at(GRID, j, i, "surface_pressure", kind="synop", station_elevation=random.uniform(0, 1e3, number)),
        worlds.at(GRID, j, i, "northward_wind", kind="ship"),
        worlds.at(GRID, j, i, "mean_sea_level_pressure", kind="buoy"),
    ]
    return Table.concat([sondes, *more])


def uneven() -> Trajectory:
    """Fields that differ from slot to slot."""
    fields = worlds.lapsing(GRID)
    moved = [{**fields, "temperature": fields["temperature"] + k, "u": fields["u"] * (1 + 0.1 * k)} for k in range(4)]
    moved[2] = {**moved[2], "pressure": 1.001 * moved[2]["pressure"]}
    return Trajectory.make(worlds.NOON - worlds.HOUR * np.arange(3, -1, -1), moved, GRID)


@given(st.floats(0.0, 17.0), st.floats(0.0, 19.0), st.floats(15_000.0, 85_000.0))
@settings(max_examples=30, deadline=None)
def test_isothermal_heights_are_exact_anywhere(j: float, i: float, pressure: float) -> None:
    trajectory = worlds.steady(GRID, worlds.isothermal(GRID))
    found = values(trajectory, worlds.at(GRID, j, i, "geopotential_height", pressure=pressure))
    exact = R_DRY * 270.0 / GRAVITY * np.log(101_000.0 / pressure)
    assert found[0] == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("elevation", [0.0, 40.0, 300.0, 700.0, 1000.0])
def test_station_pressure_of_the_standard_lapse_rate_up_and_down(elevation: float) -> None:
    trajectory = worlds.steady(GRID, {**worlds.lapsing(GRID), "qv": np.zeros(GRID.shape)})
    places = np.array([[2.0, 3.0], [8.5, 9.5], [7.3, 8.8]]).T
    table = worlds.at(GRID, *places, "surface_pressure", kind="synop", level=0, station_elevation=elevation)
    # (T1 - T2)^2 / 12 T^2 of the thickness is what the mean temperature leaves out: 0.3 Pa over 800 m, and between
    # columns of different height the mean of ln p adds the curvature of ln p.
    assert values(trajectory, table) == pytest.approx(worlds.polytropic(elevation), abs=1.5)
    single = worlds.at(GRID, 2.0, 3.0, "surface_pressure", kind="synop", level=0, station_elevation=elevation)
    assert values(trajectory, single) == pytest.approx(worlds.polytropic(elevation), abs=0.15)


def test_sea_level_pressure_is_station_pressure_at_height_zero() -> None:
    trajectory = worlds.steady(GRID, worlds.lapsing(GRID))
    sea = worlds.at(GRID, 5.2, 6.1, "mean_sea_level_pressure", kind="synop", station_elevation=321.0)
    station = worlds.at(GRID, 5.2, 6.1, "surface_pressure", kind="synop", station_elevation=0.0)
    assert values(trajectory, sea)[0] == values(trajectory, station)[0]


@given(st.floats(0.0, 17.0), st.floats(0.0, 19.0), st.floats(15_000.0, 90_000.0))
@settings(max_examples=30, deadline=None)
def test_fields_linear_in_place_and_log_pressure_are_exact(j: float, i: float, pressure: float) -> None:
    fields = worlds.isothermal(FLAT)
    rows, columns = np.mgrid[: FLAT.ny, : FLAT.nx]
    fields["qv"] = 0.01 + 1e-4 * rows - 2e-4 * columns + 1e-3 * np.log(fields["pressure"] / 1e5)
    trajectory = worlds.steady(FLAT, fields)
    table = worlds.at(FLAT, j, i, "specific_humidity", pressure=pressure)
    exact = 0.01 + 1e-4 * j - 2e-4 * i + 1e-3 * np.log(pressure / 1e5)
    assert values(trajectory, table)[0] == pytest.approx(exact, rel=1e-9)


def test_virtual_temperature_follows_its_definition_at_a_level() -> None:
    fields = worlds.lapsing(FLAT)
    pressure = float(fields["pressure"][6, 5, 7])
    virtual, true, humidity = (
        values(worlds.steady(FLAT, fields), worlds.at(FLAT, 5.0, 7.0, name, pressure=pressure))[0]
        for name in ("virtual_temperature", "air_temperature", "specific_humidity")
    )
    assert true == pytest.approx(fields["temperature"][6, 5, 7])
    assert virtual == pytest.approx(true * (1.0 + VIRTUAL * humidity), rel=1e-12)


def test_winds_are_turned_to_east_and_north_at_the_place() -> None:
    fields = {**worlds.isothermal(GRID), "u": np.full(GRID.shape, 12.0), "v": np.full(GRID.shape, -5.0)}
    j, i = 3.4, 1.7
    east, north = (
        values(worlds.steady(GRID, fields), worlds.at(GRID, j, i, name, pressure=40_000.0))[0]
        for name in ("eastward_wind", "northward_wind")
    )
    # True north on the map, by a small step along the meridian.
    latitude, longitude = worlds.latlon(GRID, j, i)
    x0, y0 = GRID.projection.forward(latitude - 1e-4, longitude)
    x1, y1 = GRID.projection.forward(latitude + 1e-4, longitude)
    toward = np.array([x1 - x0, y1 - y0]) / np.hypot(x1 - x0, y1 - y0)
    assert north == pytest.approx(12.0 * toward[0] - 5.0 * toward[1], rel=1e-8)
    assert east == pytest.approx(12.0 * toward[1] + 5.0 * toward[0], rel=1e-8)
    assert np.hypot(east, north) == pytest.approx(13.0)


def test_time_is_interpolated_between_slots_and_held_beyond() -> None:
    fields = worlds.isothermal(GRID)
    hourly = [{**fields, "u": fields["u"] + 10.0 * hour} for hour in range(4)]
    start = worlds.NOON - 3 * worlds.HOUR
    trajectory = Trajectory.make(start + worlds.HOUR * np.arange(4), hourly, GRID)
    minutes = np.array([-200, -60, 0, 45, 90, 180, 240, 361])
    table = worlds.at(
        GRID,
        np.full(8, 5.0),
        np.full(8, 5.0),
        "eastward_wind",
        pressure=50_000.0,
        time=start + minutes * np.timedelta64(60, "s"),
    )
    angle = GRID.projection.rotation(table.column("longitude")[:1])[0]
    expected = np.array([np.nan, 0.0, 0.0, 7.5, 15.0, 30.0, 30.0, np.nan]) * np.cos(angle)
    np.testing.assert_allclose(values(trajectory, table), expected, rtol=1e-9)


def test_ten_metre_wind_of_ships_follows_the_logarithmic_profile() -> None:
    fields = {**worlds.isothermal(FLAT), "u": np.full(FLAT.shape, 10.0)}
    angle = FLAT.projection.rotation(worlds.latlon(FLAT, 4.0, 4.0)[1])
    found = values(worlds.steady(FLAT, fields), worlds.at(FLAT, 4.0, 4.0, "eastward_wind", kind="ship", level=0))
    # u* / k ln(z / z0) at both heights, z0 = 0.2 mm.
    friction = 10.0 / np.log(FLAT.z[0, 4, 4] / 2e-4)
    assert found[0] == pytest.approx(friction * np.log(10.0 / 2e-4) * np.cos(angle), rel=1e-9)


def test_screen_temperature_follows_the_standard_lapse_rate_below_the_lowest_level() -> None:
    trajectory = worlds.steady(GRID, worlds.isothermal(GRID, 280.0))
    table = worlds.at(GRID, 8.5, 9.5, "air_temperature", kind="synop", level=0, station_elevation=100.0)
    plan = locate(trajectory, table)
    lowest = float(np.asarray(plan.columns.height)[0, 0])
    assert lowest > 700.0
    assert values(trajectory, table)[0] == pytest.approx(280.0 + STANDARD_LAPSE_RATE * (lowest - 102.0))


def test_nothing_below_the_ground_above_the_top_or_outside() -> None:
    trajectory = worlds.steady(GRID, worlds.isothermal(GRID))
    ground = 101_000.0 * np.exp(-GRAVITY * GRID.terrain[8, 9] / (R_DRY * 270.0))
    pressure = np.array([ground + 50.0, ground - 50.0, 5_000.0, 50_000.0, 50_000.0, np.nan, 50_000.0])
    j = np.array([8.0, 8.0, 8.0, -0.2, 8.0, 8.0, 17.0])
    i = np.array([9.0, 9.0, 9.0, 9.0, 19.3, 9.0, 19.0])
    found = values(trajectory, worlds.at(GRID, j, i, "air_temperature", pressure=pressure))
    assert np.isfinite(found).tolist() == [False, True, False, False, False, False, True]
    without = worlds.at(GRID, 8.0, 9.0, "surface_pressure", kind="synop")
    assert np.isnan(values(trajectory, without)[0])


def test_bias_correction_is_taken_off() -> None:
    trajectory = worlds.steady(GRID, worlds.isothermal(GRID))
    table = worlds.at(GRID, 4.0, 4.0, "air_temperature", pressure=5e4, value=272.0, bias_correction=0.5)
    assert departures(trajectory, table)[0] == pytest.approx(1.5)


def _stacked(trajectory: Trajectory) -> dict[str, Any]:
    return {name: jnp.asarray(field) for name, field in trajectory.stacked().items()}


def _directions(seed: int = 5) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    size = dict(zip(ANALYSIS_VARIABLES, (1.0, 1.0, 1.0, 100.0, 1e-3), strict=True))
    return {name: size[name] * random.standard_normal(GRID.shape) for name in ANALYSIS_VARIABLES}


def _increment(trajectory: Trajectory, direction: dict[str, np.ndarray], step: float) -> dict[str, Any]:
    return {name: field + step * jnp.asarray(direction[name]) for name, field in _stacked(trajectory).items()}


def test_linear_operator_is_the_derivative() -> None:
    trajectory, table, direction = uneven(), mixed(), _directions()
    plan = locate(trajectory, table)
    operator, found = linearise(trajectory.stacked(), plan)
    rows = np.isfinite(found)
    assert rows.mean() > 0.9
    product = operator(np.concatenate([direction[name].ravel() for name in ANALYSIS_VARIABLES]))[rows]

    def shifted(step: float) -> np.ndarray:
        return np.asarray(
            comparison._equivalents(_increment(trajectory, direction, step), plan.columns, plan.values)[0]
        )

    centred = (shifted(1e-5) - shifted(-1e-5))[: plan.count][rows] / 2e-5
    scale = np.abs(centred) + np.abs(found[rows]) * 1e-4
    assert np.max(np.abs(product - centred) / scale) < 1e-6


def test_linear_operator_is_that_of_automatic_differentiation() -> None:
    trajectory, direction = uneven(), _directions()
    plan = locate(trajectory, mixed())
    operator, found = linearise(trajectory.stacked(), plan)
    rows = np.isfinite(found)
    _, push = jax.linearize(
        lambda fields: comparison._equivalents(fields, plan.columns, plan.values)[0], _stacked(trajectory)
    )
    constant = {name: jnp.broadcast_to(direction[name], (4, *GRID.shape)) for name in ANALYSIS_VARIABLES}
    tangent = np.asarray(push(constant))[: plan.count]
    product = operator(np.concatenate([direction[name].ravel() for name in ANALYSIS_VARIABLES]))
    np.testing.assert_allclose(product[rows], tangent[rows], rtol=1e-11, atol=1e-13)


def test_transposes_are_adjoint_to_round_off() -> None:
    trajectory = uneven()
    plan = locate(trajectory, mixed())
    fields = _stacked(trajectory)
    _, push = jax.linearize(lambda given: comparison._equivalents(given, plan.columns, plan.values)[0], fields)
    random = np.random.default_rng(7)
    tangent = {name: jnp.asarray(random.standard_normal(field.shape)) for name, field in fields.items()}
    weights = jnp.asarray(random.standard_normal(plan.values.at.shape))
    pulled = jax.linear_transpose(push, fields)(weights)[0]
    left = float(jnp.vdot(push(tangent), weights))
    right = sum(float(jnp.vdot(tangent[name], pulled[name])) for name in ANALYSIS_VARIABLES)
    assert left == pytest.approx(right, rel=1e-12)
    operator, _ = linearise(trajectory.stacked(), plan)
    x, y = random.standard_normal(5 * GRID.z.size), random.standard_normal(plan.count)
    assert operator(x) @ y == pytest.approx(x @ operator.transpose(y), rel=1e-12)


def test_padding_and_company_change_nothing() -> None:
    trajectory, few, many = uneven(), mixed(5), mixed(60, seed=8)
    assert bucket(len(few)) < bucket(len(few) + len(many))
    alone = departures(trajectory, few)
    together = departures(trajectory, Table.concat([many, few]))[len(many) :]
    np.testing.assert_allclose(alone, together, rtol=1e-13, atol=1e-13)


def test_a_new_count_of_the_same_bucket_compiles_nothing() -> None:
    trajectory, table = uneven(), mixed(5)
    assert len(table) < 256
    departures(trajectory, table)
    compiled = comparison._equivalents._cache_size()
    for number in (1, 17, len(table)):
        departures(trajectory, table.take(slice(0, number)))
    assert comparison._equivalents._cache_size() == compiled


@given(st.integers(0, 200_000))
def test_buckets_hold_their_rows_with_little_waste(count: int) -> None:
    size = bucket(count)
    assert size >= count
    assert size <= max(256, 1.25 * count + 64)
    assert size % 64 == 0


def test_an_empty_table_has_no_departures() -> None:
    assert departures(uneven(), Table.empty()).shape == (0,)


def test_an_unknown_quantity_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'air_temperature'"):
        worlds.at(GRID, 4.0, 4.0, "air_temperatur", pressure=5e4)


def test_trajectories_that_make_no_sense_are_refused() -> None:
    fields = worlds.isothermal(GRID)
    with pytest.raises(InputError, match="must rise"):
        Trajectory.make([worlds.NOON, worlds.NOON], [fields, fields], GRID)
    with pytest.raises(InputError, match="lacks qv"):
        Trajectory.make([worlds.NOON], [{name: fields[name] for name in ANALYSIS_VARIABLES[:4]}], GRID)
    with pytest.raises(InputError, match="one set of fields per time"):
        Trajectory.make([worlds.NOON], [fields, fields], GRID)
    with pytest.raises(InputError, match="has shape"):
        Trajectory.make([worlds.NOON], [{**fields, "u": fields["u"][1:]}], GRID)
