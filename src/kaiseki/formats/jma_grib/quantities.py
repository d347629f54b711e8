"""What JMA's fields by levels are, by the codes of their sections, and names for those that are no such fields.

Which codes mean what, and in which unit, was found from files of JMA and holds for those alone that the table names:
other codes are refused, not guessed. That parameter 202 is an amount, and 201 and 203 are rates although their
statistical processing says "accumulation", shows in the values: six amounts of the nowcast of 2017-08-07 02 UTC make
an hour of the short-range forecast of 00:10 UTC (areal means 0.65 and 0.70 mm), and the composites reach 132 mm in
what would be five minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from kaiseki.formats.jma_grib.product_section import Definition


@dataclass(frozen=True)
class Quantity:
    """Quantity of a field, with its CF metadata.

    Attributes:
        name: of the variable.
        title: a phrase for messages and `long_name`.
        units: of the values.
        largest: magnitude beyond which a value can only come from a damaged file.
        standard_name: CF standard name, if there is one.
        cell_methods: over time; None of an instant.
        marked: the sign of a value is a mark, its magnitude the quantity.
        attributes: further attributes of the variable.
    """

    name: str
    title: str
    units: str
    largest: float
    standard_name: str | None = None
    cell_methods: str | None = None
    marked: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)


AMOUNT: Final = Quantity(
    "precipitation_amount", "precipitation of one hour, from radars and rain gauges", "kg m-2", 1000.0,
    "precipitation_amount", "time: sum",
)  # fmt: skip
FORECAST_AMOUNT: Final = Quantity(
    "precipitation_amount", "precipitation of one hour, short-range forecast", "kg m-2", 1000.0,
    "precipitation_amount", "time: sum",
)  # fmt: skip
NOWCAST: Final = Quantity(
    "precipitation_amount", "precipitation of ten minutes, nowcast of radar echoes", "kg m-2", 400.0,
    "precipitation_amount", "time: sum",
)  # fmt: skip
COMPOSITE_RATE: Final = Quantity(
    "precipitation_rate", "precipitation rate of the composite of radars", "mm h-1", 1000.0,
    "lwe_precipitation_rate", None,
    attributes={"comment": "of the latest scans before the time; the bounds are the interval that the file states"},
)  # fmt: skip
ECHO_TOP: Final = Quantity("echo_top_height", "height of the tops of radar echoes", "km", 30.0)
SOIL_WATER: Final = Quantity("soil_water_index", "soil-water index, the water in all three tanks", "mm", 2000.0)
FIRST_TANK: Final = Quantity("soil_water_first_tank", "water in the first tank of the soil-water index", "mm", 2000.0)
SECOND_TANK: Final = Quantity(
    "soil_water_second_tank", "water in the second tank of the soil-water index", "mm", 2000.0, marked=True,
    attributes={"comment": "the magnitude of the numbers of the file; their signs are in soil_water_second_tank_mark"},
)  # fmt: skip
LANDSLIDE: Final = Quantity(
    "landslide_warning_grade", "grade of the judgement of landslide warnings", "1", 10.0,
    attributes={"comment": "as in the file: grades from 0 rise with the danger; -2 and -1 are points not judged"},
)  # fmt: skip

_ACCUMULATION: Final = 1
_LOCAL_STATISTIC: Final = 196
_ANALYSIS, _FORECAST = 0, 2
_GROUND = (1, None)

_MINUTES: Final = 60
_BY_CODES: Final[dict[tuple[object, ...], Quantity]] = {
    # parameter, process, statistic, length, surface
    ((1, 200), _ANALYSIS, _ACCUMULATION, 60 * _MINUTES, _GROUND): AMOUNT,
    ((1, 200), _FORECAST, _ACCUMULATION, 60 * _MINUTES, _GROUND): FORECAST_AMOUNT,
    ((1, 201), _ANALYSIS, _ACCUMULATION, 10 * _MINUTES, _GROUND): COMPOSITE_RATE,
    ((1, 202), _FORECAST, _ACCUMULATION, 10 * _MINUTES, _GROUND): NOWCAST,
    ((1, 203), _ANALYSIS, _ACCUMULATION, 5 * _MINUTES, _GROUND): COMPOSITE_RATE,
    ((1, 203), _ANALYSIS, _LOCAL_STATISTIC, 5 * _MINUTES, _GROUND): COMPOSITE_RATE,
    ((15, 192), _ANALYSIS, _LOCAL_STATISTIC, 5 * _MINUTES, _GROUND): ECHO_TOP,
    ((1, 206), _ANALYSIS, None, 0, (200, None)): SOIL_WATER,
    ((1, 206), _ANALYSIS, None, 0, (201, 1.0)): FIRST_TANK,
    ((1, 206), _ANALYSIS, None, 0, (201, 2.0)): SECOND_TANK,
    ((1, 208), _ANALYSIS, None, 0, _GROUND): LANDSLIDE,
    # The standard code of total precipitation, with which our files can be written.
    ((1, 8), _ANALYSIS, _ACCUMULATION, 60 * _MINUTES, _GROUND): AMOUNT,
}


def quantity_of(discipline: int, definition: Definition) -> Quantity | None:
    """Quantity of a field by levels; None if its codes are not in the table.

    Args:
        discipline: code table 0.0.
        definition: of the field.
    """
    codes = (definition.parameter, definition.process, definition.statistic, definition.length, definition.surface)
    return _BY_CODES.get(codes) if discipline == 0 else None


_PROCESSES: Final = {
    0: "an analysis",
    1: "an initialised analysis",
    2: "a forecast",
    3: "a bias-corrected forecast",
    4: "an ensemble forecast",
    5: "a probability forecast",
}
_PARAMETERS: Final = {
    (0, 0): "temperature",
    (1, 1): "relative humidity",
    (1, 8): "total precipitation",
    (1, 52): "total precipitation rate",
    (2, 2): "eastward wind",
    (2, 3): "northward wind",
    (2, 8): "vertical velocity",
    (3, 0): "pressure",
    (3, 1): "pressure at mean sea level",
    (3, 5): "geopotential height",
    (4, 7): "downward short-wave radiation",
    (6, 1): "total cloud cover",
    (191, 192): "a local quantity of JMA's guidance",
}
_PACKINGS: Final = {0: "simple", 2: "complex", 3: "complex, with spatial differences", 40: "JPEG 2000", 41: "PNG"}


def describe(discipline: int, section_4: bytes, section_5: bytes) -> str:
    """What a field is that is not read here, as a phrase: kind of process, parameter, template and packing.

    Args:
        discipline: code table 0.0.
        section_4: product definition section.
        section_5: data representation section.
    """
    template, packing = int.from_bytes(section_4[7:9]), int.from_bytes(section_5[9:11])
    parameter = (section_4[9], section_4[10]) if len(section_4) > 10 else (255, 255)
    process = _PROCESSES.get(section_4[11] if len(section_4) > 11 else 255, "a product")
    named = _PARAMETERS.get(parameter) if discipline == 0 else None
    codes = f"parameter {discipline}-{parameter[0]}-{parameter[1]}"
    what = f"{named} ({codes})" if named else codes
    packed = "run-length" if packing == 200 else _PACKINGS.get(packing, "another")
    return f"{process} of {what}, product template 4.{template}, packing 5.{packing} ({packed})"
