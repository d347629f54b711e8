"""Conformance of analysis engines."""

from __future__ import annotations

import dataclasses
import json

import numpy as np

from kaiseki.assimilation import AnalysisInput, Engine
from kaiseki.assimilation.uncertainty import FIELDS
from kaiseki.statistics import ANALYSIS_VARIABLES

LEFT_ALONE = ("report", "value", "withheld", "latitude", "time")
"""Columns of the observations that an engine must not change."""

DIAGNOSTICS = ("engine", "iterations", "converged", "chi_square", "counts", "desroziers", "innovations")
"""What the diagnostics of every analysis hold."""


def check_engine(engine: Engine, given: AnalysisInput) -> None:
    """Run an engine and check what the contract promises.

    Args:
        engine: to be checked.
        given: a small window whose observations the engine can use, with all that the engine's traits ask for.

    Raises:
        AssertionError: says what was not kept.
    """
    assert isinstance(engine, Engine), "an engine is an instance of a subclass of assimilation.Engine"
    assert engine.increment_time in ("start", "end"), "increment_time is start or end"
    analysis = engine.analyse(given)
    assert set(analysis.increment) == set(ANALYSIS_VARIABLES), (
        "an increment has the fields of statistics.ANALYSIS_VARIABLES"
    )
    for name, field in analysis.increment.items():
        assert isinstance(field, np.ndarray), f"the increment of {name} is a NumPy array"
        assert field.shape == given.background.domain.shape, f"the increment of {name} has the shape of the domain"
        assert np.isfinite(field).all(), f"the increment of {name} is finite"
    errors = analysis.errors
    assert errors is None or set(errors) == set(FIELDS), "errors are those of uncertainty.FIELDS, or not known"
    for name, field in (errors or {}).items():
        expected = given.background.domain.shape[1 if name == "surface_pressure" else 0 :]
        assert field.shape == expected, f"the error of {name} has the shape of the domain"
        assert np.isfinite(field).all(), f"the error of {name} is finite"
        assert (field >= 0.0).all(), f"the error of {name} is not negative"
    assert errors is None or analysis.errors_from, "an engine that knows its error says how"
    before, after = given.observations, analysis.table
    assert len(after) == len(before), "an engine gives back the rows it was given"
    for name in LEFT_ALONE:
        assert np.array_equal(after.column(name), before.column(name)), f"{name} is left as it was"
    lost = before.column("flags") & ~after.column("flags")
    assert not lost.any(), "flags are only added"
    compared = np.isfinite(after.column("background_departure"))
    assert (compared | np.isnan(after.column("analysis_departure"))).all(), "no departure after without one before"
    json.dumps(analysis.diagnostics, allow_nan=False)
    for key in DIAGNOSTICS:
        assert key in analysis.diagnostics, f"diagnostics hold {key}"
    for one in analysis.diagnostics["iterations"]:
        assert {"cost", "gradient"} <= set(one), "an iteration has cost and gradient"
    assert analysis.diagnostics["engine"] == engine.name, "diagnostics name the engine"
    again = engine.analyse(given)
    for name in ANALYSIS_VARIABLES:
        assert np.array_equal(analysis.increment[name], again.increment[name]), "the same input gives the same output"
    withheld = dataclasses.replace(given, observations=before.with_columns(withheld=True))
    nothing = engine.analyse(withheld)
    assert all(not field.any() for field in nothing.increment.values()), "what is withheld moves nothing"
