"""Times to write and read an hour of analysed precipitation in JMA's form, on its grid of 3360 x 2560 points.

    python -m benchmarks.jma_grib [FILE ...]

Two hours are made here: showers over a quarter of the rectangle, the rest outside coverage, as in JMA's files; and
noise without two alike neighbours, the longest data that there can be. FILEs are JMA's own. Each step is done a few
times; the least time counts, by the clock and of the processor. Written to jma_grib.json, of FILEs too.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.formats.jma_grib.dataset import convert_to_netcdf
from kaiseki.formats.jma_grib.grids import JMA_1KM
from kaiseki.formats.jma_grib.reading import read
from kaiseki.formats.jma_grib.writing import encode

RESULTS = Path(__file__).with_suffix(".json")
REPEATS = 7
END = np.datetime64("2020-07-04T00:00:00", "s")


def showers() -> np.ndarray:
    """Showers of about 10 km in a band across the rectangle, mm."""
    rng = np.random.default_rng(2020)
    ny, nx = JMA_1KM.shape
    coarse = np.maximum(rng.gamma(0.2, 12.0, (ny // 10, nx // 10)) - 2.0, 0.0)
    amount = np.kron(coarse, np.ones((10, 10))) * rng.uniform(0.7, 1.3, (ny, nx))
    y, x = np.mgrid[0 : 1 : complex(ny), 0 : 1 : complex(nx)]
    return np.where(np.abs(x + y - 1.0) < 0.13, amount, np.nan).astype(np.float32)


def noise() -> np.ndarray:
    """Amounts without two alike neighbours, mm."""
    return np.random.default_rng(16).gamma(0.3, 8.0, JMA_1KM.shape).astype(np.float32)


def timed(step: Callable[[], Any]) -> dict[str, float]:
    """Least times of a step, s."""
    wall, processor = [], []
    for _ in range(REPEATS):
        began, used = time.perf_counter(), time.process_time()
        step()
        wall.append(time.perf_counter() - began)
        processor.append(time.process_time() - used)
    return {"wall_s": round(min(wall), 4), "processor_s": round(min(processor), 4)}


def reading(path: Path, folder: Path) -> dict[str, Any]:
    """Times to read a file, with its values, and to convert it to NetCDF."""
    return {
        "octets": path.stat().st_size,
        "fields": len(list(read(path))),
        "read": timed(lambda: [field.values() for field in read(path)]),
        "to_netcdf": timed(lambda: convert_to_netcdf(path, folder / "out.nc")),
    }


def main(files: list[str]) -> None:
    """Measure, print and keep."""
    found: dict[str, Any] = {"machine": platform.machine(), "numpy": np.__version__, "repeats": REPEATS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, amount in (("showers", showers()), ("noise", noise())):
            path = folder / f"{label}.grib2"
            path.write_bytes(encode(amount, JMA_1KM, END).message)
            write = timed(lambda amount=amount: encode(amount, JMA_1KM, END))
            found[label] = {"write": write} | reading(path, folder)
        for file in files:
            found[Path(file).name] = reading(Path(file), folder)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
