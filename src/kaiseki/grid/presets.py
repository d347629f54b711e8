"""Named domains, and domains from their defining numbers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from kaiseki.core.errors import ConfigError
from kaiseki.core.places import place_words
from kaiseki.grid.domain import Domain
from kaiseki.grid.levels import decay, stretched_interfaces
from kaiseki.grid.projection import LambertConformal, Mercator, PolarStereographic, Projection

RIM = 280e3
"""Width of the lateral relaxation zone unless configured, m; provisional, since JMA's is not published."""


MOST_DISTORTION = 2.0
"""Largest factor between the spacing on the map and that on the ground, and its inverse."""


def usual_rim(spacing: float) -> int:
    """Cells of the relaxation zone where nothing else is configured: `RIM`, at least 4 and at most 25 cells."""
    return min(25, max(4, round(RIM / spacing)))


@dataclass(frozen=True)
class GridSpecification:
    """The numbers that define a domain over flat terrain; lengths in m, angles in degrees.

    `shape` is (ny, nx). The reference point lies at `reference_index` (j, i from 0, need not be whole) or, without it,
    in the middle of the grid. `interfaces` are the nominal heights of the level interfaces, from 0.
    """

    name: str
    spacing: float
    shape: tuple[int, int]
    reference_latitude: float
    reference_longitude: float
    interfaces: tuple[float, ...]
    rim_width: int
    reference_index: tuple[float, float] | None = None
    projection: str = "lambert_conformal"
    standard_parallels: tuple[float, ...] = (30.0, 60.0)
    central_longitude: float = 140.0
    terrain_decay: float = 9000.0

    def map_projection(self) -> Projection:
        """The projection of the grid.

        Raises:
            ConfigError: no such projection, or the parallels do not define it.
        """
        parallels, centre = self.standard_parallels, self.central_longitude
        words = f"The standard parallels {' and '.join(f'{p:g}' for p in parallels)} of {self.name}"
        match self.projection, parallels:
            case LambertConformal.name, (p1, p2):
                if p1 + p2 == 0.0 or max(abs(p1), abs(p2)) >= 90.0:
                    raise ConfigError(
                        f"{words} give no cone; choose two between -90 and 90, more to one side of the equator, or the "
                        "projection mercator."
                    )
                return LambertConformal(p1, p2, centre)
            case Mercator.name, (parallel,):
                if abs(parallel) >= 90.0:
                    raise ConfigError(f"{words} must lie between -90 and 90 for the projection mercator.")
                return Mercator(parallel, centre)
            case PolarStereographic.name, (parallel,):
                if parallel == 0.0:
                    raise ConfigError(f"{words} must be positive about the north pole, negative about the south pole.")
                return PolarStereographic(parallel, centre)
        raise ConfigError(
            f"{words} do not fit its projection {self.projection}: lambert_conformal has two, mercator and "
            "polar_stereographic one."
        )

    @property
    def centre(self) -> tuple[float, float]:
        """Latitude and longitude of the middle of the grid, degrees."""
        if self.reference_index is None:
            return self.reference_latitude, self.reference_longitude
        projection = self.map_projection()
        x, y = projection.forward(np.asarray(self.reference_latitude), np.asarray(self.reference_longitude))
        (j, i), (ny, nx) = self.reference_index, self.shape
        east, north = (((n - 1) / 2 - k) * self.spacing for n, k in ((nx, i), (ny, j)))
        lat, lon = projection.inverse(np.asarray(x + east), np.asarray(y + north))
        return float(lat), float(lon)

    def domain(self) -> Domain:
        """The domain, over flat sea.

        Raises:
            ConfigError: the rim leaves no interior, the parallels give no projection, the grid reaches around the Earth
                or to the other hemisphere of a polar one, or the terrain decay does not fit the top.
        """
        ny, nx = self.shape
        if 2 * self.rim_width >= min(ny, nx):
            raise ConfigError(
                f"The rim of {self.rim_width} cells leaves nothing of the {ny} x {nx} cells of {self.name}; "
                "make it narrower or the grid larger."
            )
        projection = self.map_projection()
        j, i = self.reference_index or ((ny - 1) / 2, (nx - 1) / 2)
        x0, y0 = projection.forward(np.asarray(self.reference_latitude), np.asarray(self.reference_longitude))
        x = float(x0) + (np.arange(nx) - i) * self.spacing
        y = float(y0) + (np.arange(ny) - j) * self.spacing
        half = 0.5 * self.spacing
        _check_reach(self.name, projection, np.abs([x[0] - half, x[-1] + half]).max(), y[0] - half, y[-1] + half)
        _check_distortion(self.name, projection, x, y)
        interfaces = np.asarray(self.interfaces, dtype=float)
        factor = decay(interfaces, interfaces[-1], self.terrain_decay)
        flat = np.zeros((ny, nx))
        return Domain(self.name, projection, self.spacing, x, y, interfaces, factor, flat, flat.copy(), self.rim_width)


