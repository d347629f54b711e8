"""Readers of radar composites and volumes, rain gauges and microwave links, found by what is in the files."""

from kaiseki.precipitation.sources.opening import open_gauges, open_radar
from kaiseki.precipitation.sources.reading import Reading

__all__ = ["Reading", "open_gauges", "open_radar"]
