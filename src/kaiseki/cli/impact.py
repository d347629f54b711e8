"""`kaiseki impact`: what the observations of an analysis did."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from kaiseki.cli.installed import need
from kaiseki.cli.output import Json, begin, emit
from kaiseki.cli.runs import Data, make_case_of
from kaiseki.core.errors import InputError
from kaiseki.core.files import write_text
from kaiseki.core.timing import parse_time

if TYPE_CHECKING:
    from kaiseki.experiments.case import PreparedCase
    from kaiseki.experiments.impact import Truth

Probes = Annotated[int, Parameter(help="Random vectors for the degrees of freedom; 0 leaves them out.")]
WindowEnd = Annotated[str | None, Parameter(help="Time of the analysis; by default the last with many soundings.")]


def impact(
    folder: Path, /, *, time: WindowEnd = None, data: Data = None, probes: Probes = 2, json: Json = False
) -> None:
    """Say what each kind of observation did to the error of an analysis, and how much the analysis listened to it.

    The error is that against the truth in a twin experiment, else against the stations that were withheld. Writes
    impact.json into the folder of the run, from which its report draws a picture.

    Parameters
    ----------
    folder
        Folder of the run.
    """
    begin(json)
    need("run", "report", what="kaiseki impact")
    from kaiseki.archive.run import Run, RunFolder
    from kaiseki.experiments.compilation import prepare_process
    from kaiseki.experiments.impact import study

    prepare_process()
    place = RunFolder(folder)
    noted = place.noted()
    chosen = Run(folder).main_time if time is None else parse_time(time)
    if chosen is None:
        raise InputError(f"{folder} has no analysis that used observations yet")
    with place.preparing():
        case = make_case_of(noted)(noted, place, data)
        truth = _truth(case)
    found = study(case, chosen, truth, probes=probes).as_dict()
    path = write_text(folder / "impact.json", json_module.dumps(found, indent=1) + "\n")
    emit({"impact": str(path), **found}, json=json, text=lambda: _lines(found, path))


def _truth(case: PreparedCase) -> Truth | None:
    """The nature run of a twin on the domain of the analysis."""
    if case.experiment.case.kind != "twin":
        return None
    from kaiseki.experiments.twin import prepare

    return prepare(case.experiment, case.domain, case.folder.path / "twin").truth


def _lines(found: dict[str, Any], path: Path) -> str:
    unit = "J kg-1" if found["against"] == "truth" else "of mean square"
    lines = [
        f"{found['time']}: {found['observations']} observations changed the error against the {found['against']} by "
        f"{found['change']:+.4g} {unit}, from {found['error_before']:.4g} to {found['error_after']:.4g}",
        f"  the impacts add up to {found['explained']:+.4g}; degrees of freedom for signal "
        f"{found['degrees_of_freedom']:.0f}",
    ]
    for row in sorted(found["groups"], key=lambda row: row["impact"]):
        lines.append(
            f"  {row['kind']:9s} {row['quantity']:24s} n={row['n']:5d}  impact {row['impact']:+.3e}  "
            f"helpful {100 * row['helpful']:3.0f} %  degrees of freedom {row['degrees_of_freedom']:7.1f}"
        )
    return "\n".join([*lines, f"impact: {path}"])
