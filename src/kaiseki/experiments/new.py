"""A new experiment for a place, a period and a spacing: its values, each with the reason, as a file for people."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from kaiseki.config import Experiment, Levels
from kaiseki.config.reading import read_toml
from kaiseki.config.writing import to_toml
from kaiseki.core.errors import ConfigError
from kaiseki.experiments import surroundings
from kaiseki.experiments.inputs import terrain_is_there
from kaiseki.experiments.size import check_grid_fits, check_run_fits
from kaiseki.experiments.surroundings import refuse_the_future
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section, specification_from_section
from kaiseki.grid.fitting import TROPIC, factor_range, fitted
from kaiseki.grid.presets import RIM, usual_rim

SPACINGS: Final = (500.0, 200e3)
"""Least and greatest spacing of a new experiment, m."""
INSIDE: Final = 10
"""Cells that must lie inside the rim along each axis."""
WINDOWS: Final = (3, 2, 1)
"""Lengths of the assimilation window, h; the first that divides the period is taken."""
FINE: Final = 10e3
"""Spacing, m, below which the levels are those of the finest presets."""

type Comments = dict[tuple[str, str], str]
"""Words above a key of a file, by the dotted name of its table and the key."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a user asks of a new experiment; lengths in m, angles in degrees, times in UTC.

    Attributes:
        name: of the case.
        start: of the first analysis; without it that of `like`.
        hours: length of the run; without it that of `like`.
        driving: name in `surroundings.DRIVING`, or a pattern of files; without it that of `like`.
        centre: latitude and longitude of the middle of the domain.
        size: width and height of the domain, its rim included.
        spacing: of the grid.
        preset: name of a preset grid in the place of centre, size and spacing.
        like: experiment file from which everything else is taken.
        any_size: also grids whose run needs more memory than this machine has.
        steady: hold the analysis of the start constant.
        forecast_only: an experiment without observations, for free forecasts from its driving data.
        observations, terrain, mask, coast: patterns of files in the place of the usual ones.
    """

    name: str
    start: datetime | None = None
    hours: int | None = None
    driving: str | None = None
    centre: tuple[float, float] | None = None
    size: tuple[float, float] | None = None
    spacing: float | None = None
    preset: str | None = None
    like: Path | None = None
    any_size: bool = False
    steady: bool = False
    forecast_only: bool = False
    observations: tuple[str, ...] = ()
    terrain: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()
    coast: tuple[str, ...] = ()


@dataclass(frozen=True)
class NewExperiment:
    """A new experiment.

    Attributes:
        experiment: its values.
        text: the file, with comments.
        domain: its grid, with terrain and land where their files are at hand, else flat.
        has_terrain: whether they are.
        reason: why this projection; "" where none was chosen.
        remark: what the user has to name before it can be run; "" where nothing.
    """

    experiment: Experiment
    text: str
    domain: Domain
    has_terrain: bool
    reason: str
    remark: str = ""


def new_experiment(wishes: Wishes, data: Path | None = None) -> NewExperiment:
    """Write an experiment for a place, a period and a spacing.

    Args:
        wishes: what is asked for.
        data: the data folder; with it, terrain that lies there decides on the time step.

    Raises:
        ConfigError: a wish is missing, two contradict each other, or one makes no sense.
        ResourceError: this machine is too small for such a grid.
        InputError: a file of terrain or land is there and cannot be used.
    """
    values: dict[str, Any] = {} if wishes.like is None else read_toml(wishes.like)
    if wishes.like is not None:
        Experiment.from_mapping(values, source=str(wishes.like))
    comments: Comments = {}
    values["case"] = {"kind": "real"} | values.get("case", {}) | {"name": wishes.name}
    values["case"].pop("title", None)
    period = _period(wishes, values.get("period"))
    reason = _place(wishes, values, comments)
    values["period"] = period
    if values["case"]["kind"] == "real":
        _inputs(wishes, values, comments)
    elif wishes.driving or wishes.observations or wishes.steady or wishes.forecast_only:
        raise ConfigError(f"{wishes.like} is a twin experiment, which makes its own driving data and observations")
    experiment = Experiment.from_mapping(values, source=f"the experiment {wishes.name}")
    if wishes.any_size:
        check_grid_fits(experiment.domain, wishes.name)
    else:
        check_run_fits(experiment.domain, wishes.name)
    domain, has_terrain = _domain(experiment, data)
    remark = _sea(experiment, domain, has_terrain, values, comments)
    _engine(experiment, domain, values, comments)
    _time_step(experiment, domain, has_terrain, values, comments)
    if reason:
        comments["domain", "projection"] = (
            f"The middle lies {reason}. Map factor {factor_range(domain.map_factor)}: so many metres on the map for "
            "one on the ground."
        )
    experiment = Experiment.from_mapping(values, source=f"the experiment {wishes.name}")
    order = [field.name for field in dataclasses.fields(Experiment)]
    values = {name: values[name] for name in order if name in values}
    text = commented(to_toml(values), comments)
    head = "# Paths are relative to the data folder. `kaiseki config show` lists every key with its default.\n"
    return NewExperiment(experiment, head + text, domain, has_terrain, reason, remark)


def _period(wishes: Wishes, like: Mapping[str, Any] | None) -> dict[str, Any]:
    if like is not None and wishes.start is None and wishes.hours is None:
        return dict(like)
    if like is None and (wishes.start is None or wishes.hours is None):
        raise ConfigError("A new experiment needs a time: give --start TIME and --hours N")
    start, hours = wishes.start, wishes.hours
    if like is not None:
        section = Experiment.from_mapping(
            {"case": {"name": "x", "kind": "twin"}, "domain": {"preset": "japan-60km"}, "period": dict(like)}
        ).period
        start = start or section.cold_start
        hours = hours if hours is not None else round((section.end - section.cold_start).total_seconds() / 3600.0)
    assert start is not None
    assert hours is not None
    if hours < 1:
        raise ConfigError(f"--hours {hours}: a run has at least one hour")
    if start.minute or start.second or start.microsecond:
        raise ConfigError(f"--start {start:%Y-%m-%dT%H:%M:%SZ}: give a whole hour, on which boundary states lie")
    try:
        end = start + timedelta(hours=hours)
    except OverflowError:
        raise ConfigError(f"--hours {hours} from {start:%Y-%m-%dT%H:%MZ} end after the year 9999; give fewer") from None
    window = next(n for n in WINDOWS if hours % n == 0)
    output = (like or {}).get("output_hours", 1.0)
    kept = {} if window % output else {"output_hours": output}
    return {"cold_start": start, "end": end, "window_hours": float(window)} | kept


def _place(wishes: Wishes, values: dict[str, Any], comments: Comments) -> str:
    """The section `domain`; returns why its projection was chosen."""
    given = {"--center": wishes.centre, "--size": wishes.size, "--spacing": wishes.spacing}
    named = [option for option, value in given.items() if value is not None]
    files = {
        key: values.get("domain", {}).get(key) for key in ("terrain", "terrain_files", "mask_files", "coast_files")
    }
    if (named or wishes.preset) and values["case"]["kind"] == "twin":
        raise ConfigError(f"{wishes.like} is a twin experiment, whose weather and stations are those of its own place")
    if named or wishes.preset:
        for key in ("time_step", "acoustic_substeps"):
            values.get("dynamics", {}).pop(key, None)
    if wishes.preset is not None:
        if wishes.centre is not None or wishes.size is not None:
            raise ConfigError(f"--preset {wishes.preset} has a place of its own; leave {' and '.join(named)} out")
        values["domain"] = {"preset": wishes.preset}
        if wishes.spacing is not None:
            raise ConfigError(f"--preset {wishes.preset} has a spacing of its own; leave --spacing out")
        _terrain(wishes, values["domain"], files, surroundings.FINE)
        return ""
    if not named and wishes.like is not None:
        if wishes.terrain or wishes.mask or wishes.coast:
            _terrain(wishes, values["domain"], files, surroundings.FINE)
        return ""
    centre, size, spacing = wishes.centre, wishes.size, wishes.spacing
    if wishes.like is not None:
        there = specification_from_section(Experiment.from_mapping(values, source=str(wishes.like)).domain)
        centre = centre or _rounded(there.centre)
        spacing = spacing or there.spacing
        size = size or (there.shape[1] * there.spacing, there.shape[0] * there.spacing)
    if centre is None or size is None or spacing is None:
        missing = [option for option, value in given.items() if value is None]
        raise ConfigError(
            f"A new domain needs {', '.join(missing)} as well"
            if named
            else "A new experiment needs a place: give --center LAT,LON --size KM --spacing KM, or --preset or --like"
        )
    (latitude, longitude), (width, height) = centre, size
    if not SPACINGS[0] <= spacing <= SPACINGS[1]:
        raise ConfigError(
            f"--spacing {spacing / 1e3:g} km: the model is meant for {SPACINGS[0] / 1e3:g} to {SPACINGS[1] / 1e3:g} km"
        )
    fit = fitted(latitude, longitude, width, height, spacing)
    rim = min(usual_rim(spacing), max(4, min(fit.shape) // 5))
    if min(fit.shape) < 2 * rim + INSIDE:
        least = (2 * rim + INSIDE) * spacing / 1e3
        raise ConfigError(
            f"--size {width / 1e3:g}x{height / 1e3:g} km with --spacing {spacing / 1e3:g} km makes {fit.shape[1]} x "
            f"{fit.shape[0]} cells, of which the rim takes {rim} on each side; take at least {least:g} km, or a finer "
            "spacing"
        )
    values["domain"] = {
        "projection": fit.projection,
        "spacing": spacing,
        "shape": list(fit.shape),
        "reference_latitude": latitude,
        "reference_longitude": fit.central_longitude,
        "standard_parallels": list(fit.standard_parallels),
        "central_longitude": fit.central_longitude,
        "rim_width": rim,
        "levels": _levels(latitude, spacing, comments),
    }
    comments["domain", "rim_width"] = f"Cells over which the driving data take over, {rim * spacing / 1e3:.0f} km" + (
        "." if rim == usual_rim(spacing) else f" instead of {RIM / 1e3:.0f}, for the domain is small."
    )
    _terrain(wishes, values["domain"], files, spacing)
    return fit.reason


def _rounded(place: tuple[float, float]) -> tuple[float, float]:
    """A place to a millionth of a degree, which is a tenth of a metre."""
    return round(place[0], 6), round(place[1], 6)


def _levels(latitude: float, spacing: float, comments: Comments) -> dict[str, Any]:
    usual = Levels()
    if spacing < FINE:
        comments["domain.levels", "number"] = "Thin layers at the ground, as on the 5-km presets."
        return {"number": 76, "top": 21_800.0, "first_thickness": 20.0}
    if abs(latitude) < TROPIC:
        comments["domain.levels", "number"] = (
            "The top is higher than elsewhere: the tropopause lies near 17 km, under the layer where waves are damped."
        )
        return {"number": 44, "top": 25_000.0, "first_thickness": usual.first_thickness}
    return {"number": usual.number, "top": usual.top, "first_thickness": usual.first_thickness}


def _terrain(wishes: Wishes, section: dict[str, Any], like: Mapping[str, Any], spacing: float) -> None:
    usual = surroundings.TERRAIN if spacing >= surroundings.FINE else surroundings.FINE_TERRAIN
    section["terrain"] = "files" if wishes.terrain else like["terrain"] or "files"
    if section["terrain"] == "files":
        section["terrain_files"] = list(wishes.terrain or like["terrain_files"] or usual)
        section["mask_files"] = list(wishes.mask or like["mask_files"] or surroundings.MASK)
    section["coast_files"] = list(wishes.coast or like["coast_files"] or surroundings.COAST)


def _inputs(wishes: Wishes, values: dict[str, Any], comments: Comments) -> None:
    """Sections `driving` and `observations`."""
    period = values["period"]
    first, last = (period[key].date() for key in ("cold_start", "end"))
    if wishes.driving is not None:
        data = surroundings.driving_of(wishes.driving, first, last)
        # A coarse stream of its own, climatological samples and the like belong to the old driving data.
        values["driving"] = {"first_guess_files": list(data.patterns)}
        for key, own in (("terrain_files", wishes.terrain), ("mask_files", wishes.mask)):
            if not own and (files := values["domain"].get(key)):
                values["domain"][key] = surroundings.terrain_beside(data, files)
        if data.title:
            comments["driving", "first_guess_files"] = f"{data.title}."
    elif not values.get("driving", {}).get("first_guess_files"):
        raise ConfigError(
            f"A new experiment needs driving data: give --driving with one of {', '.join(surroundings.DRIVING)}, or a "
            "pattern of files"
        )
    if wishes.steady:
        values["driving"]["steady"] = True
        comments["driving", "steady"] = "The analysis of the start is held constant: no weather comes in from outside."
    if wishes.forecast_only:
        if wishes.observations:
            raise ConfigError("--forecast-only is without observations; leave --observations out")
        values.pop("observations", None)
        values.setdefault("assimilation", {})["engine"] = "none"
        comments["assimilation", "engine"] = (
            "The model alone, without observations: for kaiseki forecast FILE --from driving."
        )
        return
    observations = values.setdefault("observations", {})
    if wishes.observations:
        observations["files"] = list(wishes.observations)
    elif not (observations.get("files") or observations.get("sources")):
        refuse_the_future("The archive of observations is one of the past", last)
        if first < surroundings.FIRST_OBSERVATIONS:
            raise ConfigError(
                f"There is no archive of observations before {surroundings.FIRST_OBSERVATIONS}; name files of your own "
                "with --observations, or take --forecast-only"
            )
        observations["files"] = list(surroundings.OBSERVATIONS)
        comments["observations", "files"] = "PREPBUFR of the joint archive of NOAA and NASA."


def _sea(experiment: Experiment, domain: Domain, has_terrain: bool, values: dict[str, Any], comments: Comments) -> str:
    """Sea temperature and ice beside global analyses that hold none, where there is sea or may be; returns what the
    user has to name himself."""
    data = surroundings.without_sea(experiment.driving)
    known = has_terrain or experiment.domain.terrain != "files"
    if data is None or not experiment.physics.feels_sea or (known and bool((domain.land_fraction >= 1.0).all())):
        return ""
    files = surroundings.sea_files_for(experiment.period.cold_start)
    unknown = "" if known else " Where the domain turns out to hold no sea they may be left out."
    if not files:
        words = surroundings.sea_must_be_named(data)
        comments["driving", "first_guess_files"] = f"{data.title}. {words}.{unknown}"
        return words
    section = values["driving"]
    section["sea_temperature_files"] = list(files)
    section.setdefault("sea_ice_files", list(files))
    comments["driving", "sea_temperature_files"] = (
        f"The global analyses hold no sea temperature and no ice: those of OISST, in the same files.{unknown}"
    )
    return ""


def _domain(experiment: Experiment, data: Path | None) -> tuple[Domain, bool]:
    """The grid, over its terrain where all files of terrain and land are at hand."""
    section, there = experiment.domain, terrain_is_there(experiment, data)
    if not there:
        section = dataclasses.replace(section, terrain="flat")
    return domain_from_section(section, data, experiment.case.name), there


def _engine(experiment: Experiment, domain: Domain, values: dict[str, Any], comments: Comments) -> None:
    """3D-FGAT where the domain is too small for the coarser grids of the usual engine."""
    from kaiseki.grid.coarsening import Coarsening

    own = experiment.assimilation
    try:
        for factor in {*own.four_d_var.coarsening, own.ensemble.coarsening}:
            Coarsening.build(domain, factor)
    except ConfigError:
        section = values.setdefault("assimilation", {})
        if "engine" not in section:
            section["engine"] = "3dfgat"
            comments["assimilation", "engine"] = (
                "The domain is too small for the coarser grids of the engines with an inner model or an ensemble."
            )


def _time_step(
    experiment: Experiment, domain: Domain, has_terrain: bool, values: dict[str, Any], comments: Comments
) -> None:
    """A time step that spacing, map factor and terrain bear; nothing where JAX, and so the model, cannot be used."""
    try:
        from kaiseki.forecast.checks import longest_step_over_terrain
        from kaiseki.forecast.model import with_time_steps
    except (ImportError, RuntimeError):
        return
    section = values.setdefault("dynamics", {})
    if section.get("time_step"):
        return
    usual = with_time_steps(experiment.dynamics, domain).dt
    longest = longest_step_over_terrain(domain)
    every = math.gcd(3600, round(3600.0 * experiment.period.output_hours))
    most = min(usual, longest)
    section["time_step"] = float(max((step for step in range(1, int(most) + 1) if every % step == 0), default=1))
    if section["time_step"] < usual:
        words = f"Seconds; shorter than the spacing alone would bear, for terrain up to {domain.terrain.max():.0f} m."
    elif has_terrain:
        words = f"Seconds; what spacing and terrain (up to {domain.terrain.max():.0f} m) bear."
    else:
        words = "Seconds; what the spacing bears. Its terrain was not at hand, and may ask for a shorter one."
    comments["dynamics", "time_step"] = words


def commented(text: str, comments: Comments) -> str:
    """A TOML file with comments above its keys, wrapped."""
    import textwrap

    lines, table = [], ""
    for line in text.splitlines():
        if line.startswith("["):
            table = line.strip("[]")
        words = comments.get((table, line.partition(" = ")[0]))
        if words:
            lines += textwrap.wrap(words, 110, initial_indent="# ", subsequent_indent="# ")
        lines.append(line)
    return "\n".join(lines) + "\n"
