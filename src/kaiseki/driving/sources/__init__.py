"""Readers of global and regional analyses; all give the same xarray.Dataset (see `conventions`).

A further reader registers as an entry point in the group `kaiseki.driving_sources`: an object with `name`,
`recognises(path, head)` and `read(path)`.
"""

from kaiseki.driving.sources.data import DrivingData
from kaiseki.driving.sources.joined import open_driving, read_joined
from kaiseki.driving.sources.registry import DrivingSource, available, read_global

__all__ = ["DrivingData", "DrivingSource", "available", "open_driving", "read_global", "read_joined"]
