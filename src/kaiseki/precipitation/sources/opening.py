"""Opening files of precipitation: the reader is found by content, and several files become one series."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.formats.netcdf import is_netcdf
from kaiseki.grid.regular import LatLonGrid, MapGrid
from kaiseki.precipitation.data import Gauges, RadarRain, RainGrid
from kaiseki.precipitation.sources import (
    amedas,
    bufr,
    gridded,
    jma,
    links,
    odim,
    polar,
    radolan,
    stations,
    text,
)
from kaiseki.precipitation.sources.reading import Reading, Scans, spacing

_HEAD = 4096


def open_radar(paths: str | Path | Sequence[str | Path], reading: Reading | None = None) -> RadarRain:
    """Radar fields of files as amounts over intervals, one series on one grid.

    ODIM HDF5 composites, RADOLAN composites (binary, also gzipped), NetCDF composites, JMA's GRIB 2, and polar
    volumes (ODIM HDF5, CfRadial) are recognised by their content.

    Args:
        paths: one file or several of one grid and one period, in any order.
        reading: what the files leave unsaid.

    Raises:
        InputError: a file is not recognised or damaged, leaves something unsaid, or the files do not fit together.
        KaisekiError: a package that a format needs is not installed.
    """
    reading = reading or Reading()
    files = _files(paths)
    read = [(path, read_scans(path, reading)) for path in files]
    return _series(read, reading)


def open_gauges(paths: str | Path | Sequence[str | Path], reading: Reading | None = None) -> Gauges:
    """Gauges (or microwave links) of files, one series of all stations.

    AMeDAS (NetCDF tables, maps and days in JSON, BUFR), SYNOP in BUFR, NetCDF of stations and of links, and CSV are
    recognised by their content.

    Args:
        paths: one file or several of one period, in any order.
        reading: what the files leave unsaid.

    Raises:
        InputError: a file is not recognised or damaged, leaves something unsaid, or the files contradict each other.
        KaisekiError: a package that a format needs is not installed.
    """
    reading = reading or Reading()
    return _together([(path, _gauges(path, reading)) for path in _files(paths)])


def _files(paths: str | Path | Sequence[str | Path]) -> list[Path]:
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(one) for one in paths]
    if not files:
        raise InputError("No file of precipitation was given")
    for path in files:
        if not path.is_file():
            raise InputError(f"{path}: there is no such file of precipitation")
    return files


def _content(path: Path, limit: int | None = None) -> bytes:
    """First bytes of a file, or all, unpacked if it is gzipped."""
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if packed else path.open("rb") as stream:
            return stream.read() if limit is None else stream.read(limit)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: cannot be unpacked ({error}); it is damaged or truncated") from error


def read_scans(path: Path, reading: Reading) -> Scans:
    """The fields of one radar file as they are: amounts, rates or reflectivities; see `open_radar`.

    Raises:
        InputError: the file is not recognised or damaged, or leaves something unsaid.
    """
    head = _content(path, _HEAD)
    if odim.is_odim(path, head):
        return odim.read(path, reading) if odim.is_composite(path) else polar.read(path, reading)
    if is_netcdf(head):
        return polar.read(path, reading) if polar.is_cfradial(path) else gridded.read(path, reading)
    if radolan.is_radolan(head):
        return radolan.read(path, _content(path), reading)
    if head[:4] == b"GRIB":
        return jma.read(path, reading)
    raise InputError(
        f"{path}: is no radar field that is known; expected ODIM HDF5, CfRadial, RADOLAN, GRIB 2 or NetCDF"
    )


def _gauges(path: Path, reading: Reading) -> Gauges:
    head = _content(path, _HEAD)
    if is_netcdf(head):
        netcdf: list[tuple[Callable[[Path], bool], Callable[[Path, Reading], Gauges]]] = [
            (links.is_links, links.read),
            (amedas.is_table, amedas.read_table),
            (stations.is_stations, stations.read),
        ]
        for known, read in netcdf:
            if known(path):
                return read(path, reading)
        raise InputError(f"{path}: is NetCDF without gauges; expected amounts by station and time, or microwave links")
    if b"BUFR" in head:
        return bufr.read(path, _content(path), reading)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        return amedas.read_json(path, _content(path), reading)
    if text.is_text(head):
        return text.read(path, _content(path), reading)
    raise InputError(f"{path}: holds no gauges that are known; expected NetCDF, BUFR, AMeDAS JSON or CSV")


def _series(read: list[tuple[Path, Scans]], reading: Reading) -> RadarRain:
    first_path, first = read[0]
    for path, one in read[1:]:
        if not same_grid(first.grid, one.grid):
            raise InputError(f"{path} has another grid than {first_path}; open files of one grid together")
        if (one.measure, one.period) != (first.measure, first.period):
            words = [f"{part.measure} over {part.period}" if part.period else part.measure for part in (one, first)]
            raise InputError(f"{path} has {words[0]}, {first_path} {words[1]}; open files of one kind together")
    time = np.concatenate([one.time for _, one in read])
    names = np.concatenate([np.full(one.time.size, number) for number, (_, one) in enumerate(read)])
    order = np.argsort(time, kind="stable")
    twice = np.flatnonzero(np.diff(time[order]) == np.timedelta64(0, "s"))
    if twice.size:
        a, b = order[twice[0]], order[twice[0] + 1]
        raise InputError(f"{read[names[a]][0]} and {read[names[b]][0]} both hold the field of {time[a]}")
    period = first.period
    if period is None:
        period = spacing(str(first_path) if len(read) == 1 else f"{first_path} and the other files", time, reading)
    amount = np.concatenate([_amounts(one, period, reading) for _, one in read])[order]
    seen = [one.quality for _, one in read if one.quality.size]
    sources = list(dict.fromkeys(one.source for _, one in read))
    return RadarRain(
        grid=first.grid,
        time=time[order],
        amount=amount,
        period=period,
        quality=np.mean(seen, axis=0) if seen else np.empty((0, 0)),
        source="; ".join(sources),
    )


def _amounts(scans: Scans, period: np.timedelta64, reading: Reading) -> np.ndarray:
    """Amounts over the period from whatever the numbers are, mm."""
    if scans.measure == "amount":
        return scans.values
    rate = reading.z_r.rain(scans.values) if scans.measure == "reflectivity" else scans.values
    return np.asarray(rate * (period / np.timedelta64(3600, "s")))


def same_grid(one: RainGrid, other: RainGrid) -> bool:
    """Whether two grids have the same cells."""
    if one.shape != other.shape:
        return False
    if isinstance(one, MapGrid) and isinstance(other, MapGrid):
        axes = ((one.x, other.x), (one.y, other.y))
        alike = one.projection == other.projection
    elif isinstance(one, LatLonGrid) and isinstance(other, LatLonGrid):
        axes, alike = ((one.lon, other.lon), (one.lat, other.lat)), True
    else:
        return False
    return alike and all(np.allclose(a, b, rtol=0.0, atol=1e-3 * abs(a[1] - a[0])) for a, b in axes)


def _together(read: list[tuple[Path, Gauges]]) -> Gauges:
    """One set of gauges of several; a station that moved counts as two."""
    if len(read) == 1:
        return read[0][1]
    first_path, first = read[0]
    for path, one in read[1:]:
        if one.period != first.period:
            raise InputError(f"{path} has amounts over {one.period}, {first_path} over {first.period}")
    keys = [list(_keys(one)) for _, one in read]
    places = {key: number for number, key in enumerate(dict.fromkeys(key for part in keys for key in part))}
    time = np.unique(np.concatenate([one.time for _, one in read]))
    amount = np.full((time.size, len(places)), np.nan)
    flags = np.zeros(amount.shape, np.uint16)
    single: dict[str, np.ndarray] = {
        name: np.full(len(places), np.nan) for name in ("lat", "lon", "height", "resolution", "error")
    }
    names = np.empty(len(places), object)
    for (path, one), part in zip(read, keys, strict=True):
        columns = np.array([places[key] for key in part])
        block = np.ix_(np.searchsorted(time, one.time), columns)
        there, new = amount[block], np.asarray(one.amount)
        clash = np.isfinite(there) & np.isfinite(new) & (np.abs(there - new) > 1e-6)
        if clash.any():
            row, column = np.argwhere(clash)[0]
            raise InputError(
                f"{path} gives {new[row, column]:g} mm at station {one.station[column]} for {one.time[row]}, another "
                f"file {there[row, column]:g} mm; leave out the file that is superseded"
            )
        amount[block] = np.where(np.isfinite(new), new, there)
        flags[block] |= one.flags
        names[columns] = one.station
        for name, values in single.items():
            given = getattr(one, name)
            values[columns] = np.where(np.isfinite(given), given, values[columns])
    return replace(
        first,
        station=names.astype(str),
        time=time,
        amount=amount,
        flags=flags,
        lat=single["lat"],
        lon=single["lon"],
        height=single["height"],
        resolution=single["resolution"],
        error=single["error"],
        source="; ".join(dict.fromkeys(one.source for _, one in read)),
    )


def _keys(one: Gauges) -> Iterable[tuple[str, float, float]]:
    return zip(one.station.tolist(), np.round(one.lat, 2).tolist(), np.round(one.lon, 2).tolist(), strict=True)
