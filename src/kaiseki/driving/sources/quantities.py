"""Quantities that files of foreign data hold: where each stands, in which kind of unit, and what it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

LEVEL, SURFACE, STATIC, SOIL, NEAR = "level", "surface", "static", "soil", "near"

Over = Literal["", "sum", "mean"]


@dataclass(frozen=True)
class Quantity:
    """Quantity that files hold.

    Attributes:
        where: "level" (pressure or model levels), "surface", "static" (does not change in time), "soil", or "near": at
            the ground or near it, which an archive keeps and no model is driven by.
        kind: of its unit (`units`).
        low, high: wide bounds in SI outside which a field has been decoded wrongly.
        height: over ground at which it is given [m], 0 for none.
        over: "sum" or "mean" over an interval, empty for an instant.
    """

    where: str
    kind: str
    low: float
    high: float
    height: float = 0.0
    over: Over = ""


QUANTITIES: Mapping[str, Quantity] = {
    "air_temperature": Quantity(LEVEL, "temperature", 120.0, 350.0),
    "eastward_wind": Quantity(LEVEL, "speed", -250.0, 250.0),
    "northward_wind": Quantity(LEVEL, "speed", -250.0, 250.0),
    "geopotential": Quantity(LEVEL, "geopotential", -2.0e4, 9.0e5),
    "geopotential_height": Quantity(LEVEL, "length", -2000.0, 90000.0),
    "specific_humidity": Quantity(LEVEL, "ratio", -1e-3, 0.06),
    "relative_humidity": Quantity(LEVEL, "ratio", -0.5, 3.0),
    "air_pressure": Quantity(LEVEL, "pressure", 0.0, 1.12e5),
    "log_surface_pressure": Quantity(SURFACE, "ratio", 10.5, 11.7),
    "surface_air_pressure": Quantity(SURFACE, "pressure", 4.0e4, 1.12e5),
    "surface_temperature": Quantity(SURFACE, "temperature", 150.0, 370.0),
    "sea_surface_temperature": Quantity(SURFACE, "temperature", 150.0, 370.0),
    "sea_ice_area_fraction": Quantity(SURFACE, "ratio", -0.01, 1.01),
    "surface_snow_amount": Quantity(SURFACE, "area density", -1.0, 1.0e5),
    "surface_snow_thickness": Quantity(SURFACE, "length", -0.01, 500.0),
    "soil_temperature": Quantity(SOIL, "temperature", 150.0, 370.0),
    "volume_fraction_of_condensed_water_in_soil": Quantity(SOIL, "ratio", -0.01, 1.01),
    "surface_altitude": Quantity(STATIC, "length", -1000.0, 9000.0),
    "surface_geopotential": Quantity(STATIC, "geopotential", -1.0e4, 9.0e4),
    "land_area_fraction": Quantity(STATIC, "ratio", -0.01, 1.01),
    "air_temperature_2m": Quantity(NEAR, "temperature", 150.0, 350.0, 2.0),
    "dew_point_temperature_2m": Quantity(NEAR, "temperature", 130.0, 330.0, 2.0),
    "specific_humidity_2m": Quantity(NEAR, "ratio", -1e-3, 0.06, 2.0),
    "relative_humidity_2m": Quantity(NEAR, "ratio", -0.5, 2.0, 2.0),
    "eastward_wind_10m": Quantity(NEAR, "speed", -150.0, 150.0, 10.0),
    "northward_wind_10m": Quantity(NEAR, "speed", -150.0, 150.0, 10.0),
    "eastward_wind_100m": Quantity(NEAR, "speed", -150.0, 150.0, 100.0),
    "northward_wind_100m": Quantity(NEAR, "speed", -150.0, 150.0, 100.0),
    "air_pressure_at_mean_sea_level": Quantity(NEAR, "pressure", 8.0e4, 1.12e5),
    "cloud_area_fraction": Quantity(NEAR, "ratio", -0.01, 1.01),
    "mean_cloud_area_fraction": Quantity(NEAR, "ratio", -0.01, 1.01, over="mean"),
    "atmosphere_mass_content_of_water_vapor": Quantity(NEAR, "area density", -1.0, 150.0),
    "precipitation_amount": Quantity(NEAR, "area density", -1.0, 2500.0, over="sum"),
    "snowfall_amount": Quantity(NEAR, "area density", -1.0, 2500.0, over="sum"),
    "surface_downwelling_shortwave_flux_in_air": Quantity(NEAR, "irradiance", -10.0, 1500.0, over="mean"),
    "surface_downwelling_longwave_flux_in_air": Quantity(NEAR, "irradiance", 0.0, 800.0, over="mean"),
}
"""Quantities by CF standard name, or by a name like one for what has none of its own: geopotential, relative humidity,
the logarithm of surface pressure, what is given at a height over ground."""

WATER = "volume_fraction_of_condensed_water_in_soil"
