"""The report of a run: one self-contained HTML file. No JAX."""

from kaiseki.report.page import make_report

__all__ = ["make_report"]
