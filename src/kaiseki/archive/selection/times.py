"""Periods in UTC or in civil time, instants, and the civil time of a dataset."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import xarray as xr

from kaiseki.archive.selection.inputs import need_dataset
from kaiseki.archive.selection.lazy import computed, floating, values
from kaiseki.core.errors import InputError
from kaiseki.core.timing import JST

_INTERVALS: Final = ("time: sum", "time: mean")
_OFFSET: Final = re.compile(r"(?:UTC|GMT)?([+-])([01]\d|2[0-3]):?([0-5]\d)", re.IGNORECASE)
_STEPS: Final[tuple[tuple[re.Pattern[str], Any], ...]] = (
    (re.compile(r"\d{4}"), "Y"),
    (re.compile(r"\d{4}-\d{2}"), "M"),
    (re.compile(r"\d{4}-\d{2}-\d{2}"), "D"),
)


def zone(tz: str | tzinfo) -> tzinfo:
    """The time zone of a name: "UTC", "JST", an offset such as "+09:00", or one of the IANA database ("Asia/Tokyo").

    Raises:
        InputError: no such zone.
    """
    if isinstance(tz, tzinfo):
        return tz
    text = tz.strip() if isinstance(tz, str) else ""
    if text.upper() in ("UTC", "JST"):
        return UTC if text.upper() == "UTC" else JST
    if offset := _OFFSET.fullmatch(text):
        minutes = 60 * int(offset[2]) + int(offset[3])
        return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    try:
        if text:
            return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        pass
    raise InputError(
        f"There is no time zone {tz!r}; give UTC, JST, an offset such as +09:00, or a name of the IANA database such "
        "as Asia/Tokyo"
    )


def fixed_zone(tz: str | tzinfo, times: np.ndarray | None = None) -> timezone:
    """The time zone of a name as a fixed offset from UTC, for days that have 24 hours each.

    Args:
        tz: as of `zone`.
        times: (n,) datetime64, UTC, of the data; a zone of the IANA database must keep one offset throughout their
            years. None for 1952 to 2037: Japan has had no summer time since 1951.

    Raises:
        InputError: no such zone, or its offset changes within these years.
    """
    where = zone(tz)
    if isinstance(where, timezone):
        return where
    known = np.array(["1952", "2037"], "datetime64[Y]") if times is None or times.size == 0 else np.asarray(times)
    first, last = known.min().astype("datetime64[Y]"), known.max().astype("datetime64[Y]")
    # No zone leaves its offset for less than a day.
    moments = np.arange(first, last + np.timedelta64(1, "Y"), dtype="datetime64[D]").astype("datetime64[s]")
    offsets = {where.utcoffset(moment.replace(tzinfo=UTC).astimezone(where)) for moment in moments.astype(datetime)}
    if len(offsets) > 1:
        raise InputError(
            f"The time zone {where} has no fixed offset from UTC in the years {first} to {last}, so that days of 23 "
            "and 25 hours occur; give an offset, such as JST or +01:00"
        )
    return timezone(offsets.pop() or timedelta(0))


def instants(given: Any) -> np.ndarray:
    """Instants (n,) in UTC as datetime64[ns], from one or many: ISO 8601 text, `datetime` or `datetime64`.

    Raises:
        InputError: one of them is no instant.
    """
    if isinstance(given, pd.DatetimeIndex | pd.Series | xr.DataArray):
        index = pd.DatetimeIndex(np.atleast_1d(given.values) if isinstance(given, xr.DataArray) else given)
        index = index.tz_convert("UTC").tz_localize(None) if index.tz is not None else index
        array = index.to_numpy()
    elif isinstance(given, np.ndarray) and given.dtype.kind == "M":
        array = np.atleast_1d(given)
    else:
        several = [given] if isinstance(given, str | datetime | np.datetime64) else list(np.atleast_1d(given))
        array = np.array([_instant(one) for one in several], "datetime64[ns]")
    result = array.astype("datetime64[ns]")
    if result.ndim != 1 or result.size == 0 or np.any(np.isnat(result)):
        raise InputError("Times must be a list of at least one instant, and none of them missing (NaT)")
    return result


def _instant(value: Any) -> np.datetime64:
    """One instant in UTC."""
    if isinstance(value, np.datetime64):
        return value
    moment = value
    if isinstance(value, str):
        try:
            if len(value.strip()) < len("1989-01-01T12"):
                raise ValueError
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            raise InputError(
                f"{value!r} is not an instant; give date and time of day in UTC, as 1989-01-01T12:00Z"
            ) from None
    if not isinstance(moment, datetime):
        raise InputError(f"{value!r} is not an instant; give ISO 8601 text, a datetime or a numpy.datetime64")
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(moment, "ns")


def time_axis(dataset: xr.Dataset) -> np.ndarray:
    """The times of a dataset as datetime64[ns], rising.

    Raises:
        InputError: it has no axis of time; it holds forecasts; the times do not rise.
    """
    need_dataset(dataset)
    if "time" not in dataset.dims:
        forecasts = "forecast_period" in dataset.dims
        hint = (
            'it holds forecasts: choose one with .isel(forecast_reference_time=0).swap_dims(forecast_period="time")'
            if forecasts
            else "select times before anything takes them away"
        )
        raise InputError(f"The dataset has no dimension time; {hint}")
    axis = np.asarray(dataset["time"].values)
    if axis.dtype.kind != "M":
        raise InputError("The times of the dataset are not of the standard calendar; that is not supported")
    if np.any(np.diff(axis).astype(np.int64) <= 0):
        raise InputError("The times of the dataset do not rise; sort them first (dataset.sortby('time'))")
    return axis.astype("datetime64[ns]")


def border(text: Any, where: tzinfo, *, end: bool) -> tuple[np.datetime64, bool]:
    """Begin or end of a period, UTC, and whether an instant at it as its end lies within (it was given to the hour)."""
    if not isinstance(text, str):
        if isinstance(text, datetime) and text.tzinfo is None:
            return _utc(text, where), True
        return _instant(text), True
    plain = text.strip()
    for pattern, step in _STEPS:
        if pattern.fullmatch(plain):
            try:
                date = np.datetime64(plain, step)
                first = (date + np.timedelta64(int(end), step)).astype("datetime64[D]").astype(datetime)
                return _utc(datetime(first.year, first.month, first.day), where), not end
            except (ValueError, OverflowError, AttributeError):
                break
    try:
        if len(plain) < len("2019-10-12T00"):
            raise ValueError
        moment = datetime.fromisoformat(plain)
    except ValueError:
        raise InputError(f"{text!r} is no time; give 2019, 2019-10, 2019-10-12 or 2019-10-12T09:00") from None
    return (_utc(moment, where) if moment.tzinfo is None else _instant(moment)), True


def _utc(civil: datetime, where: tzinfo) -> np.datetime64:
    """A civil time in UTC; what summer time skips or repeats is refused."""
    local = civil.replace(tzinfo=where)
    back = local.astimezone(UTC).astimezone(where).replace(tzinfo=None)
    if back != civil or local.utcoffset() != local.replace(fold=1).utcoffset():
        raise InputError(
            f"{civil.isoformat(' ')} does not exist once in the time zone {where}, where clocks change; give it with "
            "its offset, as 2019-10-27T02:30+01:00"
        )
    return np.datetime64(local.astimezone(UTC).replace(tzinfo=None), "ns")


def period(dataset: xr.Dataset, start: Any, end: Any = None, tz: str | tzinfo = "UTC") -> xr.Dataset:
    """The part of a dataset that lies in a period.

    Fields of an instant belong to it from the start on, up to an end given to the hour and before the end of a day,
    month or year. Sums and means belong to it when their interval ends after the start and not after the end, so that
    those of a day add up to the day. Where a dataset holds both, a field is missing (NaN) at the label, first or last,
    that does not belong to it.

    Args:
        dataset: from `kaiseki.open`.
        start: begin: "2019", "2019-10", "2019-10-12", "2019-10-12T09:00" (with an offset if wanted), a `datetime` or a
            `numpy.datetime64` (UTC).
        end: last year, month, day or instant; None for the year, month or day that `start` names.
        tz: civil time of what is given without an offset: "UTC", "JST", "+09:00", a name of the IANA database or a
            `tzinfo`. The times of the dataset stay in UTC.

    Raises:
        InputError: no such time or time zone; the period ends before it starts, or holds no time of the dataset.
    """
    where = zone(tz)
    axis = time_axis(dataset)
    first, _ = border(start, where, end=False)
    last, closed = border(start if end is None else end, where, end=True)
    if end is None and closed:
        raise InputError(f"The period from {start} has no end; give one, or a whole day, month or year as its start")
    if last < first or (last == first and not closed):
        raise InputError(f"The period ends before it starts: from {start} to {start if end is None else end}")
    instant = (axis >= first) & ((axis <= last) if closed else (axis < last))
    interval = (axis > first) & (axis <= last)
    timed = [name for name, one in dataset.data_vars.items() if "time" in one.dims and name != "time_bnds"]
    sums = [name for name in timed if is_interval(dataset[name].variable)]
    points = [name for name in timed if name not in sums]
    wanted = (interval if sums else False) | (instant if points or not sums else False)
    chosen = np.flatnonzero(wanted)
    if chosen.size == 0:
        words = [_short(time) for time in (first, last, axis[0], axis[-1])]
        raise InputError(
            f"The dataset has no time in the period {words[0]} to {words[1]} UTC; it goes from {words[2]} to {words[3]}"
        )
    result = dataset.isel(time=slice(int(chosen[0]), int(chosen[-1]) + 1))
    for names, own in ((sums, interval[chosen]), (points, instant[chosen])):
        if not np.all(own):
            result = result.assign({name: _only(result[name].variable, own) for name in names})
    return result


def _short(time: np.datetime64) -> str:
    """A time to the minute."""
    return str(time.astype("datetime64[m]"))


def is_interval(variable: xr.Variable) -> bool:
    """Whether a variable is a sum or mean over the interval that ends at its label."""
    return str(variable.attrs.get("cell_methods", "")).startswith(_INTERVALS)


def _only(source: xr.Variable, valid: np.ndarray) -> xr.Variable:
    """A variable that is missing at the times which do not belong to it."""
    where = source.dims.index("time")

    def part(key: dict[Any, Any]) -> np.ndarray:
        found = values(source, key)
        shape = [1] * found.ndim
        shape[where] = -1
        return np.where(valid[key["time"]].reshape(shape), found, np.nan)

    result = computed(source.sizes, floating(source.dtype), part, source.attrs)
    result.encoding = dict(source.encoding)
    return result


def in_time_zone(dataset: xr.Dataset, tz: str | tzinfo) -> xr.Dataset:
    """A dataset with the civil time of its labels as the coordinate `local_time`, for grouping by civil day or hour.

    The axis `time` stays in UTC, so that everything else goes on to work. A label of a sum or mean is the end of its
    interval: the sum that ends at civil midnight carries the date of the next day.

    Args:
        dataset: from `kaiseki.open`.
        tz: "UTC", "JST", an offset such as "+09:00", a name of the IANA database such as "Asia/Tokyo", or a `tzinfo`.

    Raises:
        InputError: no such time zone, or the dataset has no axis of time.
    """
    where = zone(tz)
    index = pd.DatetimeIndex(time_axis(dataset)).tz_localize("UTC").tz_convert(where)
    words = str(where)
    attributes = {"long_name": f"civil time ({words}) of the label; not UTC", "time_zone": words}
    return dataset.assign_coords(local_time=("time", index.tz_localize(None).to_numpy(), attributes))
