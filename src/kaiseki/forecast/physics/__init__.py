"""Physics of the model: clouds and precipitation, turbulence, surface exchange, radiation, soil."""

from kaiseki.config.physics import Physics
from kaiseki.forecast.physics.surface import Surface

__all__ = ["Physics", "Surface"]
