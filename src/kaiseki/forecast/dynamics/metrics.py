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

    thickness (z,y,x), thickness_u (z,y,u), thickness_v (z,v,x): layer thickness h, m.
    area (y,x): 1/m^2; map_u (y,u), map_v (v,x): map factor m.
    slope_u (h,y,u), slope_v (h,v,x): dz/dx, dz/dy of the interfaces in projection coordinates.
    coriolis_u, coriolis_v: f, s-1; dmdy_u, dmdx_v: gradients of the map factor, m-1 (curvature of the projection).
    volume (z,y,x): h/m^2; rho_ref, rt_ref (rho theta), p_ref, theta_ref (z,y,x): reference state.
    stencil_u, stencil_v: where each column is read for the truly horizontal pressure gradient.
    z (z,y,x), z_half (h,y,x): heights, m.
    """

    thickness: Array
    thickness_u: Array
    thickness_v: Array
    area: Array
    map_u: Array
    map_v: Array
    slope_u: Array
    slope_v: Array
    coriolis_u: Array
    coriolis_v: Array
    dmdy_u: Array
    dmdx_v: Array
    volume: Array
    rho_ref: Array
    rt_ref: Array
    p_ref: Array
    theta_ref: Array
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

    def cast(a: np.ndarray) -> Array:
        return jnp.asarray(np.asarray(a, dtype=dtype))

    return Metrics(
        thickness=cast(thickness),
        thickness_u=cast(_faces(thickness, 2, lateral)),
        thickness_v=cast(_faces(thickness, 1, lateral)),
        area=cast(area),
        map_u=cast(domain.map_factor_u),
        map_v=cast(domain.map_factor_v),
        slope_u=cast(_gradient(z_half, 2, dx, lateral)),
        slope_v=cast(_gradient(z_half, 1, dx, lateral)),
        coriolis_u=cast(_faces(f, 1, lateral)),
        coriolis_v=cast(_faces(f, 0, lateral)),
        dmdy_u=cast(_faces(dmdy, 1, lateral)),
        dmdx_v=cast(_faces(dmdx, 0, lateral)),
        volume=cast(thickness * area),
        rho_ref=cast(rho),
        rt_ref=cast(rho * theta),
        p_ref=cast(p),
        theta_ref=cast(theta),
        stencil_u=HorizontalStencil.build(z, axis=2, lateral=lateral, dtype=dtype),
        stencil_v=HorizontalStencil.build(z, axis=1, lateral=lateral, dtype=dtype),
        z=cast(z),
        z_half=cast(z_half),
        spacing=cast(np.asarray(dx)),
    )
