"""The case of 7 August 2005: a day of summer convection over the southern United States, driven by a forecast of WRF
that began from the RUC of 13 km, and judged by NCEP's Stage II analysis of rain.

The driving data are rounded to 1 K, 1 m/s, 1 % and 1 hPa, and hold neither heights nor terrain: their heights are
integrated from the surface pressure over our own terrain. They are a forecast too, so their own rain stands beside
ours. Our model has no parametrisation of convection.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.config import DomainSettings, Levels
from kaiseki.formats.grib.library import eccodes
from kaiseki.grid import Domain
from kaiseki.grid.projection import LambertConformal
from kaiseki.grid.regular import MapGrid
from kaiseki.verification.rain import RainFields, RainVerification, fractions, side_by_side, skill, verify_rain
from validation.driven_forecast.boxes import Boxes
from validation.driven_forecast.forecast import Hourly, grid

FOLDER = "driving/ruc13_conus_20050807"
START = np.datetime64("2005-08-07T00:00", "s")
HOURS = 24
RIM = 160e3
"""Width of the rim, m."""
FILLED = (slice(8, 117), slice(23, 172))
"""Rows and columns of grid 212 that the driving data fill."""
THRESHOLDS = (1.0, 5.0, 10.0)
"""Sums of rain over the day that are counted, mm."""
BOX = 60e3
"""Side of the boxes of three-hourly sums, m: Stage II lies on a grid of 41 km."""
NEIGHBOURHOODS = (1, 3, 5, 9)
"""Sides of the squares of the fractions skill score, in boxes of 41 km."""


def domain_of(data: Path, spacing: float) -> Domain:
    """Nevada's east to Georgia's west, 31 to 43 degrees north: land alone, for the driving data hold no temperature of
    the sea; the top lies under their highest level, 50 hPa."""
    settings = DomainSettings(
        projection="lambert_conformal",
        spacing=spacing,
        shape=(int(1320e3 / spacing), int(2640e3 / spacing)),
        reference_latitude=37.6,
        reference_longitude=-97.0,
        standard_parallels=(33.5, 41.5),
        central_longitude=-97.0,
        levels=Levels(number=40, top=20_500.0),
        rim_width=max(4, round(RIM / spacing)),
    )
    return grid(settings, data, "southern-us")


def files(data: Path) -> list[Path]:
    """The driving data: the forecast of 00 UTC, every three hours."""
    folder = data / FOLDER / "driving"
    return [folder / f"2005080700_wrfprs_ruc13_{hour:02d}_tm00_G212.grib1" for hour in range(0, HOURS + 1, 3)]


@dataclass(frozen=True)
class Field:
    """One field of a GRIB file on grid 212: short name, kind of level, hours from the start of the forecast, latitude,
    longitude and values (ny, nx), NaN where there is none."""

    name: str
    level: str
    steps: str
    latitude: np.ndarray
    longitude: np.ndarray
    values: np.ndarray


def fields(path: Path) -> list[Field]:
    """All fields of a file at the ground."""
    found = []
    with path.open("rb") as stream:
        while (handle := eccodes.codes_grib_new_from_file(stream)) is not None:
            get = {key: eccodes.codes_get(handle, key) for key in ("shortName", "typeOfLevel", "stepRange")}
            if get["typeOfLevel"] != "isobaricInhPa":
                shape = eccodes.codes_get(handle, "Ny"), eccodes.codes_get(handle, "Nx")
                values = eccodes.codes_get_values(handle)
                values = np.where(values == eccodes.codes_get(handle, "missingValue"), np.nan, values).reshape(shape)
                lat, lon = (eccodes.codes_get_array(handle, key).reshape(shape) for key in ("latitudes", "longitudes"))
                found.append(Field(*get.values(), lat, (lon + 180.0) % 360.0 - 180.0, values))
            eccodes.codes_release(handle)
    return found


def chosen(path: Path, name: str, steps: str | None = None) -> Field:
    """The one field of a file with a short name, and hours where they are given.

    Raises:
        ValueError: there is none, or more than one.
    """
    found = [field for field in fields(path) if field.name == name and steps in (None, field.steps)]
    if len(found) != 1:
        raise ValueError(f"{path}: {len(found)} fields {name} of the hours {steps}; expected one")
    return found[0]


@dataclass(frozen=True)
class Rain:
    """Rain on grid 212, mm: `stage2` hourly (24, ny, nx), the hour ending at 1 to 24; `wrf` of the driving forecast in
    three hours (8, ny, nx), ending at 3 to 24."""

    latitude: np.ndarray
    longitude: np.ndarray
    stage2: np.ndarray
    wrf: np.ndarray

    @classmethod
    def read(cls, data: Path) -> Rain:
        """Read all files."""
        ends = START + np.arange(1, HOURS + 1) * np.timedelta64(3600, "s")
        names = [f"{time.astype('datetime64[h]')}".replace("-", "").replace("T", "") for time in ends]
        observed = [chosen(data / FOLDER / "obs_rain" / f"ST2ml{name}.Grb_G212", "tp") for name in names]
        forecast = [
            chosen(path, "tp", f"{hour - 3}-{hour}")
            for hour, path in zip(range(3, HOURS + 1, 3), files(data)[1:], strict=True)
        ]
        wrf = np.full((len(forecast), *forecast[0].values.shape), np.nan)
        wrf[:, *FILLED] = np.stack([field.values for field in forecast])[:, *FILLED]
        return cls(observed[0].latitude, observed[0].longitude, np.stack([f.values for f in observed]), wrf)


def fractions_skill(ours: np.ndarray, theirs: np.ndarray, threshold: float, width: int) -> float:
    """Fractions skill score of fields (ny, nx), NaN where one is not known, in squares of `width` boxes."""
    known = np.isfinite(ours) & np.isfinite(theirs)
    said, seen = (known & (np.nan_to_num(field) >= threshold) for field in (ours, theirs))
    return float(skill(np.array(fractions(said, seen, known, width))))


def by_lead(forecast: Hourly, rain: Rain) -> list[dict[str, Any]]:
    """Scores of three-hourly sums over boxes of 60 km by the hours from the start, of ours, of the driving forecast and
    of no rain, against Stage II."""
    domain = forecast.domain
    rim = slice(domain.rim_width, -domain.rim_width)
    inside = MapGrid(domain.projection, domain.x[rim], domain.y[rim])
    ends = START + np.arange(1, HOURS + 1) * np.timedelta64(3600, "s")
    plane = grid_212(rain)
    x, y = domain.projection.forward(rain.latitude, rain.longitude)
    here = (x > inside.x[0]) & (x < inside.x[-1]) & (y > inside.y[0]) & (y < inside.y[-1])
    wrf = np.where(here, np.maximum(rain.wrf, 0.0), np.nan)
    observed = RainFields(plane, ends, np.maximum(rain.stage2, 0.0))
    hourly = np.maximum(forecast.mean["precipitation"][:, rim, rim], 0.0)
    given = {
        "ours": RainFields(inside, ends, hourly, start=START),
        "WRF, which drives": RainFields(plane, ends[2::3], wrf, hours=3, start=START),
        "no rain": RainFields(inside, ends, np.zeros_like(hourly), start=START),
    }
    settings = RainVerification(box=BOX, thresholds=THRESHOLDS)
    counts = {name: verify_rain([one], observed, settings) for name, one in given.items()}
    leads = side_by_side({name: one.chosen(one.lead <= 15) for name, one in counts.items()}, by="lead")
    return leads + side_by_side(counts)


def grid_212(rain: Rain) -> MapGrid:
    """Grid 212 as axes of its map (NCEP Office Note 388), checked against the latitudes and longitudes of the file."""
    chart = LambertConformal(25.0, 25.0, -95.0, 6_371_200.0)
    x, y = chart.forward(rain.latitude, rain.longitude)
    if np.ptp(x, axis=0).max() > 500.0 or np.ptp(y, axis=1).max() > 500.0:
        raise ValueError("The rain does not lie on grid 212")
    return MapGrid(chart, x.mean(axis=0), y.mean(axis=1))


def compare(forecast: Hourly, rain: Rain) -> dict[str, Any]:
    """Rain of the day: means of the area by hour, sums and fractions skill scores of ours and of the driving forecast
    against Stage II, where all three are known and ours is not in the rim."""
    boxes = Boxes.of(forecast.domain, rain.latitude, rain.longitude)
    hourly = boxes(forecast.mean["precipitation"])
    sums = {"ours": hourly.sum(axis=0), "stage2": rain.stage2.sum(axis=0), "wrf": rain.wrf.sum(axis=0)}
    known = np.isfinite(sum(sums.values(), np.zeros(())))
    sums = {name: np.where(known, a, np.nan) for name, a in sums.items()}
    result: dict[str, Any] = {
        "boxes": int(known.sum()),
        "hourly": {
            "ours": hourly[:, known].mean(axis=1).tolist(),
            "stage2": np.nanmean(rain.stage2[:, known], axis=1).tolist(),
        },
        "wrf_3_hourly": rain.wrf[:, known].mean(axis=1).tolist(),
        "day": {},
    }
    for name, a in sums.items():
        one: dict[str, Any] = {
            "mean": float(np.nanmean(a)),
            "largest": float(np.nanmax(a)),
            "part_above": {f"{t:g}": float((a[known] >= t).mean()) for t in THRESHOLDS},
        }
        if name != "stage2":
            error = (a - sums["stage2"])[known]
            one["rms"] = float(np.sqrt(np.mean(error**2)))
            one["correlation"] = float(np.corrcoef(a[known], sums["stage2"][known])[0, 1])
            one["fractions_skill"] = {
                f"{t:g}": {str(w): fractions_skill(a, sums["stage2"], t, w) for w in NEIGHBOURHOODS} for t in THRESHOLDS
            }
        result["day"][name] = one
    result["three_hourly"] = by_lead(forecast, rain)
    result["day"]["no_rain"] = {"rms": float(np.sqrt(np.nanmean(sums["stage2"] ** 2)))}
    return result


def read(data: Path) -> Rain:
    """What the forecast is judged by."""
    return Rain.read(data)
