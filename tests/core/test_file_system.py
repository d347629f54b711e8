"""Which file system holds a path, and whether its locks reach every machine that sees it.

What can go wrong:
- the mount of a parent is taken for that of the path, or one that another mount hides;
- a network file system whose locks stay on one machine is trusted, or a local disk is not.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kaiseki.core.file_system import FileSystem, file_system_of

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
30 27 0:40 / /data rw,relatime - nfs4 server:/export rw,vers=4.2,local_lock=none
31 30 0:41 / /data/old rw,relatime master:3 shared:7 - nfs server:/old rw,vers=3,nolock,local_lock=all
32 27 0:42 / /my\\040disk rw - fuse.sshfs me@host:/ rw,user_id=0
33 27 0:43 / /twice rw - xfs /dev/vdb rw
34 33 0:44 / /twice rw - lustre mds:/l rw,localflock
not a line of this kind
"""


@pytest.mark.parametrize(
    ("path", "point", "kind", "reach"),
    [
        ("/home/x/release", "/", "ext4", True),
        ("/data/release", "/data", "nfs4", True),
        ("/database", "/", "ext4", True),
        ("/data/old/release", "/data/old", "nfs", False),
        ("/my disk/release", "/my disk", "fuse.sshfs", False),
        ("/twice/release", "/twice", "lustre", False),
    ],
)
def test_mount_of_a_path(tmp_path: Path, path: str, point: str, kind: str, reach: bool) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)
    found = file_system_of(Path(path), tmp_path / "mounts")
    assert found is not None
    assert (found.point, found.kind, found.locks_reach_all) == (Path(point), kind, reach)


@pytest.mark.parametrize(
    ("kind", "options", "reach"),
    [
        ("nfs", "rw,local_lock=flock", False),
        ("nfs", "rw,local_lock=posix", True),
        ("lustre", "rw,flock", True),
        ("cifs", "rw", True),
        ("cifs", "rw,nobrl", False),
        ("ceph", "rw", True),
        ("beegfs", "rw", False),
        ("fuseblk", "rw", True),
        ("fuse.s3fs", "rw", False),
        ("overlay", "rw", True),
        ("tmpfs", "rw", True),
    ],
)
def test_reach_of_locks_by_type_and_options(kind: str, options: str, reach: bool) -> None:
    assert FileSystem(Path("/"), kind, frozenset(options.split(","))).locks_reach_all is reach


def test_system_without_a_list_of_mounts(tmp_path: Path) -> None:
    assert file_system_of(tmp_path, tmp_path / "absent") is None


def test_this_system_knows_what_holds_a_folder(tmp_path: Path) -> None:
    found = file_system_of(tmp_path)
    if found is None:
        pytest.skip("this system has no list of mounts")
    assert tmp_path.resolve().is_relative_to(found.point)
    assert found.point.is_mount()
