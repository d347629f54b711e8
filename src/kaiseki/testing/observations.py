"""Conformance of sources of observations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kaiseki.observations import Table
from kaiseki.observations.sources.registry import ObservationSource


def check_observation_source(source: ObservationSource, name: str, paths: Sequence[Path]) -> None:
    """Read files with a source and check what the contract promises.

    Args:
        source: to be checked.
        name: under which it is registered.
        paths: files that it reads, with reports of more than one place.

    Raises:
        AssertionError: says what was not kept.
    """
    assert isinstance(source, ObservationSource), "a source is an instance of a subclass of ObservationSource"
    table = source.read(paths)
    assert isinstance(table, Table), "a source gives a table of observations"
    assert len(table), "the files hold reports"
    assert set(table.column("kind")) == {name}, "reports have the name of the source as kind"
    assert np.isfinite(table.column("value")).all(), "values are finite"
    reports, rows = np.unique(table.column("report"), return_inverse=True)
    for column in ("latitude", "longitude"):
        least, greatest = np.full(len(reports), np.inf), np.full(len(reports), -np.inf)
        np.minimum.at(least, rows, table.column(column))
        np.maximum.at(greatest, rows, table.column(column))
        assert (greatest - least < 10.0).all(), (
            f"rows of one report share its number: their {column} is nearly the same"
        )
    again = source.read(paths)
    assert np.array_equal(again.column("value"), table.column("value")), "the same files give the same table"
    latitude, longitude = table.column("latitude"), table.column("longitude")
    south, north = np.percentile(latitude, [0.0, 50.0])
    part = source.read(paths, (-180.0, float(south), 180.0, float(north)))
    wanted = (latitude >= south) & (latitude <= north)
    assert len(part) == int(wanted.sum()), "a box keeps just the reports within it"
    assert (np.abs(longitude) <= 180.0).all(), "longitudes run from -180 to 180"
