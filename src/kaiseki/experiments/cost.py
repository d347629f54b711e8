"""What a run will cost, said before it starts; and the refusal of what this machine cannot do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kaiseki.assimilation import engine
from kaiseki.config import Experiment
from kaiseki.core.errors import ResourceError
from kaiseki.core.progress import duration
from kaiseki.experiments.size import BASE_BYTES, BYTES_PER_CELL, refuse_memory
from kaiseki.forecast.model import with_time_steps
from kaiseki.grid import Domain

CELL_STEP = 8e-7
"""Time on two cores, s, per cell and long step, dynamics with five water categories and all physics; from 3-h forecasts
at 60 km."""

GRADIENT = 2.7e-6
"""Time, s, per cell and long step of the inner model for one iteration of 4D-Var, tangent and adjoint together; from
benchmarks/forecast_cpu.json (one core)."""

USUAL_ITERATIONS = 25
"""Usual number of iterations in a window of 4D-Var, all outer loops together, until the gradient has fallen far enough:
9 to more than 30 in the 1989 case and the twins."""

ITERATION = 3.0e-7
"""Time on two cores, s, per cell and iteration of the minimiser, operators included; provisional, from 60 km."""

TRANSFORM = 2e-4
"""Time, s, per cell of the members' grid and analysis for the ensemble transform and the centring of 20 members; from
the 1989 case at 60 km."""

BYTES_PER_MEMBER = 250.0
"""Memory, bytes, per cell of the members' grid and member: state, boundaries, slots; from the 1989 case at 60 km."""

ADJOINT_BYTES = 1.2e9
"""Memory that the linear model of the window and its adjoint take beside that, most of it their compilation: the
hybrid at 60 km took 3.3 GB in all."""

COMPILATION = 60.0
"""Time, s, spent compiling, once per grid."""

DISK_PER_CELL = 40.0
"""Bytes on disk per cell and stored time, compressed; from the 1989 case at 60 km."""

LONGEST = 24 * 3600.0
"""Estimated seconds beyond which a run is refused unless forced."""


@dataclass(frozen=True)
class Cost:
    """Estimate of one experiment; all baselines together cost about as much again as `seconds` times their number.

    Attributes:
        cells: grid points.
        step: long time step [s].
        steps: long steps of the forecasts and digital filters.
        cycles: number of analyses.
        memory: bytes.
        seconds: of two cores.
        disk: bytes of the stores, baselines included.
    """

    cells: int
    step: float
    steps: int
    cycles: int
    memory: float
    seconds: float
    disk: float

    def sentence(self, name: str) -> str:
        """One line for the user."""
        return (
            f"{name}: {self.cells:,} cells, {self.steps} steps of {self.step:g} s, {self.cycles} cycles; about "
            f"{self.memory / 1e9:.1f} GB of memory, {self.disk / 1e9:.1f} GB of disk, and {duration(self.seconds)} on "
            "two cores for the analysis, to which preparation, compilation and baselines come"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


def estimate(experiment: Experiment, domain: Domain) -> Cost:
    """Cost of the analysis cycle on a domain."""
    cells = domain.nz * domain.ny * domain.nx
    dt = with_time_steps(experiment.dynamics, domain).dt
    cycles = experiment.period.cycles
    span = (experiment.period.last - experiment.period.first).astype("timedelta64[s]").astype(int)
    name = experiment.assimilation.engine
    chosen = None if name == "none" else engine(name)
    # The start is filtered, and every increment that is added at the end of a window; one from its start the model
    # smooths on its way.
    filters = 1 + (cycles if chosen is not None and chosen.increment_time == "end" else 0)
    filtering = 3.0 * 3600.0 * experiment.assimilation.digital_filter.half_span_hours * filters
    steps = round((float(span) + filtering) / dt)
    if chosen is not None and chosen.increment_time == "start":
        minimising = cycles * _four_d(experiment, cells, dt)
    else:
        minimising = cycles * cells * experiment.assimilation.inner_iterations * ITERATION
    seconds = COMPILATION + steps * cells * CELL_STEP + minimising
    memory = BASE_BYTES + BYTES_PER_CELL * cells
    if chosen is not None and chosen.needs_window_model:
        memory += ADJOINT_BYTES
    if chosen is not None and chosen.needs_ensemble:
        section = experiment.assimilation.ensemble
        coarse = cells / section.coarsening**2
        each = 3600.0 * experiment.period.window_hours / dt / section.coarsening * CELL_STEP
        seconds += cycles * coarse * (section.members * each + TRANSFORM)
        memory += BYTES_PER_MEMBER * section.members * coarse
    outputs = round(float(span) / (3600.0 * experiment.period.output_hours))
    stores = 1 + sum(name != "driving" for name in experiment.verification.baselines)
    # The store of the driving fields has the analysis times alone.
    stored = stores * (outputs + cycles) + cycles
    return Cost(cells, dt, steps, cycles, memory, seconds, DISK_PER_CELL * cells * stored)


def _four_d(experiment: Experiment, cells: int, dt: float) -> float:
    """Time, s, of one 4D-Var analysis: outer loops run the model again, the inner iterations are shared among them."""
    section = experiment.assimilation.four_d_var
    steps = 3600.0 * experiment.period.window_hours / dt
    share = min(section.inner_iterations, USUAL_ITERATIONS) / len(section.coarsening)
    inner = sum(share * (ITERATION + steps / factor**3 * GRADIENT) for factor in section.coarsening)
    return cells * (len(section.coarsening) * steps * CELL_STEP + inner)


def refuse_what_is_too_much(name: str, cost: Cost, force: bool) -> None:
    """Stop before anything is computed when memory or time do not suffice, unless forced.

    Raises:
        ResourceError: says what would be needed and what is there.
    """
    if force:
        return
    refuse_memory(name, cost.memory)
    if cost.seconds > LONGEST:
        raise ResourceError(
            f"{name} would take about {duration(cost.seconds)} on two cores; take a coarser spacing "
            "or a smaller domain, a GPU or a cluster, or insist with --force"
        )
