"""Messages of GRIB 2 from numbers: identification, grid, product and data, through ecCodes.

The octets depend on the arguments (and the version of ecCodes) alone; nothing is taken from a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.formats.grib.library import eccodes
from kaiseki.formats.grib.messages import END, SECTION_0_LENGTH, START
from kaiseki.formats.grib.packing import Packing, pack, unpack

Keys = Mapping[str, int | None]
"""Keys of ecCodes with their values in the order in which they are set; None is "missing" (all bits 1)."""

MICRODEGREES: Final = 1_000_000
EARTH_RELATIVE: Final = 0b0011_0000
"""Resolution and component flags (table 3.3): both increments given, winds eastward and northward (bit 5 is 0)."""
NORTH_TO_SOUTH: Final = 0
"""Scanning mode (table 3.4): rows from west to east, the first in the north."""
SOUTH_TO_NORTH: Final = 0b0100_0000
"""Scanning mode: rows from west to east, the first in the south."""
_SPHERE: Final = ("RadiusOfSphericalEarth", "EarthMajorAxis", "EarthMinorAxis")


def identification(reference: datetime, significance: int, data_type: int, centre: tuple[int, int]) -> Keys:
    """Section 1 of a reanalysis product.

    Args:
        reference: reference time, UTC.
        significance: of the reference time, code table 1.2.
        data_type: type of processed data, code table 1.4.
        centre: originating centre and sub-centre (common code tables C-11 and C-12).
    """
    return {
        "centre": centre[0],
        "subCentre": centre[1],
        "tablesVersion": 22,
        "localTablesVersion": 0,
        "significanceOfReferenceTime": significance,
        "year": reference.year,
        "month": reference.month,
        "day": reference.day,
        "hour": reference.hour,
        "minute": reference.minute,
        "second": reference.second,
        "productionStatusOfProcessedData": 3,  # re-analysis products
        "typeOfProcessedData": data_type,
    }


def _sphere(code: int, radius: int | None = None) -> Keys:
    """Shape of the Earth, code table 3.2: 6 is a sphere of 6,371,229 m, 1 one with the radius given [m]."""
    scale: dict[str, int | None] = {f"scaleFactorOf{name}": None for name in _SPHERE}
    value: dict[str, int | None] = {f"scaledValueOf{name}": None for name in _SPHERE}
    if radius is not None:
        scale["scaleFactorOfRadiusOfSphericalEarth"], value["scaledValueOfRadiusOfSphericalEarth"] = 0, radius
    return {"shapeOfTheEarth": code, **scale, **value}


def _microdegrees(degrees: float) -> int:
    return round(float(degrees) * MICRODEGREES)


def latitude_longitude(lat: np.ndarray, lon: np.ndarray) -> Keys:
    """Section 3 of a regular latitude-longitude grid (template 3.0) on the sphere of code 6, as JMA writes.

    Args:
        lat: (ny,) falling, degrees.
        lon: (nx,) rising, degrees; they may go past 180 or 360.

    Raises:
        InputError: the grid is not even, or its spacing or origin no whole number of millionths of a degree.
    """
    steps = []
    for name, axis in (("latitude", -lat), ("longitude", lon)):
        if axis.size < 2:
            raise InputError(f"GRIB needs at least two values of {name} to state their spacing")
        step = float(axis[-1] - axis[0]) / (axis.size - 1)
        even = axis[0] + step * np.arange(axis.size)
        whole = [abs(number * MICRODEGREES - round(number * MICRODEGREES)) for number in (step, float(axis[0]))]
        if step <= 0.0 or np.abs(axis - even).max() > 1e-6 or max(whole) > 1e-3:
            raise InputError(
                f"GRIB states a grid by millionths of a degree: {name} from {abs(axis[0]):.9g} to {abs(axis[-1]):.9g} "
                f"with a step of about {step:.9g} is not even or has more digits; choose a grid that has not"
            )
        steps.append(_microdegrees(step))
    return {
        "gridDefinitionTemplateNumber": 0,
        **_sphere(6),
        "Ni": lon.size,
        "Nj": lat.size,
        "basicAngleOfTheInitialProductionDomain": 0,
        "subdivisionsOfBasicAngle": None,
        "latitudeOfFirstGridPoint": _microdegrees(lat[0]),
        "longitudeOfFirstGridPoint": _microdegrees(lon[0] % 360.0),
        "resolutionAndComponentFlags": EARTH_RELATIVE,
        "latitudeOfLastGridPoint": _microdegrees(lat[-1]),
        "longitudeOfLastGridPoint": _microdegrees(lon[-1] % 360.0),
        "iDirectionIncrement": steps[1],
        "jDirectionIncrement": steps[0],
        "scanningMode": NORTH_TO_SOUTH,
    }


def lambert(
    shape: tuple[int, int],
    first: tuple[float, float],
    spacing: float,
    parallels: tuple[float, float],
    centre: float,
    radius: float,
) -> Keys:
    """Section 3 of a grid on a Lambert conformal map of a sphere (template 3.30), winds eastward and northward.

    The first row is the southern one: on this template ecCodes (2.50) and CDO (2.1.1) take it for that whatever the
    scanning mode says, and the wording of the template leaves it open (github.com/wmo-im/GRIB2, issue 55).

    Args:
        shape: rows and columns.
        first: latitude and longitude of the south-western point, degrees.
        spacing: distance of the points at the standard parallels, m.
        parallels: standard parallels, degrees; their sum says about which pole the map closes.
        centre: longitude along which y points north, degrees.
        radius: of the sphere, m.

    Raises:
        InputError: the spacing is no whole number of millimetres or the radius none of metres.
    """
    if abs(spacing * 1e3 - round(spacing * 1e3)) > 1e-6 or radius != round(radius):
        raise InputError(
            f"GRIB states the spacing of a map in millimetres and the radius of the Earth in metres: "
            f"{spacing:.9g} m and {radius:.9g} m cannot be stated"
        )
    return {
        "gridDefinitionTemplateNumber": 30,
        **_sphere(1, round(radius)),
        "Nx": shape[1],
        "Ny": shape[0],
        "latitudeOfFirstGridPoint": _microdegrees(first[0]),
        "longitudeOfFirstGridPoint": _microdegrees(first[1] % 360.0),
        "resolutionAndComponentFlags": EARTH_RELATIVE,
        "LaD": _microdegrees(parallels[0]),
        "LoV": _microdegrees(centre % 360.0),
        "Dx": round(spacing * 1e3),
        "Dy": round(spacing * 1e3),
        "projectionCentreFlag": 0 if sum(parallels) > 0.0 else 128,
        "scanningMode": SOUTH_TO_NORTH,
        "Latin1": _microdegrees(parallels[0]),
        "Latin2": _microdegrees(parallels[1]),
        "latitudeOfSouthernPole": -90 * MICRODEGREES,
        "longitudeOfSouthernPole": 0,
    }


def product(
    parameter: tuple[int, int], surface: tuple[int, int | None, int | None], process: int, lead: timedelta
) -> dict[str, int | None]:
    """Section 4 of a field at one instant (template 4.0).

    Args:
        parameter: category and number; the discipline stands in section 0.
        surface: type of the first fixed surface (code table 4.5), scale factor and scaled value of its level.
        process: type of generating process, code table 4.3.
        lead: forecast time from the reference time.

    Raises:
        InputError: the forecast time is no whole number of minutes.
    """
    unit, count = _in_units(lead)
    return {
        "productDefinitionTemplateNumber": 0,
        "parameterCategory": parameter[0],
        "parameterNumber": parameter[1],
        "typeOfGeneratingProcess": process,
        "backgroundProcess": 255,
        "generatingProcessIdentifier": 255,
        "hoursAfterDataCutoff": None,
        "minutesAfterDataCutoff": None,
        "indicatorOfUnitForForecastTime": unit,
        "forecastTime": count,
        "typeOfFirstFixedSurface": surface[0],
        "scaleFactorOfFirstFixedSurface": surface[1],
        "scaledValueOfFirstFixedSurface": surface[2],
        "typeOfSecondFixedSurface": 255,
        "scaleFactorOfSecondFixedSurface": None,
        "scaledValueOfSecondFixedSurface": None,
    }


def over_interval(instant: Mapping[str, int | None], end: datetime, length: timedelta, statistic: int) -> Keys:
    """Section 4 of a sum or mean over an interval (template 4.8), from that of the field at the start of the interval.

    Args:
        instant: of `product`, whose forecast time is the start of the interval.
        end: end of the interval, UTC.
        length: of the interval.
        statistic: code table 4.10: 0 average, 1 accumulation.

    Raises:
        InputError: the length is no whole number of minutes.
    """
    unit, count = _in_units(length)
    return {
        **instant,
        "productDefinitionTemplateNumber": 8,
        "yearOfEndOfOverallTimeInterval": end.year,
        "monthOfEndOfOverallTimeInterval": end.month,
        "dayOfEndOfOverallTimeInterval": end.day,
        "hourOfEndOfOverallTimeInterval": end.hour,
        "minuteOfEndOfOverallTimeInterval": end.minute,
        "secondOfEndOfOverallTimeInterval": end.second,
        "numberOfTimeRanges": 1,
        "numberOfMissingInStatisticalProcess": 0,
        "typeOfStatisticalProcessing": statistic,
        "typeOfTimeIncrement": 2,  # successive times of one forecast
        "indicatorOfUnitForTimeRange": unit,
        "lengthOfTimeRange": count,
        "indicatorOfUnitForTimeIncrement": 1,
        "timeIncrement": 0,
    }


def _in_units(length: timedelta) -> tuple[int, int]:
    """A time span by code table 4.4: hours (1), else minutes (0), and how many."""
    for unit, one in ((1, timedelta(hours=1)), (0, timedelta(minutes=1))):
        if length % one == timedelta(0):
            return unit, length // one
    raise InputError(f"GRIB states times by whole minutes; {length} is none")


def message(
    discipline: int, sections: Iterable[Keys], values: np.ndarray, error: float, packing: Packing
) -> tuple[bytes, float]:
    """A GRIB 2 message with one field, and the largest absolute error that packing made.

    Args:
        discipline: code table 0.0.
        sections: keys of sections 1, 3 and 4.
        values: (n,) in the order of the grid and the units of GRIB; NaN is missing.
        error: largest absolute error allowed.
        packing: "simple" or "complex", see `packing.PACKINGS`.

    Raises:
        InputError: see `packing.pack`.
    """
    handle = eccodes.codes_grib_new_from_samples("GRIB2")
    try:
        eccodes.codes_set(handle, "discipline", discipline)
        for keys in sections:
            for key, value in keys.items():
                if value is None:
                    eccodes.codes_set_missing(handle, key)
                else:
                    eccodes.codes_set(handle, key, value)
        pack(handle, values, error, packing)
        coded = eccodes.codes_get_message(handle)
    finally:
        eccodes.codes_release(handle)
    found = unpack(coded)
    if not np.array_equal(np.isnan(found), np.isnan(values)):
        raise RuntimeError("ecCodes did not give back the missing values of a field as they were packed")
    return coded, float(np.nanmax(np.abs(found - values), initial=0.0))


def joined(messages: Iterable[bytes]) -> Iterator[bytes]:
    """Messages with many fields each, made of messages with one: those that follow each other with the same
    discipline, identification and grid become one message whose sections 4 to 7 repeat, as JMA distributes its fields.

    Readers that look at messages, not at fields, see but the first field of such a message.
    """
    common, fields = (b"", b""), b""
    for one in messages:
        head, body = _cut(one)
        if fields and (one[6:7], head) != common:
            yield _closed(common, fields)
            fields = b""
        common, fields = (one[6:7], head), fields + body
    if fields:
        yield _closed(common, fields)


def _closed(common: tuple[bytes, bytes], fields: bytes) -> bytes:
    """A whole message of its discipline, its sections 1 to 3 and the rest."""
    body = common[1] + fields + END
    return START + b"\xff\xff" + common[0] + b"\x02" + (SECTION_0_LENGTH[2] + len(body)).to_bytes(8) + body


def _cut(one: bytes) -> tuple[bytes, bytes]:
    """Sections 1 to 3 and sections 4 to 7 of a message with one field."""
    position = SECTION_0_LENGTH[2]
    while one[position + 4] < 4:
        position += int.from_bytes(one[position : position + 4])
    return one[SECTION_0_LENGTH[2] : position], one[position : -len(END)]
