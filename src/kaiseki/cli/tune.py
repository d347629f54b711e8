"""`kaiseki tune`: errors of background and observations from what a run found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from kaiseki.cli.installed import need
from kaiseki.cli.output import Json, begin, emit
from kaiseki.core.errors import InputError
from kaiseki.core.timing import format_utc, parse_time

if TYPE_CHECKING:
    import numpy as np

Until = Annotated[str, Parameter(help="Last analysis whose departures are used; later ones stay free for scores.")]
BalanceOption = Annotated[float, Parameter(help="Part of the mass variance that is balanced with the wind.")]


def tune(folder: Path, /, *, until: Until, balance: BalanceOption = 0.9, json: Json = False) -> None:
    """Estimate the errors of the background and of sondes from the departures of a run, as TOML for an experiment.

    Used are the departures from the background of stations that are assimilated, in the windows from the first that
    follows a forecast to --until: neither withheld stations nor the cold start, whose analysis has seen its own
    observations. What too few stations tell is left out, and the experiment keeps its value. Scores of windows up to
    --until are not independent of what is found.

    Parameters
    ----------
    folder
        Folder of the run.
    """
    begin(json)
    need("run", what="kaiseki tune")
    from kaiseki.archive.run import RunFolder
    from kaiseki.assimilation.estimate import observation_errors, suggest
    from kaiseki.observations import Table

    place = RunFolder(folder)
    noted = place.noted()
    store = place.read_store("analysis")
    last = parse_time(until)
    times = [time for time in store.completed_cycles()[1:] if time <= last]
    if not times:
        raise InputError(
            f"{store.where} has no analysis after its cold start up to {format_utc(last)}; give a later time"
        )
    tables = [Table.from_arrow(store.read_observations(time)) for time in times]
    found = suggest(tables, balance)
    fits = found.pop("fits")
    values: dict[str, Any] = {"assimilation": {"cycled": _matching(found, noted.assimilation.cycled.pressure)}}
    if errors := observation_errors(fits):
        values["observations"] = {"errors": errors}
    result = {"case": noted.case.name, "windows": [format_utc(time) for time in times], **values, "fits": fits}
    emit(result, json=json, text=lambda: _text(times, values))


def _matching(found: dict[str, Any], pressure: tuple[float, ...]) -> dict[str, Any]:
    """What was found; its pressures only where profiles were found, which then stand at these."""
    profiles = {"wind", "temperature", "humidity"} & found.keys()
    if len(profiles) == 3:
        return found
    # The other profiles of the experiment stand at its own pressures.
    import numpy as np

    moved = {name: value for name, value in found.items() if name != "pressure"}
    for name in profiles:
        at = np.log(pressure)
        moved[name] = [float(v) for v in np.interp(-at, -np.log(found["pressure"]), found[name])]
    return moved


def _text(times: list[np.datetime64], values: dict[str, Any]) -> str:
    from kaiseki.config.writing import to_toml

    head = f"# From the departures of assimilated stations, {format_utc(times[0])} to {format_utc(times[-1])}."
    return f"{head}\n{to_toml(values)}".rstrip()
