"""Fields of a dataset on their way to messages of GRIB 2: checked, put on the grid, packed in the order of JMA."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.archive.exchange.ahead import read_ahead
from kaiseki.archive.exchange.grib2_grids import GribGrid
from kaiseki.archive.exchange.grib2_settings import Grib2File, Grib2Settings
from kaiseki.archive.exchange.jma_form import FORMS, Form, Parameter
from kaiseki.archive.products.derived import derived_fields
from kaiseki.archive.products.pressure_levels import HEIGHT, JMA_PRESSURE_LEVELS, on_pressure_levels
from kaiseki.archive.selection import inputs
from kaiseki.core.errors import InputError
from kaiseki.core.files import whole_file
from kaiseki.core.timing import format_utc, to_datetime
from kaiseki.core.variables import VARIABLES, Variable
from kaiseki.formats.grib import writing

LEAD, START = "forecast_period", "forecast_reference_time"
STATISTICS = {"time: mean": 0, "time: sum": 1}
"""Code table 4.10 by cell method."""
NEEDS: Mapping[str, tuple[str, ...]] = {
    "mean_sea_level_pressure": ("pressure", "temperature", "altitude", "terrain"),
    "surface_pressure": ("pressure", "temperature", "altitude", "terrain"),
    "relative_humidity_2m": ("temperature_2m", "specific_humidity_2m", "surface_pressure"),
    "omega": ("w", "pressure", "temperature", "qv"),
    "relative_humidity": ("pressure", "temperature", "qv"),
}
"""What derived fields are made of (`products.derived_fields`)."""
WINDS = {"eastward_wind": "northward_wind", "eastward_wind_10m": "northward_wind_10m"}


@dataclass(frozen=True)
class _Moment:
    """Time of a dataset: where it lies in it, from when it counts, for when it is valid, over what sums go."""

    place: Mapping[str, int]
    reference: datetime
    valid: datetime
    start: datetime | None


@dataclass
class _Record:
    """What has been written to a file so far."""

    fields: int = 0
    errors: dict[str, float] = field(default_factory=dict)


class Export:
    """Fields of a dataset on their way to files of one form and grid."""

    def __init__(self, dataset: xr.Dataset, form: Form, grid: GribGrid, settings: Grib2Settings) -> None:
        self.form, self.grid, self.settings = FORMS[form], grid, settings
        self.interpolated = form == "pressure" and "level" in dataset.dims
        names = [one.variable for one in self.form.parameters if one.variable]
        if settings.variables is not None:
            names = _chosen(names, settings.variables, form)
        given = [name for name in names if name in dataset or (self.interpolated and name == HEIGHT)]
        self.derived = [name for name in names if name not in given and _has(dataset, NEEDS.get(name))]
        self.present = [one for one in self.form.parameters if one.variable in (*given, *self.derived)]
        if not self.present:
            raise InputError(f"The dataset has no field of the form {form!r}, which are {', '.join(names)}")
        upright = () if form == "surface" else ("level",) if self.interpolated else ("pressure",)
        for name in given:
            if name in dataset:
                _check(dataset[name], name, (*upright, *grid.dims))
        for name in sorted({part for one in self.derived for part in NEEDS[one]}):
            if name in dataset.data_vars:
                _check(dataset[name], name, grid.dims)
        _check_winds(given)
        self.levels = np.array([np.nan])
        if form == "pressure":
            self.levels = np.array(JMA_PRESSURE_LEVELS) if self.interpolated else _levels(dataset)
        if "pressure" in dataset.dims and form == "pressure":
            dataset = dataset.sel(pressure=self.levels)
        self.dataset = read_ahead(dataset)
        self.kind = _kind_of(dataset)
        self.moments = list(_moments(dataset, any(_statistic(one) is not None for one in self.present)))

    def by_file(self) -> Iterator[list[_Moment]]:
        """Moments of each file: those of one reference time."""
        for reference in sorted({one.reference for one in self.moments}):
            yield [one for one in self.moments if one.reference == reference]

    def name(self, moments: Sequence[_Moment]) -> str:
        """Name of the file of some moments of one reference time."""
        step = {"analysis": "ANAL", "imported": "DATA"}.get(self.kind, "GUES")
        if self.kind == "forecast":
            leads = [(one.valid - one.reference) / timedelta(hours=1) for one in moments]
            step = f"FH{math.floor(min(leads)):02d}-{math.ceil(max(leads)):02d}"
        start = f"{self.settings.originator}_{moments[0].reference:%Y%m%d%H%M%S}"
        return f"{start}_RRA_GPV_{self.grid.label}_{self.form.label}_{step}_grib2.bin"

    def write(self, path: Path, moments: Sequence[_Moment]) -> Grib2File:
        """Write the fields of some moments to a file, whole or not at all."""
        record = _Record()
        messages = self._messages(moments, record)
        with whole_file(path) as scratch, scratch.open("wb") as stream:
            for message in writing.joined(messages) if self.settings.one_message else messages:
                stream.write(message)
            if record.fields == 0:
                raise InputError(f"No field has a value at {_label(moments[0].valid)}; nothing was written")
        lacking = tuple(one.abbreviation for one in self.form.parameters if one.abbreviation not in record.errors)
        return Grib2File(path, record.fields, lacking, record.errors)

    def _messages(self, moments: Sequence[_Moment], record: _Record) -> Iterator[bytes]:
        for moment in moments:
            fields = self._fields(moment)
            for number, level in enumerate(self.levels):
                for one in self.present:
                    if one.variable not in fields or (level < one.lowest):
                        continue
                    message, error = self._message(one, moment, float(level), fields[one.variable][number])
                    record.fields += 1
                    record.errors[one.abbreviation] = max(error, record.errors.get(one.abbreviation, 0.0))
                    yield message

    def _fields(self, moment: _Moment) -> dict[str, np.ndarray]:
        """Fields (levels, points) of one moment by variable, without those that have no value at all."""
        values: dict[str, np.ndarray] = {}
        now = self._products(self.dataset.isel(moment.place))
        for one in self.present:
            assert one.variable is not None
            if _statistic(one) is not None and moment.start == moment.valid:
                continue  # an interval of no length, at the start of a forecast
            array = now[one.variable]
            if "pressure" in array.dims:
                array = array.sel(pressure=self.levels)
                array = array.transpose("pressure", *self.grid.dims)
            else:
                array = array.transpose(*self.grid.dims).expand_dims("pressure")
            found = array.values
            if not np.isnan(found).all():
                derived = one.variable in self.derived
                _check_range(found, VARIABLES[one.variable], moment, self.levels, derived=derived)
                values[one.variable] = found
        return self._on_grid(values)

    def _products(self, now: xr.Dataset) -> xr.Dataset:
        """A dataset of one time with the fields that are made of others."""
        if self.interpolated:
            return on_pressure_levels(now, self.levels, [str(one.variable) for one in self.present])
        return now.assign(derived_fields(now, self.derived)) if self.derived else now

    def _on_grid(self, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Fields on the grid of the file; the two components of a wind together."""
        result: dict[str, np.ndarray] = {}
        for name, found in values.items():
            if name in WINDS and WINDS[name] in values:
                result[name], result[WINDS[name]] = self.grid.wind(found, values[WINDS[name]])
            elif name not in result:
                total = VARIABLES[name].cell_methods == "time: sum"
                result[name] = (self.grid.total if total else self.grid.field)(found)
        return result

    def _message(self, one: Parameter, moment: _Moment, level: float, values: np.ndarray) -> tuple[bytes, float]:
        assert one.variable is not None
        row, code = VARIABLES[one.variable], one.code
        statistic = _statistic(one)
        surface = _surface(one, level)
        centre = (self.settings.centre, self.settings.sub_centre)
        process, data_type, significance = _MEANING[self.kind]
        if statistic is None:
            first = writing.identification(moment.reference, significance, data_type, centre)
            lead = moment.valid - moment.reference
            fourth: writing.Keys = writing.product((code.category, code.number), surface, process, lead)
        else:
            # Sums and means come from the model whatever the kind of the fields beside them.
            assert moment.start is not None
            process, data_type, significance = _MEANING["imported" if self.kind == "imported" else "forecast"]
            reference = moment.reference if self.kind == "forecast" else moment.start
            first = writing.identification(reference, significance, data_type, centre)
            instant = writing.product((code.category, code.number), surface, process, moment.start - reference)
            fourth = writing.over_interval(instant, moment.valid, moment.valid - moment.start, statistic)
        error = code.scale * (row.bound if self.settings.bounds == "tight" else row.user_bound)
        packing = self.settings.packing or self.form.packing
        try:
            return writing.message(
                code.discipline, (first, self.grid.keys, fourth), code.scale * values, error, packing
            )
        except InputError as refusal:
            raise InputError(f"{row.name} at {_label(moment.valid)} cannot be written: {refusal}") from None


