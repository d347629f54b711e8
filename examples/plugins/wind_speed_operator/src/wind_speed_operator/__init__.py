"""Wind speed [m s-1], for reports that give no direction: anemometers of buildings, altimeters over the sea.

Anything that is written in JAX and returns one number per value is an operator: the tangent-linear and adjoint forms
that the variational engines need come from automatic differentiation.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from kaiseki.assimilation.operators import ObservationOperator
from kaiseki.assimilation.operators.equivalents import at_levels

CALM = 0.1
"""Speed that is added in quadrature [m s-1]. Without it the derivative at rest, u / |u|, would be 0 / 0."""


class WindSpeed(ObservationOperator):
    """Speed of the horizontal wind at the pressure or height of each value; at surface stations the wind at 10 m."""

    def equivalent(self, profiles: Any, columns: Any, wanted: Any) -> Any:
        """Speed of the model's wind at each value, (n,) [m s-1]; see `ObservationOperator.equivalent`."""
        u = at_levels(profiles.u, profiles, columns, wanted)
        v = at_levels(profiles.v, profiles, columns, wanted)
        # u and v lie along the grid. Turning them to east and north would not change the speed.
        return wanted.reduction * jnp.sqrt(u**2 + v**2 + CALM**2)
