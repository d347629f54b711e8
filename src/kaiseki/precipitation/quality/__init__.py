"""Quality control of rain gauges and radars before an analysis; docs/precipitation-inputs.md has measured rates."""

from kaiseki.precipitation.quality.gauges import Checks, check
from kaiseki.precipitation.quality.instrument import Undercatch, estimated_resolution, undercatch
from kaiseki.precipitation.quality.radar import Exceedance, beam_quality, exceedance, masked, two_way_attenuation
from kaiseki.precipitation.quality.timing import shifts

__all__ = [
    "Checks",
    "Exceedance",
    "Undercatch",
    "beam_quality",
    "check",
    "estimated_resolution",
    "exceedance",
    "masked",
    "shifts",
    "two_way_attenuation",
    "undercatch",
]
