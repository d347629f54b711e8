"""Lists of places in files: longitude, latitude and, where there is one, a name."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr

from kaiseki.archive.selection.points import PLACE, Method, points
from kaiseki.core.errors import InputError

_COLUMNS: Final = {
    "lon": ("lon", "longitude", "経度"),
    "lat": ("lat", "latitude", "緯度"),
    "name": ("name", "place", "id", "station", "名称", "地点"),
}
"""Headings under which a column is found, in lower case."""


@dataclass(frozen=True)
class Places:
    """Places by longitude and latitude.

    Attributes:
        lon: longitudes, degrees east.
        lat: latitudes, degrees north.
        names: of the places, empty where they have none.
    """

    lon: tuple[float, ...]
    lat: tuple[float, ...]
    names: tuple[str, ...] = ()

    def of(self, dataset: xr.Dataset, method: Method = "nearest") -> xr.Dataset:
        """The fields of a dataset at the places along the dimension `place`, with `place_name` if they have names.

        Args:
            dataset: from `kaiseki.open`.
            method: "nearest" or "bilinear", see `points`.

        Raises:
            InputError: as `points`.
        """
        found = points(dataset, list(self.lon), list(self.lat), method)
        if not self.names:
            return found
        attributes = {"long_name": "name of the place"}
        return found.assign_coords(place_name=(PLACE, np.array(self.names, dtype=str), attributes))


def parse_place(text: str) -> Places:
    """The one place of a text such as "139.75,35.69": longitude and latitude.

    Raises:
        InputError: it is no such text.
    """
    try:
        lon, lat = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"A place is longitude and latitude in degrees, such as 139.75,35.69, not {text!r}") from None
    return Places((lon,), (lat,))


def read_places(file: str | Path) -> Places:
    """The places of a CSV file (UTF-8) with the headings lon and lat and, if wanted, name.

    Raises:
        InputError: the file cannot be read, lacks a heading, holds no place, or one that is no number.
    """
    path = Path(file)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = [row for row in csv.reader(stream) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = (
            "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", None) or error
        )
        raise InputError(f"The places of {path} cannot be read: {reason}") from None
    headings = [cell.strip().lower() for cell in rows[0]] if rows else []
    where = {key: [headings.index(word) for word in words if word in headings] for key, words in _COLUMNS.items()}
    if not where["lon"] or not where["lat"]:
        raise InputError(
            f"The first line of {path} must name the columns lon and lat; it reads {','.join(headings)[:80]!r}"
        )
    if len(rows) == 1:
        raise InputError(f"{path} holds no place, only headings")
    found: dict[str, list[float]] = {"lon": [], "lat": []}
    names = []
    for number, row in enumerate(rows[1:], 1):
        for key in ("lon", "lat"):
            cell = row[where[key][0]] if where[key][0] < len(row) else ""
            try:
                found[key].append(float(cell))
            except ValueError:
                raise InputError(
                    f"Place number {number} of {path} has the {key} {cell!r}, which is no number"
                ) from None
        if where["name"]:
            names.append(row[where["name"][0]].strip() if where["name"][0] < len(row) else "")
    return Places(tuple(found["lon"]), tuple(found["lat"]), tuple(names))
