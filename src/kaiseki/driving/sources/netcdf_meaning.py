"""What NetCDF files say of their fields in attributes and coordinates, beside names, units and times."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.driving.sources.layouts import MEMBER, TIME, VERSION
from kaiseki.driving.sources.origin import MEAN, check_versions, version_name

AVERAGES = ("tavg", "time-averaged", "time_averaged", "averaged reanalysis")
"""Words in a file's own description of itself that say that its fields are means over time."""
_PERIODS = re.compile(r"\b(hourly|daily|monthly|seasonal|annual|yearly)[ _-]?(mean|averag|statistic|maxim|minim)")
STATISTICS = ("es", "ses", "ef", "ea", "4i", "ep", "fp", "cl", "cd", "me", "eme", "taem", "taes")
"""Types of ECMWF's archive (GRIB_dataType) that are no state of the atmosphere."""
LEVEL_TYPES = ("isobaricInhPa", "isobaricInPa", "hybrid", "unknown")
"""Kinds of levels (GRIB_typeOfLevel) on which the state may stand."""
ABOVE_GROUND = re.compile(
    r"from_?ground|above[ _-]?(the[ _-])?(ground|surface)|difference|depth|thickness", re.IGNORECASE
)
"""Names and descriptions of pressure that is counted from the ground."""
SIGMA = ("hybrid", "sigma")
"""Words in the description of levels whose numbers are no pressure, though a unit may say so."""


def file_words(attributes: dict[str, object]) -> str:
    """What a file says of itself, in lower case."""
    known = {k.lower(): str(v).lower() for k, v in attributes.items()}
    return " ".join(known.get(k, "") for k in ("filename", "longname", "title", "comment", "shortname"))


def refuse_means(path: Path, attributes: dict[str, object]) -> None:
    """Refuse a file whose own description says that its fields are means over time; InputError says by which word."""
    if word := period_word(file_words(attributes)):
        raise InputError(
            f"{path}: says of itself that its fields are means over time ({word}); "
            "give instantaneous analyses or forecasts."
        )


def period_word(text: str) -> str | None:
    """What in a description says that something is a statistic over time."""
    text = text.lower()
    found = _PERIODS.search(text)
    return found.group(0) if found else next((word for word in AVERAGES if word in text), None)


def _methods(text: str) -> list[tuple[set[str], str]]:
    """Dimensions and method of each part of the attribute cell_methods, such as "area: time: mean (interval: 1 h)"."""
    parts, names = [], set()
    for token in re.findall(r"[\w-]+\s*:|[\w-]+", re.sub(r"\([^)]*\)", " ", text.lower())):
        if token.endswith(":"):
            names.add(token[:-1].strip())
        elif names:
            parts.append((names, token))
            names = set()
    return parts


def statistic_of(variable: xr.DataArray, time_names: Collection[str]) -> str | None:
    """What says that a variable is no field of one run at an instant, None if nothing does."""
    step = str(variable.attrs.get("GRIB_stepType", "instant"))
    if step not in ("instant", "unknown"):
        return f"GRIB_stepType {step}"
    if (kind := str(variable.attrs.get("GRIB_dataType", ""))) in STATISTICS:
        return f"GRIB_dataType {kind}"
    names = {n.lower() for n in (*time_names, *TIME, "t")}
    for over, method in _methods(str(variable.attrs.get("cell_methods", ""))):
        if over & names and method != "point":
            return f"cell_methods time: {method}"
        if over & set(MEMBER) and method not in ("point", "mean"):
            return f"cell_methods realization: {method}"
    word = period_word(str(variable.attrs.get("long_name", "")))
    return None if word is None else f"long_name {word}"


def over_of(variable: xr.DataArray, time_names: Collection[str]) -> str:
    """Whether a variable is a "sum" or "mean" over time or of an "instant"; empty where it does not say.

    Raises:
        InputError: it is another statistic; the text begins with what it is.
    """
    kinds = {"instant": "instant", "accum": "sum", "avg": "mean", "unknown": ""}
    step = str(variable.attrs.get("GRIB_stepType", "unknown"))
    if step not in kinds:
        raise InputError(f"it is a {step} over time")
    if (kind := str(variable.attrs.get("GRIB_dataType", ""))) in STATISTICS:
        raise InputError(f"it is no field of one run (GRIB_dataType {kind})")
    names = {n.lower() for n in (*time_names, *TIME, "t")}
    found = kinds[step]
    for over, method in _methods(str(variable.attrs.get("cell_methods", ""))):
        if over & set(MEMBER) and method not in ("point", "mean"):
            raise InputError(f"it is a {method} of an ensemble")
        if not over & names:
            continue
        if method not in ("point", "sum", "mean"):
            raise InputError(f"it is a {method} over time")
        of_cells = "instant" if method == "point" else method
        if found and found != of_cells:
            raise InputError(f"its cell_methods say {method} and its GRIB_stepType {step}")
        found = of_cells
    return found


