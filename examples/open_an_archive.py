"""Open the archive of a run, say what is in it, and draw the temperature and the wind at 850 hPa.

    python examples/open_an_archive.py out/twin-japan [picture.png]

The folder is that of a run (`kaiseki demo` or `kaiseki run` print where it is), or one of the stores in it. Nothing but
the client and matplotlib is needed: `pip install . matplotlib`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import kaiseki
from kaiseki.archive.products.pressure_levels import on_pressure_levels

LEVEL = 85_000.0  # Pa


def opened(folder: Path) -> xr.Dataset:
    """The analyses of a run."""
    store = folder / "analysis.store"
    # An ordinary xarray.Dataset with CF names and units. It is lazy: only what is used is read.
    return kaiseki.open(store if store.exists() else folder)


def describe(dataset: xr.Dataset) -> None:
    """Print what the archive holds."""
    times = dataset["time"].values.astype("datetime64[m]")
    print(f"{dataset.attrs['title']}: {len(times)} analyses from {times[0]} to {times[-1]} UTC")
    print(f"{dataset.sizes['level']} levels on {dataset.sizes['y']} x {dataset.sizes['x']} cells")
    for name, field in dataset.data_vars.items():
        print(f"  {name:32} {field.attrs.get('units', ''):12} {field.attrs.get('long_name', '')}")
    print(dataset.attrs["citation"])


def draw(dataset: xr.Dataset, picture: Path) -> None:
    """The last analysis at 850 hPa as a PNG."""
    last = dataset.isel(time=-1)
    # The archive holds the model's own levels, which follow the terrain; this interpolates to a surface of pressure.
    # Below the ground there is nothing: NaN.
    low = on_pressure_levels(last, [LEVEL], ["temperature", "eastward_wind", "northward_wind"]).isel(pressure=0)

    figure = Figure(figsize=(8.0, 5.8), layout="constrained")
    axes = figure.subplots()
    # The cells are square on the map projection of the model; latitude and longitude of each are arrays (y, x).
    lon, lat = low["lon"], low["lat"]
    filled = axes.contourf(lon, lat, low["temperature"] - 273.15, levels=20, cmap="RdYlBu_r")
    figure.colorbar(filled, label="temperature (°C)", shrink=0.8)
    if float(last["terrain"].max()) > 100.0:
        axes.contour(lon, lat, last["terrain"], levels=[100.0, 1000.0], colors="0.3", linewidths=0.8)

    # Winds of the archive blow to the east and to the north, so on a map of latitude and longitude they can be drawn as
    # they are. About sixteen barbs in a row can be told apart.
    every = max(1, low.sizes["x"] // 16)
    some = low.isel(y=slice(every // 2, None, every), x=slice(every // 2, None, every))
    axes.barbs(
        some["lon"],
        some["lat"],
        some["eastward_wind"],
        some["northward_wind"],
        length=4.8,
        linewidth=0.5,
        barb_increments={"half": 2.5, "full": 5.0, "flag": 25.0},  # m/s: about 5, 10 and 50 knots
        flip_barb=(some["lat"] < 0.0).values,
    )
    axes.set(xlabel="longitude (°E)", ylabel="latitude (°N)")
    # A degree of longitude is shorter than one of latitude.
    axes.set_aspect(1.0 / float(np.cos(np.deg2rad(lat.mean()))))
    axes.set_title(f"850 hPa, {str(last['time'].values.astype('datetime64[m]')).replace('T', ' ')} UTC", loc="left")
    figure.savefig(picture, dpi=120)
    print(f"wrote {picture}")


def main(folder: str, picture: str = "850hPa.png") -> None:
    """Open, describe and draw."""
    dataset = opened(Path(folder))
    describe(dataset)
    draw(dataset, Path(picture))


if __name__ == "__main__":
    main(*sys.argv[1:])
