"""Named domains."""

from __future__ import annotations

import numpy as np

from kaiseki.grid.domain import Domain
from kaiseki.grid.levels import decay, stretched_interfaces
from kaiseki.grid.projection import LambertConformal


def make(
    name: str,
    spacing: float,
    ny: int,
    nx: int,
    centre: tuple[float, float],
    rim_width: int,
    interfaces: np.ndarray,
    projection: LambertConformal | None = None,
    reference_index: tuple[float, float] | None = None,
) -> Domain:
    """A domain with flat terrain; `centre` (lat, lon) lies at `reference_index` (j, i, from 0) or in the middle."""
    projection = projection or LambertConformal()
    j, i = reference_index or ((ny - 1) / 2, (nx - 1) / 2)
    x0, y0 = projection.forward(np.asarray(centre[0]), np.asarray(centre[1]))
    x = float(x0) + (np.arange(nx) - i) * spacing
    y = float(y0) + (np.arange(ny) - j) * spacing
    flat = np.zeros((ny, nx))
    return Domain(name, projection, spacing, x, y, interfaces, decay(interfaces, interfaces[-1]), flat, flat, rim_width)


def preset(name: str) -> Domain:
    """japan-5km-96, japan-5km-76, japan-20km, japan-40km, japan-60km."""
    if name in ("japan-5km-96", "japan-5km-76"):
        top, nz = (37500.0, 96) if name.endswith("96") else (21800.0, 76)
        return make(name, 5000.0, 661, 817, (30.0, 140.0), 50, stretched_interfaces(nz, top, 20.0), reference_index=(661 - 445, 565 - 1))
    full = preset("japan-5km-76")
    km = int(name.split("-")[1].removesuffix("km"))
    nx, ny = round(817 * 5 / km), round(661 * 5 / km)
    centre = full.projection.inverse(np.asarray(full.x.mean()), np.asarray(full.y.mean()))
    rim = max(4, round(280 / km))
    return make(name, km * 1000.0, ny, nx, (float(centre[0]), float(centre[1])), rim, stretched_interfaces(40, 22000.0, 60.0))


def coarse_domain(west: float = 80.0, east: float = -170.0, south: float = 5.0, north: float = 65.0, spacing: float = 135e3, nz: int = 40) -> Domain:
    """A wider domain around the preset region, as much of the box as a rectangle on the same projection holds."""
    projection = LambertConformal()
    lon = np.linspace(west, east % 360.0, 61)
    x_s, y_s = projection.forward(np.full_like(lon, south + 5.0), lon)
    x_n, y_n = projection.forward(np.full_like(lon, north), lon)
    _, y_low = projection.forward(np.asarray(south), np.asarray(projection.central_longitude))
    half = 0.72 * np.abs(x_s).max()
    nx = int(2 * half / spacing)
    ny = int((y_n.max() - float(y_low)) / spacing)
    centre = projection.inverse(np.asarray(0.5 * (x_s.min() + x_s.max())), np.asarray(0.5 * (float(y_low) + y_n.max())))
    return make("coarse", spacing, ny, nx, (float(centre[0]), float(centre[1])), 5, stretched_interfaces(nz, 22000.0, 80.0), projection)
