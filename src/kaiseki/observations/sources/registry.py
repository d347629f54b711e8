"""Sources of observations that plug-ins bring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kaiseki.core import plugins
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.observations.table import Table

type Box = tuple[float, float, float, float]
"""West, south, east, north in degrees, ends included; west > east crosses the date line."""


class ObservationSource(ABC):
    """A reader of files of reports. It is registered in the group `kaiseki.observation_sources` under the name that
    its reports have as `kind`; `kaiseki.testing.check_observation_source` says whether it keeps the contract.

    Its values are assimilated when the experiment names the kind in `observations.kinds`, with the errors in the column
    `error`, or those of `observations.errors`, and less what the column `bias_correction` holds.
    """

    @abstractmethod
    def read(self, paths: Sequence[Path], box: Box | None = None) -> Table:
        """The reports of the files in a region.

        Args:
            paths: files.
            box: region; all the world by default.

        Returns:
            One row per value, SI units, times in UTC, `kind` the name under which the source is registered; rows of one
            report share a number in `report`.

        Raises:
            InputError: a file cannot be read; the sentence says which and what was expected.
        """


def source(name: str) -> ObservationSource:
    """A registered source.

    Raises:
        ConfigError: there is none, or it cannot be imported or does not keep the contract.
    """
    return plugins.make("observation_sources", name, ObservationSource)  # type: ignore[type-abstract]


def read_source(name: str, paths: Sequence[Path], box: Box | None = None) -> Table:
    """The reports that a registered source reads.

    Raises:
        ConfigError: there is no such source, or it does not keep the contract.
        InputError: a file cannot be read, or the source gives reports of another kind.
    """
    table: Any = source(name).read(paths, box)
    if not isinstance(table, Table):
        raise ConfigError(f"The source {name} gave a {type(table).__name__}; it must give an observations.Table")
    others = sorted(set(table.column("kind")) - {name}) if len(table) else []
    if others:
        raise InputError(f"The source {name} gave reports of kind {others[0]}; its reports must have the kind {name}")
    return table
