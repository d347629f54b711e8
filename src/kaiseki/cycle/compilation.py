"""Compiled programs kept between runs, so that only the first run on a grid waits for the compiler."""

from __future__ import annotations

import os
from pathlib import Path

import jax

LEAST_SECONDS = 0.5
"""Compilations that took less are not kept [s]."""


def cache_folder() -> Path:
    """Where compiled programs are kept: KAISEKI_CACHE, else below XDG_CACHE_HOME, else ~/.cache/kaiseki."""
    named = os.environ.get("KAISEKI_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "kaiseki"


def keep_compiled() -> None:
    """Switch JAX's persistent compilation cache on; a folder that cannot be written leaves it off."""
    folder = cache_folder() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