_MEANING = {"analysis": (0, 0, 0), "background": (2, 1, 2), "forecast": (2, 1, 1), "imported": (255, 255, 255)}
"""Type of generating process (table 4.3), type of data (1.4) and significance of the reference time (1.2) by kind."""


def _kind_of(dataset: xr.Dataset) -> str:
    """Kind of the fields of a dataset: analysis, background, forecast, or imported.

    "background" is the run of the model along the cycles, which the hourly groups of a release hold; at the time of an
    analysis it is the first guess. Of imported data no archive knows whether they are analyses or forecasts.
    """
    if START in dataset.coords:
        return "forecast"
    try:
        if "imported" in json.loads(dataset.attrs.get("experiment", "{}")):
            return "imported"
    except (ValueError, TypeError):
        return "background"
    return "analysis" if dataset.attrs.get("kind") == "analysis" else "background"


def _statistic(one: Parameter) -> int | None:
    """Statistical processing of a parameter, code table 4.10; None at an instant."""
    return STATISTICS.get(VARIABLES[one.variable].cell_methods) if one.variable else None


def _surface(one: Parameter, level: float) -> tuple[int, int | None, int | None]:
    """Type, scale factor and scaled value of the fixed surface; pressures in hPa with the scale -2, as JMA writes."""
    if not math.isnan(level):
        return (100, -2, round(level / 100.0)) if level % 100.0 == 0.0 else (100, 0, round(level))
    code = one.code
    assert code.surface is not None
    # JMA gives the ground no height, neither 0 nor another.
    return (code.surface, None, None) if code.height is None else (code.surface, 0, round(code.height))


