"""Progress of long work: a bar with rate and time left on a terminal, plain lines in a log, nothing for machines.

    with Progress("forecast", total=1080, unit="step") as progress:
        for ... in ...:
            progress.advance()

All of it goes to standard error, so that standard output stays clean for results.
"""

from __future__ import annotations

import enum
import os
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import IO, TYPE_CHECKING, Protocol, Self, cast, runtime_checkable

from kaiseki.core.interrupt import stop_if_asked

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

type Log = Callable[[str], None]
"""Function that takes a line about the work, as engines and minimisers write one per iteration."""


@runtime_checkable
class TextStream(Protocol):
    """What a text stream must offer."""

    def write(self, text: str, /) -> int:
        """Put text into it."""
        ...

    def flush(self) -> None:
        """Let it be seen."""
        ...

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        ...


class Mode(enum.Enum):
    """How progress is shown."""

    AUTO = "auto"
    """A bar on a terminal, lines in a log."""
    BAR = "bar"
    LINES = "lines"
    SILENT = "silent"


_mode: ContextVar[Mode] = ContextVar("kaiseki_progress_mode", default=Mode.AUTO)

LINE_INTERVAL = 10.0
"""Least time between two lines of one piece of work in a log [s]; the last line is always written."""


def set_mode(mode: Mode) -> None:
    """How progress is shown from now on in this context; `--json` sets `Mode.SILENT`."""
    _mode.set(mode)


def say(message: str) -> None:
    """Write one line to the user about what happens, unless silent."""
    if _mode.get() is not Mode.SILENT:
        print(message, file=sys.stderr, flush=True)


def _resolve(mode: Mode, stream: TextStream) -> Mode:
    if mode is not Mode.AUTO:
        return mode
    return Mode.BAR if stream.isatty() and os.environ.get("TERM") != "dumb" else Mode.LINES


def duration(seconds: float) -> str:
    """ "45 s", "3 min 20 s" or "2 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def speed(rate: float, unit: str) -> str:
    """ "12.3 steps/s", and below one in ten seconds "2 min 45 s a step"."""
    return f"{rate:.3g} {unit}s/s" if rate > 0.1 else f"{duration(1.0 / rate)} a {unit}"


class Progress:
    """Progress of one piece of work with a known number of steps.

    Args:
        title: what is done.
        total: number of steps.
        unit: what a step is called, singular.
        mode: how to show it; by default what `set_mode` said.
        stream: where to; by default standard error.
    """

    def __init__(
        self, title: str, total: int, *, unit: str = "step", mode: Mode | None = None, stream: TextStream | None = None
    ) -> None:
        self.title, self.total, self.unit = title, total, unit
        self.done = 0
        self._stream = stream if stream is not None else sys.stderr
        self._mode = _resolve(mode if mode is not None else _mode.get(), self._stream)
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._start = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        self._start = self._last_line = time.monotonic()
        if self._mode is Mode.BAR:
            self._bar, self._task = _rich_bar(self.title, self.total, self.unit, self._stream)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._mode is Mode.LINES:
            self._line("done" if kind is None else "stopped")

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count so many more steps as done; `note` is shown beside the count.

        Raises:
            KeyboardInterrupt: an interrupt was lost before (`core.interrupt`).
        """
        stop_if_asked()
        self.done += steps
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=steps, note=note)
        elif self._mode is Mode.LINES and time.monotonic() - self._last_line >= LINE_INTERVAL:
            self._last_line = time.monotonic()
            self._line(note)

    def _line(self, note: str) -> None:
        elapsed = time.monotonic() - self._start
        parts = [f"{self.title}: {self.done}/{self.total} {self.unit}s"]
        if self.done and elapsed > 0:
            rate = self.done / elapsed
            parts.append(speed(rate, self.unit))
            parts.append(
                f"{duration((self.total - self.done) / rate)} left" if self.done < self.total else duration(elapsed)
            )
        if note:
            parts.append(note)
        print(", ".join(parts), file=self._stream, flush=True)


def _rich_bar(title: str, total: int, unit: str, stream: TextStream) -> tuple[RichProgress, TaskID]:
    """A bar of rich; imported here because only a terminal needs it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    class Rate(ProgressColumn):
        """Steps per second."""

        def render(self, task: Task) -> Text:
            rate = task.finished_speed or task.speed
            return Text(speed(rate, unit) if rate else "")

    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(file=cast(IO[str], stream)),
    )
    return bar, bar.add_task(title, total=total, note="")
