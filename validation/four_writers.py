"""Four processes commit disjoint times into one array, 100 commits each: is anything lost, does a reader see a part?

    python -m validation.four_writers --into FOLDER [--commits 100]

In a directory with our lock; in the same directory without it, as a comparison of what Icechunk alone would lose; and
in a bucket of an S3 server that runs on this machine (moto). Written to four_writers.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# The writers are those of the tests.
sys.path.insert(0, str(HERE.parent / "tests"))

from archive.release.servers import new_bucket, options, s3_server  # noqa: E402
from archive.release.writers import lay_out, messages, start, written  # noqa: E402
from kaiseki.archive.release.probe import probe_conditional_writes  # noqa: E402
from kaiseki.archive.store.storage import open_repository, resolve  # noqa: E402

RESULTS = HERE / "four_writers.json"
WRITERS = 4


def measured(location: str, given: dict[str, Any] | None, commits: int, *, locked: bool = True) -> dict[str, Any]:
    """What came of four writers and a reader at a location."""
    place = resolve(location, given)
    repository = lay_out(place, WRITERS * commits)
    begun = time.monotonic()
    processes = [start(location, given, number * commits, commits, locked=locked) for number in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        waiting = [pool.submit(process.communicate) for process in processes]
        looks, partial, before = 0, 0, set[int]()
        while not all(each.done() for each in waiting):
            try:
                seen = set(written(open_repository(place)))
                partial += not before <= seen
                before = seen
            except AssertionError:
                partial += 1
            looks += 1
            time.sleep(0.2)
        errors = [each.result()[1].strip() for each in waiting]
    took = time.monotonic() - begun
    times, history = written(open_repository(place)), messages(repository)
    expected = {f"{commits * (each // commits)} {each}" for each in range(WRITERS * commits)}
    return {
        "writers": WRITERS,
        "commits": WRITERS * commits,
        "errors": [error.splitlines()[-1] for error in errors if error],
        "commits_in_history": sum(message in expected for message in history),
        "times_present": len(times),
        "looks_of_reader": looks,
        "looks_that_saw_a_part_or_less_than_before": partial,
        "commits_per_second": round(WRITERS * commits / took, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, required=True, help="new folder for the repositories")
    parser.add_argument("--commits", type=int, default=100, help="of each writer")
    given = parser.parse_args()
    given.into.mkdir(parents=True)
    rows: dict[str, Any] = {"icechunk": version("icechunk")}
    rows["directory, lock"] = measured(str(given.into / "locked"), None, given.commits)
    rows["directory, no lock"] = measured(str(given.into / "unlocked"), None, given.commits, locked=False)
    with s3_server() as address:
        location = new_bucket(address)
        probe_conditional_writes(location, options(address))
        rows["S3 (moto)"] = measured(location, options(address), given.commits)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
