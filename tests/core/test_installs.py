"""What can be imported where only a part of the packages is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import kaiseki

ROOMS = sorted(path.parent.name for path in Path(kaiseki.__file__).parent.glob("*/__init__.py"))

# Imports every module of a room while the packages named cannot be imported.
PROGRAM = """
import importlib, pkgutil, sys
room, *blocked = sys.argv[1:]
for name in blocked:
    sys.modules[name] = None
package = importlib.import_module(f"kaiseki.{room}")
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.startswith("kaiseki.config"):
        importlib.import_module(module.name)
print(sum(name.startswith(package.__name__) for name in sys.modules))
"""


def modules_imported(room: str, *blocked: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROGRAM, room, *blocked], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize(
    "room", [room for room in ROOMS if room in {"core", "formats", "grid", "archive", "verification", "report", "cli"}]
)
def test_the_client_needs_no_jax(room: str) -> None:
    assert modules_imported(room, "jax", "jaxlib", "equinox", "jaxtyping") >= 1


@pytest.mark.parametrize(
    "room", [room for room in ROOMS if room in {"core", "diagnostics", "grid", "statistics", "forecast"}]
)
def test_the_numerical_core_needs_no_store_and_no_file_format(room: str) -> None:
    assert modules_imported(room, "zarr", "icechunk", "eccodes", "pydantic") >= 1
