"""`kaiseki config`: experiment files shown in full, checked, and described."""

from __future__ import annotations

import dataclasses
import json as json_module
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from kaiseki.cli.output import Json, begin, emit
from kaiseki.config import Experiment
from kaiseki.config.reading import schema_of
from kaiseki.core.errors import ConfigError
from kaiseki.core.progress import say
from kaiseki.core.timing import HOUR, format_utc

if TYPE_CHECKING:
    from kaiseki.experiments.cost import Cost
    from kaiseki.experiments.inputs import Input

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

    Says what it would run and cost and which files it needs; with --data also which of them are there. The last lines
    say whether it can be run and what to do next; an experiment that is right has the exit code 0 either way.

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
    remarks = list(experiment.remarks.values())
    lacking = _lacking(experiment, needed, cost)
    if (lacks_sea := _lacking_sea(experiment)) is not None:
        remarks.append(lacks_sea)
    commands = _next(experiment, file, needed, data, ready=not lacking)
    result |= {
        "cost": None if cost is None else cost.as_dict(),
        "inputs": [one.as_dict() for one in needed],
        "remarks": remarks,
        "ready": not lacking,
        "lacking": lacking,
        "next": commands,
    }
    sentence = (
        f"{file} is a valid experiment: {experiment.case.name} ({experiment.case.kind}), "
        f"{experiment.domain.preset or 'a domain of its own'}, {result['cold_start']} to {result['end']}, "
        f"{cycles} cycles of {period.window_hours:g} h, engine {experiment.assimilation.engine}"
    )
    lines = [sentence]
    if cost is not None:
        lines.append(cost.sentence("cost"))
    lines += remarks
    lines += [one.sentence() for one in needed]
    lines.append(f"not ready: {'; '.join(lacking)}" if lacking else "ready: everything is there that it needs")
    lines += [f"next: {one}" for one in commands]
    emit(result, json=json, text=lambda: "\n".join(lines))


def _lacking(experiment: Experiment, needed: list[Input], cost: Cost | None) -> list[str]:
    """What an experiment lacks to be run here, a clause each."""
    from kaiseki.core.memory import total_memory
    from kaiseki.experiments.size import too_much

    found = [] if cost is not None else ["the model cannot be used on this machine"]
    wanted = [one for one in needed if one.needed]
    if missing := [one for one in wanted if one.missing]:
        found.append(f"{len(missing)} of {len(needed)} inputs are missing")
    if unknown := [one for one in wanted if one.files is None]:
        found.append(f"{len(unknown)} of {len(needed)} inputs were not looked for, since no data folder is given")
    if _lacking_sea(experiment) is not None:
        found.append("no sea temperature is named, without which there is no run over sea")
    if cost is not None and too_much(cost.memory):
        there = (total_memory() or 0) / 1e9
        found.append(f"it needs about {cost.memory / 1e9:.0f} GB of memory and this machine has {there:.0f} GB")
    return found


def _lacking_sea(experiment: Experiment) -> str | None:
    """What to name where the driving data are known to hold no sea temperature; None where nothing is."""
    from kaiseki.experiments.surroundings import sea_must_be_named, without_sea

    if experiment.case.kind != "real" or not experiment.physics.feels_sea:
        return None
    found = without_sea(experiment.driving)
    return None if found is None else f"{sea_must_be_named(found)}; over land alone none is needed"


def _next(experiment: Experiment, file: Path, needed: list[Input], data: Path | None, *, ready: bool) -> list[str]:
    """Commands that come next: those that bring what is missing, or that make forecasts and the run."""
    folder = "FOLDER" if data is None else shlex.quote(str(data))
    name = shlex.quote(str(file))
    with_data = f"--data {folder}" if needed else ""
    if ready:
        if experiment.case.kind == "real" and not experiment.has_observations:
            period = experiment.period
            length = (period.last - period.first) / HOUR
            return [
                f"kaiseki forecast {name} --from driving --at {format_utc(period.first)} --hours {length:g} {with_data}"
            ]
        return [f"kaiseki run {name} {with_data}".rstrip()]
    from kaiseki.experiments.inputs import source_of

    wanted = [one for one in needed if one.needed and not one.files]
    sources = [(one, source_of(one.pattern)) for one in wanted]
    found = [f"kaiseki fetch {name} --data {folder}"] if any(source is not None for _, source in sources) else []
    if data is None and wanted:
        found.insert(0, f"kaiseki config check {name} --data FOLDER")
    elif others := [one.pattern for one, source in sources if source is None]:
        found.append(f"put {', '.join(others)} into {folder}, or name other files in {name}")
    return found


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
