from __future__ import annotations

import io

import pytest

from kaiseki.core import progress
from kaiseki.core.progress import Mode, Progress, duration, speed


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until it is set."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_plain_lines_with_rate_and_time_left(clock: list[float]) -> None:
    stream = io.StringIO()
    with Progress("forecast", 100, unit="step", stream=stream) as work:
        clock[0] = 5.0
        work.advance(10)
        clock[0] = 20.0
        work.advance(30, note="12:00 UTC")
        clock[0] = 50.0
        work.advance(60)
    assert stream.getvalue().splitlines() == [
        "forecast: 40/100 steps, 2 steps/s, 30 s left, 12:00 UTC",
        "forecast: 100/100 steps, 2 steps/s, 50 s",
        "forecast: 100/100 steps, 2 steps/s, 50 s, done",
    ]


def test_work_that_fails_is_not_called_done(clock: list[float]) -> None:
    stream = io.StringIO()
    with pytest.raises(ZeroDivisionError), Progress("forecast", 100, stream=stream):
        raise ZeroDivisionError
    assert stream.getvalue() == "forecast: 0/100 steps, stopped\n"


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with Progress("minimisation", 3, unit="iteration", stream=stream) as work:
        for _ in range(3):
            work.advance()
    text = stream.getvalue()
    assert "minimisation" in text
    assert "3/3" in text
    assert "\x1b[" in text


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    with Progress("forecast", 1, stream=stream) as work:
        work.advance()
    assert stream.getvalue().startswith("forecast: 1/1 steps")
    assert "\x1b" not in stream.getvalue()


def test_machines_get_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    progress.set_mode(Mode.SILENT)
    try:
        with Progress("forecast", 1) as work:
            work.advance()
        progress.say("hello")
    finally:
        progress.set_mode(Mode.AUTO)
    assert capsys.readouterr() == ("", "")
    progress.say("hello")
    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations_are_readable(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_slow_steps_are_given_by_their_time() -> None:
    assert speed(12.3, "step") == "12.3 steps/s"
    assert speed(0.00606, "cycle") == "2 min 45 s a cycle"
