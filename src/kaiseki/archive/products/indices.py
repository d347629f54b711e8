"""Climate indices: days beyond thresholds, extremes, dry and wet spells and degree days of a month, season or year.

Definitions are those of the Expert Team on Climate Change Detection and Indices (ETCCDI), as far as they need nothing
but daily temperature and precipitation: FD, SU, ID, TR, TXx, TXn, TNx, TNn, DTR, RX1day, RX5day, R10mm, R20mm, CDD, CWD
and PRCPTOT. Beside them days by the thresholds of Japan Meteorological Agency, which are reached at 25, 30 and 35 degC
where ETCCDI asks for more than 25, and degree days under the names of the expert team ET-SCI.

Daily extremes of hourly instants are less extreme than those of a thermometer read without a break, and an analysis is
a mean over its cell: numbers of days compare between periods and places of one archive better than with stations.
Spells are counted within the period; one that crosses its end counts with its part on each side. A sum over five days
belongs to the period in which it ends. A missing day ends a spell and makes the sums that hold it missing.

Sources: Zhang et al. (2011), Indices for monitoring changes in extremes based on daily temperature and precipitation
data, WIREs Climate Change 2, 851-870; http://etccdi.pacificclimate.org/list_27_indices.shtml.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.archive.products.accumulation import Accumulation, count_attributes, least_number
from kaiseki.archive.products.time_cells import (
    Lack,
    by_period,
    joined,
    located,
    spatial,
    static_coordinates,
    with_cells,
)
from kaiseki.core.constants import FREEZING
from kaiseki.core.errors import InputError

TG, TN, TX, RR = "temperature_2m_mean", "temperature_2m_minimum", "temperature_2m_maximum", "precipitation_sum"


@dataclass(frozen=True, slots=True)
class Index:
    """One climate index.

    Attributes:
        name: short name.
        long_name: words.
        sources: daily variables that `daily` takes, in K and kg m-2.
        daily: value of one day from arrays of the sources; of a spell, whether the day belongs to it.
        over: "sum", "mean", "minimum" or "maximum" over the days, or "longest" for the length of the longest spell.
        attributes: CF attributes, `units` among them.
        threshold: standard name, units and value of the threshold, None without one.
        days: length of the running sum that `daily` is made of.
    """

    name: str
    long_name: str
    sources: tuple[str, ...]
    daily: Callable[..., np.ndarray]
    over: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    threshold: tuple[str, str, float] | None = None
    days: int = 1


def days_below(name: str, long_name: str, source: str, celsius: float) -> Index:
    """Number of days on which a daily temperature is below a threshold [degC]."""
    return _temperature_days(name, long_name, source, celsius, "below", lambda value, limit: value < limit)


def days_above(name: str, long_name: str, source: str, celsius: float) -> Index:
    """Number of days on which a daily temperature is above a threshold [degC]."""
    return _temperature_days(name, long_name, source, celsius, "above", lambda value, limit: value > limit)


def days_reaching(name: str, long_name: str, source: str, celsius: float) -> Index:
    """Number of days on which a daily temperature is at or above a threshold [degC]."""
    return _temperature_days(name, long_name, source, celsius, "above", lambda value, limit: value >= limit)


def days_with_rain(name: str, long_name: str, amount: float) -> Index:
    """Number of days with at least so much precipitation [mm]."""
    attributes = {
        "standard_name": "number_of_days_with_lwe_thickness_of_precipitation_amount_above_threshold",
        "units": "1",
        "cell_methods": "time: sum within days time: sum over days",
    }
    return Index(name, long_name, (RR,), lambda rain: rain >= amount, "sum", attributes, _rain(amount))


def degree_days(name: str, long_name: str, celsius: float, *, deficit: bool) -> Index:
    """Degree days: the sum over days of what the daily mean temperature lacks to a base, or exceeds it by [degC]."""
    base = FREEZING + celsius
    attributes = {
        "standard_name": f"integral_wrt_time_of_air_temperature_{'deficit' if deficit else 'excess'}",
        "units": "K day",
        "units_metadata": "temperature: difference",
        "cell_methods": "time: mean within days time: sum over days",
    }
    sign = -1.0 if deficit else 1.0
    threshold = ("air_temperature_threshold", "K", base)
    return Index(
        name, long_name, (TG,), lambda mean: np.maximum(sign * (mean - base), 0.0), "sum", attributes, threshold
    )


def _temperature_days(
    name: str, long_name: str, source: str, celsius: float, side: str, condition: Callable[..., np.ndarray]
) -> Index:
    within = source.rsplit("_", 1)[1]
    limit = FREEZING + celsius
    attributes = {
        "standard_name": f"number_of_days_with_air_temperature_{side}_threshold",
        "units": "1",
        "cell_methods": f"time: {within} within days time: sum over days",
    }
    threshold = ("air_temperature", "K", limit)

    def daily(value: np.ndarray) -> np.ndarray:
        # The limit takes the precision of the field: 0 degC in single precision is not below itself.
        return condition(value, value.dtype.type(limit))

    return Index(name, long_name, (source,), daily, "sum", attributes, threshold)


def _extreme(name: str, long_name: str, source: str, over: str) -> Index:
    within = source.rsplit("_", 1)[1]
    attributes = {
        "standard_name": "precipitation_amount" if source == RR else "air_temperature",
        "units": "kg m-2" if source == RR else "K",
        "cell_methods": f"time: {within} within days time: {over} over days",
    }
    return Index(name, long_name, (source,), lambda value: value, over, attributes)


def _spell(name: str, long_name: str, side: str, condition: Callable[..., np.ndarray]) -> Index:
    attributes = {
        "standard_name": f"spell_length_of_days_with_lwe_thickness_of_precipitation_amount_{side}_threshold",
        "units": "day",
        "cell_methods": "time: sum within days time: maximum over days",
    }
    return Index(name, long_name, (RR,), condition, "longest", attributes, _rain(1.0))


def _rain(amount: float) -> tuple[str, str, float]:
    return "lwe_thickness_of_precipitation_amount", "mm", amount


_AMOUNT = {"standard_name": "precipitation_amount", "units": "kg m-2"}
_RANGE = {
    "standard_name": "air_temperature",
    "units": "K",
    "units_metadata": "temperature: difference",
    "cell_methods": "time: range within days time: mean over days",
}

INDICES: Mapping[str, Index] = {
    index.name: index
    for index in (
        days_below("FD", "frost days: minimum below 0 degC", TN, 0.0),
        days_above("SU", "summer days: maximum above 25 degC", TX, 25.0),
        days_below("ID", "icing days: maximum below 0 degC", TX, 0.0),
        days_above("TR", "tropical nights: minimum above 20 degC", TN, 20.0),
        days_reaching("TXge25", "summer days of JMA (夏日): maximum of at least 25 degC", TX, 25.0),
        days_reaching("TXge30", "hot days of JMA (真夏日): maximum of at least 30 degC", TX, 30.0),
        days_reaching("TXge35", "very hot days of JMA (猛暑日): maximum of at least 35 degC", TX, 35.0),
        days_reaching("TNge25", "days with a minimum of at least 25 degC (熱帯夜 of JMA)", TN, 25.0),
        _extreme("TXx", "highest daily maximum", TX, "maximum"),
        _extreme("TXn", "lowest daily maximum", TX, "minimum"),
        _extreme("TNx", "highest daily minimum", TN, "maximum"),
        _extreme("TNn", "lowest daily minimum", TN, "minimum"),
        Index("DTR", "mean of the daily range", (TX, TN), lambda high, low: high - low, "mean", _RANGE),
        _extreme("RX1day", "highest precipitation of a day", RR, "maximum"),
        Index(
            "RX5day",
            "highest precipitation of five days that follow each other",
            (RR,),
            lambda rain: rain,
            "maximum",
            _AMOUNT,
            days=5,
        ),
        days_with_rain("R1mm", "wet days: at least 1 mm", 1.0),
        days_with_rain("R10mm", "days with at least 10 mm", 10.0),
        days_with_rain("R20mm", "days with at least 20 mm", 20.0),
        _spell("CDD", "longest spell of dry days, below 1 mm", "below", lambda rain: rain < 1.0),
        _spell("CWD", "longest spell of wet days, at least 1 mm", "above", lambda rain: rain >= 1.0),
        Index(
            "PRCPTOT",
            "precipitation of the days with at least 1 mm",
            (RR,),
            lambda rain: np.where(rain >= 1.0, rain, 0.0),
            "sum",
            _AMOUNT | {"cell_methods": "time: sum within days time: sum over days"},
            _rain(1.0),
        ),
        degree_days("HDDheat18", "heating degree days below 18 degC", 18.0, deficit=True),
        degree_days("CDDcold24", "cooling degree days above 24 degC", 24.0, deficit=False),
        degree_days("GDDgrow10", "growing degree days above 10 degC", 10.0, deficit=False),
    )
}
"""Indices by name; others, with thresholds of one's own, are made with `days_above` and its like."""


