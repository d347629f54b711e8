"""Section `physics`: switches and constants, frozen and hashable, so that they are fixed at compilation.

Constants without a source in their remark are of our own choice, to be tuned.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal, Self, get_args, get_origin, get_type_hints

from kaiseki.config.base import Positive, Section
from kaiseki.core.errors import ConfigError

Autoconversion = Literal["khairoutdinov-kogan", "kessler"]
Closure = Literal["profile", "level-2"]


@dataclass(frozen=True, kw_only=True)
class Microphysics(Section):
    """Constants of the single-moment scheme of clouds and precipitation."""

    droplet_number: float = 100.0
    """Number of cloud droplets, cm-3 (maritime air)."""
    autoconversion: Autoconversion = "khairoutdinov-kogan"
    """Formula of the autoconversion of cloud water to rain: by powers of its content and of the droplet number
    (Khairoutdinov and Kogan 2000), or in proportion to what exceeds a threshold (Kessler 1969)."""
    autoconversion_rate: float = 1350.0
    """Rate of autoconversion of cloud water to rain, s-1, with the powers 2.47 of qc and -1.79 of the droplet number
    (Khairoutdinov and Kogan 2000)."""
    kessler_rate: float = 1.0e-3
    """Rate of Kessler's autoconversion, s-1 (Kessler 1969; Klemp and Wilhelmson 1978)."""
    kessler_threshold: float = 1.0e-3
    """Content of cloud water above which Kessler's autoconversion takes place, kg/kg (Klemp and Wilhelmson 1978)."""
    accretion_rate: float = 67.0
    """Rate of accretion of cloud water by rain, s-1, with the power 1.15 of qc qr (Khairoutdinov and Kogan 2000)."""
    aggregation_rate: float = 1.0e-3
    """Rate of aggregation of cloud ice to snow at the melting point, s-1 (Lin et al. 1983)."""
    aggregation_cooling: float = 0.025
    """Exponent by which the rate of aggregation falls with temperature below the melting point, K-1 (Lin et al.
    1983)."""
    aggregation_content: float = 3.0e-5
    """Content of cloud ice above which aggregation takes place, kg/kg (IFS Documentation, Part IV, chapter 7)."""
    rain_intercept: float = 8.0e6
    """Intercept of the size distribution of rain drops, m-4 (Marshall and Palmer 1948)."""
    snow_intercept: float = 2.0e6
    """Intercept of the size distribution of snow at the melting point, m-4 (Houze et al. 1979; Hong et al. 2004)."""
    snow_intercept_cooling: float = 0.12
    """Exponent by which the intercept of snow grows with falling temperature, K-1 (Houze et al. 1979)."""
    snow_intercept_limit: float = 1.0e8
    """Largest intercept of the size distribution of snow, m-4."""
    snow_density: float = 100.0
    """Density of snow particles, kg m-3 (Lin et al. 1983)."""
    rain_speed: float = 841.9
    """Factor a of the fall speed a D^b of rain drops of diameter D, m^(1-b) s-1 (Liu and Orville 1969)."""
    rain_speed_power: float = 0.8
    """Power b of the fall speed a D^b of rain drops (Liu and Orville 1969)."""
    snow_speed: float = 11.72
    """Factor a of the fall speed a D^b of snow particles of diameter D, m^(1-b) s-1 (Locatelli and Hobbs 1974)."""
    snow_speed_power: float = 0.41
    """Power b of the fall speed a D^b of snow particles (Locatelli and Hobbs 1974)."""
    ice_speed: float = 3.29
    """Fall speed of cloud ice at a content of 1 kg m-3, m/s (Heymsfield and Donner 1990)."""
    ice_speed_power: float = 0.16
    """Power of the ice content in the fall speed of cloud ice (Heymsfield and Donner 1990)."""
    collection_liquid: float = 0.7
    """Efficiency with which snow collects cloud water, 0 to 1."""
    collection_rain: float = 1.0
    """Efficiency with which melting snow collects rain, whose heat melts it, 0 to 1 (Lin et al. 1983)."""
    collection_ice: float = 0.3
    """Efficiency with which snow collects cloud ice at the melting point, 0 to 1; it falls with temperature by
    `aggregation_cooling`."""
    freezing_rate: float = 100.0
    """Factor B of the freezing rate B (exp(A dT) - 1) of drops supercooled by dT, m-3 s-1 (Bigg 1953)."""
    freezing_cooling: float = 0.66
    """Exponent A of the freezing rate B (exp(A dT) - 1) of drops supercooled by dT, K-1 (Bigg 1953)."""


