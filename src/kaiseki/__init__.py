"""Kaiseki: a regional reanalysis that anyone can run, and the platform that puts it to use.

`kaiseki.open(path)` opens an archive as an `xarray.Dataset`, `kaiseki.open_observations(path)` its observations with
their departures as an Arrow table. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kaiseki.archive import observations as open_observations
    from kaiseki.archive import open_archive as open

__all__ = ["open", "open_observations"]


def __getattr__(name: str) -> Any:
    if name == "open":
        from kaiseki.archive import open_archive

        return open_archive
    if name == "open_observations":
        from kaiseki.archive import observations

        return observations
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
