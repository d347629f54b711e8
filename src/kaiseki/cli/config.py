"""`kaiseki config`: experiment files shown in full, checked, and described."""

from __future__ import annotations

import json as json_module
from pathlib import Path

from cyclopts import App

from kaiseki.cli.output import Json, begin, emit
from kaiseki.config import Experiment
from kaiseki.config.reading import schema_of
from kaiseki.core.progress import say
from kaiseki.core.timing import format_utc

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
def check(file: Path, /, *, json: Json = False) -> None:
    """Check an experiment as far as that is possible without its data, and say in one line what it would run.

    Parameters
    ----------
    file
        Experiment file.
    """
    begin(json)
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
    sentence = (
        f"{file} is a valid experiment: {experiment.case.name} ({experiment.case.kind}), "
        f"{experiment.domain.preset or 'a domain of its own'}, {result['cold_start']} to {result['end']}, "
        f"{cycles} cycles of {period.window_hours:g} h, engine {experiment.assimilation.engine}"
    )
    emit(result, json=json, text=lambda: sentence)


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
