"""The land and sea surface as a part of the model's state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kaiseki.config.physics import Physics
from kaiseki.core.errors import InputError
from kaiseki.grid.domain import Domain

NEVER = -(2**30)
"""Time of the last radiation of a surface that has had none, s."""
LEAST_LAND = 0.1
"""Land fraction below which the land's skin temperature is not taken from that of the whole cell."""
FREEZING_SEA = 271.35
"""Freezing temperature of sea water, K (-1.8 degC); there is no sea ice in the model."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Radiative:
    """Result of the last radiation call, held until the next.

    heating (z, y, x): K/s; shortwave (y, x): solar radiation at the ground before reflection, W m-2; longwave (y, x):
    thermal radiation of the air at the ground, W m-2; time (): int32, s since the start of the run.
    """

    heating: Array
    shortwave: Array
    longwave: Array
    time: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Surface:
    """Land and sea, (y, x) each, soil (nsoil, y, x) downwards.

    sst: temperature of the sea, K; soil_temperature: K, its first layer is the skin of the land; soil_moisture: m3/m3;
        snow: on the land part, kg m-2;
    radiative: what the last radiation call gave.
    """

    sst: Array
    soil_temperature: Array
    soil_moisture: Array
    snow: Array
    radiative: Radiative

    def skin_temperature(self, land_fraction: Array) -> Array:
        """Mean surface temperature of the cells, K."""
        return land_fraction * self.soil_temperature[0] + (1.0 - land_fraction) * self.sst


def _layers(values: np.ndarray, n: int) -> np.ndarray:
    """Soil values on n layers from any number of layers, by their order."""
    if values.shape[0] == n:
        return values
    at = np.linspace(0, values.shape[0] - 1, n)
    low = np.minimum(at.astype(int), max(values.shape[0] - 2, 0))
    high = np.minimum(low + 1, values.shape[0] - 1)
    share = (at - low)[:, None, None]
    return (1.0 - share) * values[low] + share * values[high]


def make_surface(fields: Mapping[str, np.ndarray], domain: Domain, p: Physics, dtype: type = np.float32) -> Surface:
    """Surface from fields at the ground; what is absent is replaced, but not the temperature of the sea.

    `skin_temperature` (of the whole cell) falls back on the air's at the lowest level, `soil_temperature` on the land's
    skin, `soil_moisture` on the scheme's initial value, `snow` on none. Soil of another number of layers is taken by
    the layers' order.

    Raises:
        InputError: there is sea, a process that feels it, and no `sst`.
    """
    land, n = domain.land_fraction, len(p.schemes.soil.thickness)
    if "sst" not in fields and p.feels_sea and (sea := int((land < 1.0).sum())):
        raise InputError(
            f"There is no sea-surface temperature for {domain.name}, but {sea} of its {land.size} cells hold sea; give "
            "the field sst, in an experiment by a file under driving.sea_temperature_files."
        )
    skin = np.asarray(fields.get("skin_temperature", fields["temperature"][0]), dtype=float)
    sst = np.maximum(np.asarray(fields.get("sst", skin), dtype=float), FREEZING_SEA)
    own = skin + (1.0 - land) / np.maximum(land, LEAST_LAND) * (skin - sst)
    skin_land = np.where(land >= LEAST_LAND, np.clip(own, skin - 30.0, skin + 30.0), skin)
    if "soil_temperature" in fields:
        soil = _layers(np.asarray(fields["soil_temperature"], dtype=float), n).copy()
        soil[0] = skin_land
    else:
        soil = np.repeat(skin_land[None], n, axis=0)
    moisture = np.full(soil.shape, p.schemes.soil.initial_moisture)
    if "soil_moisture" in fields:
        moisture = np.clip(_layers(np.asarray(fields["soil_moisture"], dtype=float), n), 0.0, p.schemes.soil.porosity)
    snow = np.maximum(np.asarray(fields.get("snow", np.zeros(land.shape)), dtype=float), 0.0)
    zero = jnp.zeros(land.shape, dtype)

    def cast(a: np.ndarray) -> Array:
        return jnp.asarray(a.astype(dtype))

    radiative = Radiative(jnp.zeros(domain.shape, dtype), zero, zero, jnp.asarray(NEVER, dtype=jnp.int32))
    return Surface(cast(sst), cast(soil), cast(moisture), cast(snow), radiative)
