"""An analytic large-scale winter flow over East Asia: jet, wave, surface low and high, front, sea.

The geopotential is written down and everything else follows from it: virtual temperature hydrostatically, wind as the
gradient wind without its divergence. It is where the weather of the twin experiment begins; a perturbed copy of it is
where the imperfect global analysis begins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from scipy.interpolate import CubicSpline

from kaiseki.core.constants import EARTH_RADIUS, EARTH_ROTATION, GRAVITY, R_DRY
from kaiseki.driving.moisture import from_relative_humidity
from kaiseki.experiments.twin.balance import gradient_wind, without_divergence
from kaiseki.experiments.twin.ripples import Ripples, envelope
from kaiseki.forecast.physics.surface import FREEZING_SEA

HECTOPASCALS = (
    *(1000, 975, 950, 925, 900, 850, 800, 750, 700, 650, 600, 550, 500),
    *(450, 400, 350, 300, 250, 200, 150, 100, 70, 50, 30, 20, 10),
)
LEVELS = 100.0 * np.array(HECTOPASCALS)
"""Pressure levels of the flow, Pa."""
LATITUDE, LONGITUDE = np.arange(-2.0, 74.1, 1.0), np.arange(70.0, 205.1, 1.0)
"""Axes of the grid of the flow as an analysis, degrees; it holds every domain around Japan."""
MIDDLE = (
    *((1100.0, 281.0), (1000.0, 276.0), (850.0, 269.0), (700.0, 262.0), (500.0, 248.0), (400.0, 241.0), (300.0, 232.5)),
    *((250.0, 227.5), (200.0, 222.5), (150.0, 214.5), (100.0, 208.0), (70.0, 208.0), (50.0, 211.0), (30.0, 215.0)),
    *((10.0, 224.0), (5.0, 230.0)),
)
"""Virtual temperature in the middle of the jet, pairs (hPa, K): a winter column between the warm and the cold air."""
DEGREE = np.deg2rad(1.0) * EARTH_RADIUS
TROPOPAUSE = np.log(0.25)
"""Logarithm ln(p / 1000 hPa) of the pressure of the jet's level."""
UPSTREAM = 117.0
"""Longitude of the middle of the waves that an analysis gets wrong, degrees east; within a day they pass over the whole
region."""
LASTING_HEIGHT = 13.0
"""Standard deviation of the waves that an analysis always gets wrong, m; less than those of one start, which lie
upstream of Japan, for the same error over Japan."""
COSINES = 16
"""Number of cosines that an error of a parameter is made of where errors change in time."""
ANOMALY_WAVES = (24.0, 16.0)
"""Wavelengths of the waves of the sea temperature, in degrees of longitude and of latitude, about the width of the
seas around Japan."""
SEA_PERIOD = 10.0 * 86_400.0
"""Time in which the change of the sea temperature moves on by a wavelength, s."""
SURFACE_DENSITY = 1.25
"""Density of air, kg m-3, that turns pressures at sea level into geopotentials at 1000 hPa."""


