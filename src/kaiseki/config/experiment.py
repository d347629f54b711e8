"""The experiment: one frozen description of a run, read from one TOML file and saved with the run.

It is the only configuration there is. Lengths are in metres, pressures in pascals, time steps in seconds; where a key
ends in `_hours` it counts hours. Paths and glob patterns are relative to the data root given to the command.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from kaiseki.config.assimilation import Assimilation
from kaiseki.config.base import Section
from kaiseki.config.domain import DomainSettings
from kaiseki.config.driving import Driving
from kaiseki.config.dynamics import Dynamics
from kaiseki.config.observations import Observations
from kaiseki.config.outcome import Archive, Twin, Verification
from kaiseki.config.period import Case, Period
from kaiseki.config.physics import Physics
from kaiseki.config.writing import to_mapping, to_toml
from kaiseki.core.errors import ConfigError
from kaiseki.core.files import write_text
from kaiseki.core.timing import JST, format_utc


@dataclass(frozen=True, kw_only=True)
class Experiment(Section):
    """Everything that decides what a run computes."""

    case: Case
    domain: DomainSettings
    period: Period
    observations: Observations = field(default_factory=Observations)
    assimilation: Assimilation = field(default_factory=Assimilation)
    dynamics: Dynamics = field(default_factory=Dynamics)
    physics: Physics = field(default_factory=Physics)
    driving: Driving = field(default_factory=Driving)
    archive: Archive = field(default_factory=Archive)
    verification: Verification = field(default_factory=Verification)
    twin: Twin | None = None
    """Settings of the nature run, in twin experiments only; defaults where the file says nothing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.case.kind == "twin" and self.twin is None:
            object.__setattr__(self, "twin", Twin())
        if self.case.kind == "real" and not self.has_observations and self.assimilation.engine != "none":
            raise ConfigError(
                'kind = "real" needs observations.files or observations.sources, unless assimilation.engine = "none"'
            )
        if self.case.kind == "twin" and self.driving.steady:
            raise ConfigError('driving.steady belongs to kind = "real" only')
        if self.case.kind == "real" and self.twin is not None:
            raise ConfigError('the section twin belongs to kind = "twin" only')

    @classmethod
    def load(cls, path: str | Path) -> Experiment:
        """Read and check an experiment file.

        Raises:
            ConfigError: the file is absent, is not TOML, has an unknown key or a wrong value; one sentence says which.
        """
        from kaiseki.config.reading import read_toml

        path = Path(path)
        return cls.from_mapping(read_toml(path), source=str(path))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, source: str = "experiment") -> Experiment:
        """Check values that were read elsewhere; `source` names them in the message.

        Raises:
            ConfigError: as `load`.
        """
        # Late, so that the model runs where pydantic is not installed.
        from kaiseki.config.reading import validated

        return validated(cls, values, source)

    def as_mapping(self) -> dict[str, Any]:
        """All values as TOML and JSON know them, times as ISO 8601 text; `from_mapping` gives back an equal one."""
        return to_mapping(self)

    def to_toml(self) -> str:
        """The whole experiment, defaults included, as TOML; `load` gives back an equal one."""
        return to_toml(to_mapping(self, times_as_text=False, without_none=True))

    def save(self, path: str | Path) -> None:
        """Write `to_toml` to a file, whole or not at all.

        Raises:
            StoreError, ResourceError: as `core.files.whole_file`.
        """
        write_text(Path(path), self.to_toml())

    @property
    def civil_time(self) -> tzinfo | None:
        """What reports show beside UTC: the configured time zone, else JST on a preset of Japan that was not moved.

        None shows nothing.
        """
        zone, domain = self.case.time_zone, self.domain
        if zone is not None:
            return None if zone == "UTC" else ZoneInfo(zone)
        moved = (domain.reference_latitude, domain.reference_longitude, domain.reference_index)
        return JST if (domain.preset or "").startswith("japan-") and moved == (None, None, None) else None

    @property
    def has_observations(self) -> bool:
        """Whether files of observations are named; a real case without them makes forecasts alone."""
        return bool(self.observations.files or self.observations.sources)

    @property
    def steady_words(self) -> str:
        """What every report, log and store says of driving fields that are held constant; empty where they are not."""
        if not self.driving.steady:
            return ""
        return (
            f"The driving fields are steady (driving.steady): the analysis of {format_utc(self.period.first)} is held "
            "constant in time."
        )

    @property
    def remarks(self) -> dict[str, str]:
        """Global attributes of every store made with this experiment that say what must not be overlooked."""
        return {"driving_fields": self.steady_words} if self.steady_words else {}

    def to_json(self) -> str:
        """The whole experiment as JSON, as it is stored in the archive."""
        return json.dumps(self.as_mapping(), ensure_ascii=False)

    def digest(self) -> str:
        """Hexadecimal SHA-256 of all values: two runs with the same digest were asked to compute the same."""
        text = json.dumps(self.as_mapping(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
