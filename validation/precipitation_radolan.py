"""Analysed precipitation of one RADOLAN hour, cross-validated: python -m validation.precipitation_radolan [folder].

The hour ending 2021-08-23 09:50 UTC over Germany: 12 five-minute composites RY and 1,142 gauges. Each method predicts
the stations of one fold from those of the others: five folds of stations drawn at random, then five folds of 20-km
squares with all their stations. The parameters of the analysis are found on the training stations of each fold.
Intervals are 95 %, by resampling 20-km squares.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time as clock
from pathlib import Path

import numpy as np

from kaiseki.grid.projection import PolarStereographic
from kaiseki.grid.regular import MapGrid
from kaiseki.precipitation.analysis import AnalysisSettings, analyse, at_places
from kaiseki.precipitation.baselines import gauges_alone, log_ratio, mean_field_bias, raw_radar
from kaiseki.precipitation.data import Gauges, RadarRain
from kaiseki.precipitation.scores import (
    LEVELS,
    Method,
    Predicted,
    cluster_folds,
    clusters,
    cross_validated,
    intervals,
    ratio_interval,
    station_folds,
    table,
)

HERE = Path(__file__).parent
TIME = np.datetime64("2021-08-23T09:50:00", "s")
SEED = 20210823
"""Seed of the folds: the date, set before any score was seen."""
FOLDS = 5


def load(folder: Path) -> tuple[Gauges, RadarRain]:
    """Gauges and the radar's hour, on the grid of the composite."""
    import netCDF4

    with netCDF4.Dataset(folder / "radolan_ry_data_compressed.nc") as data:
        five_minutes = np.ma.filled(data["RY"][:].astype(float), np.nan)
        x, y = np.asarray(data["x"][:]) * 1e3, np.asarray(data["y"][:]) * 1e3
    with (folder / "radolan_rain_gauge_data.csv").open(encoding="latin-1") as lines:
        rows = list(csv.DictReader(lines))
    numbers = {name: np.array([float(row[name]) for row in rows]) for name in ("latitude", "longitude", "x", "y")}
    projection = PolarStereographic(parallel=60.0, central_longitude=10.0, radius=6_370_040.0)
    there = np.stack(projection.forward(numbers["latitude"], numbers["longitude"])) / 1e3
    if len(five_minutes) != 12 or np.abs(there - np.stack([numbers["x"], numbers["y"]])).max() > 0.01:
        raise SystemExit("The composites are not twelve, or the stations do not lie where the table of gauges says")
    gauges = Gauges(
        station=np.array([row["station_id"] for row in rows]),
        lat=numbers["latitude"],
        lon=numbers["longitude"],
        time=np.array([TIME]),
        amount=np.array([[float(row["rainfall_amount"]) for row in rows]]),
        resolution=np.full(len(rows), 0.01),
    )
    amount = five_minutes.sum(axis=0)[None]
    return gauges, RadarRain(grid=MapGrid(projection, x, y), time=np.array([TIME]), amount=amount.astype(np.float32))


def ours(settings: AnalysisSettings, with_radar: bool = True) -> Method:
    """The analysis as a method."""

    def method(gauges: Gauges, radar: RadarRain | None, lat: np.ndarray, lon: np.ndarray) -> Predicted:
        one = at_places(gauges, radar if with_radar else None, TIME, lat, lon, settings)
        return Predicted(one.mean, np.stack([one.quantile(level) for level in LEVELS]))

    return method


METHODS: dict[str, Method] = {
    "raw radar": raw_radar,
    "mean-field bias": mean_field_bias,
    "log-ratio IDW": log_ratio,
    "gauges alone, IDW": gauges_alone,
    "analysis without radar": ours(AnalysisSettings(), with_radar=False),
    "analysis, parameters not fitted": ours(AnalysisSettings(fit=False)),
    "analysis": ours(AnalysisSettings()),
}
"""Methods that are compared; a further one is one more entry."""


