"""Files over HTTP, with ranges, the user's netrc and bearer tokens."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from kaiseki.acquisition.descriptor import Account
from kaiseki.acquisition.remote import Absent, Body, Changed, Found, Unranged
from kaiseki.acquisition.retry import PASSING, Passing, Patience, asked_wait, named
from kaiseki.acquisition.structure import PAGE
from kaiseki.core.errors import InputError

_BLOCK = 1 << 16
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass
class Web:
    """Connections of one fetch, one session per thread, so that cookies of a sign-in are kept."""

    patience: Patience
    _local: threading.local = field(default_factory=threading.local)

    @property
    def session(self) -> Any:
        """The session of this thread."""
        if not hasattr(self._local, "session"):
            import requests

            session = requests.Session()
            session.headers["User-Agent"] = "kaiseki-fetch"
            # Bytes are checked and continued as they lie at the service, never as something packed for the way.
            session.headers["Accept-Encoding"] = "identity"
            self._local.session = session
        return self._local.session

    def file(self, address: str, account: Account | None = None) -> WebFile:
        """The file at an address."""
        return WebFile(address, self, account)


@dataclass(frozen=True)
class WebFile:
    """A file at an address of HTTP."""

    address: str
    web: Web = field(repr=False)
    account: Account | None = None

    def describe(self) -> Found:
        """What the service says of it, by HEAD or, where that is not answered, by a range of one byte."""
        with self._ask("HEAD", {}) as response:
            if response.status_code not in (403, 405, 501):
                self._accept(response, (200,))
                return _described(response, response.headers.get("Content-Length"))
        with self._ask("GET", {"Range": "bytes=0-0"}) as response:
            self._accept(response, (200, 206))
            total = response.headers.get("Content-Range", "").rpartition("/")[2]
            ranged = response.status_code == 206
            return _described(response, total if ranged else response.headers.get("Content-Length"), ranged)

    @contextmanager
    def read(self, start: int, stop: int | None, of: Found | None) -> Iterator[Body]:
        """Bytes from `start` to before `stop`; a service without ranges gives the whole file from 0 on."""
        whole = start == 0 and stop is None
        headers = {} if whole else {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        if not whole and of is not None and of.mark:
            # An answer with a part then says by itself that the object is the same (RFC 9110 13.1.5).
            headers["If-Range"] = of.mark
        with self._ask("GET", headers) as response:
            self._accept(response, (200,) if whole else (206, 200))
            now = _described(response, response.headers.get("Content-Length"))
            if of is not None and _is_page(now.media_type) and not _is_page(of.media_type):
                raise InputError(f"{self.address}: {PAGE}")
            if of is not None and of.differs(now):
                raise Changed(self.address)
            if not whole:
                part, _, total = response.headers.get("Content-Range", "").rpartition("/")
                if response.status_code == 200 or not part.startswith(f"bytes {start}-"):
                    raise Unranged(self.address)
                if of is not None and of.size is not None and total.isdigit() and int(total) != of.size:
                    raise Changed(self.address)
            yield Body(now, self._blocks(response))

    def _blocks(self, response: Any) -> Iterator[bytes]:
        """The body as it comes; a connection that is lost, or ends too early, is a failure that may pass."""
        import requests
        import urllib3

        try:
            yield from response.raw.stream(_BLOCK, decode_content=False)
        except (urllib3.exceptions.HTTPError, requests.RequestException, OSError) as error:
            raise Passing(named(error)) from None

    @contextmanager
    def _ask(self, method: str, headers: dict[str, str]) -> Iterator[Any]:
        import requests

        timeout = self.web.patience.timeout
        try:
            response = self.web.session.request(
                method,
                self.address,
                headers=headers,
                auth=_Bearer.of(self.account, self.address),
                stream=True,
                timeout=(min(timeout, 30.0), timeout),
                allow_redirects=True,
            )
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise Passing(named(error)) from None
        except requests.RequestException as error:
            raise InputError(f"{self.address} cannot be asked for ({named(error)})") from None
        try:
            yield response
        finally:
            response.close()

    def _accept(self, response: Any, good: tuple[int, ...]) -> None:
        """Refuse an answer other than the wanted ones, in words that say what to do."""
        status = response.status_code
        if status in PASSING:
            raise Passing(f"HTTP {status}", asked_wait(response.headers.get("Retry-After")))
        if status in (404, 410):
            raise Absent(f"{self.address} is not there (HTTP {status}); check the period of the source, or wait for it")
        if status in (401, 403):
            raise InputError(refusal(urlsplit(response.url).hostname or self.address, status, self.account))
        if status == 416:
            raise Changed(self.address)
        if status not in good:
            raise InputError(f"{self.address} was answered with HTTP {status}; see kaiseki fetch --probe")
        if self.account and _is_page(response.headers.get("Content-Type", "")):
            # Sign-in pages come with status 200 when a cookie or token has run out.
            raise InputError(refusal(urlsplit(response.url).hostname or self.address, status, self.account))


def _is_page(media_type: str) -> bool:
    return media_type.lower().startswith(("text/html", "application/xhtml"))


def refusal(host: str, status: int, account: Account | None) -> str:
    """The sentence for credentials that a service does not take."""
    if account is None:
        return f"{host} refuses access (HTTP {status}), though no account should be needed; see kaiseki fetch --probe"
    return (
        f"{host} does not take the credentials of {account.name} (HTTP {status}): they are wrong, have expired, or the "
        f"terms of the data are not accepted yet; renew them ({account.register}), put them in {account.where}, and "
        "call the command again: what was loaded is kept"
    )


def _described(response: Any, length: str | None, ranged: bool | None = None) -> Found:
    headers = response.headers
    if ranged is None:
        ranged = headers.get("Accept-Ranges", "").lower() == "bytes"
    size = int(length) if length is not None and length.isdigit() else None
    digests = []
    # RFC 1864, RFC 3230 and RFC 9530; digests of the whole file only.
    if (text := headers.get("Content-MD5")) and response.status_code == 200:
        digests.append(("md5", text))
    for name in ("Repr-Digest", "Digest"):
        for part in headers.get(name, "").split(","):
            algorithm, _, value = part.strip().partition("=")
            known = {"md5": "md5", "sha-256": "sha256"}.get(algorithm.lower())
            if known:
                digests.append((known, value.strip(":")))
    # Google's object store, which is also asked over plain HTTP.
    for part in headers.get("x-goog-hash", "").split(","):
        algorithm, _, value = part.strip().partition("=")
        if algorithm == "md5":
            digests.append(("md5", value))
    readable = tuple((name, found) for name, value in digests if (found := _hexadecimal(value)))
    kind = headers.get("Content-Type", "")
    return Found(size, headers.get("ETag"), ranged, readable, kind, headers.get("Last-Modified"))


def _hexadecimal(value: str) -> str | None:
    try:
        return base64.b64decode(value, validate=True).hex()
    except ValueError:
        return None


class _Bearer:
    """Bearer token of an account, for the hosts of the account alone and never in clear over the network."""

    def __init__(self, token: str) -> None:
        self._token = token

    @classmethod
    def of(cls, account: Account | None, address: str) -> Self | None:
        """The token in the account's environment variable, if the address may have it; None leaves it to the netrc."""
        if account is None or not account.token_variable or not (token := os.environ.get(account.token_variable)):
            return None
        parts = urlsplit(address)
        host = parts.hostname or ""
        own = any(host == name or host.endswith(f".{name}") for name in account.hosts)
        return cls(token) if host in _LOOPBACK or (own and parts.scheme == "https") else None

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
