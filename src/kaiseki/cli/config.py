"""`kaiseki config`: experiment files shown in full, checked, and described."""

from __future__ import annotations

import dataclasses
import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from kaiseki.cli.output import Json, begin, emit
from kaiseki.config import Experiment
from kaiseki.config.reading import schema_of
from kaiseki.core.errors import ConfigError
from kaiseki.core.progress import say
from kaiseki.core.timing import format_utc

if TYPE_CHECKING:
    from kaiseki.experiments.cost import Cost

Data = Annotated[Path | None, Parameter(name="--data", help="Folder that the paths of the experiment are relative to.")]

app = App(name="config", help="Show, check and describe experiment files.", help_format="plaintext")


@app.command
def show(file: Path, /, *, json: Json = False) -> None:
    """Print an experiment with every default written out, as TOML.

    Parameters
    ----------
    file
        Experiment file.
    """
    begin(json)
    experiment = Experiment.load(file)
    emit(experiment.as_mapping(), json=json, text=experiment.to_toml)


@app.command
def check(file: Path, /, *, data: Data = None, json: Json = False) -> None:
    """Check an experiment as far as that is possible without reading its data.

    Says what it would run and cost and which files it needs; with --data also which of them are there.

    Parameters
    ----------
    file
        Experiment file.
    """
    begin(json)
    from kaiseki.experiments.inputs import inputs

    if data is not None and not data.is_dir():
        raise ConfigError(f"There is no data folder {data}; give that to which the experiment's paths are relative")
    experiment = Experiment.load(file)
    if not (complete := check_experiment(experiment)):
        say("The model, the engine and the twin were not checked, for JAX cannot be used; install kaiseki[run]")
    period = experiment.period
    cycles = period.cycles
    result = {
        "valid": True,
        "complete": complete,
        "case": experiment.case.name,
        "kind": experiment.case.kind,
        "domain": experiment.domain.preset,
        "cold_start": format_utc(period.first),
        "end": format_utc(period.last),
        "cycles": cycles,
        "engine": experiment.assimilation.engine,
        "digest": experiment.digest(),
    }
    needed = inputs(experiment, data)
    cost = _cost(experiment) if complete else None
    result |= {
        "cost": None if cost is None else cost.as_dict(),
        "inputs": [one.as_dict() for one in needed],
        "remarks": list(experiment.remarks.values()),
        "ready": all(one.files for one in needed if one.needed),
    }
    sentence = (
        f"{file} is a valid experiment: {experiment.case.name} ({experiment.case.kind}), "
        f"{experiment.domain.preset or 'a domain of its own'}, {result['cold_start']} to {result['end']}, "
        f"{cycles} cycles of {period.window_hours:g} h, engine {experiment.assimilation.engine}"
    )
    lines = [sentence]
    if cost is not None:
        lines.append(cost.sentence("cost"))
    lines += experiment.remarks.values()
    lines += [one.sentence() for one in needed]
    if missing := [one for one in needed if one.needed and one.missing]:
        lines.append(f"{len(missing)} of {len(needed)} inputs are missing, without which the run will not begin")
    emit(result, json=json, text=lambda: "\n".join(lines))


def _cost(experiment: Experiment) -> Cost:
    """Estimate for the analysis; terrain from files counts as flat."""
    from kaiseki.experiments.cost import estimate
    from kaiseki.grid.build import domain_from_section

    return estimate(experiment, domain_from_section(dataclasses.replace(experiment.domain, terrain="flat")))


def check_experiment(experiment: Experiment) -> bool:
    """Refuse what cannot be run, whatever the data are; `kaiseki config check` and every run begin with it.

    Returns:
        Whether all was checked; False without JAX.

    Raises:
        ConfigError: says which key is wrong and what would help.
    """
    from kaiseki.experiments import checks

    if not checks.check_experiment(experiment):
        return False
    if experiment.twin is not None:
        from kaiseki.experiments.twin.case import check_twin

        check_twin(experiment)
    return True


@app.command
def schema(*, json: Json = False) -> None:
    """Print the JSON schema of experiment files, for editors and other programs."""
    begin(json)
    found = schema_of(Experiment)
    emit(found, json=json, text=lambda: json_module.dumps(found, indent=2))
