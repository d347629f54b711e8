"""Physics of the model: clouds and precipitation, turbulence, surface exchange, radiation, soil."""

from kaiseki.forecast.physics.parameters import SOIL_DEPTH, PhysicsParameters
from kaiseki.forecast.physics.surface import Surface

__all__ = ["SOIL_DEPTH", "PhysicsParameters", "Surface"]
