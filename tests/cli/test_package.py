from __future__ import annotations

import subprocess
import sys
import types

import pytest

import kaiseki


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, kaiseki; print([name for name in sys.modules if name.startswith(('kaiseki.', 'numpy', 'x'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_open_is_that_of_the_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = types.ModuleType("kaiseki.archive")
    archive.open_archive = lambda path: f"opened {path}"
    monkeypatch.setitem(sys.modules, "kaiseki.archive", archive)
    assert kaiseki.open("here") == "opened here"
    assert "open" in dir(kaiseki)


def test_there_is_nothing_else() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'close'"):
        _ = kaiseki.close
