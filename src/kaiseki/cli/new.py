"""`kaiseki new`: an experiment file for a place, a period and a spacing, and a map of its domain."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from kaiseki.cli.installed import is_there
from kaiseki.cli.output import Json, begin, emit
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.core.progress import say

if TYPE_CHECKING:
    from kaiseki.experiments.new import NewExperiment, Wishes

Files = Annotated[list[str] | None, Parameter(negative="")]
Data = Annotated[
    Path | None, Parameter(name="--data", help="Data folder; terrain and coast there are used for time step and map.")
]
Force = Annotated[
    bool,
    Parameter(
        name="--force", negative="", help="Replace a file that exists; write what this machine is too small for."
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """Options that say what is wanted, as text."""

    center: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """Middle of the domain, latitude and longitude in degrees: 36,138 or -37,147 or 37S,147E."""
    size: str | None = None
    """Width, or width x height, of the domain with its rim, km: 2400 or 3000x2400."""
    spacing: float | None = None
    """Grid length, km."""
    start: str | None = None
    """Time of the first analysis, UTC: 2020-03-01T00:00Z."""
    hours: float | None = None
    """Length of the run, whole hours."""
    driving: str | None = None
    """Global analyses by name (era5, gfs, jra3q, merra2 ...), or a pattern of files: driving/mine/*.grib2."""
    preset: str | None = None
    """A preset grid instead of center, size and spacing."""
    like: Path | None = None
    """Experiment file from which all that is not given is taken."""
    steady: Annotated[bool, Parameter(negative="")] = False
    """Hold the driving fields of the start constant, for tries with one analysis alone."""
    forecast_only: Annotated[bool, Parameter(negative="")] = False
    """Without observations and assimilation, for `kaiseki forecast` from the driving data."""
    observations: Files = None
    """Files of observations instead of the usual ones; may be repeated."""
    terrain: Files = None
    """Files of terrain instead of the usual ones; may be repeated."""
    mask: Files = None
    """Files of the land-sea mask instead of the usual ones; may be repeated."""
    coast: Files = None
    """Files of coastlines instead of the usual ones; may be repeated."""

    def wishes(self, name: str, any_size: bool) -> Wishes:
        """What is wanted, for a case of this name, of any size or of one that this machine can run.

        Raises:
            ConfigError: an option cannot be understood.
        """
        from kaiseki.experiments.new import Wishes

        return Wishes(
            name=name,
            start=None if self.start is None else _time(self.start),
            hours=None if self.hours is None else _whole_hours(self.hours),
            driving=self.driving,
            centre=None if self.center is None else _place(self.center),
            size=None if self.size is None else _size(self.size),
            spacing=None if self.spacing is None else 1000.0 * self.spacing,
            preset=self.preset,
            any_size=any_size,
            like=self.like,
            steady=self.steady,
            forecast_only=self.forecast_only,
            observations=tuple(self.observations or ()),
            terrain=tuple(self.terrain or ()),
            mask=tuple(self.mask or ()),
            coast=tuple(self.coast or ()),
        )


def new(
    file: Path,
    /,
    *,
    options: Options | None = None,
    data: Data = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Write an experiment file that `kaiseki config check` accepts, and a map of its domain beside it.

    Projection, levels, rim and time step follow from the place and the spacing; the file says why.

    Parameters
    ----------
    file
        Experiment file to be written, such as kansas.toml; its name becomes that of the case.
    """
    begin(json)
    from kaiseki.cli.config import check_experiment
    from kaiseki.core.files import make_folder, write_text
    from kaiseki.experiments.inputs import inputs
    from kaiseki.experiments.new import new_experiment

    wishes = (options or Options()).wishes(_name(file), force)
    picture = file.with_suffix(".png")
    for path in (file, picture):
        if path.exists() and not force:
            raise ConfigError(f"{path} exists; give another name, or --force to replace it")
    if data is not None and not data.is_dir():
        raise ConfigError(f"There is no data folder {data}")
    made = new_experiment(wishes, data)
    check_experiment(made.experiment)
    make_folder(file.parent)
    drawn = _draw(made, picture, data)
    write_text(file, made.text)
    found = inputs(made.experiment, data)
    result = {
        "experiment": str(file),
        "map": None if drawn is None else str(drawn),
        "projection": made.domain.projection.name,
        "shape": list(made.domain.shape),
        "spacing": made.domain.spacing,
        "time_step": made.experiment.dynamics.time_step,
        "terrain": made.has_terrain,
        "remarks": [made.remark] if made.remark else [],
        "inputs": [one.as_dict() for one in found],
    }
    emit(result, json=json, text=lambda: _lines(made, file, drawn, [one.sentence() for one in found]))


def _lines(made: NewExperiment, file: Path, drawn: Path | None, needed: list[str]) -> str:
    domain = made.domain
    why = f": the middle lies {made.reason}" if made.reason else ""
    step = made.experiment.dynamics.time_step
    lines = [
        f"{domain.projection.name.replace('_', ' ')}{why}",
        f"{domain.nx} x {domain.ny} cells of {domain.spacing / 1e3:g} km, {domain.nz} levels to "
        f"{domain.zeta_half[-1] / 1e3:g} km, rim of {domain.rim_width} cells"
        + (f", steps of {step:g} s" if step is not None else ""),
        *needed,
        *([made.remark] if made.remark else []),
        f"experiment: {file}",
    ]
    if drawn is not None:
        lines.append(f"map: {drawn}")
    return "\n".join([*lines, f"next: kaiseki config check {file} --data FOLDER"])


def _draw(made: NewExperiment, picture: Path, data: Path | None) -> Path | None:
    """The map, None where it cannot be drawn without the extra."""
    if not is_there("report"):
        say('No map is drawn, for matplotlib is not installed; do: pip install "kaiseki[report]"')
        return None
    from kaiseki.core.files import files_of
    from kaiseki.report.domain_map import draw_domain

    try:
        coast = files_of(made.experiment.domain.coast_files, data, "domain.coast_files")
    except ConfigError:
        coast = []
        say("The map shows no coastlines, for their file is not there; give --data, or --coast FILE")
    return draw_domain(made.domain, picture, made.experiment.case.name, coast)


def _name(file: Path) -> str:
    if file.suffix != ".toml":
        raise ConfigError(f"The experiment file must end in .toml, as {file.name}.toml does")
    return file.stem


def _time(text: str) -> Any:
    from kaiseki.core.timing import parse_time, to_datetime

    try:
        return to_datetime(parse_time(text))
    except InputError as error:
        raise ConfigError(f"--start {text}: {error}") from error


def _whole_hours(hours: float) -> int:
    if not (math.isfinite(hours) and hours == round(hours)):
        raise ConfigError(f"--hours {hours:g}: give whole hours")
    return round(hours)


def _plain(text: str) -> str:
    """Text with the ASCII forms of full-width characters, of the ideographic comma, the minus and the times sign."""
    return unicodedata.normalize("NFKC", text).translate(str.maketrans("、−×", ",-x"))


_ANGLE = re.compile(r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)\s*°?\s*([NSEW]?)", re.IGNORECASE)


def _place(text: str) -> tuple[float, float]:
    """Latitude and longitude of "36,138", "-37,147" or "37S,147E"."""
    parts = [_ANGLE.fullmatch(part.strip()) for part in _plain(text).split(",")]
    if len(parts) == 2 and parts[0] is not None and parts[1] is not None:
        angles = [(float(part[1]), part[2].upper()) for part in parts if part is not None]
        if any(part is not None and part[1][0] in "+-" and part[2] for part in parts):
            raise ConfigError(
                f"--center {text!r} has a sign and a letter for one angle; give one of them, as -37,147 or 37S,147E"
            )
        (latitude, north), (longitude, east) = angles
        if north in ("", "N", "S") and east in ("", "E", "W"):
            return (-latitude if north == "S" else latitude), (-longitude if east == "W" else longitude)
    raise ConfigError(
        f"--center {text!r}: give latitude and longitude in degrees with a comma between, as 36,138 or -37,147 or "
        "37S,147E"
    )


def _size(text: str) -> tuple[float, float]:
    """Width and height, m, of "2400" or "3000x2400" km."""
    parts = _plain(text).lower().replace("km", "").split("x")
    try:
        numbers = [1000.0 * float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(0.0 < number < float("inf") for number in numbers):
        raise ConfigError(f"--size {text!r}: give kilometres, one number for a square or width x height, as 3000x2400")
    return numbers[0], numbers[-1]
