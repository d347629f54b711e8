"""`kaiseki doctor`: what is found on a machine, and what is advised where something is missing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kaiseki.cli import doctor, installed, machine, main
from kaiseki.core import memory


def found(findings: list[doctor.Finding], what: str) -> doctor.Finding:
    return next(one for one in findings if one.what == what)


def test_this_machine_for_machines_and_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    import psutil

    from kaiseki.config.domain import Preset

    assert main(["doctor", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {one["state"] for one in result["findings"]} <= {"good", "note", "bad"}
    assert [row["preset"] for row in result["presets"]] == list(reversed(Preset.__args__))
    memory = [row["memory"] for row in result["presets"]]
    assert memory == sorted(memory)
    for row in result["presets"]:
        assert not (row["fits"] and row["memory"] > psutil.virtual_memory().total)
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    for word in ("processors", "memory", "devices", "disk", "cache", "[run]", "japan-60km"):
        assert word in text
    assert doctor.USES.keys() == installed.EXTRAS.keys()
    assert "data from services (kaiseki fetch): " in text


def test_a_small_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The limit of the container counts, not the memory of its host."""
    limit = tmp_path / "memory.max"
    limit.write_text(f"{2 * 10**9}\n")
    monkeypatch.setattr(memory, "CGROUP", (tmp_path / "none", limit))
    one = found(doctor.examine(), "memory")
    assert one.state == "bad"
    assert one.text.startswith("2.0 GB")
    limit.write_text("max\n")
    assert found(doctor.examine(), "memory").state != "bad"


def test_what_is_missing_is_named_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert installed.missing_packages("report") == ["matplotlib"]
    assert main(["doctor", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["can_run"] is False
    assert result["presets"] == []
    rows = {one["what"]: one for one in result["findings"]}
    assert rows["[run]"]["state"] == "bad"
    assert rows["[run]"]["advice"] == 'Do: pip install "kaiseki[run]"'
    assert "matplotlib missing" in rows["[report]"]["text"]
    assert rows["devices"]["state"] == "bad"


def test_a_gpu_that_jax_does_not_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "gpus", lambda: ["NVIDIA H200, 143771 MiB"])
    one = found(doctor.examine(), "devices")
    assert one.state == "note"
    assert "H200" in one.text
    assert one.advice == 'Do: pip install "kaiseki[run,gpu]"'


@pytest.mark.parametrize(
    ("sets", "state", "word"),
    [(["sse4_2", "avx", "avx2"], "good", "avx2"), (["sse4_2", "avx"], "note", "AVX2"), (["sse4_2"], "bad", "AVX")],
)
def test_instruction_sets(sets: list[str], state: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "instruction_sets", lambda: sets)
    one = found(doctor.examine(), "instructions")
    assert one.state == state
    assert word in one.text + one.advice


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("KAISEKI_CACHE", str(file / "inside"))
    one = found(doctor.examine(), "cache")
    assert one.state == "note"
    assert "KAISEKI_CACHE" in one.advice


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def little(folder: Any) -> int:
        return 10**9

    monkeypatch.setattr(machine, "free_space", little)
    one = found(doctor.examine(), "disk")
    assert one.state == "note"
    assert "1 GB free" in one.text
    assert "--out" in one.advice