def _chosen(names: list[str], wanted: Sequence[str], form: Form) -> list[str]:
    """Names of a form that are wanted.

    Raises:
        InputError: one is not of the form.
    """
    wanted = inputs.names(wanted, "The variables of a GRIB file")
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise InputError(f"The form {form!r} has no field {unknown[0]!r}; it has {', '.join(names)}")
    return [name for name in names if name in wanted]


def _has(dataset: xr.Dataset, names: tuple[str, ...] | None) -> bool:
    """Whether a dataset has all fields or coordinates that a derived field needs; False if it cannot be derived."""
    return names is not None and all(name in dataset.variables for name in names)


def _check(array: xr.DataArray, name: str, dims: tuple[str, ...]) -> None:
    """A variable's dimensions and units are those that the form takes for granted."""
    row = VARIABLES[name]
    absent = [one for one in dims if one not in array.dims]
    if absent:
        raise InputError(f"{name} has the dimensions {', '.join(map(str, array.dims))} and no {absent[0]}")
    if array.attrs.get("units", row.units) != row.units:
        raise InputError(
            f"{name} is in {array.attrs['units']!r}; GRIB is made of fields in {row.units!r}, as they are archived"
        )


def _check_winds(given: Sequence[str]) -> None:
    """Both components of a wind are there, or none."""
    for pair in WINDS.items():
        if len({*pair} & {*given}) == 1:
            raise InputError(f"Of the wind {' and '.join(pair)} the dataset has one component; give both or none")


