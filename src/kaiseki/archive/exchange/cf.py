"""A dataset as the CF conventions want it in a file: roles of the variables, grid mapping with WKT, times, fill values.

Source: NetCDF Climate and Forecast Metadata Conventions 1.11, sections 2.5.1 (no fill value in coordinates), 4.4
(`units_metadata` of time), 3.1.2 (of temperature), 5.6 (grid mapping with `crs_wkt`), 8.1 (packed data).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import xarray as xr

from kaiseki.archive.selection.inputs import need_dataset
from kaiseki.archive.store.metadata import CONVENTIONS, program_version
from kaiseki.archive.store.schema import PERIOD_ATTRIBUTES, REFERENCE_TIME, TIME_ATTRIBUTES
from kaiseki.core.proj import pyproj
from kaiseki.core.variables import VARIABLES

TIME_UNITS: Final = TIME_ATTRIBUTES["units"]
PERIOD_UNITS: Final = PERIOD_ATTRIBUTES["units"]

_OF_ONE_TYPE: Final = {"flag_values", "flag_masks", "valid_min", "valid_max", "valid_range"}
"""Attributes whose type must be that of the values (CF 2.5.1 and 3.5); documents of Zarr do not keep it."""

_MAPS: Final = (("y", "x"), ("lat", "lon"))
_POINTERS: Final = ("coordinates", "grid_mapping", "formula_terms", "bounds", "climatology")
_PARAMETRIC: Final = "atmosphere_hybrid_height_coordinate"


def cf_dataset(dataset: xr.Dataset, done: str) -> xr.Dataset:
    """A dataset whose attributes say all that CF asks of a file; encodings of other formats are gone.

    The values are not read. Grid mapping and terms of formulas become plain variables, for in a file they are
    coordinates of nothing; `coordinates` of each variable lists what belongs to it. Where a term of the vertical
    coordinate is missing, the coordinate keeps its words but not the standard name that promises it. Civil times
    (`local_time`) are left out.

    Args:
        dataset: as `kaiseki.open` or a product gives it.
        done: what is being done to it, for the history: "exported to NetCDF".

    Returns:
        A dataset of the same lazy arrays; its variables hold no encoding, all is in their attributes.
    """
    # Times in a file are UTC; a civil time beside them would be read as such.
    result = (
        need_dataset(dataset)
        .drop_vars([name for name, one in dataset.coords.items() if "time_zone" in one.attrs])
        .copy()
    )
    for variable in result.variables.values():
        pointers = {name: variable.encoding[name] for name in _POINTERS if name in variable.encoding}
        variable.attrs = _cleaned({**pointers, **variable.attrs})
        variable.encoding = {}
    for variable in result.variables.values():
        for key in ("bounds", "climatology"):
            if variable.attrs.get(key, "") not in result.variables:
                variable.attrs.pop(key, None)
    _set_vertical(result)
    helpers = _helpers(result)
    for name in result.data_vars:
        if name not in helpers:
            _set_grid_mapping(result, str(name))
            _set_coordinates(result, str(name), helpers)
    spare = {str(one) for one in result.coords if one not in result.dims and not _is_place_or_time(result, str(one))}
    for name in (helpers | spare) & set(result.variables):
        result[name].attrs.pop("coordinates", None)
        _set_wkt(result[name].attrs)
        if result[name].ndim >= 2 and name not in bounds_of(result):
            _set_grid_mapping(result, name)
            _set_coordinates(result, name, helpers)
    for variable in result.variables.values():
        _set_units_metadata(variable)
        for key in _OF_ONE_TYPE & variable.attrs.keys():
            variable.attrs[key] = np.asarray(variable.attrs[key], variable.dtype)
    used = {one for variable in result.variables.values() for one in str(variable.attrs.get("coordinates")).split()}
    unused = [n for n, one in result.coords.items() if not one.dims and str(n).startswith("height_") and n not in used]
    result = result.drop_vars(unused).reset_coords([name for name in sorted(helpers | spare) if name in result.coords])
    now = datetime.now(UTC).isoformat("T", "seconds").replace("+00:00", "Z")
    earlier = [str(dataset.attrs["history"])] if dataset.attrs.get("history") else []
    history = "\n".join([*earlier, f"{now} {done} by Kaiseki {program_version()}"])
    result.attrs = _cleaned({**dataset.attrs, "Conventions": CONVENTIONS, "history": history})
    return result


def is_coordinate(dataset: xr.Dataset, name: str) -> bool:
    """Whether a variable of a dataset of `cf_dataset` may have no fill value: coordinates, their bounds and helpers."""
    return name in dataset.coords or name in _helpers(dataset)


def bounds_of(dataset: xr.Dataset) -> set[str]:
    """Names of the variables that are bounds of coordinates."""
    keys = ("bounds", "climatology")
    return {variable.attrs[key] for variable in dataset.variables.values() for key in keys if key in variable.attrs}


def times_along(dataset: xr.Dataset) -> str | None:
    """Name of the dimension along which days and files are told apart; None if there is no time."""
    return next((name for name in (REFERENCE_TIME, "time") if name in dataset.dims), None)


def _is_empty(value: Any) -> bool:
    return isinstance(value, str) and not value


def _cleaned(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes that a file can hold: None and empty text left out."""
    return {str(name): value for name, value in attributes.items() if value is not None and not _is_empty(value)}


def _terms(variable: xr.Variable) -> list[str]:
    """Variables that the formula of a vertical coordinate names."""
    return str(variable.attrs.get("formula_terms", "")).split()[1::2]


