"""Numerical parameters of the core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kaiseki.forecast.dynamics.edges import WHOLE, Edges, Seam
from kaiseki.forecast.dynamics.metrics import Lateral


@dataclass(frozen=True)
class DynamicsParameters:
    """Settings of the time integration.

    Args:
        dt: long time step, s. Advective Courant number below about 1.2 (Wicker and Skamarock 2002).
        acoustic_substeps: short steps in the last Runge-Kutta stage (even); spacing / (m c sqrt 2) bounds the short
            step.
        lateral: "rim" (relaxed to forcing), "wall" (closed) or "periodic".
        off_centring: b of the vertically implicit step, 0.5 centred, 1 backward.
        divergence_damping: forward weight of the pressure perturbation in the short steps (Klemp et al. 2007,
            doi:10.1175/MWR3440.1, section 2).
        damping_depth: thickness of the layer below the lid in which w is damped (Klemp et al. 2008,
            doi:10.1175/2008MWR2596.1), m.
        damping_rate: its rate at the lid, s-1.
        momentum_diffusion: fourth-order horizontal diffusion of momentum along the levels, in units of spacing^4 /
            diffusion_time (times dt / diffusion_time at most 0.03).
        diffusion_time: s; None for dt, with which the diffusion of a stretch of time grows as the steps get shorter.
        rim_time: relaxation time at the outer edge of the rim, in multiples of the time a gravity wave of 300 m/s needs
            for one cell.
        driving_depth: thickness of the layer below the lid that follows the driving state, m; 0 for none.
        driving_time: time scale of that at the lid, s.
        tracer_advection: "monotone", or "smooth", which is linear in the tracer (inner models of an assimilation).
        reversible: compile loops so that reverse differentiation can follow them; a forecast alone is faster without.
        seams: how the domain is divided along y and x (see `patches`).
    """

    dt: float
    acoustic_substeps: int = 6
    lateral: Lateral = "rim"
    off_centring: float = 0.6
    divergence_damping: float = 0.1
    damping_depth: float = 6000.0
    damping_rate: float = 0.1
    momentum_diffusion: float = 0.01
    diffusion_time: float | None = None
    rim_time: float = 2.0
    driving_depth: float = 4000.0
    driving_time: float = 3600.0
    tracer_advection: Literal["monotone", "smooth"] = "monotone"
    reversible: bool = False
    seams: tuple[Seam, Seam] = (WHOLE, WHOLE)

    @property
    def substeps(self) -> tuple[int, int, int]:
        """Short steps in each Runge-Kutta stage."""
        return 1, self.acoustic_substeps // 2, self.acoustic_substeps

    @property
    def edges(self) -> Edges:
        """What lies beyond the lateral edges of the arrays."""
        return Edges(self.lateral == "periodic", *self.seams)
