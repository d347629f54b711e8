"""Kaiseki: a regional reanalysis that anyone can run, and the platform that puts it to use.

`kaiseki.open(path)` opens an archive as an `xarray.Dataset`, `kaiseki.open_observations(path)` its observations with
their departures as an Arrow table. Nothing heavy is imported before one of them is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kaiseki.archive import observations as open_observations
    from kaiseki.archive import open_archive as open
else:

    def open(location: Any, *arguments: Any, **options: Any) -> Any:
        """The fields of an archive as an `xarray.Dataset`, read lazily; arguments as of `kaiseki.archive.open_archive`.

        `ds.kaiseki` of what comes out selects places, areas, heights, paths and periods.
        """
        from kaiseki.archive import open_archive

        return open_archive(location, *arguments, **options)

    def open_observations(location: Any, *arguments: Any, **options: Any) -> Any:
        """The observations of a run with their departures as an Arrow table; arguments as of
        `kaiseki.archive.observations`."""
        from kaiseki.archive import observations

        return observations(location, *arguments, **options)


__all__ = ["open", "open_observations"]
