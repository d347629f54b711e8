"""`kaiseki demo`, `run`, `resume`, `verify` and `report`: from an experiment file to scores and a page."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from kaiseki.cli.installed import need
from kaiseki.cli.output import Json, begin, emit
from kaiseki.core.errors import ConfigError
from kaiseki.core.progress import say
from kaiseki.core.timing import format_utc

if TYPE_CHECKING:
    import numpy as np

    from kaiseki.archive.run import RunFolder
    from kaiseki.config import Experiment
    from kaiseki.verification.run import Judgement

Data = Annotated[Path | None, Parameter(name="--data", help="Folder that the paths of the experiment are relative to.")]
Out = Annotated[Path | None, Parameter(name="--out", help="Folder of the run; by default out/<name of the case>.")]
Force = Annotated[bool, Parameter(name="--force", negative="", help="Run what this machine is thought too small for.")]
Baselines = Annotated[
    bool, Parameter(name="--baselines", negative="--no-baselines", help="Also run what the analysis is compared with.")
]
Verbose = Annotated[
    bool, Parameter(name="--verbose", negative="", help="Print cost and gradient of every iteration of the minimiser.")
]


def demo(
    *,
    case: Path | None = None,
    twin: Literal["twin-1", "twin-2"] | None = None,
    precip: Annotated[bool, Parameter(negative="")] = False,
    data: Data = None,
    out: Out = None,
    force: Force = False,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """The main job from beginning to end: run, baselines, scores, report.

    Without --case it is the twin experiment, which needs no data: a finer model plays the atmosphere, a network of real
    stations observes it, and the observations are reanalysed. With --case and --data it is the same chain on real data.
    Called again it goes on where it was ended. With --precip it is the analysis of precipitation on synthetic storms.

    Parameters
    ----------
    case
        Experiment file; the embedded twin experiment by default.
    twin
        Which embedded twin experiment: twin-1, the default, or twin-2, which shares less with the system.
    precip
        Analyse the precipitation of synthetic storms instead: two minutes, a page of maps.
    """
    begin(json)
    if precip:
        if case is not None or twin is not None or data is not None:
            raise ConfigError("--precip needs no data and no case; leave --case, --twin and --data out")
        from kaiseki.cli.precip_demo import precip_demo

        precip_demo(out, json=json)
        return
    need("run", "report", what="kaiseki demo")
    if case is not None and twin is not None:
        raise ConfigError(f"Both --case {case} and --twin {twin} are given; please give one of them")
    if case is None:
        from kaiseki.experiments.twin import TWINS

        case = TWINS[twin or "twin-1"]
    _whole(_experiment(case), data, out, force=force, baselines=True, verbose=verbose, json=json)


def run(
    file: Path,
    /,
    *,
    data: Data = None,
    out: Out = None,
    force: Force = False,
    baselines: Baselines = True,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Run an experiment: analysis cycle, baselines, scores and report.

    A run that was ended in whatever way goes on after its last complete cycle, and the result is the same.

    Parameters
    ----------
    file
        Experiment file.
    """
    begin(json)
    need("run", "report", what="kaiseki run")
    _whole(_experiment(file), data, out, force=force, baselines=baselines, verbose=verbose, json=json)


