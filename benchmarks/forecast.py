"""How fast the forecast is: cell-steps per second, seconds per simulated hour, compilation, memory, memory traffic, and
what the tangent-linear model and the gradient cost.

    python -m benchmarks.forecast [--sizes 96x96x48 128x128x48 192x160x48] [--patches 2] [--only forward tangent]

Each measurement runs in a process of its own, so that its peak memory is its own. The case is the supercell of
`validation/supercell.py` with warm rain; the derivatives are those of the smooth dynamics with two tracers. Writes
`benchmarks/forecast_<device>.json` with a probe of the memory bandwidth beside the figures. On a CPU the domain is
divided among the cores (`--patches`), the derivatives run on one; for a GPU see `benchmarks/on_gpu`, where peak memory
and bandwidth are those of the device. A measurement for which the device is too small is noted as failed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

MEASURED = ("forward", "smooth", "tangent", "gradient")
SPACING, DEPTH, STEP = 2000.0, 400.0, 12.0
H200_BANDWIDTH = 4.8e12
"""B/s, NVIDIA's data sheet of the H200."""
ASSUMED_SHARE = 0.6
"""Of that bandwidth, for the estimate where no such device is at hand."""


def device_bandwidth() -> float:
    """Best copying rate (read and write) of JAX's first device, GB/s."""
    import jax
    import jax.numpy as jnp

    a = jnp.ones(2**28, jnp.float32)
    add = jax.jit(lambda x: x + 1.0)
    jax.block_until_ready(add(a))
    return 2 * a.nbytes / min(_timed(add, a)[0] for _ in range(12)) / 1e9


