"""Quality control that needs no model: pure functions from the table to flags, one file per check."""

from kaiseki.observations.quality.run import Checked, FlagCount, run_all, summary

__all__ = ["Checked", "FlagCount", "run_all", "summary"]
