"""Building of a domain from the experiment's section `domain`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.config import DomainSettings, Levels
from kaiseki.core.errors import ConfigError
from kaiseki.core.files import files_of
from kaiseki.grid.domain import Domain
from kaiseki.grid.levels import stretched_interfaces
from kaiseki.grid.presets import GridSpecification, specification, usual_rim


def interfaces(levels: Levels) -> tuple[float, ...]:
    """Nominal heights of the level interfaces, m, from the table or from number, top and lowest thickness."""
    if levels.table:
        return levels.table
    return tuple(stretched_interfaces(levels.number, levels.top, levels.first_thickness, levels.stretching).tolist())


def specification_from_section(section: DomainSettings, name: str = "domain") -> GridSpecification:
    """The numbers of the grid: those of the preset with what stands beside it put in their place, or explicit ones."""
    given: dict[str, Any] = {
        field: value
        for field in (
            "projection",
            "spacing",
            "shape",
            "reference_latitude",
            "reference_longitude",
            "reference_index",
            "standard_parallels",
            "central_longitude",
            "rim_width",
        )
        if (value := getattr(section, field)) is not None
    }
    if section.levels is not None:
        given |= {"interfaces": interfaces(section.levels), "terrain_decay": section.levels.terrain_decay}
    if section.preset is not None:
        return dataclasses.replace(specification(section.preset), **given)
    given.setdefault("interfaces", interfaces(Levels()))
    given.setdefault("rim_width", usual_rim(given["spacing"]))
    return GridSpecification(name=name, **given)


def _check_folding(domain: Domain) -> None:
    thinnest = np.diff(domain.z_half, axis=0).min(axis=(1, 2))
    if thinnest.min() <= 0.0:
        k = int(np.argmin(thinnest))
        raise ConfigError(
            f"The levels of {domain.name} fold over terrain of {domain.terrain.max():.0f} m (layer {k}); "
            "raise levels.terrain_decay or the top."
        )


def domain_from_section(section: DomainSettings, data_root: Path | None = None, name: str = "domain") -> Domain:
    """The grid with its terrain and land.

    Args:
        section: `Experiment.domain` or `Experiment.driving.coarse`.
        data_root: folder to which the files of the section are relative.
        name: what an explicit grid is called; a preset keeps its own.

    Raises:
        ConfigError: numbers that make no grid, or a pattern that matches no file.
        InputError: a file of terrain or land that cannot be used, or cells that no file covers.
    """
    domain = specification_from_section(section, name).domain()
    if section.terrain == "flat":
        return domain
    # Late, for these need SciPy, and a flat grid is there for the client too.
    from kaiseki.grid import island_arc, terrain
    from kaiseki.grid.smoothing import smooth

    if section.terrain == "analytic":
        height, land = island_arc.on(domain)
    else:
        if not section.mask_files:
            raise ConfigError('terrain = "files" needs domain.mask_files too: where is land and where sea.')
        height, land = terrain.from_files(
            domain,
            files_of(section.terrain_files, data_root, "domain.terrain_files"),
            files_of(section.mask_files, data_root, "domain.mask_files"),
            section.terrain_voids,
        )
    domain = domain.with_terrain(smooth(height, domain, section.terrain_smoothing), land)
    _check_folding(domain)
    return domain
