"""Fields at the ground and near it in GRIB: which they are, and over which interval sums and means reach.

A field is known by its parameter and where it stands: the number of the parameter in ECMWF's database
(https://codes.ecmwf.int/grib/param-db/), or, in edition 2, where ecCodes has none (as for the precipitation and cloud
cover of JMA), the codes of WMO-No. 306, Manual on Codes, Volume I.2. The interval is that of the header: section 4 of
edition 2 (template 4.8 and those like it), P1, P2 and the time range indicator of edition 1 (code table 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.driving.sources.grib_product import reference_time
from kaiseki.driving.sources.quantities import QUANTITIES, Over
from kaiseki.formats.grib.library import eccodes

GROUND: Final = ("surface",)
SEA: Final = ("meanSea", "surface")
AIR: Final = ("heightAboveGround", "surface")
COLUMN: Final = ("surface", "entireAtmosphere", "atmosphere", "atmosphereSingleLayer")
_SHORT, _LONG = "surface_downwelling_shortwave_flux_in_air", "surface_downwelling_longwave_flux_in_air"
_CLOUD = ("cloud_area_fraction", "mean_cloud_area_fraction")
_VAPOUR = ("atmosphere_mass_content_of_water_vapor",)

PARAMETERS: Final[dict[int, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    167: (("air_temperature_2m",), AIR),
    168: (("dew_point_temperature_2m",), AIR),
    174096: (("specific_humidity_2m",), AIR),
    260242: (("relative_humidity_2m",), AIR),
    165: (("eastward_wind_10m",), AIR),
    166: (("northward_wind_10m",), AIR),
    228246: (("eastward_wind_100m",), AIR),
    228247: (("northward_wind_100m",), AIR),
    151: (("air_pressure_at_mean_sea_level",), SEA),
    260074: (("air_pressure_at_mean_sea_level",), SEA),
    164: (_CLOUD, COLUMN),
    228164: (_CLOUD, COLUMN),
    137: (_VAPOUR, COLUMN),
    3054: (_VAPOUR, COLUMN),
    228: (("precipitation_amount",), GROUND),
    228228: (("precipitation_amount",), GROUND),
    3059: (("precipitation_amount",), GROUND),
    235055: (("precipitation_amount",), GROUND),
    144: (("snowfall_amount",), GROUND),
    228144: (("snowfall_amount",), GROUND),
    169: ((_SHORT,), GROUND),
    235035: ((_SHORT,), GROUND),
    260087: ((_SHORT,), GROUND),
    175: ((_LONG,), GROUND),
    235036: ((_LONG,), GROUND),
    260097: ((_LONG,), GROUND),
}
"""Quantities, an instant or a mean where there are two, and kinds of levels by the number of the parameter."""

AT_HEIGHT: Final = {
    (0, 0, 0): {2.0: "air_temperature_2m"},
    (0, 0, 6): {2.0: "dew_point_temperature_2m"},
    (0, 1, 0): {2.0: "specific_humidity_2m"},
    (0, 1, 1): {2.0: "relative_humidity_2m"},
    (0, 2, 2): {10.0: "eastward_wind_10m", 100.0: "eastward_wind_100m"},
    (0, 2, 3): {10.0: "northward_wind_10m", 100.0: "northward_wind_100m"},
}
"""Quantities by discipline, category and number of edition 2, at heights over ground [m]."""
AT_HEIGHT_BY_NUMBER: Final = {
    130: (0, 0, 0), 168: (0, 0, 6), 133: (0, 1, 0), 157: (0, 1, 1), 131: (0, 2, 2), 132: (0, 2, 3),
}  # fmt: skip
"""Codes of `AT_HEIGHT` by the number of the parameter that ecCodes gives at heights that have none."""
AT_GROUND: Final[dict[tuple[int, int, int], tuple[tuple[str, ...], str]]] = {
    (0, 1, 8): (("precipitation_amount",), "kg m-2"),
    (0, 1, 49): (("precipitation_amount",), "kg m-2"),
    (0, 1, 52): (("precipitation_amount",), "kg m-2 s-1"),
    (0, 4, 7): ((_SHORT,), "W m-2"),
    (0, 5, 3): ((_LONG,), "W m-2"),
    (0, 6, 1): (_CLOUD, "%"),
}
"""Quantities and units of tables 4.2 at the ground (surface 1) where ecCodes knows no parameter."""
SCREEN: Final = 1.5
"""Height of JMA's temperature and humidity near the ground, m, which are taken for those at 2 m and told of."""
_UNITS: Final = {0: 60, 1: 3600, 2: 86400, 10: 10800, 11: 21600, 12: 43200}
"""Length of each unit of time, s, by its number (code table 4 of edition 1, 4.4 of edition 2)."""
_UNITS_1: Final = {**_UNITS, 13: 900, 14: 1800, 254: 1}
_UNITS_2: Final = {**_UNITS, 13: 1}
_PROCESSES: Final[dict[int, Over]] = {0: "mean", 1: "sum"}
"""Statistical processes of edition 2, code table 4.10."""


@dataclass(frozen=True)
class NearField:
    """What the header of a field near the ground says of it.

    Attributes:
        quantity: of `quantities.QUANTITIES`.
        units: of the values.
        over: whether it is a sum or a mean, empty for an instant.
        interval: start and end of the interval (2,) datetime64[s], None for an instant.
        note: what is to be told of it.
    """

    quantity: str
    units: str
    over: Over
    interval: tuple[np.datetime64, np.datetime64] | None
    note: str = ""


