"""`kaiseki config`: experiment files shown in full, checked, and described."""

from __future__ import annotations

import json as json_module
from pathlib import Path

from cyclopts import App

from kaiseki.cli.output import Json, begin, emit
from kaiseki.config import Experiment
from kaiseki.config.reading import schema_of
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
    """Check an experiment and say in one line what it would run.

    Parameters
    ----------
    file
        Experiment file.
    """
    begin(json)
    experiment = Experiment.load(file)
    period = experiment.period
    cycles = sum(1 for _ in period.windows())
    result = {
        "valid": True,
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


@app.command
def schema(*, json: Json = False) -> None:
    """Print the JSON schema of experiment files, for editors and other programs."""
    begin(json)
    found = schema_of(Experiment)
    emit(found, json=json, text=lambda: json_module.dumps(found, indent=2))
