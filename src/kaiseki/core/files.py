"""Files: those that an experiment names by patterns, and those that are written whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath

from kaiseki.core.errors import ConfigError, KaisekiError, ResourceError, StoreError


def files_of(patterns: tuple[str, ...], data: Path | None, key: str) -> list[Path]:
    """The files that patterns name, in the order of the patterns and by name within one; each pattern at least one.

    A name that exists is that file or folder, whatever characters are in it: `ERA5 [Japan] 2024.nc` is no pattern where
    there is a file of that name. As in a shell, a pattern matches no name that begins with a dot unless it has the dot
    itself; nor does it match the record of what was fetched.

    Args:
        patterns: paths or glob patterns, absolute or relative to the data folder.
        data: the data folder.
        key: of the experiment, for messages.

    Raises:
        ConfigError: a pattern matches nothing, or is relative and there is no data folder.
    """
    files: list[Path] = []
    for pattern in patterns:
        absolute = Path(pattern).is_absolute()
        if data is None and not absolute:
            raise ConfigError(
                f"{key} = {pattern!r} is relative to a data folder, but none was given; name it with --data"
            )
        root = Path("/") if absolute or data is None else data
        matches = _matches(root, pattern.lstrip("/"))
        if not matches:
            raise ConfigError(f"No file matches {key} = {pattern!r} in {root}; check the pattern and the data folder")
        files += matches
    return files


ZARR = ("zarr.json", ".zgroup", ".zmetadata")
"""Files by which a folder is known as a Zarr store, of version 2 or 3, and counts as one file."""
RUN_STORE = ("repo", "refs")
"""Entries by which a folder is known as a store of a run, which counts as one file too."""
FETCHED = "fetched.jsonl"
"""Name of the record, in a folder of data, of the files that were fetched into it; it is no data itself."""


def size_of(path: Path) -> int:
    """Length of a file, or of all files in a folder, bytes."""
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size


def cache_folder() -> Path:
    """Folder in which compiled programs are kept: KAISEKI_CACHE, else below XDG_CACHE_HOME, else ~/.cache/kaiseki."""
    named = os.environ.get("KAISEKI_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "kaiseki"


def _matches(root: Path, pattern: str) -> list[Path]:
    """Files and stores under a folder that a pattern names, sorted; its leading parts are literal as long as they
    exist."""
    base, rest = root, list(PurePath(pattern).parts)
    while rest and os.path.exists(base / rest[0]):  # noqa: PTH110 - unlike Path.exists it never raises
        base /= rest.pop(0)
    if not rest:
        found = [base]
    elif any(part.startswith(".") for part in rest):
        found = list(base.glob("/".join(rest)))
    else:
        # Names with a dot are locks and files that are not complete yet, here and with other programs.
        every = base.glob("/".join(rest))
        found = [one for one in every if not any(part.startswith(".") for part in one.relative_to(base).parts)]
        found = [one for one in found if one.name != FETCHED]
    return sorted(path for path in found if path.is_file() or any((path / name).exists() for name in ZARR + RUN_STORE))


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A scratch name beside a path that takes the path's place at the end of the block, and is removed on an error.

    The scratch name is that of the process, so that two processes which write one file do not mix; the last to end
    wins. What it does not do: outlive a loss of power (nothing is forced to the disk).

    Raises:
        StoreError: the file cannot be written.
        ResourceError: the disk is full, or a quota or a limit of file size was met.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with file_errors(path):
            yield scratch
            scratch.replace(path)
    finally:
        with suppress(OSError):
            scratch.unlink()


def write_text(path: Path, text: str) -> Path:
    """Write a text file in UTF-8, whole or not at all, and return its path.

    Names of files that are no text in the locale's encoding come as lone surrogates; they are written as escapes.

    Raises:
        StoreError, ResourceError: as `whole_file`.
    """
    with whole_file(path) as scratch:
        scratch.write_text(text, encoding="utf-8", errors="backslashreplace")
    return path


def make_folder(path: Path) -> None:
    """Make a folder and those above it; one that is there stays.

    Raises:
        StoreError, ResourceError: as `whole_file`.
    """
    with file_errors(path):
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn errors of the system on writing a path into one sentence each.

    Raises:
        StoreError: the path cannot be written.
        ResourceError: the disk is full, or a quota or a limit of file size was met.
    """
    try:
        yield
    except KaisekiError:
        raise
    except (OSError, RuntimeError) as error:
        # HDF5 tells of a full disk by a RuntimeError when it closes a file; any other RuntimeError is a defect.
        found = out_of_space(error, str(path), f"{path.name} was not written", "call the command again")
        if found is None and isinstance(error, RuntimeError):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise found or StoreError(
            f"{path} could not be written: {reason}; make it writable or give another folder"
        ) from error


_FULL = (f"os error {errno.ENOSPC}", f"os error {errno.EDQUOT}", "No space left", "Disk quota exceeded")
_LIMIT = (f"os error {errno.EFBIG}", "File too large")


def out_of_space(error: BaseException, where: str, kept: str, then: str) -> ResourceError | None:
    """The error for a full disk or a limit of file size, told by number or by words; None for all others.

    Args:
        error: of the system or of a library that writes files.
        where: what was being written.
        kept: what became of it, a clause.
        then: what to do when there is space again, an imperative.
    """
    text = str(error)
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOSPC, errno.EDQUOT) or any(part in text for part in _FULL):
        return ResourceError(f"The disk that holds {where} is full; {kept}, free some space and {then}")
    if number == errno.EFBIG or any(part in text for part in _LIMIT):
        return ResourceError(
            f"A file of {where} would pass the file size limit of this process; {kept}, "
            f"raise the limit (ulimit -f) and {then}"
        )
    return None