def near_field(handle: Any, where: str) -> NearField | None:
    """What a field is, None if it is none that an archive has a variable for.

    Raises:
        InputError: it is one, but is not at an instant, or not over an interval that its header tells, as it should be.
    """
    found = _named(handle)
    if found is None:
        return None
    quantities, units, note = found
    over = _process(handle)
    quantity = next((q for q in quantities if bool(QUANTITIES[q].over) == bool(over)), quantities[0])
    if over and not QUANTITIES[quantity].over:
        raise InputError(f"it is a {over} over time, not of an instant")
    if not over and QUANTITIES[quantity].over:
        raise InputError(f"its header says that it is of an instant, not a {QUANTITIES[quantity].over} over time")
    return NearField(quantity, units, over, _interval(handle, where) if over else None, note)


def _named(handle: Any) -> tuple[tuple[str, ...], str, str] | None:
    """Quantities that a field may be, its unit and what is to be told of it."""
    get = partial(eccodes.codes_get, handle)
    kind, number = get("typeOfLevel"), get("paramId")
    edition = get("edition")
    if number in PARAMETERS:
        quantities, kinds = PARAMETERS[number]
        return (quantities, get("units"), "") if kind in kinds else None
    code = None
    if edition == 2:
        code = get("discipline"), get("parameterCategory"), get("parameterNumber")
    if kind == "heightAboveGround":
        code = code if code in AT_HEIGHT else AT_HEIGHT_BY_NUMBER.get(number)
        height = _height(handle, edition)
        if code is None or height is None:
            return None
        names = AT_HEIGHT[code]
        if height == SCREEN and 2.0 in names:
            return (names[2.0],), get("units"), f"given at {SCREEN:g} m, taken for 2 m"
        return ((names[height],), get("units"), "") if height in names else None
    if code in AT_GROUND and number == 0 and kind == "surface":
        return (*AT_GROUND[code], "")
    return None


def _height(handle: Any, edition: int) -> float | None:
    """Height over ground, m; None where it is not told."""
    if edition == 1:
        return float(eccodes.codes_get(handle, "level"))
    scale = eccodes.codes_get(handle, "scaleFactorOfFirstFixedSurface", ktype=int)
    value = eccodes.codes_get(handle, "scaledValueOfFirstFixedSurface", ktype=int)
    return float(value) * 10.0**-scale if -20 <= scale <= 20 and 0 <= value < 2**31 - 1 else None


def _process(handle: Any) -> Over:
    """Whether a field is a sum or a mean over time.

    Raises:
        InputError: it is another statistic.
    """
    step = eccodes.codes_get(handle, "stepType")
    if step == "instant":
        return ""
    if step not in ("accum", "avg"):
        raise InputError(f"it is a {step} over time")
    return "sum" if step == "accum" else "mean"


def _interval(handle: Any, where: str) -> tuple[np.datetime64, np.datetime64]:
    """Interval of a sum or mean.

    Raises:
        InputError: the header does not tell one of some length.
    """
    reference = reference_time(handle, where)
    start, end = (_of_edition_1 if eccodes.codes_get(handle, "edition") == 1 else _of_edition_2)(handle, reference)
    if not start < end:
        raise InputError("its interval has no length")
    return start, end


def _of_edition_1(handle: Any, reference: np.datetime64) -> tuple[np.datetime64, np.datetime64]:
    get = partial(eccodes.codes_get, handle, ktype=int)
    unit, indicator = get("indicatorOfUnitOfTimeRange"), get("timeRangeIndicator")
    if indicator not in (3, 4) or unit not in _UNITS_1:
        raise InputError(f"its header tells no interval (time range indicator {indicator}, unit {unit})")
    seconds = _UNITS_1[unit]
    ends = [reference + np.timedelta64(get(name) * seconds, "s") for name in ("P1", "P2")]
    return ends[0], ends[1]


def _of_edition_2(handle: Any, reference: np.datetime64) -> tuple[np.datetime64, np.datetime64]:
    get = partial(eccodes.codes_get, handle, ktype=int)
    if not _has(handle, "numberOfTimeRange") or get("numberOfTimeRange") != 1:
        raise InputError("its header tells no single interval of time")
    process, unit = get("typeOfStatisticalProcessing"), get("indicatorOfUnitForTimeRange")
    stated = _PROCESSES.get(process)
    if stated is None or stated != _process(handle) or unit not in _UNITS_2:
        raise InputError(f"its header tells no interval (statistical process {process}, unit {unit})")
    length = np.timedelta64(get("lengthOfTimeRange") * _UNITS_2[unit], "s")
    names = ("year", "month", "day", "hour", "minute", "second")
    year, month, day, hour, minute, second = (get(f"{name}OfEndOfOverallTimeInterval") for name in names)
    end = np.datetime64(f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}", "s")
    lead_unit = get("indicatorOfUnitOfTimeRange")
    if lead_unit not in _UNITS_2:
        raise InputError(f"its header counts its lead time in the unit {lead_unit}")
    start = reference + np.timedelta64(get("forecastTime") * _UNITS_2[lead_unit], "s")
    if end - start != length:
        raise InputError(
            f"its header contradicts itself: from {start} to {end} is not {length.astype(int) / 3600:g} hours"
        )
    return start, end


def _has(handle: Any, key: str) -> bool:
    return bool(eccodes.codes_is_defined(handle, key))
