"""Requests to the Climate Data Store, by its own client; the results are loaded as any other file."""

from __future__ import annotations

import dataclasses
import json
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kaiseki.acquisition.credentials import CdsAccount, Secrets
from kaiseki.acquisition.plan import Item
from kaiseki.acquisition.remote import Absent, Found
from kaiseki.acquisition.retry import Patience, Stopped, named
from kaiseki.acquisition.service import Services
from kaiseki.acquisition.transfer import Loaded, Transfer
from kaiseki.acquisition.web import refusal
from kaiseki.core.errors import InputError, KaisekiError
from kaiseki.core.files import write_text
from kaiseki.core.progress import say

_one_at_a_time = threading.Lock()
_FIRST_WAIT: Final = 1.0


class Retrieval:
    """One request: submitted, waited for, its result loaded.

    The number of the job is kept beside the file to be, so that a fetch that was ended waits for the same job and does
    not stand at the end of the queue again.
    """

    def __init__(self, item: Item, path: Path, services: Services, piece: int) -> None:
        self.item, self.path, self.services, self.piece = item, path, services, piece
        self.note = path.with_name(f".{path.name}.request.json")

    def run(self, count: Callable[[int], None], record: Callable[[Loaded], None]) -> Loaded:
        """The file of the request.

        Raises:
            InputError: the service refuses the request or its credentials, or its job fails.
        """
        with explained(self.item):
            client = client_of(self.services.patience)
        for attempt in (1, 2):
            job = self._job(client)
            asset, address = self._result(job)
            transfer = Transfer(
                remote=self.services.web.file(self.services.mirrored(address)),
                path=self.path,
                kind=self.item.part.format,
                patience=self.services.patience,
                count=count,
                piece=self.piece,
            )
            try:
                found = transfer.describe()
                loaded = transfer.run(_with_checksum(found, asset), record)
            except Absent:
                # Results are kept for some days only; then the request has to be made again.
                self.note.unlink(missing_ok=True)
                if attempt == 2:
                    raise
                continue
            self.note.unlink(missing_ok=True)
            return loaded
        raise AssertionError

    def _job(self, client: Any) -> Any:
        """The job that was begun for the same request, else a new one."""
        with explained(self.item):
            try:
                kept = json.loads(self.note.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                kept = {}
            if kept.get("identity") == self.item.identity:
                try:
                    job = client.client.get_remote(kept["job"])
                    if job.status in ("accepted", "running", "successful"):
                        return job
                except Exception as error:
                    if _status(error) not in (404, 410):
                        raise
            job = client.retrieve(self.item.address, self.item.request)
            write_text(self.note, json.dumps({"identity": self.item.identity, "job": job.request_id}))
            return job

    def _result(self, job: Any) -> tuple[dict[str, Any], str]:
        """What the service says of the result, and where it lies."""
        patience, wait, told = self.services.patience, min(_FIRST_WAIT, self.services.patience.most), ""
        with explained(self.item):
            while not job.results_ready:
                if job.last_status != told:
                    told = job.last_status
                    say(f"{self.path.name}: the request is {told}")
                patience.check()
                patience.sleep(wait)
                wait = min(wait * 1.5, patience.most)
            result = job.get_results()
            return result.asset, result.location


def client_of(patience: Patience) -> Any:
    """The service's client, with the credentials of its usual places; it does not print.

    Raises:
        InputError: there are none, or they cannot be right.
    """
    import cdsapi

    account = CdsAccount.found()
    if account is None:
        raise InputError("There are no credentials of the Climate Data Store any more; see kaiseki fetch --dry-run")
    with _one_at_a_time, warnings.catch_warnings():
        # It warns where the catalogue's news cannot be read, which is no matter here.
        warnings.simplefilter("ignore")
        return cdsapi.Client(
            url=account.url,
            key=account.key,
            verify=account.verify,
            quiet=True,
            progress=False,
            delete=False,
            wait_until_complete=False,
            timeout=patience.timeout,
            retry_max=patience.tries,
            sleep_max=patience.most,
            info_callback=_nothing,
            debug_callback=_nothing,
        )


@contextmanager
def explained(item: Item) -> Iterator[None]:
    """Errors of the client, which has many kinds, as one sentence without credentials."""
    import requests

    try:
        yield
    except (KaisekiError, Stopped):
        raise
    except requests.HTTPError as error:
        words = Secrets.found().hidden(" ".join(str(error).split()))
        status = _status(error)
        if status == 401:
            raise InputError(refusal("The Climate Data Store", status, item.source.account)) from None
        if status == 403:
            raise InputError(
                f"The Climate Data Store refuses {item.address} ({words[:300]}); accept the licence of the data set at "
                f"https://cds.climate.copernicus.eu/datasets/{item.address}?tab=download and call the command again"
            ) from None
        raise InputError(f"The Climate Data Store did not fulfil the request for {item.path} ({words[:300]})") from None
    except Exception as error:
        # Its links and answers have errors of their own, some without a class.
        words = Secrets.found().hidden(named(error))
        raise InputError(
            f"The Climate Data Store did not fulfil the request for {item.path} ({words[:300]}); look at the url in "
            "~/.cdsapirc, or call the command again later"
        ) from None


def _with_checksum(found: Found, asset: dict[str, Any]) -> Found:
    """What the file server says, with the length and the MD5 that the service gives for the result."""
    digests = dict(found.digests)
    checksum = str(asset.get("file:checksum", "")).lower()
    if len(checksum) == 32 and all(c in "0123456789abcdef" for c in checksum):
        digests["md5"] = checksum
    size = int(asset["file:size"]) if asset.get("file:size") else found.size
    return dataclasses.replace(found, size=size, digests=tuple(digests.items()))


def _status(error: Exception) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def _nothing(*_: object, **__: object) -> None:
    pass
