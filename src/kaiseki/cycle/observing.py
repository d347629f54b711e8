"""The observations of a run: read once, doubted once, divided once; then what one window may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kaiseki.config import Experiment
from kaiseki.core.timing import Window
from kaiseki.grid import Domain
from kaiseki.observations import Table
from kaiseki.observations.errors import Profile, assign, overridden
from kaiseki.observations.quality.run import FlagCount, run_all
from kaiseki.observations.selection import select
from kaiseki.observations.sources.prepbufr import PrepbufrSource
from kaiseki.observations.sources.registry import read_source
from kaiseki.observations.thinning import thin, thin_levels
from kaiseki.observations.windows import Observed
from kaiseki.observations.windows import select as in_window
from kaiseki.observations.withholding import assign_folds, withhold

MARGIN = 2.0
"""Margin beyond the widest domain within which reports are kept, in degrees: the buddy check looks over its edge."""


def box_around(domain: Domain, margin: float = MARGIN) -> tuple[float, float, float, float]:
    """West, south, east, north (degrees, -180..180) of a domain with a margin; west > east across the date line."""
    south, north, west, east = domain.box(domain.lat, domain.lon)
    south, north = max(south - margin, -90.0), min(north + margin, 90.0)
    west, east = west - margin, east + margin

    def wrapped(angle: float) -> float:
        return float((angle + 180.0) % 360.0 - 180.0)

    if east - west >= 360.0:
        return -180.0, float(south), 180.0, float(north)
    return wrapped(west), float(south), wrapped(east), float(north)


def read_reports(paths: Sequence[Path], domain: Domain, others: Mapping[str, Sequence[Path]] | None = None) -> Table:
    """All reports of the files on a domain and a little around it.

    Args:
        paths: PREPBUFR files.
        domain: whose reports are wanted.
        others: files of sources that plug-ins bring, by the name of the source.

    Raises:
        InputError: a file is absent, damaged or of another kind.
    """
    box = box_around(domain)
    tables = [PrepbufrSource(list(paths)).read(box=box)] if paths else []
    for name, files in (others or {}).items():
        found = read_source(name, files, box)
        # Numbers of reports are those of one source; here they have to differ.
        first = max((int(table.column("report").max()) + 1 for table in tables if len(table)), default=0)
        tables.append(found.with_columns(report=found.column("report") + first))
    return Table.concat(tables)


def quality_controlled(table: Table, experiment: Experiment, domain: Domain) -> tuple[Table, tuple[FlagCount, ...]]:
    """Divide the stations, run every check that needs no model, and say what each value is for.

    Stations are set aside before anything looks at their neighbours, so that no withheld value judges another station.

    Args:
        table: reports of the whole period.
        experiment: folds, seed and kinds.
        domain: the widest domain, whose land says where ships cannot be.

    Returns:
        The same rows with `withheld` and `flags`, and the counts of the checks.
    """
    settings = experiment.observations
    if settings.folds:
        table = withhold(table, assign_folds(table, settings.seed, settings.folds), settings.fold)
    checked = run_all(table, domain)
    return select(checked.table, settings.kinds), checked.summary


def error_table(experiment: Experiment) -> dict[tuple[str, str], Profile]:
    """Observation errors of the experiment: the table with its overrides."""
    changes: dict[tuple[str, str], Profile] = {
        (o.kind, o.quantity): Profile(o.pressure, o.error) for o in experiment.observations.errors
    }
    return overridden(changes)


def of_window(table: Observed, window: Window, experiment: Experiment, interfaces: np.ndarray) -> Table:
    """Observations of one analysis: the reports of (start, end], thinned and with errors.

    Args:
        table: from `quality_controlled`, or the file that it was written to, of which the window alone is read.
        window: of the analysis.
        experiment: thinning and errors.
        interfaces: typical pressures of the model's interfaces [Pa], falling.
    """
    part = in_window(table, window)
    if not len(part):
        return part
    settings = experiment.observations
    part = thin(part, window.end, {str(kind): apart for kind, apart in settings.thinning.items()})
    part = thin_levels(part, [float(p) for p in interfaces])
    return assign(part, error_table(experiment))