def scored(gauges: Gauges, radar: RadarRain, fold: np.ndarray, cluster: np.ndarray) -> dict[str, object]:
    """Scores of all methods over folds, with intervals and the ratios of errors to those of the analysis."""
    observed = gauges.amount[0]
    found: dict[str, Predicted] = {}
    seconds = {}
    for name, method in METHODS.items():
        start = clock.perf_counter()
        found[name] = cross_validated(method, gauges, radar, TIME, fold)
        seconds[name] = round(clock.perf_counter() - start, 1)
    within = intervals(observed, found, cluster, draws=500)
    return {
        name: {
            "scores": table(observed, one),
            "intervals": within[name],
            "rmse_of_analysis_over_this": ratio_interval(observed, found["analysis"], one, cluster),
            "seconds": seconds[name],
        }
        for name, one in found.items()
    }


def figure(gauges: Gauges, radar: RadarRain, path: Path) -> None:
    """Radar, analysis, uncertainty and gauges side by side."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import BoundaryNorm

    one = analyse(gauges, radar, TIME, radar.grid)
    levels = [0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0]
    colours = plt.get_cmap("viridis_r").with_extremes(bad="0.85", under="white")
    norm = BoundaryNorm(levels, colours.N, extend="max")
    x, y = radar.grid.x / 1e3, radar.grid.y / 1e3
    at_x, at_y = (part / 1e3 for part in radar.grid.projection.forward(gauges.lat, gauges.lon))
    panels = [
        ("Radar", radar.amount[0]),
        ("Gauges", None),
        ("Analysis, expected amount", one.mean),
        ("Width of the 80 % interval", one.quantiles[2] - one.quantiles[0]),
    ]
    plot, axes = plt.subplots(2, 2, figsize=(11.5, 10), sharex=True, sharey=True, layout="constrained")
    for axis, (title, field) in zip(axes.flat, panels, strict=True):
        axis.set(title=title, aspect="equal")
        if field is None:
            axis.set_facecolor("0.97")
            dry = gauges.amount[0] < levels[0]
            axis.scatter(at_x[dry], at_y[dry], s=3, c="0.7", linewidths=0, label="dry")
            drawn = axis.scatter(at_x[~dry], at_y[~dry], s=16, c=gauges.amount[0][~dry], cmap=colours, norm=norm)
            axis.legend(loc="lower left", frameon=False)
        else:
            drawn = axis.pcolormesh(x, y, field, cmap=colours, norm=norm, rasterized=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("y, km")
    for axis in axes[1]:
        axis.set_xlabel("x, km")
    plot.colorbar(drawn, ax=axes, shrink=0.6, label="mm in the hour ending 2021-08-23 09:50 UTC", ticks=levels)
    plot.savefig(path, dpi=110)


def main() -> None:
    """Score all methods, print the table, write it as JSON and draw the figure."""
    shared = Path(os.environ.get("KAISEKI_SHARED", HERE.parents[1] / "shared"))
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else shared / "data/radar_gauge/radolan"
    gauges, radar = load(folder)
    cluster = clusters(gauges.lat, gauges.lon)
    result = {
        "gauges": int(gauges.lat.size),
        "seed": SEED,
        "by stations": scored(gauges, radar, station_folds(gauges.lat.size, FOLDS, SEED), cluster),
        "by 20-km squares": scored(gauges, radar, cluster_folds(cluster, FOLDS, SEED), cluster),
    }
    (HERE / "precipitation_radolan.json").write_text(json.dumps(result, indent=1) + "\n")
    for how in ("by stations", "by 20-km squares"):
        print(how)
        for name, one in result[how].items():  # type: ignore[attr-defined]
            row = one["scores"]
            low, high = one["intervals"]["rmse"]
            ratio = one["rmse_of_analysis_over_this"]
            print(
                f"| {name} | {row['rmse']:.3f} [{low:.3f}, {high:.3f}] | {row['mae']:.3f} | {row['bias']:.2f} "
                f"| {row['correlation']:.3f} | {row['ets_1mm']:.3f} | {row['crps']:.3f} | {row['coverage_80']:.2f} "
                f"| {ratio[0]:.2f} [{ratio[1]:.2f}, {ratio[2]:.2f}] |"
            )
    figure(gauges, radar, HERE / "figures" / "precipitation_radolan.png")


if __name__ == "__main__":
    main()
