"""Analysis of many hours: inputs opened once, hours independent of each other, results by hour and by day."""

from kaiseki.precipitation.batch.hours import Batch, BatchSettings, Outcome, analyse_hours
from kaiseki.precipitation.batch.inputs import Inputs, InputSettings

__all__ = ["Batch", "BatchSettings", "InputSettings", "Inputs", "Outcome", "analyse_hours"]
