"""What the report types of PREPBUFR are in the words of the observation table.

Source: NCEP/EMC, PREPBUFR report types (TYP, table 2) and data dump report types (T29, table 6 of the PREPBUFR
documentation), https://www.emc.ncep.noaa.gov/mmb/data_processing/prepbufr.doc/
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SONDE = (120, 220, 132, 232)
PILOT = (221, 222, 223, 224, 227, 228, 229)
AIRCRAFT = (130, 131, 133, 134, 135, 230, 231, 233, 234, 235)
FLIGHTS = tuple(hundred + last for hundred in (300, 400, 500) for last in range(30, 36))
"""Aircraft reports that hold mass and wind together: 3xx a single level, 4xx an ascent, 5xx a descent of what is 1xx
and 2xx elsewhere (NCEP, program PREPOBS_PREPACQC)."""
FIRST_ASCENT = 400
"""Least report type of `FLIGHTS` with many levels."""
LAND = (181, 183, 187, 188, 281, 284, 287, 288)
SEA = (180, 182, 183, 280, 282, 284)
SATWIND = tuple(range(240, 261))
BOGUS_PRESSURE = (191,)
NOT_READ = (102, 110, 111, 112, 126, *range(150, 180), 190, *range(192, 200), 210, 283, 285, 286, 289, 290, 291)
"""Report types that are not read: satellite soundings and sea winds, precipitable water, profilers of virtual
temperature, synthetic cyclones."""
BUOY_DUMP_TYPES = (531, 561, 562)
"""Dump types (T29) of marine platforms that are not ships: C-MAN and platforms, moored and drifting buoys."""
MARINE = "SFCSHP"
BUOY_NUMBER = 5
"""Number of digits of a WMO buoy number; ships have call signs."""


def kinds(
    message_type: str, report_type: NDArray[np.int64], dump_type: NDArray[np.float64], station: np.ndarray
) -> np.ndarray:
    """Kind (n,) of each report, "" for those of `NOT_READ` and "unknown" for a type that is in no list.

    Args:
        message_type: mnemonic of the message type.
        report_type: (n,) TYP.
        dump_type: (n,) T29, NaN if missing; tells buoys from ships, otherwise five digits as station number do.
        station: (n,) station identifiers.
    """
    found = np.full(report_type.shape, "", dtype="U8")
    for kind, codes in (
        ("sonde", SONDE),
        ("pilot", PILOT),
        ("aircraft", (*AIRCRAFT, *FLIGHTS)),
        ("satwind", SATWIND),
        ("paob", BOGUS_PRESSURE),
    ):
        found[np.isin(report_type, codes)] = kind
    if message_type == MARINE:
        number = np.char.isdigit(station) & (np.char.str_len(station) == BUOY_NUMBER)
        buoy = np.where(np.isnan(dump_type), number, np.isin(dump_type, BUOY_DUMP_TYPES))
        marine = np.isin(report_type, SEA)
        found[marine & buoy] = "buoy"
        found[marine & ~buoy] = "ship"
    else:
        found[np.isin(report_type, LAND)] = "synop"
    found[(found == "") & ~np.isin(report_type, NOT_READ)] = "unknown"
    return found
