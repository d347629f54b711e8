"""Small files of gauges and radar around a known field of rain, for tests of many hours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from kaiseki.grid.regular import LatLonGrid

START = np.datetime64("2024-07-01T00:00:00", "s")
HOUR = np.timedelta64(3600, "s")
_UNITS = "minutes since 1970-01-01 00:00:00"


def grid(ny: int = 24, nx: int = 28) -> LatLonGrid:
    """A grid of about 5 km, south first."""
    return LatLonGrid(35.0 + 0.05 * np.arange(ny), 138.0 + 0.06 * np.arange(nx))


def truth(number: int) -> np.ndarray:
    """Rain (24, 28) of an hour: a shower that moves east."""
    where = grid()
    lat, lon = where.points()
    return 12.0 * np.exp(-(((lat - 35.6) / 0.25) ** 2) - ((lon - 138.5 - 0.1 * number) / 0.3) ** 2)


def gauge_file(path: Path, hours: int, count: int = 40, missing: tuple[int, ...] = (), seed: int = 2) -> Path:
    """CSV of gauges that read the truth of their cells, with hours without any value."""
    rng, where = np.random.default_rng(seed), grid()
    row, column = rng.integers(0, 24, count), rng.integers(0, 28, count)
    lines = ["time,station_id,latitude,longitude,rainfall_amount"]
    for number in range(hours):
        time = START + (number + 1) * HOUR
        for one in range(count):
            amount = "" if number in missing else f"{truth(number)[row[one], column[one]]:.1f}"
            lines.append(f"{time},G{one},{where.lat[row[one]]:.3f},{where.lon[column[one]]:.3f},{amount}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def radar_file(path: Path, number: int, factor: float = 0.7) -> Path:
    """NetCDF of a radar that sees the truth of an hour too weak."""
    where = grid()
    time = np.array([START + (number + 1) * HOUR], "datetime64[ns]")
    bounds = np.stack([time - HOUR, time], axis=1)
    about = {"standard_name": "precipitation_amount", "units": "kg m-2", "cell_methods": "time: sum"}
    xr.Dataset(
        {
            "rain": (("time", "lat", "lon"), (factor * truth(number))[None].astype(np.float32), about),
            "time_bnds": (("time", "bnds"), bounds),
        },
        {
            "time": ("time", time, {"bounds": "time_bnds"}),
            "lat": ("lat", where.lat, {"units": "degrees_north"}),
            "lon": ("lon", where.lon, {"units": "degrees_east"}),
        },
    ).to_netcdf(path, engine="h5netcdf", encoding={name: {"units": _UNITS} for name in ("time", "time_bnds")})
    return path


OPTIONS = ("--time-zone", "UTC", "--time-is", "end", "--period", "60", "--units", "mm")
"""Options of the command for the files of gauges."""
