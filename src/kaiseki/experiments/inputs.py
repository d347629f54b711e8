"""What an experiment needs from outside, and what of it is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kaiseki.acquisition.descriptor import known, source
from kaiseki.config import DomainSettings, Experiment
from kaiseki.core.errors import ConfigError
from kaiseki.core.files import files_of, size_of


@dataclass(frozen=True)
class Input:
    """Files that a key of an experiment names.

    Attributes:
        key: of the experiment.
        what: their content in words.
        pattern: path or pattern under the data folder.
        needed: whether a run ends without them; coastlines are for the maps alone.
        files: number of files found, of which a store of many files is one; None without a data folder.
        bytes: of these.
        stores: number of the files that are stores.
    """

    key: str
    what: str
    pattern: str
    needed: bool
    files: int | None
    bytes: int
    stores: int = 0

    @property
    def missing(self) -> bool:
        """Whether they are known not to be there."""
        return self.files == 0

    def sentence(self) -> str:
        """One line for the user."""
        if self.files is None:
            state = "not looked for, since no data folder is given"
        elif self.missing:
            state = "missing" if self.needed else "missing (only maps need it)"
        else:
            counts = {"file": self.files - self.stores, "store": self.stores}
            words = [f"{number} {name}{'s' if number > 1 else ''}" for name, number in counts.items() if number]
            state = f"{' and '.join(words)}, {size_words(self.bytes)}"
        return f"{self.what} ({self.key} = {self.pattern}): {state}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def size_words(number: float) -> str:
    """Bytes in words, such as "1.4 GB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000.0
    return f"{number:.3g} TB"


def inputs(experiment: Experiment, data: Path | None) -> list[Input]:
    """The files that an experiment names, in the order in which a run reads them; patterns without a file are missing.

    Args:
        experiment: any.
        data: folder to which patterns are relative; None looks for absolute ones alone.
    """
    return [_found(key, what, pattern, needed, data) for key, what, pattern, needed in _named(experiment)]


def source_of(pattern: str) -> str | None:
    """Name of the source that `kaiseki fetch` brings files of a pattern from, None where there is none."""
    place = PurePosixPath(pattern)
    return next((name for name in known() if place.is_relative_to(source(name).folder)), None)


def terrain_is_there(experiment: Experiment, data: Path | None) -> bool:
    """Whether everything is there from which the terrain of the domain is made."""
    needed = [one for one in inputs(experiment, data) if one.key in ("domain.terrain_files", "domain.mask_files")]
    return all(one.files for one in needed)


def _named(experiment: Experiment) -> Iterator[tuple[str, str, str, bool]]:
    """Key, content, pattern and whether it is needed."""
    yield from _of_domain("domain", experiment.domain)
    driving = experiment.driving
    if experiment.case.kind == "real":
        for pattern in driving.first_guess_files:
            yield "driving.first_guess_files", "global analyses", pattern, True
        for pattern in driving.sea_temperature_files:
            yield "driving.sea_temperature_files", "sea temperature", pattern, True
        for pattern in driving.sea_ice_files:
            yield "driving.sea_ice_files", "sea ice", pattern, True
        if driving.coarse is not None:
            yield from _of_domain("driving.coarse", driving.coarse)
        for pattern in experiment.observations.files:
            yield "observations.files", "observations", pattern, True
        for name, patterns in experiment.observations.sources.items():
            for pattern in patterns:
                yield f"observations.sources.{name}", f"observations of {name}", pattern, True


def _of_domain(key: str, section: DomainSettings) -> Iterator[tuple[str, str, str, bool]]:
    if section.terrain == "files":
        for pattern in section.terrain_files:
            yield f"{key}.terrain_files", "terrain", pattern, True
        for pattern in section.mask_files:
            yield f"{key}.mask_files", "land-sea mask", pattern, True
    for pattern in section.coast_files:
        yield f"{key}.coast_files", "coastlines", pattern, False


def _found(key: str, what: str, pattern: str, needed: bool, data: Path | None) -> Input:
    if data is None and not Path(pattern).is_absolute():
        return Input(key, what, pattern, needed, None, 0)
    try:
        files = files_of((pattern,), data, key)
    except ConfigError:
        return Input(key, what, pattern, needed, 0, 0)
    stores = sum(path.is_dir() for path in files)
    return Input(key, what, pattern, needed, len(files), sum(map(size_of, files)), stores)
