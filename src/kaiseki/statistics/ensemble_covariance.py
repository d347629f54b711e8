"""Covariances that an ensemble gives, localised; alone, or joined with the static covariance.

The square root of the localised covariance is x = sum over members of X_k * (L v_k): the anomaly of each member is
multiplied by a smooth field of its own (Lorenc 2003, Q. J. R. Meteorol. Soc. 129, 3183-3203; Buehner 2005, ibid. 131,
1013-1043). L L^T is a Gaussian correlation of the height and the place alone, so wind, mass and humidity keep what the
ensemble says of one another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kaiseki.core.errors import ConfigError
from kaiseki.diagnostics.standard_atmosphere import standard_log_pressure
from kaiseki.grid import Domain
from kaiseki.grid.coarsening import Coarsening
from kaiseki.statistics.balance import ANALYSIS_VARIABLES, Increment
from kaiseki.statistics.correlation import apply, gaussian, square_root
from kaiseki.statistics.covariance import Covariance, Factors

GAUSSIAN = math.sqrt(0.3)
"""Length of the Gaussian that is near to the correlation of Gaspari and Cohn (1999, section 4.3), in half-widths."""


def localisation(domain: Domain, length: float, depth: float) -> Factors:
    """Square root of the localising correlation on a domain.

    Args:
        domain: of the members.
        length, depth: half-widths of the taper of Gaspari and Cohn that it is near to [m], [ln p].
    """
    middle = float(domain.map_factor[domain.ny // 2, domain.nx // 2])
    # A hundredth of the variance may go: the taper needs no more, and the control variable is several times smaller.
    kept = 0.99
    along = [square_root(gaussian(axis / middle, GAUSSIAN * length), kept) for axis in (domain.y, domain.x)]
    upwards = square_root(gaussian(standard_log_pressure(domain.zeta), GAUSSIAN * depth), kept)
    return Factors(*(jnp.asarray(part) for part in (upwards, *along)))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class EnsembleCovariance:
    """Square root of a localised covariance; a pytree of arrays.

    Attributes:
        localisation: L.
        anomalies: (N, m, nz, ny, nx) of members over sqrt(N-1); m fields share one localisation.
    """

    localisation: Factors
    anomalies: Any

    @property
    def control_size(self) -> int:
        """Number of control values."""
        return int(self.anomalies.shape[0]) * self.localisation.size

    def sqrt(self, control: Any) -> Any:
        """Fields (m, nz, ny, nx) of a control vector (n,)."""
        one = self.localisation
        blocks = control.reshape(-1, *one.control_shape)
        tapers = jax.vmap(lambda block: apply(one.z, one.y, one.x, block))(blocks)
        return jnp.einsum("nkji,nmkji->mkji", tapers, self.anomalies)

    def sqrt_transpose(self, fields: Any) -> Any:
        """Control vector (n,) of fields (m, nz, ny, nx): the exact adjoint of `sqrt`."""
        shape = jax.ShapeDtypeStruct((self.control_size,), self.localisation.z.dtype)
        return jax.linear_transpose(self.sqrt, shape)(fields)[0]


def of_ensemble(domain: Domain, anomalies: np.ndarray, length: float, depth: float) -> EnsembleCovariance:
    """The localised covariance of members on a domain.

    Args:
        domain: of the members.
        anomalies: (N, m, nz, ny, nx), members less their mean.
        length, depth: see `localisation`.
    """
    if len(anomalies) < 2:
        raise ConfigError(f"An ensemble covariance needs at least two members; got {len(anomalies)}")
    scaled = jnp.asarray(anomalies / np.sqrt(len(anomalies) - 1.0), dtype=float)
    return EnsembleCovariance(localisation(domain, length, depth), scaled)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class HybridCovariance:
    """Hybrid covariance B = (1 - s) B_static + s B_ensemble, the members on a coarser grid than the increments (Hamill
    and Snyder 2000, Mon. Wea. Rev. 128, 2905-2919). Make one with `hybrid`.

    Attributes:
        static: on the outer grid.
        ensemble: of `ANALYSIS_VARIABLES`.
        roots: (2,) of 1 - s and of s.
        y, x: (ny, J), (nx, I) interpolation from the members' grid.
        mask: (ny, nx), see `balance.rim_mask`.
    """

    static: Covariance
    ensemble: EnsembleCovariance
    roots: Any
    y: Any
    x: Any
    mask: Any

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (nz, ny, nx) of the increments."""
        return self.static.shape

    @property
    def control_size(self) -> int:
        """Number n of control values."""
        return self.static.control_size + self.ensemble.control_size

    def sqrt(self, control: Any) -> Increment:
        """Increment of a control vector (n,): S v."""
        number = self.static.control_size
        static = self.static.sqrt(control[:number])
        coarse = self.ensemble.sqrt(control[number:])
        fine = self.mask * jnp.einsum("jJ,mkJI,iI->mkji", self.y, coarse, self.x)
        of_static, of_ensemble = self.roots
        return {name: of_static * static[name] + of_ensemble * fine[i] for i, name in enumerate(ANALYSIS_VARIABLES)}

    def sqrt_transpose(self, increment: Increment) -> Any:
        """Control vector (n,) of an increment-shaped dictionary: S^T x, the exact adjoint of `sqrt`."""
        shape = jax.ShapeDtypeStruct((self.control_size,), self.mask.dtype)
        return jax.linear_transpose(self.sqrt, shape)(increment)[0]


def hybrid(static: Covariance, ensemble: EnsembleCovariance, share: float, coarsening: Coarsening) -> HybridCovariance:
    """Static and ensemble covariance joined; the ensemble's increments fall to zero towards the rim as the static ones.

    Args:
        static: on the fine grid of `coarsening`.
        ensemble: of `ANALYSIS_VARIABLES` on its coarse one.
        share: s, part of the variance that is the ensemble's, 0..1.
        coarsening: see above.
    """
    if not 0.0 <= share <= 1.0:
        raise ConfigError(f"The ensemble's share of the background variance must lie in 0 to 1; got {share}")
    parts = (np.sqrt([1.0 - share, share]), coarsening.back_y, coarsening.back_x, static.mask)
    return HybridCovariance(static, ensemble, *(jnp.asarray(part, dtype=float) for part in parts))
