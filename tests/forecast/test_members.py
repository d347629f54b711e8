"""Members together are the same as one after another, on one device and on several."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("members_run.py")


def test_members_are_single_forecasts() -> None:
    """One of three devices serves five members, for no more divide their number, and two serve four."""
    environment = {
        **os.environ,
        "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=3",
        "JAX_ENABLE_X64": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    }
    run = subprocess.run(
        [sys.executable, str(SCRIPT)], env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    for used in ("5 members on 1 of 3 devices", "4 members on 2 of 3 devices"):
        assert f"{used}: largest relative difference" in run.stdout
