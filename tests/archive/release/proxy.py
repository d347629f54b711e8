"""HTTP proxy before an S3 server that spoils what passes: drops headers of conditions, loses answers.

Tests put it between a client and a real server, to see what a store does to us that does not keep its promises.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

CONDITIONS = ("if-none-match", "if-match")


class Proxy(ThreadingHTTPServer):
    """A proxy on a free port of this machine.

    Args:
        server: address of the server behind it.
        dropped: names of headers of a request that do not reach the server.
        lost: tells of a request, from its method and path, that the server shall get it and the client an error 500.
    """

    daemon_threads = True
    # As many as the clients open at once; five is the default.
    request_queue_size = 256

    def __init__(
        self, server: str, dropped: Iterable[str] = (), lost: Callable[[str, str], bool] = lambda *_: False
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind, self.dropped, self.lost = urlsplit(server).netloc, {name.lower() for name in dropped}, lost
        self.answers: list[tuple[str, str, int]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def proxied(server: str, **spoiled: Any) -> Iterator[Proxy]:
    """A proxy that runs within the block."""
    with Proxy(server, **spoiled) as proxy:
        thread = Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"

    def _pass(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        headers = {name: value for name, value in self.headers.items() if name.lower() not in self.server.dropped}
        connection = http.client.HTTPConnection(self.server.behind, timeout=60)
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        self.server.answers.append((self.command, self.path, answer.status))
        if self.server.lost(self.command, self.path):
            self.send_error(500)
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "server", "date"):
                self.send_header(name, value)
        length = len(content) if self.command != "HEAD" else int(answer.getheader("Content-Length") or 0)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass

    def log_message(self, format: str, *args: object) -> None:
        pass
