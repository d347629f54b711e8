"""Synthetic storms with a known truth: showers and a band of rain over an island arc, four radars, gauges.

The truth is a function of place and time: showers that grow, move with the flow and decay, and a band of stratiform
rain with a random texture that moves too; mountains strengthen both. Amounts of an hour are sums of twelve steps.
Each radar sees the truth through a factor of its own, a decrease with the height of its beam, and a smooth
random error; gauges read the truth of their cell with an error, in steps of a tipping bucket; two have a planted fault.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from kaiseki.core.errors import ConfigError
from kaiseki.grid.island_arc import surface
from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.data import HOUR, Gauges, RadarRain

_KM_PER_DEGREE: Final = 111.195
_EARTH_KM: Final = 6371.0
_REFRACTION: Final = 4.0 / 3.0
"""Radius of the Earth by which rays of a radar are straight in the standard atmosphere, over the true one."""
_STEPS: Final = 12


@dataclass(frozen=True, kw_only=True)
class Radar:
    """A synthetic radar.

    Attributes:
        name: of the site.
        lat, lon: of the site, degrees.
        sensitivity: s of its factor exp(s + v h), by which its amounts have to be multiplied.
        slope: v, km-1, with h the height of the beam in km.
    """

    name: str
    lat: float
    lon: float
    sensitivity: float
    slope: float


RADARS: Final = (
    Radar(name="north", lat=36.9, lon=139.4, sensitivity=np.log(1.6), slope=0.10),
    Radar(name="east", lat=35.6, lon=140.2, sensitivity=np.log(0.7), slope=0.20),
    Radar(name="south", lat=34.9, lon=138.6, sensitivity=np.log(1.3), slope=0.15),
    Radar(name="west", lat=36.2, lon=137.5, sensitivity=np.log(0.85), slope=0.25),
)
"""Radars of the demonstration."""


@dataclass(frozen=True, kw_only=True)
class StormSettings:
    """What storms are made.

    Attributes:
        hours: number of hours.
        box: west, south, east, north, degrees.
        spacing: of the grid, km.
        gauges: number of gauges.
        showers: number of showers.
        flow: eastward and northward motion, km h-1.
        start: beginning of the first hour, UTC.
        seed: of all that is random.
        reach: of a radar, km.
        elevation: of the beam, degrees.
        radar_error: standard deviation of the logarithm of the smooth error of a radar.
        gauge_error: standard deviation of the logarithm of the error of a gauge.
        resolution: step of the gauges, mm.
        radars: sites and factors.
    """

    hours: int = 4
    box: tuple[float, float, float, float] = (137.0, 34.6, 140.8, 37.4)
    spacing: float = 2.0
    gauges: int = 160
    showers: int = 90
    flow: tuple[float, float] = (38.0, 18.0)
    start: np.datetime64 = field(default_factory=lambda: np.datetime64("2024-07-01T00:00:00", "s"))
    seed: int = 1
    reach: float = 150.0
    elevation: float = 0.5
    radar_error: float = 0.3
    gauge_error: float = 0.1
    resolution: float = 0.5
    radars: tuple[Radar, ...] = RADARS

    def __post_init__(self) -> None:
        if self.hours < 1 or self.gauges < 10 or not self.spacing > 0.0 or not self.radars:
            raise ConfigError("Synthetic storms need an hour, ten gauges, a radar and a spacing above 0")


@dataclass(frozen=True, eq=False)
class Storms:
    """Storms, and what instruments make of them.

    Attributes:
        grid: of all fields.
        time: ends of the hours, (t,).
        truth: (t, ny, nx), mm.
        radars: what each radar sees, on the grid, NaN beyond its reach.
        heights: of the beam of each radar, (ny, nx), km.
        gauges: with errors and faults.
        faulty: stations with a planted fault, and in words which.
        land: whether a cell is land, (ny, nx).
        settings: of the storms.
    """

    grid: LatLonGrid
    time: np.ndarray
    truth: np.ndarray
    radars: tuple[RadarRain, ...]
    heights: tuple[np.ndarray, ...]
    gauges: Gauges
    faulty: dict[str, str]
    land: np.ndarray
    settings: StormSettings


def make_storms(settings: StormSettings | None = None) -> Storms:
    """Storms and instruments; the same settings make the same ones."""
    settings = settings or StormSettings()
    rng = np.random.default_rng(settings.seed)
    grid = _grid(settings)
    height, land = surface(*grid.points())
    truth = _Rain(grid, settings, height, rng).hours()
    time = settings.start + HOUR * np.arange(1, settings.hours + 1)
    heights = tuple(beam_height(grid, radar, settings) for radar in settings.radars)
    radars = tuple(
        _seen(grid, time, truth, radar, beam, settings, rng)
        for radar, beam in zip(settings.radars, heights, strict=True)
    )
    gauges, faulty = _gauges(grid, time, truth, land, settings, rng)
    return Storms(grid, time, truth, radars, heights, gauges, faulty, land >= 0.5, settings)


def beam_height(grid: LatLonGrid, radar: Radar, settings: StormSettings) -> np.ndarray:
    """Height of the beam of a radar over its antenna, (ny, nx), km, NaN beyond its reach."""
    lat, lon = np.deg2rad(grid.points())
    lat0, lon0 = np.deg2rad(radar.lat), np.deg2rad(radar.lon)
    chord = np.sin(0.5 * (lat - lat0)) ** 2 + np.cos(lat) * np.cos(lat0) * np.sin(0.5 * (lon - lon0)) ** 2
    distance = 2.0 * _EARTH_KM * np.arcsin(np.sqrt(chord))
    height = distance * np.sin(np.deg2rad(settings.elevation)) + distance**2 / (2.0 * _REFRACTION * _EARTH_KM)
    return np.where(distance <= settings.reach, height, np.nan)


def texture(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> np.ndarray:
    """A periodic random field of unit variance whose correlation falls to exp(-1/2) over a scale, in cells."""
    ky, kx = np.meshgrid(*(2.0 * np.pi * np.fft.fftfreq(n) for n in shape), indexing="ij")
    shaped = np.fft.fft2(rng.standard_normal(shape)) * np.exp(-0.25 * scale**2 * (kx**2 + ky**2))
    found = np.fft.ifft2(shaped).real
    return np.asarray((found - found.mean()) / found.std())


def _grid(settings: StormSettings) -> LatLonGrid:
    west, south, east, north = settings.box
    middle = np.cos(np.deg2rad(0.5 * (south + north)))
    ny = max(round((north - south) * _KM_PER_DEGREE / settings.spacing), 2)
    nx = max(round((east - west) * _KM_PER_DEGREE * middle / settings.spacing), 2)
    return LatLonGrid(
        south + (np.arange(ny) + 0.5) * (north - south) / ny, west + (np.arange(nx) + 0.5) * (east - west) / nx
    )


class _Rain:
    """Rain rate as a function of place and time; x and y in km from the south-western corner, t in hours."""

    def __init__(self, grid: LatLonGrid, settings: StormSettings, height: np.ndarray, rng: np.random.Generator) -> None:
        self.settings = settings
        middle = np.cos(np.deg2rad(grid.lat.mean()))
        self.x = (grid.lon - grid.lon[0]) * _KM_PER_DEGREE * middle
        self.y = (grid.lat - grid.lat[0]) * _KM_PER_DEGREE
        self.mountains = 1.0 + 0.4e-3 * np.minimum(height, 2000.0)
        wide = (self.x[-1], self.y[-1])
        count = settings.showers
        lasting = settings.hours + 2.0
        self.born = rng.uniform(-1.5, settings.hours, count)
        self.life = rng.uniform(0.8, 2.0, count)
        # Places at the middle of the life, so that showers are spread over the whole map at all times.
        self.at = np.stack([rng.uniform(-0.1 * one, 1.1 * one, count) for one in wide])
        self.size = rng.uniform(3.0, 9.0, count)
        self.peak = np.exp(rng.normal(np.log(32.0), 0.6, count))
        size = [int(2 * (one + lasting * abs(flow)) / settings.spacing) for one, flow in zip(
            wide[::-1], settings.flow[::-1], strict=True
        )]  # fmt: skip
        self.noise = texture((size[0], size[1]), 22.0 / settings.spacing, rng)

    def hours(self) -> np.ndarray:
        """Amounts of the hours, (t, ny, nx), mm."""
        found = []
        for hour in range(self.settings.hours):
            steps = hour + (np.arange(_STEPS) + 0.5) / _STEPS
            found.append(np.mean([self.rate(float(t)) for t in steps], axis=0))
        return np.asarray(found, np.float32)

    def rate(self, t: float) -> np.ndarray:
        """Rain rate (ny, nx) at a time, mm h-1."""
        u, v = self.settings.flow
        rate = np.zeros((self.y.size, self.x.size))
        phase = (t - self.born) / self.life
        for one in np.flatnonzero((phase > 0.0) & (phase < 1.0)):
            since = t - (self.born[one] + 0.5 * self.life[one])
            dx, dy = (self.x - self.at[0, one] - u * since), (self.y - self.at[1, one] - v * since)
            shape = np.exp(-0.5 * (dy / self.size[one]) ** 2)[:, None] * np.exp(-0.5 * (dx / self.size[one]) ** 2)
            rate += self.peak[one] * np.sin(np.pi * phase[one]) ** 2 * shape
        # The band lies across the flow and moves with a third of its speed.
        x, y = np.meshgrid(self.x, self.y)
        along = (x - 0.35 * self.x[-1] - u * (t - 0.5 * self.settings.hours) / 3.0) + 0.5 * (y - 0.5 * self.y[-1])
        step = self.settings.spacing
        rows, columns = (
            np.floor((axis - flow * t) / step).astype(int) % n
            for axis, flow, n in zip((self.y, self.x), (v, u), self.noise.shape, strict=True)
        )
        band = 5.0 * np.exp(-0.5 * (along / 60.0) ** 2) * np.maximum(self.noise[np.ix_(rows, columns)] + 0.1, 0.0)
        rate = (rate + band) * self.mountains
        return np.where(rate < 0.05, 0.0, rate)


def _seen(
    grid: LatLonGrid,
    time: np.ndarray,
    truth: np.ndarray,
    radar: Radar,
    beam: np.ndarray,
    settings: StormSettings,
    rng: np.random.Generator,
) -> RadarRain:
    """The truth as a radar sees it."""
    bias = np.exp(-(radar.sensitivity + radar.slope * beam))
    amount = np.empty(truth.shape, np.float32)
    for hour, field_ in enumerate(truth):
        error = settings.radar_error * texture(grid.shape, 12.0 / settings.spacing, rng)
        seen = field_ * bias * np.exp(error - 0.5 * settings.radar_error**2)
        amount[hour] = np.where(np.isfinite(beam), np.where(seen < 0.05, 0.0, seen), np.nan)
    return RadarRain(grid=grid, time=time, amount=amount, source=f"synthetic radar {radar.name}")


def _gauges(
    grid: LatLonGrid,
    time: np.ndarray,
    truth: np.ndarray,
    land: np.ndarray,
    settings: StormSettings,
    rng: np.random.Generator,
) -> tuple[Gauges, dict[str, str]]:
    """Gauges on land, none nearer to another than a part of their mean distance; two of them faulty."""
    cells = rng.permutation(np.argwhere(land > 0.8))
    apart = 0.5 * np.sqrt(len(cells) / settings.gauges)
    chosen: list[np.ndarray] = []
    for cell in cells:
        if all(np.hypot(*(cell - one)) >= apart for one in chosen):
            chosen.append(cell)
        if len(chosen) == settings.gauges:
            break
    row, column = np.array(chosen).T
    exact = truth[:, row, column] * np.exp(settings.gauge_error * rng.standard_normal((time.size, row.size)))
    amount = np.floor(exact / settings.resolution + rng.uniform(0.0, 1.0, exact.shape)) * settings.resolution
    names = np.array([f"S{number:03d}" for number in range(row.size)])
    blocked = int(np.argmax(exact.sum(axis=0)))
    amount[:, blocked] = 0.0
    high = int(np.argmin(exact.sum(axis=0)))
    amount[time.size // 2, high] = 120.0
    faulty = {str(names[blocked]): "blocked, reads 0", str(names[high]): "reads 120 mm once"}
    gauges = Gauges(
        station=names,
        lat=grid.lat[row],
        lon=grid.lon[column],
        time=time,
        amount=amount,
        resolution=np.full(row.size, settings.resolution),
        source="synthetic gauges",
    )
    return gauges, faulty
