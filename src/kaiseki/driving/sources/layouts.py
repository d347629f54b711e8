"""The one table of conventions: what the files of each producer call a quantity, and what it then means.

`quantities` says what can be read; `LAYOUTS` under which name each producer keeps it in NetCDF and Zarr; the numbers of
GRIB stand at the end, those of fields near the ground in `grib_near`. Nothing else in the package knows a name of a
file's variable. A further layout is a further entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kaiseki.driving.sources.quantities import NEAR, QUANTITIES, SOIL, WATER

Layer = tuple[float, float]
"""Top and bottom of a soil layer, m of depth."""

IFS_SOIL: tuple[Layer, ...] = ((0.0, 0.07), (0.07, 0.28), (0.28, 1.0), (1.0, 2.89))
"""Soil layers of the IFS and ERA5, m (IFS Documentation CY47R3, Part IV, table 8.8). GRIB 1 cannot code the depth of
2.89 m, so the layers go by the number of the parameter."""
JRA3Q_SOIL: tuple[Layer, ...] = (
    (0.0, 0.02), (0.02, 0.07), (0.07, 0.19), (0.19, 0.49), (0.49, 0.99), (0.99, 1.99), (1.99, 3.49)
)  # fmt: skip
"""Soil layers of JRA-3Q, m (Kosaka et al. 2024, J. Meteor. Soc. Japan 102, 49-109)."""


@dataclass(frozen=True)
class Layout:
    """Way in which a producer lays out its NetCDF files or Zarr stores.

    Attributes:
        name: short, for attributes and messages.
        title: for the table of layouts in docs/driving.md.
        names: quantities by variable; several where the unit tells which one it is.
        soil: quantity and layer by variable that holds one layer.
        columns: quantity and layers by variable that holds all of them along an axis of depth, top first.
        tried: on which real files it was tried, empty if on none.
        source: where the layout is described.
        defaults: units of variables that the producer writes without a unit, by kind.
        near: quantities near the ground by variable; an instant and a mean where the header tells which one it is.
    """

    name: str
    title: str
    names: Mapping[str, tuple[str, ...]]
    tried: str
    source: str
    soil: Mapping[str, tuple[str, Layer]] = field(default_factory=dict)
    columns: Mapping[str, tuple[str, tuple[Layer, ...]]] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    near: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _one(**names: str) -> dict[str, tuple[str, ...]]:
    return {name: (quantity,) for name, quantity in names.items()}


_CLOUD = ("cloud_area_fraction", "mean_cloud_area_fraction")
_SHORT, _LONG = "surface_downwelling_shortwave_flux_in_air", "surface_downwelling_longwave_flux_in_air"
_VAPOUR = "atmosphere_mass_content_of_water_vapor"
_HEIGHTS = ("geopotential", "geopotential_height")
SI_BY_DEFAULT = {
    "temperature": "K",
    "speed": "m s-1",
    "pressure": "Pa",
    "geopotential": "m2 s-2",
    "length": "m",
    "ratio": "1",
}

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "era5",
        "ERA5 of the Climate Data Store as NetCDF, both generations; cfgrib",
        _one(
            t="air_temperature",
            u="eastward_wind",
            v="northward_wind",
            q="specific_humidity",
            r="relative_humidity",
            gh="geopotential_height",
            lnsp="log_surface_pressure",
            sp="surface_air_pressure",
            skt="surface_temperature",
            sst="sea_surface_temperature",
            siconc="sea_ice_area_fraction",
            ci="sea_ice_area_fraction",
            sd="surface_snow_amount",
            lsm="land_area_fraction",
            orog="surface_altitude",
        )
        | {"z": _HEIGHTS},
        "surface variables at points; pressure levels re-laid from GRIB",
        "https://confluence.ecmwf.int/display/CKB/ERA5%3A+data+documentation and .../CKB/GRIB+to+netCDF+conversion",
        soil={f"stl{n + 1}": ("soil_temperature", layer) for n, layer in enumerate(IFS_SOIL)}
        | {f"swvl{n + 1}": (WATER, layer) for n, layer in enumerate(IFS_SOIL)},
        defaults=SI_BY_DEFAULT,
        near=_one(
            t2m="air_temperature_2m",
            d2m="dew_point_temperature_2m",
            sh2="specific_humidity_2m",
            r2="relative_humidity_2m",
            u10="eastward_wind_10m",
            v10="northward_wind_10m",
            u100="eastward_wind_100m",
            v100="northward_wind_100m",
            msl="air_pressure_at_mean_sea_level",
            prmsl="air_pressure_at_mean_sea_level",
            tcwv=_VAPOUR,
            pwat=_VAPOUR,
            tp="precipitation_amount",
            mtpr="precipitation_amount",
            avg_tprate="precipitation_amount",
            sf="snowfall_amount",
            ssrd=_SHORT,
            msdwswrf=_SHORT,
            avg_sdswrf=_SHORT,
            strd=_LONG,
            msdwlwrf=_LONG,
            avg_sdlwrf=_LONG,
        )
        | {"tcc": _CLOUD},
    ),
    Layout(
        "arco-era5",
        "ARCO-ERA5 (Zarr), WeatherBench 2 and others with ERA5's long names",
        _one(
            temperature="air_temperature",
            u_component_of_wind="eastward_wind",
            v_component_of_wind="northward_wind",
            specific_humidity="specific_humidity",
            relative_humidity="relative_humidity",
            geopotential_height="geopotential_height",
            surface_pressure="surface_air_pressure",
            skin_temperature="surface_temperature",
            sea_surface_temperature="sea_surface_temperature",
            sea_ice_cover="sea_ice_area_fraction",
            snow_depth="surface_snow_amount",
            land_sea_mask="land_area_fraction",
            geopotential_at_surface="surface_geopotential",
        )
        | {"geopotential": _HEIGHTS},
        "ERA5 at TL31 as NetCDF; the Zarr store re-laid",
        "https://github.com/google-research/arco-era5",
        soil={f"soil_temperature_level_{n + 1}": ("soil_temperature", layer) for n, layer in enumerate(IFS_SOIL)}
        | {f"volumetric_soil_water_layer_{n + 1}": (WATER, layer) for n, layer in enumerate(IFS_SOIL)},
        defaults=SI_BY_DEFAULT,
        near={
            "2m_temperature": ("air_temperature_2m",),
            "2m_dewpoint_temperature": ("dew_point_temperature_2m",),
            "10m_u_component_of_wind": ("eastward_wind_10m",),
            "10m_v_component_of_wind": ("northward_wind_10m",),
            "100m_u_component_of_wind": ("eastward_wind_100m",),
            "100m_v_component_of_wind": ("northward_wind_100m",),
            "mean_sea_level_pressure": ("air_pressure_at_mean_sea_level",),
            "total_cloud_cover": _CLOUD,
            "total_column_water_vapour": (_VAPOUR,),
            "total_precipitation": ("precipitation_amount",),
            "snowfall": ("snowfall_amount",),
            "surface_solar_radiation_downwards": (_SHORT,),
            "surface_thermal_radiation_downwards": (_LONG,),
        },
    ),
    Layout(
        "merra2",
        "MERRA-2 on pressure levels (inst3_3d_asm_Np), model levels (inst3_3d_asm_Nv), surface and constants",
        _one(
            T="air_temperature",
            U="eastward_wind",
            V="northward_wind",
            QV="specific_humidity",
            RH="relative_humidity",
            H="geopotential_height",
            PL="air_pressure",
            PS="surface_air_pressure",
            TS="surface_temperature",
            FRSEAICE="sea_ice_area_fraction",
            SNOMAS="surface_snow_amount",
            PHIS="surface_geopotential",
            FRLAND="land_area_fraction",
        ),
        "14 model levels, surface and constants over the eastern United States",
        "Bosilovich et al. 2016, MERRA-2: File Specification, GMAO Office Note 9",
        near=_one(
            T2M="air_temperature_2m",
            QV2M="specific_humidity_2m",
            U10M="eastward_wind_10m",
            V10M="northward_wind_10m",
            SLP="air_pressure_at_mean_sea_level",
            TQV=_VAPOUR,
            PRECTOT="precipitation_amount",
            PRECSNO="snowfall_amount",
            SWGDN=_SHORT,
        )
        | {"CLDTOT": _CLOUD},
    ),
    Layout(
        "jra3q",
        "JRA-3Q of NCAR (d640000) on pressure and model levels, Gaussian and 1.25-degree grid",
        {
            f"{name}-{where}-{grid}": (quantity,)
            for grid in ("gauss", "ll125", "ll")
            for name, where, quantity in (
                ("tmp", "pres-an", "air_temperature"),
                ("ugrd", "pres-an", "eastward_wind"),
                ("vgrd", "pres-an", "northward_wind"),
                ("spfh", "pres-an", "specific_humidity"),
                ("rh", "pres-an", "relative_humidity"),
                ("hgt", "pres-an", "geopotential_height"),
                ("tmp", "hyb-an", "air_temperature"),
                ("ugrd", "hyb-an", "eastward_wind"),
                ("vgrd", "hyb-an", "northward_wind"),
                ("spfh", "hyb-an", "specific_humidity"),
                ("hgt", "hyb-an", "geopotential_height"),
                ("pres", "sfc-an", "surface_air_pressure"),
                ("tsg", "sfc-an", "surface_temperature"),
                ("weasd", "sfc-an", "surface_snow_amount"),
                ("wtmp", "sfc-fc", "sea_surface_temperature"),
                ("icec", "sfc-fc", "sea_ice_area_fraction"),
                ("gp", "sfc-cn", "surface_geopotential"),
                ("land", "sfc-cn", "land_area_fraction"),
            )
        }
        | {
            "Temperature": ("air_temperature",),
            "u-component of wind": ("eastward_wind",),
            "v-component of wind": ("northward_wind",),
            "Specific humidity": ("specific_humidity",),
            "Relative humidity": ("relative_humidity",),
            "Geopotential height": ("geopotential_height",),
        },
        "20 points in Canada on pressure levels, under the names of a subset",
        "https://rda.ucar.edu/datasets/d640000/ and Kosaka et al. 2024, J. Meteor. Soc. Japan 102",
        columns={f"soiltmp-bg-an-{grid}": ("soil_temperature", JRA3Q_SOIL) for grid in ("gauss", "ll125", "ll")},
    ),
    Layout(
        "thredds",
        "GFS and others as THREDDS servers write GRIB into NetCDF",
        {
            "Temperature_isobaric": ("air_temperature",),
            "u-component_of_wind_isobaric": ("eastward_wind",),
            "v-component_of_wind_isobaric": ("northward_wind",),
            "Geopotential_height_isobaric": ("geopotential_height",),
            "Relative_humidity_isobaric": ("relative_humidity",),
            "Specific_humidity_isobaric": ("specific_humidity",),
            "Pressure_surface": ("surface_air_pressure",),
            "Temperature_surface": ("surface_temperature",),
            "Land_cover_0__sea_1__land_surface": ("land_area_fraction",),
            "Ice_cover_surface": ("sea_ice_area_fraction",),
            "Geopotential_height_surface": ("surface_altitude",),
            "Water_equivalent_of_accumulated_snow_depth_surface": ("surface_snow_amount",),
        },
        "GFS of 2010-10-26 over North America",
        "https://docs.unidata.ucar.edu/netcdf-java/current/userguide/ (GRIB collections)",
        near={
            "Temperature_height_above_ground": ("air_temperature_2m",),
            "Dewpoint_temperature_height_above_ground": ("dew_point_temperature_2m",),
            "Specific_humidity_height_above_ground": ("specific_humidity_2m",),
            "Relative_humidity_height_above_ground": ("relative_humidity_2m",),
            "u-component_of_wind_height_above_ground": ("eastward_wind_10m",),
            "v-component_of_wind_height_above_ground": ("northward_wind_10m",),
            "Pressure_reduced_to_MSL_msl": ("air_pressure_at_mean_sea_level",),
        },
    ),
    Layout(
        "msm",
        "JMA MSM on pressure levels as NetCDF of Kyoto University",
        _one(temp="air_temperature", rh="relative_humidity"),
        "",
        "http://database.rish.kyoto-u.ac.jp/arch/jmadata/ (variables z, u, v, temp, rh on time, p, lat, lon)",
    ),
    Layout(
        "cf",
        "NetCDF and Zarr with CF standard names as names of the variables",
        {
            name: (name,)
            for name, quantity in QUANTITIES.items()
            if quantity.where not in (SOIL, NEAR)
            and name not in ("relative_humidity", "geopotential", "specific_humidity")
            and name not in ("geopotential_height", "sea_surface_temperature")
        },
        "files of our own",
        "https://cfconventions.org/Data/cf-standard-names/current/build/cf-standard-name-table.html",
        defaults=SI_BY_DEFAULT,
        near={name: (name,) for name, quantity in QUANTITIES.items() if quantity.where == NEAR},
    ),
)
"""Layouts of NetCDF and Zarr; those of GRIB stand at the end."""


@dataclass(frozen=True)
class Meaning:
    """Meaning of a variable: the quantities that it may be, the soil layers that it holds, and its layout."""

    quantities: tuple[str, ...]
    layout: Layout
    layers: tuple[Layer, ...] = ()


def _meanings() -> dict[str, Meaning]:
    table: dict[str, Meaning] = {}
    for layout in LAYOUTS:
        rows = {name: Meaning(quantities, layout) for name, quantities in layout.names.items()}
        rows |= {name: Meaning((quantity,), layout, (layer,)) for name, (quantity, layer) in layout.soil.items()}
        rows |= {name: Meaning((quantity,), layout, layers) for name, (quantity, layers) in layout.columns.items()}
        if both := table.keys() & rows.keys():
            raise AssertionError(f"two layouts use the names {sorted(both)}")
        table |= rows
    return table


MEANINGS: dict[str, Meaning] = _meanings()
"""Meaning by the name of a variable in NetCDF and Zarr."""

NEAR_MEANINGS: dict[str, Meaning] = {
    name: Meaning(quantities, layout) for layout in LAYOUTS for name, quantities in layout.near.items()
}
"""Meaning of variables near the ground, which an archive keeps and no model is driven by."""

LATITUDE = ("latitude", "lat", "g0_lat_1", "lat_0")
LONGITUDE = ("longitude", "lon", "g0_lon_2", "lon_0")
TIME = ("valid_time", "time")
PRESSURE = ("pressure", "level", "pressure_level", "isobaricInhPa", "isobaricInPa", "plev", "lev", "p")
HYBRID = ("hybrid", "model_level", "hybrid_level", "model_level_number", "lev", "level")
MEMBER, VERSION = ("number", "realization", "ensemble", "member"), "expver"
DEPTH = ("depth_below_land_surface", "depth")
HALF_COEFFICIENTS = (("a_hybrid_half_level", "b_hybrid_half_level"), ("hyai", "hybi"))
"""Names of the coefficients a [Pa] and b of the half levels, p = a + b ps."""

ON_LEVELS = {
    129: "geopotential",
    130: "air_temperature",
    131: "eastward_wind",
    132: "northward_wind",
    133: "specific_humidity",
    156: "geopotential_height",
    157: "relative_humidity",
}
AT_SURFACE = {
    31: "sea_ice_area_fraction",
    3091: "sea_ice_area_fraction",
    34: "sea_surface_temperature",
    129: "surface_geopotential",
    130: "surface_temperature",
    134: "surface_air_pressure",
    141: "surface_snow_amount",
    152: "log_surface_pressure",
    172: "land_area_fraction",
    235: "surface_temperature",
    228002: "surface_altitude",
    228141: "surface_snow_amount",
    260056: "surface_snow_amount",
    3066: "surface_snow_thickness",
}
IN_SOIL = {
    130: "soil_temperature",
    228139: "soil_temperature",
    260360: "soil_temperature",
    260185: WATER,
    260199: WATER,
}
IN_IFS_SOIL = {
    **dict(zip((139, 170, 183, 236), [("soil_temperature", layer) for layer in IFS_SOIL], strict=True)),
    **dict(zip((39, 40, 41, 42), [(WATER, layer) for layer in IFS_SOIL], strict=True)),
}
"""Numbers of the GRIB parameters (ECMWF's, https://codes.ecmwf.int/grib/param-db/, which ecCodes gives to fields of
every centre) on pressure and model levels, at the surface, in soil layers whose depths are coded, and in the layers of
the IFS."""
