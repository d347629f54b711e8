"""Driving data: readers of global analyses, and their interpolation, or that of a wider run, onto a Domain."""

from kaiseki.driving.nest import Nest, interpolate_atmosphere
from kaiseki.driving.onto_domain import atmosphere_on_domain, ground_on_domain
from kaiseki.driving.planetary import planetary_first_guess
from kaiseki.driving.sources import DrivingData, open_driving, read_global, read_joined
from kaiseki.driving.sst import SeaSeries, sst_on_domain
from kaiseki.driving.surface import with_sea

__all__ = [
    "DrivingData",
    "Nest",
    "SeaSeries",
    "atmosphere_on_domain",
    "ground_on_domain",
    "interpolate_atmosphere",
    "open_driving",
    "planetary_first_guess",
    "read_global",
    "read_joined",
    "sst_on_domain",
    "with_sea",
]
