"""The mean column of a background, and saturation: what the balance is linearised about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.grid import Domain

LOW_GROUND = 50.0
"""Columns whose terrain is at most this high [m] make the mean column, or the lowest tenth where none is."""


@dataclass(frozen=True)
class MeanColumn:
    """Horizontal means at the domain's nominal heights.

    Attributes:
        height: (nz,) m above sea level.
        log_pressure: (nz,) ln of Pa.
        virtual_temperature: (nz,) K.
    """

    height: np.ndarray
    log_pressure: np.ndarray
    virtual_temperature: np.ndarray


def mean_column(domain: Domain, background: Mapping[str, np.ndarray]) -> MeanColumn:
    """The mean over the columns of low ground, interpolated linearly from their mean heights to the nominal heights.

    Args:
        domain: grid.
        background: `temperature` [K], `pressure` [Pa], `qv` [kg kg-1], (nz, ny, nx) each.
    """
    low = domain.terrain <= max(LOW_GROUND, float(np.quantile(domain.terrain, 0.1)))
    temperature, pressure, qv = (
        np.asarray(background[name], dtype=np.float64)[:, low] for name in ("temperature", "pressure", "qv")
    )
    height = domain.z[:, low].mean(axis=1)
    log_pressure = np.log(pressure).mean(axis=1)
    virtual = virtual_temperature(temperature, qv).mean(axis=1)
    return MeanColumn(
        domain.zeta,
        np.interp(domain.zeta, height, log_pressure),
        np.interp(domain.zeta, height, virtual),
    )
