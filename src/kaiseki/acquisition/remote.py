"""Objects of services, whatever the protocol: how large one is, how it can be checked, and bytes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kaiseki.core.errors import InputError


class Absent(InputError):
    """An object that the service does not have."""


class Changed(Exception):
    """An object is another one than when its download began."""


class Unranged(Exception):
    """An object is given whole only, though a part of it was asked for."""


@dataclass(frozen=True)
class Found:
    """What a service says of an object before it is loaded.

    Attributes:
        size: length, bytes; None where the service does not say.
        etag: entity tag, which changes with the content; None where there is none.
        modified: time of the last change, as the service writes it; None where it does not say.
        ranges: whether parts of it can be asked for.
        digests: digests that the service gives, hexadecimal, by algorithm ("md5", "sha256").
        media_type: as the service calls it.
    """

    size: int | None
    etag: str | None = None
    ranges: bool = True
    digests: tuple[tuple[str, str], ...] = ()
    media_type: str = ""
    modified: str | None = None

    @property
    def mark(self) -> str | None:
        """What tells this content from another of the same length (RFC 9110 8.8): a strong entity tag, else the time of
        the last change; None where the service gives neither."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def differs(self, other: Found) -> bool:
        """Whether another answer is known to be of other content."""
        if self.mark == self.etag and other.mark == other.etag and self.etag and other.etag:
            return self.etag != other.etag
        pairs = (self.etag, other.etag), (self.modified, other.modified)
        return any(one and another and one != another for one, another in pairs)


@dataclass(frozen=True)
class Body:
    """Bytes of an answer, to be gone through once, and what the answer says of the object."""

    found: Found
    blocks: Iterator[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return self.blocks


@runtime_checkable
class Remote(Protocol):
    """An object of a service."""

    @property
    def address(self) -> str:
        """Address, for messages and records."""
        ...

    def describe(self) -> Found:
        """What the service says of it.

        Raises:
            Absent: there is no such object.
            InputError: the service refuses the credentials or the request.
            Passing: a failure that may pass.
        """
        ...

    def read(self, start: int, stop: int | None, of: Found | None) -> AbstractContextManager[Body]:
        """Bytes from `start` to before `stop` (None: to the end), as they come.

        Raises:
            Changed: the object is not what `of` was any more.
            Unranged: the service gives it whole only.
            Absent, InputError, Passing: as `describe`.
        """
        ...


def md5_of_etag(etag: str | None) -> tuple[tuple[str, str], ...]:
    """The MD5 in an entity tag of an object store, where it is one.

    S3 and Google's XML interface use the MD5 of the content for objects that were put in one piece; for those put in
    several it is another digest with a hyphen and the number of pieces, from which nothing is concluded.
    """
    tag = (etag or "").strip('"').lower()
    return (("md5", tag),) if len(tag) == 32 and all(c in "0123456789abcdef" for c in tag) else ()
