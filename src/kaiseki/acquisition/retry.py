"""Trying again: which failures pass by themselves, how long to wait, and when to give up."""

from __future__ import annotations

import email.utils
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kaiseki.core.errors import InputError, KaisekiError

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may succeed (RFC 9110 15.5 and 15.6, RFC 6585)."""


class Passing(Exception):
    """A failure that may pass: a busy service, a lost connection, a piece that was cut short.

    Attributes:
        wait: time that the service asks to wait, s; None where it says nothing.
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Stopped(Exception):
    """The work was stopped by another part of it, which says why."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How failures that may pass are met: waiting times double, are drawn at random below that, and end.

    The wait before try n is drawn evenly between 0 and min(most, first * 2**n) ("full jitter": Brooker, Exponential
    backoff and jitter, AWS Architecture Blog 2015); what the service asks for in Retry-After is waited in full.
    """

    tries: int = 8
    """Tries without any progress before giving up."""
    first: float = 1.0
    """Upper bound of the first wait, s."""
    most: float = 60.0
    """Upper bound of every wait that we choose, s."""
    longest_asked: float = 600.0
    """Longest wait that a service may ask for, s; if it asks for more, the command ends and says so."""
    timeout: float = 60.0
    """Time without a byte after which a connection counts as lost, s."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when all work shall end."""

    def keep_trying[T](self, what: str, work: Callable[[], T], progressed: Callable[[], object] | None = None) -> T:
        """The result of some work, tried again while its failures may pass.

        Args:
            what: is being done, for the message.
            work: raises `Passing` for failures that may pass.
            progressed: something that changes whenever the work has progressed; then the count of tries starts anew.

        Raises:
            InputError: it failed too often, or the service asks to wait too long.
            Stopped: other work ended.
        """
        failed, state = 0, progressed() if progressed else None
        while True:
            self.check()
            try:
                return work()
            except Passing as error:
                now = progressed() if progressed else None
                failed = 1 if now != state else failed + 1
                state = now
                if failed >= self.tries:
                    raise InputError(
                        f"{what} failed {failed} times ({error}); what was loaded is kept, call the command again later"
                    ) from None
                if error.wait is not None and error.wait > self.longest_asked:
                    raise InputError(
                        f"{what}: the service asks to come back in {error.wait:.0f} s ({error}); what was loaded is "
                        "kept, call the command again then"
                    ) from None
                drawn = random.uniform(0.0, min(self.most, self.first * 2.0 ** (failed - 1)))
                self.sleep(drawn if error.wait is None else error.wait + 0.1 * drawn)

    def check(self) -> None:
        """Raise `Stopped` if all work shall end."""
        if self.stop.is_set():
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end of all work."""
        self.stop.wait(seconds)


def asked_wait(header: str | None) -> float | None:
    """The wait, s, that a Retry-After header asks for, a number or an HTTP date (RFC 9110 10.2.3); None without."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def named(error: BaseException) -> str:
    """Words for an error of a library, on one line."""
    text = " ".join(str(error).split())
    return (
        text if isinstance(error, KaisekiError) else f"{type(error).__name__}: {text}" if text else type(error).__name__
    )
