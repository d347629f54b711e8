"""Location of a store, a local directory or an object store, by the same code; and errors of storage in plain words."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import icechunk

from kaiseki.archive.store.object_store import s3_arguments
from kaiseki.archive.store.shutdown import end_storage_work
from kaiseki.core.errors import KaisekiError, StoreError
from kaiseki.core.files import out_of_space

# What is registered last is called first: before Zarr, which is imported above, closes its loop of events.
atexit.register(end_storage_work)

Location = str | os.PathLike[str] | icechunk.Storage
"""Location of a store: a directory, an address "s3://bucket/prefix", or any `icechunk.Storage`."""

REFERENCES_PER_MANIFEST = 744
"""Times in one manifest: about a month of hours, so that a commit rewrites little however long the run is."""

_OWN_NAMES = {
    "chunks",
    "manifests",
    "snapshots",
    "transactions",
    "overwritten",
    "refs",
    "repo",
    "config.yaml",
    "leases",
}
LOCK_NAME = "kaiseki.lock"


@dataclass(frozen=True)
class Place:
    """A location that has been understood.

    Attributes:
        storage: for Icechunk.
        where: how messages name it.
        directory: the local directory, None for object stores.
        options: of `icechunk.s3_storage`, for an address "s3://bucket/prefix" alone; they may hold secrets.
    """

    storage: icechunk.Storage
    where: str
    directory: Path | None
    options: Mapping[str, Any] | None = field(default=None, repr=False)


def resolve(location: Location, options: Mapping[str, Any] | None = None) -> Place:
    """The place of a store; nothing is created.

    Args:
        location: directory, "s3://bucket/prefix" or a storage of Icechunk.
        options: of an S3-compatible store: region, endpoint_url, anonymous, profile ..., see
            `object_store.s3_arguments`; without them credentials come from the environment.

    Raises:
        StoreError: an address of another kind, or options for a local directory.
        InputError: options that there are not, that exclude each other, or a profile without keys.
    """
    if isinstance(location, icechunk.Storage):
        return Place(location, f"The store {location}", None)
    if not isinstance(location, str | os.PathLike):
        raise StoreError(f"{location!r} is no place of an archive; give a directory or s3://bucket/prefix")
    text = os.fspath(location)
    if text.startswith("s3://"):
        bucket, _, prefix = text.removeprefix("s3://").partition("/")
        if not bucket:
            raise StoreError(f"The address {text} names no bucket; give s3://bucket/prefix")
        arguments = s3_arguments(options)
        return Place(icechunk.s3_storage(bucket=bucket, prefix=prefix or None, **arguments), text, None, arguments)
    if "://" in text:
        raise StoreError(f"The address {text} is not supported; give a directory or s3://bucket/prefix")
    if options:
        raise StoreError(f"Storage options are for object stores, but {text} is a local directory; leave them out")
    # Our own lock does what Icechunk warns that a file system cannot do.
    if "ICECHUNK_LOG" not in os.environ:
        icechunk.set_logs_filter("error")
    directory = Path(text).absolute()
    return Place(icechunk.local_filesystem_storage(str(directory)), str(directory), directory)


def configuration() -> icechunk.RepositoryConfig:
    """Configuration saved in a new repository: manifests split along time."""
    config = icechunk.RepositoryConfig.default()
    condition: dict[Any, int] = {icechunk.ManifestSplitDimCondition.DimensionName("time"): REFERENCES_PER_MANIFEST}
    splitting = icechunk.ManifestSplittingConfig.from_dict({icechunk.ManifestSplitCondition.AnyArray(): condition})
    config.manifest = icechunk.ManifestConfig(splitting=splitting)
    return config


def check_free_place(place: Place) -> None:
    """Refuse to create a store over something else; what a killed creation of a store left behind is no hindrance.

    Raises:
        StoreError: the path is a file, or a directory with other things in it.
    """
    if place.directory is None or not place.directory.exists():
        return
    if not place.directory.is_dir():
        raise StoreError(f"{place.where} is a file; give a new directory for the run store")
    names = {entry.name for entry in place.directory.iterdir()}
    if strange := sorted(names - _OWN_NAMES - {LOCK_NAME}):
        raise StoreError(
            f"{place.where} is not empty (it holds {strange[0]!r}) and is no run store; give a new directory"
        )


def open_repository(place: Place) -> icechunk.Repository:
    """The repository at the place.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    directory = place.directory
    if directory is not None and not directory.exists():
        raise StoreError(f"There is no run store at {place.where}: the path does not exist")
    if directory is not None and not directory.is_dir():
        raise StoreError(f"{place.where} is a file, not a run store; give the directory of a run")
    with storage_errors(place.where, "opened"):
        try:
            return icechunk.Repository.open(place.storage)
        except icechunk.RepositoryNotFoundError:
            if directory is None:
                raise StoreError(f"{place.where} holds no store of Kaiseki; {_ACCESS}") from None
            stores = sorted(path.name for path in directory.glob("*.store"))
            if {"snapshots", "manifests"} <= {path.name for path in directory.iterdir()}:
                hint = "it holds snapshots of one, whose file repo is lost: take the store from a copy"
            elif stores:
                hint = f"it holds {', '.join(stores)}: open one of these"
            else:
                hint = "give an analysis.store of a run, or a release store made by kaiseki archive pack"
            raise StoreError(f"{place.where} is neither a run store nor a release store of Kaiseki; {hint}") from None
        except icechunk.IcechunkError as error:
            if directory is not None:
                raise
            # Of a refusal the client tells no more than that there was an error.
            raise StoreError(f"{place.where} could not be opened ({first_line(error)[:200]}); {_ACCESS}") from error


_ACCESS: Final = (
    "check its address, the server (endpoint_url, region), the keys (environment or profile), and whether it "
    "may be read without any (anonymous)"
)


def first_line(error: BaseException) -> str:
    """The sentence of an error of Icechunk without its trace of source lines."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


@contextmanager
def storage_errors(where: str, done: str) -> Iterator[None]:
    """Turn errors of storage into one sentence; `done` completes "... could not be".

    Raises:
        ResourceError: the disk is full, or a quota or limit of file size was met.
        StoreError: any other error of storage, and another writer's commit.
    """
    try:
        yield
    except KaisekiError:
        raise
    except icechunk.ConflictError as error:
        raise StoreError(
            f"{where} was changed by another writer meanwhile, so nothing of this cycle was kept; "
            f"stop one of the two runs and resume the other"
        ) from error
    except (icechunk.IcechunkError, OSError) as error:
        full = out_of_space(error, where, "nothing of this commit was kept", "resume")
        raise full or StoreError(f"{where} could not be {done}: {first_line(error)}") from error
