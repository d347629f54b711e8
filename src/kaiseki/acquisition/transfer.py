"""One file from a service to the disk: in pieces that are noted, checked as a whole, and given its name at the end.

The partial file and its ledger lie beside the file to be, with names that begin with a dot. After a kill the pieces
whose check sums are right are kept and the others loaded again; if the service has another file by then, all begins
anew. What could not be told from another file of the same length is never put together of pieces of several fetches."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kaiseki.acquisition import structure
from kaiseki.acquisition.credentials import without_user
from kaiseki.acquisition.descriptor import Format
from kaiseki.acquisition.ledger import PieceLedger
from kaiseki.acquisition.remote import Changed, Found, Remote, Unranged
from kaiseki.acquisition.retry import Passing, Patience
from kaiseki.core.errors import InputError
from kaiseki.core.files import out_of_space

PIECE = 8 << 20
"""Length of a piece, bytes."""

type Ranges = tuple[tuple[int, int], ...]
"""Parts of an object, (start, stop) each, rising, which follow each other in the file here."""


@dataclass(frozen=True)
class Loaded:
    """A file that is complete.

    Attributes:
        size: bytes.
        sha256: digest of its content, hexadecimal.
        checked: how it was checked, in words.
        found: what the service said of it.
    """

    size: int
    sha256: str
    checked: str
    found: Found


@dataclass(kw_only=True)
class Transfer:
    """The way of one file.

    Attributes:
        remote: where from.
        path: where to.
        kind: format that it must have.
        patience: with failures that may pass.
        sha256: digest that it must have, where it is known beforehand; "" else.
        ranges: parts of the object that are wanted; none for all of it.
        count: is told the bytes that came, negative where they have to be loaded again.
        piece: length of a piece, bytes.
    """

    remote: Remote
    path: Path
    kind: Format
    patience: Patience
    sha256: str = ""
    ranges: Ranges = ()
    count: Callable[[int], None] = lambda _: None
    piece: int = PIECE
    _counted: int = field(default=0, init=False)

    @property
    def part(self) -> Path:
        """Name of the partial file."""
        return self.path.with_name(f".{self.path.name}.part")

    @property
    def ledger(self) -> Path:
        """Name of its ledger."""
        return self.path.with_name(f".{self.path.name}.pieces.jsonl")

    def describe(self) -> Found:
        """What the service says of the file."""
        return self.patience.keep_trying(f"Asking for {self.remote.address}", self.remote.describe)

    def run(self, found: Found | None = None, record: Callable[[Loaded], None] = lambda _: None) -> Loaded:
        """Load what is missing, check the whole, give it its name.

        Args:
            found: what `describe` gave.
            record: is called when all is right, before the file gets its name: a file that has it is recorded.

        Raises:
            InputError: the service does not give it, or twice not as it says that it is.
            ResourceError: the disk is full.
            Stopped: other work ended.
        """
        found = found or self.describe()
        try:
            for attempt in (1, 2):
                try:
                    self._load_as_given(found)
                    fault, checked, sha256 = self._check(found)
                except Changed:
                    fault = "it changed at the service while it was loaded"
                    checked = sha256 = ""
                if fault is None:
                    loaded = Loaded(self.part.stat().st_size, sha256, checked, found)
                    record(loaded)
                    self.part.replace(self.path)
                    self.ledger.unlink(missing_ok=True)
                    return loaded
                self.forget()
                if attempt == 1:
                    found = self.describe()
        except OSError as error:
            full = out_of_space(error, str(self.path), "what was loaded is kept", "call the command again")
            raise full or InputError(f"{self.path} could not be written: {error.strerror or error}") from None
        raise InputError(
            f"{self.remote.address} was loaded twice and is damaged both times: {fault}; nothing was kept of it, "
            "try again later or tell the service"
        )

    def forget(self) -> None:
        """Remove the partial file and its ledger."""
        self._tell(-self._counted)
        self.part.unlink(missing_ok=True)
        self.ledger.unlink(missing_ok=True)

    def _tell(self, number: int) -> None:
        self._counted += number
        self.count(number)

    def _load_as_given(self, found: Found) -> None:
        """Load in pieces; whole from a service that says that it gives pieces and does not."""
        try:
            self._load(found)
        except Unranged:
            if self.ranges:
                raise InputError(
                    f"{self.remote.address} is given whole only, but single messages of it are wanted; take a mirror "
                    "that gives ranges of bytes (--mirror)"
                ) from None
            self.forget()
            self._load(dataclasses.replace(found, ranges=False))

    def _load(self, found: Found) -> None:
        whole = not self.ranges
        if found.mark is None and not (whole and (self.sha256 or found.digests)):
            # Nothing would tell if the file were another one by now: no piece of before, and one answer if it can be.
            self.forget()
            found = dataclasses.replace(found, ranges=False)
        of = {
            # A digest, since an address may be signed.
            "address": hashlib.sha256(without_user(self.remote.address).encode()).hexdigest(),
            "size": found.size,
            "etag": found.etag,
            "modified": found.modified,
            "digests": [*map(list, found.digests)],
            "ranges": [*map(list, self.ranges)],
        }
        ledger = PieceLedger.open(self.ledger, of)
        ledger.check(self.part)
        self._tell(sum(length for length, _ in ledger.pieces.values()) - self._counted)
        handle = os.open(self.part, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not whole or (found.ranges and found.size is not None):
                wanted = self.ranges or ((0, found.size or 0),)
                os.ftruncate(handle, sum(stop - start for start, stop in wanted))
                for at, start, length in _pieces(wanted, self.piece):
                    if ledger.pieces.get(at, (0,))[0] != length:
                        self._piece(handle, ledger, at, start, length, found)
            elif not ledger.pieces:
                self._whole(handle, ledger, found)
        finally:
            os.close(handle)

    def _piece(self, handle: int, ledger: PieceLedger, at: int, start: int, length: int, found: Found) -> None:
        """Load one piece; what came of it before a failure is kept for the next try."""
        done, crc = 0, 0

        def work() -> None:
            nonlocal done, crc
            with self.remote.read(start + done, start + length, found) as blocks:
                for block in blocks:
                    self.patience.check()
                    block = block[: length - done]
                    _write(handle, block, at + done)
                    crc, done = zlib.crc32(block, crc), done + len(block)
                    self._tell(len(block))
            if done < length:
                raise Passing(f"the answer ended after {done} of {length} bytes")

        self.patience.keep_trying(f"Loading {self.remote.address}", work, lambda: done)
        os.fsync(handle)
        ledger.add(at, length, crc)

    def _whole(self, handle: int, ledger: PieceLedger, found: Found) -> None:
        """Load a file of a service that gives no ranges, from the beginning at each try."""
        done, crc = 0, 0

        def work() -> None:
            nonlocal done, crc
            self._tell(-done)
            os.ftruncate(handle, 0)
            done, crc = 0, 0
            with self.remote.read(0, None, found) as blocks:
                for block in blocks:
                    self.patience.check()
                    _write(handle, block, done)
                    crc, done = zlib.crc32(block, crc), done + len(block)
                    self._tell(len(block))
            if found.size is not None and done < found.size:
                raise Passing(f"the answer ended after {done} of {found.size} bytes")

        self.patience.keep_trying(f"Loading {self.remote.address}", work)
        os.fsync(handle)
        ledger.add(0, done, crc)

    def _check(self, found: Found) -> tuple[str | None, str, str]:
        """What is wrong with the whole, None if nothing; how it was checked; its SHA-256."""
        with self.part.open("rb") as file:
            came = structure.foreign(file.read(512), self.kind)
        if came is not None:
            self.forget()
            raise InputError(f"{self.remote.address}: {came}")
        wanted = dict(found.digests) if not self.ranges else {}
        if self.sha256:
            wanted["sha256"] = self.sha256
        sums = {name: hashlib.new(name, usedforsecurity=False) for name in {"sha256", *wanted}}
        size = 0
        with self.part.open("rb") as file:
            while block := file.read(1 << 20):
                self.patience.check()
                size += len(block)
                for one in sums.values():
                    one.update(block)
        got = {name: one.hexdigest() for name, one in sums.items()}
        expected = sum(stop - start for start, stop in self.ranges) if self.ranges else found.size
        checked = [*(() if expected is None else ("length",)), *sorted(wanted)]
        if self.kind not in ("any", "zarr"):
            checked.append(f"{self.kind} structure")
        fault = None
        if expected is not None and size != expected:
            fault = f"it has {size} bytes instead of {expected}"
        for name, value in wanted.items():
            if fault is None and got[name] != value.lower():
                fault = f"its {name} is {got[name]} instead of {value.lower()}"
        if fault is None:
            fault = structure.fault(self.part, self.kind)
        return fault, ", ".join(checked) or "nothing", got["sha256"]


def _pieces(ranges: Ranges, piece: int) -> list[tuple[int, int, int]]:
    """Pieces (place in the file, place in the object, length) of at most a length."""
    found, at = [], 0
    for start, stop in ranges:
        while start < stop:
            length = min(piece, stop - start)
            found.append((at, start, length))
            at, start = at + length, start + length
    return found


def _write(handle: int, block: bytes, at: int) -> None:
    view = memoryview(block)
    while view:
        done = os.pwrite(handle, view, at)
        at, view = at + done, view[done:]
