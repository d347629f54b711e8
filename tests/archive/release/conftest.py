"""What the tests of release stores share: an S3 server, a small run and its release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.release.days import a_run
from archive.release.servers import s3_server
from kaiseki.archive.release.packing import PackSettings, pack
from kaiseki.archive.release.store import ReleaseStore


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Address of an S3 server."""
    with s3_server() as address:
        yield address


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run of a few cells, complete."""
    return a_run(tmp_path_factory.mktemp("packing") / "winter")


@pytest.fixture(scope="session")
def release(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Release that the run was packed into, published as v1; tests leave it as it is."""
    place = tmp_path_factory.mktemp("packing") / "release"
    pack([run], place, PackSettings(pressures=(100_000.0, 90_000.0, 85_000.0, 70_000.0)))
    with ReleaseStore.open(place, "a") as store:
        store.publish("v1")
    return place
