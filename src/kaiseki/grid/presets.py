"""Named domains, and domains from their defining numbers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from kaiseki.core.errors import ConfigError
from kaiseki.grid.domain import Domain
from kaiseki.grid.levels import decay, stretched_interfaces
from kaiseki.grid.projection import LambertConformal

RIM = 280e3
"""Width of the lateral relaxation zone unless configured, m; provisional, since JMA's is not published."""


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
    standard_parallels: tuple[float, float] = (30.0, 60.0)
    central_longitude: float = 140.0
    terrain_decay: float = 9000.0

    def domain(self) -> Domain:
        """The domain, over flat sea.

        Raises:
            ConfigError: the rim leaves no interior, the parallels give no cone, the grid reaches around the pole, or
                the terrain decay does not fit the top.
        """
        ny, nx = self.shape
        p1, p2 = self.standard_parallels
        if p1 + p2 <= 0.0 or max(abs(p1), abs(p2)) >= 90.0:
            raise ConfigError(
                f"The standard parallels {p1:g} and {p2:g} of {self.name} give no cone around the north pole; "
                "choose two between -90 and 90 whose sum is positive."
            )
        if 2 * self.rim_width >= min(ny, nx):
            raise ConfigError(
                f"The rim of {self.rim_width} cells leaves nothing of the {ny} x {nx} cells of {self.name}; "
                "make it narrower or the grid larger."
            )
        projection = LambertConformal(p1, p2, self.central_longitude)
        j, i = self.reference_index or ((ny - 1) / 2, (nx - 1) / 2)
        x0, y0 = projection.forward(np.asarray(self.reference_latitude), np.asarray(self.reference_longitude))
        x = float(x0) + (np.arange(nx) - i) * self.spacing
        y = float(y0) + (np.arange(ny) - j) * self.spacing
        half = 0.5 * self.spacing
        widest = np.arctan2(max(abs(x[0] - half), abs(x[-1] + half)), -(y[-1] + half)) / projection.cone
        if y[-1] + half >= 0.0 or widest >= np.pi:
            raise ConfigError(f"The grid of {self.name} reaches around the pole; make it smaller or move it south.")
        interfaces = np.asarray(self.interfaces, dtype=float)
        factor = decay(interfaces, interfaces[-1], self.terrain_decay)
        flat = np.zeros((ny, nx))
        return Domain(self.name, projection, self.spacing, x, y, interfaces, factor, flat, flat.copy(), self.rim_width)


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
