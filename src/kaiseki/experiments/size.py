"""Memory that a grid takes, told from its numbers before anything is allocated, and the refusal of grids that are too
large for this machine."""

from __future__ import annotations

import math
from typing import Final

from kaiseki.config import DomainSettings
from kaiseki.core.errors import ResourceError
from kaiseki.core.memory import total_memory
from kaiseki.grid.build import specification_from_section

BYTES_PER_CELL: Final = 2600.0
"""Peak memory per cell of a run: state, boundaries, tendencies, trajectory, covariance; provisional, measured at 60 km
only."""
BASE_BYTES: Final = 1.6e9
"""Memory of the program itself, its compiler included."""
GEOMETRY_BYTES: Final = 60.0
"""Memory per cell of a grid and of the checks of its levels and time steps over terrain, bytes; 58 in grids of
200 x 200 and 300 x 300 cells with 76 levels."""
MEMORY_PART: Final = 0.9
"""Part of this machine's memory up to which a run is let begin."""


def cells_of(section: DomainSettings) -> int:
    """Number of cells of the grid that a section describes."""
    grid = specification_from_section(section)
    return math.prod(grid.shape) * (len(grid.interfaces) - 1)


def check_run_fits(section: DomainSettings, name: str) -> None:
    """Refuse a grid whose run would need more memory than this machine has, whatever its engine.

    Raises:
        ResourceError: says what would be needed and what is there.
    """
    refuse_memory(name, BASE_BYTES + BYTES_PER_CELL * cells_of(section))


def check_grid_fits(section: DomainSettings, name: str) -> None:
    """Refuse a grid that this machine could not even lay out, for no option helps there.

    Raises:
        ResourceError: says what would be needed and what is there.
    """
    refuse_memory(f"The grid of {name} alone", GEOMETRY_BYTES * cells_of(section), insist="")


def refuse_memory(what: str, needed: float, insist: str = ", or insist with --force") -> None:
    """Refuse what needs more memory than this machine has; nothing where that is not known.

    Args:
        what: needs it.
        needed: bytes.
        insist: what else a user can do, a clause.

    Raises:
        ResourceError: says what would be needed and what is there.
    """
    if too_much(needed):
        there = total_memory() or 0
        raise ResourceError(
            f"{what} needs about {needed / 1e9:.0f} GB of memory and this machine has {there / 1e9:.0f} GB; take "
            f"a coarser spacing or a smaller domain, a GPU or a cluster{insist}"
        )


def too_much(needed: float) -> bool:
    """Whether so many bytes are more than this machine can give a run; False where that is not known."""
    there = total_memory()
    return there is not None and needed > MEMORY_PART * there
