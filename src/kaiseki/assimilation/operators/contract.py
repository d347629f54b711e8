"""What an observation operator of one's own takes and gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import Any, ClassVar

from kaiseki.core import plugins


class ObservationOperator(ABC):
    """Observation operator of a plug-in: from model columns to the values of one quantity, differentiable in JAX. It is
    registered in the group `kaiseki.observation_operators` under the name of the quantity;
    `kaiseki.testing.check_operator` says whether it keeps the contract.

    Attributes:
        at_level: whether a value lies at a pressure or height of its own, and exists only between the model's ground
            and top; otherwise it is of the whole column, and exists wherever there is a column.
    """

    at_level: ClassVar[bool] = True

    @abstractmethod
    def equivalent(self, profiles: Any, columns: Any, wanted: Any) -> Any:
        """What the model would have observed, (n,).

        Args:
            profiles: `equivalents.Profiles` of the column of each value, (n, nz): u, v along the grid [m s-1],
                temperature [K], log_pressure ln(p / P0), qv [kg kg-1].
            columns: `equivalents.ColumnPlaces` of each value: height (n, nz) of the levels and terrain (n,) [m], cosine
                and sine of the grid's rotation.
            wanted: `equivalents.ValuePlaces`: the vertical coordinate of each value, to which `equivalents.at_levels`
                interpolates a profile, and `reduction`, the factor from the wind at the lowest level to that at 10 m
                for values of surface stations (1 for others).

        Rows of other quantities are there too and may give anything. Derivatives must be finite, in calm and dry air
        too.
        """


@cache
def operator(quantity: str) -> ObservationOperator:
    """The operator of a quantity that a plug-in brings.

    Raises:
        ConfigError: there is none, or it does not keep the contract.
    """
    return plugins.make("observation_operators", quantity, ObservationOperator)  # type: ignore[type-abstract]
