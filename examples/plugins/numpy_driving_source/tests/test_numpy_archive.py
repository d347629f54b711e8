"""The source keeps the contract, whatever the order of the axes in the file, and names a file that it cannot read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy_driving_source import NumpyArchive

from kaiseki.core.errors import InputError
from kaiseki.testing import check_driving_source


def archive(path: Path, **changes: np.ndarray) -> Path:
    """Two times on three levels, from the top down and from north to south; temperature tells the place."""
    arrays = {
        "time": np.array(["2024-01-01T00", "2024-01-01T06"], "datetime64[h]"),
        "pressure": np.array([30_000.0, 50_000.0, 85_000.0]),
        "latitude": np.array([50.0, 40.0, 30.0]),
        "longitude": np.array([-10.0, 130.0, 140.0]),
    }
    time, level, row, column = np.ogrid[:2, :3, :3, :3]
    fields = {
        "air_temperature": 220.0 + 30.0 * level + 5.0 * row + column + 0.1 * time,
        "eastward_wind": np.full((2, 3, 3, 3), 10.0),
        "specific_humidity": np.full((2, 3, 3, 3), 1e-3),
    }
    np.savez(path, **(arrays | fields | changes))
    return path


def test_the_contract_is_kept(tmp_path: Path) -> None:
    other = tmp_path / "analysis.grib"
    other.write_bytes(b"GRIB" + bytes(100))
    check_driving_source(NumpyArchive(), archive(tmp_path / "analysis.npz"), other)


def test_a_value_is_found_at_its_place(tmp_path: Path) -> None:
    found = NumpyArchive().read(archive(tmp_path / "analysis.npz"))["air_temperature"]
    # In the file: the last level, the first latitude, the first longitude, which was 10 W.
    place = {"pressure": 85_000.0, "latitude": 50.0, "longitude": 350.0}
    assert float(found.sel(time="2024-01-01T06:00", **place)) == pytest.approx(220.0 + 60.0 + 0.1)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(InputError, match=r"broken\.npz: is no NumPy archive"):
        NumpyArchive().read(tmp_path / "broken.npz")
    np.savez(tmp_path / "fields.npz", air_temperature=np.zeros((1, 1, 1, 1)))
    with pytest.raises(InputError, match=r"fields\.npz: lacks time, latitude, longitude, pressure"):
        NumpyArchive().read(tmp_path / "fields.npz")
    celsius = archive(tmp_path / "celsius.npz", air_temperature=np.full((2, 3, 3, 3), 15.0))
    with pytest.raises(InputError, match=r"celsius\.npz: air_temperature is missing everywhere or outside"):
        NumpyArchive().read(celsius)
