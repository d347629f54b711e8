"""A whole run: what it costs, the analysis, its baselines, one after another."""

from __future__ import annotations

import dataclasses
import logging
import time as clock
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from kaiseki.archive.run import RunFolder
from kaiseki.config import Experiment
from kaiseki.core.progress import Log, duration, say
from kaiseki.experiments.baselines import run_experiment
from kaiseki.experiments.case import PreparedCase
from kaiseki.experiments.compilation import give_back
from kaiseki.experiments.cost import estimate, refuse_what_is_too_much
from kaiseki.experiments.real_data import real_case
from kaiseki.grid.build import domain_from_section

_LOG = logging.getLogger(__name__)

type MakeCase = Callable[[Experiment, RunFolder, Path | None, Log | None], PreparedCase]
"""Makes a case ready: of real data, or the twin."""


def announce(experiment: Experiment, *, force: bool = False) -> None:
    """Say what the run costs, and refuse what this machine cannot do.

    Raises:
        ResourceError: it is too much.
    """
    flat = dataclasses.replace(experiment.domain, terrain="flat")
    cost = estimate(experiment, domain_from_section(flat))
    say(cost.sentence(experiment.case.name))
    refuse_what_is_too_much(experiment.case.name, cost, force)


def nothing_used(folder: RunFolder) -> str | None:
    """Warning that no analysis of a run used any observation, and why; None where one did.

    Runs that only compare (no engine) do not ask for any.
    """
    store = folder.read_store("analysis")
    counts = [store.read_diagnostics(time).get("counts", {}) for time in store.completed_cycles()]
    analyses = [one for one in counts if "given" in one]
    if not analyses or any(one["used"] for one in analyses):
        return None
    given, withheld = (sum(int(one[name]) for one in analyses) for name in ("given", "withheld"))
    reasons: Counter[str] = Counter()
    for one in analyses:
        reasons.update(one["not_used"])
    if not given:
        why = "no report lies in a window; compare observations.files with the period and the domain"
    else:
        listed = [f"{name} {number}" for name, number in [("withheld", withheld), *reasons.most_common()] if number]
        why = f"of {given} values in the windows none was usable ({', '.join(listed)}); see observations in the report"
    return (
        f"{folder.path}: the analysis is the forecast, since no observation was used in {len(analyses)} cycles: {why}."
    )


def run_whole(
    experiment: Experiment,
    folder: RunFolder,
    data: Path | None,
    *,
    make_case: MakeCase = real_case,
    baselines: bool = True,
    log: Log | None = None,
) -> dict[str, float]:
    """Run the analysis and the baselines the experiment asks for, each from where it stands.

    Returns:
        Seconds spent on each: `preparation`, `analysis`, and the baselines.

    Raises:
        StoreError: another process makes the same run ready.
    """
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], object]) -> object:
        begun = clock.perf_counter()
        result = work()
        give_back()
        seconds[name] = clock.perf_counter() - begun
        say(f"{name}: {duration(seconds[name])}")
        return result

    with folder.preparing():
        folder.begin(experiment)
        case = timed("preparation", lambda: make_case(experiment, folder, data, log))
    assert isinstance(case, PreparedCase)
    timed("analysis", lambda: run_experiment(case, "analysis", log))
    if (sentence := nothing_used(folder)) is not None:
        _LOG.warning(sentence)
    for name in experiment.verification.baselines if baselines else ():
        timed(name, lambda name=name: run_experiment(case, name))  # type: ignore[misc]
    return seconds
