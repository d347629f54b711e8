"""The experiment: one frozen description of a run, read from one TOML file and saved with the run.

It is the only configuration there is. Lengths are in metres, pressures in pascals, time steps in seconds; where a key
ends in `_hours` it counts hours. Paths and glob patterns are relative to the data root given to the command.
"""

from __future__ import annotations

import hashlib
import json
from datetime import tzinfo
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, model_validator

from kaiseki.core.experiment.analysis import Assimilation, BackgroundError, DigitalFilter, Engine
from kaiseki.core.experiment.base import Section
from kaiseki.core.experiment.model import Driving, Dynamics, Physics
from kaiseki.core.experiment.observing import ErrorOverride, Kind, Observations, Quantity
from kaiseki.core.experiment.outcome import Archive, Twin, Verification
from kaiseki.core.experiment.place import Case, Domain, Levels, Period, Preset
from kaiseki.core.experiment.reading import explain, read_toml
from kaiseki.core.experiment.writing import to_toml
from kaiseki.core.files import write_text
from kaiseki.core.timing import JST


class Experiment(Section):
    """Everything that decides what a run computes."""

    case: Case
    domain: Domain
    period: Period
    observations: Observations = Field(default_factory=Observations)
    assimilation: Assimilation = Field(default_factory=Assimilation)
    dynamics: Dynamics = Field(default_factory=Dynamics)
    physics: Physics = Field(default_factory=Physics)
    driving: Driving = Field(default_factory=Driving)
    archive: Archive = Field(default_factory=Archive)
    verification: Verification = Field(default_factory=Verification)
    twin: Twin | None = None
    """Present in every twin experiment, with its defaults where the file says nothing, and in no other."""

    @model_validator(mode="before")
    @classmethod
    def _twin_defaults(cls, values: Any) -> Any:
        case = values.get("case") if isinstance(values, dict) else None
        if isinstance(case, dict) and case.get("kind") == "twin" and values.get("twin") is None:
            return {**values, "twin": {}}
        return values

    @model_validator(mode="after")
    def _sources(self) -> Self:
        if self.case.kind == "real" and not self.observations.files:
            raise ValueError('kind = "real" needs observations.files')
        if self.case.kind == "real" and self.twin is not None:
            raise ValueError('the section twin belongs to kind = "twin" only')
        return self

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read and check an experiment file.

        Raises:
            ConfigError: the file is absent, is not TOML, has an unknown key or a wrong value; one sentence says which.
        """
        path = Path(path)
        return cls.from_mapping(read_toml(path), source=str(path))

    @classmethod
    def from_mapping(cls, values: dict[str, Any], *, source: str = "experiment") -> Self:
        """Check values that were read elsewhere; `source` names them in the message.

        Raises:
            ConfigError: as `load`.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise explain(error, cls, source) from None

    def to_toml(self) -> str:
        """The whole experiment, defaults included, as TOML; `load` gives back an equal one."""
        return to_toml(self.model_dump(exclude_none=True))

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

    def digest(self) -> str:
        """Hexadecimal SHA-256 of all values: two runs with the same digest were asked to compute the same."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def schema_text(cls) -> str:
        """JSON schema of the file, indented."""
        return json.dumps(cls.model_json_schema(), indent=2)


__all__ = [
    "Archive",
    "Assimilation",
    "BackgroundError",
    "Case",
    "DigitalFilter",
    "Domain",
    "Driving",
    "Dynamics",
    "Engine",
    "ErrorOverride",
    "Experiment",
    "Kind",
    "Levels",
    "Observations",
    "Period",
    "Physics",
    "Preset",
    "Quantity",
    "Twin",
    "Verification",
]