def member_of(where: str, raw: xr.Dataset, variable: xr.DataArray) -> str:
    """Member of a variable, as of `origin.Origin`.

    Raises:
        InputError: it holds several.
    """
    methods = _methods(str(variable.attrs.get("cell_methods", "")))
    if variable.attrs.get("GRIB_dataType") == "em" or any(over & set(MEMBER) for over, _ in methods):
        return MEAN
    name = next((n for n in MEMBER if n in raw.variables and (n in variable.coords or raw[n].ndim == 0)), None)
    if name is None:
        return ""
    numbers = np.unique(raw[name].values)
    if numbers.size > 1:
        raise InputError(f"{where} holds {numbers.size} members; give a file of one member.")
    number = numbers[0]
    return str(int(number)) if np.issubdtype(numbers.dtype, np.number) and np.isfinite(number) else str(number)


def versions_of(where: str, raw: xr.Dataset, dims: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Version (expver) at each of `count` times on some dimensions, empty where the file does not tell.

    Raises:
        InputError: it holds versions that do not follow each other.
    """
    if VERSION not in raw.variables:
        return ()
    stated = raw[VERSION]
    names = [version_name(value) for value in np.atleast_1d(stated.values).ravel()]
    names = [name for name in names if name.strip("0")]
    check_versions(where, names)
    if len(set(names)) == 1:
        return (names[0],) * count
    return tuple(names) if tuple(map(str, stated.dims)) == dims and len(names) == count else ()


def check_axes(path: Path, raw: xr.Dataset, latitude: str, longitude: str) -> None:
    """Refuse axes that are not latitude and longitude in degrees.

    Raises:
        InputError: names the axis and what it is.
    """
    for name, meaning, towards in ((latitude, "latitude", "north"), (longitude, "longitude", "east")):
        standard = str(raw[name].attrs.get("standard_name", meaning)).lower()
        units = str(raw[name].attrs.get("units", "degrees")).lower()
        right = units.startswith("deg") or units in ("", "°")
        turned = "_" in units and not units.rsplit("_", 1)[1].startswith(towards[0])
        if standard.startswith(("grid_", "projection_")) or not right or turned:
            raise InputError(
                f"{path}: {name} is {standard} in {units}; expected {meaning} in degrees_{towards}: only grids of "
                "latitude and longitude are read, not rotated or projected ones."
            )


def check_mapping(where: str, raw: xr.Dataset, variable: xr.DataArray) -> None:
    """Refuse a variable on a grid mapping other than latitude and longitude; InputError names it."""
    stated = str(variable.attrs.get("grid_mapping", variable.encoding.get("grid_mapping", "")))
    for name in re.split(r"[\s:]+", stated):
        kind = str(raw[name].attrs.get("grid_mapping_name", "")) if name in raw.variables else ""
        if kind not in ("", "latitude_longitude"):
            raise InputError(
                f"{where} is on the grid mapping {kind}; only latitude_longitude is read in NetCDF, so regrid it."
            )


def check_pressure_axis(where: str, name: str, text: str, model_level: bool) -> None:
    """Refuse an axis in units of pressure whose numbers are no pressure; InputError says what they are.

    Args:
        where: for messages.
        name, text: of the axis: its name and its description in lower case.
        model_level: whether its name is one of model levels.
    """
    if model_level or any(word in text for word in SIGMA):
        raise InputError(
            f"{where}: the levels of {name} are hybrid or sigma levels by their description, but have a unit of "
            "pressure; give their numbers and the coefficients, or pressure levels."
        )
    if ABOVE_GROUND.search(name) or ABOVE_GROUND.search(text):
        raise InputError(f"{where}: the levels of {name} are counted from the ground; leave the variable out.")


def listed(left_out: Sequence[str]) -> str:
    """Reasons for which variables are left out, for a message."""
    return "; ".join(left_out[:6]) + (f"; and {len(left_out) - 6} more" if len(left_out) > 6 else "")
