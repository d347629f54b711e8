"""Statistics that every analysis stands on: correlations, balance, covariance, robust likelihoods, minimisation."""

from kaiseki.statistics.balance import VARIABLES, Increment
from kaiseki.statistics.configuration import BackgroundErrors, Scale
from kaiseki.statistics.covariance import BackgroundCovariance, Covariance

__all__ = ["VARIABLES", "BackgroundCovariance", "BackgroundErrors", "Covariance", "Increment", "Scale"]
