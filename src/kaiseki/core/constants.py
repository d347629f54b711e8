"""Physical constants, used everywhere; each with its source. SI units.

The gas constant and heat capacities of dry air are kept in the exact ratio 2 : 5 : 7 of the diatomic ideal gas, so that
kappa = 2/7 holds to round-off in whatever order they are combined.
"""

from typing import Final

GRAVITY: Final = 9.80665
"""Standard acceleration of gravity g [m s-2] (3rd CGPM 1901; WMO uses it for geopotential metres)."""

EARTH_RADIUS: Final = 6_371_000.0
"""Radius of the spherical Earth [m] (the sphere of JMA's Lambert conformal products, DSJRA-55 format description)."""

EARTH_ROTATION: Final = 7.292115e-5
"""Angular velocity of the Earth's rotation Omega [s-1] (IERS Conventions 2010, table 1.1, rounded; GRS80)."""

GAS_CONSTANT: Final = 8.314462618
"""Molar gas constant [J mol-1 K-1] (CODATA 2018)."""

R_DRY: Final = 287.05
"""Gas constant of dry air Rd [J kg-1 K-1] (ICAO standard atmosphere, ISO 2533:1975: 287.05287, rounded)."""

R_VAPOUR: Final = 461.5
"""Gas constant of water vapour Rv [J kg-1 K-1] (Wallace and Hobbs 2006: 461.51)."""

CP_DRY: Final = 1004.675
"""Specific heat of dry air at constant pressure [J kg-1 K-1], 7/2 Rd: the diatomic ideal gas."""

CV_DRY: Final = CP_DRY - R_DRY
"""Specific heat of dry air at constant volume [J kg-1 K-1], 5/2 Rd."""

CP_VAPOUR: Final = 1846.0
"""Specific heat of water vapour at constant pressure [J kg-1 K-1], 4 Rv."""

C_LIQUID: Final = 4218.0
"""Specific heat of liquid water at 0 degC [J kg-1 K-1] (Wallace and Hobbs 2006)."""

C_ICE: Final = 2106.0
"""Specific heat of ice at 0 degC [J kg-1 K-1] (Wallace and Hobbs 2006)."""

KAPPA: Final = R_DRY / CP_DRY
"""Rd / cp of dry air, 2/7."""

EPSILON: Final = R_DRY / R_VAPOUR
"""Ratio of the gas constants Rd / Rv."""

VIRTUAL: Final = R_VAPOUR / R_DRY - 1.0
"""Factor of the virtual temperature, Tv = T (1 + VIRTUAL qv), qv specific humidity."""

P0: Final = 100_000.0
"""Reference pressure p0 of potential temperature [Pa]."""

FREEZING: Final = 273.15
"""Melting point of ice at standard pressure [K]."""

TRIPLE_POINT: Final = 273.16
"""Triple point of water [K]."""

LATENT_VAPORISATION: Final = 2.501e6
"""Latent heat of vaporisation at 0 degC [J kg-1] (Wallace and Hobbs 2006: 2.50e6; WMO-No. 188: 2.501e6)."""

LATENT_FUSION: Final = 3.337e5
"""Latent heat of fusion at 0 degC [J kg-1] (WMO-No. 188)."""

LATENT_SUBLIMATION: Final = LATENT_VAPORISATION + LATENT_FUSION
"""Latent heat of sublimation at 0 degC [J kg-1]."""

WATER_DENSITY: Final = 1000.0
"""Density of liquid water [kg m-3]."""

STEFAN_BOLTZMANN: Final = 5.670374419e-8
"""Stefan-Boltzmann constant [W m-2 K-4] (CODATA 2018)."""

SOLAR_CONSTANT: Final = 1361.0
"""Total solar irradiance at one astronomical unit [W m-2] (IAU 2015 Resolution B3, nominal value)."""

VON_KARMAN: Final = 0.40
"""Von Karman constant [1] (Hogstrom 1996, Boundary-Layer Meteorol. 78, 215-246)."""

STANDARD_LAPSE_RATE: Final = 0.0065
"""Temperature decrease with height in the standard troposphere [K m-1] (ISO 2533:1975)."""

STANDARD_PRESSURE: Final = 101_325.0
"""Pressure at mean sea level in the standard atmosphere [Pa] (ISO 2533:1975)."""

STANDARD_TEMPERATURE: Final = 288.15
"""Temperature at mean sea level in the standard atmosphere [K] (ISO 2533:1975)."""
