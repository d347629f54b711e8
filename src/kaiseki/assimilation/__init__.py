"""Assimilation: observation operators, background check, analysis engines, consistency and estimation of errors."""

from kaiseki.assimilation.comparison import departures
from kaiseki.assimilation.contract import Analysis, AnalysisInput, Engine
from kaiseki.assimilation.engines import engine
from kaiseki.assimilation.trajectory import Trajectory

__all__ = ["Analysis", "AnalysisInput", "Engine", "Trajectory", "departures", "engine"]
