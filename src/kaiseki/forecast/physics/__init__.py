"""Physics of the model: clouds and precipitation, turbulence, surface exchange, radiation, soil."""

from kaiseki.forecast.physics.parameters import PhysicsParameters
from kaiseki.forecast.physics.surface import Surface

__all__ = ["PhysicsParameters", "Surface"]