def _check_range(values: np.ndarray, row: Variable, moment: _Moment, levels: np.ndarray, *, derived: bool) -> None:
    """Refuse values that are infinite or physically impossible, by name, time, level and value.

    The archive's own packing may have moved a value past the end of the range by its error.
    """
    with np.errstate(invalid="ignore"):
        wrong = np.isinf(values) | (values < row.low - row.user_bound) | (values > row.high + row.user_bound)
    if wrong.any():
        place = np.unravel_index(np.argmax(wrong), wrong.shape)
        level = levels[place[0]]
        where = "" if math.isnan(level) else f" on {level / 100.0:g} hPa"
        raise InputError(
            f"{row.name} at {_label(moment.valid)}{where} is {float(values[place]):g} {row.units}, outside "
            f"its physical range of {row.low:g} to {row.high:g} ({int(wrong.sum())} of {wrong.size} values are); its "
            "file was not written"
            + (f". It is derived from {', '.join(NEEDS[row.name])}; name the others as variables= of Grib2Settings to "
               "leave it out" if derived else "")
        )  # fmt: skip


def _levels(dataset: xr.Dataset) -> np.ndarray:
    """Pressure levels of JMA's list that a dataset has, from below."""
    if "pressure" not in dataset.dims:
        raise InputError("The dataset is neither on pressure levels (dimension pressure) nor on model levels (level)")
    units = dataset["pressure"].attrs.get("units", "Pa")
    if units != "Pa":
        raise InputError(f"The pressure levels of the dataset are in {units!r}; they must be in Pa")
    have = dataset["pressure"].values
    levels = np.array([level for level in JMA_PRESSURE_LEVELS if level in have])
    if levels.size == 0:
        known = ", ".join(f"{level:g}" for level in JMA_PRESSURE_LEVELS)
        raise InputError(f"The dataset has none of JMA's pressure levels, {known} Pa")
    return levels


def _moments(dataset: xr.Dataset, intervals: bool) -> Iterator[_Moment]:
    """All times of a dataset, or all lead times of all its forecasts.

    Raises:
        InputError: there is no time, or no bounds for variables that are sums or means.
    """
    if "time" not in dataset.coords:
        raise InputError("The dataset has no coordinate time, so its fields cannot be written to GRIB")
    if intervals and "time_bnds" not in dataset:
        raise InputError("The dataset has sums or means but not their intervals, time_bnds, so they cannot be written")
    dims = [name for name in (START, LEAD, "time") if name in dataset.dims]
    times = dataset["time"].transpose(*dims).values.astype("datetime64[s]")
    bounds = dataset["time_bnds"].transpose(*dims, ...).values.astype("datetime64[s]") if intervals else None
    for place in np.ndindex(times.shape):
        valid = _datetime(times[place])
        reference = valid
        if START in dataset.coords:
            starts = dataset[START].values.astype("datetime64[s]")
            reference = _datetime(starts[place[dims.index(START)]] if START in dims else starts)
        begin = None if bounds is None else _datetime(bounds[place][0])
        if bounds is not None and _datetime(bounds[place][1]) != valid:
            raise InputError(
                f"The interval of {_label(valid)} ends at {_label(_datetime(bounds[place][1]))}; sums and means "
                "must be labelled at their end"
            )
        yield _Moment(dict(zip(dims, place, strict=True)), reference, valid, begin)


def _datetime(time: Any) -> datetime:
    """An instant as a naive `datetime` in UTC."""
    return to_datetime(np.datetime64(time, "s")).replace(tzinfo=None)


def _label(time: datetime) -> str:
    return format_utc(np.datetime64(time, "s"))
