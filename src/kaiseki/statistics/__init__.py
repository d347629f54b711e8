"""Statistics that every analysis stands on: correlations, balance, covariance, robust likelihoods, minimisation."""

from kaiseki.statistics.balance import VARIABLES, Increment
from kaiseki.statistics.configuration import Scale
from kaiseki.statistics.covariance import BackgroundCovariance, Covariance

__all__ = ["VARIABLES", "BackgroundCovariance", "Covariance", "Increment", "Scale"]
