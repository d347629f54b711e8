"""Horizontal interpolation from a rectangular grid to scattered points, as sparse weights that are built once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy import sparse

from kaiseki.core.errors import InputError
from kaiseki.driving.sources.grids import projection_of


def _linear(nodes: np.ndarray, first: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices and weights (2, n) for targets in [nodes[first], nodes[first + 1]]."""
    t = (target - nodes[first]) / (nodes[first + 1] - nodes[first])
    return np.stack([first, first + 1]), np.stack([1.0 - t, t])


def _slope(nodes: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices and weights (3, n) of the derivative at `centre` of the parabola through three neighbouring nodes."""
    middle = np.clip(centre, 1, nodes.size - 2)
    index = np.stack([middle - 1, middle, middle + 1])
    x, at = nodes[index], nodes[centre]
    weight = np.empty_like(x)
    for j in range(3):
        a, b = (i for i in range(3) if i != j)
        weight[j] = (2.0 * at - x[a] - x[b]) / ((x[j] - x[a]) * (x[j] - x[b]))
    return index, weight


def _cubic(nodes: np.ndarray, first: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices and weights (8, n), some indices repeated: cubic Hermite with parabolic slopes."""
    step = nodes[first + 1] - nodes[first]
    t = (target - nodes[first]) / step
    left_index, left = _slope(nodes, first)
    right_index, right = _slope(nodes, first + 1)
    value = np.stack([(1 + 2 * t) * (1 - t) ** 2, t * t * (3 - 2 * t)])
    left = left * (step * t * (1 - t) ** 2)
    right = right * (step * t * t * (t - 1))
    return np.concatenate([np.stack([first, first + 1]), left_index, right_index]), np.concatenate([value, left, right])


def _axis_matrix(
    nodes: np.ndarray, target: np.ndarray, method: str, period: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Indices into `nodes` and weights, (k, n) each, along one ascending axis."""
    n = nodes.size
    if period is not None:
        nodes = np.concatenate([nodes[-2:] - period, nodes, nodes[:2] + period])
        target = np.mod(target - nodes[2], period) + nodes[2]
    first = np.clip(np.searchsorted(nodes, target, side="right") - 1, 0, nodes.size - 2)
    index, weight = (_cubic if method == "cubic" else _linear)(nodes, first, target)
    return (np.mod(index - 2, n) if period is not None else index), weight


@dataclass(frozen=True)
class Interpolation:
    """Weights from a grid (ny, nx) to points of any shape; `matrix` is (points, ny nx), `shape` that of the points."""

    matrix: sparse.csr_array
    shape: tuple[int, ...]

    def __call__(self, field: np.ndarray) -> np.ndarray:
        """Interpolate (..., ny, nx) to (..., *shape)."""
        lead = field.shape[:-2]
        flat = np.asarray(field, dtype=np.float64).reshape(-1, self.matrix.shape[1])
        return np.asarray((self.matrix @ flat.T).T).reshape(*lead, *self.shape)


def interpolation(
    y: np.ndarray,
    x: np.ndarray,
    target_y: np.ndarray,
    target_x: np.ndarray,
    method: str = "cubic",
    period: float | None = None,
    reach: float = 1e-6,
) -> Interpolation:
    """Tensor-product weights on an ascending, possibly uneven grid.

    Args:
        y, x: axes of the grid, (ny,) and (nx,).
        target_y, target_x: the points, any equal shape.
        method: "linear", or "cubic": cubic Hermite whose slopes are those of parabolas through three nodes (cubic
            Bessel interpolation, de Boor 1978, A Practical Guide to Splines, chapter IV); C1, exact for quadratics and
            at the nodes.
        period: the period of x if it is cyclic and the grid closes on itself, e.g. 360.
        reach: how far a point may lie beyond the grid, in units of its axes; such points are moved to the edge.

    Raises:
        InputError: points lie beyond the grid, or an axis is too short.
    """
    if method not in ("linear", "cubic"):
        raise InputError(f"Interpolation method {method!r} is not known; use linear or cubic.")
    if min(y.size, x.size) < 3:
        raise InputError(
            f"A grid of {y.size} x {x.size} points is too small to interpolate from; at least 3 x 3 are needed."
        )
    shape = np.shape(target_y)
    ty, tx = np.ravel(target_y).astype(float), np.ravel(target_x).astype(float)
    axes: list[tuple[str, np.ndarray, np.ndarray]] = [("y", y, ty)] + ([("x", x, tx)] if period is None else [])
    for label, nodes, target in axes:
        if target.min() < nodes[0] - reach or target.max() > nodes[-1] + reach:
            raise InputError(
                f"The target needs {label} from {target.min():.6g} to {target.max():.6g}, but the source covers only "
                f"{nodes[0]:.6g} to {nodes[-1]:.6g}; use a smaller domain or a wider source."
            )
    ty = np.clip(ty, y[0], y[-1])
    tx = tx if period is not None else np.clip(tx, x[0], x[-1])
    jy, wy = _axis_matrix(y, ty, method, None)
    ix, wx = _axis_matrix(x, tx, method, period)
    index = (jy[:, None] * x.size + ix[None]).reshape(-1, ty.size)
    weight = (wy[:, None] * wx[None]).reshape(-1, ty.size)
    row = np.broadcast_to(np.arange(ty.size), index.shape)
    matrix = sparse.coo_array((weight.ravel(), (row.ravel(), index.ravel())), shape=(ty.size, y.size * x.size)).tocsr()
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return Interpolation(matrix, shape)


def from_lat_lon(
    latitude: np.ndarray,
    longitude: np.ndarray,
    target_latitude: np.ndarray,
    target_longitude: np.ndarray,
    method: str = "cubic",
) -> Interpolation:
    """Weights from a latitude-longitude grid (ascending, degrees), which may go round the globe, to points.

    Raises:
        InputError: the points lie beyond the grid; the poleward gap of a Gaussian grid counts as beyond.
    """
    longitude, order = _from_widest_gap(longitude)
    step = float(np.diff(longitude).max()) if longitude.size > 1 else 360.0
    cyclic = longitude[-1] - longitude[0] + 1.5 * step > 360.0
    target = np.mod(target_longitude - longitude[0] + 1e-9, 360.0) + longitude[0] - 1e-9
    found = interpolation(latitude, longitude, target_latitude, target, method, 360.0 if cyclic else None)
    if order is None:
        return found
    columns = (np.arange(latitude.size)[:, None] * longitude.size + order).ravel()
    matrix = found.matrix.tocoo()
    moved = sparse.coo_array((matrix.data, (matrix.coords[0], columns[matrix.coords[1]])), shape=matrix.shape)
    return Interpolation(moved.tocsr(), found.shape)


def _from_widest_gap(longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Longitudes that rise from the eastern side of their widest gap, and the order that makes them so, None if they do
    already: a grid across Greenwich, written from 0 to 360, has its gap inside."""
    if longitude.size < 2:
        return longitude, None
    gaps = np.diff(longitude)
    widest = int(np.argmax(gaps))
    if gaps[widest] <= longitude[0] + 360.0 - longitude[-1] + 1e-6 or gaps[widest] < 1.5 * np.median(gaps):
        return longitude, None
    order = np.roll(np.arange(longitude.size), -(widest + 1))
    turned = longitude[order]
    return np.where(turned < turned[0], turned + 360.0, turned), order


def weights_onto(data: xr.Dataset, domain: Any, method: str = "cubic") -> Interpolation:
    """Weights from the grid of a Dataset, in latitude and longitude or in a projection, to the cells of a domain.

    Raises:
        InputError: the domain reaches beyond the data.
    """
    if (projection := projection_of(data.attrs)) is not None:
        x, y = projection.forward(domain.lat, domain.lon)
        return interpolation(data["y"].values, data["x"].values, y, x, method)
    return from_lat_lon(data["latitude"].values, data["longitude"].values, domain.lat, domain.lon, method)