def _check_reach(name: str, projection: Projection, x: float, south: float, north: float) -> None:
    """Refuse a grid that the map cannot hold.

    Args:
        name: of the grid.
        projection: of the map.
        x: greatest distance of an edge from the central meridian, m.
        south, north: y of the edges, m.

    Raises:
        ConfigError: says what would help.
    """
    match projection:
        case LambertConformal():
            pole = 1.0 if projection.cone > 0.0 else -1.0
            least = min(-pole * south, -pole * north)
            if least <= 0.0 or np.arctan2(x, least) / abs(projection.cone) >= np.pi:
                raise ConfigError(
                    f"The grid of {name} reaches around the pole; make it smaller, move it "
                    f"{'south' if pole > 0.0 else 'north'} or take the projection polar_stereographic."
                )
        case Mercator():
            if x >= np.pi * projection.radius * np.cos(np.deg2rad(projection.parallel)):
                raise ConfigError(f"The grid of {name} reaches around the Earth; make it smaller.")
        case PolarStereographic():
            lat, _ = projection.inverse(np.asarray(x), np.asarray(max(abs(south), abs(north))))
            if projection.cone * float(lat) <= 0.0:
                raise ConfigError(
                    f"The grid of {name} reaches over the equator, too far from the pole of its projection; make it "
                    "smaller or take the projection lambert_conformal or mercator."
                )


def _check_distortion(name: str, projection: Projection, x: np.ndarray, y: np.ndarray) -> None:
    """Refuse a grid whose cells are much larger or smaller on the ground than on the map.

    Raises:
        ConfigError: says where and what would help.
    """
    lat, lon = projection.inverse(*np.meshgrid(x[[0, x.size // 2, -1]], y[[0, y.size // 2, -1]]))
    factor = projection.map_factor(lat)
    worst = int(np.abs(np.log(factor)).argmax())
    if not 1.0 / MOST_DISTORTION <= factor.flat[worst] <= MOST_DISTORTION:
        raise ConfigError(
            f"The map factor of {name} is {factor.flat[worst]:.3g} at {place_words(lat.flat[worst], lon.flat[worst])}, "
            f"so that its spacing would hardly be what was asked for; choose standard parallels near to the grid, or a "
            "smaller grid."
        )


def _levels(number: int, top: float, first_thickness: float) -> tuple[float, ...]:
    return tuple(stretched_interfaces(number, top, first_thickness).tolist())


def _full(name: str, number: int, top: float) -> GridSpecification:
    """Grid of 817 x 661 cells of 5 km, the 565th from the west and 445th from the north at 30N 140E, counted from 1.

    The reference point, the tops and the level table are provisional: JMA's own are not published. With a rim of at
    most 26 cells the box 120-150E, 22.4-47.6N, in which JMA distributes its fields, lies inside.
    """
    return GridSpecification(
        name, 5000.0, (661, 817), 30.0, 140.0, _levels(number, top, 20.0), usual_rim(5000.0), (661 - 445, 565 - 1)
    )


def _coarser(name: str, spacing: float) -> GridSpecification:
    """The region of the 5-km presets to within one grid length."""
    full = _full(name, 76, 21_800.0)
    domain = full.domain()
    latitude, longitude = domain.projection.inverse(np.asarray(domain.x.mean()), np.asarray(domain.y.mean()))
    ny, nx = (round(n * full.spacing / spacing) for n in full.shape)
    return dataclasses.replace(
        full,
        spacing=spacing,
        shape=(ny, nx),
        reference_latitude=float(latitude),
        reference_longitude=float(longitude),
        reference_index=None,
        interfaces=_levels(40, 22_000.0, 60.0),
        rim_width=usual_rim(spacing),
    )


def specification(name: str) -> GridSpecification:
    """The numbers of japan-5km-96, japan-5km-76, japan-20km, japan-40km, japan-60km or coarse.

    Raises:
        ConfigError: no such preset.
    """
    match name:
        case "japan-5km-96":
            return _full(name, 96, 37_500.0)
        case "japan-5km-76":
            return _full(name, 76, 21_800.0)
        case "japan-20km" | "japan-40km" | "japan-60km":
            return _coarser(name, 1000.0 * int(name.removeprefix("japan-").removesuffix("km")))
        case "coarse":
            return COARSE
    raise ConfigError(
        f"No domain {name!r}; known are japan-5km-96, japan-5km-76, japan-20km, japan-40km, japan-60km and coarse."
    )


COARSE = GridSpecification(
    name="coarse",
    spacing=135_000.0,
    shape=(51, 70),
    reference_latitude=40.0,
    reference_longitude=135.0,
    interfaces=_levels(40, 22_000.0, 60.0),
    rim_width=5,
    standard_parallels=(25.0, 55.0),
    central_longitude=135.0,
)
"""Grid around the Japan presets for periods without a global analysis: about 80E-170W, 5-65N, as far as a rectangle
holds it."""


def preset(name: str) -> Domain:
    """A named domain over flat sea; see `specification`."""
    return specification(name).domain()


def coarse_domain() -> Domain:
    """The domain of `COARSE` over flat sea."""
    return COARSE.domain()
