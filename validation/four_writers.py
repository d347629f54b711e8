"""Four processes commit disjoint times into one array, 100 commits each: is anything lost, does a reader see a part?

    python -m validation.four_writers --into FOLDER [--commits 100] [--days 3]

In a directory with our lock; in the same directory without it, as a comparison of what Icechunk alone would lose; and
in a bucket of an S3 server that runs on this machine (moto). Then four packers of releases at once, each with days of
its own, in a directory and in a bucket: the release must be that which one packer makes. Written to four_writers.json.
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

from archive.release import packers  # noqa: E402
from archive.release.days import a_run, date  # noqa: E402
from archive.release.killing import work_through  # noqa: E402
from archive.release.servers import new_bucket, options, s3_server  # noqa: E402
from archive.release.writers import lay_out, messages, start, written  # noqa: E402
from kaiseki.archive.release.probe import probe_conditional_writes  # noqa: E402
from kaiseki.archive.release.store import ReleaseStore  # noqa: E402
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


def packed(location: str, given: dict[str, Any] | None, folder: Path, days: int) -> dict[str, Any]:
    """What came of four packers that begin at once, each with so many days of its own, and of a reader meanwhile."""
    total = WRITERS * days
    run = a_run(folder / "run", 24 * total - 15)
    whole_place = str(folder / "undisturbed")
    work_through(lambda: packers.start(run, whole_place))
    whole = packers.content(whole_place)
    options = {} if given is None else {"storage_options": given}
    begun = time.monotonic()
    processes = []
    for number in range(WRITERS):
        # A stream is named like its folder.
        stream = folder / f"stream-{number}"
        stream.symlink_to(run)
        own = {"start": str(date(number * days)), "end": str(date(number * days + days - 1))}
        processes.append(packers.start(stream, location, **own, **options))
    with ThreadPoolExecutor(WRITERS) as pool:
        waiting = [pool.submit(process.communicate) for process in processes]
        looks, partial, before = 0, 0, set[int]()
        while not all(each.done() for each in waiting):
            try:
                seen = set(packers.days_seen(location, whole, given))
                partial += not before <= seen
                before = seen
            except AssertionError:
                partial += 1
            looks += 1
            time.sleep(0.5)
        errors = [each.result()[1].strip() for each in waiting]
    took = time.monotonic() - begun
    with ReleaseStore.open(location, "a", storage_options=given) as store:
        commits = [message for message in store.history() if message.startswith("day ")]
        series_left = store.pack_series()
    return {
        "packers": WRITERS,
        "days": total,
        "errors": [
            error.splitlines()[-1] for process, error in zip(processes, errors, strict=True) if process.returncode
        ],
        "commits_of_days": len(commits),
        "days_seen": len(packers.days_seen(location, whole, given)),
        "blocks_of_series_left_to_write": series_left,
        "equal_to_the_work_of_one": packers.same(packers.content(location, given), whole),
        "looks_of_reader": looks,
        "looks_that_saw_a_part_or_less_than_before": partial,
        "seconds": round(took, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, required=True, help="new folder for the repositories")
    parser.add_argument("--commits", type=int, default=100, help="of each writer; 0 leaves what was measured before")
    parser.add_argument("--days", type=int, default=3, help="of each packer")
    given = parser.parse_args()
    given.into.mkdir(parents=True)
    rows: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if not given.commits else {}
    rows["icechunk"] = version("icechunk")
    if given.commits:
        rows["directory, lock"] = measured(str(given.into / "locked"), None, given.commits)
        rows["directory, no lock"] = measured(str(given.into / "unlocked"), None, given.commits, locked=False)
    folders = [given.into / name for name in ("packers", "packers-s3")]
    rows["packers, directory"] = packed(str(folders[0] / "release"), None, folders[0], given.days)
    with s3_server() as address:
        location = new_bucket(address)
        probe_conditional_writes(location, options(address))
        if given.commits:
            rows["S3 (moto)"] = measured(location, options(address), given.commits)
        rows["packers, S3 (moto)"] = packed(new_bucket(address), options(address), folders[1], given.days)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
