"""Analysis of precipitation from gauges, radar and a background: a latent Gaussian field in transformed rain."""

from kaiseki.precipitation.analysis.analyse import AtPlaces, analyse, at_places
from kaiseki.precipitation.analysis.settings import AnalysisSettings

__all__ = ["AnalysisSettings", "AtPlaces", "analyse", "at_places"]
