"""Conversion of units on request, with a table of conversions of its own in the spelling of CF (UDUNITS)."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr

from kaiseki.archive.selection.inputs import need_dataset
from kaiseki.archive.selection.lazy import floating, mapped
from kaiseki.archive.selection.names import found
from kaiseki.core.constants import FREEZING
from kaiseki.core.errors import InputError


@dataclass(frozen=True)
class Unit:
    """A unit: a value v in it is (v + `offset`) x `numerator` / `denominator` in the first unit of its kind.

    Whole numbers keep the conversion exact to the rounding of the result.
    """

    kind: str
    numerator: float = 1.0
    denominator: float = 1.0
    offset: float = 0.0


TABLE: Final[Mapping[str, Unit]] = {
    "K": Unit("temperature"),
    "degC": Unit("temperature", offset=FREEZING),
    "degF": Unit("temperature", 5.0, 9.0, FREEZING * 1.8 - 32.0),
    "m s-1": Unit("speed"),
    "km h-1": Unit("speed", 10.0, 36.0),
    "kt": Unit("speed", 1852.0, 3600.0),
    "Pa": Unit("pressure"),
    "hPa": Unit("pressure", 100.0),
    "kPa": Unit("pressure", 1000.0),
    "m": Unit("length"),
    "km": Unit("length", 1000.0),
    "ft": Unit("length", 0.3048),
    "1": Unit("ratio"),
    "kg kg-1": Unit("ratio"),
    "g kg-1": Unit("ratio", 1.0, 1000.0),
    "%": Unit("ratio", 1.0, 100.0),
    "kg m-2": Unit("amount of water"),
    "mm": Unit("amount of water"),
    "cm": Unit("amount of water", 10.0),
    "W m-2": Unit("flux"),
    "MJ m-2 h-1": Unit("flux", 1e6, 3600.0),
    "kg m-3": Unit("density"),
    "Pa s-1": Unit("vertical velocity in pressure"),
    "hPa h-1": Unit("vertical velocity in pressure", 100.0, 3600.0),
}
"""Units by their spelling; the first of each kind is SI. A depth of water in mm is the amount in kg m-2."""

_METRE_OF_WATER: Final = Unit("amount of water", 1000.0)
"""A depth of water of 1 m; the same word as the metre of a length."""

_ALIASES: Final[Mapping[str, str]] = {
    "°C": "degC", "Celsius": "degC", "celsius": "degC", "degree_Celsius": "degC", "kelvin": "K", "°F": "degF",
    "m/s": "m s-1", "km/h": "km h-1", "knot": "kt", "knots": "kt", "mbar": "hPa", "millibar": "hPa", "percent": "%",
    "g/kg": "g kg-1", "kg/kg": "kg kg-1", "W/m2": "W m-2", "kg/m2": "kg m-2", "metre": "m", "meter": "m",
    "kph": "km h-1", "kmh": "km h-1", "km/hr": "km h-1", "mps": "m s-1", "m/sec": "m s-1",
}  # fmt: skip

_AS_DEPTH: Final[Mapping[str, str]] = {
    "precipitation_amount": "lwe_thickness_of_precipitation_amount",
    "snowfall_amount": "lwe_thickness_of_snowfall_amount",
    "surface_snow_amount": "lwe_thickness_of_surface_snow_amount",
}
"""CF standard names of amounts of water [kg m-2] as depths [m, or mm]."""

FAMILIES: Final[Mapping[str, Callable[[xr.Variable], bool]]] = {
    "wind": lambda one: _kind(one) == "speed" and "wind" in str(one.attrs.get("standard_name", "")),
    "temperature": lambda one: _kind(one) == "temperature",
    "pressure": lambda one: _kind(one) == "pressure",
    "precipitation": lambda one: _kind(one) == "amount of water" and one.attrs.get("cell_methods") == "time: sum",
}
"""Words that stand for all variables of a kind, whatever their height."""

_RANGES: Final = ("valid_min", "valid_max", "valid_range", "actual_range", "missing_value")
_PACKING: Final = ("scale_factor", "add_offset", "dtype", "_FillValue", "missing_value", "filters", "compressors")


def unit(text: str) -> Unit:
    """The unit of a spelling.

    Raises:
        InputError: it is not in the table; the message names the nearest.
    """
    name = _ALIASES.get(text.strip(), " ".join(text.split()))
    if name in TABLE:
        return TABLE[name]
    lower = {one.lower(): one for one in (*_ALIASES, *TABLE)}
    near = [lower[one] for one in difflib.get_close_matches(name.lower(), lower, n=1)]
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(TABLE)}"
    raise InputError(f"The unit {text!r} is not known; {hint}")


def converted(values: np.ndarray, old: Unit, new: Unit, *, difference: bool = False) -> np.ndarray:
    """Values in another unit of the same kind, worked out in double precision and rounded once to their own type.

    Args:
        values: in the old unit.
        old: unit that they have.
        new: unit wanted.
        difference: whether they are differences, such as uncertainties, to which no zero point belongs.
    """
    exact = np.asarray(values, float)
    if not difference and old.offset:
        exact = exact + old.offset
    up, down = old.numerator * new.denominator, old.denominator * new.numerator
    if up != down:
        exact = exact * up / down
    if not difference and new.offset:
        exact = exact - new.offset
    return np.asarray(exact, floating(np.asarray(values).dtype))


def in_si(variable: xr.Variable, kind: str, name: str) -> Callable[[np.ndarray], np.ndarray]:
    """A function that turns values of a variable into SI, in double precision.

    Raises:
        InputError: the unit of the variable is missing or of another kind.
    """
    text = variable.attrs.get("units")
    if text is None:
        raise InputError(f"The variable {name} has no units; expected a {kind}")
    old = unit(str(text))
    if old.kind != kind:
        raise InputError(f"The variable {name} is in {text!r}; expected a {kind}")
    new = next(one for one in TABLE.values() if one.kind == kind)
    return lambda values: converted(np.asarray(values, float), old, new)


def units(dataset: xr.Dataset, wanted: Mapping[str, str]) -> xr.Dataset:
    """A dataset with chosen variables in other units; values are converted when they are asked for.

    Values are exact cell by cell: converted in double precision, rounded once. The attribute `units` and those of
    ranges change with them; an amount of water asked for as its depth (mm, cm, m) takes CF's standard name of depths.
    An uncertainty is a difference and is not shifted by the zero point of a scale.

    Args:
        dataset: from `kaiseki.open`, or after a selection.
        wanted: unit by name of variable (internal, CF or Japanese), or by one of the words "wind", "temperature",
            "pressure" and "precipitation", which stand for all variables of that kind and, for pressure, for the axis
            of pressure levels. Units in the spelling of CF: degC, degF, kt, km h-1, hPa, mm, %, g kg-1 ...

    Raises:
        InputError: a name or unit that is not known, or a unit of another kind.
    """
    need_dataset(dataset)
    if not isinstance(wanted, Mapping) or not all(isinstance(text, str) for text in wanted.values()):
        raise InputError(f"Units are given by variable, such as {{'temperature': 'degC'}}, not as {wanted!r}")
    changed: dict[Hashable, xr.Variable] = {}
    given: dict[Hashable, str] = {}
    for name, text in wanted.items():
        new = unit(text)
        for key in _meant(dataset, name):
            if given.setdefault(key, text) != text:
                raise InputError(f"Two units were given for {key}: {given[key]!r} and {text!r}; give one")
            changed[key] = _changed(dataset[key].variable, str(key), new, " ".join(text.split()))
    result = dataset
    for key, variable in changed.items():
        if key in dataset.dims:
            result = result.assign_coords({key: (variable.dims, variable.values, variable.attrs)})
        else:
            result = result.assign_coords({key: variable}) if key in dataset.coords else result.assign({key: variable})
    return result


def _meant(dataset: xr.Dataset, name: str) -> list[Hashable]:
    """Variables that a name or the word of a family stands for."""
    if name in FAMILIES:
        axis = [name] if name == "pressure" and name in dataset.dims else []
        members = [key for key, one in dataset.data_vars.items() if FAMILIES[name](one.variable)]
        if members or axis:
            return [*members, *axis]
        if name not in dataset.variables:
            held = ", ".join(map(str, dataset)) or "no variables"
            raise InputError(f"The dataset has no {name} that could be converted; it has {held}")
    if name in dataset.coords and name not in dataset.data_vars and "units" in dataset[name].attrs:
        return [name]
    return list(found(dataset, name))


def _kind(variable: xr.Variable) -> str | None:
    """Kind of the quantity of a variable by its unit, None where that is not in the table."""
    text = str(variable.attrs.get("units", ""))
    row = TABLE.get(_ALIASES.get(text, text))
    return None if row is None else row.kind


def _changed(variable: xr.Variable, name: str, new: Unit, text: str) -> xr.Variable:
    """One variable in another unit."""
    if "units" not in variable.attrs:
        raise InputError(f"The variable {name} has no units, so that it cannot be converted to {text!r}")
    old = unit(str(variable.attrs["units"]))
    if old.kind == "amount of water" and new == TABLE["m"]:
        new = _METRE_OF_WATER
    if old.kind != new.kind:
        raise InputError(
            f"The variable {name} is in {variable.attrs['units']!r} and cannot be converted to {text!r}: "
            f"the one is a {old.kind}, the other a {new.kind}"
        )
    standard = str(variable.attrs.get("standard_name", ""))
    difference = standard.endswith(" standard_error")
    attributes: dict[Any, Any] = dict(variable.attrs)
    spelled = _ALIASES.get(text, text)
    for key, value in variable.attrs.items():
        if isinstance(value, str):
            continue
        if key in _RANGES:
            attributes[key] = converted(np.asarray(value, float), old, new, difference=difference).tolist()
        elif str(key).endswith("maximum_absolute_error"):
            attributes[key] = float(converted(np.asarray(value, float), old, new, difference=True))
    attributes["units"] = spelled
    if spelled in ("mm", "cm", "m") and standard in _AS_DEPTH:
        attributes["standard_name"] = _AS_DEPTH[standard]
    if old.kind == "temperature" and spelled != "K":
        attributes["units_metadata"] = f"temperature: {'difference' if difference else 'on_scale'}"
    result = mapped(
        variable,
        lambda values: converted(values, old, new, difference=difference),
        floating(variable.dtype),
        attributes,
    )
    result.encoding = {key: value for key, value in variable.encoding.items() if key not in _PACKING}
    return result
