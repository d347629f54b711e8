"""A plan carried out: space and locks first, then several files at a time, each resumed, checked and recorded."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

from kaiseki.acquisition import inventory
from kaiseki.acquisition.credentials import Secrets, nothing_told, passwords_in
from kaiseki.acquisition.ledger import add_record, records
from kaiseki.acquisition.plan import Item, Plan
from kaiseki.acquisition.remote import Found
from kaiseki.acquisition.retry import Patience, Stopped
from kaiseki.acquisition.service import Services, need_account
from kaiseki.acquisition.transfer import PIECE, Loaded, Transfer
from kaiseki.core.errors import InputError, ResourceError
from kaiseki.core.files import make_folder, size_of
from kaiseki.core.lock import WriterLock
from kaiseki.core.progress import Progress, say

type Count = Callable[[int], None]
"""Function that is told bytes as they come; negative ones have to be loaded again."""
type Record = Callable[[Loaded], None]
"""Function that notes a file that is complete, before it gets its name."""

SPARE: Final = 256 << 20
"""Disk space that is left free, bytes."""
MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a plan is carried out.

    Attributes:
        jobs: files at a time.
        patience: with failures that may pass.
        mirrors: of `service.Services`.
        piece: length of the pieces of a file, bytes.
    """

    jobs: int = 4
    patience: Patience = field(default_factory=Patience)
    mirrors: tuple[tuple[str, str], ...] = ()
    piece: int = PIECE


@dataclass
class Outcome:
    """What a fetch has done: for each file of the plan a mapping with `file` (under the data folder), `state`
    ("loaded", "there" or "no such tile"), `bytes` and how it was `checked`."""

    files: list[dict[str, Any]] = field(default_factory=list)

    def count(self, state: str) -> int:
        """Number of files of a state."""
        return sum(one["state"] == state for one in self.files)

    @property
    def loaded(self) -> int:
        """Bytes of the files that were loaded."""
        return sum(one["bytes"] for one in self.files if one["state"] == "loaded")


def fetch(plan: Plan, data: Path, manner: Manner | None = None) -> Outcome:
    """Load what a plan says and is not there yet.

    What has been loaded stays, whatever happens: the same call goes on where the last one ended. A file that is there
    and was not fetched, or was fetched for another domain or period, is neither replaced nor trusted.

    Args:
        plan: of files.
        data: folder that they go under.
        manner: settings.

    Raises:
        InputError: credentials are absent or not taken, a file is not there, or not what it should be.
        ResourceError: the disk has no room for the files.
        StoreError: another fetch fills the same folder, or a file cannot be written.
    """
    manner = manner or Manner()
    addresses = [instead for _, instead in manner.mirrors] + [item.address for item in plan.items]
    secrets = Secrets.found(passwords_in(addresses))
    with nothing_told(secrets), ExitStack() as stack:
        for source in plan.sources:
            need_account(source.account)
        for source in plan.sources:
            folder = data / source.folder
            make_folder(folder)
            stack.enter_context(WriterLock(folder / ".fetch.lock", f"The folder {folder}"))
        return _Work(plan, data, manner, secrets).run()


