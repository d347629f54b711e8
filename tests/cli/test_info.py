from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import pytest

from kaiseki.cli import main


def test_info_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    import jax

    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["python"] == platform.python_version()
    assert found["packages"]["jax"] == jax.__version__
    assert len(found["devices"]) == jax.device_count()
    if sys.platform == "linux":
        total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
        assert found["memory"]["total"] == int(total.split()[1]) * 1024


def test_info_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    for word in ("python", "memory", "devices", "icechunk"):
        assert f"\n{word} " in f"\n{text}"


def test_info_of_the_client_without_jax(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert "JAX is not installed; install kaiseki[run]" in text
    assert "psutil is not installed" in text
