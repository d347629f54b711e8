"""Horizontal grids of files, and the part of one that a domain needs: orientation and longitudes are settled here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.errors import InputError
from kaiseki.grid.projection import LambertConformal

MARGIN = 1.0e6
"""Width of what is kept around a domain, m: gaps of the sea surface are closed from within it (`driving.sst.REACH`)."""
_AXIS = 1e-6
"""Part of the range of an axis by which equal coordinates may differ in single precision."""


@dataclass(frozen=True)
class Window:
    """Part of a grid, in the common order.

    Attributes:
        rows, columns: indices in the file, (ny,) and (nx,), such that both axes rise; columns may pass its seam.
        y, x: axes of the part: latitude and longitude in degrees, or metres on a projection. Longitude runs from 0 to
            360 for a whole grid; about a domain it rises without a jump and may leave that range.
    """

    rows: np.ndarray
    columns: np.ndarray
    y: np.ndarray
    x: np.ndarray


@runtime_checkable
class Grid(Protocol):
    """Rectangular grid in any projection."""

    @property
    def dims(self) -> tuple[str, str]:
        """Names of the two axes, slow one first."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Lengths of the two axes."""
        ...

    def window(self, domain: Any = None) -> Window:
        """The part that a domain needs with a margin, or all of it."""
        ...

    def difference(self, other: Grid) -> str | None:
        """Axis in which another grid has other places, by more than rounding; None if both have the same, in whatever
        order."""
        ...

    def matching(self, window: Window) -> Window:
        """Window of this grid with the places of a window of another grid, which may have them in another order."""
        ...

    def attributes(self) -> dict[str, Any]:
        """CF attributes of the projection, none for latitude and longitude."""
        ...

    def rotation(self, window: Window) -> np.ndarray | None:
        """Angle g (ny, nx) with u_east = u cos g + v sin g, v_north = -u sin g + v cos g; None where winds are so."""
        ...