def climate_indices(
    days: xr.Dataset | Iterable[xr.Dataset],
    period: str = "year",
    indices: Sequence[str | Index] | None = None,
    *,
    completeness: float = 1.0,
) -> xr.Dataset:
    """All climate indices of periods, in memory; `each_index_period` gives them one by one, and has the arguments.

    Raises:
        InputError: as `each_index_period`.
    """
    lacking: list[Lack] = []
    return joined(each_index_period(days, period, indices, completeness=completeness, lacking=lacking), lacking)


def each_index_period(
    days: xr.Dataset | Iterable[xr.Dataset],
    period: str = "year",
    indices: Sequence[str | Index] | None = None,
    *,
    completeness: float = 1.0,
    lacking: list[Lack] | None = None,
) -> Iterator[xr.Dataset]:
    """Climate indices of one period after the other: datasets with one time each, in one pass over the days.

    Args:
        days: daily statistics in order of time without a gap, with `temperature_2m_minimum` [K],
            `precipitation_sum` [kg m-2] and so on, as the indices need.
        period: "month", "season", "year" or "dekad".
        indices: names or indices of one's own; None for all whose variables are there.
        completeness: least share of the days of a period that must be valid, per point; else the result is NaN. The
            number of valid days is given by variable, `temperature_2m_minimum_count`.
        lacking: gets the periods that are left out.

    Raises:
        InputError: days that are none or do not follow each other, no such index, a variable that is not there or has
            other units.
    """
    if not 0.0 < completeness <= 1.0:
        raise InputError(f"The completeness asked for is a share above 0 and up to 1, not {completeness}")
    running: dict[str, _Running] = {}
    for (first, end), shift, members in by_period(days, period):
        expected = int((end - first) / np.timedelta64(1, "D"))
        least = least_number(completeness, expected)
        chosen: list[Index] = []
        works: dict[str, Accumulation | _Spells] = {}
        valid: dict[str, np.ndarray] = {}
        seen, day = 0, xr.Dataset()
        for day in members:
            if not seen:
                chosen = _chosen(day, indices)
                sources = dict.fromkeys(source for index in chosen for source in index.sources)
                valid = {name: np.zeros(_shape(day[name]), np.int32) for name in sources}
                works = {index.name: _work(index, _shape(day[index.sources[0]])) for index in chosen}
            fields = {name: day[name].transpose("time", *spatial(day[name])).values[0] for name in valid}
            missing = {name: np.isnan(values) for name, values in fields.items()}
            for name, absent in missing.items():
                valid[name] += ~absent
            for index in chosen:
                values = [fields[name] for name in index.sources]
                if index.days > 1:
                    values = [running.setdefault(index.name, _Running(index.days)).after(*values)]
                absent = np.logical_or.reduce([np.isnan(value) for value in values])
                works[index.name].add(np.where(absent, np.nan, index.daily(*values)))
            seen += 1
        if seen < least:
            if lacking is not None:
                lacking.append(Lack(first, end, seen, least))
            continue
        bounds = np.array([[first.astype("datetime64[s]") + shift, end.astype("datetime64[s]") + shift]])
        variables, coordinates = _results(day, chosen, works, valid, least)
        comment = str(day["time"].attrs.get("comment", ""))
        result = with_cells(
            variables, static_coordinates(day) | coordinates, bounds, climatological=True, comment=comment
        )
        result.attrs = dict(day.attrs)
        yield result


