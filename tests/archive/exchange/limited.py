"""Run as a program by the tests: every form of export where no file may become larger than some thousand bytes.

    python limited.py FOLDER BYTES

Prints, for each form, the exit code and sentence of the error and the names of what was left.
"""

import json
import resource
import signal
import sys
from pathlib import Path

import numpy as np
import xarray as xr

from archive.exchange.grids import archive
from archive.exchange.test_points import series
from kaiseki.archive.exchange.export import Choice, export
from kaiseki.core.errors import KaisekiError


def main(folder: Path, size: int) -> None:
    run = archive(folder / "run.store", hours=2)
    noise = np.random.default_rng(1)
    places = series(3, 2000)
    places["temperature_2m"][...] = noise.normal(280.0, 9.0, places["temperature_2m"].shape)
    sources: dict[str, tuple[Path | xr.Dataset, Path]] = {
        "netcdf": (run, folder / "one" / "fields.nc"),
        "netcdf-days": (run, folder / "days"),
        "netcdf-climcore": (run, folder / "climcore"),
        "zarr": (run, folder / "mirror"),
        "parquet-wide": (places, folder / "table" / "points.parquet"),
    }
    for place in ("one", "table"):
        (folder / place).mkdir()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    answers = {}
    for form, (source, to) in sources.items():
        try:
            export(source, to, form, Choice(variables=["temperature"]) if isinstance(source, Path) else None)  # type: ignore[arg-type]
            answer = (0, "", [])
        except KaisekiError as error:
            above = to if to.is_dir() else to.parent
            left = sorted(path.name for path in above.rglob("*") if path.is_file())
            answer = (error.exit_code, str(error), left)
        answers[form] = answer
    print(json.dumps(answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
