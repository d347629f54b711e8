"""How far the locks of a file system reach: to every machine that sees the file, or to the processes of one machine.

The kernel lists what is mounted where, of which type and with which options; nothing else can be found out by one
process alone. A file system that is not of the network is of one machine, and its locks reach everybody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/self/mountinfo")

_SHARED_LOCKS: Final = {"ceph", "gpfs", "gfs2", "ocfs2"}
_OWN_MACHINE: Final = {"fuseblk", "fuse.fuse-overlayfs", "fuse.lxcfs", "fuse.osxfs", "fuse.grpcfuse", "fuse.mergerfs"}
_NETWORK: Final = {"cifs", "smb3", "smbfs", "lustre", "beegfs", "afs", "glusterfs", "panfs", "pvfs2", "nfs", "nfs4"}


@dataclass(frozen=True)
class FileSystem:
    """A mounted file system.

    Attributes:
        point: where it is mounted.
        kind: its type, as the kernel names it.
        options: of this mount and of the file system itself.
    """

    point: Path
    kind: str
    options: frozenset[str]

    @property
    def locks_reach_all(self) -> bool:
        """Whether a lock (flock) is seen by every machine that can open the file.

        NFS passes locks to its server unless mounted with `nolock` or `local_lock`; Lustre does with the option
        `flock`; SMB unless mounted with `nobrl`. Of FUSE and other network file systems it is not known, so: no.
        """
        if self.kind in ("nfs", "nfs4"):
            return not self.options & {"nolock", "local_lock=all", "local_lock=flock"}
        if self.kind == "lustre":
            return "flock" in self.options
        if self.kind in ("cifs", "smb3"):
            return "nobrl" not in self.options
        if self.kind.startswith("fuse"):
            return self.kind in _OWN_MACHINE
        return self.kind in _SHARED_LOCKS or self.kind not in _NETWORK


def file_system_of(path: Path, mounts: Path = MOUNTS) -> FileSystem | None:
    """The file system that holds a path; None where the system has no list of mounts.

    Args:
        path: need not exist.
        mounts: list in the form of /proc/self/mountinfo (manual page proc_pid_mountinfo(5)).
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    real = path.resolve()
    found: FileSystem | None = None
    for line in lines:
        before, separator, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        if not separator or len(fields) < 6 or len(rest) < 1:
            continue
        point = Path(re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), fields[4]))
        # A later mount on the same point hides the earlier one.
        if real.is_relative_to(point) and (found is None or len(point.parts) >= len(found.point.parts)):
            options = fields[5].split(",") + (rest[2].split(",") if len(rest) > 2 else [])
            found = FileSystem(point, rest[0], frozenset(options))
    return found
