"""Compiled programs kept between runs, so that only the first run on a grid waits for the compiler."""

from __future__ import annotations

import gc
import os
from functools import cache

import jax
import jax.monitoring

from kaiseki.core.files import cache_folder
from kaiseki.core.memory import give_freed_memory_back, keep_freed_memory

LEAST_SECONDS = 0.5
"""Compilations that took less are not kept [s]."""

COMPILED = "/jax/core/compile/backend_compile_duration"
"""Event by which JAX tells that a program has been compiled."""


LOOPS_APART = "xla_cpu_small_while_loop_byte_threshold=1,xla_cpu_disable_loop_unrolling=true"
"""XLA's CPU compiler makes one function of a loop that it takes for small, such as the steps of a window, and LLVM then
needs minutes for it: five times as long for the linear model of 28 x 34 x 40 cells, which runs no faster."""


def prepare_process() -> None:
    """Set compiler and memory of this process up for a long computation; to be called before JAX is used."""
    keep_loops_apart()
    keep_compiled()
    give_back_after_compiling()
    keep_freed_memory()


def keep_loops_apart() -> None:
    """Tell XLA not to join the kernels of loops; to be called before JAX is used for the first time."""
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_backend_extra_options" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_backend_extra_options={LOOPS_APART}".strip()


def keep_compiled() -> None:
    """Switch JAX's persistent compilation cache on; a folder that cannot be written leaves it off."""
    folder = cache_folder() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)


@cache
def give_back_after_compiling() -> None:
    """Give freed memory back to the system after every long compilation of this process from now on.

    The compiler of the adjoint of 4D-Var needs more than a gigabyte while it works.
    """

    def listener(event: str, duration_secs: float, **_: str | int) -> None:
        if event == COMPILED and duration_secs >= LEAST_SECONDS:
            give_freed_memory_back()

    jax.monitoring.register_event_duration_secs_listener(listener)


def give_back() -> None:
    """Give the compiled programs of this process, and memory that is no longer used, back to the system.

    For a moment after which other programs are needed; of the old ones those kept between runs are read again when
    they are asked for.
    """
    jax.clear_caches()
    gc.collect()
    give_freed_memory_back()
