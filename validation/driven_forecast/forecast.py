"""A forecast that nothing but driving fields holds, and what it says every hour of the ground and of the radiation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kaiseki.config import DigitalFilter, DomainSettings, Dynamics
from kaiseki.config.physics import Physics
from kaiseki.core.constants import CP_DRY, GRAVITY, LATENT_VAPORISATION, STEFAN_BOLTZMANN
from kaiseki.core.files import make_folder, whole_file
from kaiseki.core.progress import say
from kaiseki.cycle.driving_fields import Boundaries
from kaiseki.experiments.case import reference_of
from kaiseki.experiments.real_data import direct_driving
from kaiseki.forecast.dynamics.edges import Edges
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.model import Model, default_parameters, with_time_steps
from kaiseki.forecast.physics.columns import make_columns
from kaiseki.forecast.physics.driver import Site, tiles
from kaiseki.forecast.physics.radiation import thermal
from kaiseki.forecast.physics.surface import Surface
from kaiseki.forecast.state import State, begin_interval
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section

HOUR = np.timedelta64(3600, "s")
SAMPLES = 4
"""Samples of the fluxes in an hour: one per call of the radiation (`Physics.radiation_interval`)."""
PROFILES = 3
"""Hours between two profiles: the driving data of both cases are three-hourly."""
STATIC = {
    "terrain": "files",
    "terrain_files": ("static/etopo20_text.gz",),
    "mask_files": ("static/lsmask_1p25min_f.bin.gz",),
}
"""Our own terrain and land: ETOPO20, and the mask of GSHHG, in which lakes are land."""
INSTANT = {
    "temperature_2m": "temperature_2m",
    "specific_humidity_2m": "specific_humidity_2m",
    "eastward_wind_10m": "eastward_wind_10m",
    "northward_wind_10m": "northward_wind_10m",
    "sea_level_pressure": "mean_sea_level_pressure",
    "surface_pressure": "surface_pressure",
    "skin_temperature": "skin_temperature",
}
"""Fields at the hour: our names here, and those of `Model.surface_fields`."""


@dataclass(frozen=True)
class Hourly:
    """What a forecast says every hour.

    Attributes:
        domain: its grid.
        start: its beginning, UTC.
        instant: fields at the hours 0 to n, (n + 1, ny, nx) each, by name; SI units.
        mean: means over the hours that end at 1 to n, (n, ny, nx); fluxes W m-2, precipitation kg m-2 in the hour.
        profile: every `PROFILES` hours from 0, (m, nz), over the cells inside the rim: mean height of the levels over
            the ground ("height"), and mean and root mean square of the difference from the driving fields
            ("temperature_bias", "temperature_rms" and so on).
    """

    domain: Domain
    start: np.datetime64
    instant: dict[str, np.ndarray]
    mean: dict[str, np.ndarray]
    profile: dict[str, np.ndarray]

    @property
    def hours(self) -> int:
        """Length of the forecast, h."""
        return len(self.mean["precipitation"])

    def save(self, path: Path) -> None:
        """Write the fields to an NPZ file."""
        fields = {f"instant_{name}": a for name, a in self.instant.items()}
        fields |= {f"mean_{name}": a for name, a in self.mean.items()}
        fields |= {f"profile_{name}": a for name, a in self.profile.items()}
        make_folder(path.parent)
        with whole_file(path) as scratch, scratch.open("wb") as file:
            np.savez_compressed(file, start=self.start.astype("datetime64[s]").astype("int64"), **fields)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path, domain: Domain) -> Hourly:
        """Read the fields back; the grid is that of the run."""
        with np.load(path) as found:
            parts = {
                part: {name.removeprefix(f"{part}_"): found[name] for name in found if name.startswith(f"{part}_")}
                for part in ("instant", "mean", "profile")
            }
            return cls(domain, found["start"].astype("datetime64[s]"), **parts)


def grid(settings: DomainSettings, data: Path, name: str) -> Domain:
    """The grid over our own terrain and land, wherever it lies."""
    return domain_from_section(dataclasses.replace(settings, **STATIC), data, name)  # type: ignore[arg-type]


@partial(jax.jit, static_argnames=("physics", "edges"))
def _column_sums(state: State, metrics: Metrics, edges: Edges, physics: Physics) -> dict[str, Array]:
    """Vapour and cloud of the columns, kg m-2."""
    columns = make_columns(state, metrics, edges)
    water = columns.water
    return {
        "column_vapour": jnp.sum(columns.dry * water.rv, axis=0),
        "column_cloud": jnp.sum(columns.dry * (water.rc + water.ri), axis=0),
    }


@partial(jax.jit, static_argnames=("physics", "edges"))
def _turbulent(state: State, metrics: Metrics, edges: Edges, site: Site, physics: Physics) -> dict[str, Array]:
    """Fluxes from the ground to the air, W m-2."""
    columns, surface = make_columns(state, metrics, edges), state.surface
    assert isinstance(surface, Surface)
    air, vapour = columns.temperature[0] + GRAVITY / CP_DRY * columns.height[0], columns.water.rv[0]
    parts = tiles(columns, surface, physics).shares(site.land_fraction, surface.ice)
    none = jnp.zeros_like(air)
    return {
        "sensible_heat": sum((share * CP_DRY * t.heat * (t.temperature - air) for share, t in parts), none),
        "latent_heat": sum((share * LATENT_VAPORISATION * t.moisture * (t.ratio - vapour) for share, t in parts), none),
    }


@partial(jax.jit, static_argnames=("physics", "edges"))
def _radiative(state: State, metrics: Metrics, edges: Edges, site: Site, physics: Physics) -> dict[str, Array]:
    """Radiation down at the ground, as the model holds it since the last call, and thermal radiation up at the top of
    the model for the state as it is, W m-2."""
    surface = state.surface
    assert isinstance(surface, Surface)
    f, r = site.land_fraction, physics.schemes.radiation
    held = surface.radiative
    sea = (1.0 - surface.ice) * surface.sst**4 + surface.ice * surface.ice_temperature[0] ** 4
    emission = r.emissivity * STEFAN_BOLTZMANN * (f * surface.soil_temperature[0] ** 4 + (1.0 - f) * sea)
    _, _, outgoing = thermal(make_columns(state, metrics, edges), emission + (1.0 - r.emissivity) * held.longwave, r)
    return {"shortwave_down": held.shortwave, "longwave_down": held.longwave, "outgoing_longwave": outgoing}


def _now(model: Model, state: State) -> dict[str, np.ndarray]:
    found = model.surface_fields(state)
    instant = {name: found[theirs] for name, theirs in INSTANT.items()}
    assert model.physics is not None
    sums = _column_sums(state, model.metrics, model.parameters.edges, model.physics)
    return instant | {name: np.asarray(a) for name, a in sums.items()}


def _profile(model: Model, state: State, driving: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Differences from the driving fields by level, over the cells inside the rim."""
    air, inside, z = model.atmosphere(state).as_dict(), model.domain.inside_rim, model.domain.z
    made = {"height": (z - model.domain.terrain)[:, inside].mean(axis=1)}
    for name in ("temperature", "qv", "u", "v", "pressure"):
        error = (np.asarray(air[name], float) - driving[name])[:, inside]
        made |= {f"{name}_bias": error.mean(axis=1), f"{name}_rms": np.sqrt((error**2).mean(axis=1))}
    return made


