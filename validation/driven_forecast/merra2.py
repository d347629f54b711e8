"""The case of 30 March 2020: the eastern United States, driven by MERRA-2 in the rim and judged by MERRA-2 inside it.

Nothing of MERRA-2 but its state of 00 UTC (with sea and skin temperature) and its fields in the rim, in the uppermost
4 km and at the sea's surface reaches the forecast. What is compared: the fields at the hour of `inst1_2d_asm` and the
hourly means of `tavg1_2d_flx` and `tavg1_2d_rad`, on MERRA-2's own grid, to which the forecast is averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from kaiseki.config import DomainSettings, Levels
from kaiseki.core.constants import SOLAR_CONSTANT
from kaiseki.forecast.physics.sun import cosine_of_zenith, sun_clock
from kaiseki.grid import Domain
from validation.driven_forecast.boxes import Boxes
from validation.driven_forecast.forecast import Hourly, grid

FOLDER = "driving/merra2_eus_20200330"
DRIVING = ("MERRA_pres_20200330.nc4", "MERRA2_sfc_20200330.nc4")
START = np.datetime64("2020-03-30T00:00", "s")
HOURS = 21
RIM = 160e3
"""Width of the rim, m: none of the points that are scored lies in it."""
PURE, CLEAR = 0.95, 0.02
"""Part of a point that is land or sea where it counts as such; cover of cloud under which the sky counts as clear."""
CLOUDLESS = 1e-3
"""Cloud water and ice of our own columns under which they count as clear, kg m-2."""
AWAY = 4
"""Points of MERRA-2 at each edge of the data that are not scored."""


@dataclass(frozen=True)
class Quantity:
    """What is compared: name in the forecast, variable and factor of MERRA-2, words, unit of the figures, factor to
    it."""

    name: str
    variable: str
    factor: float
    words: str
    unit: str
    shown: float = 1.0
    offset: float = 0.0


INSTANT = (
    Quantity("eastward_wind_10m", "U10M", 1.0, "eastward wind at 10 m", "m/s"),
    Quantity("northward_wind_10m", "V10M", 1.0, "northward wind at 10 m", "m/s"),
    Quantity("sea_level_pressure", "SLP", 1.0, "pressure at mean sea level", "hPa", 0.01),
    Quantity("surface_pressure", "PS", 1.0, "surface pressure", "hPa", 0.01),
    Quantity("temperature_2m", "T2M", 1.0, "temperature at 2 m", "°C", 1.0, -273.15),
    Quantity("specific_humidity_2m", "QV2M", 1.0, "specific humidity at 2 m", "g/kg", 1e3),
    Quantity("skin_temperature", "TS", 1.0, "skin temperature", "°C", 1.0, -273.15),
    Quantity("column_vapour", "TQV", 1.0, "water vapour of the column", "kg m$^{-2}$"),
    Quantity("column_cloud", "TQL+TQI", 1.0, "cloud water and ice of the column", "kg m$^{-2}$"),
)
MEAN = (
    Quantity("sensible_heat", "HFLUX", 1.0, "sensible heat flux", "W m$^{-2}$"),
    Quantity("latent_heat", "EFLUX", 1.0, "latent heat flux", "W m$^{-2}$"),
    Quantity("shortwave_down", "SWGDN", 1.0, "solar radiation at the ground", "W m$^{-2}$"),
    Quantity("longwave_down", "LWGAB/EMIS", 1.0, "thermal radiation down at the ground", "W m$^{-2}$"),
    Quantity("outgoing_longwave", "LWTUP", 1.0, "thermal radiation to space", "W m$^{-2}$"),
    Quantity("precipitation", "PRECTOT", 3600.0, "precipitation in the hour", "mm"),
)


def domain_of(data: Path, spacing: float) -> Domain:
    """All that the data cover, on a Mercator projection, whose edges are those of the data; the top lies under their
    highest level, 20.5 km."""
    south, north, west, east = 30.0, 45.0, -100.0, -70.0
    parallel = 37.8
    scale = 6371.0e3 * np.cos(np.deg2rad(parallel))
    southern, northern = (np.arctanh(np.sin(np.deg2rad(edge))) for edge in (south, north))
    middle = np.rad2deg(np.arcsin(np.tanh(0.5 * (southern + northern))))
    height, width = scale * (northern - southern), scale * np.deg2rad(east - west)
    settings = DomainSettings(
        projection="mercator",
        spacing=spacing,
        shape=(int(height / spacing), int(width / spacing)),
        reference_latitude=round(float(middle), 3),
        reference_longitude=0.5 * (west + east),
        standard_parallels=(parallel,),
        central_longitude=0.5 * (west + east),
        levels=Levels(number=38, top=20_000.0),
        rim_width=max(3, round(RIM / spacing)),
    )
    return grid(settings, data, "eastern-us")


def files(data: Path) -> list[Path]:
    """The driving data."""
    return [data / FOLDER / name for name in DRIVING]


def _read(data: Path, kind: str) -> xr.Dataset:
    return xr.load_dataset(data / FOLDER / f"MERRA2_400.{kind}.20200330.nc4", engine="h5netcdf")


def _values(found: xr.Dataset, variable: str) -> np.ndarray:
    if "+" in variable:
        return sum((found[name].values.astype(float) for name in variable.split("+")), np.zeros(()))
    if "/" in variable:
        above, below = variable.split("/")
        return np.asarray(found[above].values.astype(float) / found[below].values)
    return found[variable].values.astype(float)


@dataclass(frozen=True)
class Truth:
    """MERRA-2 on its own grid (ny, nx).

    Attributes:
        latitude, longitude: (ny,), (nx,) degrees.
        instant: fields at the hours 0 to 21, by our names.
        mean: means over the hours that end at 1 to 21.
        land, sea: bool, points that are nearly all land or all sea.
        clear: (21, ny, nx) bool, hours in which less than `CLEAR` of the sky is cloudy.
        incoming: solar radiation at the top of the atmosphere, mean of the hour, W m-2.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    instant: dict[str, np.ndarray]
    mean: dict[str, np.ndarray]
    land: np.ndarray
    sea: np.ndarray
    clear: np.ndarray
    incoming: np.ndarray

    @classmethod
    def read(cls, data: Path) -> Truth:
        """Read the fields; their times are checked.

        Raises:
            ValueError: a file has other times than expected.
        """
        found = {kind: _read(data, kind) for kind in ("inst1_2d_asm_Nx", "tavg1_2d_flx_Nx", "tavg1_2d_rad_Nx")}
        for kind, dataset in found.items():
            first = START + np.timedelta64(0 if kind.startswith("inst") else 1800, "s")
            wanted = first + np.arange(24) * np.timedelta64(3600, "s")
            if not np.array_equal(dataset["time"].values.astype("datetime64[s]"), wanted):
                raise ValueError(f"{kind}: expected 24 hourly times from {first}, not {dataset['time'].values}")
        fixed = xr.load_dataset(
            data / FOLDER / "MERRA2.const_2d_asm_Nx.00000000.nc4", engine="h5netcdf", decode_times=False
        )
        at_hour = found["inst1_2d_asm_Nx"]
        over_hour = xr.merge([found["tavg1_2d_flx_Nx"], found["tavg1_2d_rad_Nx"]], compat="override")
        return cls(
            at_hour["lat"].values,
            at_hour["lon"].values,
            {q.name: q.factor * _values(at_hour, q.variable)[: HOURS + 1] for q in INSTANT},
            {q.name: q.factor * _values(over_hour, q.variable)[:HOURS] for q in MEAN},
            fixed["FRLAND"].values[0] > PURE,
            fixed["FROCEAN"].values[0] > PURE,
            over_hour["CLDTOT"].values[:HOURS] < CLEAR,
            over_hour["SWTDN"].values[:HOURS].astype(float),
        )

    def boxes(self, domain: Domain) -> Boxes:
        """The boxes of this grid."""
        return Boxes.of(domain, *np.meshgrid(self.latitude, self.longitude, indexing="ij"))


