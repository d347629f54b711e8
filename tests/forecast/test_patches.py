"""One and several devices give the same forecast. JAX must see its devices before it starts, so these run apart."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("divided_run.py")


def start(*arguments: str, devices: int) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}",
        "JAX_ENABLE_X64": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    }
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("lateral", ["rim", "periodic"])
def test_patches_agree_with_the_undivided_forecast(lateral: str) -> None:
    run = start("patches", lateral, devices=4)
    output, _ = run.communicate(timeout=280)
    assert run.returncode == 0, output
    assert "largest relative difference" in output, output


def test_two_processes_make_one_mesh() -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    runs = [start("hosts", f"127.0.0.1:{port}", "2", str(k), devices=1) for k in range(2)]
    outputs = [run.communicate(timeout=280)[0] for run in runs]
    assert all(run.returncode == 0 for run in runs), "\n".join(outputs)
    assert all("largest relative difference" in o for o in outputs), "\n".join(outputs)
