"""The end of a process that has read a store: could die in threads of the storage library, or lose its exit status."""

from __future__ import annotations

import _thread
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from archive.runs import whole_run
from kaiseki.archive.store.shutdown import foreign_threads
from kaiseki.core import errors


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_run(tmp_path_factory.mktemp("shutdown") / "run", 2)


def ending(code: str, run: Path) -> tuple[int, str, str]:
    """Exit status, output and errors of a program."""
    process = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, text=True, timeout=120)
    return process.returncode, process.stdout, process.stderr


LAST_THREAD = """
import sys, threading, time
from zarr.core.sync import _get_loop
import kaiseki
dataset = kaiseki.open(sys.argv[1])
loop = _get_loop()
wake = loop._write_to_self
def wake_and_stay():
    # What hands over bytes stays in Python until the interpreter ends.
    wake()
    if threading.get_ident() not in {thread.ident for thread in threading.enumerate()}:
        time.sleep(0.3)
loop._write_to_self = wake_and_stay
class SlowEnd:
    def __del__(self, sleep=time.sleep):
        sleep(0.6)
kept = SlowEnd()
print(dataset["temperature"].shape, dataset["temperature"].values.shape)
"""


def test_the_thread_that_brought_the_last_bytes_leaves_before_the_interpreter_ends(run: Path) -> None:
    assert ending(LAST_THREAD, run) == (0, "(3, 3, 5, 6) (3, 3, 5, 6)\n", "")


READ = """
import asyncio, signal, sys, time
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import _get_loop
from kaiseki.archive import RunStore
store = RunStore.open(sys.argv[1], "r").root().store
async def read():
    for _ in range(100):
        await asyncio.gather(*(store.get("zarr.json", default_buffer_prototype()) for _ in range(100)))
"""

UNDER_WAY = """
asyncio.run_coroutine_threadsafe(read(), _get_loop())
sys.exit(3)
"""


def test_requests_that_nobody_waits_for_do_not_change_the_exit_status(run: Path) -> None:
    for _ in range(4):
        assert ending(READ + UNDER_WAY, run) == (3, "", "")


READING_COMMAND = """
from kaiseki.cli import app, main
# A shell's background job is begun with interrupts ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
def command():
    asyncio.run_coroutine_threadsafe(read(), _get_loop())
    print("reading", flush=True)
    time.sleep(60)
real = app.make_app
def made():
    made = real()
    made.command(command, name="read")
    return made
app.make_app = made
sys.exit(main(["read"]))
"""


def test_a_command_that_is_interrupted_while_it_reads_gives_130(run: Path) -> None:
    for pause in (0.0, 0.02, 0.05):
        process = subprocess.Popen(
            [sys.executable, "-c", READ + READING_COMMAND, str(run)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "reading\n"
            time.sleep(pause)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (errors.INTERRUPTED, "kaiseki: interrupted\n")


LIMITED = """
import asyncio
from zarr.core.sync import _get_loop
from kaiseki.archive.store.shutdown import end_storage_work
print(end_storage_work())
loop = _get_loop()
async def wait():
    global answer
    answer = loop.create_future()
    await answer
future = asyncio.run_coroutine_threadsafe(wait(), loop)
while "answer" not in globals():
    pass
print(end_storage_work(patience=0.05))
loop.call_soon_threadsafe(answer.set_result, None)
print(end_storage_work(), future.done())
async def more():
    return loop.create_future()
more = asyncio.run_coroutine_threadsafe(more(), loop)
print(end_storage_work(), more.cancelled())
"""


def test_the_end_is_waited_for_only_so_long_and_no_new_work_begins(run: Path) -> None:
    assert ending(LIMITED, run) == (0, "True\nFalse\nTrue True\nTrue True\n", "")


def test_threads_that_python_did_not_start_are_told_from_its_own() -> None:
    stop, running = threading.Event(), threading.Semaphore(0)

    def work() -> None:
        # Python makes a thread object for it here.
        threading.current_thread()
        running.release()
        stop.wait(60)

    own = threading.Thread(target=work)
    own.start()
    foreign = _thread.start_new_thread(work, ())
    try:
        for _ in range(2):
            running.acquire()
        assert foreign in foreign_threads()
        assert not {own.ident, threading.main_thread().ident} & foreign_threads()
    finally:
        stop.set()
        own.join()
    while foreign in foreign_threads():
        time.sleep(0.001)
