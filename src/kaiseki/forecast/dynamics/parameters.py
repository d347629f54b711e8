"""Numerical parameters of the core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kaiseki.config import Dynamics
from kaiseki.core.errors import ConfigError
from kaiseki.forecast.dynamics.edges import WHOLE, Edges, Seam
from kaiseki.forecast.dynamics.metrics import Lateral


@dataclass(frozen=True, kw_only=True)
class DynamicsParameters(Dynamics):
    """The experiment's section `dynamics` with its time steps decided, and what no experiment chooses.

    Attributes:
        lateral: "rim" (relaxed to forcing), "wall" (closed) or "periodic".
        diffusion_time: `momentum_diffusion` is in units of spacing^4 over this time, s; None for the time step,
            with which the diffusion of a stretch of time grows as the steps get shorter.
        tracer_advection: "monotone", or "smooth", which is linear in the tracer (inner models of an assimilation).
        reversible: compile loops so that reverse differentiation can follow them; a forecast alone is faster without.
        seams: how the domain is divided along y and x (see `patches`).
    """

    lateral: Lateral = "rim"
    diffusion_time: float | None = None
    tracer_advection: Literal["monotone", "smooth"] = "monotone"
    reversible: bool = False
    seams: tuple[Seam, Seam] = (WHOLE, WHOLE)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.time_step is None or self.acoustic_substeps is None:
            raise ConfigError("The time steps of a model must be decided; take forecast.model.with_time_steps")

    @property
    def dt(self) -> float:
        """Long time step, s."""
        assert self.time_step is not None
        return self.time_step

    @property
    def substeps(self) -> tuple[int, int, int]:
        """Acoustic sub-steps in each Runge-Kutta stage."""
        assert self.acoustic_substeps is not None
        return 1, self.acoustic_substeps // 2, self.acoustic_substeps

    @property
    def edges(self) -> Edges:
        """What lies beyond the lateral edges of the arrays."""
        return Edges(self.lateral == "periodic", *self.seams)