@dataclass(frozen=True)
class Flow:
    """Parameters of the flow.

    Args:
        jet_speed: largest wind of the jet, m/s.
        jet_latitude: its mean latitude, degrees.
        jet_width: its half width, m.
        wavelength: of the baroclinic wave, m.
        phase_speed: of the wave, eastward, m/s.
        phase: longitude of the southernmost point of the jet near the ground at time zero, degrees east.
        amplitude: meridional displacement of the jet, degrees.
        low_depth: amplitude of the surface-pressure wave, Pa.
        monsoon: half the difference of sea-level pressure between the continent and the ocean, Pa.
        front: half the temperature contrast that the front adds near the ground, K.
        humidity: factor on relative humidity.
        warmth: addition to the temperature near the ground, K.
        ripples: random waves on top.
        sea_anomaly: amplitude of what the sea is warmer or colder than an analysis says, K.
        sea_change: amplitude of the waves of the sea temperature that travel, K.
    """

    jet_speed: float = 68.0
    jet_latitude: float = 36.0
    jet_width: float = 850e3
    wavelength: float = 4200e3
    phase_speed: float = 14.0
    phase: float = 128.0
    amplitude: float = 4.0
    low_depth: float = 1100.0
    monsoon: float = 700.0
    front: float = 3.0
    humidity: float = 1.0
    warmth: float = 0.0
    ripples: tuple[Ripples, ...] = ()
    sea_anomaly: float = 0.0
    sea_change: float = 0.0

    @classmethod
    def drawn(cls, seed: int, sea_anomaly: float = 0.0, sea_change: float = 0.0) -> Flow:
        """The true flow of a seed: the wave somewhere near its usual place, with a weather of its own on top."""
        n = np.random.default_rng([seed, 1]).normal(size=3)
        return cls(
            phase=cls.phase + 3.0 * float(n[0]),
            amplitude=cls.amplitude * (1.0 + 0.1 * float(n[1])),
            low_depth=cls.low_depth * (1.0 + 0.1 * float(n[2])),
            ripples=(Ripples((seed, 2), 20.0),),
            sea_anomaly=sea_anomaly,
            sea_change=sea_change,
        )

    def perturbed(self, seed: int, size: float = 1.0) -> Flow:
        """Flow as a global analysis gives it: with errors drawn from a seed, `size` times the typical ones.

        Two sizes of one seed err in the same direction. The typical errors make, over Japan, about 4.5 m/s of
        vector wind, 1.2 K and 1.5 hPa (root mean squares); `tests/twin` holds them to that.
        """
        n = np.random.default_rng([seed, 3]).normal(size=9) * size
        return self._wrong(n, Ripples((seed, 4), 18.0 * size, UPSTREAM))

    def perturbed_at(self, seconds: float, seed: int, size: float, memory: float, longitude: float) -> Flow:
        """Flow as a series of global analyses gives it: with errors that change in time and keep their size.

        The numbers by which parameters err are stationary Gaussian processes with the correlation
        exp(-(t / memory)^2 / 2), made of cosines of random phases whose frequencies are drawn from their spectrum
        (Shinozuka and Deodatis 1991, Appl. Mech. Rev. 44, 191-204); the waves that err are those of `Ripples` with
        that memory.

        Args:
            seconds: time since the origin.
            seed, size: as `perturbed`, whose typical errors these are too.
            memory: time in which the correlation falls to exp(-1/2), s.
            longitude: about which the waves err, degrees east.
        """
        r = np.random.default_rng([seed, 8])
        frequency, phase = r.normal(size=(9, COSINES)) / memory, r.uniform(0.0, 2.0 * np.pi, (9, COSINES))
        n = size * np.sqrt(2.0 / COSINES) * np.cos(frequency * seconds + phase).sum(axis=1)
        return self._wrong(n, Ripples((seed, 9), LASTING_HEIGHT * size, longitude, memory))

    def _wrong(self, n: np.ndarray, ripples: Ripples) -> Flow:
        """Flow whose parameters err by the numbers n (9,), in units of typical errors, and with further waves."""
        return replace(
            self,
            jet_speed=self.jet_speed * (1.0 + 0.03 * float(n[0])),
            jet_latitude=self.jet_latitude + 0.3 * float(n[1]),
            jet_width=self.jet_width * (1.0 + 0.04 * float(n[2])),
            phase=self.phase + 1.0 * float(n[3]),
            amplitude=self.amplitude * (1.0 + 0.1 * float(n[4])),
            low_depth=self.low_depth * (1.0 + 0.1 * float(n[5])),
            front=self.front * (1.0 + 0.2 * float(n[6])),
            humidity=self.humidity * float(np.exp(0.06 * n[7])),
            warmth=self.warmth + 0.4 * float(n[8]),
            ripples=(*self.ripples, ripples),
        )

    def geopotential(self, lat: np.ndarray, lon: np.ndarray, log_sigma: np.ndarray, seconds: float) -> np.ndarray:
        """Geopotential (m2 s-2) on (level, lat, lon).

        Args:
            lat, lon: degrees, one dimension each.
            log_sigma: ln(p / 1000 hPa) of the levels.
            seconds: time since the origin.
        """
        s = log_sigma[:, None, None]
        phi, lam = lat[None, :, None], lon[None, None, :]
        x = s / TROPOPAUSE
        metres = DEGREE * np.cos(np.deg2rad(40.0))
        # The wave tilts westward with height: 90 degrees of phase between 1000 and 250 hPa.
        travelled = (lam - self.phase) * metres - self.phase_speed * seconds
        angle = 2 * np.pi / self.wavelength * travelled - 0.5 * np.pi * x
        # Far from the region the flow is zonal, which the model keeps as it is: waves come in from nowhere else.
        axis = self.jet_latitude - self.amplitude * np.cos(angle) * envelope(lam)
        distance = (phi - axis) * DEGREE

        f = 2 * EARTH_ROTATION * np.sin(np.deg2rad(self.jet_latitude))
        # Largest at 250 hPa, nothing at the ground, decaying into the stratosphere.
        above = np.exp(-((np.maximum(x, 1.0) - 1.0) ** 2) / 0.6)
        shape = np.where(x < 1.0, np.sin(0.5 * np.pi * np.clip(x, -1.0, 1.0)), above)
        jet = -f * self.jet_speed * self.jet_width * np.tanh(distance / self.jet_width) * shape

        # Temperature -+ front at the ground, gone above 600 hPa; sloping towards the cold side with height.
        depth = 0.5
        slope = 300e3 * x / 0.5
        front = -R_DRY * self.front * depth * np.tanh((distance - slope) / 300e3) * (1.0 - np.exp(s / depth))

        fading = np.exp(s) / SURFACE_DENSITY
        low = -self.low_depth * np.sin(angle) * np.exp(-(((phi - 42.0) / 12.0) ** 2)) * envelope(lam)
        ridge = 650.0 * np.exp(-(((phi - 28.0) / 12.0) ** 2))
        monsoon = -self.monsoon * np.tanh((lam - 138.0) / 20.0) * np.exp(-(((phi - 48.0) / 13.0) ** 2))
        total = self._mean(s) + jet + front + (low + ridge + monsoon) * fading
        for ripples in self.ripples:
            total = total + ripples.geopotential(lat, lon, log_sigma, seconds)
        return np.asarray(total)

    def _mean(self, s: np.ndarray) -> np.ndarray:
        """The geopotential of the middle of the jet, integrated hydrostatically from the table `MIDDLE`."""
        fine = np.linspace(np.log(1.1), np.log(5e-3), 4000)
        heights, values = np.log(np.array(MIDDLE)[:, 0] / 1000.0), np.array(MIDDLE)[:, 1]
        temperature = CubicSpline(-heights, values)(-fine)
        temperature += self.warmth * np.exp(3.0 * np.minimum(fine, 0.0))
        layers = -0.5 * (temperature[1:] + temperature[:-1]) * np.diff(fine)
        integral = np.concatenate([[0.0], np.cumsum(layers)]) * R_DRY
        integral -= np.interp(0.0, -fine, integral)
        return CubicSpline(-fine, integral)(-s) + 130.0 * GRAVITY

    def dataset(self, time: np.datetime64, origin: np.datetime64) -> xr.Dataset:
        """The flow at a time in the common form of `driving.sources`, on the grid of this module.

        Args:
            time: which time.
            origin: the time at which `phase` holds.

        Returns:
            The five fields of state and sea_surface_temperature, with land nowhere: the flow knows no coast.
        """
        seconds = float((time - origin) / np.timedelta64(1, "s"))
        log_sigma = np.log(LEVELS / 1e5)

        def at(lat: np.ndarray, lon: np.ndarray, s: np.ndarray) -> np.ndarray:
            return self.geopotential(lat, lon, s, seconds)

        # Central differences of the analytic function, far below the grid's spacing: no truncation error to speak of.
        d, e = 0.01, 0.05
        phi = at(LATITUDE, LONGITUDE, log_sigma)
        tv = at(LATITUDE, LONGITUDE, log_sigma - d) - at(LATITUDE, LONGITUDE, log_sigma + d)
        tv /= 2 * d * R_DRY
        to_north = at(LATITUDE + e, LONGITUDE, log_sigma) - at(LATITUDE - e, LONGITUDE, log_sigma)
        to_east = at(LATITUDE, LONGITUDE + e, log_sigma) - at(LATITUDE, LONGITUDE - e, log_sigma)
        lat = LATITUDE[None, :, None]
        phi_y = to_north / (2 * e * DEGREE)
        phi_x = to_east / (2 * e * DEGREE * np.cos(np.deg2rad(lat)))
        wind = gradient_wind(phi_x, phi_y, LATITUDE, LONGITUDE, self.phase_speed)
        u, v = without_divergence(*wind, LATITUDE, LONGITUDE)

        p = LEVELS[:, None, None]
        relative = self._relative_humidity(p, v)
        temperature, q = from_relative_humidity(tv, np.broadcast_to(p, tv.shape), relative)
        dims, surface = ("time", "pressure", "latitude", "longitude"), ("time", "latitude", "longitude")
        sst = self.sea_temperature(LATITUDE[:, None], LONGITUDE[None, :], seconds)
        return xr.Dataset(
            {
                "air_temperature": (dims, temperature[None]),
                "eastward_wind": (dims, u[None]),
                "northward_wind": (dims, v[None]),
                "geopotential_height": (dims, phi[None] / GRAVITY),
                "specific_humidity": (dims, q[None]),
                "sea_surface_temperature": (surface, sst[None]),
                "land_area_fraction": (surface, np.zeros_like(sst)[None]),
            },
            coords={
                "time": [time.astype("datetime64[s]")],
                "pressure": LEVELS,
                "latitude": LATITUDE,
                "longitude": LONGITUDE,
            },
            attrs={"source": "twin", "file": "analytic flow"},
        )

    def sea_temperature(self, lat: np.ndarray, lon: np.ndarray, seconds: float) -> np.ndarray:
        """Sea-surface temperature, K, at latitudes and longitudes in degrees and a time in s since the origin."""
        turn = seconds / SEA_PERIOD
        return sea_surface_temperature(lat, lon, ((self.sea_anomaly, 0.0), (self.sea_change, turn)))

    def _relative_humidity(self, p: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Moist near the ground and in southerly flow ahead of the trough, dry behind it and aloft; 0..0.98."""
        base = 0.30 + 0.5 * np.exp(-(((1e5 - p) / 3.0e4) ** 2))
        moist = 0.25 * np.tanh(v / 12.0) * np.clip(p / 5e4, 0.0, 1.0)
        humid = np.clip((base + moist) * self.humidity, 0.05, 0.98)
        return np.where(p < 2.0e4, 0.02, humid)


def sea_surface_temperature(
    lat: np.ndarray, lon: np.ndarray, waves: tuple[tuple[float, float], ...] = ()
) -> np.ndarray:
    """Winter sea: warm in the south, a warm current east of Honshu; K, freezing at 271.35 K.

    Args:
        lat, lon: degrees.
        waves: amplitude (K) and number of wavelengths by which they are moved on, of waves that are added. Their crests
            run from south-west to north-east, one of them, not moved, through 35 degrees north and 141 east. A wave is
            0.7 times its amplitude in the root mean square, and nothing in the mean.
    """
    zonal = np.clip(29.0 - 0.75 * np.maximum(lat - 14.0, 0.0), -1.8, 29.0)
    current = 2.5 * np.exp(-(((lon - 148.0) / 15.0) ** 2) - ((lat - 36.0) / 6.0) ** 2)
    found = np.asarray(273.15 + zonal + current)
    for amplitude, turn in waves:
        if amplitude:
            angle = 2.0 * np.pi * ((lon - 141.0) / ANOMALY_WAVES[0] - (lat - 35.0) / ANOMALY_WAVES[1] - turn)
            found = np.maximum(found + amplitude * np.cos(angle), FREEZING_SEA)
    return found
