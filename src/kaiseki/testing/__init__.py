"""Tests of conformance: whether a part of one's own keeps what the contract of its kind promises."""

from kaiseki.testing.driving import check_driving_source
from kaiseki.testing.engines import check_engine
from kaiseki.testing.observations import check_observation_source
from kaiseki.testing.operators import check_operator

__all__ = ["check_driving_source", "check_engine", "check_observation_source", "check_operator"]
