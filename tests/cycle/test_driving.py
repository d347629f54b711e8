"""Driving fields in time, boundary states, restart trees."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
import zarr

from cycle import small
from kaiseki.archive import RunStore
from kaiseki.archive.store.layout import Layout
from kaiseki.archive.store.restart import read_tree, write_tree
from kaiseki.core.errors import ConfigError, InputError, StoreError
from kaiseki.core.files import files_of
from kaiseki.cycle.driving_fields import (
    Analyses,
    Boundaries,
    BoundaryCorrection,
    Dataset,
    Steady,
    WiderRun,
    mixed,
)
from kaiseki.cycle.snapshot import from_tree, to_tree
from kaiseki.driving import Nest

NOON, SIX = np.datetime64("1989-01-01T12:00:00"), np.datetime64("1989-01-01T18:00:00")


def test_analyses_are_linear_between_and_constant_beyond() -> None:
    one = {"temperature": np.full((2, 3), 280.0), "pressure": np.full((2, 3), 1e5)}
    two = {"temperature": np.full((2, 3), 286.0), "pressure": np.full((2, 3), 9e4)}
    driving = Analyses({SIX: two, NOON: one})
    between = driving(NOON + np.timedelta64(2, "h"))
    np.testing.assert_allclose(between["temperature"], 282.0)
    np.testing.assert_allclose(between["pressure"], 1e5 ** (2 / 3) * 9e4 ** (1 / 3))
    assert driving(NOON - np.timedelta64(1, "h")) is one
    assert driving(SIX + np.timedelta64(9, "h")) is two


def test_mixing_keeps_what_both_have() -> None:
    made = mixed({"u": np.zeros(3), "sst": np.ones(3)}, {"u": np.ones(3)}, 0.25)
    assert made.keys() == {"u"}
    np.testing.assert_array_equal(made["u"], 0.25)


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    case = small.case(tmp_path)
    state = case.model.start(case.cold_fields())
    tree = to_tree(state)
    template = case.model.start(case.driving(case.experiment.period.first + np.timedelta64(1, "h")))
    again = to_tree(from_tree(tree, template))
    assert again.keys() == tree.keys()
    for name, values in tree.items():
        np.testing.assert_array_equal(again[name], values)


def test_a_state_of_another_grid_is_refused(tmp_path: Path) -> None:
    case = small.case(tmp_path)
    state = case.model.start(case.cold_fields())
    tree = to_tree(state)
    tree["drho"] = tree["drho"][:, :-1]
    with pytest.raises(StoreError, match="does not fit the model: drho"):
        from_tree(tree, state)


def test_boundaries_are_those_of_the_driving_fields(tmp_path: Path) -> None:
    case = small.case(tmp_path)
    forcing = case.boundaries.between(NOON, NOON + np.timedelta64(1, "h"))
    expected = case.model.boundary(case.driving(NOON + np.timedelta64(1, "h")))
    for field in dataclasses.fields(expected):
        np.testing.assert_array_equal(getattr(forcing.after, field.name), getattr(expected, field.name))


def test_what_is_carried_is_added_to_the_boundary_and_fades(tmp_path: Path) -> None:
    """Two changes at different times, each times exp(-age / memory) at both ends of a stretch."""
    case = small.case(tmp_path)
    hour = np.timedelta64(1, "h")
    plain = case.boundaries.at(NOON + 3 * hour)
    boundaries = dataclasses.replace(case.boundaries, correction=BoundaryCorrection(4 * hour))
    change = jax.tree.map(lambda a: 1e-3 * jnp.abs(a), plain)
    boundaries.correction.add(change, NOON)
    boundaries.correction.add(change, NOON + 2 * hour)
    resumed = dataclasses.replace(case.boundaries, correction=BoundaryCorrection(4 * hour))
    group = zarr.create_group(tmp_path / "restart.zarr")
    write_tree(group, boundaries.correction.tree())
    resumed.correction.resume(read_tree(group))
    for one in (boundaries, resumed):
        found = one.between(NOON + 2 * hour, NOON + 3 * hour).after
        for field in dataclasses.fields(plain):
            base, moved = (np.asarray(getattr(b, field.name), np.float64) for b in (plain, found))
            expected = base + 1e-3 * np.abs(base) * (np.exp(-3 / 4) + np.exp(-1 / 4))
            np.testing.assert_allclose(moved, expected, rtol=1e-6, err_msg=field.name)
    for field in dataclasses.fields(plain):
        # Not a bit less after a restart, whenever that was written.
        one, two = (getattr(b.at(NOON + 5 * hour), field.name) for b in (boundaries, resumed))
        np.testing.assert_array_equal(one, two)
    assert case.boundaries.correction.tree() == {}
    with_since = boundaries.correction.onto(plain, NOON)
    latest = boundaries.correction.onto(plain, NOON + 2 * hour)
    np.testing.assert_array_equal(with_since.drt, latest.drt)


def test_nothing_is_carried_without_memory_and_vapour_stays_positive(tmp_path: Path) -> None:
    case = small.case(tmp_path)
    hour = np.timedelta64(1, "h")
    drying = jax.tree.map(lambda a: -2.0 * a, case.boundaries.at(NOON))
    boundaries = dataclasses.replace(case.boundaries, correction=BoundaryCorrection(np.timedelta64(0, "s")))
    boundaries.correction.add(drying, NOON)
    assert boundaries.correction.tree() == {}
    water = boundaries.between(NOON, NOON + hour, drying).before.water
    np.testing.assert_array_equal(np.asarray(water), 0.0)


def test_a_pattern_without_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No file matches observations.files = 'reports/\*\.gz'"):
        files_of(("reports/*.gz",), tmp_path, "observations.files")
    with pytest.raises(ConfigError, match="name it with --data"):
        files_of(("reports/*.gz",), None, "observations.files")


def test_a_step_that_does_not_divide_the_output_is_refused(tmp_path: Path) -> None:
    case = small.case(tmp_path, small.experiment(dynamics={"time_step": 720.0}))
    with pytest.raises(ConfigError, match="does not divide the output interval of 1800 s"):
        case.model  # noqa: B018


def test_a_wider_run_does_not_cover_what_comes_after_its_end(tmp_path: Path) -> None:
    """The last fields of a wider run stand only for the boundary time that closes the interval in which it ends."""
    hour = np.timedelta64(1, "h")
    domain = small.case(tmp_path / "case").domain
    half = NOON + np.array([0, 1, 2, 2.5]) * 60 * np.timedelta64(1, "m")
    for name, times in (("whole", NOON + hour * np.arange(4)), ("half", half)):
        layout = Layout(experiment_json="{}", domain=domain, times=times, cycle_times=times[:1])
        with RunStore.create(tmp_path / name, layout):
            pass
    wider = WiderRun(RunStore.open(tmp_path / "whole", "r"), Nest.build(domain, domain))
    asked = NOON + hour * np.arange(-1, 6)
    np.testing.assert_array_equal(wider.missing(asked), asked[[0, 5, 6]])
    assert wider.missing(asked[1:5]).size == 0
    ending = dataclasses.replace(wider, store=RunStore.open(tmp_path / "half", "r"))
    np.testing.assert_array_equal(ending.missing(asked[1:]), asked[5:])
    assert ending.missing(asked[1:5]).size == 0


def test_one_analysis_held_constant_covers_all_times(tmp_path: Path) -> None:
    driving = small.case(tmp_path).driving
    steady = Steady(driving, NOON)
    for name, field in driving(NOON).items():
        np.testing.assert_array_equal(steady(SIX)[name], field)
    assert np.abs(driving(SIX)["u"] - steady(SIX)["u"]).max() > 1.0
    assert steady.missing(np.array([NOON, SIX])).size == 0


def test_missing_driving_hours_are_refused_before_the_first_step(tmp_path: Path) -> None:
    case = small.case(tmp_path)
    times = np.array(["1989-01-01T00", "1989-01-01T06", "1989-01-02T00"], "datetime64[s]")
    dataset = Dataset(xr.Dataset(coords={"time": times.astype("datetime64[ns]")}), case.domain)
    boundaries = Boundaries(case.model, dataset, np.timedelta64(3600, "s"))
    boundaries.check(times[0], times[1])
    with pytest.raises(InputError, match=r"lack 3 of the 10 times .* the first 1989-01-01T07"):
        boundaries.check(times[0], times[1] + np.timedelta64(3, "h"))
    with pytest.raises(InputError, match="the first 1988-12-31T23"):
        boundaries.check(times[0] - np.timedelta64(1, "h"), times[1])
    # Between boundary times both neighbours are needed.
    boundaries.check(times[0] + np.timedelta64(30, "m"), times[1] - np.timedelta64(30, "m"))
    with pytest.raises(InputError, match=r"the first 1989-01-01T07"):
        boundaries.check(times[0], times[1] + np.timedelta64(30, "m"))
