"""Mirrored weather: the model in the south does what it does in the north, on every projection.

The mirror of a state has its rows in the opposite order and the opposite wind along y; latitudes, the projection and
the sun's declination change their signs. Whatever treats the hemispheres differently by mistake breaks it: the sign of
the Coriolis parameter, the turning of the projection, staggering and edges of the y axis.
"""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from cycle import small
from kaiseki.driving.onto_domain import atmosphere_on_domain
from kaiseki.forecast.model import Forcing, Model
from kaiseki.forecast.physics import Physics
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.grid import Domain
from kaiseki.grid.presets import GridSpecification

EPOCH = np.datetime64("1989-01-01T00:00:00")
REFERENCE = ReferenceProfile()
type Fields = dict[str, np.ndarray]

PROJECTIONS = {
    "lambert_conformal": (30.0, 60.0),
    "mercator": (38.0,),
    "polar_stereographic": (40.0,),
}


def grid(projection: str, south: bool = False, ny: int = 14, nx: int = 16, nz: int = 20) -> Domain:
    """An island east of the central meridian, so that the grid is turned against north, or its mirror image."""
    s = np.arange(nz + 1) / nz
    levels = tuple(float(z) for z in 20_000.0 * s * (0.12 + 0.88 * s))
    sign = -1.0 if south else 1.0
    domain = GridSpecification(
        "island",
        60_000.0,
        (ny, nx),
        sign * 38.0,
        138.0,
        levels,
        4,
        projection=projection,
        standard_parallels=tuple(sign * parallel for parallel in PROJECTIONS[projection]),
        central_longitude=120.0,
    ).domain()
    y, x = np.mgrid[0:ny, 0:nx]
    far = np.hypot((y - ny / 2 + 1.5) / 2.5, (x - nx / 2 + 0.5) / 2.0)
    terrain, land = 800.0 * np.exp(-(far**2)), np.clip(1.5 - far, 0.0, 1.0)
    return domain.with_terrain(terrain[::-1], land[::-1]) if south else domain.with_terrain(terrain, land)


def mirror(fields: Fields) -> Fields:
    """Fields (..., y, x) at cell centres over the other hemisphere."""
    return {
        name: (-1.0 if name in ("v", "northward_wind_10m") else 1.0) * a[..., ::-1, :] for name, a in fields.items()
    }


def weather(domain: Domain, hours: int) -> Fields:
    return atmosphere_on_domain(small.weather(EPOCH + np.timedelta64(hours, "h"), EPOCH), domain)


def run(model: Model, now: Fields, later: Fields) -> Fields:
    """An hour with a boundary in motion, then what air and ground are like."""
    forcing = Forcing(model.boundary(now), model.boundary(later))
    end = model.advance(model.start(now), forcing, 3600.0)
    return {name: np.asarray(a) for name, a in model.atmosphere(end).as_dict().items()} | model.surface_fields(end)


def compare(south: Fields, north: Fields) -> dict[str, float]:
    """Largest difference from the mirror image, over the largest value of the field."""
    image = mirror(north)
    largest = {name: max(float(np.abs(field).max()), 1e-30) for name, field in image.items()}
    return {name: float(np.abs(south[name] - image[name]).max()) / largest[name] for name in south}


def both(projection: str, physics: Physics | None) -> tuple[Fields, Fields, Fields, Fields]:
    """North and south after an hour, and the north's two boundary states."""
    ends = []
    upper = grid(projection)
    now, later = weather(upper, 0), weather(upper, 1)
    for domain, turn in ((upper, lambda fields: fields), (grid(projection, south=True), mirror)):
        model = Model.make(domain, REFERENCE, None, physics, None if physics is None else EPOCH, dtype=np.float64)
        if model.site is not None and domain is not upper:
            clock = dataclasses.replace(model.site.clock, obliquity=-model.site.clock.obliquity)
            model = dataclasses.replace(model, site=dataclasses.replace(model.site, clock=clock))
        ends.append(run(model, turn(now), turn(later)))
    return ends[0], ends[1], now, later


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_the_dry_south_mirrors_the_north(projection: str) -> None:
    with jax.enable_x64(True):
        north, south, now, _ = both(projection, None)
    # It is the weather that is compared, not a state at rest.
    assert np.abs(north["temperature"] - now["temperature"]).max() > 0.5
    assert np.abs(north["v"]).max() > 5.0
    differences = compare(south, north)
    assert max(differences.values()) < 1e-10, differences


def test_the_south_with_physics_mirrors_the_north() -> None:
    with jax.enable_x64(True):
        north, south, _, _ = both("lambert_conformal", Physics())
    assert {"precipitation", "skin_temperature", "temperature_2m", "northward_wind_10m"} <= set(north)
    differences = compare(south, north)
    assert max(differences.values()) < 1e-9, differences


def test_the_mirror_shows_a_wrong_sign() -> None:
    """The comparison would notice a Coriolis parameter of the wrong hemisphere."""
    with jax.enable_x64(True):
        upper, lower = grid("mercator"), grid("mercator", south=True)
        now, later = weather(upper, 0), weather(upper, 1)
        north = run(Model.make(upper, REFERENCE, dtype=np.float64), now, later)
        model = Model.make(lower, REFERENCE, dtype=np.float64)
        metrics = dataclasses.replace(
            model.metrics, coriolis_u=-model.metrics.coriolis_u, coriolis_v=-model.metrics.coriolis_v
        )
        wrong = run(dataclasses.replace(model, metrics=metrics), mirror(now), mirror(later))
    assert compare(wrong, north)["u"] > 1e-3
