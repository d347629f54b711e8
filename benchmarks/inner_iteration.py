"""What one iteration of 4D-Var costs: tangent-linear and adjoint of the inner model over a window.

    python -m benchmarks.inner_iteration --size 68x56x48

Writes `benchmarks/inner_iteration_<device>.json`: seconds per cell and step of both together, the traffic that their
compiled programs ask of the memory, and from these the seconds of an iteration of the inner model of the full domain,
273 x 221 cells of 15 km with 48 levels over three hours: as measured where that size is given on the device itself,
otherwise an estimate, marked, for an H200 at a share of its bandwidth.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from validation.supercell import storm

from benchmarks.forecast import ASSUMED_SHARE, H200_BANDWIDTH
from benchmarks.traffic import Program
from kaiseki.core.memory import keep_freed_memory
from kaiseki.experiments.compilation import keep_loops_apart
from kaiseki.forecast.linear.increments import ANALYSED
from kaiseki.forecast.linear.simplified_physics import RegularPhysics
from kaiseki.forecast.linear.window import LinearWindow, _adjoint, _tangent

HERE = Path(__file__).resolve().parent
SPACING, DEPTH, STEP, STEPS = 15_000.0, 400.0, 75.0, 12
"""Of the inner model of 5 km: spacing and depth of the layers [m], long step [s]; steps that are timed."""
FULL = (273, 221, 48)
WINDOW_STEPS = round(3 * 3600.0 / STEP)
ITERATIONS = 45
"""Inner iterations of one cycle at the most that the settings of the archive allow."""


def timed(call: Any) -> float:
    """Least wall-clock seconds of three calls."""
    best = np.inf
    for _ in range(3):
        begun = time.perf_counter()
        jax.block_until_ready(call())
        best = min(best, time.perf_counter() - begun)
    return float(best)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="68x56x48", help="cells along x, y and z")
    given = parser.parse_args()
    keep_loops_apart()
    keep_freed_memory()
    nx, ny, nz = (int(n) for n in given.size.split("x"))
    model, state = storm((ny, nx), nz, SPACING, DEPTH, STEP)
    window = LinearWindow.about(model, None, [state, state], STEPS * STEP, RegularPhysics())
    random = np.random.default_rng(0)
    shape = (nz, ny, nx)
    change = {name: jnp.asarray(random.standard_normal(shape), jnp.float32) for name in ANALYSED}
    slots = {name: jnp.stack([field, field]) for name, field in change.items()}
    begun = time.perf_counter()
    jax.block_until_ready([window.tangent(change), window.adjoint(slots)])
    first = time.perf_counter() - begun
    tangent, adjoint = timed(lambda: window.tangent(change)), timed(lambda: window.adjoint(slots))
    total = jax.tree.map(lambda a: jnp.zeros_like(a[0]), window.course.slots)
    programs = [
        _tangent.lower(change, window.course, window._fixed, window._settings),
        _adjoint.lower(slots, total, window.course, window._fixed, window._settings),
    ]
    cells = nx * ny * nz
    traffic = [Program(one.compile().as_text()).traffic() / cells / STEPS for one in programs]
    full = FULL[0] * FULL[1] * FULL[2] * WINDOW_STEPS
    estimate = sum(traffic) * full / (ASSUMED_SHARE * H200_BANDWIDTH)
    device = jax.devices()[0]
    result: dict[str, Any] = {
        "device": device.device_kind,
        "size": given.size,
        "first_calls_seconds": first,
        "tangent_us_per_cell_step": tangent / cells / STEPS * 1e6,
        "adjoint_us_per_cell_step": adjoint / cells / STEPS * 1e6,
        "counted_bytes_per_cell_step": {"tangent": traffic[0], "adjoint": traffic[1]},
        "trajectory_bytes_per_cell_step": window.memory / cells / STEPS,
        "full_inner_model": {
            "cells": list(FULL),
            "steps": WINDOW_STEPS,
            "seconds_per_iteration_on_this_device": (tangent + adjoint) / cells / STEPS * full,
            "estimated_seconds_per_iteration_on_an_H200": estimate,
            "estimated_seconds_of_45_iterations_on_an_H200": ITERATIONS * estimate,
            "assumed_share_of_bandwidth": ASSUMED_SHARE,
            "trajectory_GB": window.memory / cells / STEPS * full / 1e9,
        },
    }
    path = HERE / f"inner_iteration_{device.platform}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
