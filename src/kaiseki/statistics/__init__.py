"""Statistics that every analysis stands on: correlations, balance, covariance, robust likelihoods, minimisation."""

from kaiseki.statistics.balance import ANALYSIS_VARIABLES, Increment
from kaiseki.statistics.configuration import Scale
from kaiseki.statistics.covariance import BackgroundCovariance, Covariance

__all__ = ["ANALYSIS_VARIABLES", "BackgroundCovariance", "Covariance", "Increment", "Scale"]
