"""Sea and ice of the model: the energy balance of ice against closed forms, fluxes where ice lies and nowhere else, a
sea that moves with the driving data, and no change where it stands still."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from forecast.test_physics_model import EPOCH, REFERENCE, fields, island
from kaiseki.config.physics import Physics, SeaIce
from kaiseki.core.constants import FREEZING, STEFAN_BOLTZMANN
from kaiseki.core.errors import InputError
from kaiseki.cycle.driving_fields import Boundaries
from kaiseki.cycle.snapshot import from_tree, to_tree
from kaiseki.driving import with_sea
from kaiseki.forecast.integrate import Forcing
from kaiseki.forecast.model import Model
from kaiseki.forecast.physics import Surface
from kaiseki.forecast.physics.driver import tendencies
from kaiseki.forecast.physics.sea_ice import ice_albedo, warm_ice
from kaiseki.forecast.physics.surface import FREEZING_SEA, Radiative
from kaiseki.grid import Domain

ICE = SeaIce()
DEPTH = np.array(ICE.thickness)
BELOW_SKIN = float(DEPTH.sum() - 0.5 * DEPTH[0])
"""Distance from the middle of the first layer to the water, m."""


def slab(temperature: float, cover: float = 1.0) -> Surface:
    one = jnp.ones((1, 1))
    radiative = Radiative(jnp.zeros((3, 1, 1)), 0.0 * one, 0.0 * one, jnp.asarray(0))
    column = jnp.full((4, 1, 1), temperature)
    return Surface(FREEZING_SEA * one, cover * one, column, column, 0.3 * column / temperature, 0.0 * one, radiative)


@pytest.mark.parametrize(("down", "wind"), [(150.0, 0.0), (150.0, 12.0), (230.0, 5.0)])
def test_ice_settles_where_emission_exchange_and_conduction_balance(down: float, wind: float) -> None:
    """e s T^4 + h (T - 255) = e L + k (Tf - T) / d, solved apart by bisection; the column is linear in depth."""

    def missing(t: float) -> float:
        conducted = ICE.conductivity * (FREEZING_SEA - t) / BELOW_SKIN
        return 0.98 * (down - STEFAN_BOLTZMANN * t**4) - wind * (t - 255.0) + conducted

    with jax.enable_x64(True):

        def step(s: Surface, _: None) -> tuple[Surface, None]:
            t = s.ice_temperature[0]
            balance = 0.98 * (down - STEFAN_BOLTZMANN * t**4) - wind * (t - 255.0)
            return warm_ice(s, balance, 4.0 * 0.98 * STEFAN_BOLTZMANN * t**3, 3600.0, ICE), None

        end, _ = jax.jit(lambda s: jax.lax.scan(step, s, length=24 * 300))(slab(260.0))
    skin = brentq(missing, 180.0, 280.0)
    middle = np.cumsum(DEPTH) - 0.5 * DEPTH
    expected = skin + (FREEZING_SEA - skin) * (middle - middle[0]) / BELOW_SKIN
    np.testing.assert_allclose(end.ice_temperature[:, 0, 0], expected, atol=1e-6)


def test_heat_of_the_ice_is_what_came_through_its_faces() -> None:
    with jax.enable_x64(True):
        before = slab(255.0)
        before = dataclasses.replace(before, ice_temperature=before.ice_temperature + jnp.arange(4.0)[:, None, None])
        after = warm_ice(before, jnp.full((1, 1), -40.0), jnp.zeros((1, 1)), 600.0, ICE)
        heat = ICE.heat_capacity * DEPTH[:, None, None] * (after.ice_temperature - before.ice_temperature)
        # Backward in time: the flux from the water is that of the end of the step.
        from_water = ICE.conductivity / (0.5 * DEPTH[-1]) * (FREEZING_SEA - after.ice_temperature[-1, 0, 0])
        assert float(heat.sum()) == pytest.approx(600.0 * (-40.0 + float(from_water)), rel=1e-9)


def test_ice_melts_at_its_skin_and_is_water_where_there_is_none() -> None:
    hot = warm_ice(slab(272.0), jnp.full((1, 1), 5000.0), jnp.zeros((1, 1)), 3600.0, ICE)
    assert float(hot.ice_temperature.max()) == pytest.approx(FREEZING)
    none = warm_ice(slab(260.0, 0.0), jnp.full((1, 1), 50.0), jnp.zeros((1, 1)), 3600.0, ICE)
    np.testing.assert_allclose(none.ice_temperature, FREEZING_SEA)
    albedo = ice_albedo(jnp.array([240.0, FREEZING - 10.0, FREEZING - 5.0, FREEZING, 280.0]), ICE)
    np.testing.assert_allclose(albedo, [0.8, 0.8, 0.65, 0.5, 0.5], rtol=1e-6)


def with_ice(domain: Domain, of: dict[str, np.ndarray], cover: np.ndarray) -> dict[str, np.ndarray]:
    """Fields with ice at 250 K."""
    return with_sea({**of, "ice_temperature": np.full(cover.shape, 250.0)}, domain, ice=cover)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.make(island(10, 12, 12), REFERENCE, None, Physics(microphysics=False), EPOCH)


def test_ice_changes_the_fluxes_where_it_lies_and_nowhere_else(model: Model) -> None:
    domain = model.domain
    cover = np.zeros(domain.terrain.shape)
    cover[6:, :5] = 0.7
    base = fields(domain)
    # What the physics gives the air and the surface; momentum lies on faces, which two cells share.
    call = jax.jit(lambda s: tendencies(s, model.metrics, model.site, model.physics, 300.0))  # type: ignore[arg-type]
    (slow, water, surface), (slow_ice, water_ice, surface_ice) = (
        call(model.start(one)) for one in (base, with_ice(domain, base, cover))
    )
    icy = (cover > 0.0) & (domain.land_fraction < 1.0)
    assert icy.any()
    for one, other in ((slow.drt, slow_ice.drt), (water, water_ice), (slow.drho, slow_ice.drho)):
        changed = np.abs(np.asarray(one) - np.asarray(other)).max(axis=tuple(range(one.ndim - 2))) > 0.0
        assert changed[icy].all()
        assert not changed[~icy].any()
    for name in ("ru", "rv"):
        changed = np.abs(np.asarray(getattr(slow, name)) - np.asarray(getattr(slow_ice, name))).max(axis=0) > 0.0
        axis = 1 if name == "ru" else 0
        beside = np.concatenate([icy, np.zeros_like(np.take(icy, [0], axis))], axis)
        beside |= np.roll(beside, 1, axis)
        assert not changed[~beside].any()
    np.testing.assert_array_equal(surface.radiative.longwave[~icy], surface_ice.radiative.longwave[~icy])
    np.testing.assert_array_equal(surface.soil_temperature[:, ~icy], surface_ice.soil_temperature[:, ~icy])
    # Ice at 250 K moistens and warms the air less than open water does.
    for one, other in ((water_ice[0], water[0]), (slow_ice.drt, slow.drt)):
        assert float(np.asarray(one).sum()) < float(np.asarray(other).sum())


def test_cell_values_are_the_mean_of_land_water_and_ice(model: Model) -> None:
    domain = model.domain
    cover = np.full(domain.terrain.shape, 0.25)
    base = fields(domain)
    bare, mixed, full = (
        model.surface_fields(model.start(with_ice(domain, base, share))) for share in (0.0 * cover, cover, 4.0 * cover)
    )
    sea = domain.land_fraction == 0.0
    for name in ("temperature_2m", "specific_humidity_2m", "skin_temperature"):
        expected = 0.75 * bare[name] + 0.25 * full[name]
        np.testing.assert_allclose(mixed[name][sea], expected[sea], rtol=1e-5)
    np.testing.assert_allclose(full["skin_temperature"][sea], 250.0, rtol=1e-6)
    np.testing.assert_allclose(mixed["sea_ice"], 0.25)


def test_without_the_process_there_is_no_ice_and_nothing_changes(model: Model) -> None:
    domain = model.domain
    base = fields(domain)
    cover = np.full(domain.terrain.shape, 0.5)
    assert model.physics is not None
    off = Model.make(domain, REFERENCE, None, dataclasses.replace(model.physics, sea_ice=False), EPOCH)
    boundary = model.boundary(base)
    ends = [m.advance(m.start(f), Forcing(boundary, boundary), 900.0) for m, f in ((model, base), (off, base))]
    for a, b in zip(jax.tree.leaves(ends[0]), jax.tree.leaves(ends[1]), strict=True):
        scale = float(np.abs(b).max())
        np.testing.assert_allclose(a, b, atol=1e-6 * scale, rtol=0.0)
    iced = off.start(with_ice(domain, base, cover))
    np.testing.assert_array_equal(iced.surface.ice, 0.0)  # type: ignore[attr-defined]


def test_a_sea_that_stands_still_changes_nothing(model: Model) -> None:
    base = fields(model.domain)
    boundary, sea = model.boundary(base), model.sea(base)
    assert sea is not None
    state = model.start(base)
    held = model.advance(state, Forcing(boundary, boundary), 3600.0)
    moved = model.advance(state, Forcing(boundary, boundary, (sea, sea)), 3600.0)
    for a, b in zip(jax.tree.leaves(held), jax.tree.leaves(moved), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_soil_on_other_layers_is_refused(model: Model) -> None:
    base = fields(model.domain)
    soil = np.full((5, *model.domain.terrain.shape), 280.0)
    with pytest.raises(InputError, match="soil_temperature for island has 5 layers, but the soil of the model has 4"):
        model.start({**base, "soil_temperature": soil})


def test_ten_days_bring_every_day_its_own_sea_and_ice() -> None:
    """Warming by 0.7 K and freezing over by 6 % a day in the driving fields, known every six hours; ended in the middle
    and resumed from the restart, the run sees the same."""
    domain = island(8, 9, 10)
    physics = Physics(microphysics=False, radiation=False, boundary_layer=False)
    model = Model.make(domain, REFERENCE, None, physics, EPOCH)
    base = fields(domain)
    day = np.timedelta64(24 * 3600, "s")

    def driving(time: np.datetime64) -> dict[str, np.ndarray]:
        days = float((time - EPOCH) / day)
        cover = np.where(domain.lat > 38.0, 0.06 * days, 0.0)
        return {**base, "sst": base["sst"] + 0.7 * days, "sea_ice": cover}

    six = np.timedelta64(6 * 3600, "s")
    boundaries = Boundaries(model, driving, six)
    state, time = model.start(driving(EPOCH)), EPOCH
    cold = model.start(driving(EPOCH))
    for day_number in range(1, 11):
        for _ in range(4):
            state = model.advance(state, boundaries.between(time, time + six), 6 * 3600.0)
            time = time + six
        if day_number == 5:
            state, boundaries = from_tree(to_tree(state), cold), Boundaries(model, driving, six)
        surface = state.surface
        assert isinstance(surface, Surface)
        np.testing.assert_allclose(surface.sst, np.maximum(driving(time)["sst"], FREEZING_SEA), rtol=1e-6)
        np.testing.assert_allclose(surface.ice, driving(time)["sea_ice"], atol=1e-6)
    # Between two known times the sea is linear: 45 minutes into a stretch.
    ends = boundaries.between(time - six, time)
    part = model.advance(state, ends, 2700.0, 6 * 3600.0)
    expected = np.asarray(driving(time - six)["sst"]) + 0.7 * 2700.0 / 86400.0
    np.testing.assert_allclose(part.surface.sst, np.maximum(expected, FREEZING_SEA), rtol=1e-6)  # type: ignore[attr-defined]
    icy = np.asarray(surface.ice) > 0.0
    assert (np.asarray(surface.ice_temperature)[0][icy] < FREEZING_SEA + 2.0).all()
    np.testing.assert_array_equal(np.asarray(surface.ice_temperature)[:, ~icy], np.float32(FREEZING_SEA))
