"""What a new experiment says of its inputs: global analyses by name, observations, terrain and coast, by the folders
under the data folder where they belong."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from kaiseki.acquisition.descriptor import source
from kaiseki.config import Driving
from kaiseki.core.errors import ConfigError

OPEN_TERRAIN: Final = "static/arco-era5/arco_era5_terrain_and_land.zarr"
"""Terrain and land of ERA5 from a copy that needs no account."""
ERA5_TERRAIN: Final = "static/era5/era5_terrain_and_land.nc"
"""Terrain and land of ERA5 from the Climate Data Store, with the account by which ERA5 itself comes."""


@dataclass(frozen=True)
class DrivingData:
    """Global analyses that can drive a domain.

    Attributes:
        title: one line; "" for files of one's own.
        patterns: files under the data folder.
        interval_hours: time from one analysis to the next, h.
        first, last: first and last day; None where they go on.
        has_sea: whether they hold a sea-surface temperature, or a skin temperature with a land fraction.
        terrain: file of terrain and land that asks for no account but that of the analyses.
    """

    title: str
    patterns: tuple[str, ...]
    interval_hours: float
    first: date
    last: date | None = None
    has_sea: bool = True
    terrain: str = OPEN_TERRAIN


DRIVING: Final[dict[str, DrivingData]] = {
    "era5": DrivingData(
        "ERA5 on 37 pressure levels, 0.25 degrees",
        ("driving/era5/*",),
        3.0,
        date(1940, 1, 1),
        terrain=ERA5_TERRAIN,
    ),
    "arco-era5": DrivingData(
        "ERA5 on 37 pressure levels from Google's public copy", ("driving/arco-era5/*",), 3.0, date(1940, 1, 1)
    ),
    "gfs": DrivingData("GFS analyses, 0.25 degrees", ("driving/gfs/*",), 3.0, date(2021, 3, 23)),
    "gdas": DrivingData("GDAS analyses, 0.25 degrees", ("driving/gdas/*",), 3.0, date(2021, 3, 23)),
    "jra3q": DrivingData(
        "JRA-3Q on 45 pressure levels, 1.25 degrees", ("driving/jra3q/*",), 6.0, date(1947, 9, 1), has_sea=False
    ),
    "jra55": DrivingData(
        "JRA-55 on 37 pressure levels, 1.25 degrees",
        ("driving/jra55/*",),
        6.0,
        date(1958, 1, 1),
        date(2024, 1, 31),
        has_sea=False,
    ),
    "merra2": DrivingData(
        "MERRA-2 on 42 pressure levels, 0.5 x 0.625 degrees", ("driving/merra2/*",), 3.0, date(1980, 1, 1)
    ),
    "cfsr": DrivingData(
        "CFSR on 37 pressure levels, 0.5 degrees", ("driving/cfsr/*",), 6.0, date(1979, 1, 1), date(2011, 3, 31)
    ),
    "cfsv2": DrivingData("CFSv2 analyses, 0.5 degrees", ("driving/cfsv2/*",), 6.0, date(2011, 4, 1)),
}
"""Global analyses by the name that `kaiseki new --driving` takes."""

OBSERVATIONS: Final = ("observations/nnja/*",)
"""Files of observations: PREPBUFR from 1979 on, of the joint archive of NOAA and NASA."""
FIRST_OBSERVATIONS: Final = date(1979, 1, 1)
"""First day of `OBSERVATIONS`."""
TERRAIN: Final = (OPEN_TERRAIN,)
"""Files of terrain and land for grids of `FINE` and more: those of ERA5."""
FINE_TERRAIN: Final = ("static/etopo2022/*.tif", *TERRAIN)
"""Files of terrain for finer grids: ETOPO 2022 at 60 arc seconds, before those of ERA5."""
MASK: Final = TERRAIN
"""Files of the land-sea mask."""
COAST: Final = ("static/natural-earth/ne_50m_coastline.geojson",)
"""Files of coastlines."""
FINE: Final = 25e3
"""Spacing, m, below which the terrain of ERA5 is too coarse."""


def terrain_beside(data: DrivingData, files: list[str]) -> list[str]:
    """Files of terrain or land, of which those of ERA5 are taken from where the driving data need no further account.

    Args:
        data: of `DRIVING`; beside files of one's own nothing changes.
        files: of an experiment.
    """
    if not data.title:
        return files
    return [data.terrain if file in (OPEN_TERRAIN, ERA5_TERRAIN) else file for file in files]


def driving_of(text: str, first: date, last: date) -> DrivingData:
    """Global analyses by their name, or files of one's own by a path or pattern.

    Args:
        text: a name in `DRIVING`, in capitals or not, or what looks like a path.
        first, last: first and last day of the run.

    Raises:
        ConfigError: no such name, or the period lies outside the data or in the future.
    """
    name = text.strip().lower()
    if any(mark in text for mark in "/*?[.") and name not in DRIVING:
        return DrivingData("", (text,), 1.0, first)
    found = DRIVING.get(name)
    if found is None:
        near = difflib.get_close_matches(name, DRIVING, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(DRIVING)}"
        raise ConfigError(
            f"There are no driving data {text!r}; {hint}; files of your own are given as a pattern such as "
            '"driving/mine/*.grib2"'
        )
    if first < found.first or (found.last is not None and last > found.last):
        until = f"to {found.last}" if found.last else "on"
        others = [n for n, d in DRIVING.items() if d.first <= first and (d.last is None or last <= d.last)]
        raise ConfigError(
            f"{name} ({found.title}) is there from {found.first} {until}, but {first} to {last} is wanted; "
            f"take {' or '.join(others) if others else 'another period'}"
        )
    refuse_the_future(f"{name} ({found.title}) holds analyses", last)
    return found


def refuse_the_future(what: str, last: date) -> None:
    """Refuse a period that ends after today, of which no analysis and no observation can be there.

    Args:
        what: would have to hold it, a clause.
        last: last day of the period.

    Raises:
        ConfigError: says so.
    """
    today = datetime.now(UTC).date()
    if last > today:
        raise ConfigError(
            f"{what}, but {last} is still to come (today is {today}); take an earlier --start or fewer --hours, or "
            "files of your own with --driving"
        )


SEA: Final = "oisst"
"""Source of sea temperature and ice for driving data without them."""


def without_sea(driving: Driving) -> DrivingData | None:
    """The global analyses of an experiment, where they are of `DRIVING` and hold no sea temperature, and no files of
    its own give one; None else."""
    if driving.sea_temperature_files:
        return None
    return next((d for d in DRIVING.values() if not d.has_sea and d.patterns == tuple(driving.first_guess_files)), None)


def sea_files_for(start: datetime) -> tuple[str, ...]:
    """Files of sea temperature and ice for a run from a time on; () before they begin."""
    found = source(SEA)
    assert found.first is not None
    begin = datetime(found.first.year, found.first.month, found.first.day, tzinfo=UTC)
    return (f"{found.folder}/*",) if start >= begin + timedelta(hours=found.offset_hours) else ()


def sea_must_be_named(data: DrivingData) -> str:
    """What a user has to do whose driving data hold no sea temperature, a sentence."""
    found = source(SEA)
    return (
        f"{data.patterns[0]} hold no sea temperature: name files of it under driving.sea_temperature_files, "
        f"and of ice under driving.sea_ice_files, both {found.folder}/* of the source {found.name} from {found.first} "
        "on, or files of your own"
    )
