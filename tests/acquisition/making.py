"""Small files in the outer form of the real ones, and experiments that need them."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

from kaiseki.config import Experiment


def grib(number: int, length: int = 3000, seed: int = 0) -> bytes:
    """GRIB 2 messages of the right outer form with random content."""
    return b"".join(message(length, seed + k) for k in range(number))


def message(length: int, seed: int) -> bytes:
    head = b"GRIB" + bytes([0, 0, 0, 2]) + length.to_bytes(8, "big")
    return head + random.Random(seed).randbytes(length - 20).replace(b"GRIB", b"grib") + b"7777"


def experiment(hours: int = 9, start: str = "2024-01-01T00:00:00Z", **files: list[str]) -> Experiment:
    """A real experiment over Japan; `files` are first_guess_files ("driving") and files of observations."""
    end = datetime.fromisoformat(start) + timedelta(hours=hours)
    return Experiment.from_mapping(
        {
            "case": {"name": "small", "kind": "real"},
            "domain": {"preset": "japan-60km"},
            "period": {"cold_start": start, "end": end},
            "observations": {"files": files.get("observations", ["mine/*"])},
            "driving": {"first_guess_files": files.get("driving", ["mine/*"])},
        }
    )


def descriptor(
    folder: Path, address: str, *, further: str = "", part: str = "", name: str = "made", form: str = "grib"
) -> str:
    """Path of a descriptor of one source with one file every six hours."""
    path = folder / f"{name}.toml"
    path.write_text(
        f'title = "made"\nuse = "driving"\nfolder = "driving/{name}"\nlicence = "none"\ncitation = "none"\n'
        f'documentation = []\ninterval_hours = 6.0\n{further}\n[[parts]]\nname = "files"\naddress = "{address}"\n'
        f'format = "{form}"\nevery = 6\nbytes = 100000\n{part}\n',
        encoding="utf-8",
    )
    return str(path)


ACCOUNT = (
    '[account]\nname = "the Test Service"\nregister = "https://example.org/renew"\nwhere = "~/.netrc or TEST_TOKEN"\n'
    'hosts = ["127.0.0.1"]\nmachine = "127.0.0.1"\ntoken_variable = "TEST_TOKEN"\n'
)
