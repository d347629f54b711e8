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
from scipy import ndimage

from kaiseki.config import DomainSettings, Levels
from kaiseki.formats.grib.library import eccodes
from kaiseki.grid import Domain
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
    """Fractions skill score (Roberts and Lean 2008, Mon. Wea. Rev. 136, 78-97, eqs. 5 to 7) of fields (ny, nx), NaN
    where one is not known, in squares of `width` boxes; 1 is perfect, 0 no overlap."""
    known = np.isfinite(ours) & np.isfinite(theirs)
    share = ndimage.uniform_filter(known.astype(float), width, mode="constant")
    made = []
    for field in (ours, theirs):
        above = np.where(known, np.nan_to_num(field) >= threshold, False).astype(float)
        part = ndimage.uniform_filter(above, width, mode="constant")
        made.append(part[known] / share[known])
    largest = float(np.mean(made[0] ** 2) + np.mean(made[1] ** 2))
    return 1.0 - float(np.mean((made[0] - made[1]) ** 2)) / largest if largest > 0.0 else float("nan")


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
    result["day"]["no_rain"] = {"rms": float(np.sqrt(np.nanmean(sums["stage2"] ** 2)))}
    return result


def read(data: Path) -> Rain:
    """What the forecast is judged by."""
    return Rain.read(data)
