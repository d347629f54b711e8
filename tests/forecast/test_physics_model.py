"""The physics in the model: budgets through the model's own variables, a winter case over land and sea,
initialisation, switches."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cycle import small
from kaiseki.config import DigitalFilter
from kaiseki.core.constants import CP_DRY, EPSILON, LATENT_FUSION, LATENT_VAPORISATION
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.driving.onto_domain import atmosphere_on_domain
from kaiseki.forecast.dynamics.metrics import make_metrics
from kaiseki.forecast.model import Forcing, Model
from kaiseki.forecast.physics import Physics, Surface
from kaiseki.forecast.physics.columns import Columns, make_columns
from kaiseki.forecast.physics.driver import condense, make_site, tendencies
from kaiseki.forecast.physics.microphysics import microphysics
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.state import State
from kaiseki.grid import Domain
from kaiseki.grid.presets import GridSpecification

EPOCH = np.datetime64("1989-01-01T00:00:00")
REFERENCE = ReferenceProfile()


def island(ny: int = 16, nx: int = 18, nz: int = 24, land: float | None = None) -> Domain:
    """A small domain around the Sea of Japan at 60 km with an island in its middle."""
    s = np.arange(nz + 1) / nz
    levels = tuple(float(z) for z in 20000.0 * s * (0.12 + 0.88 * s))
    domain = GridSpecification(
        "island", 60000.0, (ny, nx), 38.0, 138.0, levels, min(4, (min(ny, nx) - 1) // 2)
    ).domain()
    y, x = np.mgrid[0:ny, 0:nx]
    far = np.hypot((y - ny / 2 + 0.5) / 2.5, (x - nx / 2 + 0.5) / 2.0)
    fraction = np.clip(1.5 - far, 0.0, 1.0) if land is None else np.full((ny, nx), land)
    return domain.with_terrain(800.0 * np.exp(-(far**2)), fraction)


def fields(domain: Domain, hours: int = 0) -> dict[str, np.ndarray]:
    return atmosphere_on_domain(small.weather(EPOCH + np.timedelta64(hours, "h"), EPOCH), domain)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.make(island(), REFERENCE, None, Physics(), EPOCH)


@pytest.fixture(scope="module")
def start(model: Model) -> State:
    return model.start(fields(model.domain))


def test_six_hours_of_winter(model: Model, start: State) -> None:
    air = model.atmosphere(start)
    state, before = start, model.boundary(fields(model.domain))
    for hour in range(6):
        after = model.boundary(fields(model.domain, hour + 1))
        state, before = model.advance(state, Forcing(before, after), 3600.0), after
    end, ground = model.atmosphere(state), model.surface_fields(state)
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(state))
    inside = model.domain.inside_rim
    change = np.abs(np.asarray(end.temperature - air.temperature))[:, inside]
    assert change.max() < 25.0
    assert change.mean() < 3.0
    assert float(jnp.max(jnp.abs(end.w))) < 3.0
    assert min(float(q.min()) for q in (end.qv, end.qc, end.qr, end.qi, end.qs)) > -1e-7
    assert 0.0 < ground["precipitation"][inside].mean() < 10.0
    assert ground["precipitation"].min() >= 0.0
    assert 230.0 < ground["temperature_2m"].min() < ground["temperature_2m"].max() < 305.0
    assert np.all(np.abs(ground["temperature_2m"] - ground["skin_temperature"]) < 25.0)
    assert np.hypot(ground["eastward_wind_10m"], ground["northward_wind_10m"]).max() < 40.0
    assert 98000.0 < ground["mean_sea_level_pressure"].min() < ground["mean_sea_level_pressure"].max() < 105000.0
    sea = model.domain.land_fraction == 0.0
    np.testing.assert_allclose(ground["skin_temperature"][sea], ground["sst"][sea])
    assert ground["soil_temperature"].shape == (len(model.physics.schemes.soil.thickness), *sea.shape)

    filtered = model.initialise(start, model.boundary(fields(model.domain)), DigitalFilter(half_span_hours=0.5))
    assert int(filtered.time) == 0
    assert filtered.surface is start.surface
    first = np.asarray(model.atmosphere(filtered).temperature - air.temperature)
    assert np.sqrt(np.mean(first[:, inside] ** 2)) < 0.7


def test_nothing_changes_backwards_without_physics_and_a_model_without_physics_has_no_surface() -> None:
    plain = Model.make(island(), REFERENCE)
    state = plain.start(fields(plain.domain))
    assert state.surface is None
    assert set(plain.surface_fields(state)) == {"precipitation", "surface_pressure", "mean_sea_level_pressure"}


def test_physics_needs_an_epoch() -> None:
    with pytest.raises(ConfigError, match="epoch"):
        Model.make(island(), REFERENCE, None, Physics())


def test_the_sea_has_no_stand_in() -> None:
    """Without a sea-surface temperature the lowest air, which is far colder here, would take its place in silence."""
    physics = Physics(boundary_layer=False, microphysics=False, radiation=False, soil=False)
    model = Model.make(island(), REFERENCE, None, physics, EPOCH)
    dry = {name: field for name, field in fields(model.domain).items() if name != "sst"}
    with pytest.raises(InputError, match=r"no sea-surface temperature for island, but \d+ of its 288 cells hold water"):
        model.start(dry)
    with pytest.raises(InputError, match="no sea-surface temperature"):
        Model.make(island(), REFERENCE, None, dataclasses.replace(physics, surface=False, radiation=True), EPOCH).start(
            dry
        )
    land = Model.make(island(land=1.0), REFERENCE, None, physics, EPOCH)
    assert land.start({n: f for n, f in fields(land.domain).items() if n != "sst"}).surface is not None
    air = Model.make(island(), REFERENCE, None, dataclasses.replace(physics, surface=False, soil=True), EPOCH)
    assert air.start(dry).surface is not None


def test_constants_are_replaced_by_name() -> None:
    changes = {"surface.charnock": 0.011, "microphysics.snow_speed": 9.0}
    p = Physics(soil=False, radiation_interval=600.0).with_constants(changes)
    assert (p.soil, p.radiation, p.radiation_interval) == (False, True, 600.0)
    assert (p.schemes.surface.charnock, p.schemes.microphysics.snow_speed) == (0.011, 9.0)
    assert hash(p) == hash(Physics(soil=False, radiation_interval=600.0).with_constants(changes))
    assert p != Physics()
    with pytest.raises(ConfigError, match=r"'surface.nonsense'.*surface\.charnock"):
        Physics().with_constants({"surface.nonsense": 1.0})


def test_schemes_are_chosen_by_name() -> None:
    chosen = {"microphysics.autoconversion": "kessler", "boundary_layer.closure": "level-2", "surface.charnock": 0.02}
    p = Physics().with_constants(chosen)
    assert (p.schemes.microphysics.autoconversion, p.schemes.boundary_layer.closure) == ("kessler", "level-2")
    assert p.schemes.surface.charnock == 0.02
    assert hash(p) != hash(Physics())
    default = Physics()
    assert (default.schemes.microphysics.autoconversion, default.schemes.boundary_layer.closure) == (
        "khairoutdinov-kogan",
        "profile",
    )
    for wrong, said in (
        ({"boundary_layer.closure": "level-3"}, "'level-3', but must be profile or level-2"),
        ({"boundary_layer.closure": 2.0}, "2.0, but must be profile or level-2"),
        ({"surface.charnock": "high"}, "text 'high', but must be a number"),
    ):
        with pytest.raises(ConfigError, match=said):
            Physics().with_constants(wrong)


def double(land: float) -> tuple[Domain, Model, State, Columns]:
    """A model in double precision with moist, cloudy air."""
    domain = island(5, 6, 16, land)
    model = Model.make(domain, REFERENCE, None, Physics(radiation=False), EPOCH)
    model = dataclasses.replace(
        model,
        metrics=make_metrics(domain, REFERENCE, "rim", dtype=np.float64),
        site=make_site(domain, EPOCH, np.float64),
    )
    f = fields(domain)
    f["qv"] = 1.3 * f["qv"]
    f["qc"] = 1e-4 * np.exp(-(((domain.z - 1500.0) / 700.0) ** 2))
    f["qs"] = 2e-4 * np.exp(-(((domain.z - 4000.0) / 1000.0) ** 2))
    state = model.start(f)
    return domain, model, state, make_columns(state, model.metrics)


def test_clouds_in_the_models_variables() -> None:
    """Mass, water, temperature at the old pressure: what the scheme gives is what the state then holds."""
    with jax.enable_x64(True):
        _, model, state, columns = double(0.5)
        new = condense(state, model.metrics, model.physics, 300.0)  # type: ignore[arg-type]
        t, water, rain, snow = microphysics(columns, 300.0, model.physics.schemes.microphysics)  # type: ignore[union-attr]
        after = make_columns(new, model.metrics)
        np.testing.assert_allclose(after.dry, columns.dry, rtol=1e-12)
        for got, wanted in zip(after.water.parts(), water.parts(), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-18)
        np.testing.assert_allclose(after.temperature / after.exner * columns.exner, t, rtol=1e-12)
        lost = jnp.sum((state.drho - new.drho) / model.metrics.area, axis=0)
        np.testing.assert_allclose(new.precipitation, lost, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(new.precipitation, rain + snow, rtol=1e-12)
        assert float(jnp.max(jnp.abs(t - columns.temperature))) > 0.1


def test_air_and_ground_together_keep_energy_and_water() -> None:
    """Exchange, turbulence and soil without radiation over land: what leaves one is in the other, to round-off."""
    dt = 300.0
    with jax.enable_x64(True):
        _, model, state, c = double(1.0)
        p, area = model.physics, model.metrics.area
        assert p is not None
        assert model.site is not None
        assert isinstance(state.surface, Surface)
        slow, source, surface = tendencies(state, model.metrics, model.site, p, dt)
        d = [dt * source[i] / (area * c.dry) for i in range(5)]
        rv = c.water.rv
        warming = (
            (dt * slow.drt / (area * c.dry) - c.temperature / c.exner * d[0] / EPSILON)
            * c.exner
            / (1.0 + (rv + d[0]) / EPSILON)
        )
        air = jnp.sum(c.dry * (CP_DRY * warming + LATENT_VAPORISATION * d[0] - LATENT_FUSION * (d[3] + d[4])), axis=0)
        vapour = jnp.sum(c.dry * (d[0] + d[1] + d[3]), axis=0)
        depth = jnp.asarray(p.schemes.soil.thickness)[:, None, None]
        old = state.surface
        heat = jnp.sum(p.schemes.soil.heat_capacity * depth * (surface.soil_temperature - old.soil_temperature), axis=0)
        water = jnp.sum(1000.0 * depth * (surface.soil_moisture - old.soil_moisture), axis=0)
        np.testing.assert_allclose(air, -heat, rtol=1e-8, atol=1e-3)
        np.testing.assert_allclose(vapour, -water, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(jnp.sum(slow.drho, axis=0) * dt / area, vapour, rtol=1e-9, atol=1e-13)
        assert float(jnp.max(jnp.abs(heat))) > 1000.0
        # The ground slows the wind and turbulence only hands momentum on.
        push = jnp.sum(slow.ru, axis=0)[:, 1:-1]
        assert float(jnp.sum(push * jnp.sign(state.ru[0, :, 1:-1]))) < 0.0


def test_radiation_is_held_between_its_calls() -> None:
    domain = island(5, 6, 16)
    p = Physics(microphysics=False, boundary_layer=False, surface=False, soil=False, radiation_interval=600.0)
    model = Model.make(domain, REFERENCE, None, p, EPOCH)
    state = model.start(fields(domain))
    assert model.site is not None
    call = jax.jit(lambda s: tendencies(s, model.metrics, model.site, p, 300.0)[2])  # type: ignore[arg-type]
    first = call(state)
    warm = dataclasses.replace(state, drt=state.drt * 1.01, surface=first)
    for seconds, renewed in ((300, False), (600, True), (900, True), (-600, True)):
        later = call(dataclasses.replace(warm, time=jnp.asarray(seconds, jnp.int32)))
        assert (int(later.radiative.time) == seconds) is renewed
        assert bool(jnp.array_equal(later.radiative.heating, first.radiative.heating)) is not renewed
    assert 100.0 < float(first.radiative.longwave.min()) < float(first.radiative.longwave.max()) < 400.0
    assert float(first.radiative.shortwave.max()) > 50.0  # 9 in the morning


def test_derivatives_of_a_whole_step_are_finite() -> None:
    domain = island(4, 4, 10)
    p = Physics()
    model = Model.make(domain, REFERENCE, None, p, EPOCH)
    state = model.start(fields(domain))
    assert model.site is not None

    def measure(drt: jax.Array, water: jax.Array, ru: jax.Array) -> jax.Array:
        s = dataclasses.replace(state, drt=drt, water=water, ru=ru)
        slow, source, surface = tendencies(s, model.metrics, model.site, p, 300.0)  # type: ignore[arg-type]
        end = condense(s, model.metrics, p, 300.0)
        return sum(
            jnp.sum(x) for x in jax.tree.leaves((slow, source, surface.soil_temperature, end.drt, end.precipitation))
        )  # type: ignore[return-value]

    gradient = jax.jit(jax.grad(measure, argnums=(0, 1, 2)))(state.drt, state.water, 0.0 * state.ru)
    assert all(bool(jnp.all(jnp.isfinite(g))) for g in gradient)
