"""Balance operator: from control fields on flat levels to balanced increments in the model's columns.

Control fields live at the nominal heights zeta *above sea level*, not along the terrain: so gradients are truly
horizontal and correlations do not climb mountains. With psi the stream function, chi the velocity potential, T_u
unbalanced temperature, p_u unbalanced pressure at sea level and mu pseudo-relative humidity:

    wind         u = -c(z) m d(psi)/dy + m d(chi)/dx,   v = c(z) m d(psi)/dx + m d(chi)/dy
    mass         d ln p_b = r f psi / (R Tv)                        geostrophic at constant height
    temperature  T_b = (R Tv^2 / g) d(d ln p_b)/dz                  hydrostatic
    unbalanced   d ln p_u = p_u / p_s + integral of g T_u / (R Tv^2) dz

m is the map factor, r the balance coefficient, c(z) the ratio of rotational to geostrophic wind, which falls towards
the ground. The fading is put into the wind, not into r: a mass field that faded downwards would ask for a temperature
increment f psi T/g dr/dz that is not there. f psi is the local form of the linear balance equation (the term in beta
is left out, Daley 1991, section 7.8); it is never divided by f, so low latitudes need no special care: mass and wind
part by themselves.

Wind, temperature T_b + T_u and mu are then interpolated linearly in height to the model's levels, and the pressure of
the lowest level likewise. **The pressure above follows from them by the discrete hydrostatic relation**

    ln p[k+1] = ln p[k] - g (z[k+1] - z[k]) / (R Tm),   Tm = (Tv[k] + Tv[k+1]) / 2

linearised about the background, so the total increment obeys it to round-off. Virtual temperature varies with
humidity too. Humidity is dqv = s mu with s = min(qsat(background), `DRY_LIMIT` qv): pseudo-relative humidity after
Dee and da Silva 2003 (Q. J. R. Meteorol. Soc. 129, 3017-3036). A temperature increment at fixed mu does not change
qv, so true relative humidity changes with it.

Everything is multiplied by a mask of the columns in the end: one everywhere, or zero in the
rim and rising smoothly inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kaiseki.config import BackgroundError
from kaiseki.core.constants import GRAVITY, R_DRY, VIRTUAL
from kaiseki.diagnostics.saturation import saturation_humidity_over_water
from kaiseki.diagnostics.thermodynamics import density_factor, virtual_temperature
from kaiseki.grid import Domain
from kaiseki.statistics.reference import mean_column

ANALYSIS_VARIABLES: tuple[str, ...] = ("u", "v", "temperature", "pressure", "qv")
"""Fields of an increment, in the order in which operators count them."""

DRY_LIMIT: float = 10.0
"""Humidity increments scale with at most this multiple of the background's humidity, so dry air stays positive."""

