"""The twin experiment: a nature run that plays the atmosphere, and a network that observes it."""

from pathlib import Path

from kaiseki.experiments.twin.driving import make_driving
from kaiseki.experiments.twin.nature import nature_domain, run_nature
from kaiseki.experiments.twin.prepare import PreparedTwin, prepare
from kaiseki.experiments.twin.states import Nested, States

DEMO = Path(__file__).with_name("demo.toml")
"""The embedded twin experiment, which `kaiseki demo` runs."""
TWINS = {"twin-1": DEMO, "twin-2": Path(__file__).with_name("twin-2.toml")}
"""Experiment files of the embedded twins: the easier one, which is `DEMO`, and the harder one (docs/twins.md)."""

__all__ = [
    "DEMO",
    "TWINS",
    "Nested",
    "PreparedTwin",
    "States",
    "make_driving",
    "nature_domain",
    "prepare",
    "run_nature",
]
