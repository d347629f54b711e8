"""Memory: how much of it this process may use; and what is freed, which is kept while arrays come and go, since large
ones would otherwise be mapped and unmapped by the system each time, and every page of them faulted in anew; it is given
back when a stage of a run is over."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any, Final

CGROUP: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Files in which Linux says what a container may use."""

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX, ARENA_MAX = -1, -2, -4, -8
"""Numbers of the settings in glibc's malloc.h."""


def total_memory() -> int | None:
    """Bytes of this machine, or of the container if that may use less; None where psutil is absent."""
    try:
        import psutil
    except ImportError:
        return None
    return limited(int(psutil.virtual_memory().total))


def limited(number: int) -> int:
    """A number of bytes, or the limit of the container if that is less."""
    for path in CGROUP:
        try:
            number = min(number, int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return number


def keep_freed_memory() -> bool:
    """Tell glibc's malloc not to give freed memory back to the system, and to serve all threads from one arena, since
    the free end of any other cannot be given back at all; False where there is no glibc."""
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return False
    settings = ((TRIM_THRESHOLD, 2**31 - 1), (TOP_PAD, 2**28), (MMAP_MAX, 0), (ARENA_MAX, 1))
    return all(mallopt(ctypes.c_int(name), ctypes.c_int(value)) == 1 for name, value in settings)


def give_freed_memory_back() -> bool:
    """Let glibc's malloc give what is free at this moment back to the system; False where there is no glibc or nothing
    to give."""
    trim = _of_glibc("malloc_trim")
    return trim is not None and trim(ctypes.c_size_t(0)) == 1


def _of_glibc(name: str) -> Any:
    """A function of the C library, None where it has none of that name."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
