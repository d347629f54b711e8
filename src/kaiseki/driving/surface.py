"""Surface of a global or regional analysis on a model Domain: sea, ice, snow, skin and soil."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.driving.column import LAPSE_RATE
from kaiseki.driving.soil import onto_layers
from kaiseki.driving.sources.conventions import SEA_LIMIT, SOIL_AXES
from kaiseki.driving.sources.sst_netcdf import SEA_RANGE
from kaiseki.driving.sst import SeaSurface
from kaiseki.driving.weights import Interpolation

LEAST_SHARE = 0.01
"""Weight of a source's land (or ice) in the interpolation to a cell below which it does not speak for the cell."""
MOSTLY_ICE = 0.5
"""Cover by ice from which the skin temperature of a source's cell is that of its ice."""
WATER = "volume_fraction_of_condensed_water_in_soil"


def of_part(linear: Interpolation, values: np.ndarray, known: np.ndarray, otherwise: np.ndarray | float) -> np.ndarray:
    """A quantity interpolated from a part of the source's cells alone, as from those of land.

    Args:
        linear: bilinear weights from the source to the domain.
        values: (..., ny, nx) on the source's grid; what stands in other cells is ignored.
        known: (ny, nx) bool, cells of the part.
        otherwise: on the domain where none of these cells is near.
    """
    share = linear(known.astype(np.float64))
    total = linear(np.where(known, values, 0.0))
    return np.where(share >= LEAST_SHARE, total / np.maximum(share, LEAST_SHARE), otherwise)


def _land_of(data: xr.Dataset) -> np.ndarray | None:
    """Cells of the source that are land, None where it does not tell or has none."""
    if "land_area_fraction" not in data:
        return None
    land = np.asarray(data["land_area_fraction"].values > SEA_LIMIT)
    return land if land.any() else None


def surface_on_domain(
    data: xr.Dataset,
    linear: Interpolation,
    domain: Any,
    ground_air: np.ndarray,
    soil: Sequence[float] | None = None,
) -> dict[str, np.ndarray]:
    """The surface of one time of the common form on the domain's cells, as far as the source has it.

    Skin, soil and snow of land come from the source's cells of land alone, those of ice from its cells with ice; the
    skin goes over to the air at the ground where the source has less and less land. The temperatures of land are moved
    from the source's to our altitude with `LAPSE_RATE`. Land that the source does not resolve takes the skin
    temperature for its soil, no value for its soil moisture, and no snow.

    Args:
        data: the common form at one time.
        linear: bilinear weights to the domain.
        domain: a `grid.Domain`.
        ground_air: temperature of the air at the ground (ny, nx), K, for land without a skin temperature.
        soil: thickness of the layers of soil wanted, m, downwards; None for no soil.

    Returns:
        (ny, nx): skin_temperature (K) of the whole cells; where the source has them sst (K), sea_ice (fraction of the
        sea), ice_temperature (K, of the skin of the ice), snow (kg m-2); (nsoil, ny, nx) soil_temperature (K),
        soil_moisture (m3 m-3, not a number where the source has no land).
    """
    made = _sea(data, linear, domain, ground_air)
    skin = _land_skin(data, linear, domain, ground_air)
    land = domain.land_fraction
    made["skin_temperature"] = skin if "sst" not in made else land * skin + (1.0 - land) * sea_skin(made)
    known = _land_of(data)
    if "surface_snow_amount" in data:
        amount = data["surface_snow_amount"].values
        there = ~np.isnan(amount) if known is None else known & ~np.isnan(amount)
        made["snow"] = np.maximum(of_part(linear, amount, there, 0.0), 0.0)
    return made if soil is None else made | _soil(data, linear, domain, skin, soil)


def sea_skin(fields: dict[str, np.ndarray]) -> np.ndarray:
    """Mean skin temperature (ny, nx) K of the sea part of the cells from `sst` and, where present, `sea_ice` and
    `ice_temperature`."""
    if "sea_ice" not in fields or "ice_temperature" not in fields:
        return fields["sst"]
    ice = fields["sea_ice"]
    return np.asarray((1.0 - ice) * fields["sst"] + ice * fields["ice_temperature"])


