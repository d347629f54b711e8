"""Sea-surface temperature and ice cover on a Domain: gaps over land closed, time interpolated, nonsense refused."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import xarray as xr
from scipy import ndimage, sparse
from scipy.sparse.linalg import cg
from scipy.spatial import KDTree

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.errors import InputError
from kaiseki.core.places import place_words
from kaiseki.driving.sources.conventions import SEA_LIMIT
from kaiseki.driving.sources.grids import MARGIN, near, projection_of
from kaiseki.driving.sources.sst_netcdf import SEA_RANGE
from kaiseki.driving.weights import from_lat_lon, interpolation
from kaiseki.grid.projection import LambertConformal

REACH = MARGIN
"""Distance from the nearest known value within which gaps over sea are closed, m: a few cells of a coarse climatology,
or ice."""


LONGEST_GAP = np.timedelta64(45, "D")
"""Longest time between two fields that are interpolated: months, with some tolerance."""


def fill(values: np.ndarray, valid: np.ndarray, cyclic: bool, method: str = "laplace") -> np.ndarray:
    """Close the gaps of a field (ny, nx) from its valid cells.

    Args:
        values: field; what stands in invalid cells is ignored.
        valid: (ny, nx) bool.
        cyclic: whether x closes on itself.
        method: "nearest" takes the nearest valid cell (in grid lengths), "laplace" the harmonic function with the valid
            cells as boundary values and no gradient across the outer edge; it never leaves their range.

    Raises:
        InputError: no cell is valid, or the method is not known.
    """
    if method not in ("nearest", "laplace"):
        raise InputError(f"Fill method {method!r} is not known; use nearest or laplace.")
    if not valid.any():
        raise InputError("The sea-surface temperature has no valid value at all; check the file.")
    if valid.all():
        return np.array(values)
    ny, nx = values.shape
    wide = np.tile(valid, (1, 3)) if cyclic else valid
    j, i = ndimage.distance_transform_edt(~wide, return_distances=False, return_indices=True)
    if cyclic:
        j, i = j[:, nx : 2 * nx], i[:, nx : 2 * nx] % nx
    nearest = np.asarray(values[j, i])
    if method == "nearest":
        return nearest
    number = np.full((ny, nx), -1)
    number[~valid] = np.arange((~valid).sum())
    rows, columns, right = [], [], np.zeros((~valid).sum())
    degree = np.zeros(right.size)
    jj, ii = np.nonzero(~valid)
    for dj, di in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        j2, i2 = jj + dj, ii + di
        i2 = i2 % nx if cyclic else i2
        inside = (j2 >= 0) & (j2 < ny) & (i2 >= 0) & (i2 < nx)
        me, other = number[jj[inside], ii[inside]], number[j2[inside], i2[inside]]
        np.add.at(degree, me, 1.0)
        known = other < 0
        np.add.at(right, me[known], values[j2[inside], i2[inside]][known])
        rows.append(me[~known])
        columns.append(other[~known])
    row, column = np.concatenate(rows), np.concatenate(columns)
    matrix = sparse.diags_array(degree) - sparse.coo_array((np.ones(row.size), (row, column)), shape=(right.size,) * 2)
    # Scaled to unit diagonal: the harmonic function needs no more than a loose tolerance relative to kelvins.
    scale = sparse.diags_array(1.0 / np.sqrt(degree))
    solution, _ = cg(
        (scale @ matrix @ scale).tocsr(),
        right / np.sqrt(degree),
        x0=nearest[~valid] * np.sqrt(degree),
        rtol=1e-9,
        maxiter=20000,
    )
    result = np.array(values)
    result[~valid] = np.clip(solution / np.sqrt(degree), values[valid].min(), values[valid].max())
    return result


ICE_FREE = 0.15
"""Cover by ice up to which a source's skin temperature is that of water: the usual ice edge (NSIDC, Sea Ice Index)."""


