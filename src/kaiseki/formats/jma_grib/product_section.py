"""Product definitions of GRIB 2 that JMA's fields by levels have: section 4 from and to octets, and its times.

JMA's local templates are standard ones with octets after them (found from files of JMA; layouts beside github.com
xjr1300/grib2_2, which reads 4.50000, 4.50008 and 4.50009 in the same way):

- 4.50000: as 4.0, then eight octets that JMA's landslide judgement has.
- 4.50008, 4.50011: as 4.8, then two words of eight octets about the radars and one about the rain gauges.
- 4.50009: as 4.50008, then the number of areas, a scale factor and for each area the weight of the mesoscale model.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.formats.jma_grib.grids import signed, signed_octets

TEMPLATES: Final = {0: 34, 8: 58, 50000: 42, 50008: 82, 50009: 85, 50011: 82}
"""Product definition templates that are read, with the octets of their section, of 4.50009 without its list."""
_OVER_INTERVALS: Final = (8, 50008, 50009, 50011)
_SECONDS: Final = {0: 60, 1: 3600, 2: 86_400, 13: 1}
"""Units of time that are read, code table 4.4, in seconds."""
_LONGEST: Final = 366 * 86_400
"""Longest time span that a field of rain may state, s."""
_YEARS: Final = range(1900, 2200)
_NO_WORD: Final = b"\xff" * 8


@dataclass(frozen=True)
class OperationWords:
    """Words of 64 bits with which JMA's composites tell of their sources, as they stand in the file.

    JMA's description of the bits is not public in a form that could be verified; the numbers are therefore given as
    they are. In the composites of 2016 to 2024 the radar words are pairs of bits, one for each place of a list of
    radars, mostly 1, else 0 or 2. All bits 1 is "not stated".

    Attributes:
        radars_1: first word about radars and similar sources, octets 59-66.
        radars_2: second word about radars and similar sources, octets 67-74.
        rain_gauges: word about rain gauges, octets 75-82.
    """

    radars_1: int
    radars_2: int
    rain_gauges: int

    @staticmethod
    def pairs(word: int) -> tuple[int, ...]:
        """The 32 pairs of bits of a word, from the last two bits on."""
        return tuple(word >> place & 0b11 for place in range(0, 64, 2))


NOT_STATED: Final = OperationWords(*(int.from_bytes(_NO_WORD),) * 3)
"""Words that state nothing about radars and gauges."""


@dataclass(frozen=True)
class Definition:
    """Product definition of a field.

    Attributes:
        template: number of the product definition template.
        parameter: category and number; the discipline stands in section 0.
        process: type of generating process, code table 4.3.
        background, identifier: background and forecast generating process, of the centre.
        surface: type of the first fixed surface (code table 4.5), and its value; None if it has none.
        begin: forecast time from the reference time, s; of an interval its start.
        length: of the interval, s; 0 of an instant.
        end: end of the interval, UTC; None of an instant.
        statistic: statistical processing, code table 4.10; None of an instant.
        words: of the composite; None where the template has none.
        weights: of the mesoscale model by area (template 4.50009).
        further: octets that follow the standard part of template 4.50000.
    """

    template: int
    parameter: tuple[int, int]
    process: int
    background: int = 255
    identifier: int = 255
    surface: tuple[int, float | None] = (1, None)
    begin: int = 0
    length: int = 0
    end: np.datetime64 | None = None
    statistic: int | None = None
    words: OperationWords | None = None
    weights: tuple[float, ...] = ()
    further: bytes = b""


def read_definition(section: bytes, where: str) -> Definition:
    """Product definition of section 4.

    Args:
        section: whole section.
        where: file and field, for messages.

    Raises:
        InputError: the template is not read, or its octets are not as it says.
    """
    template = int.from_bytes(section[7:9]) if len(section) >= 9 else 0
    if template not in TEMPLATES:
        raise InputError(f"{where} has the product definition template 4.{template}, which is not read.")
    expected = TEMPLATES[template] + (2 * int.from_bytes(section[82:84]) if template == 50009 else 0)
    if len(section) != expected or section[5:7] != b"\0\0":
        raise InputError(
            f"{where} has a product section of {len(section)} octets; its template 4.{template} has {expected}, "
            "without vertical coordinates. The file is damaged, fetch it again."
        )
    factor, value = signed(section[23:24]), section[24:28]
    level = None if section[23] == 255 or value == b"\xff" * 4 else signed(value) / 10.0**factor
    instant = Definition(
        template=template,
        parameter=(section[9], section[10]),
        process=section[11],
        background=section[12],
        identifier=section[13],
        surface=(section[22], level),
        begin=_seconds(section[17], signed(section[18:22]), where),
        further=section[34:] if template == 50000 else b"",
    )
    return _over_interval(instant, section, where) if template in _OVER_INTERVALS else instant


def _over_interval(instant: Definition, section: bytes, where: str) -> Definition:
    """Definition with what follows the first 34 octets in the templates of intervals."""
    if section[41] != 1:
        raise InputError(f"{where} is made of {section[41]} time ranges; fields of one are read.")
    weights: tuple[float, ...] = ()
    words = None
    if instant.template != 8:
        words = OperationWords(*struct.unpack(">QQQ", section[58:82]))
    if instant.template == 50009:
        scaled = np.frombuffer(section[85:], ">u2")
        weights = tuple(float(weight) for weight in scaled / 10.0 ** signed(section[84:85]))
    return replace(
        instant,
        end=read_time(section[34:41], where),
        statistic=section[46],
        length=_seconds(section[48], int.from_bytes(section[49:53]), where),
        words=words,
        weights=weights,
    )


def _seconds(unit: int, count: int, where: str) -> int:
    if unit not in _SECONDS:
        raise InputError(f"{where} has times in the unit {unit} of code table 4.4; seconds to days are read.")
    if abs(_SECONDS[unit] * count) > _LONGEST:
        raise InputError(f"{where} states a time span of {count} units {unit}; the file is damaged, fetch it again.")
    return _SECONDS[unit] * count


def read_time(octets: bytes, where: str) -> np.datetime64:
    """Instant of seven octets: year, month, day, hour, minute, second, UTC.

    Raises:
        InputError: they are no date and time.
    """
    year, month, day, hour, minute, second = struct.unpack(">H5B", octets)
    try:
        if year not in _YEARS:
            raise ValueError
        return np.datetime64(datetime(year, month, day, hour, minute, second), "s")
    except ValueError:
        raise InputError(
            f"{where} has the time {year}-{month}-{day} {hour}:{minute}:{second}, which there is not; the file is "
            "damaged, fetch it again."
        ) from None


def time_octets(time: np.datetime64) -> bytes:
    """Seven octets of an instant in UTC."""
    moment = time.astype("datetime64[s]").item()
    return struct.pack(">H5B", moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)


def definition_section(definition: Definition) -> bytes:
    """Section 4 of an accumulation over an interval that ends at the reference time, by templates 4.8 or 4.50008.

    Octets about the cut-off of observations are as in JMA's files missing or 0; times are in minutes.
    """
    if definition.template not in (8, 50008) or definition.end is None or definition.statistic is None:
        raise ValueError("sections of accumulations by templates 4.8 and 4.50008 are written")
    surface, level = definition.surface
    if level is not None:
        raise ValueError("surfaces without a value are written")
    body = (
        struct.pack(">BHH", 4, 0, definition.template)
        + bytes([*definition.parameter, definition.process, definition.background, definition.identifier])
        + b"\xff\xff\xff"
        + b"\0"
        + signed_octets(definition.begin // 60, 4)
        + bytes([surface])
        + b"\xff" * 11
        + time_octets(definition.end)
        + struct.pack(">BIBBBIBI", 1, 0, definition.statistic, 2, 0, definition.length // 60, 0, 0)
    )
    if definition.template == 50008:
        words = definition.words or NOT_STATED
        body += struct.pack(">QQQ", words.radars_1, words.radars_2, words.rain_gauges)
    return struct.pack(">I", len(body) + 4) + body
