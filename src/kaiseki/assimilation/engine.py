"""What every analysis engine takes and gives, and how one is found by its name."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np

from kaiseki.assimilation.ensemble import Ensemble
from kaiseki.assimilation.trajectory import Trajectory
from kaiseki.assimilation.uncertainty import FIELDS, Errors
from kaiseki.core import plugins
from kaiseki.core.errors import ConfigError
from kaiseki.grid import Domain
from kaiseki.observations import Table
from kaiseki.observations.errors import HEIGHT_DIFFERENCE_LIMIT
from kaiseki.statistics import VARIABLES, BackgroundCovariance
from kaiseki.statistics.minimise import Remember

type Report = Callable[[str], None]
"""Takes the lines that an engine has to say."""


@runtime_checkable
class Propagation(Protocol):
    """A linear model over the window: from an increment at its start to increments at the slots of its own grid."""

    @property
    def domain(self) -> Domain:
        """Its grid."""
        ...

    @property
    def slots(self) -> tuple[Mapping[str, np.ndarray], ...]:
        """Fields of `statistics.VARIABLES` at the slots about which it is linearised."""
        ...

    @property
    def waves(self) -> int:
        """Number of oscillations that `tangent` gives."""
        ...

    def tangent(self, increment: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Increments (slots, 5, nz, J, I), and oscillations (n,) to be penalised, of an increment of the outer grid."""
        ...

    def adjoint(self, slots: np.ndarray, waves: np.ndarray) -> Mapping[str, Any]:
        """The transpose."""
        ...


@runtime_checkable
class WindowModel(Protocol):
    """What an engine may ask of the forecast model in the window of its background."""

    def rerun(self, increment: Mapping[str, np.ndarray]) -> Trajectory:
        """The trajectory from the start of the window plus an increment, at the background's slots."""
        ...

    def linear(self, factor: int) -> Propagation:
        """The linear model about the last trajectory, on a grid `factor` times coarser."""
        ...

    @property
    def ensemble(self) -> Ensemble | None:
        """Members that went through the window beside the background; None where there are none."""
        ...

    @property
    def remember(self) -> Remember | None:
        """Keeps what a minimisation has paid for over a kill; None where nothing does."""
        ...


@dataclass(frozen=True)
class FourD:
    """What belongs to 4D-Var.

    Attributes:
        coarsening: ratio of the grid lengths of inner and outer model, one per outer loop.
        iterations: most iterations of the minimiser, all outer loops together.
        reduction: it ends when the norm of the gradient has fallen to this part.
        penalty: weight of the gravity-wave penalty.
        background_deviation: standard deviation of the background error at the start of the window in units of that of
            its end.
    """

    coarsening: tuple[int, ...] = (2, 2)
    iterations: int = 30
    reduction: float = 0.08
    penalty: float = 1.0
    background_deviation: float = 1.0

    def __post_init__(self) -> None:
        if not self.coarsening or min(self.coarsening) < 1 or self.iterations < 1:
            raise ConfigError("4D-Var needs at least one outer loop, an inner grid and one iteration")
        if not (0.0 < self.reduction < 1.0 and self.penalty >= 0.0 and self.background_deviation > 0.0):
            raise ConfigError(
                "4D-Var needs a gradient reduction between 0 and 1, a penalty of at least 0 and a positive background "
                "deviation"
            )


@dataclass(frozen=True)
class EnsembleSettings:
    """What belongs to the engines that use an ensemble.

    Attributes:
        length, depth: half-widths of the localisation (taper of Gaspari and Cohn) [m], [ln p].
        relaxation: part of the background's anomalies in the analysed ones (relaxation to prior perturbations, Zhang,
            Snyder and Sun 2004, Mon. Wea. Rev. 132, 1238-1253).
        share: part of the background variance that is the ensemble's in the hybrid.
    """

    length: float = 600_000.0
    depth: float = 0.6
    relaxation: float = 0.7
    share: float = 0.5

    def __post_init__(self) -> None:
        if not (self.length > 0.0 and self.depth > 0.0):
            raise ConfigError("The localisation of an ensemble needs positive half-widths")
        if not (0.0 <= self.relaxation <= 1.0 and 0.0 <= self.share <= 1.0):
            raise ConfigError("The relaxation and the share of an ensemble lie in 0 to 1")


