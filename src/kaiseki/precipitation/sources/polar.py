"""Volumes and scans of one radar (ODIM HDF5, CfRadial) as rain near the ground on a map; xradar reads them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pyproj import CRS

from kaiseki.core.errors import InputError, KaisekiError
from kaiseki.formats.netcdf import DAMAGE, opened
from kaiseki.grid.proj_map import grid_of
from kaiseki.precipitation.data import RainGrid
from kaiseki.precipitation.quality.radar import beam_quality
from kaiseki.precipitation.sources.reading import Polar, Reading, Scans
from kaiseki.precipitation.sources.reflectivity import ZR

_NAMES: Final = ("DBZH", "DBZ", "TH", "reflectivity", "corrected_reflectivity", "reflectivity_horizontal", "DZ")
_EFFECTIVE_EARTH: Final = 4.0 / 3.0 * 6_371_000.0
"""Radius of an Earth above which beams of the standard atmosphere are straight, m."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sweep:
    """One elevation of a volume.

    Attributes:
        elevation: degrees.
        azimuth: of the rays, (m,), degrees from north, rising.
        distance: of the bins' centres along the beam, (n,), m.
        dbz: reflectivity (m, n), -inf where below the threshold, NaN where nothing is known.
    """

    elevation: float
    azimuth: np.ndarray
    distance: np.ndarray
    dbz: np.ndarray


def is_cfradial(path: Path) -> bool:
    """Whether a NetCDF file says that it is CfRadial."""
    with opened(path) as dataset:
        conventions = str(dataset.attrs.get("Conventions", "")) + str(dataset.attrs.get("conventions", ""))
    return "radial" in conventions.lower()


def read(path: Path, reading: Reading) -> Scans:
    """Rain rate of a volume on a map around its radar, at the time when the volume began or the file says.

    Each cell has the lowest elevation whose beam is high enough and in which the cell is known.

    Raises:
        InputError: the file is damaged, or holds no reflectivity.
        KaisekiError: xradar is not installed.
    """
    sweeps, (lat, lon), time = volume(path, reading)
    grid = reading.polar.grid or _around(path, lat, lon, reading.polar)
    rate, height = gridded(sweeps, (lat, lon), grid, reading.z_r, reading.polar)
    if not np.isfinite(rate).any():
        raise InputError(f"{path}: no bin of the radar at {lat:.3f} N {lon:.3f} E lies on the grid")
    quality = beam_quality(height)
    return Scans(
        grid=grid,
        time=np.array([time]),
        values=rate[None],
        measure="rate",
        period=None,
        quality=quality,
        source=f"radar volume of {path.name}",
    )


