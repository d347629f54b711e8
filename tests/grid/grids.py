"""Small domains for the tests of the grid."""

from kaiseki.grid.domain import Domain
from kaiseki.grid.levels import stretched_interfaces
from kaiseki.grid.presets import GridSpecification


def small(
    spacing: float = 50e3,
    shape: tuple[int, int] = (12, 15),
    latitude: float = 37.0,
    longitude: float = 134.0,
    central_longitude: float = 140.0,
) -> Domain:
    """A flat domain of few cells in its middle at the given place."""
    levels = tuple(stretched_interfaces(10, 20_000.0, 200.0).tolist())
    return GridSpecification(
        "small", spacing, shape, latitude, longitude, levels, 2, central_longitude=central_longitude
    ).domain()
