"""Analyses in NumPy archives (`numpy.savez`), such as the output of a learned global model.

The arrays are `time` (datetime64), `pressure` [Pa], `latitude`, `longitude` [degrees], and fields by their CF standard
names in SI units, with the dimensions that `kaiseki.driving.sources.conventions.UNITS` gives.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.driving.sources.conventions import UNITS, Axes, assemble

AXES = ("time", "latitude", "longitude", "pressure")


class NumpyArchive:
    """Reader of the archives; see the module."""

    name = "numpy"

    def recognises(self, path: Path, head: bytes) -> bool:
        """True for ZIP archives (their first bytes are PK) with the ending of NumPy's."""
        return head.startswith(b"PK") and path.suffix == ".npz"

    def read(self, path: Path) -> xr.Dataset:
        """The fields in the common form: `assemble` puts the axes into its order and refuses implausible values.

        Raises:
            InputError: the file is no such archive or lacks an axis.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                arrays = dict(archive)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(f"{path}: is no NumPy archive of plain arrays: {error}") from error
        missing = [name for name in AXES if name not in arrays]
        if missing:
            raise InputError(f"{path}: lacks {', '.join(missing)}; expected {', '.join(AXES)} and fields by CF names")
        axes = Axes(**{name: arrays[name] for name in AXES})
        return assemble(str(path), self.name, axes, {name: arrays[name] for name in UNITS if name in arrays})
