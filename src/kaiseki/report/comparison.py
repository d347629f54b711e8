"""Maps of the differences between two releases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kaiseki.archive.care.comparison import Comparison, Side
from kaiseki.archive.reader import open_archive
from kaiseki.core.files import make_folder, whole_file
from kaiseki.core.variables import variable
from kaiseki.report.style import MAP_INK, map_style


def write_maps(found: Comparison, side: Side, folder: Path) -> list[Path]:
    """Write the maps of the root mean square differences as PNG; returns the paths.

    Args:
        found: a comparison with maps.
        side: one of those that were compared, for the grid.
        folder: for the files <group>-<variable>.png; made when it is not there.

    Raises:
        ResourceError: the disk is full.
    """
    make_folder(folder)
    files = []
    for (group, name), field in found.maps.items():
        fields = open_archive(side.location, group, version=side.version, storage_options=side.storage_options)
        file = folder / f"{group}-{name}.png"
        with map_style(), whole_file(file) as scratch, scratch.open("wb") as stream:
            figure = _drawn(found, fields, (group, name), field)
            FigureCanvasAgg(figure)
            figure.savefig(stream, format="png", dpi=150, metadata={"Software": None})
        files.append(file)
    return files


def _drawn(found: Comparison, fields: xr.Dataset, key: tuple[str, str], field: np.ndarray) -> Figure:
    """The map of one variable on the plane of its grid."""
    group, name = key
    rows, columns = (str(dim) for dim in fields[name].dims[-2:])
    on_map = rows == "y"
    y, x = (np.asarray(fields[dim]) * (1e-3 if on_map else 1.0) for dim in (rows, columns))
    figure = Figure(figsize=(6.2, 5.4), layout="constrained")
    axes = figure.subplots()
    finite = field[np.isfinite(field)]
    top = float(finite.max()) if finite.size and finite.max() > 0.0 else 1.0
    drawn = axes.pcolormesh(x, y, field, cmap="viridis", vmin=0.0, vmax=top, shading="nearest")
    if "land_fraction" in fields.coords:
        land = np.asarray(fields["land_fraction"])
        if land.min() < 0.5 <= land.max():
            axes.contour(x, y, land, levels=[0.5], colors=[MAP_INK], linewidths=0.7)
    axes.set_aspect("equal" if on_map else "auto")
    axes.set_xlabel("x (km)" if on_map else "longitude (°E)")
    axes.set_ylabel("y (km)" if on_map else "latitude (°N)")
    levels = ", all levels" if fields[name].ndim == 4 else ""
    axes.set_title(f"{variable(name).long_name} ({group}){levels}\nA: {found.a}\nB: {found.b}", fontsize=7.5)
    figure.colorbar(drawn, ax=axes, label=f"root mean square difference ({variable(name).units})", shrink=0.8)
    return figure
