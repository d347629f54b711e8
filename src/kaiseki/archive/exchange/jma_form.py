"""Fields of JMA's mesoscale model as the Japan Meteorological Business Support Center hands them out: which, in what
order, on which grid, at which levels, in files of which names.

Sources: JMBSC, description of the MSM grid point values (surface 481 x 505, pressure levels 241 x 253, 120-150E and
22.4-47.6N, 16 pressure levels); headers of files of MEPS (2019-06-05 00 UTC) and of the MSM guidance (2019-03-04);
inventories of MSM surface files published by users for the order of the fields. JMA gives 1.5 m as the height of
temperature and humidity where Kaiseki has 2 m.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from kaiseki.core.variables import VARIABLES, Grib2

Form = Literal["surface", "pressure"]
Packing = Literal["simple", "complex"]


@dataclass(frozen=True)
class Parameter:
    """Parameter of a file in JMA's form.

    Attributes:
        abbreviation: customary abbreviation of NCEP and JMA, for tables and messages.
        variable: internal name of our variable, None where Kaiseki has none.
        grib2: code as JMA writes it; None: that of the table of variables.
        lowest: lowest pressure [Pa] at which JMA has it.
    """

    abbreviation: str
    variable: str | None
    grib2: Grib2 | None = None
    lowest: float = 0.0

    @property
    def code(self) -> Grib2:
        """Parameter, surface and scale in GRIB 2."""
        code = self.grib2 or (VARIABLES[self.variable].grib2 if self.variable else None)
        assert code is not None  # every entry below has one
        return code


@dataclass(frozen=True)
class JmaForm:
    """Form of one kind of file.

    Attributes:
        parameters: in the order of the file; on pressure levels the parameters of one level follow each other.
        spacing: of the grid in latitude and longitude, degrees.
        packing: data representation that JMA uses.
        label: part of the file's name that says which levels it holds.
    """

    parameters: tuple[Parameter, ...]
    spacing: tuple[float, float]
    packing: Packing
    label: str


FORMS: Final[Mapping[Form, JmaForm]] = {
    "surface": JmaForm(
        parameters=(
            Parameter("PRMSL", "mean_sea_level_pressure"),
            Parameter("PRES", "surface_pressure"),
            Parameter("UGRD", "eastward_wind_10m"),
            Parameter("VGRD", "northward_wind_10m"),
            Parameter("TMP", "temperature_2m"),
            Parameter("RH", "relative_humidity_2m"),
            Parameter("LCDC", None, Grib2(0, 6, 3, 1, None, 100.0)),
            Parameter("MCDC", None, Grib2(0, 6, 4, 1, None, 100.0)),
            Parameter("HCDC", None, Grib2(0, 6, 5, 1, None, 100.0)),
            Parameter("TCDC", "cloud_fraction"),
            # The table of variables has total water precipitation (49); JMA and its users have total precipitation (8).
            Parameter("APCP", "precipitation", Grib2(0, 1, 8, 1)),
            Parameter("DSWRF", "shortwave_down"),
        ),
        spacing=(0.05, 0.0625),
        packing="simple",
        label="Lsurf",
    ),
    "pressure": JmaForm(
        parameters=(
            Parameter("HGT", "geopotential_height"),
            Parameter("UGRD", "eastward_wind"),
            Parameter("VGRD", "northward_wind"),
            Parameter("TMP", "temperature"),
            Parameter("VVEL", "omega"),
            Parameter("RH", "relative_humidity", lowest=30000.0),
        ),
        spacing=(0.1, 0.125),
        packing="complex",
        label="L-pall",
    ),
}
"""Files of JMA's mesoscale model by form."""

AREA: Final = (22.4, 47.6, 120.0, 150.0)
"""South, north, west and east of the area of JMA's files, degrees."""


def axes(form: Form) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes, from north to south, and longitudes of JMA's grid of a form, degrees."""
    south, north, west, east = AREA
    return even_axes(FORMS[form].spacing, (south, north, west, east))


def even_axes(spacing: tuple[float, float], area: tuple[float, float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes, from north to south, and longitudes at multiples of a spacing from the north-western corner of an
    area (south, north, west, east), as far as the area goes, degrees."""
    south, north, west, east = area
    rows, columns = (int(np.floor((end - start) / step + 1e-6)) + 1 for start, end, step in
                     ((south, north, spacing[0]), (west, east, spacing[1])))  # fmt: skip
    return np.round(north - spacing[0] * np.arange(rows), 9), np.round(west + spacing[1] * np.arange(columns), 9)
