"""Set-up of all tests: types and shapes checked at run time, single precision, the folder of real data."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# Before ecCodes, which readers of files import with all other formats (see kaiseki.core.proj); also for MetPy.
import pyproj  # noqa: F401
import pytest
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    from kaiseki.verification.run import Judgement

# Before anything imports JAX or the package.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["JAX_ENABLE_X64"] = "0"
# Tiny grids run for moments, but an optimising compiler unrolls their short loops for minutes: fifteen times as long.
_UNOPTIMISED = "--xla_backend_optimization_level"
if _UNOPTIMISED not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_UNOPTIMISED}=0".strip()
# Compiled programs of the tests neither come from the folder of the user nor go there; workers inherit their parent's.
if "KAISEKI_CACHE" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="kaiseki-tests-")
    os.environ["KAISEKI_CACHE"] = _cache.name
_hook = install_import_hook("kaiseki", "runtime_types.check")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """Root of the repository."""
    return ROOT


MOST_MAPPINGS = 20_000
"""Mapped regions of memory from which on compiled programs are given back; Linux allows a process 65,530."""


@pytest.fixture(autouse=True, scope="module")
def compiled_programs_given_back() -> Iterator[None]:
    """Compiled programs hold some mapped regions each, and a process that asks for one too many ends with a
    segmentation fault in the compiler."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MOST_MAPPINGS:
        import jax

        jax.clear_caches()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the real data (KAISEKI_SHARED, by default `shared` beside the repository), with `data` in it.

    Without it the test is skipped; under continuous integration (CI=true) it fails instead.
    """
    folder = Path(os.environ.get("KAISEKI_SHARED") or ROOT.parent / "shared")
    if not (folder / "data").is_dir():
        reason = f"no real data at {folder / 'data'}; set KAISEKI_SHARED to the folder that holds data/"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def data(shared: Path) -> Path:
    """Folder `data` of the real data, the data root of the real cases."""
    return shared / "data"


@pytest.fixture(scope="session")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete twin run that several tests read; nobody writes into it but its own report."""
    from report import synthetic

    return synthetic.make_run(tmp_path_factory.mktemp("runs") / "twin")


@pytest.fixture(scope="session")
def judged(twin: Path) -> Judgement:
    """Scores of the twin run."""
    from kaiseki.archive.run import Run
    from kaiseki.verification.run import judge

    return judge(Run(twin))


@pytest.fixture
def x64() -> Iterator[None]:
    """Double precision in JAX for one test."""
    import jax

    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", False)
