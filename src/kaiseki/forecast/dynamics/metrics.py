"""Metric terms and reference fields of the core, made once per Domain on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kaiseki.forecast.dynamics.pressure_gradient import HorizontalStencil
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.grid.domain import Domain

type Lateral = Literal["rim", "wall", "periodic"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Metrics:
    """Geometry and reference state as arrays; names of axes: u = x+1 west-east faces, v = y+1 south-north faces, h =
    z+1 interfaces.

    thickness (z,y,x): layer thickness h, m.
    area (y,x): 1/m^2; map_u (y,u), map_v (v,x): map factor m.
    push_u (z,y,u), push_v (z,v,x): layer thickness over spacing; tilt_u, tilt_v: layer thickness times the levels'
        slope dz/dx, dz/dy. Both make a pressure force and are zero on the outermost faces of a domain that is not
        periodic, where the forcing or a wall rules.
    climb_u (2,z,y,u), climb_v (2,z,v,x): what the mass flux of the layer below and of the layer above an interface
        contribute to the flux along its slope; interfaces from the ground to below the model top.
    inverse_dz (z-1,y+2,x+2): 1 / distance of the centres on either side of an inner interface, m-1; with one more
        column beyond every edge.
    coriolis_u, coriolis_v: f, s-1; dmdx_u, dmdy_u, dmdx_v, dmdy_v: gradients of the map factor, m-1 (curvature of
        the projection).
    volume (z,y,x): h/m^2; rho_ref, rt_ref (rho theta), p_ref (z,y,x): reference state.
    stencil_u, stencil_v: where each column is read for the truly horizontal pressure gradient.
    z (z,y,x), z_half (h,y,x): heights, m.
    """

    thickness: Array
    area: Array
    map_u: Array
    map_v: Array
    push_u: Array
    push_v: Array
    tilt_u: Array
    tilt_v: Array
    climb_u: Array
    climb_v: Array
    inverse_dz: Array
    coriolis_u: Array
    coriolis_v: Array
    dmdx_u: Array
    dmdy_u: Array
    dmdx_v: Array
    dmdy_v: Array
    volume: Array
    rho_ref: Array
    rt_ref: Array
    p_ref: Array
    stencil_u: HorizontalStencil
    stencil_v: HorizontalStencil
    z: Array
    z_half: Array
    spacing: Array


def _faces(q: np.ndarray, axis: int, lateral: Lateral) -> np.ndarray:
    """Average to the faces along `axis`; the outermost faces take the edge value or wrap."""
    pad = [(0, 0)] * q.ndim
    pad[axis] = (1, 1)
    p = np.pad(q, pad, mode="wrap" if lateral == "periodic" else "edge")
    return 0.5 * (np.take(p, range(p.shape[axis] - 1), axis) + np.take(p, range(1, p.shape[axis]), axis))


def _gradient(q: np.ndarray, axis: int, spacing: float, lateral: Lateral) -> np.ndarray:
    pad = [(0, 0)] * q.ndim
    pad[axis] = (1, 1)
    return np.diff(np.pad(q, pad, mode="wrap" if lateral == "periodic" else "edge"), axis=axis) / spacing


def _slopes(
    z_half: np.ndarray, axis: int, spacing: float, lateral: Lateral
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Metric terms push, tilt and climb (see `Metrics`) on the faces along `axis`."""
    h = _faces(np.diff(z_half, axis=0), axis, lateral)
    slope = _gradient(z_half, axis, spacing, lateral)
    push, tilt = h / spacing, h * 0.5 * (slope[1:] + slope[:-1])
    if lateral != "periodic":
        ends = [slice(None)] * 3
        ends[axis] = slice(None, None, h.shape[axis] - 1)
        push[tuple(ends)] = tilt[tuple(ends)] = 0.0
    # The lowest interface takes the lowest layer's wind, the others the wind interpolated between two layers.
    below, above = np.zeros_like(h), slope[:-1] / h
    both = h[1:] + h[:-1]
    below[1:], above[1:] = slope[1:-1] * h[1:] / (both * h[:-1]), slope[1:-1] * h[:-1] / (both * h[1:])
    return push, tilt, np.stack([below, above])


def _inverse_dz(z: np.ndarray, lateral: Lateral) -> np.ndarray:
    return 1.0 / np.diff(np.pad(z, ((0, 0), (1, 1), (1, 1)), mode="wrap" if lateral == "periodic" else "edge"), axis=0)


def make_metrics(
    domain: Domain,
    reference: ReferenceProfile,
    lateral: Lateral = "rim",
    dtype: type = np.float32,
    coriolis: bool = True,
) -> Metrics:
    """Metric terms of a Domain and the reference state on it.

    Heights of cell centres are the mean of their interfaces. With `coriolis=False` the Earth does not rotate (idealised
    cases).
    """
    z_half = domain.z_half
    thickness = np.diff(z_half, axis=0)
    z = 0.5 * (z_half[1:] + z_half[:-1])
    area = 1.0 / domain.map_factor**2
    dx = domain.spacing

    pad = ((1, 1), (1, 1))
    if lateral == "periodic":
        m = np.pad(domain.map_factor, pad, mode="wrap")
    else:
        m = np.pad(domain.map_factor, pad, mode="reflect", reflect_type="odd")
    dmdx, dmdy = (m[1:-1, 2:] - m[1:-1, :-2]) / (2 * dx), (m[2:, 1:-1] - m[:-2, 1:-1]) / (2 * dx)
    f = domain.coriolis * (1.0 if coriolis else 0.0)
    rho, p, theta = reference.density(z), reference.pressure(z), reference.potential_temperature(z)

    push_u, tilt_u, climb_u = _slopes(z_half, 2, dx, lateral)
    push_v, tilt_v, climb_v = _slopes(z_half, 1, dx, lateral)

    def cast(a: np.ndarray) -> Array:
        return jnp.asarray(np.asarray(a, dtype=dtype))

    return Metrics(
        thickness=cast(thickness),
        area=cast(area),
        map_u=cast(domain.map_factor_u),
        map_v=cast(domain.map_factor_v),
        push_u=cast(push_u),
        push_v=cast(push_v),
        tilt_u=cast(tilt_u),
        tilt_v=cast(tilt_v),
        climb_u=cast(climb_u),
        climb_v=cast(climb_v),
        inverse_dz=cast(_inverse_dz(z, lateral)),
        coriolis_u=cast(_faces(f, 1, lateral)),
        coriolis_v=cast(_faces(f, 0, lateral)),
        dmdx_u=cast(_faces(dmdx, 1, lateral)),
        dmdy_u=cast(_faces(dmdy, 1, lateral)),
        dmdx_v=cast(_faces(dmdx, 0, lateral)),
        dmdy_v=cast(_faces(dmdy, 0, lateral)),
        volume=cast(thickness * area),
        rho_ref=cast(rho),
        rt_ref=cast(rho * theta),
        p_ref=cast(p),
        stencil_u=HorizontalStencil.build(z, axis=2, lateral=lateral, dtype=dtype),
        stencil_v=HorizontalStencil.build(z, axis=1, lateral=lateral, dtype=dtype),
        z=cast(z),
        z_half=cast(z_half),
        spacing=cast(np.asarray(dx)),
    )
