"""Conformance of readers of global analyses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kaiseki.driving.sources.registry import HEAD_BYTES, DrivingSource, IndexedSource

DIMENSIONS = ("time", "pressure", "latitude", "longitude")
"""Dimensions of the common form."""

RANGES = {"air_temperature": (150.0, 350.0), "eastward_wind": (-200.0, 200.0), "specific_humidity": (-1e-3, 0.06)}
"""Plausible values of fields, in SI units."""


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(HEAD_BYTES)


def check_driving_source(source: DrivingSource, path: Path, other: Path) -> None:
    """Read a file with a source and check what the contract promises.

    Args:
        source: to be checked.
        path: a file that it reads.
        other: a file of another format, which it must leave alone.

    Raises:
        AssertionError: says what was not kept.
    """
    assert isinstance(source, DrivingSource), "a source has name, recognises and read"
    assert source.recognises(path, _head(path)), "a source recognises its own files"
    assert not source.recognises(other, _head(other)), "a source leaves files of other formats alone"
    if isinstance(source, IndexedSource):
        assert source.index(path), "an index names what the file holds"
    found = source.read(path)
    assert set(DIMENSIONS) <= set(found.dims), f"the common form has the dimensions {DIMENSIONS}"
    latitude, longitude, pressure = (found[name].values for name in ("latitude", "longitude", "pressure"))
    assert (np.diff(latitude) > 0.0).all(), "latitude ascends"
    assert (np.diff(longitude) > 0.0).all(), "longitude ascends"
    assert (longitude >= 0.0).all(), "longitude runs from 0 to 360"
    assert (longitude < 360.0).all(), "longitude runs from 0 to 360"
    assert (np.diff(pressure) < 0.0).all(), "pressure descends, bottom first"
    assert pressure.max() > 2000.0, "pressure is in Pa"
    assert found["time"].dtype.kind == "M", "times are datetime64, UTC"
    assert "air_temperature" in found, "there is an air_temperature"
    for name, (least, greatest) in RANGES.items():
        if name in found:
            values = found[name].values
            assert least <= np.nanmin(values), f"{name} is in SI units"
            assert np.nanmax(values) <= greatest, f"{name} is in SI units"