def scored(boxes: Boxes) -> np.ndarray:
    """Points (ny, nx) that are scored: those four or more from the edge of the data whose boxes do not touch the rim
    of the domain, which only those of a coarse grid do."""
    chosen = np.zeros(boxes.inside.shape, bool)
    chosen[AWAY:-AWAY, AWAY:-AWAY] = True
    return chosen & boxes.inside


def rms(error: np.ndarray) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(error**2)))


def compare(forecast: Hourly, truth: Truth) -> dict[str, Any]:
    """Errors of the forecast and of persistence, and means of forecast and MERRA-2, at every hour over the scored
    points, each of which counts the same; means over land and sea too, and of radiation under a clear sky.

    Persistence is the field of 00 UTC; fluxes and precipitation have none.
    """
    boxes = truth.boxes(forecast.domain)
    chosen = scored(boxes)
    places = {"all": chosen, "land": chosen & truth.land, "sea": chosen & truth.sea}
    result: dict[str, Any] = {"points": {name: int(place.sum()) for name, place in places.items()}}
    for part, quantities in (("instant", INSTANT), ("mean", MEAN)):
        result[part] = {}
        for q in quantities:
            ours, theirs = boxes(getattr(forecast, part)[q.name]), getattr(truth, part)[q.name]
            one: dict[str, Any] = {
                "rms": [rms(a - b) for a, b in zip(ours[:, chosen], theirs[:, chosen], strict=True)],
                "bias": (ours - theirs)[:, chosen].mean(axis=1).tolist(),
            }
            if part == "instant":
                one["persistence"] = [rms(theirs[0, chosen] - b) for b in theirs[:, chosen]]
            for name, place in places.items():
                one[name] = {
                    "ours": ours[:, place].mean(axis=1).tolist(),
                    "theirs": theirs[:, place].mean(axis=1).tolist(),
                }
            result[part][q.name] = one
    result["sun"] = _sun(truth)
    result["clear_sky"] = _clear_sky(forecast, truth, boxes, chosen)
    result["profile"] = {name: a.tolist() for name, a in forecast.profile.items()}
    return result