def bandwidth(threads: int) -> float:
    """Best copying rate (read and write) of so many threads, GB/s."""
    import numpy as np

    def copy(best: list[float]) -> None:
        a = np.ones(2**25, np.float32)
        b = np.zeros_like(a)
        took = []
        for _ in range(12):
            begun = time.perf_counter()
            np.copyto(b, a)
            took.append(time.perf_counter() - begun)
        best.append(2 * a.nbytes / min(took) / 1e9)

    rates: list[float] = []
    workers = [threading.Thread(target=copy, args=(rates,)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(rates)


def _timed(f: Any, *arguments: Any) -> tuple[float, float]:
    import jax

    wall, cpu = time.perf_counter(), time.process_time()
    jax.block_until_ready(f(*arguments))
    return time.perf_counter() - wall, time.process_time() - cpu


def forward(nx: int, ny: int, nz: int, patches: int) -> dict[str, Any]:
    """The forecast itself."""
    import jax
    from validation.supercell import storm

    from benchmarks.traffic import Program
    from kaiseki.forecast.dynamics.parameters import DynamicsParameters
    from kaiseki.forecast.integrate import advance
    from kaiseki.forecast.parallel.patches import DividedModel

    model, state = storm((ny, nx), nz, SPACING, DEPTH, STEP)
    run: Any = model
    if patches > 1:
        run = DividedModel.make(model, patches, 1)
        state = run.split(state)
    begun = time.perf_counter()
    state = run.advance(state, None, STEP)
    jax.block_until_ready(state.ru)
    compile_seconds = time.perf_counter() - begun
    n = max(4, min(40, int(3e7 / (nx * ny * nz))))
    best = min((_timed(lambda: run.advance(state, None, n * STEP).ru) for _ in range(3)), key=lambda t: t[0])
    cells = nx * ny * nz
    result = {
        "wall_us_per_cell_step": best[0] / n / cells * 1e6,
        "cpu_us_per_cell_step": best[1] / n / cells * 1e6,
        "cell_steps_per_second": cells * n / best[0],
        "seconds_per_simulated_hour": best[0] / n * 3600.0 / STEP,
        "compile_seconds": compile_seconds,
    }
    if patches == 1:
        import dataclasses

        import numpy as np

        # With loops of fixed length the compiler says how often each runs.
        p: DynamicsParameters = dataclasses.replace(model.parameters, reversible=True)
        fixed = dataclasses.replace(model.fixed, relaxation=None, parameters=p)
        one = advance.lower(state, None, fixed, np.int32(1), 0.0, 1.0, 1.0)
        program = Program(one.compile().as_text())
        result["counted_bytes_per_cell_step"] = program.traffic() / cells
        result["kernels_per_step"] = program.kernels()
    return result


def derivative(nx: int, ny: int, nz: int, which: str) -> dict[str, Any]:
    """Tangent-linear model or gradient of the smooth dynamics with two tracers, over eight steps."""
    import dataclasses

    import jax
    from validation.supercell import storm

    from kaiseki.forecast.linear.forecast import LinearModel, Perturbation

    model, state = storm((ny, nx), nz, SPACING, DEPTH, STEP)
    state = dataclasses.replace(state, water=state.water[:2])
    n = 8
    linear = LinearModel.make(model, None, n * STEP)
    change = Perturbation.of(state)
    f = {"tangent": linear.tangent, "gradient": linear.adjoint, "smooth": lambda s, _: linear.forecast(s)}[which]
    first = _timed(f, state, change)
    which_clock = 1 if jax.devices()[0].platform == "cpu" else 0
    best = min((_timed(f, state, change) for _ in range(3)), key=lambda t: t[which_clock])
    cells = nx * ny * nz
    return {
        "cpu_us_per_cell_step": best[1] / n / cells * 1e6,
        "wall_us_per_cell_step": best[0] / n / cells * 1e6,
        "first_call_seconds": first[0],
    }


def _child(what: str, size: str, patches: int, cache: str | None) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", what, "--sizes", size, "--patches", str(patches)]
    environment = dict(os.environ)
    if cache:
        environment["JAX_COMPILATION_CACHE_DIR"] = cache
        environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.5"
    run = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if run.returncode:
        return {"failed": (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1][:300]}
    return dict(json.loads(run.stdout.strip().splitlines()[-1]))


def _run_child(what: str, size: str, patches: int) -> None:
    import jax

    if patches > 1 and what == "forward" and os.environ.get("JAX_PLATFORMS", "cpu") == "cpu":
        jax.config.update("jax_num_cpu_devices", patches)
    from kaiseki.core.memory import keep_freed_memory

    keep_freed_memory()
    if what != "forward" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])  # CPU time on one core: no waiting for the other
    nx, ny, nz = (int(n) for n in size.split("x"))
    result = forward(nx, ny, nz, patches) if what == "forward" else derivative(nx, ny, nz, what)
    device = jax.devices()[0]
    result["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if device.platform != "cpu":
        result["peak_memory_bytes"] = device.memory_stats()["peak_bytes_in_use"]
        result["bandwidth_GB_per_s"] = device_bandwidth()
    result["peak_memory_bytes_per_cell"] = result["peak_memory_bytes"] / (nx * ny * nz)
    result["device"] = device.device_kind
    print(json.dumps(result))


def full_grid(bytes_per_cell_step: float) -> dict[str, Any]:
    """What 3 h of 5 km and 96 levels with warm rain would take on an H200, from the counted traffic."""
    cells, dt = 817 * 661 * 96, 30.0
    seconds = bytes_per_cell_step * cells * (10800.0 / dt) / (ASSUMED_SHARE * H200_BANDWIDTH)
    return {
        "estimate": True,
        "what": f"3-h forecast, 817x661x96, steps of {dt:g} s, {ASSUMED_SHARE:.0%} of 4.8 TB/s, kernel starts left out",
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["96x96x48", "128x128x48", "192x160x48"])
    parser.add_argument("--patches", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="+", choices=MEASURED, default=list(MEASURED))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.child:
        _run_child(given.child, given.sizes[0], given.patches)
        return
    result: dict[str, Any] = {"bandwidth_GB_per_s": {str(n): bandwidth(n) for n in (1, 2)}, "cores": os.cpu_count()}
    for size in given.sizes:
        row = result[size] = {}
        with tempfile.TemporaryDirectory() as cache:
            divided = [(f"forward, {given.patches} patches", "forward", given.patches)] if given.patches > 1 else []
            for name, what, patches in (
                *divided,
                ("forward, one device", "forward", 1),
                ("smooth forward", "smooth", 1),
                ("tangent", "tangent", 1),
                ("gradient", "gradient", 1),
            ):
                if what not in given.only:
                    continue
                row[name] = _child(what, size, patches, cache)
                if what == "forward" and "failed" not in row[name]:
                    row[name]["compile_seconds_cached"] = _child(what, size, patches, cache)["compile_seconds"]
                print(
                    size,
                    name,
                    json.dumps({k: v if isinstance(v, str) else round(v, 3) for k, v in row[name].items()}),
                    flush=True,
                )
        counted = row.get("forward, one device", {}).get("counted_bytes_per_cell_step")
        if counted:
            result["full_grid_on_an_H200"] = full_grid(counted)
    devices = [one["device"] for size in given.sizes for one in result[size].values() if "device" in one]
    if not devices:
        raise SystemExit("No measurement came to its end.")
    device = devices[0]
    out = given.out or HERE / f"forecast_{device.replace(' ', '-').lower()}.json"
    out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
