"""The twin experiment: a nature run that plays the atmosphere, and a network that observes it."""

from pathlib import Path

from kaiseki.twin.driving import make_driving
from kaiseki.twin.nature import nature_domain, run_nature
from kaiseki.twin.prepare import Twin, prepare
from kaiseki.twin.states import Nested, States

DEMO = Path(__file__).with_name("demo.toml")
"""The embedded twin experiment, which `kaiseki demo` runs."""

__all__ = ["DEMO", "Nested", "States", "Twin", "make_driving", "nature_domain", "prepare", "run_nature"]