class _Spells:
    """Length of the longest run of days with a condition at each point; a missing day ends a run."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._now = np.zeros(shape, np.int32)
        self._longest = np.zeros(shape, np.int32)

    def add(self, condition: np.ndarray) -> None:
        """Take in one day: 1 where the condition holds, 0 where not, NaN where it is unknown."""
        self._now = np.where(condition == 1.0, self._now + 1, 0)
        np.maximum(self._longest, self._now, out=self._longest)

    def result(self, statistic: str, least: int) -> np.ndarray:
        """Length of the longest run, in days."""
        return self._longest.astype(np.float32)


class _Running:
    """Sums over the last days, NaN until there are enough of them and where one of them is missing."""

    def __init__(self, days: int) -> None:
        self._last: deque[np.ndarray] = deque(maxlen=days)

    def after(self, field: np.ndarray) -> np.ndarray:
        """Sum with this day as the last."""
        self._last.append(field.astype(float))
        if len(self._last) < (self._last.maxlen or 1):
            return np.full(field.shape, np.nan)
        return np.sum(np.stack(self._last), axis=0)


def _shape(array: xr.DataArray) -> tuple[int, ...]:
    return tuple(array.sizes[axis] for axis in spatial(array))


def _work(index: Index, shape: tuple[int, ...]) -> Accumulation | _Spells:
    if index.over == "longest":
        return _Spells(shape)
    return Accumulation(shape, np.dtype(np.float32), [index.over])


def _chosen(day: xr.Dataset, indices: Sequence[str | Index] | None) -> list[Index]:
    """Indices wanted, with their variables and units checked."""
    if indices is None:
        chosen = [index for index in INDICES.values() if all(name in day for name in index.sources)]
        if not chosen:
            raise InputError(f"Climate indices need daily variables such as {TN}, {TX} and {RR}; none of them is there")
    else:
        indices = [indices] if isinstance(indices, str | Index) else list(indices)
        unknown = [one for one in indices if isinstance(one, str) and one not in INDICES]
        if unknown:
            raise InputError(f"There is no climate index {unknown[0]!r}; there are {', '.join(INDICES)}")
        chosen = [INDICES[one] if isinstance(one, str) else one for one in indices]
    for index in chosen:
        for name in index.sources:
            if name not in day:
                raise InputError(f"{index.name} needs the daily variable {name!r}, which this dataset does not have")
            units = "kg m-2" if name == RR else "K"
            if name in (TG, TN, TX, RR) and day[name].attrs.get("units") != units:
                raise InputError(f"{index.name} needs {name!r} in {units}, not in {day[name].attrs.get('units')!r}")
    return chosen


def _results(
    day: xr.Dataset,
    chosen: Sequence[Index],
    works: Mapping[str, Accumulation | _Spells],
    valid: Mapping[str, np.ndarray],
    least: int,
) -> tuple[dict[Hashable, Any], dict[Hashable, Any]]:
    """Results and numbers of valid days as variables, and the thresholds as coordinates."""
    variables: dict[Hashable, Any] = {}
    coordinates: dict[Hashable, Any] = {}
    for index in chosen:
        source = day[index.sources[0]]
        dims = ("time", *spatial(source))
        enough = np.logical_and.reduce([valid[name] >= max(least, 1) for name in index.sources])
        values = np.where(enough, works[index.name].result(index.over, 1), np.nan).astype(np.float32)
        attributes: dict[str, Any] = {"long_name": index.long_name, **index.attributes}
        attributes |= {key: source.attrs[key] for key in ("grid_mapping",) if key in source.attrs}
        attributes["ancillary_variables"] = " ".join(f"{name}_count" for name in index.sources)
        encoding = located(source)
        if index.threshold is not None:
            name, units, value = index.threshold
            own = f"{index.name}_threshold"
            coordinates[own] = xr.Variable((), value, {"standard_name": name, "units": units})
            encoding["coordinates"] = f"{encoding.get('coordinates', '')} {own}".strip()
        variables[index.name] = xr.Variable(dims, values[np.newaxis], attributes, encoding)
    for name, count in valid.items():
        attributes = count_attributes(name, "valid days")
        dims = ("time", *spatial(day[name]))
        variables[f"{name}_count"] = xr.Variable(dims, count[np.newaxis], attributes, located(day[name]))
    return variables, coordinates
