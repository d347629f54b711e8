"""Sections of GRIB 2 messages against the octets of the Manual on Codes and of a real file of JMA.

Failure modes: a grid that GRIB cannot state rounded in silence; negative numbers (sign and magnitude); times of 90
minutes written as hours; fields lost where several share a message; octets that depend on the clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from formats.grib.test_packing import LAT, LON, SECTIONS, coded, sections_of
from kaiseki.core.errors import InputError
from kaiseki.formats.grib import writing
from kaiseki.formats.grib.messages import single_fields

MEPS = "jma/meps_20190605_00Z_first20msgs.grib2"


def test_the_grid_of_jma_octet_by_octet(data: Path) -> None:
    theirs = sections_of(next(single_fields(data / MEPS))[1])
    lat, lon = 47.6 - 0.1 * np.arange(253), 120.0 + 0.125 * np.arange(241)
    first, _, third = SECTIONS
    message, _ = writing.message(0, (first, writing.latitude_longitude(lat, lon), third), np.zeros(lat.size * lon.size),
                                 0.1, "complex")  # fmt: skip
    assert sections_of(message)[3] == theirs[3]


@pytest.mark.parametrize(
    ("lat", "lon", "words"),
    [
        (LAT[::-1], LON, "latitude .* not even"),
        (LAT, LON[::-1], "longitude .* not even"),
        (LAT, LON**1.1, "longitude .* not even"),
        (40.0 - np.arange(9) / 120.0, LON, "more digits"),
        (LAT[:1], LON, "at least two values of latitude"),
    ],
)
def test_grids_that_cannot_be_stated(lat: np.ndarray, lon: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        writing.latitude_longitude(lat, lon)


def test_longitudes_past_greenwich_and_the_date_line() -> None:
    for first, last in ((-5.0, 5.0), (355.0, 365.0), (175.0, 185.0)):
        keys = writing.latitude_longitude(LAT, np.arange(first, last + 0.5))
        assert keys["longitudeOfFirstGridPoint"] == round(first % 360.0 * 1e6)
        assert keys["longitudeOfLastGridPoint"] == round(last % 360.0 * 1e6)


def test_times_in_hours_or_minutes_and_nothing_else() -> None:
    for lead, unit, count in ((timedelta(hours=3), 1, 3), (timedelta(minutes=90), 0, 90), (timedelta(0), 1, 0)):
        keys = writing.product((0, 0), (1, None, None), 0, lead)
        assert (keys["indicatorOfUnitForForecastTime"], keys["forecastTime"]) == (unit, count)
    with pytest.raises(InputError, match="whole minutes"):
        writing.product((0, 0), (1, None, None), 0, timedelta(seconds=30))


def test_messages_joined_hold_every_field_in_order(tmp_path: Path) -> None:
    later = writing.identification(datetime(1989, 1, 1, 13), 0, 0, (65535, 0))
    random = np.random.default_rng(0)
    one, two = (coded(random.normal(size=99), 0.01)[0] for _ in range(2))
    three = writing.message(0, (later, *SECTIONS[1:]), random.normal(size=99), 0.01, "complex")[0]
    ocean = writing.message(10, (later, *SECTIONS[1:]), random.normal(size=99), 0.01, "complex")[0]
    parts = list(writing.joined([one, two, three, ocean]))
    assert len(parts) == 3
    path = tmp_path / "joined.grib2"
    path.write_bytes(b"".join(parts))
    assert [field for _, field in single_fields(path)] == [one, two, three, ocean]
    assert list(writing.joined([])) == []


def test_octets_do_not_depend_on_when_they_are_written() -> None:
    values = np.linspace(0.0, 1.0, 99)
    assert coded(values, 0.01, "complex") == coded(values, 0.01, "complex")
