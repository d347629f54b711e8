"""Verification: scores with their uncertainty from departures and from a known truth. Arrays in, rows out. No JAX."""

from kaiseki.verification.balance import mean_absolute_tendency
from kaiseki.verification.consistency import consistency_rows
from kaiseki.verification.departures import Departures, align, inside_rim, pool
from kaiseki.verification.energy import dry_total_energy
from kaiseki.verification.paired import MINIMUM_COUNT, Comparison, compare, verdict
from kaiseki.verification.scorecard import scorecard
from kaiseki.verification.scores import MANDATORY_LEVELS, Target, score_rows, targets
from kaiseki.verification.truth import compare_with_truth, onto_cells, truth_rows

__all__ = [
    "MANDATORY_LEVELS",
    "MINIMUM_COUNT",
    "Comparison",
    "Departures",
    "Target",
    "align",
    "compare",
    "compare_with_truth",
    "consistency_rows",
    "dry_total_energy",
    "inside_rim",
    "mean_absolute_tendency",
    "onto_cells",
    "pool",
    "score_rows",
    "scorecard",
    "targets",
    "truth_rows",
    "verdict",
]
