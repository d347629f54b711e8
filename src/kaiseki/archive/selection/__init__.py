"""Selection from a dataset of `kaiseki.open`: places, areas, heights, paths, periods, units. All of it is lazy.

The functions take a dataset and give one; `ds.kaiseki` offers them as methods.
"""

from kaiseki.archive.selection.accessor import Selection
from kaiseki.archive.selection.areas import area_mean, box, outline, polygon, prefecture
from kaiseki.archive.selection.mesh import mesh, mesh_box
from kaiseki.archive.selection.names import variables
from kaiseki.archive.selection.path import path, profile
from kaiseki.archive.selection.points import points
from kaiseki.archive.selection.times import in_time_zone, period
from kaiseki.archive.selection.units import units
from kaiseki.archive.selection.vertical import heights

__all__ = [
    "Selection",
    "area_mean",
    "box",
    "heights",
    "in_time_zone",
    "mesh",
    "mesh_box",
    "outline",
    "path",
    "period",
    "points",
    "polygon",
    "prefecture",
    "profile",
    "units",
    "variables",
]
