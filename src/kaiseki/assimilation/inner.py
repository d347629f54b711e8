"""The inner model of 4D-Var: the forecast core on a coarser grid, linearised about the outer trajectory.

Increments are means of the outer grid's over the blocks of cells that make an inner cell; what they become at the slots
is compared with observations on the inner grid. The increment itself keeps the outer grid: only its growth is coarse
(after the incremental form of Courtier, Thepaut and Hollingsworth 1994, where the increment is coarse as well).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kaiseki.core.constants import CP_DRY, CV_DRY
from kaiseki.forecast.checks import longest_step_over_terrain
from kaiseki.forecast.convert import to_state
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.dynamics.thermo import derive
from kaiseki.forecast.fields import WATER, Atmosphere
from kaiseki.forecast.filter import filter_weights
from kaiseki.forecast.integrate import Forcing
from kaiseki.forecast.linear.forecast import means_on_faces
from kaiseki.forecast.linear.simplified_physics import RegularPhysics
from kaiseki.forecast.linear.window import MEMORY, LinearWindow
from kaiseki.forecast.model import Model, default_parameters
from kaiseki.forecast.perturbation import Perturbation
from kaiseki.forecast.rim import Boundary
from kaiseki.forecast.state import State
from kaiseki.grid import Domain
from kaiseki.grid.coarsening import Coarsening
from kaiseki.statistics import ANALYSIS_VARIABLES

BROUGHT = ("u", "v", "w", "temperature", "pressure", "qv")
"""Fields of an outer state that the inner model begins with; vapour is the only water it carries."""

CUTOFF = 3.0 * 3600.0
"""Period [s] of the oscillations that the gravity-wave penalty lets through."""


@dataclass(frozen=True, eq=False)
class InnerModel:
    """An inner model on a grid `factor` times coarser. Make one with `InnerModel.build`.

    Attributes:
        coarsening: from the outer to the inner grid.
        model: on the inner grid, without physics of its own.
        physics: regular physics; None for dry dynamics.
    """

    coarsening: Coarsening
    model: Model
    physics: RegularPhysics | None

    @classmethod
    def build(cls, outer: Model, factor: int, seconds: float, physics: RegularPhysics | None = None) -> InnerModel:
        """The inner model that belongs to a forecast model.

        Args:
            outer: the forecast model.
            factor: ratio of the grid lengths; 1 keeps the grid and the time step.
            seconds: between slots, of which the time step must be a part.
            physics: by default `RegularPhysics()` where the outer model has physics, else none.

        Raises:
            ConfigError: too few cells are left.
        """
        coarsening = Coarsening.build(outer.domain, factor)
        parameters = parameters_on(coarsening, outer.parameters, factor, seconds)
        dtype = outer.metrics.volume.dtype.type
        model = Model.make(coarsening.coarse, outer.reference, parameters, dtype=dtype)
        if physics is None and outer.physics is not None:
            physics = RegularPhysics()
        return cls(coarsening, model, physics)

    @property
    def domain(self) -> Domain:
        """The inner grid."""
        return self.coarsening.coarse

    def state(self, fields: Mapping[str, np.ndarray]) -> State:
        """Inner state of outer fields at cell centres."""
        means = {name: self.coarsening(fields[name]) for name in BROUGHT if name in fields}
        zero = np.zeros(self.domain.shape)
        air = Atmosphere.from_dict({**dict.fromkeys(("w", *WATER[1:]), zero), **means})
        model = self.model
        edges = model.parameters.edges
        return to_state(air, self.domain, model.reference, model.metrics, edges=edges, categories=1)

    def linearise(
        self,
        states: Sequence[Mapping[str, np.ndarray]],
        seconds: float,
        memory: float = MEMORY,
    ) -> InnerPropagation:
        """The linear model about outer fields, by which it is driven in the rim and under the model top as well.

        Args:
            states: outer fields (`BROUGHT`) at the slots.
            seconds: between slots.
            memory: bytes that the trajectory may take.
        """
        inner = [self.state(fields) for fields in states]
        # With the driving fields themselves the trajectory would lose there what analyses found wrong with them.
        forcing = Forcing(Boundary.of(inner[0]), Boundary.of(inner[-1]))
        steps = self.model.steps(seconds) * (len(states) - 1)
        window = LinearWindow.about(
            self.model, forcing, inner, seconds, self.physics, penalty_weights(steps, self.model.parameters.dt), memory
        )
        slots = []
        for state in inner:
            air = self.model.atmosphere(state)
            slots.append({name: np.asarray(getattr(air, name)) for name in ANALYSIS_VARIABLES})
        return InnerPropagation(self.coarsening, window, tuple(slots), energy_norm_weights(inner[0], self.model))


def parameters_on(coarsening: Coarsening, outer: DynamicsParameters, factor: int, seconds: float) -> DynamicsParameters:
    """The dynamics on a grid `factor` times coarser: longer steps, of which `seconds` holds a whole number, and
    diffusion that does not depend on them."""
    if factor == 1:
        return outer
    coarse = coarsening.coarse
    usual = default_parameters(coarse.spacing, float(np.max(coarse.map_factor)))
    longest = min(usual.dt, factor * outer.dt, longest_step_over_terrain(coarse))
    dt = next(seconds / n for n in range(1, round(seconds) + 1) if seconds / n <= longest)
    return dataclasses.replace(outer, time_step=dt, acoustic_substeps=usual.acoustic_substeps, diffusion_time=usual.dt)


def penalty_weights(steps: int, dt: float) -> np.ndarray:
    """Weights c (steps,) of the sum over the window whose size is the gravity-wave penalty: the change in the middle
    less the filtered one (Gauthier and Thepaut 2001, Mon. Wea. Rev. 129, 2089-2102; Lynch and Huang 1992)."""
    weights = np.zeros(steps)
    middle = steps // 2
    half = min(middle, steps - 1 - middle)
    if half < 2:
        return weights
    weights[middle - half : middle + half + 1] = -filter_weights(half * dt, CUTOFF, dt)
    weights[middle] += 1.0
    return weights


def energy_norm_weights(state: State, model: Model) -> Perturbation:
    """Factors that turn a change of momentum and of rho theta into m/s: velocity, and that of the pressure wave.

    Each is divided by the root of the number of levels and weighted by the mass of the layer in the column, so that the
    sum of squares is 1 per column for 1 m/s everywhere; mass, w and water do not count.
    """
    d = derive(state.drho, state.drt, model.metrics)
    m = model.metrics
    mass = np.asarray(d.mass, np.float64)
    share = np.sqrt(mass / mass.sum(axis=0))
    pressure = np.asarray(m.p_ref + d.p_prime, np.float64)
    rho = mass / np.asarray(m.volume, np.float64)
    wave = np.sqrt(rho * (CP_DRY / CV_DRY) * pressure)

    dtype = state.drho.dtype
    u = means_on_faces(share, 2) / (means_on_faces(mass, 2) * np.asarray(m.map_u, np.float64))
    v = means_on_faces(share, 1) / (means_on_faces(mass, 1) * np.asarray(m.map_v, np.float64))
    p = share * np.asarray(d.stiffness, np.float64) / wave
    zero = jax.tree.map(jnp.zeros_like, Perturbation.of(state))
    return dataclasses.replace(
        zero, ru=jnp.asarray(u.astype(dtype)), rv=jnp.asarray(v.astype(dtype)), drt=jnp.asarray(p.astype(dtype))
    )


PENALISED = ("ru", "rv", "drt")
"""Fields of a perturbation that the gravity-wave penalty looks at."""


@dataclass(frozen=True, eq=False)
class InnerPropagation:
    """The linear model as a map from an outer increment at the start to inner increments at the slots.

    Attributes:
        coarsening: see `InnerModel`.
        window: linearised.
        slots: inner fields (`ANALYSIS_VARIABLES`) at the slots about which it is linearised.
        roots: see `energy_norm_weights`.
    """

    coarsening: Coarsening
    window: LinearWindow
    slots: tuple[Mapping[str, np.ndarray], ...]
    roots: Perturbation

    @property
    def domain(self) -> Domain:
        """The inner grid."""
        return self.coarsening.coarse

    @property
    def waves(self) -> int:
        """Number of oscillations."""
        return sum(getattr(self.roots, name).size for name in PENALISED)

    def tangent(self, increment: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Inner increments (slots, 5, nz, J, I) of an outer one (nz, ny, nx), in the order of `ANALYSIS_VARIABLES`; and
        the oscillations (n,) of the window in m/s."""
        slots, total = self.window.tangent(_means(dict(increment), self._matrices))
        waves = [np.ravel(getattr(self.roots, name) * getattr(total, name)) for name in PENALISED]
        return np.stack([np.asarray(slots[name]) for name in ANALYSIS_VARIABLES], axis=1), np.concatenate(waves)

    def adjoint(self, slots: np.ndarray, waves: np.ndarray) -> dict[str, Any]:
        """Transpose of `tangent`: sensitivity to the outer increment."""
        dtype = self.roots.drt.dtype
        total = jax.tree.map(jnp.zeros_like, self.roots)
        begin = 0
        for name in PENALISED:
            root = getattr(self.roots, name)
            part = jnp.asarray(waves[begin : begin + root.size], dtype).reshape(root.shape)
            total = dataclasses.replace(total, **{name: root * part})
            begin += root.size
        fields = {name: jnp.asarray(slots[:, number], dtype) for number, name in enumerate(ANALYSIS_VARIABLES)}
        return _spread(self.window.adjoint(fields, total), self._matrices)

    @property
    def _matrices(self) -> tuple[Any, Any]:
        dtype = self.roots.drt.dtype
        return jnp.asarray(self.coarsening.y, dtype), jnp.asarray(self.coarsening.x, dtype)


@jax.jit
def _means(fields: dict[str, Any], matrices: tuple[Any, Any]) -> dict[str, Any]:
    y, x = matrices
    return {name: jnp.einsum("Jj,kji,Ii->kJI", y, field, x) for name, field in fields.items()}


@jax.jit
def _spread(fields: dict[str, Any], matrices: tuple[Any, Any]) -> dict[str, Any]:
    y, x = matrices
    return {name: jnp.einsum("Jj,kJI,Ii->kji", y, field, x) for name, field in fields.items()}