def _apart(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether two axes have other places, in whatever order."""
    one, two = np.sort(one), np.sort(two)
    return one.size != two.size or bool(np.abs(one - two).max() > _AXIS * max(float(np.ptp(one)), 1.0))


def _nearest(axis: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Indices of an axis, in any order, nearest to places."""
    order = np.argsort(axis)
    held = axis[order]
    right = np.clip(np.searchsorted(held, wanted), 1, max(held.size - 1, 1))
    left = right - 1
    right = np.minimum(right, held.size - 1)
    return np.asarray(order[np.where(wanted - held[left] <= held[right] - wanted, left, right)])


def _monotone(where: str, name: str, axis: np.ndarray) -> None:
    steps = np.diff(axis)
    if not np.isfinite(axis).all() or (axis.size > 1 and not ((steps > 0.0).all() or (steps < 0.0).all())):
        raise InputError(
            f"{where}: the axis {name} neither rises nor falls throughout; give a file on a rectangular grid."
        )


@dataclass(frozen=True, eq=False)
class LatitudeLongitude:
    """Grid of latitude (ny,) and longitude (nx,) in degrees as they stand in the file, in either order each.

    Longitudes may be written in any convention and pass 0 or 180 degrees; a column that repeats the first, 360 degrees
    on, is left out.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    dims: tuple[str, str] = ("latitude", "longitude")

    @classmethod
    def checked(cls, where: str, latitude: np.ndarray, longitude: np.ndarray) -> LatitudeLongitude:
        """Grid of two axes.

        Raises:
            InputError: one is not monotone, leaves the globe or holds a place twice.
        """
        latitude, longitude = (np.atleast_1d(np.asarray(a, np.float64)) for a in (latitude, longitude))
        _monotone(where, "latitude", latitude)
        if np.abs(latitude).max() > 90.0 + 1e-6 or np.abs(longitude).max() > 720.0:
            raise InputError(f"{where}: latitudes or longitudes leave the globe; check the units of its axes.")
        turned = np.unwrap(longitude, period=360.0)
        _monotone(where, "longitude", turned)
        if float(np.ptp(turned)) > 360.0 + 1e-3:
            raise InputError(f"{where}: its longitudes go round the globe more than once; cut the file.")
        return cls(latitude, turned)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns in the file."""
        return self.latitude.size, self.longitude.size

    def _columns(self) -> np.ndarray:
        """Columns without the one that repeats the first."""
        closed = abs(float(np.ptp(self.longitude)) - 360.0) < 1e-3
        return np.arange(self.longitude.size - closed)

    def window(self, domain: Any = None) -> Window:
        """Part within `MARGIN` and two cells of a domain, or all of it; InputError as of `driving.weights` comes later
        where the domain reaches beyond."""
        columns = self._columns()
        if domain is None:
            rows, own = np.argsort(self.latitude), np.mod(self.longitude[columns], 360.0)
            order = np.argsort(own)
            return Window(rows, columns[order], self.latitude[rows], own[order])
        rows, order, own = near(self.latitude, self.longitude[columns], domain)
        return Window(rows, columns[order], self.latitude[rows], own)

    def difference(self, other: Grid) -> str | None:
        """Axis in which another grid differs, as of `Grid`."""
        if not isinstance(other, LatitudeLongitude):
            return "projection"
        if _apart(self.latitude, other.latitude):
            return "latitude"
        # About a place a little west of the first column, so that rounding does not move one by a turn.
        start = self.longitude[0] - 360.0 * _AXIS
        own, theirs = (np.mod(grid.longitude[grid._columns()] - start, 360.0) for grid in (self, other))
        return "longitude" if _apart(own, theirs) else None

    def matching(self, window: Window) -> Window:
        """The places of a window in this grid, as of `Grid`."""
        columns = self._columns()
        start = window.x[0] - 360.0 * _AXIS
        place = _nearest(np.mod(self.longitude[columns] - start, 360.0), np.mod(window.x - start, 360.0))
        return Window(_nearest(self.latitude, window.y), columns[place], window.y, window.x)

    def attributes(self) -> dict[str, Any]:
        """Nothing: there is no projection."""
        return {}

    def rotation(self, window: Window) -> np.ndarray | None:
        """None: winds are east and north."""
        return None


def near(
    latitude: np.ndarray, longitude: np.ndarray, domain: Any, cells: float = 2.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and columns of a latitude-longitude grid within `MARGIN` and some cells of a domain, from south to north and
    from west to east, and the columns' longitudes, rising without a jump."""
    step = float(np.abs(np.diff(latitude)).max()) if latitude.size > 1 else 0.0
    margin = float(np.rad2deg(MARGIN / EARTH_RADIUS))
    lowest, highest = float(domain.lat.min()) - margin, float(domain.lat.max()) + margin
    south, north = lowest - cells * step, highest + cells * step
    rows = np.argsort(latitude)
    rows = rows[(latitude[rows] >= south) & (latitude[rows] <= north)]
    poleward = max(abs(lowest), abs(highest))
    middle = float(domain.lon.flat[domain.lon.size // 2])

    def about(lon: np.ndarray) -> np.ndarray:
        return (lon - middle + 180.0) % 360.0 - 180.0 + middle

    around, own = about(domain.lon), about(longitude)
    columns = np.argsort(own)
    cell = float(np.abs(np.diff(longitude)).max()) if longitude.size > 1 else 0.0
    wide = margin / np.cos(np.deg2rad(min(poleward, 80.0))) + cells * cell
    if poleward <= 80.0 and around.max() - around.min() + 2.0 * wide < 360.0:
        columns = columns[(own[columns] >= around.min() - wide) & (own[columns] <= around.max() + wide)]
    else:
        own = np.mod(longitude, 360.0)
        columns = np.argsort(own)
    if rows.size == 0 or columns.size == 0:
        # Nothing near: the whole is kept, so that the message says what it covers.
        rows, columns = np.argsort(latitude), np.argsort(own)
    return rows, columns, own[columns]


@dataclass(frozen=True, eq=False)
class Lambert:
    """Grid of equidistant y and x in metres on a Lambert conformal projection, as they stand in the file.

    Attributes:
        grid_relative: whether winds in the file point along the axes.
    """

    projection: LambertConformal
    y: np.ndarray
    x: np.ndarray
    grid_relative: bool
    dims: tuple[str, str] = ("y", "x")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns in the file."""
        return self.y.size, self.x.size

    def window(self, domain: Any = None) -> Window:
        """Part within `MARGIN` and two cells of a domain, or all of it."""
        rows, columns = np.argsort(self.y), np.argsort(self.x)
        if domain is not None:
            x, y = self.projection.forward(domain.lat, domain.lon)
            parts = []
            for order, axis, target in ((rows, self.y, y), (columns, self.x, x)):
                wide = MARGIN + 2.0 * float(np.abs(np.diff(axis)).max())
                kept = order[(axis[order] >= target.min() - wide) & (axis[order] <= target.max() + wide)]
                parts.append(kept if kept.size else order)
            rows, columns = parts
        return Window(rows, columns, self.y[rows], self.x[columns])

    def difference(self, other: Grid) -> str | None:
        """Axis in which another grid differs, as of `Grid`."""
        if not isinstance(other, Lambert) or other.projection != self.projection:
            return "projection"
        if self.grid_relative != other.grid_relative:
            return "orientation of winds"
        return next((name for name in ("y", "x") if _apart(getattr(self, name), getattr(other, name))), None)

    def matching(self, window: Window) -> Window:
        """The places of a window in this grid, as of `Grid`."""
        return Window(_nearest(self.y, window.y), _nearest(self.x, window.x), window.y, window.x)

    def attributes(self) -> dict[str, Any]:
        """CF attributes of the projection, by which `projection_of` finds it again."""
        p = self.projection
        return {
            "grid_mapping_name": "lambert_conformal_conic",
            "standard_parallel": [p.parallel_1, p.parallel_2],
            "longitude_of_central_meridian": p.central_longitude,
            "earth_radius": p.radius,
        }

    def rotation(self, window: Window) -> np.ndarray | None:
        """Angle (ny, nx) between the grid and the meridians, as of `Grid`."""
        if not self.grid_relative:
            return None
        _, longitude = self.projection.inverse(*np.meshgrid(window.x, window.y))
        return self.projection.rotation(longitude)


def projection_of(attributes: dict[str, Any]) -> LambertConformal | None:
    """Projection that the attributes of a Dataset name, None where its axes are latitude and longitude."""
    if "grid_mapping_name" not in attributes:
        return None
    parallels = attributes["standard_parallel"]
    return LambertConformal(
        float(parallels[0]),
        float(parallels[1]),
        float(attributes["longitude_of_central_meridian"]),
        float(attributes["earth_radius"]),
    )
