"""The repository itself: lock, metadata, size of files, set-up."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def lock(root: Path) -> str:
    return (root / "requirements.lock").read_text()


def test_the_lock_holds_no_address(lock: str) -> None:
    assert "://" not in lock
    assert "--index" not in lock
    assert "--find-links" not in lock


def test_every_pinned_package_has_a_hash(lock: str, root: Path) -> None:
    for text in (lock, (root / "tools" / "uv.txt").read_text()):
        entries = re.split(r"\n(?=[a-z0-9])", text)
        for entry in entries:
            if entry[0] != "#":
                assert "==" in entry.splitlines()[0], entry
                assert "--hash=sha256:" in entry, entry


def test_the_lock_covers_the_project(project: dict[str, Any], lock: str) -> None:
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["run"],
        *project["dependency-groups"]["dev"],
    ]
    pinned = set(re.findall(r"^([a-z0-9-]+)==", lock, flags=re.MULTILINE))
    for requirement in wanted:
        name = re.match(r"[A-Za-z0-9_-]+", requirement)[0].lower().replace("_", "-")
        assert name in pinned, f"{name} is not in requirements.lock; run make lock"


def test_what_is_installed_is_what_is_locked(lock: str) -> None:
    for name, locked in re.findall(
        r"^(jax|numpy|zarr|icechunk|eccodes|xarray|pydantic)==(\S+)", lock, flags=re.MULTILINE
    ):
        assert version(name) == locked, f"{name} is not the locked one; run make setup"


def test_the_extra_run_is_the_sum_of_its_parts(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    assert set(extras["run"]) == {*extras["model"], *extras["formats"], *extras["report"]}


def test_eccodes_brings_its_own_library() -> None:
    eccodes = pytest.importorskip("eccodes")
    assert tuple(int(part) for part in eccodes.codes_get_api_version().split(".")) >= (2, 50)


def test_the_citation_names_this_version(project: dict[str, Any], root: Path) -> None:
    text = (root / "CITATION.cff").read_text()
    assert f"\nversion: {project['project']['version']}\n" in text
    assert f"\nlicense: {project['project']['license']}\n" in text


def test_the_licence_is_complete(root: Path) -> None:
    text = (root / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_no_module_is_two_in_one(root: Path) -> None:
    for folder in ("src", "tests"):
        for path in (root / folder).rglob("*.py"):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            assert lines <= 500, f"{path.relative_to(root)} has {lines} lines; divide it"


def test_links_in_the_documents_lead_somewhere(root: Path) -> None:
    for path in [*root.glob("*.md"), *(root / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name} points to {target}"


def test_set_up_again_does_nothing(root: Path) -> None:
    stamp = root / ".venv" / ".kaiseki-setup"
    if not stamp.exists():
        pytest.skip("this environment was not made by tools/setup")
    before = stamp.stat().st_mtime_ns
    done = subprocess.run([root / "tools" / "setup"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert stamp.stat().st_mtime_ns == before
