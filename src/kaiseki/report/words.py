"""Words of the report: names, numbers with units, credits, limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kaiseki.config import Experiment
from kaiseki.report.style import look
from kaiseki.verification.scores import SHOWN

FLAG_WORDS = (
    "outside the physical range",
    "heights and temperatures disagree",
    "superadiabatic",
    "wind shear",
    "duplicate",
    "position",
    "disagrees with neighbours",
    "too far from the background",
    "thinned",
    "outside the domain",
    "outside the window",
    "on a list of bad stations",
    "only monitored",
    "marked bad by the source",
    "no model equivalent",
    "no error known",
    "downweighted",
    "suspect",
)
"""Reasons in the order of the bits of `observations.Flag`."""

_LIMITS = (
    "The model is a first version with single-moment cloud physics and no convection scheme; at 20 to 60 km, "
    "precipitation is a by-product and is not assimilated.",
    "Satellite radiances, radar, GNSS delays, 2-m temperature and 10-m wind over land are not assimilated.",
    "Scores by station assume that stations err independently; with few stations an interval is itself uncertain, "
    "and below the minimum number of values no verdict is drawn.",
)
"""What every run of this version cannot do."""

_THREE_DIMENSIONAL = ("3dfgat", "optimal_interpolation")
"""Engines whose correction does not change within the window."""


def limits(engine: str, *, knows_errors: bool, surface: Mapping[str, str] | None = None) -> list[str]:
    """What a run cannot do.

    Args:
        engine: of its analysis.
        knows_errors: whether its archive holds the uncertainty of the analysis.
        surface: what its surface started from, as of `experiments.sea.surface_start`.
    """
    found = []
    if engine in _THREE_DIMENSIONAL:
        found.append(
            "The analysis is three-dimensional: observations are compared at their own times, but the correction is "
            "applied as one field."
        )
    if knows_errors:
        found.append(
            "The uncertainty of temperature, wind and pressure in the archive is only as good as the errors assumed of "
            "background and observations; it is given at the times of the analyses after the first, and clouds, "
            "precipitation and the ground have none."
        )
    else:
        found.append("The archive does not say how uncertain a single value is.")
    started = (surface or {}).values()
    if cold := [words.removeprefix("cold start: ") for words in started if words.startswith("cold start: ")]:
        found.append(f"The driving data told nothing of these, so the run started with: {'; '.join(cold)}.")
    return [*found, *_LIMITS]


_CREDITS = (
    (("prepbufr",), "Observations: NCEP PREPBUFR, NOAA National Centers for Environmental Prediction."),
    (("era5",), "ERA5: Copernicus Climate Change Service, ECMWF."),
    (("gfs", "gefs", "cfsr"), "Global analyses GFS, GEFS, CFSR: NOAA National Centers for Environmental Prediction."),
    (("jra",), "Japanese reanalyses: Japan Meteorological Agency."),
    (("merra",), "MERRA-2: NASA Global Modeling and Assimilation Office."),
    (("oisst",), "Sea-surface temperature: OISST v2, NOAA National Centers for Environmental Information."),
    (("sst_climatology", "sst"), "Sea-surface temperature: the files named in the experiment."),
    (("etopo",), "Terrain: ETOPO, NOAA National Centers for Environmental Information."),
    (("gtopo", "dem"), "Terrain: GTOPO30, U.S. Geological Survey."),
    (("lsmask",), "Land-sea mask: the files named in the experiment."),
    (("ne_",), "Coastlines: Natural Earth."),
    (("gshhs",), "Coastlines: GSHHG, P. Wessel and W. H. F. Smith."),
)


def credits(experiment: Experiment, sources: Iterable[tuple[str, str]]) -> list[str]:
    """Whom to thank: by the names of the files, and the sources and terms written in the observation table.

    Args:
        experiment: names the files.
        sources: (source, licence) pairs of the table.
    """
    files = [
        *experiment.observations.files,
        *experiment.driving.first_guess_files,
        *experiment.driving.sea_temperature_files,
        *experiment.driving.sea_ice_files,
        *experiment.domain.terrain_files,
        *experiment.domain.mask_files,
        *experiment.domain.coast_files,
    ]
    found: list[str] = []
    for names, sentence in _CREDITS:
        if any(name in file.lower() for file in files for name in names) and not (
            names[-1] == "sst" and any("sea-surface temperature" in text.lower() for text in found)
        ):
            found.append(sentence)
    if experiment.case.kind == "twin":
        found.append("Twin experiment: truth and observations were made by this program; no real data are shown.")
    for source, licence in sorted(set(sources)):
        if source:
            found.append(f"Reports: {source}" + (f" ({licence})." if licence else "."))
    return found


def level_words(level: Any) -> str:
    """ "850–250 hPa", "500 hPa", or nothing at the surface."""
    if level is None:
        return ""
    if isinstance(level, str):
        return level.replace("-", "–\u2060") + "\u00a0hPa"
    return f"{level / 100:g}\u00a0hPa"


def target_words(row: Mapping[str, Any]) -> str:
    """ "temperature, 850–250 hPa"."""
    name = SHOWN.get(row["variable"], (row["variable"].replace("_", " "), "", 1.0, 2))[0]
    level = level_words(row["level"])
    return f"{name}, {level}" if level else name


def unit(variable: str) -> str:
    """The unit a variable is shown in."""
    return SHOWN.get(variable, ("", "", 1.0, 2))[1]


def number(value: float | None, variable: str, *, sign: bool = False) -> str:
    """A value in the unit it is shown in; an en dash where there is none."""
    if value is None:
        return "–"
    _, _, factor, decimals = SHOWN.get(variable, ("", "", 1.0, 2))
    text = f"{value * factor:+.{decimals}f}" if sign else f"{value * factor:.{decimals}f}"
    return text.replace("-", "−")


def percent(part: float) -> str:
    """ "+42 %" of 0.42, "−0.3 %" of -0.003; a true minus sign."""
    text = _hundredths(part)
    return f"{text} %" if text == "0" or text[0] == "−" else f"+{text} %"


def _hundredths(part: float) -> str:
    """Number of "42 %" or "−0.3 %": tenths below one, so that a small part is not called none."""
    value = 100.0 * part
    text = f"{value:.0f}" if abs(value) >= 0.95 else f"{value:.1f}"
    return "0" if not float(text) else text.replace("-", "−")


def experiment_words(name: str) -> str:
    """How an experiment is called."""
    return look(name).label


def interval(low: float, high: float) -> str:
    """ "31 to 52 %" of 0.31 and 0.52; a true minus sign."""
    return f"{_hundredths(low)} to {_hundredths(high)} %"


def tiles(cards: Sequence[Mapping[str, Any]], unit_of_n: str) -> list[dict[str, str]]:
    """What the scorecard says about the run without assimilation, one tile per quantity."""
    result = []
    for row in cards:
        if row["baseline"] != "free_run":
            continue
        what = target_words(row)
        detail = f"{interval(row['reduction_low'], row['reduction_high'])}, {row['n']} {unit_of_n}"
        size = f"{_hundredths(abs(row['reduction']))} %"
        match row["verdict"]:
            case "better":
                number_, word = size, "smaller error"
            case "worse":
                number_, word = size, "larger error"
            case "too few":
                number_, word, detail = "–", "no verdict", f"only {row['n']} {unit_of_n}"
            case _:
                number_, word = "≈", "no difference shown"
        result.append(
            {"number": number_, "word": word, "what": what, "detail": detail, "class": row["verdict"].replace(" ", "-")}
        )
    return result
