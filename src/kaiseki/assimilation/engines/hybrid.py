"""Hybrid 4D-Var: 4D-Var whose covariance at the start of the window is static in part and the ensemble's in part.

B = (1 - s) B_static + s B_ensemble (Hamill and Snyder 2000, Mon. Wea. Rev. 128, 2905-2919); within the window the model
carries it, as in 4D-Var (Clayton, Lorenc and Barker 2013, Q. J. R. Meteorol. Soc. 139, 1445-1461). Members are updated
by the ensemble transform and centred on the analysis.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from kaiseki.assimilation import consistency
from kaiseki.assimilation.contract import Analysis, AnalysisInput, Engine
from kaiseki.assimilation.engines import four_d_var
from kaiseki.assimilation.ensemble import Ensemble, ensemble_equivalents, transformed, with_members
from kaiseki.assimilation.problem import prepare
from kaiseki.config import Assimilation
from kaiseki.statistics import Covariance
from kaiseki.statistics.ensemble_covariance import HybridCovariance, hybrid, of_ensemble
from kaiseki.statistics.robust import likelihood


def covariance_of(static: Covariance, ensemble: Ensemble, settings: Assimilation) -> HybridCovariance:
    """The covariance at the start of the window."""
    own = settings.ensemble
    members = of_ensemble(ensemble.domain, ensemble.anomalies[:, 0], own.localisation_length, own.localisation_depth)
    return hybrid(static, members, own.hybrid_share, ensemble.coarsening)


class Hybrid(Engine):
    """Hybrid 4D-Var; see the module."""

    name = "hybrid"
    increment_time = "start"
    needs_window_model = True
    needs_ensemble = True
    has_gain = True

    def analyse(self, given: AnalysisInput) -> Analysis:
        """The analysis of a window (see `contract.Engine`), with the increment at its start.

        Raises:
            InputError: background and covariance are of different grids, or there are no members.
            NumericsError: the minimisation left the range of numbers.
        """
        ensemble, window = self.members_of(given), self.window_model_of(given)
        joined = covariance_of(given.covariance, ensemble, given.settings)
        problem = prepare(dataclasses.replace(given, covariance=joined))
        analysis = four_d_var.minimise(problem, self.name, window, given)
        if not len(problem.used):
            return with_members(analysis, ensemble, None)
        robust = likelihood(given.settings.robust, given.settings.robust_threshold)
        found = ensemble_equivalents(problem, ensemble)
        _, anomalies, _ = transformed(problem, ensemble, found, given.settings.ensemble, robust)
        # The table's spread is that of the joined covariance at the start; this is what the members say at the values.
        spread = np.full(len(analysis.table), np.nan)
        spread[problem.used] = np.where(found.exists, found.spread, np.nan)
        skill = consistency.spread_skill(analysis.table, np.isfinite(spread), spread)
        analysis = dataclasses.replace(analysis, diagnostics={**analysis.diagnostics, "spread_skill": skill})
        return with_members(analysis, ensemble, anomalies)
