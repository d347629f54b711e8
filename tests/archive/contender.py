"""Run as a program by the tests: takes the store whenever it is free and writes one cycle, until all are complete."""

import sys
import time
from pathlib import Path

from archive.runs import write_cycle
from kaiseki.archive import RunStore
from kaiseki.core.errors import StoreError


def contend(path: Path) -> tuple[int, int]:
    """Number of cycles that this process wrote, and how often the store was held by another."""
    written = refused = 0
    while True:
        try:
            with RunStore.open(path) as store:
                if store.next_cycle() is None:
                    return written, refused
                write_cycle(store, store.completed_cycles().size)
                written += 1
        except StoreError as error:
            # Between taking the lock and naming itself a holder is only "another process".
            if "is being written by" not in str(error):
                raise
            refused += 1
        time.sleep(0.02)


if __name__ == "__main__":
    if sys.argv[2:] == ["hold"]:
        store = RunStore.open(Path(sys.argv[1]))
        print("held", flush=True)
        time.sleep(100.0)
    print(*contend(Path(sys.argv[1])), flush=True)
