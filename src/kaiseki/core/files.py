"""Files that an experiment names by patterns relative to a data folder."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from kaiseki.core.errors import ConfigError


def files_of(patterns: tuple[str, ...], data: Path | None, key: str) -> list[Path]:
    """The files that patterns name, in the order of the patterns and by name within one; each pattern at least one.

    A name that exists is that file or folder, whatever characters are in it: `ERA5 [Japan] 2024.nc` is no pattern where
    there is a file of that name.

    Args:
        patterns: paths or glob patterns, absolute or relative to the data folder.
        data: the data folder.
        key: of the experiment, for messages.

    Raises:
        ConfigError: a pattern matches nothing, or is relative and there is no data folder.
    """
    files: list[Path] = []
    for pattern in patterns:
        absolute = Path(pattern).is_absolute()
        if data is None and not absolute:
            raise ConfigError(
                f"{key} = {pattern!r} is relative to a data folder, but none was given; name it with --data"
            )
        root = Path("/") if absolute or data is None else data
        matches = _matches(root, pattern.lstrip("/"))
        if not matches:
            raise ConfigError(f"No file matches {key} = {pattern!r} in {root}; check the pattern and the data folder")
        files += matches
    return files


def _matches(root: Path, pattern: str) -> list[Path]:
    """Files under a folder that a pattern names, sorted; its leading parts are literal as long as they exist."""
    base, rest = root, list(PurePath(pattern).parts)
    while rest and os.path.exists(base / rest[0]):  # noqa: PTH110 - unlike Path.exists it never raises
        base /= rest.pop(0)
    found = base.glob("/".join(rest)) if rest else iter([base])
    return sorted(path for path in found if path.is_file())
