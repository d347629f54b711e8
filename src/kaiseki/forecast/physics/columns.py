"""The columns as the physics sees them: dry mass, temperature, wind and mixing ratios at cell centres; and the way back
into flux form.

Dry air of a cell is the one thing the physics does not change, so water is counted per kg of dry air here (mixing
ratios r, as against the model's
specific contents q), and heat capacity is that of the dry air: condensing dr warms by L dr / cp. The model's heat
variable follows from rho theta_m = theta (rho_d + Rv/Rd rho_v): it does not know of condensate, so falling rain changes
mass but not heat.

Water that moves between the layers has the velocity of the air that it leaves and takes that momentum along, out of the
model at the ground (Ooyama 2001, J. Atmos. Sci. 58, 2073-2102; Satoh 2003, Mon. Wea. Rev. 131, 1033-1050), so that
neither falling rain nor the mixing of vapour changes a uniform wind. What comes from the ground comes at rest. The fall
speed itself counts in no momentum: drops weigh on the air through the total density.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array, lax

from kaiseki.core.constants import EPSILON, GRAVITY, KAPPA, P0
from kaiseki.forecast.dynamics.acoustic import slope_flux
from kaiseki.forecast.dynamics.edges import OPEN, Edges
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.operators import mean, to_faces, to_interfaces
from kaiseki.forecast.dynamics.thermo import derive
from kaiseki.forecast.fields import WATER
from kaiseki.forecast.state import State


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Water:
    """Mixing ratios, kg per kg of dry air: vapour, cloud water, rain, cloud ice, snow; in the order of
    `fields.WATER`."""

    rv: Array
    rc: Array
    rr: Array
    ri: Array
    rs: Array

    def parts(self) -> tuple[Array, ...]:
        """The five in order."""
        return (self.rv, self.rc, self.rr, self.ri, self.rs)

    def total(self) -> Array:
        """All water per kg of dry air."""
        return self.rv + self.rc + self.rr + self.ri + self.rs


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Columns:
    """Cell-centre fields (z, y, x).

    dry: mass of dry air, kg per m2 of true area; temperature, K; pressure, Pa; exner; thickness, m; height above the
        ground, m; u, v: along the grid, m/s; water: mixing ratios.
    """

    dry: Array
    temperature: Array
    pressure: Array
    exner: Array
    thickness: Array
    height: Array
    u: Array
    v: Array
    water: Water

    @property
    def density(self) -> Array:
        """Density of the dry air, kg m-3."""
        return self.dry / self.thickness

    @property
    def theta_v(self) -> Array:
        """Virtual potential temperature without condensate, K."""
        return self.temperature / self.exner * (1.0 + self.water.rv / EPSILON) / (1.0 + self.water.rv)


def make_columns(state: State, metrics: Metrics, edges: Edges = OPEN) -> Columns:
    """Columns of a state."""
    derived = derive(state.drho, state.drt, metrics)
    none, carried = jnp.zeros_like(derived.mass), state.water.shape[0]
    q = [state.water[i] if i < carried else none for i in range(len(WATER))]
    dry_share = 1.0 - (q[0] + q[1] + q[2] + q[3] + q[4])
    water = Water(*(part / dry_share for part in q))
    pressure = metrics.p_ref + derived.p_prime
    exner = (pressure / P0) ** KAPPA
    theta = derived.theta / (dry_share * (1.0 + water.rv / EPSILON))
    u = mean(state.ru / (to_faces(derived.mass, -1, edges) * metrics.map_u), -1)
    v = mean(state.rv / (to_faces(derived.mass, -2, edges) * metrics.map_v), -2)
    return Columns(
        dry=derived.mass / metrics.area * dry_share,
        temperature=theta * exner,
        pressure=pressure,
        exner=exner,
        thickness=metrics.thickness,
        height=metrics.z - metrics.z_half[:1],
        u=u,
        v=v,
        water=water,
    )


def heat_change(columns: Columns, warming: Array, vapour: Array) -> Array:
    """Change of drt / area (K kg m-2) for a change of temperature (K) and of the vapour's mixing ratio at the state's
    pressure."""
    theta = columns.temperature / columns.exner
    new = 1.0 + (columns.water.rv + vapour) / EPSILON
    return columns.dry * (warming / columns.exner * new + theta * vapour / EPSILON)


def falling(dry: Array, change: Array) -> Array:
    """Water (z, y, x) that went down through the bottom of each layer, kg m-2 of true area, where the mixing ratio of
    all water changed by `change` in layers of dry mass `dry`; nothing comes through the model top."""
    return -lax.cumsum(dry * change, axis=0, reverse=True)


def momentum_of_water(ru: Array, rv: Array, mass: Array, down: Array, metrics: Metrics, edges: Edges) -> list[Array]:
    """Changes of ru and rv by the water that moved between the layers.

    Args:
        ru, rv: as in `State`, before.
        mass: (z, y, x) h a rho, before.
        down: see `falling`.
    """
    through = metrics.area * down
    found = []
    for flux, axis in ((ru, -1), (rv, -2)):
        specific, water = flux / to_faces(mass, axis, edges), to_faces(through, axis, edges)
        none = jnp.zeros_like(flux[:1])
        # Down with the momentum of the layer above the interface, up with that of the layer below; the ground is still.
        carried = water * jnp.where(water > 0.0, specific, jnp.concatenate([none, specific[:-1]]))
        found.append(jnp.concatenate([carried[1:], none]) - carried)
    return found


def momentum_after_fall(state: State, metrics: Metrics, down: Array, edges: Edges) -> tuple[Array, Array, Array]:
    """Momentum ru, rv and rw of a state in which water fell (see `falling`) but its momentum stayed, and drho is still
    that of before."""
    mass, h = metrics.volume * metrics.rho_ref + state.drho, metrics.thickness
    d_ru, d_rv = momentum_of_water(state.ru, state.rv, mass, down, metrics, edges)
    ru, rv = state.ru + d_ru, state.rv + d_rv
    inner = state.rw[1:-1]
    none = jnp.zeros_like(inner[:1])
    specific = jnp.concatenate([inner / (metrics.area * to_interfaces(mass / metrics.volume, h)), none])
    # Through the centres of the layers, which bound the cells of w.
    through = metrics.area * 0.5 * (down + jnp.concatenate([down[1:], none]))
    inner = inner + (through[1:] * specific[1:] - through[:-1] * specific[:-1]) / (0.5 * (h[1:] + h[:-1]))
    return ru, rv, jnp.concatenate([slope_flux(ru, rv, metrics)[:1], inner, state.rw[-1:]])


def specific_contents(water: Water, categories: int) -> Array:
    """Specific contents (q, z, y, x) of the first categories, kg per kg of total air."""
    share = 1.0 / (1.0 + water.total())
    return jnp.stack([part * share for part in water.parts()[:categories]])


def ground_pressure(columns: Columns) -> Array:
    """Pressure at the ground, Pa: hydrostatic below the lowest centre."""
    total = columns.dry[0] * (1.0 + columns.water.total()[0])
    return columns.pressure[0] + GRAVITY * total * (columns.height[0] / columns.thickness[0])