def resume(
    folder: Path,
    /,
    *,
    data: Data = None,
    force: Force = False,
    baselines: Baselines = True,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Go on with the run in a folder, with the experiment noted there.

    Parameters
    ----------
    folder
        Folder of the run.
    """
    from kaiseki.archive.run import RunFolder

    begin(json)
    need("run", "report", what="kaiseki resume")
    noted = RunFolder(folder).noted()
    _whole(noted, data, folder, force=force, baselines=baselines, verbose=verbose, json=json)


def verify(folder: Path, /, *, json: Json = False) -> None:
    """Score a run against withheld and assimilated observations, and in a twin against the truth; writes scores.json.

    Parameters
    ----------
    folder
        Folder of the run.
    """
    begin(json)
    from kaiseki.archive.run import Run
    from kaiseki.verification.run import judge, write_scores

    opened = Run(folder)
    judgement = judge(opened)
    path = write_scores(opened, judgement)
    emit(
        {
            "scores": str(path),
            "rows": judgement.all_rows,
            "scorecard": judgement.card,
            "truth": judgement.truth_card,
        },
        json=json,
        text=lambda: f"{_card(judgement, opened.main_time)}\n{len(judgement.all_rows)} rows in {path}",
    )


def report(folder: Path, /, *, data: Data = None, json: Json = False) -> None:
    """Make report.html of a run: maps, profiles, departures, scores in one page that needs no network.

    Parameters
    ----------
    folder
        Folder of the run.
    """
    begin(json)
    need("report", what="kaiseki report")
    from kaiseki.report import make_report

    page = make_report(folder, data_root=data)
    emit({"report": str(page)}, json=json, text=lambda: f"report: {page}")


def _experiment(file: Path) -> Experiment:
    from kaiseki.config import Experiment

    return Experiment.load(file)


def _whole(
    experiment: Experiment,
    data: Path | None,
    out: Path | None,
    *,
    force: bool,
    baselines: bool,
    verbose: bool,
    json: bool,
) -> None:
    from kaiseki.archive.run import RunFolder
    from kaiseki.cli.config import check_experiment
    from kaiseki.experiments.compilation import prepare_process
    from kaiseki.experiments.run import announce, run_whole

    if data is not None and not data.is_dir():
        raise ConfigError(
            f"There is no data folder {data}; give the folder that the experiment's paths are relative to"
        )
    if experiment.case.kind == "real" and not experiment.has_observations:
        raise ConfigError(
            f"{experiment.case.name} names no observations, so that there is nothing to analyse; make forecasts with "
            "kaiseki forecast, or name observations.files"
        )
    folder = RunFolder(out or Path("out") / experiment.case.name)
    prepare_process()
    check_experiment(experiment)
    announce(experiment, force=force)
    seconds = run_whole(
        experiment,
        folder,
        data,
        make_case=make_case_of(experiment),
        baselines=baselines,
        log=say if verbose else None,
    )
    from kaiseki.archive.release.packing import release_run
    from kaiseki.archive.run import Run
    from kaiseki.report import make_report
    from kaiseki.verification.run import judge, write_scores

    opened = Run(folder.path)
    judgement = judge(opened)
    scores = write_scores(opened, judgement)
    release_run(folder.path, folder.release)
    page = make_report(folder.path, data_root=data, judgement=judgement)
    archive = folder.store("analysis")
    result = {
        "scores": str(scores),
        "archive": str(archive),
        "release": str(folder.release),
        "report": str(page),
        "seconds": seconds,
        "scorecard": judgement.card,
        "truth": judgement.truth_card,
    }
    emit(result, json=json, text=lambda: _summary(judgement, opened.main_time, folder))


def make_case_of(experiment: Experiment) -> Callable[..., Any]:
    """What makes the case of an experiment ready: of real data, or the twin."""
    if experiment.case.kind == "twin":
        from kaiseki.experiments.twin.case import twin_case

        return twin_case
    from kaiseki.experiments.real_data import real_case

    return real_case


def _card(judgement: Judgement, time: np.datetime64 | None) -> str:
    """The scorecard of one time, the last with many soundings, as lines of text."""
    from kaiseki.verification.scores import SHOWN

    when = None if time is None else format_utc(time)
    rows = [
        row
        for row in (*judgement.truth_card, *judgement.card)
        if row["against"] in ("withheld", "truth") and row["time"] == when
    ]
    if not rows:
        return "no baseline to compare the analysis with; its own errors are in scores.json"
    lines = [
        f"{when}: error of the analysis against what it never saw, and by how much less it is than that of each "
        "baseline (negative: more)"
    ]
    for row in rows:
        name, unit, factor, decimals = SHOWN[row["variable"]]
        level = f"{row['level'] / 100:g}" if isinstance(row["level"], float) else row["level"]
        where = f"{name}, {level} hPa" if level else name
        ours, theirs = (f"{factor * row[key]:.{decimals}f}" for key in ("rms", "baseline_rms"))
        lines.append(
            f"  {row['against']:9s} {where:32s} {ours:>7s} {unit:6s} | {row['baseline'].replace('_', ' '):22s} "
            f"{theirs:>7s} {unit:6s} | {100 * row['reduction']:+4.0f} % less  n={row['n']}"
        )
    return "\n".join(lines)


def _summary(judgement: Judgement, time: np.datetime64 | None, folder: RunFolder) -> str:
    lines = [_card(judgement, time), ""]
    lines.append(f"scores:  {folder.scores}")
    lines.append(f"archive: {folder.store('analysis')}")
    lines.append(f"release: {folder.release}")
    lines.append(f"report:  {folder.report}")
    lines.append(f'python:  kaiseki.open({json_module.dumps(str(folder.release))}, "surface")')
    return "\n".join(lines)
