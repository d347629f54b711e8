"""A whole run takes its folder for itself while the case is made ready."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cycle import small
from kaiseki.archive.run import RunFolder
from kaiseki.core.errors import StoreError
from kaiseki.experiments.run import run_whole

HOLDER = """
import sys, time
from pathlib import Path
from cycle import small
from kaiseki.archive.run import RunFolder
from kaiseki.experiments.run import run_whole

def make_case(*_):
    print("preparing", flush=True)
    time.sleep(100.0)

run_whole(small.experiment(), RunFolder(Path(sys.argv[1])), None, make_case=make_case)
"""


class Ready(Exception):
    """The case would be made now."""


def make_case(*_: object) -> None:
    raise Ready


def test_two_processes_do_not_prepare_one_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(small.__file__).parents[1]), *sys.path])}
    command = [sys.executable, "-c", HOLDER, str(folder.path)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "preparing\n"
        with pytest.raises(StoreError, match=rf"The run in .* is being written by process {holder.pid} on .*; wait"):
            run_whole(small.experiment(), folder, None, make_case=make_case)
    finally:
        holder.kill()
        holder.communicate()
    for _ in range(2):
        with pytest.raises(Ready):
            run_whole(small.experiment(), folder, None, make_case=make_case)