@dataclass(frozen=True, kw_only=True)
class WarmRain(Section):
    """Constants of the scheme of cloud water and rain without ice (Kessler 1969; Klemp and Wilhelmson 1978)."""

    autoconversion_rate: float = 1.0e-3
    """Rate of autoconversion of cloud water to rain, s-1 (Klemp and Wilhelmson 1978)."""
    autoconversion_threshold: float = 1.0e-3
    """Content of cloud water above which autoconversion takes place, kg/kg (Klemp and Wilhelmson 1978)."""
    accretion_rate: float = 2.2
    """Rate of accretion of cloud water by rain, s-1 (Klemp and Wilhelmson 1978)."""
    accretion_power: float = 0.875
    """Power of the mixing ratio of rain in the rate of accretion (Klemp and Wilhelmson 1978)."""
    speed: float = 36.34
    """Fall speed of rain at a content of 1 g/cm3, m/s (Klemp and Wilhelmson 1978)."""
    speed_power: float = 0.1364
    """Power of the content of rain in its fall speed (Klemp and Wilhelmson 1978)."""


@dataclass(frozen=True, kw_only=True)
class BoundaryLayer(Section):
    """Constants of the vertical turbulent mixing."""

    closure: Closure = "profile"
    """Closure by which diffusivities follow from the column: from the local Richardson number and, over a warm surface,
    from the profile of Troen and Mahrt ("profile"), or everywhere from the local balance of turbulent energy
    ("level-2", Nakanishi and Niino 2009)."""
    mixing_length: float = 150.0
    """Asymptotic mixing length of momentum, m (Louis et al. 1982)."""
    heat_length: float = 150.0
    """Asymptotic mixing length of heat and moisture, m; the closure "level-2" has the length of momentum for both."""
    free_length: float = 30.0
    """Asymptotic mixing length of momentum and heat far above the boundary layer, m."""
    length_decay: float = 1500.0
    """Height over which the mixing length falls to that of the free atmosphere, m."""
    critical_richardson: float = 0.25
    """Bulk Richardson number at the top of the boundary layer (Troen and Mahrt 1986: 0.25 to 0.5)."""
    stability: float = 5.0
    """Constant b = c = d of the stability functions of the turbulent mixing (Louis et al. 1982)."""
    excess: float = 2.0
    """Factor of the parcel's thermal excess, heat flux over velocity scale (Troen and Mahrt 1986: 6.5; with a limit of
    2 K)."""
    excess_limit: float = 2.0
    """Largest thermal excess of the parcel, K."""
    profile_power: float = 2.0
    """Power p of the profile of diffusivity K ~ z (1 - z/h)^p (Troen and Mahrt 1986)."""
    largest_diffusivity: float = 1000.0
    """Largest diffusivity, m2/s."""
    background_diffusivity: float = 0.05
    """Least diffusivity, m2/s."""


@dataclass(frozen=True, kw_only=True)
class SurfaceExchange(Section):
    """Constants of the bulk exchange at land and sea."""

    stability: float = 5.0
    """Constant b = c = d of the stability functions of the surface exchange (Louis et al. 1982)."""
    charnock: float = 0.018
    """Charnock's constant (IFS without waves: 0.018)."""
    smooth_momentum: float = 0.11
    """Factor of viscosity over friction velocity in the sea's roughness length of momentum (Smith 1988)."""
    smooth_heat: float = 0.40
    """Factor of viscosity over friction velocity in the sea's roughness length of heat and moisture (Beljaars 1995)."""
    viscosity: float = 1.5e-5
    """Kinematic viscosity of air, m2/s."""
    land_roughness: float = 0.3
    """Roughness length of momentum over land, m."""
    land_heat_ratio: float = 10.0
    """Ratio of the roughness length of momentum to that of heat over land (Garratt 1992)."""
    least_wind: float = 1.0
    """Wind speed of gusts that is added in quadrature, m/s."""
    salt: float = 0.98
    """Ratio of the vapour pressure over sea water to that over fresh water."""


