"""The distributions of `examples/plugins`, built as wheels and installed in a folder of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def plugins(root: Path) -> list[Path]:
    """Folders of the distributions."""
    return sorted(path.parent for path in (root / "examples" / "plugins").glob("*/pyproject.toml"))


@pytest.fixture(scope="session")
def site(plugins: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the wheels are unpacked: what an installer does with wheels of pure Python."""
    wheels, folder = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    for plugin in plugins:
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
        done = subprocess.run(build, cwd=plugin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def python(root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python in a process of its own in which the distributions of some folders are installed."""

    def run(*arguments: str | Path, sites: tuple[Path, ...] = ()) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(str(one) for one in (*sites, root / "src", root / "tests"))
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
