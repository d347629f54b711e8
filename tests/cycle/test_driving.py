"""Driving fields in time, boundary states, restart trees."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from cycle import small
from kaiseki.core.errors import ConfigError, InputError, StoreError
from kaiseki.core.files import files_of
from kaiseki.cycle.driving import Analyses, Boundaries, Dataset, mixed
from kaiseki.cycle.snapshot import from_tree, to_tree

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


def test_a_pattern_without_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No file matches observations.files = 'reports/\*\.gz'"):
        files_of(("reports/*.gz",), tmp_path, "observations.files")
    with pytest.raises(ConfigError, match="name it with --data"):
        files_of(("reports/*.gz",), None, "observations.files")


def test_a_step_that_does_not_divide_the_output_is_refused(tmp_path: Path) -> None:
    case = small.case(tmp_path, small.experiment(dynamics={"time_step": 720.0}))
    with pytest.raises(ConfigError, match="does not divide the output interval of 1800 s"):
        case.model  # noqa: B018


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