@dataclass(frozen=True, kw_only=True)
class Radiation(Section):
    """Constants of the broadband radiation of the sun and the Earth."""

    weights: tuple[float, ...] = (0.239, 0.167, 0.168, 0.078, 0.348)
    """Shares of the thermal spectrum (sum 1), fitted together with `vapour` and `carbon_dioxide` to the clear-sky
    fluxes and cooling rates of the standard atmospheres of the ICRCCM (Ellingson, Ellis and Fels 1991); see the
    tests."""
    vapour: tuple[float, ...] = (38.1, 3.41, 0.492, 0.0146, 0.0192)
    """Absorption by water vapour in each share of the thermal spectrum, m2/kg."""
    carbon_dioxide: tuple[float, ...] = (0.0, 0.0, 0.0, 2.0e-4, 0.0)
    """Absorption by carbon dioxide in each share of the thermal spectrum, m2 per kg of air."""
    pressure_power: float = 0.8
    """Power of pressure that scales the thermal absorption."""
    diffusivity: float = 1.66
    """Mean slant of diffuse thermal radiation (Elsasser 1942)."""
    liquid: float = 144.0
    """Thermal absorption of cloud water, m2/kg (Dudhia 1989)."""
    ice: float = 73.5
    """Thermal absorption of cloud ice, m2/kg (Dudhia 1989)."""
    snow: float = 2.34
    """Thermal absorption of falling snow, m2/kg (Dudhia 1989)."""
    emissivity: float = 0.98
    """Thermal emissivity of land and sea, 0 to 1."""
    ozone: float = 0.025
    """Share of the sun's radiation absorbed by ozone (Lacis and Hansen 1974: 0.02 to 0.03)."""
    aerosol: float = 0.03
    """Share of the sun's radiation absorbed or scattered back by aerosol."""
    droplet_radius: float = 1.0e-5
    """Effective radius of cloud droplets, m."""
    ice_radius: float = 4.0e-5
    """Effective radius of ice crystals, m."""
    asymmetry: float = 0.85
    """Asymmetry factor of scattering by cloud."""
    land_albedo: float = 0.18
    """Albedo of snow-free land."""
    sea_albedo: float = 0.07
    """Albedo of the sea for diffuse radiation."""
    snow_albedo: float = 0.60
    """Albedo of land covered by snow, vegetation included."""


@dataclass(frozen=True, kw_only=True)
class Soil(Section):
    """Constants of the ground: four layers as in HTESSEL and ERA5."""

    thickness: tuple[float, ...] = (0.07, 0.21, 0.72, 1.89)
    """Thickness of the soil layers downwards, m."""
    heat_capacity: float = 2.2e6
    """Heat capacity of the soil, J m-3 K-1 (moist loam)."""
    conductivity: float = 1.0
    """Heat conductivity of the soil, W m-1 K-1 (moist loam)."""
    snow_conductivity: float = 0.3
    """Heat conductivity of snow on the ground, W m-1 K-1."""
    snow_ground_density: float = 200.0
    """Density of snow on the ground, kg m-3."""
    snow_cover: float = 15.0
    """Mass of snow at which half of the land is covered, kg m-2."""
    porosity: float = 0.45
    """Largest volumetric soil moisture, m3 m-3; more runs off."""
    field_capacity: float = 0.32
    """Volumetric soil moisture above which evaporation is not limited, m3 m-3."""
    wilting_point: float = 0.15
    """Volumetric soil moisture below which there is no evaporation, m3 m-3."""
    initial_moisture: float = 0.28
    """Volumetric soil moisture at the start where the driving data hold none, m3 m-3."""
    moisture_diffusivity: float = 2.0e-7
    """Diffusivity of soil moisture, m2/s."""


@dataclass(frozen=True, kw_only=True)
class SeaIce(Section):
    """Constants of the ice on the sea: four layers over water at its freezing point, as in the IFS."""

    thickness: tuple[float, ...] = (0.07, 0.21, 0.72, 0.50)
    """Thickness of the layers of ice downwards, m (IFS Documentation, Part IV, chapter 8: 1.5 m in four layers)."""
    heat_capacity: float = 1.88e6
    """Heat capacity of sea ice, J m-3 K-1 (IFS Documentation, Part IV, chapter 8)."""
    conductivity: float = 2.03
    """Heat conductivity of sea ice, W m-1 K-1 (IFS Documentation, Part IV, chapter 8; Maykut and Untersteiner 1971 for
    ice without salt)."""
    roughness: float = 1.0e-3
    """Roughness length of momentum, heat and moisture over sea ice, m (IFS Documentation, Part IV, chapter 3)."""
    cold_albedo: float = 0.80
    """Albedo of sea ice that is colder than the melting point by `albedo_range` (Gordon et al. 2000; cited after
    others, the paper was not at hand)."""
    melting_albedo: float = 0.50
    """Albedo of melting sea ice (Gordon et al. 2000, as `cold_albedo`)."""
    albedo_range: float = 10.0
    """Range below the melting point over which the albedo of sea ice falls linearly, K (Gordon et al. 2000, as
    `cold_albedo`)."""


