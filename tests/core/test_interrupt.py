"""Ctrl-C ends the work even where the exception is lost.

What can go wrong: the interrupt falls into a callback of the garbage collector (as JAX has one), a finaliser, or a
library that swallows it; an old interrupt ends a later command; handlers of the caller are not given back.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from kaiseki.core.errors import INTERRUPTED
from kaiseki.core.interrupt import interruptible, stop_if_asked
from kaiseki.core.progress import Mode, Progress
from kaiseki.statistics.conjugate_gradients import conjugate_gradients

PROGRAM = """
import gc, os, signal, sys
from kaiseki.cli import app, main
from kaiseki.core.progress import Progress

def callback(phase, info):
    if phase == "stop" and gc.isenabled():
        gc.disable()
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100): pass  # here the handler runs

def work():
    gc.callbacks.append(callback)
    gc.collect()
    print("goes on", flush=True)
    with Progress("work", total=1000) as progress:
        for _ in range(1000):
            progress.advance()
    print("lost", flush=True)

signal.signal(signal.SIGINT, signal.default_int_handler)
real = app.make_app
def made():
    application = real(); application.command(work, name="work"); return application
app.make_app = made
sys.exit(main(["work"]))
"""


def test_an_interrupt_in_a_callback_of_the_garbage_collector_ends_the_command() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert "Exception ignored" in done.stderr, "Python must have lost the exception, or this tests nothing"
    assert done.stdout == "goes on\n"
    assert done.returncode == INTERRUPTED
    assert done.stderr.endswith("kaiseki: interrupted\n")


@pytest.fixture
def default_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def lose_an_interrupt() -> None:
    class Finalised:
        def __del__(self) -> None:
            try:
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(100):
                    pass
            except KeyboardInterrupt:
                pass

    one = Finalised()
    del one
    gc.collect()


def minimise() -> None:
    conjugate_gradients(lambda v: v * np.arange(1.0, 9.0), np.ones(8))


def advance() -> None:
    Progress("work", total=1, mode=Mode.SILENT).advance()


@pytest.mark.parametrize("work", [minimise, advance, stop_if_asked])
@pytest.mark.usefixtures("default_handler")
def test_long_work_asks_between_its_steps(work: Callable[[], None]) -> None:
    with interruptible():
        work()
        lose_an_interrupt()
        with pytest.raises(KeyboardInterrupt):
            work()
        work()


@pytest.mark.usefixtures("default_handler")
def test_an_interrupt_acts_at_once_where_it_can() -> None:
    with interruptible(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("default_handler")
def test_nothing_is_left_behind() -> None:
    with interruptible():
        lose_an_interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    stop_if_asked()


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda *_: None])
def test_the_handler_of_a_caller_stays(handler: object) -> None:
    before = signal.signal(signal.SIGINT, handler)
    try:
        with interruptible():
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