def _parameters(domain: Domain) -> DynamicsParameters:
    """The usual time steps for the grid, of which a whole number makes the time between two samples."""
    usual = default_parameters(domain.spacing, float(np.max(domain.map_factor)))
    every = round(3600 / SAMPLES)
    longest = max(step for step in range(1, int(usual.dt) + 1) if every % step == 0)
    return with_time_steps(Dynamics(time_step=float(longest)), domain)


def run(domain: Domain, files: Sequence[Path], start: np.datetime64, hours: int, words: str) -> Hourly:
    """Run the forecast with all usual settings of the model, its rim driven by the files.

    Args:
        domain: the grid, over its own terrain.
        files: driving data.
        start: beginning, UTC.
        hours: length, h.
        words: what is run, for the log.
    """
    driving, domain = direct_driving(files, domain, soil=Physics().schemes.soil.thickness)
    first = driving(start)
    model = Model.make(domain, reference_of(first, domain), _parameters(domain), Physics(), start)
    boundaries = Boundaries(model, driving, HOUR)
    boundaries.check(start, start + hours * HOUR)
    state = model.start(first)
    state = model.initialise(state, boundaries.at(start), DigitalFilter())
    assert model.physics is not None
    assert model.site is not None
    given = model.metrics, model.parameters.edges, model.site, model.physics
    instant, profiles = [_now(model, state)], [_profile(model, state, first)]
    turbulent = {name: np.asarray(a) for name, a in _turbulent(state, *given).items()}
    means = []
    for hour in range(hours):
        forcing = boundaries.between(start + hour * HOUR, start + (hour + 1) * HOUR)
        state = begin_interval(state)
        sums: dict[str, np.ndarray] = {}
        for sample in range(SAMPLES):
            quarter = 3600.0 / SAMPLES
            state = model.advance(state, forcing, quarter, 3600.0, sample * quarter)
            later = {name: np.asarray(a) for name, a in _turbulent(state, *given).items()}
            found = {name: 0.5 * (turbulent[name] + later[name]) for name in later}
            found |= {name: np.asarray(a) for name, a in _radiative(state, *given).items()}
            turbulent = later
            sums = {name: a / SAMPLES + sums.get(name, 0.0) for name, a in found.items()}
        instant.append(_now(model, state))
        if (hour + 1) % PROFILES == 0:
            profiles.append(_profile(model, state, driving(start + (hour + 1) * HOUR)))
        means.append(sums | {"precipitation": np.asarray(state.precipitation)})
        say(f"{words}: hour {hour + 1} of {hours}, {means[-1]['precipitation'].max():.1f} kg m-2 at most in it")
    return Hourly(
        domain,
        start,
        {name: np.stack([one[name] for one in instant]) for name in instant[0]},
        {name: np.stack([one[name] for one in means]) for name in means[0]},
        {name: np.stack([one[name] for one in profiles]) for name in profiles[0]},
    )