@dataclass(frozen=True, kw_only=True)
class Schemes(Section):
    """Constants of the schemes of the physics, and which scheme there is where there is a choice."""

    microphysics: Microphysics = field(default_factory=Microphysics)
    """Constants of clouds and precipitation with ice."""
    warm_rain: WarmRain = field(default_factory=WarmRain)
    """Constants of clouds and precipitation without ice."""
    boundary_layer: BoundaryLayer = field(default_factory=BoundaryLayer)
    """Constants of the turbulent mixing in the vertical."""
    surface: SurfaceExchange = field(default_factory=SurfaceExchange)
    """Constants of the exchange with land and sea."""
    radiation: Radiation = field(default_factory=Radiation)
    """Constants of solar and thermal radiation."""
    soil: Soil = field(default_factory=Soil)
    """Constants of temperature and moisture of the ground."""
    sea_ice: SeaIce = field(default_factory=SeaIce)
    """Constants of the ice on the sea."""


@dataclass(frozen=True, kw_only=True)
class Physics(Section):
    """Processes that the model has, and the constants of their schemes."""

    microphysics: bool = True
    """Whether the model has clouds and precipitation, single moment."""
    warm_rain: bool = False
    """Whether clouds and precipitation are without ice, in three categories of water instead of five."""
    boundary_layer: bool = True
    """Whether the model has turbulent mixing in the vertical."""
    surface: bool = True
    """Whether the model has the exchange of momentum, heat and moisture with land and sea."""
    radiation: bool = True
    """Whether the model has solar and thermal radiation."""
    soil: bool = True
    """Whether temperature and moisture of the ground change; without it they stay as at the start."""
    sea_ice: bool = True
    """Whether ice covers the sea where the driving data have it, with an energy balance of its own; without it the sea
    is open water everywhere."""
    radiation_interval: Positive = 900.0
    """Time between two calls of the radiation, s."""
    schemes: Schemes = field(default_factory=Schemes)
    """Constants of the schemes of the physics."""

    @property
    def categories(self) -> int:
        """Number of water categories that the state carries."""
        return 3 if self.warm_rain else 5

    @property
    def before_dynamics(self) -> bool:
        """Whether anything but clouds acts."""
        return self.boundary_layer or self.surface or self.radiation or self.soil

    @property
    def feels_sea(self) -> bool:
        """Whether a process depends on the temperature of the sea."""
        return self.surface or self.radiation

    def with_constants(self, values: Mapping[str, float | str]) -> Self:
        """Physics with some constants replaced, by "scheme.constant"; text where a scheme is chosen.

        Raises:
            ConfigError: there is no such constant, or it cannot have this value.
        """
        schemes = self.schemes
        for name, value in values.items():
            if name not in known_constants():
                known = ", ".join(known_constants())
                raise ConfigError(f"There is no constant {name!r} of the physics; known are {known}")
            choices = known_constants()[name]
            if choices and value not in choices:
                raise ConfigError(
                    f"The constant {name} of the physics is {value!r}, but must be {' or '.join(choices)}"
                )
            if not choices and isinstance(value, str):
                raise ConfigError(f"The constant {name} of the physics is the text {value!r}, but must be a number")
            scheme, constant = name.split(".")
            changed = replace(getattr(schemes, scheme), **{constant: value if choices else float(value)})
            schemes = replace(schemes, **{scheme: changed})
        return replace(self, schemes=schemes)


@cache
def known_constants() -> dict[str, tuple[str, ...]]:
    """Every constant of the physics that is one number, and every choice between schemes, as "scheme.constant"; with
    what can be chosen, () for numbers."""
    found: dict[str, tuple[str, ...]] = {}
    for scheme in dataclasses.fields(Schemes):
        of_scheme = type(getattr(Schemes(), scheme.name))
        for constant, kind in get_type_hints(of_scheme).items():
            if kind is float:
                found[f"{scheme.name}.{constant}"] = ()
            elif get_origin(kind) is Literal:
                found[f"{scheme.name}.{constant}"] = get_args(kind)
    return found
