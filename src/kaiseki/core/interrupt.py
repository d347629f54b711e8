"""Ctrl-C that cannot be lost.

Python raises KeyboardInterrupt wherever the main thread happens to be. In a callback of the garbage collector (JAX has
one), in a finaliser or in a callback of a library nobody can catch it: Python prints "Exception ignored" and goes on.
So the request is noted as well, and long work asks for it between its steps.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_asked = threading.Event()


@contextmanager
def interruptible() -> Iterator[None]:
    """Note interrupts from the keyboard within the block; where they are ignored or handled otherwise, they stay so."""
    if threading.current_thread() is not threading.main_thread() or (
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    _asked.clear()
    signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _asked.clear()


def _note(number: int, frame: FrameType | None) -> None:
    _asked.set()
    # At once where it can be; a second Ctrl-C needs no safe point either.
    raise KeyboardInterrupt


def stop_if_asked() -> None:
    """End the work here, between two steps, if an interrupt from the keyboard was lost: raise it.

    Raises:
        KeyboardInterrupt: there was an interrupt, and it ended nothing.
    """
    if _asked.is_set():
        _asked.clear()
        raise KeyboardInterrupt
