"""Tests of conformance: whether a part of one's own keeps what the contract of its kind promises."""

from kaiseki.testing.engines import check_engine

__all__ = ["check_engine"]
