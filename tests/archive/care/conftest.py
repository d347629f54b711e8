"""The S3 server, as the tests of release stores have it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from archive.release.servers import s3_server


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Address of an S3 server."""
    with s3_server() as address:
        yield address
