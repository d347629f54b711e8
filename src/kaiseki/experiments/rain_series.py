"""Precipitation of any origin as series that are read part by part: stores, files, interpolated gauges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr

from kaiseki.archive import open_archive
from kaiseki.core.errors import InputError
from kaiseki.precipitation.baselines import gauges_alone
from kaiseki.precipitation.batch.inputs import InputSettings, RadarFiles, release_grid
from kaiseki.precipitation.data import HOUR, Gauges, RainGrid
from kaiseki.precipitation.sources.reading import Reading
from kaiseki.verification.rain import RainFields

_CELLS: Final = 2.5e8
"""Number of values that are held at once."""
_KM_PER_DEGREE: Final = 111.195


@dataclass(frozen=True, eq=False)
class RainSeries:
    """Amounts over consecutive intervals on one grid, read when they are asked for.

    Attributes:
        name: of the source, for messages.
        grid: of the fields.
        time: ends of the intervals, (t,), datetime64[s], rising.
        hours: length of the intervals.
        read: gives the field (ny, nx), mm, of an index.
        start: initial time of a forecast, None for what is none.
    """

    name: str
    grid: RainGrid
    time: np.ndarray
    hours: int
    read: Callable[[int], np.ndarray]
    start: np.datetime64 | None = None

    def between(self, first: np.datetime64, last: np.datetime64) -> RainFields | None:
        """Fields whose intervals end after the first time and not after the last, None where there are none."""
        found = np.flatnonzero((self.time > first) & (self.time <= last))
        if not found.size:
            return None
        amount = np.stack([np.maximum(self.read(int(one)), np.float32(0.0)) for one in found])
        return RainFields(self.grid, self.time[found], amount, self.hours, self.start)

    def spans(self) -> Iterator[tuple[np.datetime64, np.datetime64]]:
        """Spans of whole days that hold the series, each small enough for memory."""
        cells = self.grid.shape[0] * self.grid.shape[1]
        days = max(int(_CELLS / cells) * self.hours // 24, 1)
        step = np.timedelta64(86400 * days, "s")
        # Sums of several hours that end at 00 UTC belong to the day before.
        at = (self.time[0] - np.timedelta64(1, "s")).astype("datetime64[D]").astype("datetime64[s]")
        while at < self.time[-1]:
            yield at, at + step
            at += step


def series_of(name: str, places: Sequence[str | Path], reading: Reading | None = None) -> list[RainSeries]:
    """Series of a source: one of a release, a run or files; one for each start of a store of forecasts.

    Args:
        name: of the source.
        places: a store, or files (NetCDF, GRIB 2 of JMA, analysed hours) of one grid.
        reading: what files leave unsaid.

    Raises:
        InputError, StoreError: nothing is there that can be read.
    """
    first = Path(places[0])
    if len(places) == 1 and (
        str(places[0]).startswith("s3://") or (first.is_dir() and not any(first.glob("rain_*.nc")))
    ):
        return _of_store(name, str(places[0]))
    files = [path for place in places for path in _files(Path(place))]
    return [_of_files(name, files, reading or Reading())]


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("rain_*.nc")) if path.is_dir() else [path]


def _of_files(name: str, files: list[Path], reading: Reading) -> RainSeries:
    from dataclasses import replace

    if files[0].name.startswith("rain_") and files[0].suffix == ".nc" and not reading.variable:
        reading = replace(reading, variable="precipitation")
    found = RadarFiles.of(InputSettings(gauges=(), radar=tuple(files), radar_reading=reading))
    assert found is not None
    step = found.reading.period
    if step != HOUR:
        raise InputError(f"{files[0]} has amounts over {step}; give hours, as kaiseki precip analyse makes them")

    def read(index: int) -> np.ndarray:
        one = found.hour(found.time[index])
        assert one is not None
        return one.amount[0]

    return RainSeries(name, found.grid, found.time, 1, read)


def _of_store(name: str, place: str) -> list[RainSeries]:
    dataset = _opened(place)
    if "precipitation" not in dataset:
        raise InputError(f"{place} holds no precipitation")
    field, grid = dataset["precipitation"], release_grid(place, dataset)
    if "forecast_reference_time" not in field.dims:
        time = dataset["time"].values.astype("datetime64[s]")
        hours = _hours(place, np.diff(dataset["time_bnds"].values, axis=1).ravel())
        return [RainSeries(name, grid, time, hours, lambda index: _plane(field.isel(time=index)))]
    lead = dataset["forecast_period"].values.astype("timedelta64[s]")
    hours = _hours(place, np.diff(lead))
    found = []
    for number, start in enumerate(dataset["forecast_reference_time"].values.astype("datetime64[s]")):
        one = field.isel(forecast_reference_time=number, forecast_period=slice(1, None))
        found.append(RainSeries(name, grid, start + lead[1:], hours, _reader(one), start))
    return found


def _reader(field: xr.DataArray) -> Callable[[int], np.ndarray]:
    return lambda index: _plane(field.isel(forecast_period=index))


def _opened(place: str) -> xr.Dataset:
    """The dataset with the precipitation of a store: a release, forecasts, or the trajectory of a run."""
    from kaiseki.archive.release.schema import KIND
    from kaiseki.archive.store import schema
    from kaiseki.archive.store.dataset import analysis_of
    from kaiseki.archive.store.transactional import kind_at

    kind = kind_at(analysis_of(place), None)
    if kind == KIND:
        return open_archive(place, "precipitation", version="quality")
    return open_archive(place, "forecast" if kind == schema.FORECASTS_KIND else "background")


def _plane(field: xr.DataArray) -> np.ndarray:
    return np.asarray(field.values, np.float32)


def _hours(place: str, steps: np.ndarray) -> int:
    lengths = np.unique(steps)
    if lengths.size != 1 or lengths[0] % HOUR != np.timedelta64(0, "s"):
        raise InputError(
            f"{place} has precipitation over {', '.join(map(str, lengths))}; whole equal hours are expected"
        )
    return int(lengths[0] / HOUR)


def interpolated(name: str, gauges: Gauges, spacing: float = 5.0, reach: float = 50.0) -> RainSeries:
    """Gauges interpolated by inverse squared distances to a grid around them, up to a distance from the nearest.

    Args:
        name: of the source.
        gauges: hourly.
        spacing: of the grid, km.
        reach: distance from the nearest gauge beyond which nothing is known, km.
    """
    from scipy.spatial import cKDTree

    from kaiseki.grid.regular import LatLonGrid

    middle = float(np.cos(np.deg2rad(gauges.lat.mean())))
    axes = [
        np.arange(one.min() - reach / scale, one.max() + reach / scale, spacing / scale)
        for one, scale in ((gauges.lat, _KM_PER_DEGREE), (gauges.lon, _KM_PER_DEGREE * middle))
    ]
    grid = LatLonGrid(axes[0], axes[1])
    lat, lon = grid.points()

    def read(index: int) -> np.ndarray:
        now = gauges.at(gauges.time[index])
        known = now.some(now.usable[0])
        nothing = np.full(grid.shape, np.nan, np.float32)
        if not known.station.size:
            return nothing
        places = np.column_stack([known.lat, known.lon * middle]) * _KM_PER_DEGREE
        distance = cKDTree(places).query(np.column_stack([lat.ravel(), lon.ravel() * middle]) * _KM_PER_DEGREE)[0]
        near = distance <= reach
        found = nothing.ravel()
        found[near] = gauges_alone(known, None, lat.ravel()[near], lon.ravel()[near]).mean
        return found.reshape(grid.shape)

    return RainSeries(name, grid, gauges.time, 1, read)
