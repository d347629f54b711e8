"""Readers of static fields on latitude and longitude: terrain heights and land-sea masks."""

from kaiseki.grid.sources.opening import open_raster

__all__ = ["open_raster"]
