"""A real server of the S3 protocol (moto) for the tests of release stores."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen


@contextmanager
def s3_server() -> Iterator[str]:
    """Address of a server that runs within the block."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def new_bucket(address: str) -> str:
    """Location of a place in a new bucket."""
    name = f"bucket-{secrets.token_hex(6)}"
    urlopen(Request(f"{address}/{name}", method="PUT"), timeout=60).close()
    return f"s3://{name}/release"


def options(address: str) -> dict[str, Any]:
    """Storage options of a server of ours."""
    return {
        "region": "us-east-1",
        "endpoint_url": address,
        "allow_http": True,
        "access_key_id": "testing",
        "secret_access_key": "secret-of-the-test",
        "force_path_style": True,
    }
