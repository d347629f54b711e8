"""Services on this machine that misbehave as real ones do: an HTTP server with ranges and a Climate Data Store."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

BLOCK = 16384


@dataclass
class Behaviour:
    """What a service does with one file, besides giving it; counts go down to 0 as they are used up."""

    busy: int = 0
    """Answers 503 before the first good one."""
    retry_after: str = "0"
    cut: int = 0
    """Answers that end after half of what was asked for."""
    longest: int | None = None
    """Bytes after which every answer ends."""
    stall: int = 0
    """Answers that stop for longer than a client waits."""
    pause: float = 0.0
    """Time between two blocks, s."""
    corrupt: int = 0
    """Answers with one wrong byte."""
    digest: bool = False
    """Whether the MD5 of the file is given."""
    ranges: bool = True
    claimed: bool = False
    """Whether ranges are said to be given, and are not."""
    etag: str | None = ""
    """Entity tag; "" for one that changes with the content, None for none."""
    modified: str | None = "Mon, 01 Jan 2024 00:00:00 GMT"
    kind: str = "application/octet-stream"
    token: str | None = None
    """Bearer token that is needed."""
    uses: int | None = None
    """Answers until the token expires."""
    good: int | None = None
    """Answers with content before all others are 503."""
    newer: bytes | None = None
    """Content that takes the place of the file after the first answer with content."""
    later: str | None = None
    """Time of change from then on."""
    later_page: bytes = b""
    """Page that answers every GET."""
    page: bool = False
    """Whether those without the token get a page to sign in, with status 200."""


@dataclass
class Service:
    """An HTTP server in this process; `with Service() as service` runs it."""

    files: dict[str, bytes] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    """GET requests by path."""
    headers: list[dict[str, str]] = field(default_factory=list)
    sent: int = 0

    def __enter__(self) -> Self:
        service = self

        class Handler(_Handler):
            of = service

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def behave(self, path: str, **how: Any) -> Behaviour:
        self.behaviours[path] = Behaviour(**how)
        return self.behaviours[path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    of: Service

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        # The library for Google's store writes %2F for the slashes of a key.
        path = unquote(urlsplit(self.path).path)
        if path == "/_sent":
            self._short(200, str(self.of.sent).encode())
            return
        how = self.of.behaviours.get(path, Behaviour())
        if with_body:
            self.of.asked[path] += 1
        self.of.headers.append(dict(self.headers))
        if how.token is not None and not self._known(how):
            if how.page:
                self._short(200, b"<html>sign in</html>", {"Content-Type": "text/html; charset=utf-8"})
            else:
                self._short(401, b"token expired")
            return
        if path not in self.of.files:
            self._short(404, b"")
            return
        if how.busy > 0:
            how.busy -= 1
            self._short(503, b"", {"Retry-After": how.retry_after} if how.retry_after else {})
            return
        if with_body and how.good is not None:
            how.good -= 1
            if how.good < 0:
                self._short(503, b"", {"Retry-After": "0"})
                return
        content = self.of.files[path]
        if with_body and how.newer is not None:
            self.of.files[path], how.newer = how.newer, None
            how.modified, changed = how.later if how.etag is None else how.modified, how.modified
        else:
            changed = how.modified
        if with_body and how.later_page:
            self._short(200, how.later_page, {"Content-Type": "text/html"})
            return
        start, stop, status = 0, len(content), 200
        headers = {"Content-Type": how.kind}
        if changed is not None:
            headers["Last-Modified"] = changed
        if how.etag is not None:
            headers["ETag"] = how.etag or f'"tag-{hashlib.md5(content).hexdigest()[:8]}"'
        if how.claimed:
            headers["Accept-Ranges"] = "bytes"
        elif how.ranges:
            headers["Accept-Ranges"] = "bytes"
            if (asked := self.headers.get("Range", "")).startswith("bytes="):
                first, _, last = asked.removeprefix("bytes=").partition("-")
                start, stop, status = int(first), min(int(last) + 1 if last else stop, stop), 206
                headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
        if how.digest and status == 200:
            headers["Content-MD5"] = base64.b64encode(hashlib.md5(content).digest()).decode()
        body = bytearray(content[start:stop])
        if with_body and how.corrupt > 0 and body:
            how.corrupt -= 1
            body[len(body) // 2] ^= 0x10
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self._send(bytes(body), how)

    def _known(self, how: Behaviour) -> bool:
        given = self.headers.get("Authorization", "")
        basic = "Basic " + base64.b64encode(f"user:{how.token}".encode()).decode()
        if given not in (f"Bearer {how.token}", basic):
            return False
        if how.uses is not None:
            how.uses -= 1
            return how.uses >= 0
        return True

    def _send(self, body: bytes, how: Behaviour) -> None:
        end = len(body)
        if how.cut > 0:
            how.cut -= 1
            end = len(body) // 2
        if how.longest is not None:
            end = min(end, how.longest)
        stalled = how.stall > 0
        how.stall -= stalled
        try:
            for k in range(0, end, BLOCK):
                if how.pause:
                    time.sleep(how.pause)
                if stalled and k >= end // 2:
                    time.sleep(1.5)
                    break
                piece = body[k : min(k + BLOCK, end)]
                self.wfile.write(piece)
                self.of.sent += len(piece)
            if end < len(body) or stalled:
                self.close_connection = True
        except OSError:
            self.close_connection = True

    def _short(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@dataclass
class ClimateDataStore:
    """A server of the protocol of the Climate Data Store (OGC API Processes), as far as its client uses it."""

    key: str
    result: bytes
    polls: int = 1
    """Times that a job is asked for before it is done."""
    checksum: bool = True
    refuse: tuple[int, str] | None = None
    fail: str = ""
    unlinked: bool = False
    """Whether jobs come without an address to ask for them."""
    submitted: list[dict[str, Any]] = field(default_factory=list)
    jobs: dict[str, int] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    """Jobs whose result is no longer kept."""

    def __enter__(self) -> Self:
        store = self

        class Handler(_CdsHandler):
            of = store

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/api"


class _CdsHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    of: ClimateDataStore

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path.removeprefix("/api")
        root = f"{self.of.address}/retrieve/v1"
        if path.startswith("/catalogue/v1/messages"):
            self._json(200, {"messages": []})
        elif path.startswith("/results/"):
            self._bytes(path.rpartition("/")[2])
        elif self.headers.get("PRIVATE-TOKEN") != self.of.key:
            self._json(401, {"title": "Unauthorized", "detail": f"authentication failed for {self.of.key}"})
        elif path.startswith("/retrieve/v1/processes/"):
            self._json(200, {"id": path.rpartition("/")[2]})
        elif path.endswith("/results"):
            job = path.split("/")[-2]
            if self.of.fail:
                self._json(400, {"title": "The job has failed", "detail": self.of.fail})
                return
            value = {
                "href": f"{self.of.address}/results/{job}",
                "file:size": len(self.of.result),
                "type": "application/x-grib",
            }
            if self.of.checksum:
                value["file:checksum"] = hashlib.md5(self.of.result).hexdigest()
            self._json(200, {"asset": {"value": value}})
        elif path.startswith("/retrieve/v1/jobs/"):
            job = path.rpartition("/")[2]
            if job not in self.of.jobs:
                self._json(404, {"title": "job not found"})
                return
            self.of.jobs[job] -= 1
            done = "failed" if self.of.fail else "successful"
            status = done if self.of.jobs[job] < 0 else "running"
            links = [] if self.of.unlinked else [{"rel": "self", "href": f"{root}/jobs/{job}"}]
            if status != "running":
                links.append({"rel": "results", "href": f"{root}/jobs/{job}/results"})
            self._json(200, {"jobID": job, "status": status, "links": links, "metadata": {}})
        else:
            self._json(404, {"title": "not found"})

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers.get("PRIVATE-TOKEN") != self.of.key:
            self._json(401, {"title": "Unauthorized", "detail": f"authentication failed for {self.of.key}"})
            return
        if self.of.refuse:
            status, words = self.of.refuse
            self._json(status, {"title": "refused", "detail": words})
            return
        self.of.submitted.append(sent["inputs"])
        job = f"job-{len(self.of.submitted)}"
        self.of.jobs[job] = self.of.polls
        link = {"rel": "monitor", "href": f"{self.of.address}/retrieve/v1/jobs/{job}"}
        links = [] if self.of.unlinked else [link]
        self._json(201, {"jobID": job, "status": "accepted", "links": links, "metadata": {}})

    def _bytes(self, job: str) -> None:
        if job in self.of.gone:
            self._json(404, {"title": "gone"})
            return
        content, status = self.of.result, 200
        self_range = self.headers.get("Range", "")
        if self_range:
            first, _, last = self_range.removeprefix("bytes=").partition("-")
            start, stop = int(first), int(last) + 1 if last else len(content)
            status = 206
        self.send_response(status)
        self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
            content = content[start:stop]
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def _json(self, status: int, values: dict[str, Any]) -> None:
        body = json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
