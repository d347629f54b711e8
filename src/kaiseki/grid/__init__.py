"""The grid: projection, levels, domains and presets, terrain and land."""

from kaiseki.grid.domain import Domain
from kaiseki.grid.presets import coarse_domain, preset
from kaiseki.grid.projection import LambertConformal, Mercator, PolarStereographic, Projection

__all__ = [
    "Domain",
    "LambertConformal",
    "Mercator",
    "PolarStereographic",
    "Projection",
    "coarse_domain",
    "preset",
]
