"""Files are written whole or not at all, and a full disk is one sentence and exit code 6, whatever is written.

What can go wrong: the error of a library is none of the system's and passes as a defect; an old file is lost or a
scratch file left; two processes take the same scratch name; another error of the system is told as a full disk.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core import full_disk
from kaiseki.core.errors import ResourceError, StoreError
from kaiseki.core.files import make_folder, out_of_space, whole_file, write_text

type Answers = dict[str, dict[str, tuple[int, str, list[str]]]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What `full_disk.py` found, under a limit of file size and, where one can be mounted, on a full file system."""
    folder = tmp_path_factory.mktemp("disk")
    mount = f'mount -t tmpfs -o size=4m none {folder} && exec "$@"'
    small = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    mountable = shutil.which("unshare") and subprocess.run([*small, "true"], capture_output=True).returncode == 0
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(full_disk.__file__).parents[1]), *sys.path])}
    program = [sys.executable, "-W", "ignore", full_disk.__file__, str(folder)]
    command = [*small, *program, "fill"] if mountable else program
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("how", "words"), [("limit", "would pass the file size limit"), ("full", "disk that holds")])
def test_every_writer_meets_a_full_disk_with_one_sentence(answers: Answers, how: str, words: str) -> None:
    if how not in answers:
        pytest.skip("a small file system cannot be mounted here")
    assert len(answers[how]) == 9
    for name, (code, sentence, left) in answers[how].items():
        assert code == 6, f"{name}: {sentence}"
        assert words in sentence
        assert name.split("/")[0] in sentence
        assert left == []


def half_written(path: Path) -> None:
    path.write_text("half")
    raise LookupError("the other half")


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.txt", "old")
    with pytest.raises(LookupError), whole_file(path) as scratch:
        half_written(scratch)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.txt", "old")
    with whole_file(path) as scratch:
        scratch.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_two_processes_that_write_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with whole_file(path) as ours:
        ours.write_text("ours")
        code = (
            "import sys, pathlib; from kaiseki.core.files import write_text; write_text(pathlib.Path(sys.argv[1]), 'b')"
        )
        subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=60)
        assert path.read_text() == "b"
    assert path.read_text() == "ours"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_no_full_disk(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"absent/a\.txt could not be written: No such file"):
        write_text(tmp_path / "absent" / "a.txt", "text")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="could not be written: "):
        make_folder(tmp_path / "file" / "folder")


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "words of another language"), True),
        (OSError(errno.EDQUOT, ""), True),
        (OSError(errno.EFBIG, ""), True),
        (RuntimeError("unable to extend file properly, errno = 28, error message = 'No space left on device'"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (RuntimeError("a defect"), False),
    ],
)
def test_a_full_disk_is_told_by_number_or_words(error: Exception, full: bool) -> None:
    assert isinstance(out_of_space(error, "a.nc", "nothing was kept", "go on"), ResourceError) == full
