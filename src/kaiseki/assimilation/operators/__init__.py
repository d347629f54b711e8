"""Observation operators: from a trajectory of the model to what would have been observed."""

from kaiseki.assimilation.operators.buckets import bucket
from kaiseki.assimilation.operators.contract import ObservationOperator
from kaiseki.assimilation.operators.equivalents import equivalents
from kaiseki.assimilation.operators.linear import LinearOperator, linearise
from kaiseki.assimilation.operators.plan import Plan, at_station, elevation, locate, model_height

__all__ = [
    "LinearOperator",
    "ObservationOperator",
    "Plan",
    "at_station",
    "bucket",
    "elevation",
    "equivalents",
    "linearise",
    "locate",
    "model_height",
]
