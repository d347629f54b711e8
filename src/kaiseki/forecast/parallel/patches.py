"""One forecast on many devices: the domain divided into patches along y and x, one on each.

All patches have one size; where the number of cells cannot be divided, the last patch shares cells with the last but
one. Arrays of the divided model have two leading axes for the place of the patch, sharded over a JAX device mesh; the
edges of neighbours are exchanged inside the stencils (`dynamics.edges`).

Several hosts make one mesh once every process has called `jax.distributed.initialize(address, processes, number)`
before anything else of JAX; under Slurm it finds the three by itself:

    srun --ntasks-per-node=1 python run.py
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kaiseki.core.errors import ConfigError
from kaiseki.forecast.dynamics.edges import Seam
from kaiseki.forecast.integrate import Forcing, is_finite, steps
from kaiseki.forecast.model import Model
from kaiseki.forecast.state import State

LEAST_CELLS = 3
"""Cells of its own that a patch must have along each axis: the widest stencil reads two beyond and a face."""


def seam(cells: int, patches: int) -> Seam:
    """How an axis is divided.

    Raises:
        ConfigError: the patches would be too narrow.
    """
    size = -(-cells // patches)
    overlap = patches * size - cells
    if patches > 1 and size - overlap < LEAST_CELLS:
        raise ConfigError(
            f"{cells} cells cannot be divided into {patches} patches of one size: the last would have "
            f"{size - overlap} of its own, {LEAST_CELLS} are needed; take fewer devices along this axis."
        )
    return Seam(patches, overlap)


@dataclass(frozen=True, eq=False)
class Patches:
    """A domain of ny x nx cells on a mesh of devices (axes y and x)."""

    ny: int
    nx: int
    mesh: Mesh

    @classmethod
    def over(cls, ny: int, nx: int, along_y: int, along_x: int, devices: list[Any] | None = None) -> Patches:
        """Patches on `along_y` times `along_x` devices, by default the first there are.

        Raises:
            ConfigError: there are not so many devices, or the patches would be too narrow.
        """
        found = devices or jax.devices()
        wanted = along_y * along_x
        if len(found) < wanted:
            raise ConfigError(f"{along_y} x {along_x} patches need {wanted} devices; there are {len(found)}.")
        seam(ny, along_y), seam(nx, along_x)
        return cls(ny, nx, Mesh(np.asarray(found[:wanted]).reshape(along_y, along_x), ("y", "x")))

    @cached_property
    def seams(self) -> tuple[Seam, Seam]:
        """How y and x are divided."""
        return seam(self.ny, self.mesh.shape["y"]), seam(self.nx, self.mesh.shape["x"])

    def _cells(self) -> tuple[int, int]:
        """Cells of a patch along y and x."""
        return -(-self.ny // self.mesh.shape["y"]), -(-self.nx // self.mesh.shape["x"])

    def _starts(self) -> tuple[list[int], list[int]]:
        by, bx = self._cells()
        return (
            [min(k * by, self.ny - by) for k in range(self.mesh.shape["y"])],
            [min(k * bx, self.nx - bx) for k in range(self.mesh.shape["x"])],
        )

    def _excess(self, shape: tuple[int, ...]) -> tuple[int, int] | None:
        """Values that an array has beyond the cells along y and x; None for one that lies on no grid."""
        if len(shape) < 2:
            return None
        more = shape[-2] - self.ny, shape[-1] - self.nx
        return more if all(0 <= m <= 2 for m in more) else None

    def split(self, tree: Any) -> Any:
        """Arrays of the whole domain, last axes y and x, as patches (along y, along x, ...); others on every device."""

        def one(a: Any) -> Array:
            a = np.asarray(a)
            more = self._excess(a.shape)
            if more is None:
                return jax.make_array_from_callback(a.shape, NamedSharding(self.mesh, PartitionSpec()), lambda i: a[i])
            (by, bx), (y, x) = self._cells(), self._starts()
            shape = (len(y), len(x), *a.shape[:-2], by + more[0], bx + more[1])

            def patch(index: Any) -> np.ndarray:
                j, i = y[index[0].start or 0], x[index[1].start or 0]
                return a[..., j : j + shape[-2], i : i + shape[-1]][None, None]

            return jax.make_array_from_callback(shape, NamedSharding(self.mesh, PartitionSpec("y", "x")), patch)

        return jax.tree.map(one, tree)

    def join(self, tree: Any) -> Any:
        """The whole domain again, as arrays on the host."""

        def one(a: Array) -> np.ndarray:
            whole = a if a.is_fully_addressable else multihost_utils.process_allgather(a, tiled=True)
            parts = np.asarray(whole)
            (by, bx), (y, x) = self._cells(), self._starts()
            if parts.ndim < 4:
                return parts
            more = parts.shape[-2] - by, parts.shape[-1] - bx
            out = np.empty((*parts.shape[2:-2], self.ny + more[0], self.nx + more[1]), parts.dtype)
            # A face or cell that two patches have is taken from the later one.
            for j, first_y in enumerate(y):
                for i, first_x in enumerate(x):
                    out[..., first_y : first_y + parts.shape[-2], first_x : first_x + parts.shape[-1]] = parts[j, i]
            return out

        return jax.tree.map(one, tree)

    def mapped(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Function f applied to patches (without their two leading axes) on every device at once, compiled."""

        def spec(a: Any) -> PartitionSpec:
            return PartitionSpec("y", "x") if jnp.ndim(a) >= 4 else PartitionSpec()

        def bare(a: Array) -> Array:
            return a[0, 0] if a.ndim >= 4 else a

        def wrapped(a: Array) -> Array:
            return a[None, None] if a.ndim >= 2 else a

        def run(*arguments: Any) -> Any:
            shapes = jax.eval_shape(lambda *a: a[0], *arguments)
            return jax.shard_map(
                lambda *a: jax.tree.map(wrapped, f(*jax.tree.map(bare, a))),
                mesh=self.mesh,
                in_specs=jax.tree.map(spec, arguments),
                out_specs=jax.tree.map(spec, shapes),
                check_vma=False,
            )(*arguments)

        return jax.jit(run)