def volume(path: Path, reading: Reading) -> tuple[list[Sweep], tuple[float, float], np.datetime64]:
    """Sweeps of a file, place of the radar and time of the volume.

    Raises:
        InputError: the file is damaged, or holds no reflectivity.
        KaisekiError: xradar is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of xradar and the libraries below it
            import xradar as xd

            tree = xd.io.open_cfradial1_datatree(path) if is_cfradial(path) else xd.io.open_odim_datatree(path)
            with tree:
                return _volume(path, tree, reading)
    except ImportError as error:
        raise KaisekiError(f"{path}: volumes of radars need the package xradar; install kaiseki[radar]") from error
    except (*DAMAGE, AttributeError) as error:
        raise InputError(f"{path}: cannot be read as a radar volume ({type(error).__name__}: {error})") from error


def _volume(path: Path, tree: Any, reading: Reading) -> tuple[list[Sweep], tuple[float, float], np.datetime64]:
    sweeps, began = [], []
    for name in sorted((one for one in tree.children if one.startswith("sweep_")), key=lambda one: int(one[6:])):
        sweep = tree[name].to_dataset()
        field = reading.variable if reading.variable in sweep else next((one for one in _NAMES if one in sweep), None)
        if field is None:
            continue
        sweep = sweep.sortby("azimuth")
        dbz = np.asarray(sweep[field].transpose("azimuth", "range").values, float)
        undetect = sweep[field].attrs.get("_Undetect")
        if undetect is not None:
            scale, offset = (
                sweep[field].encoding.get(key, sweep[field].attrs.get(key, default))
                for key, default in (("scale_factor", 1.0), ("add_offset", 0.0))
            )
            dbz[np.isclose(dbz, float(undetect) * scale + offset)] = -np.inf
        elevation = np.asarray(sweep["elevation"].values, float)
        sweeps.append(
            Sweep(
                elevation=float(np.median(elevation)),
                azimuth=np.asarray(sweep["azimuth"].values, float),
                distance=np.asarray(sweep["range"].values, float),
                dbz=dbz,
            )
        )
        began.append(np.asarray(sweep["time"].values).astype("datetime64[s]").min())
    if not sweeps:
        raise InputError(f"{path}: none of its sweeps has reflectivity ({', '.join(_NAMES[:3])})")
    place = (float(tree[name].values) for name in ("latitude", "longitude"))
    lat, lon = place
    if not (abs(lat) <= 90.0 and np.isfinite(lon)):
        raise InputError(f"{path}: the radar stands at {lat} N {lon} E")
    return sorted(sweeps, key=lambda one: one.elevation), (lat, lon), np.min(began)


def gridded(
    sweeps: list[Sweep], place: tuple[float, float], grid: RainGrid, z_r: ZR, settings: Polar
) -> tuple[np.ndarray, np.ndarray]:
    """Rain rate (ny, nx), mm h-1, and height of the beam above the antenna (ny, nx), m; NaN where nothing is known.

    Args:
        sweeps: elevations of the volume, rising.
        place: latitude and longitude of the radar, degrees.
        grid: of the field.
        z_r: relation of reflectivity to rain.
        settings: reach, heights and method.
    """
    from pyproj import Geod

    lat, lon = grid.points()
    ahead, _, ground = Geod(ellps="WGS84").inv(np.full(lat.shape, place[1]), np.full(lat.shape, place[0]), lon, lat)
    rate, height = np.full(grid.shape, np.nan), np.full(grid.shape, np.nan)
    for sweep in sweeps:
        slant, beam = _beam(np.asarray(ground), sweep.elevation)
        step = sweep.distance[1] - sweep.distance[0]
        bins = np.rint((slant - sweep.distance[0]) / step).astype(int)
        usable = (bins >= 0) & (bins < sweep.distance.size) & (np.asarray(ground) <= settings.reach)
        usable &= (beam >= settings.lowest_beam) & (beam <= settings.highest_beam) & np.isnan(rate)
        if not usable.any():
            continue
        rain = z_r.rain(sweep.dbz)
        found = np.full(grid.shape, np.nan)
        found[usable] = rain[_rays(sweep.azimuth, np.asarray(ahead)[usable]), bins[usable]]
        if settings.method == "average":
            mean = _averages(sweep, rain, place, grid)
            found = np.where(np.isfinite(mean) & usable, mean, found)
        known = usable & np.isfinite(found)
        rate[known], height[known] = found[known], beam[known]
    return rate, height


def _beam(ground: np.ndarray, elevation: float) -> tuple[np.ndarray, np.ndarray]:
    """Distance along the beam and height above the antenna, m, at distances along the ground (Doviak and Zrnic 1993,
    equations 2.28)."""
    angle, rise = ground / _EFFECTIVE_EARTH, np.deg2rad(elevation)
    slant = _EFFECTIVE_EARTH * np.sin(angle) / np.cos(angle + rise)
    height = np.sqrt(slant**2 + _EFFECTIVE_EARTH**2 + 2.0 * slant * _EFFECTIVE_EARTH * np.sin(rise)) - _EFFECTIVE_EARTH
    return slant, height


def _rays(azimuth: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Number of the ray nearest in azimuth, around the circle."""
    around = np.concatenate([azimuth[-1:] - 360.0, azimuth, azimuth[:1] + 360.0])
    middle = 0.5 * (around[1:] + around[:-1])
    return np.asarray((np.searchsorted(middle, np.mod(wanted, 360.0)) - 1) % azimuth.size)


def _averages(sweep: Sweep, rain: np.ndarray, place: tuple[float, float], grid: RainGrid) -> np.ndarray:
    """Mean rain of the bins whose centres lie in each cell; NaN where none does."""
    from pyproj import Geod

    from kaiseki.precipitation.data import fractional_index

    rise = np.deg2rad(sweep.elevation)
    height = np.sqrt(sweep.distance**2 + _EFFECTIVE_EARTH**2 + 2.0 * sweep.distance * _EFFECTIVE_EARTH * np.sin(rise))
    ground = _EFFECTIVE_EARTH * np.arcsin(sweep.distance * np.cos(rise) / height)
    azimuth, along = np.meshgrid(sweep.azimuth, ground, indexing="ij")
    lon, lat, _ = Geod(ellps="WGS84").fwd(
        np.full(azimuth.shape, place[1]), np.full(azimuth.shape, place[0]), azimuth, along
    )
    row, column = (np.rint(one).astype(int) for one in fractional_index(grid, np.asarray(lat), np.asarray(lon)))
    ny, nx = grid.shape
    inside = (row >= 0) & (row < ny) & (column >= 0) & (column < nx) & np.isfinite(rain)
    cell = row[inside] * nx + column[inside]
    count = np.bincount(cell, minlength=ny * nx)
    total = np.bincount(cell, weights=rain[inside], minlength=ny * nx)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(ny, nx)


def _around(path: Path, lat: float, lon: float, settings: Polar) -> RainGrid:
    half = int(np.ceil(settings.reach / settings.spacing))
    axis = (np.arange(2 * half + 1) - half) * settings.spacing
    crs = CRS.from_proj4(f"+proj=aeqd +lat_0={lat:.6f} +lon_0={lon:.6f} +datum=WGS84 +units=m")
    return grid_of(str(path), crs, axis, axis[::-1])
