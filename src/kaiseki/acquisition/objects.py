"""Objects of S3 and Google Cloud Storage, by obstore; public buckets without a signature."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from kaiseki.acquisition.remote import Absent, Body, Changed, Found, md5_of_etag
from kaiseki.acquisition.retry import Passing, Patience, named
from kaiseki.core.errors import InputError

_BLOCK = 1 << 20


@dataclass
class Buckets:
    """Buckets of one fetch, each opened once.

    Attributes:
        patience: for time-outs; obstore itself does not try again, since we do.
        endpoints: address of the service of a bucket ("s3://name") where it is not that of the provider: a mirror.
    """

    patience: Patience
    endpoints: dict[str, str] = field(default_factory=dict)
    _opened: dict[str, Any] = field(default_factory=dict)

    def object(self, address: str, region: str = "") -> StoredObject:
        """The object at s3://bucket/key or gs://bucket/key.

        Raises:
            InputError: another scheme.
        """
        scheme, _, rest = address.partition("://")
        bucket, _, key = rest.partition("/")
        root = f"{scheme}://{bucket}"
        if root not in self._opened:
            self._opened[root] = self._open(scheme, bucket, region, self.endpoints.get(root))
        return StoredObject(address, self._opened[root], key)

    def _open(self, scheme: str, bucket: str, region: str, endpoint: str | None) -> Any:
        from obstore.store import GCSStore, S3Store

        options: Any = {
            "timeout": timedelta(seconds=max(600.0, self.patience.timeout)),
            "read_timeout": timedelta(seconds=self.patience.timeout),
            "connect_timeout": timedelta(seconds=min(30.0, self.patience.timeout)),
            "allow_http": bool(endpoint and endpoint.startswith("http://")),
            "user_agent": "kaiseki-fetch",
        }
        once: Any = {"max_retries": 0, "retry_timeout": timedelta(seconds=0)}
        if scheme == "s3":
            further: Any = {"endpoint": endpoint, "virtual_hosted_style_request": False} if endpoint else {}
            return S3Store(
                bucket,
                region=region or "us-east-1",
                skip_signature=True,
                client_options=options,
                retry_config=once,
                **further,
            )
        if scheme == "gs":
            further = {"base_url": endpoint} if endpoint else {}
            return GCSStore(bucket, skip_signature=True, client_options=options, retry_config=once, **further)
        raise InputError(f"{scheme}://{bucket} is no address of an object store that is known (s3:// or gs://)")


@dataclass(frozen=True)
class StoredObject:
    """An object in a bucket."""

    address: str
    store: Any = field(repr=False)
    key: str = ""

    def describe(self) -> Found:
        """Size and entity tag, by HEAD."""
        import obstore

        with self._explained():
            meta = obstore.head(self.store, self.key)
        return _described(meta)

    @contextmanager
    def read(self, start: int, stop: int | None, of: Found | None) -> Iterator[Body]:
        """Bytes from `start` to before `stop`."""
        import obstore

        options: Any = {}
        if stop is not None:
            options["range"] = (start, stop)
        elif start:
            options["range"] = {"offset": start}
        with self._explained():
            result = obstore.get(self.store, self.key, options=options)
            now = _described(result.meta)
            if of is not None and of.differs(now):
                raise Changed(self.address)
        yield Body(now, self._blocks(result))

    def _blocks(self, result: Any) -> Iterator[bytes]:
        with self._explained():
            for block in result.stream(min_chunk_size=_BLOCK):
                yield bytes(block)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of the library as ours."""
        from obstore import exceptions

        try:
            yield
        except (FileNotFoundError, exceptions.NotFoundError):
            raise Absent(f"{self.address} is not there; check the period of the source, or wait for it") from None
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, PermissionError):
            raise InputError(
                f"{self.address} cannot be read without an account, though its bucket should be open; the object may "
                "not exist; see kaiseki fetch --probe"
            ) from None
        except exceptions.PreconditionError:
            raise Changed(self.address) from None
        except (exceptions.BaseError, OSError, TimeoutError) as error:
            raise Passing(named(error).partition("\n")[0][:300]) from None


def _described(meta: Any) -> Found:
    changed = meta.get("last_modified")
    return Found(
        meta["size"],
        meta["e_tag"],
        digests=md5_of_etag(meta["e_tag"]),
        modified=changed.isoformat() if changed is not None else None,
    )