class _Work:
    """The carrying out of one plan."""

    def __init__(self, plan: Plan, data: Path, manner: Manner, secrets: Secrets) -> None:
        self.plan, self.data, self.manner, self.secrets = plan, data, manner, secrets
        self.services = Services(manner.patience, manner.mirrors)
        self.outcome = Outcome()
        self._lock = threading.Lock()
        self._records = {source.name: records(data / source.folder) for source in plan.sources}

    def run(self) -> Outcome:
        """All of it."""
        items = [item for item in self._existing(self.plan.items) if not self._is_there(item)]
        if not items:
            return self.outcome
        say(f"Asking the services for the sizes of {len(items)} files")
        prepared: dict[PurePosixPath, _Task] = {}
        with self._pool() as each:
            each(items, lambda item: prepared.__setitem__(item.path, self._prepared(item)))
        tasks = [prepared[item.path] for item in items]
        need = sum(task.left for task in tasks)
        self._check_space(need)
        total = max(1, sum(task.load for task in tasks) // MEGABYTE)
        with Progress("fetch", total, unit="megabyte") as progress:
            meter = _Meter(progress, total)
            with self._pool() as each:
                each(tasks, lambda task: self._carry_out(task, meter.add))
        return self.outcome

    def _existing(self, items: tuple[Item, ...]) -> Iterator[Item]:
        """The items whose tile is in the listing of its part; a plan without any of the tiles is refused."""
        listings: dict[str, frozenset[str]] = {}
        found = 0
        tiled = [item for item in items if item.tile and item.part.listing]
        for item in items:
            if not (item.tile and item.part.listing):
                yield item
                continue
            if item.part.listing not in listings:
                listings[item.part.listing] = self._listing(item)
            if item.tile in listings[item.part.listing]:
                found += 1
                yield item
            else:
                self._note(item, "no such tile", 0, "listing")
        if tiled and not found:
            raise InputError(
                f"{tiled[0].part.listing} names none of the {len(tiled)} squares of the domain: it is all sea, or the "
                "listing has another form than the descriptor expects; see kaiseki fetch --probe"
            )

    def _listing(self, item: Item) -> frozenset[str]:
        remote = self.services.remote(item.part.listing, item.part, item.source.account)
        text = inventory.text_of(remote, self.manner.patience)
        # Windows line ends; some listings name the file with its ending.
        return frozenset(line.strip().rsplit("/", 1)[-1].removesuffix(".tif") for line in text.splitlines())

    def _is_there(self, item: Item) -> bool:
        """Whether a file is there as it was fetched; noted in the outcome."""
        path = self.data / item.path
        if not path.exists():
            return False
        record = self._records[item.source.name].get(path.name)
        if record is not None and record.get("identity") != item.identity:
            raise InputError(
                f"{path} was fetched for another domain, period or selection; move it away, or fetch into another "
                "data folder"
            )
        if path.is_dir() != (item.part.layout == "zarr"):
            found, wanted = ("folder", "file") if path.is_dir() else ("file", "folder (a Zarr store)")
            raise InputError(f"{path} is a {found}, but a {wanted} of that name is to be fetched; move it away")
        size = size_of(path)
        if record is not None and record.get("bytes") != size:
            raise InputError(
                f"{path} has {size} bytes, but {record['bytes']} were fetched; move it away and fetch anew"
            )
        if record is None:
            raise InputError(
                f"{path} is there and was not fetched by this command; name it in the experiment by another folder, or "
                "move it away"
            )
        self._note(item, "there", record.get("bytes", size), "length")
        return True

    def _prepared(self, item: Item) -> _Task:
        """The work of an item, with what its service says of its size."""
        make_folder((self.data / item.path).parent)
        if item.part.layout == "climate-data-store":
            from kaiseki.acquisition.cds import Retrieval

            retrieval = Retrieval(item, self.data / item.path, self.services, self.manner.piece)
            return _Task(item, item.load, item.bytes, retrieval.run)
        if item.part.layout == "zarr":
            from kaiseki.acquisition.crop import Crop

            crop = Crop(item, self.data / item.path, self.services)
            return _Task(item, item.load, crop.left(), crop.run)
        remote = self.services.remote(item.address, item.part, item.source.account)
        transfer = Transfer(
            remote=remote,
            path=self.data / item.path,
            kind=item.part.format,
            patience=self.manner.patience,
            sha256=item.part.sha256,
            piece=self.manner.piece,
        )
        found = transfer.describe()
        if item.index:
            index = self.services.remote(item.index, item.part, item.source.account)
            text = inventory.text_of(index, self.manner.patience)
            transfer.ranges = inventory.ranges(text, item.part.messages, found.size, item.index)
            size = sum(stop - start for start, stop in transfer.ranges)
        else:
            size = found.size if found.size is not None else item.bytes
        there = transfer.part.stat().st_blocks * 512 if transfer.part.exists() else 0
        return _Task(item, size, max(0, size - there), lambda count, record: _loaded(transfer, found, count, record))

    def _check_space(self, need: int) -> None:
        free = shutil.disk_usage(self.data).free
        if need + SPARE > free:
            raise ResourceError(
                f"{self.data} has {size_words(free)} free, but {size_words(need)} have to be loaded and "
                f"{size_words(SPARE)} are left free; nothing was loaded: free some space, or name another folder with "
                "--data"
            )

    def _carry_out(self, task: _Task, count: Count) -> None:
        item = task.item
        loaded = task.work(count, lambda loaded: self._record(item, loaded))
        self._note(item, "loaded", loaded.size, loaded.checked)

    def _record(self, item: Item, loaded: Loaded) -> None:
        """Note a file that is right, just before it gets its name: no kill leaves one that is not recorded."""
        path = self.data / item.path
        record = {
            "file": path.name,
            "identity": item.identity,
            "source": item.source.name,
            "address": self.secrets.hidden(item.address),
            "bytes": loaded.size,
            "sha256": loaded.sha256,
            "etag": loaded.found.etag,
            "modified": loaded.found.modified,
            "checked": loaded.checked,
            "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
            "licence": item.source.licence,
            "citation": item.source.citation,
        }
        if item.request:
            record["request"] = item.request
        with self._lock:
            add_record(path.parent, record)

    def _note(self, item: Item, state: str, size: int, checked: str) -> None:
        with self._lock:
            self.outcome.files.append(
                {"file": str(item.path), "source": item.source.name, "state": state, "bytes": size, "checked": checked}
            )

    @contextmanager
    def _pool(self) -> Iterator[Callable[[Any, Callable[[Any], object]], None]]:
        """Work on several items at a time; the first error, or an interrupt, ends the others and is raised."""
        stop = self.manner.patience.stop
        with ThreadPoolExecutor(max_workers=self.manner.jobs, thread_name_prefix="fetch") as pool:

            def each(items: Any, work: Callable[[Any], object]) -> None:
                waiting = {pool.submit(work, item) for item in items}
                try:
                    while waiting:
                        done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                        for one in done:
                            one.result()
                except BaseException as error:
                    stop.set()
                    for one in waiting:
                        one.cancel()
                    ended = wait(waiting)[0]
                    if isinstance(error, Stopped):
                        # Another thread set the stop; its error is the reason.
                        for one in ended:
                            if not one.cancelled() and (reason := one.exception()) and not isinstance(reason, Stopped):
                                raise reason from None
                    raise

            yield each


@dataclass
class _Task:
    """Work on one item: bytes to load, bytes that it will still take on the disk, and the work."""

    item: Item
    load: int
    left: int
    work: Callable[[Count, Record], Loaded]


def _loaded(transfer: Transfer, found: Found, count: Count, record: Record) -> Loaded:
    transfer.count = count
    return transfer.run(found, record)


class _Meter:
    """Bytes of several threads, shown as whole megabytes."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total = progress, total
        self._lock = threading.Lock()
        self._bytes = self._shown = 0

    def add(self, number: int) -> None:
        """Count bytes; negative ones have to be loaded again."""
        with self._lock:
            self._bytes += number
            steps = min(self._bytes // MEGABYTE, self._total) - self._shown
            if steps > 0:
                self._shown += steps
                self._progress.advance(steps)


def size_words(number: float) -> str:
    """A number of bytes in words: "154 MB"."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= scale:
            return f"{number / scale:.3g} {unit}"
    return f"{number:.0f} bytes"
