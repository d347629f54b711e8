"""Assimilation: observation operators, background check, analysis engines, consistency and estimation of errors."""

from kaiseki.assimilation.comparison import departures
from kaiseki.assimilation.engine import Analysis, Engine, EngineSettings, engine
from kaiseki.assimilation.trajectory import Trajectory

__all__ = ["Analysis", "Engine", "EngineSettings", "Trajectory", "departures", "engine"]