def _sea(data: xr.Dataset, linear: Interpolation, domain: Any, ground_air: np.ndarray) -> dict[str, np.ndarray]:
    made = {}
    if (sea := SeaSurface.of(data, domain=domain)) is not None:
        made["sst"] = sea.on(domain)
    if (ice := SeaSurface.ice_of(data, domain)) is not None:
        made["sea_ice"] = np.clip(ice.on(domain), 0.0, 1.0)
        made["ice_temperature"] = cold = np.minimum(ground_air, SEA_RANGE[0])
        if "surface_temperature" in data:
            skin, cover = data["surface_temperature"].values, data["sea_ice_area_fraction"].values
            icy = (cover >= MOSTLY_ICE) & ~np.isnan(skin)
            if "land_area_fraction" in data:
                icy &= data["land_area_fraction"].values <= SEA_LIMIT
            made["ice_temperature"] = of_part(linear, skin, icy, cold)
    return made


def _land_skin(data: xr.Dataset, linear: Interpolation, domain: Any, ground_air: np.ndarray) -> np.ndarray:
    """Skin temperature (ny, nx) K of the land part of the cells; without one in the source, the air's at the ground.

    It is taken from the source's cells of land alone. Where these have only a part of the weight, on a coast as the
    source sees it, the rest is the air's at the ground: hundreds of kilometres from a cell of cold or hot land, as with
    coarse sources, the ground is not as cold or hot as there.
    """
    if "surface_temperature" not in data:
        return ground_air
    skin, altitude = data["surface_temperature"].values, 0.0
    if "surface_altitude" in data:
        skin, altitude = skin + LAPSE_RATE * data["surface_altitude"].values, domain.terrain
    if (land := _land_of(data)) is None:
        return np.asarray(linear(skin) - LAPSE_RATE * altitude)
    known = land & ~np.isnan(skin)
    share = linear(known.astype(np.float64))
    return np.asarray(ground_air + share * (of_part(linear, skin, known, 0.0) - LAPSE_RATE * altitude - ground_air))


def _soil(
    data: xr.Dataset, linear: Interpolation, domain: Any, skin: np.ndarray, thickness: Sequence[float]
) -> dict[str, np.ndarray]:
    made = {}
    land = _land_of(data)
    for source, name in (("soil_temperature", "soil_temperature"), (WATER, "soil_moisture")):
        if source not in data:
            continue
        axis = SOIL_AXES[source]
        values = data[source].values
        known = ~np.isnan(values).any(axis=0)
        known = known if land is None else known & land
        if not known.any():
            continue
        lowering: np.ndarray | float = 0.0
        otherwise: np.ndarray | float = np.nan
        if source == "soil_temperature":
            otherwise = skin
            if "surface_altitude" in data:
                values, lowering = values + LAPSE_RATE * data["surface_altitude"].values, LAPSE_RATE * domain.terrain
                otherwise = skin + lowering
        bounds = data[f"{axis}_bounds"].values if f"{axis}_bounds" in data.coords else None
        here = of_part(linear, values, known, otherwise) - lowering
        made[name] = onto_layers(here, data[axis].values, bounds, thickness, amount=source == WATER)
    return made


def with_sea(
    fields: dict[str, np.ndarray], domain: Any, sst: np.ndarray | None = None, ice: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Fields on a domain with another sea; the skin of the cells' land part stays as it is.

    Args:
        fields: as of `onto_domain.atmosphere_on_domain`; skin_temperature (ny, nx) is that of the whole cell if there
            is an sst in the fields, else that of land.
        domain: a `grid.Domain`.
        sst: (ny, nx), K; that of the fields by default.
        ice: (ny, nx), fraction of the sea; that of the fields by default. Ice of a temperature that the fields do not
            tell has that of the air at the lowest level, the freezing point at most.
    """
    made = dict(fields)
    if sst is not None:
        made["sst"] = sst
    if ice is not None:
        made["sea_ice"] = ice
        made.setdefault("ice_temperature", np.minimum(fields["temperature"][0], SEA_RANGE[0]))
    if "skin_temperature" in fields and "sst" in made:
        skin = fields["skin_temperature"]
        before = sea_skin(fields) if "sst" in fields else skin
        made["skin_temperature"] = skin + (1.0 - domain.land_fraction) * (sea_skin(made) - before)
    return made
