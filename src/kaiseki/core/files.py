"""Files that an experiment names by patterns relative to a data folder."""

from __future__ import annotations

from pathlib import Path

from kaiseki.core.errors import ConfigError


def files_of(patterns: tuple[str, ...], data: Path | None, key: str) -> list[Path]:
    """The files that patterns name, in the order of the patterns and by name within one; each pattern at least one.

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
        matches = sorted(path for path in root.glob(pattern.lstrip("/")) if path.is_file())
        if not matches:
            raise ConfigError(f"No file matches {key} = {pattern!r} in {root}; check the pattern and the data folder")
        files += matches
    return files
