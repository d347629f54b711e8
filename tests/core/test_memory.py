"""Freed memory that is kept, and given back."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from kaiseki.core.memory import keep_freed_memory

FAULTS = """
import resource, sys
import numpy as np
from kaiseki.core.memory import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(2**22)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc only")
def test_arrays_that_come_and_go_fault_no_pages() -> None:
    assert keep_freed_memory()
    environment = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}
    counts = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", FAULTS, how], check=True, capture_output=True, text=True, env=environment
            ).stdout
        )
        for how in ("kept", "given_back")
    }
    assert counts["kept"] * 10 < counts["given_back"]


GIVEN_BACK = """
import resource, sys, threading
import numpy as np
from kaiseki.core.memory import give_freed_memory_back, keep_freed_memory
def resident():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * resource.getpagesize()
assert keep_freed_memory()
def use():
    arrays = [np.ones(2**22) for _ in range(8)]
if sys.argv[1] == "thread":
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
else:
    use()
kept = resident()
assert give_freed_memory_back()
print(kept - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc only")
@pytest.mark.parametrize("where", ["main", "thread"])
def test_kept_memory_can_be_given_back(where: str) -> None:
    command = [sys.executable, "-c", GIVEN_BACK, where]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert int(found) > 0.9 * 2**28
