"""Hybrid 4D-Var: 4D-Var whose covariance at the start of the window is static in part and the ensemble's in part.

B = (1 - s) B_static + s B_ensemble (Hamill and Snyder 2000, Mon. Wea. Rev. 128, 2905-2919); within the window the model
carries it, as in 4D-Var (Clayton, Lorenc and Barker 2013, Q. J. R. Meteorol. Soc. 139, 1445-1461). Members are updated
by the ensemble transform and centred on the analysis.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from kaiseki.assimilation import consistency, four_d_var
from kaiseki.assimilation.engine import Analysis, EngineSettings, Report, WindowModel
from kaiseki.assimilation.ensemble import Ensemble, seen, transformed, with_members
from kaiseki.assimilation.letkf import members_of
from kaiseki.assimilation.problem import prepare
from kaiseki.assimilation.trajectory import Trajectory
from kaiseki.observations import Table
from kaiseki.statistics import BackgroundCovariance
from kaiseki.statistics.ensemble_covariance import HybridCovariance, hybrid, of_ensemble
from kaiseki.statistics.robust import likelihood

NAME = "hybrid"


def covariance_of(static: BackgroundCovariance, ensemble: Ensemble, settings: EngineSettings) -> HybridCovariance:
    """The covariance at the start of the window."""
    own = settings.ensemble
    members = of_ensemble(ensemble.domain, ensemble.anomalies[:, 0], own.length, own.depth)
    return hybrid(static, members, own.share, ensemble.coarsening)


def analyse(
    background: Trajectory,
    observations: Table,
    covariance: BackgroundCovariance,
    settings: EngineSettings,
    report: Report | None = None,
    window: WindowModel | None = None,
) -> Analysis:
    """The analysis of a window (see `engine.Engine`), with the increment at its start.

    Raises:
        InputError: background and covariance are of different grids, or there are no members.
        NumericsError: the minimisation left the range of numbers.
    """
    ensemble = members_of(window, "The hybrid")
    assert window is not None
    problem = prepare(background, observations, covariance_of(covariance, ensemble, settings), settings)
    analysis = four_d_var.minimise(problem, NAME, window, settings, report)
    if not len(problem.used):
        return with_members(analysis, ensemble, None)
    robust = likelihood(settings.robust, settings.robust_threshold)
    found = seen(problem, ensemble)
    _, anomalies, _ = transformed(problem, ensemble, found, settings.ensemble, robust)
    # The table's spread is that of the joined covariance at the start; this is what the members say at the values.
    spread = np.full(len(analysis.table), np.nan)
    spread[problem.used] = np.where(found.exists, found.spread, np.nan)
    skill = consistency.spread_skill(analysis.table, np.isfinite(spread), spread)
    analysis = dataclasses.replace(analysis, diagnostics={**analysis.diagnostics, "spread_skill": skill})
    return with_members(analysis, ensemble, anomalies)
