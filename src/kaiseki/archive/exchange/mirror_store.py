"""The place of a plain Zarr mirror: a folder or a bucket, its lock, its documents and its errors."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import LocalStore

from kaiseki.core.errors import InputError, KaisekiError, StoreError
from kaiseki.core.files import make_folder, out_of_space
from kaiseki.core.lock import WriterLock

METADATA = "zarr.json"
"""Name of the document that describes a group or an array."""


def open_place(target: str | os.PathLike[str], options: Mapping[str, Any] | None = None) -> Store:
    """The store of Zarr at a folder or at an address "s3://bucket/prefix".

    Args:
        target: where the mirror is or will be.
        options: of `obstore.store.S3Store` (region, endpoint, access_key_id, secret_access_key, client_options ...);
            what is not given comes from the environment, as with other clients of S3.

    Raises:
        StoreError: an address of another kind, a path that is a file or holds something else, or options for a folder.
        InputError: obstore is not installed.
    """
    text = os.fspath(target)
    if text.startswith("s3://"):
        try:
            from obstore.store import S3Store
            from zarr.storage import ObjectStore
        except ImportError:
            raise InputError('A mirror in S3 needs obstore; do: pip install "kaiseki[fetch]"') from None
        bucket, _, prefix = text.removeprefix("s3://").partition("/")
        if not bucket:
            raise StoreError(f"The address {text} names no bucket; give s3://bucket/prefix")
        return ObjectStore(S3Store(bucket, prefix=prefix.rstrip("/") or None, **dict(options or {})))
    if "://" in text:
        raise StoreError(f"The address {text} is not supported; give a folder or s3://bucket/prefix")
    if options:
        raise StoreError(f"Storage options are for object stores, but {text} is a local folder; leave them out")
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise StoreError(f"{path} is a file; give a new folder for the mirror")
    return LocalStore(path)


def read_document(store: Store, key: str) -> Any:
    """A document of JSON, None if there is none.

    Raises:
        StoreError: it is no JSON.
    """
    found = sync(store.get(key, default_buffer_prototype()))
    try:
        return None if found is None else json.loads(found.to_bytes())
    except ValueError:
        raise StoreError(f"{key} of the mirror at {store} is damaged; give a new folder") from None


def write_document(store: Store, key: str, document: Any) -> None:
    """Write a document of JSON; readers see the old or the new one."""
    content = json.dumps(document, indent=1).encode()
    sync(store.set(key, default_buffer_prototype().buffer.from_bytes(content)))


def lock_of(target: str | os.PathLike[str]) -> Any:
    """The lock of the only writer of a local mirror; nothing for S3, whose writers must be kept to one by who starts
    them.

    Raises:
        StoreError: another process writes the mirror.
    """
    text = os.fspath(target)
    if text.startswith("s3://"):
        return nullcontext()
    path = Path(text).absolute()
    make_folder(path.parent)
    # Beside the folder, in which readers expect nothing but Zarr.
    return WriterLock(path.with_name(f".{path.name}.lock"), f"The mirror {text}")


@contextmanager
def mirror_errors(where: str) -> Iterator[None]:
    """Turn errors of writing a mirror into one sentence.

    Raises:
        ResourceError: the disk is full, or a quota or limit of file size was met.
        StoreError: any other.
    """
    try:
        yield
    except KaisekiError:
        raise
    except Exception as error:
        if not isinstance(error, OSError) and not type(error).__module__.startswith("obstore"):
            raise
        full = out_of_space(error, where, "the days before are whole", "call the command again, which goes on")
        words = str(error).strip().splitlines()
        raise full or StoreError(
            f"The mirror {where} could not be written: {words[0] if words else type(error).__name__}; the days before "
            "are whole, call the command again, which goes on"
        ) from error
