"""The land and sea surface as a part of the model's state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kaiseki.config.physics import Physics
from kaiseki.core.constants import FREEZING
from kaiseki.core.errors import InputError
from kaiseki.grid.domain import Domain

NEVER = -(2**30)
"""Time of the last radiation of a surface that has had none, s."""
LEAST_LAND = 0.1
"""Land fraction below which the land's skin temperature is not taken from that of the whole cell."""
FREEZING_SEA = 271.35
"""Freezing temperature of sea water, K (-1.8 degC at a salinity of 33 g/kg: UNESCO 1983, Techn. Pap. Mar. Sci. 44): the
least of open water, and that of the water under ice."""


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
class Sea:
    """State of the sea that drives the model at one time, (y, x) each.

    temperature: of open water, K; ice: fraction of the sea part of the cells that ice covers, 0 to 1.
    """

    temperature: Array
    ice: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Surface:
    """Land and sea, (y, x) each, soil (nsoil, y, x) and ice (nice, y, x) downwards.

    sst: temperature of open water, K; ice: fraction of the sea part of the cells that ice covers; ice_temperature: K,
        its first layer is the skin of the ice, and where there is no ice it is the freezing point of sea water;
    soil_temperature: K, its first layer is the skin of the land; soil_moisture: m3/m3; snow: on the land part, kg m-2;
    radiative: what the last radiation call gave.
    """

    sst: Array
    ice: Array
    ice_temperature: Array
    soil_temperature: Array
    soil_moisture: Array
    snow: Array
    radiative: Radiative

    def skin_temperature(self, land_fraction: Array) -> Array:
        """Mean surface temperature of the cells, K."""
        sea = (1.0 - self.ice) * self.sst + self.ice * self.ice_temperature[0]
        return land_fraction * self.soil_temperature[0] + (1.0 - land_fraction) * sea

    def with_sea(self, sea: Sea) -> Surface:
        """The surface with another state of the sea."""
        return replace(self, sst=sea.temperature, ice=sea.ice)


def make_sea(fields: Mapping[str, np.ndarray], p: Physics, dtype: type = np.float32) -> Sea | None:
    """State of the sea from the fields `sst` (K) and `sea_ice` (fraction; none where absent), None without `sst`."""
    if "sst" not in fields:
        return None
    sst = np.maximum(np.asarray(fields["sst"], dtype=float), FREEZING_SEA)
    ice = np.zeros(sst.shape)
    if p.sea_ice and "sea_ice" in fields:
        ice = np.clip(np.asarray(fields["sea_ice"], dtype=float), 0.0, 1.0)
    return Sea(jnp.asarray(sst.astype(dtype)), jnp.asarray(ice.astype(dtype)))


def _ice_temperature(fields: Mapping[str, np.ndarray], sst: np.ndarray, ice: np.ndarray, p: Physics) -> np.ndarray:
    """Temperature (nice, ny, nx) of the layers of ice, K: linear from its skin to the water under it.

    The skin takes the field `ice_temperature`, else the temperature of the air at the lowest level.
    """
    thickness = np.asarray(p.schemes.sea_ice.thickness)
    middle = (np.cumsum(thickness) - 0.5 * thickness)[:, None, None]
    skin = np.asarray(fields.get("ice_temperature", fields["temperature"][0]), dtype=float)
    skin = np.minimum(skin, FREEZING)
    share = (middle - middle[0]) / (thickness.sum() - middle[0])
    column = (1.0 - share) * skin + share * FREEZING_SEA
    return np.where(ice > 0.0, column, FREEZING_SEA)


def make_surface(fields: Mapping[str, np.ndarray], domain: Domain, p: Physics, dtype: type = np.float32) -> Surface:
    """Surface from fields at the ground; what is absent is replaced, but not the temperature of the sea.

    `skin_temperature` (of the whole cell) falls back on the air's at the lowest level, `ice_temperature` (skin of the
    ice) on the same, `sea_ice` on none, `soil_temperature` on the land's skin, `soil_moisture` on the scheme's initial
    value, also where it is not a number, and `snow` on none. The soil must lie on the layers of the scheme.

    Raises:
        InputError: there is sea, a process that feels it, and no `sst`; or the soil has another number of layers.
    """
    land, n = domain.land_fraction, len(p.schemes.soil.thickness)
    if "sst" not in fields and p.feels_sea and (sea := int((land < 1.0).sum())):
        raise InputError(
            f"There is no sea-surface temperature for {domain.name}, but {sea} of its {land.size} cells hold water; "
            "give the field sst, in an experiment by a file under driving.sea_temperature_files."
        )
    for name in ("soil_temperature", "soil_moisture"):
        if name in fields and (layers := len(fields[name])) != n:
            raise InputError(
                f"The field {name} for {domain.name} has {layers} layers, but the soil of the model has {n}; bring it "
                "onto the depths of physics.schemes.soil.thickness (driving.soil.onto_layers)."
            )
    skin = np.asarray(fields.get("skin_temperature", fields["temperature"][0]), dtype=float)
    sst = np.maximum(np.asarray(fields.get("sst", skin), dtype=float), FREEZING_SEA)
    given = make_sea(fields, p, np.float64)
    ice = np.zeros(land.shape) if given is None else np.asarray(given.ice)
    ice_temperature = _ice_temperature(fields, sst, ice, p)
    at_sea = (1.0 - ice) * sst + ice * ice_temperature[0]
    own = skin + (1.0 - land) / np.maximum(land, LEAST_LAND) * (skin - at_sea)
    skin_land = np.where(land >= LEAST_LAND, np.clip(own, skin - 30.0, skin + 30.0), skin)
    if "soil_temperature" in fields:
        soil = np.array(fields["soil_temperature"], dtype=float)
        soil[0] = skin_land
    else:
        soil = np.repeat(skin_land[None], n, axis=0)
    moisture = np.full(soil.shape, p.schemes.soil.initial_moisture)
    if "soil_moisture" in fields:
        found = np.asarray(fields["soil_moisture"], dtype=float)
        moisture = np.clip(np.where(np.isnan(found), moisture, found), 0.0, p.schemes.soil.porosity)
    snow = np.maximum(np.asarray(fields.get("snow", np.zeros(land.shape)), dtype=float), 0.0)
    zero = jnp.zeros(land.shape, dtype)

    def cast(a: np.ndarray) -> Array:
        return jnp.asarray(a.astype(dtype))

    radiative = Radiative(jnp.zeros(domain.shape, dtype), zero, zero, jnp.asarray(NEVER, dtype=jnp.int32))
    return Surface(cast(sst), cast(ice), cast(ice_temperature), cast(soil), cast(moisture), cast(snow), radiative)
