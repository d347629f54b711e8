"""Six regions of the Earth: a new experiment, its check and a forecast, from global analyses that are held constant.

    python -m validation.regions --data ../shared/data --out out/regions

For Japan, central Europe, Kansas, south-east Australia, Fiji (across 180 degrees) and Svalbard, 2400 km wide at 60 km:
`kaiseki new --steady --forecast-only`, `kaiseki config check`, and `kaiseki forecast --hours 6` from the GFS analysis
of 2017-03-22 00Z (2.5 degrees, with soil and snow), the ERA5 sample of 1959-01-02 00Z (5.6 degrees, 37 levels) and, in
central Europe, the ECMWF analysis of 2018-11-15 12Z (137 levels, 1.5 degrees; sea temperature of a climatology).

What is measured: greatest wind speed over all levels and hours; vertical wind; mean |dps/dt| inside the rim, hour by
hour; precipitation; temperature at 2 m; values outside the physical range of the table of variables, by more than its
packing bound, and the least values of what round-off made negative. Map factor, rotation and cell area are compared
with PROJ, on the coordinate system that the CF attributes of the store describe.

A forecast whose boundary stands still for six hours is no weather forecast: this shows that the system runs anywhere,
not how good it is. Writes `validation/regions.json` and `validation/figures/regions.png`; regions that are in the
folder already are not run again.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

import kaiseki
from kaiseki.archive import open_domain
from kaiseki.core.variables import VARIABLES
from kaiseki.grid import Domain
from kaiseki.report.basemap import Basemap
from kaiseki.report.forecast_map import shade_forecast
from kaiseki.report.maps import RAIN_LEVELS
from kaiseki.report.style import map_style

HERE = Path(__file__).resolve().parent
RESULTS, PICTURE = HERE / "regions.json", HERE / "figures" / "regions.png"
HOURS, SPACING, SIZE = 6, 60, 2400

REGIONS = {
    "japan": "36,137",
    "central-europe": "50,10",
    "kansas": "38.5,-98",
    "south-east-australia": "-37,147",
    "fiji": "-18,179",
    "svalbard": "78.5,16",
}
"""Name of the region: its middle, degrees."""

COAST = "static/ne_50m_coastline.geojson"
SOURCES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "gfs": ("driving/gfs/gfs_20170322_00Z_analysis_2p5deg.grib2", "2017-03-22T00:00Z", tuple(REGIONS)),
    # Its grid ends at 85.8N, short of the domain of Svalbard.
    "era5": ("driving/era5/era5_tl31_1959010200.nc", "1959-01-02T00:00Z", tuple(REGIONS)[:-1]),
    "ecmwf": (
        "driving/ecmwf_137ml_20181115/ecmwf_20181115_12Z_137ml_1p5deg.grib",
        "2018-11-15T12:00Z",
        ("central-europe",),
    ),
}
"""Name of the analysis: its file, its time, regions that it covers."""

SEA = 'sea_temperature_files = ["static/sst_climatology_T31_monthly.nc"]\nsea_temperature_climatology = true\n'
"""Lines of the section `driving` where the analysis has no sea temperature."""


def kaiseki_command(*arguments: str) -> dict[str, Any]:
    """The result of a command in a process of its own; its messages go where ours go."""
    command = [sys.executable, "-m", "kaiseki", *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"kaiseki {' '.join(arguments)}: exit code {done.returncode}: {done.stdout}")
    return dict(json.loads(done.stdout))


def make(name: str, source: str, data: Path, out: Path) -> Path:
    """The store of the forecast of a region, made by the three commands where it is not there."""
    file, store = out / f"{name}-{source}.toml", out / f"{name}-{source}.store"
    pattern, start, _ = SOURCES[source]
    if not file.exists():
        ground = ("--terrain", "static/era5_geopotential_0p25.nc", "--mask", "static/era5_lsm_0p25.nc")
        place = (f"--center={REGIONS[name]}", "--size", str(SIZE), "--spacing", str(SPACING))
        period = ("--start", start, "--hours", str(HOURS), "--driving", pattern, "--steady", "--forecast-only")
        kaiseki_command("new", str(file), *place, *period, *ground, "--coast", COAST, "--data", str(data), "--force")
        if source == "ecmwf":
            file.write_text(file.read_text().replace("[driving]\n", f"[driving]\n{SEA}"))
    checked = kaiseki_command("config", "check", str(file), "--data", str(data))
    assert checked["valid"]
    assert checked["ready"]
    options = ("--from", "driving", "--at", start, "--hours", str(HOURS), "--data", str(data), "--out", str(store))
    kaiseki_command("forecast", str(file), *options)
    return store


def against_proj(domain: Domain, mapping: dict[str, Any]) -> dict[str, float]:
    """Largest differences from PROJ at the cells, relative but for the angle (radian), the places (degrees).

    Args:
        domain: the grid.
        mapping: CF attributes of the grid mapping in the store.
    """
    other = pyproj.Proj(pyproj.CRS.from_cf(mapping))
    lon, lat = other(*np.meshgrid(domain.x, domain.y), inverse=True)
    factors = other.get_factors(domain.lon, domain.lat)

    def angle(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.abs((a - b + np.pi) % (2.0 * np.pi) - np.pi).max())

    def relative(a: np.ndarray, b: Any) -> float:
        return float(np.abs(a / np.asarray(b) - 1.0).max())

    return {
        "latitude": float(np.abs(domain.lat - lat).max()),
        "longitude": float(np.rad2deg(angle(np.deg2rad(domain.lon), np.deg2rad(np.asarray(lon))))),
        "map_factor": max(
            relative(domain.map_factor, factors.meridional_scale), relative(domain.map_factor, factors.parallel_scale)
        ),
        "rotation": angle(domain.rotation, np.deg2rad(factors.meridian_convergence)),
        "cell_area": relative(domain.cell_area, domain.spacing**2 / np.asarray(factors.areal_scale)),
    }


def measured(store: Path) -> dict[str, Any]:
    """Numbers of one forecast."""
    opened = kaiseki.open(store).isel(forecast_reference_time=0).load()
    domain = open_domain(store)
    inside = domain.inside_rim
    speed = np.hypot(opened["eastward_wind"], opened["northward_wind"])
    pressure = opened["surface_pressure"].values[:, inside].astype(float)
    hourly = np.abs(np.diff(pressure, axis=0)) / 100.0
    rain = opened["precipitation"].values.astype(float)
    total = np.nansum(rain, axis=0)[inside]
    near = opened["temperature_2m"].values[:, inside]
    return {
        "projection": domain.projection.name,
        "shape": list(domain.shape),
        "longitudes": [float(domain.box(domain.lat, domain.lon)[k]) for k in (2, 3)],
        "time_step": json.loads(opened.attrs["experiment"])["dynamics"]["time_step"],
        "steady": "driving_fields" in opened.attrs,
        "wind_max": {"start": float(speed[0].max()), "end": float(speed[-1].max()), "all": float(speed.max())},
        "vertical_wind_max": float(np.abs(opened["w"]).max()),
        "pressure_tendency": {
            "mean": [round(float(value), 4) for value in hourly.mean(axis=1)],
            "max": [round(float(value), 4) for value in hourly.max(axis=1)],
        },
        "precipitation": {"mean": float(total.mean()), "max": float(total.max()), "least": float(np.nanmin(rain))},
        "temperature_2m": [float(near.min()), float(near.max())],
        "outside_range": outside_range(opened),
        "negative_by_round_off": negative(opened),
        "against_proj": against_proj(domain, dict(opened["crs"].attrs)),
    }


def outside_range(opened: xr.Dataset) -> dict[str, int]:
    """Number of values outside the range of the table of variables by more than its packing bound, or missing where
    they should not be, by name."""
    found = {}
    for name, array in opened.items():
        if name == "time_bnds":
            continue
        row, values = VARIABLES[str(name)], array.values[1:] if name == "precipitation" else array.values
        wrong = int((~((values >= row.low - row.bound) & (values <= row.high + row.bound))).sum())
        if wrong:
            found[str(name)] = wrong
    return found


def negative(opened: xr.Dataset) -> dict[str, float]:
    """Least values of fields that are never negative where they are, by name."""
    least = {str(name): float(np.nanmin(a.values)) for name, a in opened.items() if name != "time_bnds"}
    return {name: value for name, value in least.items() if value < 0.0 and VARIABLES[name].low == 0.0}


def draw(stores: dict[tuple[str, str], Path], coast: Path) -> None:
    """The ends of the forecasts from the GFS and from ERA5, a map for each."""
    columns = ("gfs", "era5")
    titles = {"gfs": "GFS 2017-03-22", "era5": "ERA5 1959-01-02"}
    width, gap, head = 3.6, 0.35, 0.55
    height = width + 0.42
    size = (len(REGIONS) * (width + gap) + gap, len(columns) * height + head + 0.75)
    with map_style():
        figure = Figure(figsize=size)
        words = f"Forecasts of {HOURS} h with steady driving fields: precipitation, sea-level pressure, wind at 10 m"
        figure.text(gap / size[0], 1.0 - 0.2 / size[1], words, fontsize=12, fontweight="bold", va="center")
        drawn = None
        for row, source in enumerate(columns):
            for column, name in enumerate(REGIONS):
                if (name, source) not in stores:
                    continue
                store = stores[name, source]
                left, bottom = gap + column * (width + gap), size[1] - head - (row + 1) * height
                axes = figure.add_axes((left / size[0], bottom / size[1], width / size[0], width / size[1]))
                base = Basemap(open_domain(store), [coast])
                forecast = kaiseki.open(store).isel(forecast_reference_time=0)
                drawn = shade_forecast(figure, axes, base, forecast, bar=False)
                axes.set_title(f"{name.replace('-', ' ')}, {titles[source]} +{HOURS} h", fontsize=9, pad=3)
        if drawn is not None:
            slot = figure.add_axes((gap / size[0], 0.42 / size[1], 0.4, 0.1 / size[1]))
            bar = figure.colorbar(drawn, cax=slot, orientation="horizontal", extend="max", ticks=RAIN_LEVELS)
            bar.ax.set_xticklabels([f"{level:g}" for level in RAIN_LEVELS])
            bar.set_label("precipitation since the start (mm); isobars every 4 hPa", fontsize=8)
        FigureCanvasAgg(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=75)
    # Maps have few colours: a palette takes a third of the bytes.
    Image.open(buffer).convert("RGB").quantize(128).save(PICTURE, optimize=True)


def line(name: str, source: str, row: dict[str, Any]) -> str:
    """A row of the table for people."""
    mean = row["pressure_tendency"]["mean"]
    worst = max(row["against_proj"][key] for key in ("map_factor", "rotation", "cell_area"))
    low, high = row["temperature_2m"]
    return (
        f"{name:21s} {source:6s} {row['projection']:20s} wind {row['wind_max']['start']:5.1f} -> "
        f"{row['wind_max']['end']:5.1f} m/s, |w| {row['vertical_wind_max']:5.2f} m/s, |dps/dt| {mean[0]:5.2f} -> "
        f"{mean[-1]:5.2f} hPa/h, rain {row['precipitation']['mean']:5.2f} mean {row['precipitation']['max']:6.1f} max "
        f"mm, T2m {low:5.1f} to {high:5.1f} K, outside range {sum(row['outside_range'].values())}, PROJ {worst:.0e}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real data")
    parser.add_argument("--out", type=Path, required=True, help="folder of the forecasts")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    stores, rows = {}, []
    for source, (_, _, names) in SOURCES.items():
        for name in names:
            store = stores[name, source] = make(name, source, given.data, given.out)
            row = measured(store)
            rows.append({"region": name, "source": source, **row})
            print(line(name, source, row), flush=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    draw(stores, given.data / COAST)


if __name__ == "__main__":
    main()
