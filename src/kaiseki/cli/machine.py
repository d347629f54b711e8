"""Processors, memory, disks and devices of the machine that runs this program."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kaiseki.core.memory import limited

GB: Final = 1e9
LEAST_MEMORY: Final = 4.0 * GB
"""Memory, bytes, with which the smallest preset runs."""
LEAST_DISK: Final = 5.0 * GB
"""Free space, bytes, below which a run of some days may not fit."""


@dataclass(frozen=True)
class Finding:
    """One thing about this machine.

    Attributes:
        what: name.
        state: "good", "note" for what could be better, "bad" for what a run needs and lacks.
        text: what was found.
        advice: what to do about it; "" where nothing.
    """

    what: str
    state: str
    text: str
    advice: str = ""


def memory() -> dict[str, int] | None:
    """Bytes in all and free for new work, as far as a container lets this process use them; None where psutil is
    absent."""
    try:
        import psutil
    except ImportError:
        return None
    found = psutil.virtual_memory()
    return {"total": limited(int(found.total)), "available": limited(int(found.available))}


def processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def instruction_sets() -> list[str] | None:
    """Vector instruction sets of the processor, of those that matter here; None where the system does not say."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    flags = next(
        (line.partition(":")[2].split() for line in text.splitlines() if line.startswith(("flags", "Features"))), []
    )
    wanted = ("sse4_2", "avx", "avx2", "fma", "avx512f", "asimd", "sve")
    return [name for name in wanted if name in flags]


def devices() -> dict[str, Any]:
    """Devices of JAX, None where it is absent (the base install is the client); and why it refuses this machine."""
    try:
        import jax

        found = [{"platform": device.platform, "kind": device.device_kind} for device in jax.devices()]
    except ImportError:
        return {"devices": None, "jax_refusal": None}
    except RuntimeError as error:
        # A processor without AVX, or an accelerator that cannot be used.
        return {"devices": None, "jax_refusal": " ".join(str(error).split())}
    return {"devices": found, "jax_refusal": None}


def gpus() -> list[str]:
    """Names and memory of NVIDIA's devices by its own tool, whether JAX can use them or not."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run(
            [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def writable(folder: Path) -> bool:
    """Whether files can be made in a folder, or in the nearest one above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def free_space(folder: Path) -> int:
    """Free bytes of the disk that holds a folder, or the nearest one above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return int(shutil.disk_usage(folder).free)


def system() -> str:
    """Operating system and architecture."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"
