"""What all commands share: the option --json and the way results are printed."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from kaiseki.core.progress import Mode, set_mode

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON and show no progress.")]
"""Type of the parameter `json` of every command."""


def begin(json: bool) -> None:
    """To be called first by every command: with --json nothing but the result is written."""
    set_mode(Mode.SILENT if json else Mode.AUTO)


def emit(result: Mapping[str, Any], *, json: bool, text: Callable[[], str]) -> None:
    """Print the result on standard output: the mapping as JSON, or the lines that `text` makes of it."""
    line = json_module.dumps(result, default=str) if json else text()
    sys.stdout.write(line if line.endswith("\n") else line + "\n")