def _sun(truth: Truth) -> dict[str, Any]:
    """Solar radiation at the top of the atmosphere against that of MERRA-2, W m-2, in hours of full daylight.

    Returns:
        rms: of our sun; best_seconds: change of its clock with which it is most like that of MERRA-2, to 30 s;
        rms_at_best.
    """
    lat, lon = np.meshgrid(np.deg2rad(truth.latitude), np.deg2rad(truth.longitude), indexing="ij")
    place = jnp.asarray(lat), jnp.asarray(lon)
    clock, hours, parts = sun_clock(START), (12, 14, 16, 18, 20), np.arange(150, 3600, 300)

    def error(late: int) -> float:
        made = []
        for hour in hours:
            suns = [cosine_of_zenith(clock, jnp.asarray(3600 * hour + part + late), *place) for part in parts]
            mean = np.mean([np.maximum(cosine, 0.0) * distance for cosine, distance in suns], axis=0)
            made.append(SOLAR_CONSTANT * mean - truth.incoming[hour])
        return rms(np.stack(made))

    errors = {late: error(late) for late in range(0, 421, 30)}
    best = min(errors, key=lambda late: errors[late])
    return {"rms": errors[0], "best_seconds": best, "rms_at_best": errors[best]}


def _clear_sky(forecast: Hourly, truth: Truth, boxes: Boxes, chosen: np.ndarray) -> dict[str, Any]:
    """Means of radiation over the points and hours where neither has a cloud."""
    cloud = boxes(forecast.instant["column_cloud"])
    clear = truth.clear & (np.maximum(cloud[:-1], cloud[1:]) < CLOUDLESS) & chosen
    result: dict[str, Any] = {}
    for name, when in (
        ("shortwave_down", truth.incoming > 200.0),
        ("longwave_down", np.ones_like(clear)),
        ("outgoing_longwave", np.ones_like(clear)),
    ):
        where = clear & when
        ours, theirs = boxes(forecast.mean[name])[where], truth.mean[name][where]
        result[name] = {
            "values": int(where.sum()),
            "ours": float(ours.mean()),
            "theirs": float(theirs.mean()),
            "rms": rms(ours - theirs),
        }
    return result


def read(data: Path) -> Truth:
    """What the forecast is judged by."""
    return Truth.read(data)
