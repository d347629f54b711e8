"""What a field in GRIB is beside its quantity: an analysis or forecast of one run, or something made of many.

Codes of GRIB 2 are those of WMO-No. 306, Manual on Codes, Volume I.2: templates 4.n and tables 4.3, 4.4 and 4.7. Names
of streams and types are those of ECMWF's archive (https://codes.ecmwf.int/grib/format/mars/).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.driving.sources.origin import CONTROL, MEAN, Origin, version_name
from kaiseki.formats.grib.library import eccodes

PLAIN_TEMPLATES = (0, 1, 2, 60, 70, 71)
"""Templates of fields at an instant: of a run, of a member, made of all members, of a past forecast, corrected."""
INTERVAL_TEMPLATES = (8, 11, 12, 61, 72, 73)
"""Templates of fields over an interval of time, of the kinds of `PLAIN_TEMPLATES`."""
MEANS_OF_MEMBERS = (0, 1)
"""Derived forecasts that are means of all members, unweighted and weighted."""
MADE_OF = {
    5: "a probability",
    6: "an error of a forecast",
    7: "an error of an analysis",
    9: "a climatology",
    10: "a probability",
    18: "a difference of two forecasts",
    20: "an increment",
    21: "an increment",
}
"""Generating processes (table 4.3) whose fields are no state of the atmosphere."""
NO_STATE = frozenset(
    "4i as cd ci cl cm cs cr cv ea ed ef efi efic eme ep es est fa fcmax fcmean fcmin fcstdev fp hcmean icp im me pb "
    "pd s3 ses sot ssd svar taem taes tu wem wes".split()
)
"""Types of ECMWF's archive that are no state of the atmosphere: spreads, errors, increments, probabilities, means over
time or of a part of the members."""
MONTHLY = frozenset(
    "dame edmm edmo ehmm esmm ewmm ewmo maed mawm mdfa mfam mfhm mfwm mhwm mmam mmwm mnfm mnth moda mofm msda msmm "
    "mswm sfmm smma swmm wamd wamo wmfm".split()
)
"""Streams of ECMWF's archive whose fields are means of a month or of its days."""
LONG_UNITS = {3: "months", 4: "years", 5: "decades", 6: "normals of 30 years", 7: "centuries"}
"""Units of the time range (table 4.4) that are no multiple of hours."""


def _get(handle: Any, key: str) -> Any:
    return eccodes.codes_get(handle, key) if eccodes.codes_is_defined(handle, key) else None


def reference_time(handle: Any, where: str) -> np.datetime64:
    """Reference time of a field.

    Raises:
        InputError: its date is no day, as edition 1 marks means of a month.
    """
    date, clock = eccodes.codes_get(handle, "dataDate"), eccodes.codes_get(handle, "dataTime")
    if date % 100 == 0 or date // 100 % 100 == 0:
        raise InputError(
            f"{where} is of the date {date:08d}, which is no day, as of a mean of a month; give fields of instants."
        )
    return _instant(date, clock)


def valid_time(handle: Any) -> np.datetime64:
    """Time for which a field holds."""
    return _instant(eccodes.codes_get(handle, "validityDate"), eccodes.codes_get(handle, "validityTime"))


def _instant(date: int, clock: int) -> np.datetime64:
    day = f"{date // 10000:04d}-{date // 100 % 100:02d}-{date % 100:02d}"
    return np.datetime64(f"{day}T{clock // 100:02d}:{clock % 100:02d}:00", "s")


def origin_of(handle: Any, where: str, templates: Collection[int] = PLAIN_TEMPLATES) -> Origin:
    """Member, version and run of a field, whose template of edition 2 must be one of some.

    Raises:
        InputError: it is no state of the atmosphere at an instant, but made of several or of errors.
    """
    if (unit := LONG_UNITS.get(_get(handle, "indicatorOfUnitOfTimeRange"))) is not None:
        raise InputError(f"{where} counts its time in {unit}, as means do; give fields of instants.")
    if (stream := _get(handle, "stream")) in MONTHLY:
        raise InputError(f"{where} is of the stream {stream}, whose fields are means of a month; give instants.")
    if (kind := _get(handle, "dataType")) in NO_STATE:
        raise InputError(f"{where} is of the type {kind}, which is no state of the atmosphere; leave it out.")
    member = MEAN if kind in ("em", "emdn") else CONTROL
    if eccodes.codes_get(handle, "edition") == 2:
        member = _member(handle, where, member, templates)
    elif member == CONTROL:
        member = str(_get(handle, "perturbationNumber") or CONTROL)
    version = _get(handle, "expver")
    return Origin(
        member, () if version is None else (version_name(version),), np.array([reference_time(handle, where)])
    )


def _member(handle: Any, where: str, member: str, templates: Collection[int]) -> str:
    """Member by the product's template in edition 2."""
    template = eccodes.codes_get(handle, "productDefinitionTemplateNumber")
    if template not in templates:
        raise InputError(
            f"{where} is of the product template 4.{template}, which is no analysis or forecast of one run; "
            "leave it out."
        )
    if (made := MADE_OF.get(_get(handle, "typeOfGeneratingProcess"))) is not None:
        raise InputError(f"{where} is {made}; give analyses or forecasts.")
    derived = _get(handle, "derivedForecast")
    if derived is not None:
        if derived not in MEANS_OF_MEMBERS:
            raise InputError(
                f"{where} is made of the members of an ensemble, but is not their mean (derivedForecast {derived}); "
                "leave it out."
            )
        return MEAN
    number, kind = _get(handle, "perturbationNumber"), _get(handle, "typeOfEnsembleForecast")
    if number is None:
        return member
    # Members perturbed downwards and upwards are counted each from one.
    return CONTROL if kind in (0, 1) else f"-{number}" if kind == 2 and number else str(number)
