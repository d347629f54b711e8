"""The background covariance as a linear map from an uncorrelated control vector: B = S S^T."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from kaiseki.config import BackgroundError
from kaiseki.diagnostics.standard_atmosphere import standard_log_pressure
from kaiseki.grid import Domain
from kaiseki.statistics import balance
from kaiseki.statistics.balance import Balance, ControlFields, Increment
from kaiseki.statistics.configuration import Scale, Scales, profile
from kaiseki.statistics.correlation import apply, gaussian, square_root, wind_curvature


@runtime_checkable
class Covariance(Protocol):
    """A background covariance by its square root, B = S S^T; a pytree of arrays."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (nz, ny, nx) of the increments."""
        ...

    @property
    def control_size(self) -> int:
        """Number n of control values."""
        ...

    @property
    def mask(self) -> Any:
        """Factor (ny, nx) of increments in the rim, see `balance.rim_mask`."""
        ...

    def sqrt(self, control: Any) -> Increment:
        """Increment S v of a control vector v (n,)."""
        ...

    def sqrt_transpose(self, increment: Increment) -> Any:
        """Control-space vector S^T x, (n,), of an increment-shaped dictionary."""
        ...


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Factors:
    """Square roots of one term of a correlation: z (nz, mz) with the standard deviation, y (ny, my), x (nx, mx)."""

    z: Any
    y: Any
    x: Any

    @property
    def control_shape(self) -> tuple[int, int, int]:
        """Shape (mz, my, mx) of the control values."""
        return self.z.shape[1], self.y.shape[1], self.x.shape[1]

    @property
    def size(self) -> int:
        """Number of control values."""
        mz, my, mx = self.control_shape
        return mz * my * mx


_ORDER = ("psi", "chi", "temperature", "humidity", "pressure")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BackgroundCovariance:
    """Square root of the static background covariance, B^(1/2): control vector (n,) of independent standard normals ->
    increment; a pytree of arrays, made by `build`.

    The control vector holds, one after another, psi, chi, unbalanced temperature, humidity and unbalanced surface
    pressure, each with one block (mz, my, mx) per scale. Its size depends on the domain and the configuration only,
    not on the background.

    Attributes:
        psi, chi, temperature, humidity, pressure: terms of each control field's covariance.
        balance: what makes increments of them.
    """

    psi: tuple[Factors, ...]
    chi: tuple[Factors, ...]
    temperature: tuple[Factors, ...]
    humidity: tuple[Factors, ...]
    pressure: tuple[Factors, ...]
    balance: Balance

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (nz, ny, nx) of the increments."""
        nz, ny, nx = self.balance.pressure.shape
        return nz, ny, nx

    @property
    def control_size(self) -> int:
        """Number n of control values."""
        return sum(term.size for name in _ORDER for term in getattr(self, name))

    @property
    def mask(self) -> Any:
        """Factor (ny, nx) of increments in the rim, see `balance.rim_mask`."""
        return self.balance.mask

    def fields(self, control: Any) -> ControlFields:
        """Control fields on flat levels of a control vector (n,)."""
        made: dict[str, Any] = {}
        start = 0
        for name in _ORDER:
            parts = []
            for term in getattr(self, name):
                block = control[start : start + term.size].reshape(term.control_shape)
                parts.append(apply(term.z, term.y, term.x, block))
                start += term.size
            made[name] = sum(parts[1:], parts[0])
        made["pressure"] = made["pressure"][0]
        return ControlFields(**made)

    def sqrt(self, control: Any) -> Increment:
        """Increment of a control vector (n,): S v."""
        return self.balance(self.fields(control))

    def sqrt_transpose(self, increment: Increment) -> Any:
        """Control vector (n,) of an increment-shaped dictionary: S^T x, the exact adjoint of `sqrt`."""
        shape = jax.ShapeDtypeStruct((self.control_size,), self.balance.gradient.dtype)
        return jax.linear_transpose(self.sqrt, shape)(increment)[0]

    def covary(self, increment: Increment) -> Increment:
        """Product B x = S S^T x of the covariance with an increment-shaped dictionary."""
        return self.sqrt(self.sqrt_transpose(increment))


def _terms(
    scales: tuple[Scale, ...],
    deviation: np.ndarray,
    log_pressure: np.ndarray | None,
    y: np.ndarray,
    x: np.ndarray,
) -> tuple[Factors, ...]:
    terms = []
    for scale in scales:
        root = np.ones((1, 1)) if log_pressure is None else square_root(gaussian(log_pressure, scale.vertical_length))
        parts = (
            np.sqrt(scale.weight) * np.reshape(deviation, (-1, 1)) * root,
            square_root(gaussian(y, scale.length)),
            square_root(gaussian(x, scale.length)),
        )
        terms.append(Factors(*(jnp.asarray(part) for part in parts)))
    return tuple(terms)


def build(
    domain: Domain, errors: BackgroundError, background: Mapping[str, np.ndarray], taper: int | None = None
) -> BackgroundCovariance:
    """The covariance on a domain, linearised about a background (in single precision unless JAX has double switched
    on).

    The variance of each wind component, rotational and divergent parts together, is errors.wind^2 (m / m_centre)^2 at
    every height: the variance of the stream function is divided by the curvature that the sum of scales has under the
    centred differences of the balance (sum of w_s / L_s^2 where the lengths are well resolved), and what the boundary
    layer and `divergent` take from the rotational part is given to the velocity potential.

    Args:
        domain: grid.
        errors: standard deviations, lengths, balance.
        background: `temperature` [K], `pressure` [Pa], `qv` [kg kg-1], (nz, ny, nx).
        taper: cells inside the rim over which increments rise from zero; None where they reach to the edge.

    Raises:
        ConfigError: the taper is negative.
    """
    scales = Scales.of(errors)
    middle = float(domain.map_factor[domain.ny // 2, domain.nx // 2])
    y, x = domain.y / middle, domain.x / middle
    # Not that of the background: so the control variable keeps its size from one cycle to the next.
    log_pressure = standard_log_pressure(domain.zeta)
    pressure = np.exp(log_pressure)
    curvature = sum(scale.weight * wind_curvature(domain.spacing / middle, scale.length) for scale in scales.flow)
    per_wind = profile(errors, "wind", pressure) / np.sqrt(curvature)
    rotational = 1.0 - errors.divergent
    divergent = 1.0 - rotational * balance.wind_ratio(domain.zeta, errors) ** 2
    return BackgroundCovariance(
        psi=_terms(scales.flow, np.sqrt(rotational) * per_wind, log_pressure, y, x),
        chi=_terms(scales.flow, np.sqrt(divergent) * per_wind, log_pressure, y, x),
        temperature=_terms(scales.mass, profile(errors, "temperature", pressure), log_pressure, y, x),
        humidity=_terms(scales.humidity, profile(errors, "humidity", pressure), log_pressure, y, x),
        pressure=_terms(scales.mass, np.asarray(errors.surface_pressure), None, y, x),
        balance=balance.build(domain, errors, background, taper),
    )
