"""The grid: projection, levels, domains and presets, terrain and land."""

from kaiseki.grid.domain import Domain
from kaiseki.grid.presets import coarse_domain, preset
from kaiseki.grid.projection import LambertConformal

__all__ = ["Domain", "LambertConformal", "coarse_domain", "preset"]
