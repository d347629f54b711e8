"""The nature run: the same model on a finer grid and with other physics, which plays the atmosphere.

It is driven by the true flow at its boundaries and starts from it; after the spin-up it has fronts, clouds and a
boundary layer of its own. Nothing of it reaches the assimilating system except through observations.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from kaiseki.core.constants import VIRTUAL
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.experiment import Experiment, Twin
from kaiseki.core.experiment.place import Domain as Section
from kaiseki.core.progress import Progress
from kaiseki.core.timing import format_utc, hours, slots
from kaiseki.driving import atmosphere_on_domain
from kaiseki.forecast.filter import DigitalFilter
from kaiseki.forecast.model import Forcing, Model, default_parameters
from kaiseki.forecast.physics import PhysicsParameters
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.state import State
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section
from kaiseki.twin.flow import Flow

MARGIN: Final = 2
"""Cells by which the nature run reaches beyond the assimilating domain on each side."""
INTERVAL_HOURS: Final = 1
"""Hours between two kept states, and between two states of the boundary."""
SCHEMA: Final = 1
"""Version of the kept file; part of its digest, to be raised when the flow or the run changes."""


def nature_domain(experiment: Experiment) -> Domain:
    """The grid of the nature run: the assimilating one's place, finer by `twin.spacing_factor`, a little larger.

    Its rim has the width of the assimilating one's in metres, so that it lies within that.
    """
    coarse = domain_from_section(experiment.domain.model_copy(update={"terrain": "flat"}))
    factor = twin_of(experiment).spacing_factor
    centre = coarse.projection.inverse(np.asarray(coarse.x.mean()), np.asarray(coarse.y.mean()))
    section = experiment.domain.model_copy(
        update={
            "spacing": coarse.spacing * factor,
            "shape": tuple(math.ceil((n - 1) / factor) + 1 + 2 * MARGIN for n in (coarse.ny, coarse.nx)),
            "reference_latitude": float(centre[0]),
            "reference_longitude": float(centre[1]),
            "reference_index": None,
            "rim_width": math.ceil(coarse.rim_width / factor),
        }
    )
    return domain_from_section(Section.model_validate(section.model_dump()))


@dataclass(frozen=True, eq=False)
class Nature:
    """Hourly states of the nature run from the cold start to the end.

    Attributes:
        domain: its grid.
        times: (nt,) datetime64[s], rising.
        fields: name -> (nt, nz, ny, nx) float32 of u, v (grid-relative), w, temperature, pressure, qv, qc, qr, qi, qs.
        surface: name -> (nt, ny, nx) or (nt, nsoil, ny, nx) float32 of what the model keeps at the ground.
    """

    domain: Domain
    times: np.ndarray
    fields: dict[str, np.ndarray]
    surface: dict[str, np.ndarray]

    def at(self, time: np.datetime64) -> dict[str, np.ndarray]:
        """The atmosphere of a kept time, name -> (nz, ny, nx).

        Raises:
            InputError: the time was not kept.
        """
        found = np.flatnonzero(self.times == time)
        if not len(found):
            raise InputError(
                f"The nature run has states from {format_utc(self.times[0])} to {format_utc(self.times[-1])} every "
                f"{INTERVAL_HOURS} h, but {format_utc(time)} is wanted"
            )
        return {name: values[found[0]] for name, values in self.fields.items()}

    def save(self, path: Path, digest: str) -> None:
        """Write everything but the domain to an .npz file, whole or not at all.

        Raises:
            StoreError: the file cannot be written.
        """
        arrays = {f"atmosphere.{name}": values for name, values in self.fields.items()}
        arrays |= {f"surface.{name}": values for name, values in self.surface.items()}
        partial = path.with_name(path.name + ".partial")
        try:
            with partial.open("wb") as file:
                np.savez(file, times=self.times.astype(np.int64), digest=np.asarray(digest), **arrays)  # type: ignore[arg-type]
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise StoreError(f"The nature run could not be written to {path}: {error.strerror or error}") from error

    @classmethod
    def load(cls, path: Path, digest: str, domain: Domain) -> Nature | None:
        """A nature run kept by `save`; None if there is none, it is damaged, or it was asked for otherwise."""
        try:
            with np.load(path) as file:
                if str(file["digest"]) != digest:
                    return None
                content = {name: file[name] for name in file.files}
        except (OSError, ValueError, KeyError, EOFError):
            return None
        parts: dict[str, dict[str, np.ndarray]] = {"atmosphere": {}, "surface": {}}
        for name, values in content.items():
            if "." in name:
                part, variable = name.split(".", 1)
                parts[part][variable] = values
        return cls(domain, content["times"].astype("datetime64[s]"), parts["atmosphere"], parts["surface"])


def digest_of(experiment: Experiment) -> str:
    """Hexadecimal SHA-256 of all that decides the nature run, and of nothing else."""
    values = experiment.model_dump(mode="json", include={"domain", "period", "dynamics", "physics", "twin"})
    # What the assimilating system is denied does not change the truth.
    for name in ("boundary_perturbation", "initial_perturbation", "observation_density"):
        values["twin"].pop(name)
    text = json.dumps([SCHEMA, values], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def run_nature(experiment: Experiment, directory: Path | None = None) -> Nature:
    """Make the nature run, or take it from `directory` where the same one was kept.

    It starts `twin.spin_up_hours` before the cold start from the true flow, filtered. Kept are hourly states from one
    window before the cold start (or the start) to one hour after the end: balloons still rise after the hour.

    Args:
        experiment: of kind "twin".
        directory: where `nature.npz` is looked for and kept; None keeps nothing.

    Raises:
        InputError: not a twin experiment.
        NumericsError: the model failed.
        StoreError: the run could not be kept.
    """
    digest, domain = digest_of(experiment), nature_domain(experiment)
    path = None if directory is None else directory / "nature.npz"
    if path is not None and (found := Nature.load(path, digest, domain)) is not None:
        return found
    period = experiment.period
    before = min(period.window, _spin_up(experiment))
    kept = slots(period.first - before, period.last + hours(INTERVAL_HOURS), hours(INTERVAL_HOURS))
    nature = _collected(domain, kept, experiment)
    if path is not None:
        nature.save(path, digest)
    return nature


def _collected(domain: Domain, kept: np.ndarray, experiment: Experiment) -> Nature:
    fields: dict[str, list[np.ndarray]] = {}
    surface: dict[str, list[np.ndarray]] = {}
    for _, model, state in _states(domain, kept, experiment):
        for name, values in model.atmosphere(state).as_dict().items():
            fields.setdefault(name, []).append(np.asarray(values, dtype=np.float32))
        for name, values in model.surface_fields(state).items():
            surface.setdefault(name, []).append(np.asarray(values, dtype=np.float32))
    stacked = [{name: np.stack(values) for name, values in part.items()} for part in (fields, surface)]
    return Nature(domain, kept, *stacked)


def _states(domain: Domain, kept: np.ndarray, experiment: Experiment) -> Iterator[tuple[np.datetime64, Model, State]]:
    """The model and its state at each kept time."""
    twin, step = twin_of(experiment), hours(INTERVAL_HOURS)
    flow, origin = Flow.drawn(twin.seed), experiment.period.first
    times = slots(origin - _spin_up(experiment), kept[-1], step)

    def driving(time: np.datetime64) -> dict[str, np.ndarray]:
        return atmosphere_on_domain(flow.dataset(time, origin), domain)

    start = driving(times[0])
    model = nature_model(experiment, domain, start, times[0])
    before = model.boundary(start)
    state = model.initialise(model.start(start), before, DigitalFilter())
    with Progress("nature run", len(times) - 1, unit="hour") as progress:
        if times[0] == kept[0]:
            yield times[0], model, state
        for time in times[1:]:
            after = model.boundary(driving(time))
            state = model.advance(state, Forcing(before, after), float(step / np.timedelta64(1, "s")))
            before = after
            progress.advance(note=format_utc(time))
            if time >= kept[0]:
                yield time, model, state


def _spin_up(experiment: Experiment) -> np.timedelta64:
    """Whole hours of the spin-up."""
    return hours(math.ceil(twin_of(experiment).spin_up_hours))


def nature_model(experiment: Experiment, domain: Domain, start: dict[str, np.ndarray], epoch: np.datetime64) -> Model:
    """The model of the nature run: time steps of its own grid, the physics of the case with those of the twin on top.

    Args:
        experiment: of kind "twin".
        domain: from `nature_domain`.
        start: fields at the start, to which the reference profile is fitted.
        epoch: time of the start, UTC.
    """
    physics = experiment.physics
    physics = physics.model_copy(update={"parameters": {**physics.parameters, **twin_of(experiment).physics}})
    virtual = start["temperature"] * (1.0 + VIRTUAL * start["qv"])
    reference = ReferenceProfile.fit(domain.z, virtual, start["pressure"])
    parameters = default_parameters(domain.spacing, float(domain.map_factor.max()))
    return Model.make(domain, reference, parameters, PhysicsParameters.from_section(physics), epoch)


def twin_of(experiment: Experiment) -> Twin:
    """The section `twin`.

    Raises:
        InputError: the experiment has none.
    """
    if experiment.twin is None:
        raise InputError(f'The case {experiment.case.name} is no twin experiment; give it kind = "twin"')
    return experiment.twin
