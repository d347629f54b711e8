"""Run as a program by the tests: a fetch that is killed (SIGKILL) at ten moments, each begun anew.

    python killed.py DESCRIPTOR DATA SERVICE MOMENTS...

A moment is a number of bytes that the service has sent since the fetch began. The packages are imported once, and each
fetch is a forked child. Prints, as JSON, the bytes sent up to each kill and names of files that had their name by then.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import requests  # noqa: F401 - imported once, before the forks

from acquisition.making import experiment
from kaiseki.acquisition.descriptor import source
from kaiseki.acquisition.fetch import Manner, fetch
from kaiseki.acquisition.plan import make_plan
from kaiseki.core.progress import Mode, set_mode


def main(descriptor: str, data: Path, service: str, moments: list[int]) -> None:
    set_mode(Mode.SILENT)
    plan = make_plan(experiment(), (source(descriptor),))
    found = []
    for moment in moments:
        before = sent(service)
        child = os.fork()
        if child == 0:
            fetch(plan, data, Manner(jobs=2, piece=64 << 10))
            os._exit(0)
        ended = 0
        while sent(service) - before < moment and not ended:
            ended = os.waitpid(child, os.WNOHANG)[0]
            time.sleep(0.002)
        if not ended:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        whole = [one.name for one in data.rglob("*") if one.is_file() and not one.name.startswith(".")]
        found.append({"sent": sent(service) - before, "killed": not ended, "whole": whole})
    print(json.dumps(found))


def sent(service: str) -> int:
    with urlopen(f"{service}/_sent") as answer:
        return int(answer.read())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], [int(word) for word in sys.argv[4:]])
