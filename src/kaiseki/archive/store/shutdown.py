"""End of the work of storage libraries before the interpreter ends.

Zarr awaits the bytes of a store in a loop of events; Icechunk and obstore hand them over from threads of their own,
which Python neither started nor joins. Such a thread may still have to return from Python when the program is at its
end, or bring bytes that nobody waits for any more, after an error or an interrupt. Before Python 3.14 a thread that
wants the interpreter while it ends is ended there itself, and what it holds of Python is released without the lock that
protects it; one that comes later still finds no interpreter. The process then dies of a segmentation fault or a damaged
heap after its work was done, and its exit status is lost (https://github.com/python/cpython/issues/87135,
https://github.com/PyO3/pyo3-async-runtimes/issues/40). So the exit waits for these threads, usually not at all.

What it does not do: wait longer than `PATIENCE`, or see to other users of these threads than Zarr's loop of events.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from typing import Final, NoReturn

from zarr.core import sync as zarr_sync

PATIENCE: Final = 5.0
"""Time after which the exit goes on although storage has not answered, s."""

_PAUSE: Final = 1e-3
"""Time between two looks at what is under way, s."""


def end_storage_work(patience: float = PATIENCE) -> bool:
    """End of what is under way in Zarr's loop of events: no request more is made, those made are waited for.

    Called when the process exits (`storage` registers it), after the threads that Python joins have ended. A request is
    not cancelled: the thread of the storage library would come back for it nevertheless, and nothing tells when it has.

    Args:
        patience: seconds to wait at most.

    Returns:
        Whether everything came to its end in that time.
    """
    loop = zarr_sync.loop[0]
    if loop is None or loop.is_closed():
        return True
    # Each request begins with a future of the loop. Loops of other makers than Python's may not let this be replaced.
    with contextlib.suppress(AttributeError):
        loop.create_future = _refuse  # type: ignore[method-assign]
    deadline = time.monotonic() + patience
    # Work that was handed over a moment ago is no task before the loop has come to it.
    reached = threading.Event()
    loop.call_soon_threadsafe(reached.set)
    reached.wait(patience)
    while asyncio.all_tasks(loop) or foreign_threads():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def foreign_threads() -> set[int]:
    """Identities of the threads that run Python at this moment though Python did not start them."""
    # Python makes a dummy for a foreign thread that asks for its own thread object, as logging does.
    ours = {thread.ident for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)}
    return set(sys._current_frames()) - ours


def _refuse() -> NoReturn:
    raise asyncio.CancelledError("the process is ending")
