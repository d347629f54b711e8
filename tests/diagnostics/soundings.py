"""Columns for the tests of derived fields: real ones of a global analysis, made ones of hypothesis."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from kaiseki.diagnostics.saturation import over_water, specific_humidity
from kaiseki.driving import read_global

GFS = "driving/gfs/gfs_20170322_00Z_analysis_2p5deg.grib2"


@dataclass(frozen=True)
class Columns:
    """Pressure [Pa], temperature [K], specific humidity [kg/kg] and height [m], (z, column) each, z up."""

    pressure: np.ndarray
    temperature: np.ndarray
    qv: np.ndarray
    height: np.ndarray

    def part(self, chosen: np.ndarray) -> Columns:
        return Columns(
            self.pressure[:, chosen], self.temperature[:, chosen], self.qv[:, chosen], self.height[:, chosen]
        )

    @property
    def profile(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.pressure, self.temperature, self.qv


@cache
def gfs(data: Path) -> Columns:
    """Columns of the GFS analysis of 2017-03-22 00 UTC between 1000 and 100 hPa, where 1000 hPa is above the ground."""
    source = read_global(data / GFS).isel(time=0)
    source = source.sel(pressure=slice(1e5, 1e4))
    names = ("air_temperature", "specific_humidity", "geopotential_height")
    temperature, qv, height = (source[name].values.reshape(source.sizes["pressure"], -1) for name in names)
    pressure = np.broadcast_to(source["pressure"].values[:, None], temperature.shape)
    above = source["surface_air_pressure"].values.ravel() >= 1.0e5
    return Columns(pressure, temperature, np.maximum(qv, 1e-7), height).part(above)


@st.composite
def columns(draw: st.DrawFn, levels: int = 24) -> Columns:
    """One column with layers of any stability from absolutely stable to slightly superadiabatic, dry to nearly
    saturated."""
    pressure = np.geomspace(1.0e5, 1.5e4, levels)
    ground = draw(st.floats(255.0, 310.0))
    seed = draw(st.integers(0, 2**31))
    generator = np.random.default_rng(seed)
    # Lapse of temperature with ln p over temperature: 2/7 is dry-adiabatic.
    steps = generator.uniform(0.0, draw(st.floats(0.1, 0.3)), levels - 1)
    temperature = ground * np.exp(np.concatenate([[0.0], np.cumsum(steps * np.diff(np.log(pressure)))]))
    temperature = np.maximum(temperature, 190.0)
    relative = np.clip(generator.uniform(0.05, 0.98, levels) * draw(st.floats(0.3, 1.0)), 0.02, 0.98)
    qv = specific_humidity(relative * over_water(temperature), pressure)
    height = np.concatenate(
        [[0.0], np.cumsum(29.27 * 0.5 * (temperature[1:] + temperature[:-1]) * -np.diff(np.log(pressure)))]
    )
    return Columns(*(field[:, None] for field in (pressure, temperature, qv, height)))