def _helpers(dataset: xr.Dataset) -> set[str]:
    """Variables that others point at by name: grid mappings, terms of formulas that are no axis, bounds."""
    found = bounds_of(dataset)
    for name, variable in dataset.variables.items():
        if "grid_mapping_name" in variable.attrs:
            found.add(str(name))
        found |= {term for term in _terms(variable) if term not in dataset.dims and term != name}
    return found & {str(name) for name in dataset.variables}


def _set_vertical(dataset: xr.Dataset) -> None:
    """Take the standard name from a parametric coordinate whose terms are not all there."""
    for variable in dataset.variables.values():
        if variable.attrs.get("standard_name") == _PARAMETRIC and not (
            _terms(variable) and all(term in dataset.variables for term in _terms(variable))
        ):
            for name in ("standard_name", "formula_terms", "computed_standard_name"):
                variable.attrs.pop(name, None)


def _set_grid_mapping(dataset: xr.Dataset, name: str) -> None:
    """The grid mapping of a variable on the map, if the dataset has one."""
    variable = dataset[name].variable
    mappings = [str(key) for key, other in dataset.variables.items() if "grid_mapping_name" in other.attrs]
    on_map = any(set(axes) <= set(variable.dims) for axes in _MAPS)
    variable.attrs.pop("grid_mapping", None)
    if on_map and mappings:
        variable.attrs["grid_mapping"] = mappings[0]


def _set_coordinates(dataset: xr.Dataset, name: str, helpers: set[str]) -> None:
    """The auxiliary and scalar coordinates of a variable, and the flags of its times and cells."""
    variable = dataset[name].variable
    listed = str(variable.attrs.pop("coordinates", "")).split()
    along = [
        str(other)
        for other, coordinate in dataset.coords.items()
        if other != name
        and other not in dataset.dims
        and other not in helpers
        and set(coordinate.dims) <= set(variable.dims)
        and (str(other) in listed or not _is_of_others(dataset, name, str(other)))
    ]
    order = {"lat": 0, "lon": 1}
    chosen = sorted((one for one in along if _is_place_or_time(dataset, one)), key=lambda other: order.get(other, 2))
    flags = [one for one in along if one not in chosen and "flag_meanings" in dataset[one].attrs]
    for key, names in (("coordinates", chosen), ("ancillary_variables", flags)):
        if names:
            variable.attrs[key] = " ".join(names)


def _is_place_or_time(dataset: xr.Dataset, coordinate: str) -> bool:
    """Whether a coordinate of xarray is one of CF: scalars, labels, and what says where or when; not land or flags."""
    variable = dataset[coordinate].variable
    return (
        not variable.dims or variable.dtype.kind in "UOM" or variable.attrs.get("standard_name") in _OF_PLACE_AND_TIME
    )


_OF_PLACE_AND_TIME: Final = (
    "latitude", "longitude", "altitude", "height", "depth", "air_pressure", "time", "forecast_reference_time",
    "forecast_period",
)  # fmt: skip
"""Standard names of auxiliary coordinates."""


def _is_of_others(dataset: xr.Dataset, name: str, coordinate: str) -> bool:
    """Whether a vertical coordinate belongs to other variables than this one, though its dimensions would allow it.

    A scalar height above ground is that of the variables whose names end as its own does ("height_2m",
    "temperature_2m"). A level that was chosen, with its altitude, is that of fields of the air or soil.
    """
    if not dataset[coordinate].dims and coordinate.startswith("height_"):
        return not name.endswith(coordinate.removeprefix("height"))
    kind = _LEVELS_OF.get(coordinate)
    if kind is None or set(dataset[coordinate].dims) & set(_LEVELS_OF):
        return False
    axes = set(map(str, dataset[name].dims)) & set(_LEVELS_OF)
    return bool(axes) or (VARIABLES[name].levels != kind if name in VARIABLES else False)


_LEVELS_OF: Final = {
    "level": "air", "altitude": "air", "pressure": "air", "height": "air", "soil_level": "soil"
}  # fmt: skip
"""Vertical coordinates -> `levels`, in the table of variables, of the fields that they belong to."""


def _set_wkt(attributes: dict[str, Any]) -> None:
    """The grid mapping as WKT beside its numbers (CF 5.6: both say the same)."""
    if "grid_mapping_name" not in attributes:
        return
    for name in [name for name, value in attributes.items() if np.ndim(value) == 1 and np.size(value) == 1]:
        attributes[name] = np.asarray(attributes[name]).item()
    if attributes["grid_mapping_name"] == "lambert_conformal_conic" and np.size(attributes["standard_parallel"]) == 1:
        # Older stores name the one parallel of a tangent cone, which PROJ and GDAL take for the origin of y.
        attributes["standard_parallel"] = [attributes["standard_parallel"]] * 2
    attributes["crs_wkt"] = pyproj.CRS.from_cf({k: v for k, v in attributes.items() if k != "crs_wkt"}).to_wkt()


def _set_units_metadata(variable: xr.Variable) -> None:
    """What CF-1.11 asks to know of units: whether temperatures are differences, whether times count leap seconds."""
    attributes = variable.attrs
    if attributes.get("units") == "K" and "temperature" in str(attributes.get("standard_name", "")):
        spread = "standard_error" in attributes["standard_name"]
        attributes.setdefault("units_metadata", f"temperature: {'difference' if spread else 'on_scale'}")
    if np.issubdtype(variable.dtype, np.datetime64) and attributes.get("standard_name") == "time":
        attributes["units_metadata"] = "leap_seconds: none"
