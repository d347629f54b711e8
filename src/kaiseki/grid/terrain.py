"""Terrain and land fraction of a domain from files, and the terrain in the rim."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.core.places import place_words
from kaiseki.grid.averaging import average, bounds
from kaiseki.grid.domain import Domain
from kaiseki.grid.raster import LAND_HEIGHTS, Raster, water
from kaiseki.grid.smoothing import smooth
from kaiseki.grid.sources import open_raster
from kaiseki.grid.sources.opening import RasterQuantity

_COVERED = 0.5
"""Least part of a cell's area that needs data; a full cell comes out at 1 within a few percent."""


def _layers(domain: Domain, paths: Sequence[Path], quantity: RasterQuantity) -> list[Raster]:
    box = bounds(domain)
    parts = (open_raster(path, quantity).cut(*box) for path in paths)
    return [part for part in parts if part is not None]


def _complete(domain: Domain, mean: np.ndarray, coverage: np.ndarray, what: str, paths: Sequence[Path]) -> None:
    holes = coverage < _COVERED
    if holes.any():
        j, i = np.argwhere(holes)[0]
        place = place_words(domain.lat[j, i], domain.lon[j, i])
        raise InputError(
            f"The {what} files {', '.join(str(p) for p in paths)} leave {holes.sum()} of the {mean.size} cells of "
            f"{domain.name} without data, the first at {place}; add a file that covers them."
        )


def from_files(
    domain: Domain,
    terrain_files: Sequence[Path],
    mask_files: Sequence[Path],
    voids: Literal["refuse", "mask"] = "refuse",
) -> tuple[np.ndarray, np.ndarray]:
    """Terrain height (ny, nx) m and land fraction (ny, nx) 0..1, as averages over the cells' areas, not smoothed.

    At every place the first file in order that has data there counts, so finer files come first. Where the mask says
    that all is sea the height is 0, whatever the terrain files say: depths and the ripples of spectral orographies do
    not count. Lakes are land.

    Args:
        domain: the target.
        terrain_files, mask_files: finer ones first.
        voids: what becomes of heights outside `LAND_HEIGHTS` where they count, as voids without a no-data value have:
            "refuse", or "mask" takes them as no data.

    Raises:
        InputError: a file cannot be read, has a height that no land has, or cells of the domain stay without data.
    """
    masks = _layers(domain, mask_files, "land")
    land, coverage = average(domain, masks)
    _complete(domain, land, coverage, "mask", mask_files)
    sea = [water(mask, masks[:n]) for n, mask in enumerate(masks)]
    heights = _layers(domain, terrain_files, "height")
    if voids == "mask":
        heights = [layer.without(*LAND_HEIGHTS) for layer in heights]
    terrain, coverage = average(domain, [*sea, *heights], within=LAND_HEIGHTS)
    _complete(domain, terrain, coverage, "terrain", terrain_files)
    return terrain, land.clip(0.0, 1.0)


def rim_weight(domain: Domain) -> np.ndarray:
    """Weight of the domain's own terrain (ny, nx): 0 in the outermost cells, 1 from the rim's inner edge on."""
    j, i = np.arange(domain.ny), np.arange(domain.nx)
    distance = np.minimum(np.minimum(j, domain.ny - 1 - j)[:, None], np.minimum(i, domain.nx - 1 - i)[None, :])
    return np.asarray(np.sin(0.5 * np.pi * np.minimum(distance / domain.rim_width, 1.0)) ** 2)


def blend_rim(domain: Domain, driving_terrain: np.ndarray) -> Domain:
    """The domain with a terrain that goes over to that of the driving fields in its rim; land stays as it is.

    Args:
        domain: with its own terrain.
        driving_terrain: heights of the driving fields on the domain's cells (ny, nx), m.

    Raises:
        InputError: the driving terrain has another shape or is not finite.
    """
    driving_terrain = np.asarray(driving_terrain, dtype=float)
    if driving_terrain.shape != domain.terrain.shape or not np.isfinite(driving_terrain).all():
        raise InputError(
            f"The driving terrain must be finite and of the shape {domain.terrain.shape} of the domain {domain.name}, "
            f"not {driving_terrain.shape}."
        )
    own = rim_weight(domain)
    return domain.with_terrain(own * domain.terrain + (1.0 - own) * driving_terrain, domain.land_fraction)


__all__ = ["blend_rim", "from_files", "rim_weight", "smooth"]
