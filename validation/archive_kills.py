"""kill -9 of the packer of a release at 50 random moments: does a reader ever see a part of a day, is the end right?

    python -m validation.archive_kills --into FOLDER [--kills 50]

A run of five days is packed by a process that is killed at a moment drawn evenly from the time that undisturbed packing
takes, and started again, until it comes to its end; then all begins anew with an empty folder, until so many were
killed. After each a reader looks at every group, copy, table of observations and the ledger: a day that the ledger
calls final must be whole in all groups and equal to that of an undisturbed release, and nothing else may be seen. The
final release must hold what the undisturbed one holds. Written to archive_kills.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The packers and the frame are those of the tests.
sys.path.insert(0, str(HERE.parent / "tests"))

from archive.release.days import a_run  # noqa: E402
from archive.release.killing import kill_often, work_through  # noqa: E402
from archive.release.packers import content, days_seen, same, start  # noqa: E402
from kaiseki.archive.release.leases import holders  # noqa: E402
from kaiseki.archive.release.store import ReleaseStore  # noqa: E402
from kaiseki.archive.store.storage import resolve  # noqa: E402

RESULTS = HERE / "archive_kills.json"
DAYS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, required=True, help="new folder of the run and of the releases")
    parser.add_argument("--kills", type=int, default=50)
    given = parser.parse_args()
    run = a_run(given.into / "run", 24 * DAYS - 15)
    undisturbed, place = str(given.into / "undisturbed"), given.into / "release"
    longest = work_through(lambda: start(run, undisturbed))
    whole = content(undisturbed)
    finished = 0

    def check() -> tuple[list[int], int]:
        commits = 0
        if ReleaseStore.exists(place):
            assert holders(resolve(place)) == [], "the dead hold leases"
            commits = len(ReleaseStore.open(place).history())
        return days_seen(str(place), whole), commits

    def again() -> None:
        nonlocal finished
        assert same(content(str(place)), whole), "the end differs from an undisturbed one"
        finished += 1
        shutil.rmtree(place)

    begun = time.monotonic()
    outcome = kill_often(
        lambda: start(run, str(place)), check, kills=given.kills, seed=15, longest=longest, again=again
    )
    end = content(str(place))
    looks = [look for some in outcome.seen for look in some]
    rows = {
        "icechunk": version("icechunk"),
        "days": DAYS,
        "kills": len(looks),
        "days_seen_after_each_kill": [len(days) for days, _ in looks],
        "kills_before_the_release_existed": sum(commits == 0 for _, commits in looks),
        "kills_with_some_days_done": sum(0 < len(days) < DAYS for days, _ in looks),
        "looks_that_saw_a_part_of_a_day": 0,
        "days_that_were_seen_stayed": all(
            set(before[0]) <= set(after[0]) for some in outcome.seen for before, after in pairwise(some)
        ),
        "releases_finished_and_equal_to_an_undisturbed_one": finished + same(end, whole),
        "releases_finished": outcome.ended + 1,
        "seconds_of_undisturbed_packing": round(longest, 1),
        "seconds": round(time.monotonic() - begun),
    }
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(rows, indent=1))
    shutil.rmtree(given.into)


if __name__ == "__main__":
    main()
