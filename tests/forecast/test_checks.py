"""What the model refuses to start from."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from validation.idealised import at_rest, bell, stretched_levels

from kaiseki.core.errors import ConfigError, InputError
from kaiseki.forecast.checks import BlownUp, check_levels, check_start, check_steps, longest_acoustic_substep
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.integrate import Forcing, is_finite
from kaiseki.forecast.model import Model, default_parameters
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.grid import Domain
from kaiseki.grid.plane import plane
from kaiseki.grid.presets import GridSpecification

LEVELS = tuple(float(z) for z in np.linspace(0.0, 16000.0, 9))
DOMAIN = GridSpecification("checks", 60000.0, (6, 7), 38.0, 138.0, LEVELS, 2).domain()


def raised(height: float) -> Domain:
    """The domain with one mountain (m)."""
    terrain = np.zeros((DOMAIN.ny, DOMAIN.nx))
    terrain[3, 4] = height
    return DOMAIN.with_terrain(terrain, np.ones_like(terrain))


def fields() -> dict[str, np.ndarray]:
    """An isothermal atmosphere in a westerly wind of 40 m/s."""
    z = DOMAIN.z
    full = np.ones(DOMAIN.shape)
    return {
        "u": 40.0 * full,
        "v": 0.0 * full,
        "temperature": 250.0 * full,
        "pressure": 1e5 * np.exp(-z / 7317.0),
        "qv": 0.001 * full,
    }


def test_a_sound_start_is_taken() -> None:
    check_levels(raised(2000.0))
    check_start(fields(), DOMAIN, default_parameters(60000.0))


def test_levels_that_fold_are_refused_by_the_model() -> None:
    domain = raised(15500.0)
    assert np.diff(domain.z_half, axis=0).min() < 0.0
    with pytest.raises(ConfigError, match="smooth the terrain") as caught:
        Model.make(domain, ReferenceProfile())
    assert f"{domain.lat[3, 4]:.2f}N {domain.lon[3, 4]:.2f}E" in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -12.0])
def test_temperatures_that_cannot_be_are_refused_by_the_model(bad: float) -> None:
    given = fields()
    given["temperature"][2, 3, 4] = bad
    with pytest.raises(InputError, match=r"temperature .* 1 values .* level 2"):
        Model.make(DOMAIN, ReferenceProfile()).start(given)


@pytest.mark.parametrize("name", ["u", "v", "pressure", "qv"])
def test_every_field_must_be_finite(name: str) -> None:
    given = fields()
    given[name][0, 0, 0] = np.nan
    with pytest.raises(InputError, match=rf"field {name} .* not finite"):
        check_start(given, DOMAIN, default_parameters(60000.0))


def test_missing_and_misshapen_fields_are_named() -> None:
    given = fields()
    del given["qv"]
    with pytest.raises(InputError, match="lack qv"):
        check_start(given, DOMAIN, default_parameters(60000.0))
    given["qv"] = np.zeros((2, 3, 4))
    with pytest.raises(InputError, match=r"qv .* \(2, 3, 4\)"):
        check_start(given, DOMAIN, default_parameters(60000.0))


def test_too_long_a_step_for_the_wind_says_what_would_do() -> None:
    given = fields()
    # |u| + |v| = 180 m/s crosses a cell of 60 km in 333 s.
    given["u"][:, 2, 2], given["v"][:, 2, 2] = 90.0, -90.0
    bearable = 1.2 * 60000.0 / 180.0 / DOMAIN.map_factor[2, 2]
    usual = default_parameters(60000.0)
    with pytest.raises(ConfigError, match=rf"at most {int(bearable)} s"):
        check_start(given, DOMAIN, dataclasses.replace(usual, time_step=bearable + 20.0))
    check_start(given, DOMAIN, dataclasses.replace(usual, time_step=bearable - 20.0))


def test_short_steps_that_sound_outruns_are_refused_by_the_model() -> None:
    usual = default_parameters(60000.0)
    with pytest.raises(ConfigError, match=r"too long for sound .* at least \d+ of them"):
        Model.make(DOMAIN, ReferenceProfile(), dataclasses.replace(usual, time_step=900.0, acoustic_substeps=4))
    with pytest.raises(ConfigError, match="even and at least 2"):
        Model.make(DOMAIN, ReferenceProfile(), dataclasses.replace(usual, acoustic_substeps=3))
    longest = longest_acoustic_substep(60000.0, float(DOMAIN.map_factor.max()))
    check_steps(DOMAIN, dataclasses.replace(usual, time_step=3.99 * longest, acoustic_substeps=4))


def test_a_run_that_blows_up_says_where_and_when_and_keeps_the_last_good_state() -> None:
    model = Model.make(DOMAIN, ReferenceProfile())
    state = model.start(fields())
    boundary = model.boundary(fields())
    dt = model.parameters.dt
    good = model.advance(state, Forcing(boundary, boundary), 2 * dt)
    hot = dataclasses.replace(good, drt=good.drt.at[3, 2, 4].add(1e7))
    with pytest.raises(BlownUp, match=r"non-finite between \d+ s and \d+ s .* level \d+, .*N .*E") as caught:
        model.advance(hot, Forcing(boundary, boundary), 50 * dt)
    kept = caught.value.last_good
    assert bool(is_finite(kept))
    assert int(good.time) <= int(kept.time) < int(good.time) + 50 * dt


def test_too_long_a_step_for_the_terrain_says_what_would_do() -> None:
    ground = plane(bell(16, 5000.0, 4000.0, 5000.0), stretched_levels(30, 20000.0, 1.1), 5000.0)
    reference = ReferenceProfile()
    windy = at_rest(ground, reference.temperature)
    windy["u"] += 30.0
    p = DynamicsParameters(time_step=25.0, acoustic_substeps=6, lateral="periodic")
    with pytest.raises(ConfigError, match=r"too long for the terrain .* at most 20 s") as caught:
        Model.make(ground, reference, p).start(windy)
    assert "climbing levels" in str(caught.value)
    Model.make(ground, reference, dataclasses.replace(p, time_step=20.0)).start(windy)
