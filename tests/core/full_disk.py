"""Run as a program by the tests: every writer of files outside the run stores, on a file system that takes no more.

    python full_disk.py FOLDER [fill]

First no file may become larger than 100 bytes; then, with "fill", the file system of FOLDER is filled to the last
block. Prints what the writers answered.
"""

import contextlib
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from archive.runs import whole_run
from cycle.small import experiment, observations
from kaiseki.archive import export_netcdf, export_observations
from kaiseki.archive.run import RunFolder
from kaiseki.core.errors import KaisekiError
from kaiseki.cycle.checkpoint import MinimisationCheckpoint
from kaiseki.experiments import nesting, real_data
from kaiseki.experiments.twin import kept
from kaiseki.experiments.twin.flow import Flow
from kaiseki.verification.run import write_scores


def writers(folder: Path) -> dict[str, Callable[[], object]]:
    """File that each writer makes -> the writer."""
    whole_run(folder / "run.store", 1)
    table, chosen, numbers = observations(Flow(), np.datetime64("1989-01-01T12:00:00", "s")), experiment(), np.ones(999)
    place, time = RunFolder(folder), np.datetime64("1989-01-01T12:00:00", "s")
    checkpoint = MinimisationCheckpoint(folder / "minimisation")
    checkpoint.open(time)
    checkpoint(numbers, lambda x: x)  # makes the folder; the next product is refused
    rows = SimpleNamespace(all_rows=[{"case": "small", "rms": 1.0}] * 50)
    samples = SimpleNamespace(at=lambda _: {"u": numbers})
    return {
        "experiment.toml": lambda: chosen.save(place.experiment),
        "observations.parquet": lambda: table.to_parquet(place.observations),
        "inventory.json": lambda: real_data.save_inventory(table, place),
        "scores.json": lambda: write_scores(SimpleNamespace(folder=place), rows),
        "nature.npz": lambda: kept.keep(folder / "nature.npz", "abc", np.array([time]), {"u": numbers}),
        "samples_19890101T120000Z.npz": lambda: nesting.kept(place, time, samples),
        "minimisation/19890101T120000Z/0001.npz": lambda: checkpoint(numbers, lambda x: x),
        "fields.nc": lambda: export_netcdf(folder / "run.store", folder / "fields.nc"),
        "feedback.parquet": lambda: export_observations(folder / "run.store", folder / "feedback.parquet"),
    }


def answers(folder: Path, todo: dict[str, Callable[[], object]]) -> dict[str, tuple[int, str, list[str]]]:
    """Exit code and sentence of each writer's error, and names of the files that it left."""
    found: dict[str, tuple[int, str, list[str]]] = {}
    before = {path for path in folder.rglob("*") if path.is_file()}
    for name, write in todo.items():
        try:
            write()
            code, sentence = 0, ""
        except KaisekiError as error:
            code, sentence = error.exit_code, str(error)
        except Exception as error:
            code, sentence = 1, repr(error)
        left = [path.name for path in folder.rglob("*") if path.is_file() and path not in before]
        found[name] = code, sentence, left
    return found


def main(folder: Path, fill: bool) -> None:
    todo = writers(folder)
    found = {}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    found["limit"] = answers(folder, todo)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    if fill:
        with (folder / "filling").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        found["full"] = answers(folder, todo)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), "fill" in sys.argv[2:])
