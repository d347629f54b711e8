"""A map of a domain alone: its coast, terrain, rim and what projection it is on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm, ListedColormap

from kaiseki.core.files import whole_file
from kaiseki.grid import Domain
from kaiseki.report.basemap import Basemap
from kaiseki.report.maps import colour_bar, frame
from kaiseki.report.style import map_style

_HEIGHTS = (0.0, 100.0, 200.0, 400.0, 700.0, 1000.0, 1500.0, 2000.0, 3000.0, 4000.0)
_SHADES = ("#e3ecd9", "#d7e2c4", "#dfe0b8", "#e3d6a4", "#dcc28c", "#cfa977", "#bd8f66", "#a87759", "#8f614e")


def draw_domain(domain: Domain, path: Path, title: str, coast_files: Sequence[Path] = ()) -> Path:
    """Write a map of a domain as PNG, whole or not at all, and return its path.

    Terrain is shaded and the inner edge of the rim drawn as a broken line. Without coastlines the edge of the grid's
    own land is drawn, and on a flat grid without land the meridians and parallels alone.

    Args:
        domain: with or without terrain.
        path: of the picture.
        title: words at its head.
        coast_files: coastlines (GeoJSON).

    Raises:
        InputError: a file of coastlines cannot be read.
        StoreError, ResourceError: the picture cannot be written.
    """
    base = Basemap(domain, coast_files)
    shaded = bool((domain.terrain > 0.0).any())
    subtitle = (
        f"{domain.nx} x {domain.ny} cells of {domain.spacing / 1e3:g} km, {domain.projection.name.replace('_', ' ')}; "
        "broken line: inner edge of the rim"
    )
    with map_style():
        figure, axes = frame(base, title, subtitle, bar=shaded)
        base.draw(axes, tint=not shaded)
        base.rim(axes)
        if shaded:
            land = np.ma.masked_where(domain.land_fraction < 0.5, domain.terrain)
            shades = ListedColormap(_SHADES).with_extremes(over="#7a4f45", under=_SHADES[0])
            norm = BoundaryNorm(_HEIGHTS, len(_SHADES))
            drawn = axes.pcolormesh(base.x, base.y, land, cmap=shades, norm=norm, shading="nearest", zorder=1)
            colour_bar(
                figure, axes, drawn, "height of the terrain on the grid (m)", extend="max", ticks=_HEIGHTS, format="%g"
            )
        FigureCanvasAgg(figure)
        with whole_file(path) as scratch:
            figure.savefig(scratch, format="png", dpi=150, metadata={"Software": None})
    return path