type Increment = dict[str, Any]
"""u, v [m s-1, grid-relative], temperature [K], pressure [Pa], qv [kg kg-1], (nz, ny, nx) each."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ControlFields:
    """Fields on flat levels: psi, chi (nz, ny, nx) m2 s-1; temperature K; humidity 1; pressure (ny, nx) Pa at sea
    level.
    """

    psi: Any
    chi: Any
    temperature: Any
    humidity: Any
    pressure: Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Balance:
    """The linear map from `ControlFields` to an increment; a pytree of arrays, made by `build`.

    Attributes:
        gradient: (ny, nx) map factor over twice the spacing [m-1].
        coriolis: (ny, nx) r f [s-1].
        rotational: (nz,) c(z).
        log_pressure: (nz,) d ln p per f psi [s2 m-2].
        thermal: (nz, nz) temperature per f psi [K s2 m-2].
        weight_above: (nz, nz) ln p per unbalanced temperature [K-1].
        sea_level: ln p per unbalanced pressure [Pa-1].
        lower, upper_weight: (nz, ny, nx) flat level below each model level, and the weight of the one above it.
        layer: (nz-1, ny, nx) g dz / (2 R Tm^2) [K-1].
        virtual, moist: (nz, ny, nx) derivatives of virtual temperature by temperature [1] and humidity [K].
        pressure: (nz, ny, nx) of the background [Pa].
        saturation: (nz, ny, nx) s [kg kg-1].
        mask: (ny, nx) 0..1.
    """

    gradient: Any
    coriolis: Any
    rotational: Any
    log_pressure: Any
    thermal: Any
    weight_above: Any
    sea_level: Any
    lower: Any
    upper_weight: Any
    layer: Any
    virtual: Any
    moist: Any
    pressure: Any
    saturation: Any
    mask: Any

    def __call__(self, fields: ControlFields) -> Increment:
        """The increment; linear in `fields`."""
        dx_psi, dy_psi = difference(fields.psi, 2), difference(fields.psi, 1)
        dx_chi, dy_chi = difference(fields.chi, 2), difference(fields.chi, 1)
        rotational = self.rotational[:, None, None]
        u = self.gradient * (dx_chi - rotational * dy_psi)
        v = self.gradient * (dy_chi + rotational * dx_psi)
        geostrophic = self.coriolis * fields.psi
        temperature = fields.temperature + jnp.einsum("kc,cji->kji", self.thermal, geostrophic)
        log_pressure = (
            self.log_pressure[:, None, None] * geostrophic
            + jnp.einsum("kc,cji->kji", self.weight_above, fields.temperature)
            + self.sea_level * fields.pressure
        )
        u, v, temperature, humidity = self._to_columns(jnp.stack([u, v, temperature, fields.humidity]))
        lowest = _interpolate(log_pressure[None], self.lower[:1], self.upper_weight[:1])[0, 0]
        qv = self.saturation * humidity
        warming = self.virtual * temperature + self.moist * qv
        rise = jnp.cumsum(self.layer * (warming[:-1] + warming[1:]), axis=0)
        pressure = self.pressure * jnp.concatenate([lowest[None], lowest + rise])
        increment = dict(zip(ANALYSIS_VARIABLES, (u, v, temperature, pressure, qv), strict=True))
        return {name: self.mask * field for name, field in increment.items()}

    def _to_columns(self, fields: Any) -> Any:
        return _interpolate(fields, self.lower, self.upper_weight)


def difference(field: Any, axis: int) -> Any:
    """Difference of both neighbours along an axis; at the edges twice the one-sided one."""
    field = jnp.moveaxis(field, axis, 0)
    inner = field[2:] - field[:-2]
    first, last = 2.0 * (field[1:2] - field[:1]), 2.0 * (field[-1:] - field[-2:-1])
    return jnp.moveaxis(jnp.concatenate([first, inner, last]), 0, axis)


def _interpolate(fields: Any, lower: Any, upper_weight: Any) -> Any:
    """Fields (n, nz, ny, nx) at the fractional levels given (m, ny, nx)."""
    below = jnp.take_along_axis(fields, lower[None], axis=1)
    above = jnp.take_along_axis(fields, lower[None] + 1, axis=1)
    return below + upper_weight * (above - below)


def vertical_derivative(height: np.ndarray) -> np.ndarray:
    """Matrix (n, n) of d/dz at uneven heights (n,) [m]: second order inside, first order at both ends."""
    n = len(height)
    matrix = np.zeros((n, n))
    below, above = np.diff(height)[:-1], np.diff(height)[1:]
    inner = np.arange(1, n - 1)
    matrix[inner, inner - 1] = -above / (below * (below + above))
    matrix[inner, inner] = (above - below) / (below * above)
    matrix[inner, inner + 1] = below / (above * (below + above))
    matrix[0, :2] = np.array([-1.0, 1.0]) / (height[1] - height[0])
    matrix[-1, -2:] = np.array([-1.0, 1.0]) / (height[-1] - height[-2])
    return matrix


def rim_mask(domain: Domain, taper: int | None) -> np.ndarray:
    """Mask (ny, nx): 0 in the rim, 1 from `taper` cells inside it, smooth in between (3 t^2 - 2 t^3); without a taper 1
    everywhere."""
    if taper is None:
        return np.ones((domain.ny, domain.nx))
    rows, columns = np.arange(domain.ny), np.arange(domain.nx)
    from_edge = np.minimum(
        np.minimum(rows, rows[::-1])[:, None],
        np.minimum(columns, columns[::-1])[None, :],
    )
    t = np.clip((from_edge - domain.rim_width + 1) / (taper + 1), 0.0, 1.0)
    return t**2 * (3.0 - 2.0 * t)


def wind_ratio(height: np.ndarray, errors: BackgroundError) -> np.ndarray:
    """Ratio c(z) of rotational to geostrophic wind at heights above sea level [m]; it rises to 1 as a half cosine."""
    share = np.clip(height / errors.boundary_layer_depth, 0.0, 1.0)
    rise = 0.5 - 0.5 * np.cos(np.pi * share)
    return errors.boundary_layer_wind + (1.0 - errors.boundary_layer_wind) * rise


def _flat_places(domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    """Flat level below each model level (clipped), and weight of the one above; model levels below all get the
    lowest.
    """
    zeta = domain.zeta
    lower = np.clip(np.searchsorted(zeta, domain.z, side="right") - 1, 0, domain.nz - 2)
    weight = (domain.z - zeta[lower]) / (zeta[lower + 1] - zeta[lower])
    return lower.astype(np.int32), np.clip(weight, 0.0, 1.0)


def build(
    domain: Domain, errors: BackgroundError, background: Mapping[str, np.ndarray], taper: int | None = None
) -> Balance:
    """The balance linearised about a background.

    Args:
        domain: grid.
        errors: balance and boundary layer are used.
        background: `temperature` [K], `pressure` [Pa], `qv` [kg kg-1], (nz, ny, nx).
        taper: see `covariance.build`.
    """
    mean = mean_column(domain, background)
    zeta, virtual_mean = mean.height, mean.virtual_temperature
    log_pressure = 1.0 / (R_DRY * virtual_mean)
    thermal = (R_DRY * virtual_mean**2 / GRAVITY)[:, None] * vertical_derivative(zeta) * log_pressure
    rate = GRAVITY / (R_DRY * virtual_mean**2)
    weight_above = np.zeros((domain.nz, domain.nz))
    weight_above[:, 0] = zeta[0] * rate[0]
    for k in range(1, domain.nz):
        half = 0.5 * (zeta[k] - zeta[k - 1])
        weight_above[k:, k - 1] += half * rate[k - 1]
        weight_above[k:, k] += half * rate[k]
    temperature, pressure, qv = (
        np.asarray(background[name], dtype=np.float64) for name in ("temperature", "pressure", "qv")
    )
    virtual = virtual_temperature(temperature, qv)
    middle = 0.5 * (virtual[1:] + virtual[:-1])
    lower, upper_weight = _flat_places(domain)
    sea_level = np.exp(mean.log_pressure[0] + GRAVITY * zeta[0] / (R_DRY * virtual_mean[0]))
    saturation = np.minimum(saturation_humidity_over_water(temperature, pressure), DRY_LIMIT * np.maximum(qv, 0.0))
    arrays: dict[str, Any] = {
        "gradient": domain.map_factor / (2.0 * domain.spacing),
        "coriolis": np.sqrt(errors.balance) * domain.coriolis,
        "rotational": wind_ratio(zeta, errors),
        "log_pressure": log_pressure,
        "thermal": thermal,
        "weight_above": weight_above,
        "sea_level": 1.0 / sea_level,
        "lower": lower,
        "upper_weight": upper_weight,
        "layer": GRAVITY * np.diff(domain.z, axis=0) / (2.0 * R_DRY * middle**2),
        "virtual": density_factor(qv),
        "moist": VIRTUAL * temperature,
        "pressure": pressure,
        "saturation": saturation,
        "mask": rim_mask(domain, taper),
    }
    return Balance(**{name: jnp.asarray(array) for name, array in arrays.items()})