@dataclass(frozen=True)
class EngineSettings:
    """How an engine minimises and what it accepts.

    Attributes:
        iterations: most iterations of the minimiser, all outer loops together.
        reduction: it ends when the norm of the gradient has fallen to this part.
        outer: most outer loops, in which robust weights are renewed.
        robust: likelihood of the observations, `huber` or `none`.
        robust_threshold: see `statistics.robust`.
        background_tolerance: k of the background check; at infinity nothing is rejected.
        height_limit: largest |model height - station height| at which surface pressure is used [m].
        samples: random states from which the background's standard deviation at the observations is estimated; the
            relative error of that is 1 / sqrt(2 samples).
        four_d: of 4D-Var.
        ensemble: of LETKF, 4DEnVar and hybrid.
    """

    iterations: int = 60
    reduction: float = 1e-3
    outer: int = 4
    robust: str = "huber"
    robust_threshold: float = 2.5
    background_tolerance: float = 5.0
    height_limit: float = HEIGHT_DIFFERENCE_LIMIT
    samples: int = 24
    four_d: FourD = FourD()
    ensemble: EnsembleSettings = EnsembleSettings()

    def __post_init__(self) -> None:
        if self.iterations < 1 or self.outer < 1 or self.samples < 2:
            raise ConfigError("An analysis needs at least 1 iteration, 1 outer loop and 2 samples")
        if not (0.0 < self.reduction < 1.0 and self.background_tolerance > 0.0 and self.height_limit > 0.0):
            raise ConfigError(
                "An analysis needs a gradient reduction between 0 and 1, and a positive tolerance of the background "
                "check and height limit"
            )

    @classmethod
    def from_section(cls, section: Any, **others: Any) -> EngineSettings:
        """From any object with the attributes of the experiment's section `assimilation`."""
        return cls(
            iterations=section.inner_iterations,
            reduction=section.gradient_reduction,
            robust=section.robust,
            robust_threshold=section.robust_threshold,
            **others,
        )


@dataclass(frozen=True, eq=False)
class Analysis:
    """What an engine gives.

    Attributes:
        increment: `statistics.VARIABLES`, (nz, ny, nx) float64 each, grid-relative winds; at the end of the window, or
            at its start.
        table: the rows given, with departures before and after, errors as used, flags, and as `spread` the standard
            deviation of the background at the assimilated values.
        diagnostics: JSON-able; see `problem.diagnose`.
    """

    increment: dict[str, np.ndarray]
    table: Table
    diagnostics: dict[str, Any]
    at_start: bool = False
    """Whether the increment is that of the start of the window, from which the model runs to the analysis."""
    anomalies: np.ndarray | None = None
    """What the members differ by from the analysis at the end of the window, (N, 5, nz, J, I) in the order of
    `VARIABLES` on the members' grid; None from engines that leave the members as they are."""
    errors: Errors | None = None
    """Standard deviation of the analysis error at the end of the window by the names of `uncertainty.FIELDS`, on the
    grid of the increment; None from an engine that does not know it."""
    errors_from: str = ""
    """How that was found, in a sentence for the reader of the archive."""


@runtime_checkable
class Engine(Protocol):
    """(background, observations, covariance, settings, model of the window) -> analysis."""

    def __call__(
        self,
        background: Trajectory,
        observations: Table,
        covariance: BackgroundCovariance,
        settings: EngineSettings,
        report: Report | None = None,
        window: WindowModel | None = None,
    ) -> Analysis:
        """The analysis; `report` is called with a line per iteration. `covariance` is that of the start of the window
        for engines in `AT_START`, else that of its end; these engines also need the model of the window."""
        ...


