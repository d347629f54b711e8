"""Peak memory of driving a 60-km domain from two days of global analyses of 0.25 degrees, 37 levels, 3-hourly.

    python benchmarks/driving_memory.py [--folder DIR] [--step 0.25]

The files, one a time, are written to the folder if they are not there (as many values as 13 GB hold in single
precision, compressed) and then read by a process of its own, whose largest resident memory is printed as JSON beside
that of a process that only imports the package.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

LEVELS = np.array(
    [1, 2, 3, 5, 7, 10, 20, 30, 50, 70, *range(100, 251, 25), *range(300, 751, 50), *range(775, 1001, 25)], dtype=int
)
TIMES = np.arange(17) * 3
LIMIT_MB = 1500.0


def fields(step: float, hour: int, level: int) -> dict[str, np.ndarray]:
    """Smooth fields of one level (ny, nx): t, u, v, z, q in SI, heights in balance with temperatures."""
    lat = np.deg2rad(np.arange(90.0, -90.0 - 0.5 * step, -step))[:, None]
    lon = np.deg2rad(np.arange(0.0, 360.0 - 0.5 * step, step))[None]
    wave = np.cos(lat) * np.sin(3.0 * lon + 0.1 * hour)
    # An isothermal atmosphere but for the waves.
    height = 287.05 * 250.0 / 9.80665 * np.log(1013.25 / level)
    return {
        "t": 250.0 + wave,
        "u": 10.0 + 5.0 * wave,
        "v": 5.0 * wave,
        "z": 9.80665 * (height + 30.0 * wave),
        "q": 0.002 * (level / 1000.0) ** 3 * (1.0 + 0.1 * wave),
    }


def write(folder: Path, step: float) -> list[Path]:
    """One NetCDF file a time, laid out as the Climate Data Store does."""
    import h5netcdf

    units = {"t": "K", "u": "m s**-1", "v": "m s**-1", "z": "m**2 s**-2", "q": "kg kg**-1"}
    paths = []
    for hour in TIMES:
        path = folder / f"global_{step:g}_{hour:02d}.nc"
        paths.append(path)
        if path.exists():
            continue
        part = path.with_suffix(".part")
        ny, nx = fields(step, 0, 500)["t"].shape
        with h5netcdf.File(part, "w") as file:
            file.dimensions = {"valid_time": 1, "pressure_level": LEVELS.size, "latitude": ny, "longitude": nx}
            axes = {
                "valid_time": (np.array([hour]), {"units": "hours since 2020-01-01", "standard_name": "time"}),
                "pressure_level": (LEVELS.astype(float), {"units": "hPa"}),
                "latitude": (np.linspace(90.0, -90.0, ny), {"units": "degrees_north"}),
                "longitude": (np.arange(nx) * step, {"units": "degrees_east"}),
            }
            for name, (values, attributes) in axes.items():
                variable = file.create_variable(name, (name,), values.dtype, data=values)
                variable.attrs.update(attributes)
            stored = {
                name: file.create_variable(
                    name,
                    ("valid_time", "pressure_level", "latitude", "longitude"),
                    np.float32,
                    chunks=(1, 1, ny, nx),
                    compression="gzip",
                    compression_opts=1,
                    shuffle=True,
                )
                for name in units
            }
            for name, variable in stored.items():
                variable.attrs["units"] = units[name]
            for k, level in enumerate(LEVELS):
                for name, values in fields(step, int(hour), int(level)).items():
                    # Rounded as packing in 16 bits rounds; it also makes the file small.
                    scale = max(float(np.ptp(values)), 1e-9) / 32768.0
                    stored[name][0, k] = (np.rint(values / scale) * scale).astype(np.float32)
        part.rename(path)
    return paths


def drive(paths: list[Path]) -> None:
    """Every hour of the two days on a domain of 60 km."""
    from kaiseki.driving import atmosphere_on_domain, open_driving
    from kaiseki.grid.presets import preset

    domain = preset("japan-60km")
    data = open_driving(paths, domain)
    data.check_gaps(data.times[0], data.times[-1])
    for time in np.arange(data.times[0], data.times[-1] + np.timedelta64(1, "h"), np.timedelta64(1, "h")):
        atmosphere_on_domain(data, domain, time)


def main() -> None:
    """Write what is missing, measure in processes of their own, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=Path("driving_memory"))
    parser.add_argument("--step", type=float, default=0.25)
    parser.add_argument("--child", choices=("import", "drive"))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    paths = write(given.folder, given.step)
    if given.child:
        if given.child == "drive":
            drive(paths)
        else:
            import kaiseki.driving  # noqa: F401
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0)
        return
    found = {}
    for child in ("import", "drive"):
        command = [sys.executable, __file__, "--folder", str(given.folder), "--step", str(given.step), "--child", child]
        run = subprocess.run(command, check=True, capture_output=True, text=True)
        found[f"{child}_mb"] = round(float(run.stdout.split()[-1]), 1)
    print(json.dumps({"step_degrees": given.step, "times": int(TIMES.size), "limit_mb": LIMIT_MB} | found))
    if found["drive_mb"] > LIMIT_MB:
        sys.exit(1)


if __name__ == "__main__":
    main()
