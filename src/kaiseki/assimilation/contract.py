"""What every analysis engine takes and gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from kaiseki.assimilation.ensemble import Ensemble
from kaiseki.assimilation.trajectory import Trajectory
from kaiseki.assimilation.uncertainty import Errors
from kaiseki.config import Assimilation
from kaiseki.core.errors import InputError
from kaiseki.core.progress import Log
from kaiseki.grid import Domain
from kaiseki.observations import Table
from kaiseki.statistics import Covariance
from kaiseki.statistics.minimise import Checkpoint


@runtime_checkable
class Propagation(Protocol):
    """A linear model over the window: from an increment at its start to increments at the slots of its own grid."""

    @property
    def domain(self) -> Domain:
        """Grid of the linear model."""
        ...

    @property
    def slots(self) -> tuple[Mapping[str, np.ndarray], ...]:
        """Fields of `statistics.ANALYSIS_VARIABLES` at the slots about which it is linearised."""
        ...

    @property
    def waves(self) -> int:
        """Number of oscillations that `tangent` gives."""
        ...

    def tangent(self, increment: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Increments (slots, 5, nz, J, I), and oscillations (n,) to be penalised, of an increment of the outer grid."""
        ...

    def adjoint(self, slots: np.ndarray, waves: np.ndarray) -> Mapping[str, Any]:
        """Transpose of `tangent`: sensitivity to the increment of the outer grid."""
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


@dataclass(frozen=True, eq=False)
class AnalysisInput:
    """Input of an analysis engine.

    Attributes:
        background: trajectory over the window.
        observations: rows of the window, with errors and flags.
        covariance: of the background error, at the end of the window, or at its start for engines whose increment
            belongs there.
        settings: the experiment's section `assimilation`.
        window_model: the forecast model in the window, for engines that need it.
        members: that went through the window beside the background, for engines that need them.
        checkpoint: keeps what a minimisation has paid for over a kill; None where nothing does.
        log: takes a line per iteration; None keeps silent.
    """

    background: Trajectory
    observations: Table
    covariance: Covariance
    settings: Assimilation
    window_model: WindowModel | None = None
    members: Ensemble | None = None
    checkpoint: Checkpoint | None = None
    log: Log | None = None


@dataclass(frozen=True, eq=False)
class Analysis:
    """What an engine gives.

    Attributes:
        increment: `statistics.ANALYSIS_VARIABLES`, (nz, ny, nx) float64 each, grid-relative winds; at the end of the
            window, or at its start, as the engine's `increment_time` says. Empty where nothing was analysed.
        table: the rows given, with departures before and after, errors as used, flags, and as `spread` the standard
            deviation of the background at the assimilated values.
        diagnostics: JSON-able; see `problem.diagnose`.
        errors: standard deviation of the analysis error at the end of the window by the names of `uncertainty.FIELDS`,
            on the grid of the increment; None from an engine that does not know it.
        errors_from: how the errors were found, in a sentence for the reader of the archive.
        anomalies: what the members differ by from the analysis at the end of the window, (N, 5, nz, J, I) in the order
            of `ANALYSIS_VARIABLES` on the members' grid; None from engines that leave the members as they are.
    """

    increment: dict[str, np.ndarray]
    table: Table
    diagnostics: dict[str, Any]
    anomalies: np.ndarray | None = None
    errors: Errors | None = None
    errors_from: str = ""


class Engine(ABC):
    """A way to join background and observations. A new engine is one subclass and one entry point of the group
    `kaiseki.assimilation_engines`; `kaiseki.testing.check_engine` says whether it keeps the contract.

    Attributes:
        name: as in `assimilation.engine` of the experiment.
        increment_time: whether the increment belongs to the start of the window, from where the model runs to the
            analysis, or to its end.
        needs_window_model: whether it asks for `AnalysisInput.window_model`.
        needs_ensemble: whether it asks for `AnalysisInput.members`.
        has_gain: whether the impact of the observations can be had from one gain for the whole domain
            (`assimilation.impact`).
    """

    name: ClassVar[str]
    increment_time: ClassVar[Literal["start", "end"]] = "end"
    needs_window_model: ClassVar[bool] = False
    needs_ensemble: ClassVar[bool] = False
    has_gain: ClassVar[bool] = False

    @abstractmethod
    def analyse(self, given: AnalysisInput) -> Analysis:
        """The analysis of a window.

        Raises:
            InputError: background and covariance are of different grids, or what the engine needs is not given.
            NumericsError: the minimisation or a forecast left the range of numbers.
        """

    def window_model_of(self, given: AnalysisInput) -> WindowModel:
        """The model of the window.

        Raises:
            InputError: there is none.
        """
        if given.window_model is None:
            raise InputError(f"The engine {self.name} needs the model of the window")
        return given.window_model

    def members_of(self, given: AnalysisInput) -> Ensemble:
        """The members of the window.

        Raises:
            InputError: there are none.
        """
        if given.members is None:
            raise InputError(f"The engine {self.name} needs the members of the window")
        return given.members
