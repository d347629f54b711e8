"""The picture of the first page: an analysis of a twin experiment, and what assimilation did to the error.

    kaiseki demo --out out/twin-1
    python -m validation.picture out/twin-1

Draws, at the last analysis of the run: temperature at 850 hPa, wind there and isobars at mean sea level of the
analysis; beside it the errors in temperature against the nature run, without assimilation and of the analysis.
Writes `docs/images/analysis.png` and prints the root mean square of both errors inside the rim.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from kaiseki.archive import on_pressure_levels
from kaiseki.archive.run import Run
from kaiseki.core.timing import format_utc
from kaiseki.report.basemap import Basemap
from kaiseki.report.weather import weather
from kaiseki.verification.truth import onto_cells

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "analysis.png"
LEVEL = 85_000.0
ERRORS = np.array([-4.0, -3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0, 4.0])
"""Edges of the colours of the errors, K."""


def at_850(dataset: xr.Dataset) -> np.ndarray:
    """Temperature at 850 hPa (y, x) of one time, NaN below ground."""
    return np.asarray(on_pressure_levels(dataset, [LEVEL], ["temperature"])["temperature"].values[0], float)


def error_map(axes: Axes, base: Basemap, error: np.ndarray, title: str) -> object:
    """A map of an error in temperature."""
    base.draw(axes, tint=False)
    base.rim(axes)
    colours = mpl.colormaps["RdBu_r"]
    norm = BoundaryNorm(ERRORS, colours.N, extend="both")
    axes.set_title(title, fontsize=9, loc="left")
    return axes.contourf(base.x, base.y, error, levels=ERRORS, cmap=colours, norm=norm, extend="both", zorder=1)


def draw(folder: Path, path: Path) -> tuple[float, float]:
    """Draw the picture of a run.

    Returns:
        Root mean square of the error of the model without assimilation and of the analysis, K.
    """
    run = Run(folder)
    domain, time = run.domain, run.cycles[-1]
    found = {name: run.fields(name, time) for name in ("analysis", "free_run", "truth")}
    for name, fields in found.items():
        if fields is None:
            raise SystemExit(f"{folder} has no {name} at {format_utc(time)}; give a finished run of `kaiseki demo`")
    analysis = found["analysis"]
    truth = onto_cells(run.stores["truth"].domain(), domain, at_850(found["truth"])[None])[0]
    before, after = at_850(found["free_run"]) - truth, at_850(analysis) - truth
    rms = [float(np.sqrt(np.nanmean(error[domain.inside_rim] ** 2))) for error in (before, after)]

    base, now = Basemap(domain), weather(analysis, domain)
    level = now.levels[LEVEL]
    figure = Figure(figsize=(10.4, 3.5), dpi=110)
    panels = [figure.add_axes((0.03 + 0.325 * number, 0.22, 0.29, 0.68)) for number in range(3)]
    base.draw(panels[0], tint=False)
    celsius = level.temperature - 273.15
    low, high = np.nanpercentile(celsius, [1.0, 99.0])
    edges = np.arange(4.0 * np.floor(low / 4.0), high + 4.0, 4.0)
    shaded = panels[0].contourf(
        base.x, base.y, celsius, levels=edges, cmap="RdYlBu_r", extend="both", zorder=1, alpha=0.8
    )
    isobars = panels[0].contour(
        base.x, base.y, now.sea_level_pressure / 100.0, levels=np.arange(940.0, 1060.0, 4.0), colors="#1f2730",
        linewidths=0.7, zorder=5,
    )  # fmt: skip
    panels[0].clabel(isobars, fmt="%g", fontsize=6.5, inline_spacing=2)
    step = max(1, domain.nx // 13)
    chosen = slice(step // 2, None, step)
    x, y = np.meshgrid(base.x[chosen], base.y[chosen])
    panels[0].barbs(
        x, y, level.u[chosen, chosen], level.v[chosen, chosen], length=3.8, linewidth=0.4, color="#2b333b",
        barb_increments={"half": 2.5, "full": 5.0, "flag": 25.0}, sizes={"emptybarb": 0.06}, zorder=5.5,
        flip_barb=domain.lat[chosen, chosen] < 0.0,
    )  # fmt: skip
    panels[0].set_title(f"analysis, {format_utc(time)}", fontsize=9, loc="left")
    error_map(panels[1], base, before, f"error without assimilation, rms {rms[0]:.2f} K")
    colours = error_map(panels[2], base, after, f"error of the analysis, rms {rms[1]:.2f} K")
    for drawn, place, words in (
        (shaded, (0.04, 0.12, 0.27, 0.025), "850 hPa: temperature (°C) and wind; isobars at sea level (hPa)"),
        (colours, (0.365, 0.12, 0.595, 0.025), "temperature at 850 hPa minus that of the nature run (K)"),
    ):
        bar = figure.colorbar(drawn, cax=figure.add_axes(place), orientation="horizontal")
        bar.set_label(words, fontsize=7.5, labelpad=2)
        bar.ax.tick_params(labelsize=7, length=2, pad=2)
    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, facecolor="white", metadata={"Software": None})
    return rms[0], rms[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a twin experiment")
    parser.add_argument("--to", type=Path, default=PICTURE)
    given = parser.parse_args()
    before, after = draw(given.run, given.to)
    print(f"{given.to}: without assimilation {before:.2f} K, analysis {after:.2f} K")


if __name__ == "__main__":
    main()