@dataclass(frozen=True, eq=False)
class DividedModel:
    """A Model whose forecasts run on many devices at once. Make one with `DividedModel.make`."""

    model: Model
    patches: Patches
    _fixed: Any
    _run: Callable[..., State]

    @classmethod
    def make(cls, model: Model, along_y: int, along_x: int, devices: list[Any] | None = None) -> DividedModel:
        """The model on a mesh of devices.

        Raises:
            ConfigError: there are too few devices, or the patches would be too narrow.
        """
        patches = Patches.over(model.domain.ny, model.domain.nx, along_y, along_x, devices)
        p = dataclasses.replace(model.parameters, seams=patches.seams)

        def run(state: State, forcing: Forcing | None, fixed: Any, n: Array, start: Array, increment: Array) -> State:
            metrics, relaxation, site = fixed
            return steps(state, forcing, metrics, relaxation, site, p, model.physics, n, start, increment, 1.0)

        fixed = patches.split((model.metrics, model.relaxation, model.site))
        return cls(model, patches, fixed, patches.mapped(run))

    def split(self, tree: Any) -> Any:
        """A State or Forcing of the whole domain as patches."""
        return self.patches.split(tree)

    def join(self, tree: Any) -> Any:
        """Patches as a State of the whole domain, on the host."""
        return self.patches.join(tree)

    def advance(
        self, state: State, forcing: Forcing | None, seconds: float, duration: float | None = None, elapsed: float = 0.0
    ) -> State:
        """`Model.advance` of a divided state and forcing."""
        n, dt, span = self.model.steps(seconds), self.model.parameters.dt, duration or seconds

        def go(state: State, n: int, elapsed: float) -> State:
            return self._run(state, forcing, self._fixed, jnp.int32(n), elapsed / span, dt / span)

        new = go(state, n, elapsed)
        if not bool(is_finite(new)):
            self.model.explain(state, lambda s, k: go(s, 1, elapsed + k * dt), n, self.join)
        return new
