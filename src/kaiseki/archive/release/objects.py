"""Single objects of an S3-compatible store beside those of Icechunk: for the probe and for leases.

Icechunk's own client offers neither conditional writes of single objects nor any write at all, so that another client
is needed: obstore, in the extra `s3`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from kaiseki.archive.store.object_store import obstore_arguments
from kaiseki.archive.store.storage import Place
from kaiseki.core.errors import InstallationError, StoreError

if TYPE_CHECKING:
    from obstore.store import S3Store


class Refused(Exception):
    """A conditional write was refused because the condition does not hold."""


@dataclass(frozen=True)
class Stored:
    """An object as a listing or a look at it describes it.

    Attributes:
        key: below the prefix of the store.
        changed: time of the last write by the clock of the store (UTC), in whole seconds at most stores.
        version: ETag.
    """

    key: str
    changed: datetime
    version: str | None


class Objects:
    """Objects below the prefix of a place "s3://bucket/prefix".

    Args:
        place: of the repository.

    Raises:
        InstallationError: obstore is not installed.
        StoreError: the place is no address of S3.
    """

    def __init__(self, place: Place) -> None:
        if place.options is None:
            raise StoreError(f"{place.where} is no address of S3; give s3://bucket/prefix")
        self.where = place.where
        self._store = _store(place.where, place.options)

    def create(self, key: str, content: bytes) -> str | None:
        """Write an object that must not exist yet (If-None-Match: *); returns its version.

        Raises:
            Refused: it exists.
            StoreError: the store could not be asked.
        """
        return self._put(key, content, "create")

    def replace(self, key: str, content: bytes, version: str) -> str | None:
        """Write an object that must be of this version (If-Match); returns its new version.

        Raises:
            Refused: it is of another version or is gone.
            StoreError: the store could not be asked.
        """
        return self._put(key, content, {"e_tag": version})

    def _put(self, key: str, content: bytes, mode: Any) -> str | None:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._errors("written"):
            try:
                return obstore.put(self._store, key, content, mode=mode, use_multipart=False)["e_tag"]
            except (AlreadyExistsError, PreconditionError) as error:
                raise Refused(key) from error
            except FileNotFoundError as error:
                # So some answer to If-Match where the object is gone.
                if "NoSuchKey" in str(error):
                    raise Refused(key) from error
                raise

    def read(self, key: str) -> tuple[bytes, Stored] | None:
        """Content and description of an object, None if there is none."""
        import obstore

        with self._errors("read"):
            try:
                result = obstore.get(self._store, key)
                return bytes(result.bytes()), _stored(result.meta)
            except FileNotFoundError:
                return None

    def list(self, prefix: str) -> list[Stored]:
        """Objects whose keys begin with the prefix, a whole part of the path."""
        import obstore

        with self._errors("listed"):
            return [_stored(meta) for batch in obstore.list(self._store, prefix) for meta in batch]

    def delete(self, key: str) -> None:
        """Remove an object; it need not exist."""
        import obstore

        with self._errors("removed"), suppress(FileNotFoundError):
            obstore.delete(self._store, key)

    @contextmanager
    def _errors(self, done: str) -> Iterator[None]:
        """Turn errors of the client into one sentence."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, ValueError, OSError) as error:
            raise StoreError(f"An object of {self.where} could not be {done}: {_words(error)}") from error


def _store(where: str, options: Any) -> S3Store:
    try:
        from obstore.store import S3Store
    except ImportError:
        raise InstallationError(
            f"Writing to {where} needs the package obstore; install it with: pip install 'kaiseki[s3]'"
        ) from None
    bucket, _, prefix = where.removeprefix("s3://").partition("/")
    return S3Store(
        bucket,
        prefix=prefix or None,
        # Not every store can remove several objects by one request.
        disable_bulk_delete=True,
        # Few trials: a conditional write whose answer was lost is refused when it is tried again.
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=60)},
        **obstore_arguments(options),
    )


def _stored(meta: Any) -> Stored:
    return Stored(str(meta["path"]), meta["last_modified"], meta["e_tag"])


def _words(error: BaseException) -> str:
    """What the store answered, without its page of XML, which may name keys of access."""
    text = str(error)
    if code := re.search(r"<Code>(\w+)</Code>", text):
        message = re.search(r"<Message>([^<]*)</Message>", text)
        return f"{code[1]} ({message[1]})" if message else code[1]
    lines = text.strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