@dataclass(frozen=True)
class SeaSurface:
    """A quantity of the sea surface (ny, nx), without gaps, on latitude and longitude (degrees, ascending) or on the
    axes y and x of a projection (m).

    `known` (ny, nx) is False where a gap was closed.
    """

    y: np.ndarray
    x: np.ndarray
    values: np.ndarray
    known: np.ndarray
    projection: LambertConformal | None = None

    @classmethod
    def of(cls, data: xr.Dataset, method: str = "laplace", domain: Any = None) -> SeaSurface | None:
        """Sea-surface temperature, K, of one time of the common form: its SST, else its skin temperature over open sea;
        None if it holds neither.

        Where there are gaps only the part within `REACH` of the domain is closed and kept; all of it without a domain.

        Values outside `SEA_RANGE` are gaps. From skin temperature, cells that are land (fraction over `SEA_LIMIT`) are
        gaps and those with sea ice over `ICE_FREE` take the freezing point, the lower bound.
        """
        if "sea_surface_temperature" in data:
            values = data["sea_surface_temperature"].values
            with np.errstate(invalid="ignore"):
                valid = (values >= SEA_RANGE[0]) & (values <= SEA_RANGE[1])
        elif "surface_temperature" in data and "land_area_fraction" in data:
            values = data["surface_temperature"].values
            valid = (data["land_area_fraction"].values <= SEA_LIMIT) & (values <= SEA_RANGE[1])
            if "sea_ice_area_fraction" in data:
                values = np.where(data["sea_ice_area_fraction"].values > ICE_FREE, SEA_RANGE[0], values)
            values = np.maximum(values, SEA_RANGE[0])
        else:
            return None
        return cls._closed(data, values, valid, method, domain)

    @classmethod
    def ice_of(cls, data: xr.Dataset, domain: Any = None) -> SeaSurface | None:
        """Fraction of the sea covered by ice of one time of the common form; None if it holds none.

        Cells of land (fraction over `SEA_LIMIT`) are gaps, which the nearest sea closes. A cell without a value is free
        of ice where the same data hold a sea-surface temperature, otherwise a gap; where nothing tells ice-free water
        from land, the data are refused.

        Raises:
            InputError: values are missing and none is of ice-free water.
        """
        if "sea_ice_area_fraction" not in data:
            return None
        values = data["sea_ice_area_fraction"].values
        valid = ~np.isnan(values)
        if "sea_surface_temperature" in data:
            open_water = ~valid & ~np.isnan(data["sea_surface_temperature"].values)
            values, valid = np.where(open_water, 0.0, values), valid | open_water
        elif not valid.all() and valid.any() and float(values[valid].min()) > 0.0:
            raise InputError(
                f"{data.attrs.get('file', 'sea-ice data')}: the ice cover is missing somewhere and zero nowhere, so "
                "that open water cannot be told from land; give a file that holds the sea-surface temperature as well."
            )
        if "land_area_fraction" in data:
            valid = valid & (data["land_area_fraction"].values <= SEA_LIMIT)
        if not valid.any():
            # Land alone; whatever stands here is not felt.
            values, valid = np.zeros_like(values), np.ones_like(valid)
        return cls._closed(data, values, valid, "nearest", domain)

    @classmethod
    def _closed(cls, data: xr.Dataset, values: np.ndarray, valid: np.ndarray, method: str, domain: Any) -> SeaSurface:
        if (projection := projection_of(data.attrs)) is not None:
            filled = fill(np.where(valid, values, 0.0), valid, False, method)
            return cls(data["y"].values, data["x"].values, filled, valid, projection)
        latitude, longitude = data["latitude"].values, data["longitude"].values
        if domain is not None and not valid.all():
            rows, columns, unrolled = near(latitude, longitude, domain, cells=1.0)
            if valid[np.ix_(rows, columns)].any():
                latitude, longitude = latitude[rows], unrolled
                values, valid = values[np.ix_(rows, columns)], valid[np.ix_(rows, columns)]
            else:
                # Far from any sea; whatever stands here is not felt.
                method = "nearest"
        step = float(np.diff(longitude).max())
        cyclic = bool(longitude[-1] - longitude[0] + 1.5 * step > 360.0)
        filled = fill(np.where(valid, values, 0.0), valid, cyclic, method)
        return cls(latitude, longitude, filled, valid)

    def on(self, domain: Any) -> np.ndarray:
        """The quantity (ny, nx) on the domain's cell centres, interpolated bilinearly; InputError if the domain reaches
        beyond."""
        if self.projection is not None:
            x, y = self.projection.forward(domain.lat, domain.lon)
            return interpolation(self.y, self.x, y, x, "linear")(self.values)
        return from_lat_lon(self.y, self.x, domain.lat, domain.lon, "linear")(self.values)

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude (n,) in degrees of the cells whose value is known."""
        y, x = np.meshgrid(self.y, self.x, indexing="ij")
        if self.projection is not None:
            y, x = self.projection.inverse(x, y)
        return y[self.known], x[self.known]


def _month_positions(time: np.datetime64) -> tuple[int, int, float]:
    """The two months (0..11) whose middles enclose a time, and the weight of the second."""
    one = np.timedelta64(1, "M")

    def middle(month: np.datetime64) -> np.datetime64:
        start, end = month.astype("datetime64[s]"), (month + one).astype("datetime64[s]")
        return start + (end - start) // 2

    month = time.astype("datetime64[M]")
    other = month + one if time >= middle(month) else month - one
    weight = float((time - middle(month)) / (middle(other) - middle(month)))
    return int(month.astype(int) % 12), int(other.astype(int) % 12), weight


KINDS = {"temperature": "sea-surface temperature", "ice": "sea-ice cover"}
"""Quantities of the sea, in words."""


@dataclass(eq=False)
class SeaSeries:
    """A quantity of the sea on a domain as a function of time, from data of its own.

    Attributes:
        dataset: the common form with sea_surface_temperature, or surface_temperature and land_area_fraction, or with
            sea_ice_area_fraction.
        domain: a `grid.Domain`.
        quantity: "temperature" (K) or "ice" (fraction of the sea).
        climatology: take twelve monthly fields as means about the middles of the months of any year.
        method: of `fill`, for the temperature.
    """

    dataset: xr.Dataset
    domain: Any
    quantity: Literal["temperature", "ice"] = "temperature"
    climatology: bool = False
    method: str = "laplace"
    _fields: OrderedDict[int, np.ndarray] = field(default_factory=OrderedDict)

    def __call__(self, time: np.datetime64) -> np.ndarray:
        """The quantity (ny, nx) on every cell of the domain, land included (closed by `fill`).

        Raises:
            InputError: the data do not hold it, have no valid value or none near sea of the domain, do not cover the
                time, or are no monthly climatology though said to be.
        """
        total = np.zeros(self.domain.lat.shape)
        for index, weight in self._parts(np.datetime64(time, "s")):
            total += weight * self._field(index)
        return total

    def missing(self, times: np.ndarray) -> np.ndarray:
        """Times among those asked for that the data do not cover."""

        def covered(time: np.datetime64) -> bool:
            try:
                self._parts(time)
            except InputError:
                return False
            return True

        return times[[not covered(time) for time in times.astype("datetime64[s]")]]

    def _field(self, index: int) -> np.ndarray:
        if index not in self._fields:
            one = self.dataset.isel(time=index)
            if self.quantity == "ice":
                sea = SeaSurface.ice_of(one, self.domain)
            else:
                sea = SeaSurface.of(one, self.method, self.domain)
            if sea is None:
                also = ", nor skin temperature with a land fraction" if self.quantity == "temperature" else ""
                raise InputError(f"{self._name}: holds no {KINDS[self.quantity]}{also}.")
            _check_reach(sea, self.domain, self._name, KINDS[self.quantity])
            self._fields[index] = sea.on(self.domain)
            while len(self._fields) > 2:
                self._fields.popitem(last=False)
        return self._fields[index]

    @property
    def _name(self) -> str:
        return str(self.dataset.attrs.get("file", "sea-surface data"))

    def _parts(self, time: np.datetime64) -> list[tuple[int, float]]:
        """Numbers and weights of the fields that make the quantity at a time."""
        name, times = self._name, self.dataset["time"].values.astype("datetime64[s]")
        if self.climatology:
            if self.dataset.attrs.get("time_axis") != "monthly":
                raise InputError(
                    f"{name}: is used as a climatology but does not hold twelve monthly fields from January to "
                    "December."
                )
            first, second, weight = _month_positions(time)
            return [(first, 1.0 - weight), (second, weight)]
        if times.size == 1:
            if not np.timedelta64(0, "D") <= time - times[0] <= np.timedelta64(15, "D"):
                raise InputError(
                    f"{name}: holds the sea surface of {times[0]} only, but {time} is wanted; "
                    "use a file of that fortnight or a climatology."
                )
            return [(0, 1.0)]
        if not times[0] <= time <= times[-1]:
            raise InputError(
                f"{name}: reaches from {times[0]} to {times[-1]}, but {time} is wanted; "
                "use other files or a climatology."
            )
        after = max(1, int(np.searchsorted(times, time)))
        if (apart := times[after] - times[after - 1]) > LONGEST_GAP:
            raise InputError(
                f"{name}: {time} lies between {times[after - 1]} and {times[after]}, {apart.astype('timedelta64[D]')} "
                f"apart, where at most {LONGEST_GAP} can be interpolated; use other files or a climatology."
            )
        weight = float((time - times[after - 1]) / (times[after] - times[after - 1]))
        return [(after - 1, 1.0 - weight), (after, weight)]


def sst_on_domain(
    dataset: xr.Dataset, domain: Any, time: np.datetime64, climatology: bool = False, method: str = "laplace"
) -> np.ndarray:
    """Sea-surface temperature (ny, nx) K on every cell of the domain at one time; arguments and errors as of
    `SeaSeries`.

    A dataset with one time holds for that day and the next fortnight only; one with several is linear in time between
    fields at most `LONGEST_GAP` apart.
    """
    return SeaSeries(dataset, domain, "temperature", climatology, method)(time)


def _check_reach(sea: SeaSurface, domain: Any, name: str, what: str) -> None:
    """Refuse data whose values all lie far from some of the domain's sea, where only the filling would speak."""
    wet = domain.land_fraction <= SEA_LIMIT
    if not wet.any():
        return
    tree = KDTree(_on_sphere(*sea.places()))
    chord, _ = tree.query(_on_sphere(domain.lat[wet], domain.lon[wet]))
    if (far := float(chord.max())) > REACH / EARTH_RADIUS:
        worst = int(np.argmax(chord))
        raise InputError(
            f"{name}: its nearest {what} lies {far * EARTH_RADIUS / 1e3:.0f} km from the sea at "
            f"{place_words(domain.lat[wet][worst], domain.lon[wet][worst])}; name a file that covers the domain's sea."
        )


def _on_sphere(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Unit vectors (n, 3) of places in degrees."""
    lat, lon = np.deg2rad(lat), np.deg2rad(lon)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
