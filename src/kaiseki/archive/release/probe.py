"""Whether an S3-compatible store keeps the promises that safe commits stand on, found out by trying.

Icechunk commits by conditional writes. A store, or a proxy before it, that ignores the condition takes every write and
commits of two writers are lost without an error.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from kaiseki.archive.release.objects import Objects, Refused
from kaiseki.archive.store.storage import resolve
from kaiseki.core.errors import KaisekiError, StoreError

_FOLDER = "kaiseki-probe"
_WRITERS = 4
"""Number of simultaneous writes of the same object."""

_accepted: set[tuple[str, str | None]] = set()


def probe_conditional_writes(
    location: str, storage_options: Mapping[str, Any] | None = None, *, again: bool = False
) -> None:
    """Refuse a store that does not hold to conditional writes; one that was accepted is not asked again.

    A scratch object below the prefix is created, created again, replaced with right, wrong and old ETags, read, listed,
    created by several threads at once, and removed.

    Args:
        location: address "s3://bucket/prefix".
        storage_options: as of `archive.store.storage.resolve`.
        again: ask although this process has accepted the location.

    Raises:
        StoreError: the store did something wrong (the message says what), could not be asked, or is no S3 store.
        InstallationError: obstore is not installed.
    """
    place = resolve(location, storage_options)
    known = place.where, (place.options or {}).get("endpoint_url")
    if known in _accepted and not again:
        return
    objects = Objects(place)
    folder = f"{_FOLDER}/{secrets.token_hex(8)}"
    keys = [f"{folder}/in-turn", f"{folder}/at-once"]
    try:
        _in_turn(objects, folder, keys[0])
        _at_once(objects, keys[1])
    finally:
        for key in keys:
            # What was found out matters more than a scratch object of a few bytes.
            with suppress(KaisekiError):
                objects.delete(key)
    _accepted.add(known)


def _in_turn(objects: Objects, folder: str, key: str) -> None:
    """One writer."""
    first = _required(objects, objects.create, key, b"first")
    if not _is_refused(objects.create, key, b"second"):
        raise _wrong(objects, "a new object replaced one that exists (If-None-Match: * was ignored)")
    _expect(objects, key, b"first")
    if not _is_refused(objects.replace, key, b"third", f'"{"0" * 32}"'):
        raise _wrong(objects, "an object was replaced although its version was another (If-Match was ignored)")
    _expect(objects, key, b"first")
    _required(objects, objects.replace, key, b"fourth", first)
    _expect(objects, key, b"fourth")
    if not _is_refused(objects.replace, key, b"fifth", first):
        raise _wrong(objects, "an object was replaced although its version had changed (If-Match was ignored)")
    if not any(stored.key == key for stored in objects.list(folder)):
        raise _wrong(objects, "a listing did not show an object that had just been written")


def _at_once(objects: Objects, key: str) -> None:
    """Several writers at the same moment."""
    with ThreadPoolExecutor(_WRITERS) as pool:
        refused = list(pool.map(lambda number: _is_refused(objects.create, key, b"%d" % number), range(_WRITERS)))
    if refused.count(False) != 1:
        raise _wrong(
            objects, f"of {_WRITERS} simultaneous writes of one new object {refused.count(False)} were taken, not one"
        )


def _is_refused(write: Any, *arguments: Any) -> bool:
    try:
        write(*arguments)
    except Refused:
        return True
    return False


def _required(objects: Objects, write: Any, *arguments: Any) -> str:
    """The version that a write made, which must be taken."""
    try:
        version = write(*arguments)
    except Refused:
        raise _wrong(objects, "a write was refused although its condition held") from None
    if not version:
        raise _wrong(objects, "a write was answered without an ETag")
    return str(version)


def _expect(objects: Objects, key: str, content: bytes) -> None:
    found = objects.read(key)
    if found is None or found[0] != content:
        raise _wrong(objects, "an object was read that is not the one written last")


def _wrong(objects: Objects, what: str) -> StoreError:
    return StoreError(
        f"{objects.where} cannot take commits safely: {what}; use a store with conditional writes "
        "and no proxy that drops their headers, or a local directory"
    )
