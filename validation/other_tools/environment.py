"""The environment of the other tools: python -m validation.other_tools.environment FOLDER makes it with uv.

The packages are those of `requirements.txt`, pinned; Python must be 3.12, as there. Nothing of it enters the
environment of this project.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def interpreter(folder: Path) -> Path:
    """The Python of the environment in a folder.

    Raises:
        SystemExit: there is none.
    """
    path = folder / "bin" / "python"
    if not path.exists():
        raise SystemExit(f"{folder} holds no environment; make it with python -m validation.other_tools.environment")
    return path


def make(folder: Path, uv: str = "uv") -> Path:
    """Make the environment, or bring it to what the requirements say; returns its Python."""
    found = shutil.which(uv)
    if found is None:
        raise SystemExit(f"{uv} is not installed; it makes the environment (https://docs.astral.sh/uv)")
    if not (folder / "bin" / "python").exists():
        subprocess.run([found, "venv", "--python", "3.12", str(folder)], check=True)
    python = interpreter(folder)
    subprocess.run([found, "pip", "sync", "--python", str(python), str(HERE / "requirements.txt")], check=True)
    return python


if __name__ == "__main__":
    make(Path(sys.argv[1]), *sys.argv[2:3])
