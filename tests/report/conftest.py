"""Runs on disk that several tests read; nobody writes into them but their own report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kaiseki.archive.run import Run
from kaiseki.verification.run import Judgement, judge
from report import synthetic


@pytest.fixture(scope="session")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete twin run."""
    return synthetic.make_run(tmp_path_factory.mktemp("runs") / "twin")


@pytest.fixture(scope="session")
def judged(twin: Path) -> Judgement:
    """Its scores."""
    return judge(Run(twin))


@pytest.fixture
def copy(twin: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may damage."""
    return Path(shutil.copytree(twin, tmp_path / "copy"))
