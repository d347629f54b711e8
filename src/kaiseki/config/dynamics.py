"""Section `dynamics`: time steps and damping of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from kaiseki.config.base import (
    Bounds,
    Count,
    NotNegative,
    Positive,
    Section,
)


@dataclass(frozen=True, kw_only=True)
class Dynamics(Section):
    """Time steps and damping of the model; what is left out follows from the grid."""

    time_step: Positive | None = None
    """Long time step, s; it must divide the output interval, with an advective Courant number below about 1.2 (Wicker
    and Skamarock 2002)."""
    acoustic_substeps: Count | None = None
    """Number of acoustic sub-steps in the last Runge-Kutta stage of a long step, even; spacing / (m c sqrt 2) bounds
    the sub-step."""
    off_centring: Annotated[float, Bounds(ge=0.5, le=1)] = 0.6
    """Weight of the new time in the vertically implicit step; 0.5 is centred, 1 backward."""
    divergence_damping: Annotated[float, Bounds(ge=0, le=0.5)] = 0.1
    """Coefficient of the divergence damping, the forward weight of the pressure perturbation in the acoustic sub-steps
    (Klemp et al. 2007, doi:10.1175/MWR3440.1, section 2)."""
    momentum_diffusion: Annotated[float, Bounds(ge=0, le=0.03)] = 0.01
    """Coefficient of the fourth-order horizontal diffusion of momentum, in units of spacing^4 / time step."""
    damping_depth: NotNegative = 6000.0
    """Depth of the layer under the model top where vertical motion is damped, m (Klemp et al. 2008,
    doi:10.1175/2008MWR2596.1)."""
    damping_rate: NotNegative = 0.1
    """Rate of the damping of vertical motion at the model top, s-1 (Klemp et al. 2008)."""
    driving_depth: NotNegative = 4000.0
    """Depth of the layer under the model top where the state is drawn to the driving state, m."""
    driving_time: Positive = 3600.0
    """Time scale of the relaxation to the driving state at the model top, s."""
    rim_time: Positive = 2.0
    """Relaxation time at the outermost cells, in multiples of the time a gravity wave of 300 m/s needs for a cell."""
