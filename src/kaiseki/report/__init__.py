"""The report of a run: one self-contained HTML file, and the scores it shows. No JAX."""

from kaiseki.report.judge import Judgement, judge, write_scores
from kaiseki.report.page import make_report
from kaiseki.report.run import Run

__all__ = ["Judgement", "Run", "judge", "make_report", "write_scores"]