AT_START: Final = frozenset({"4dvar", "hybrid"})
"""Engines whose increment belongs to the start of the window."""

WITH_MEMBERS: Final = frozenset({"letkf", "4denvar", "hybrid"})
"""Engines that need an ensemble in the window."""

OWN: Final = {
    "4denvar": "kaiseki.assimilation.four_d_en_var:analyse",
    "4dvar": "kaiseki.assimilation.four_d_var:analyse",
    "3dfgat": "kaiseki.assimilation.three_d_fgat:analyse",
    "hybrid": "kaiseki.assimilation.hybrid:analyse",
    "letkf": "kaiseki.assimilation.letkf:analyse",
    "optimal_interpolation": "kaiseki.assimilation.optimal_interpolation:analyse",
}
"""Engines of this package; others register under `kaiseki.assimilation_engines`."""


def engine(name: str) -> Engine:
    """The engine of a name: one of ours, or one that a plug-in offers.

    Raises:
        ConfigError: there is none, or a plug-in cannot be imported.
    """
    if name in OWN:
        module, attribute = OWN[name].split(":")
        found: Engine = getattr(import_module(module), attribute)
        return found
    known = [*OWN, *plugins.available("assimilation_engines")]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        raise ConfigError(f"There is no assimilation engine {name!r}; {hint}")
    offered: Engine = plugins.load("assimilation_engines", name)
    return offered


def check_conformance(
    candidate: Engine,
    background: Trajectory,
    observations: Table,
    covariance: BackgroundCovariance,
    settings: EngineSettings,
) -> None:
    """Run an engine and check what the contract promises, for tests of engines here and elsewhere.

    Raises:
        AssertionError: says what was not kept.
    """
    analysis = candidate(background, observations, covariance, settings)
    assert set(analysis.increment) == set(VARIABLES), "an increment has the fields of statistics.VARIABLES"
    for name, field in analysis.increment.items():
        assert isinstance(field, np.ndarray), f"the increment of {name} is a NumPy array"
        assert field.shape == background.domain.shape, f"the increment of {name} has the shape of the domain"
        assert np.isfinite(field).all(), f"the increment of {name} is finite"
    errors = analysis.errors
    assert errors is None or set(errors) == set(FIELDS), "errors are those of uncertainty.FIELDS, or not known"
    for name, field in (errors or {}).items():
        expected = background.domain.shape[1 if name == "surface_pressure" else 0 :]
        assert field.shape == expected, f"the error of {name} has the shape of the domain"
        assert np.isfinite(field).all(), f"the error of {name} is finite"
        assert (field >= 0.0).all(), f"the error of {name} is not negative"
    assert errors is None or analysis.errors_from, "an engine that knows its error says how"
    after = analysis.table
    assert len(after) == len(observations), "an engine gives back the rows it was given"
    for name in ("report", "value", "withheld", "latitude", "time"):
        assert np.array_equal(after.column(name), observations.column(name)), f"{name} is left as it was"
    lost = observations.column("flags") & ~after.column("flags")
    assert not lost.any(), "flags are only added"
    before = np.isfinite(after.column("background_departure"))
    assert (before | np.isnan(after.column("analysis_departure"))).all(), "no departure after without one before"
    json.dumps(analysis.diagnostics, allow_nan=False)
    for key in ("engine", "iterations", "converged", "chi_square", "counts", "desroziers", "innovations"):
        assert key in analysis.diagnostics, f"diagnostics hold {key}"
    again = candidate(background, observations, covariance, settings)
    for name in VARIABLES:
        assert np.array_equal(analysis.increment[name], again.increment[name]), "the same input gives the same output"
    only = observations.with_columns(withheld=True)
    nothing = candidate(background, only, covariance, settings)
    assert all(not field.any() for field in nothing.increment.values()), "what is withheld moves nothing"
