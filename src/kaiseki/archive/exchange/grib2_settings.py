"""Settings of GRIB 2 files, and what is told of each that was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kaiseki.archive.exchange.jma_form import Packing


@dataclass(frozen=True)
class Grib2Settings:
    """Settings of GRIB 2 files.

    Attributes:
        centre: originating centre, common code table C-11 (34 is JMA); 65535 is missing.
        sub_centre: sub-centre, common code table C-12; 0 is none.
        originator: first part of the names of files, where JMA has Z__C_RJTD.
        bounds: errors of packing, "tight" or "user", two columns of the table of variables.
        packing: "simple" (template 5.0) or "complex" (5.3, second-order differences); None for that of JMA.
        variables: internal names of those to be written; None for all of the form that the dataset has or that can be
            derived from it.
        one_message: all fields of a file that share the reference time in one message, as in JMA's files; else each
            field is a message of its own, which every reader finds.
    """

    centre: int = 65535
    sub_centre: int = 0
    originator: str = "KAISEKI"
    bounds: Literal["tight", "user"] = "tight"
    packing: Packing | None = None
    one_message: bool = False
    variables: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Grib2File:
    """What was written to a file.

    Attributes:
        path: the file.
        fields: number of fields.
        lacking: abbreviations of the form's parameters of which the file has no field.
        largest_errors: largest absolute error that packing made, by abbreviation, in the units of GRIB.
    """

    path: Path
    fields: int
    lacking: tuple[str, ...]
    largest_errors: Mapping[str, float]
