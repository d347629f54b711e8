"""Compiled programs: kept between runs in a folder, given back by a process that needs others."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from kaiseki.core.files import cache_folder
from kaiseki.experiments import compilation


def test_the_folder_of_compiled_programs_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAISEKI_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("KAISEKI_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "kaiseki"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "kaiseki"


def test_programs_that_were_given_back_are_compiled_again() -> None:
    traced = []

    @jax.jit
    def double(x: jax.Array) -> jax.Array:
        traced.append(x)
        return 2.0 * x

    assert float(double(jnp.ones(()))) == float(double(jnp.ones(()))) == 2.0
    assert len(traced) == 1
    compilation.give_back()
    assert float(double(jnp.ones(()))) == 2.0
    assert len(traced) == 2


def test_memory_is_given_back_after_long_compilations(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bool] = []
    monkeypatch.setattr(compilation, "give_freed_memory_back", lambda: given.append(True))
    monkeypatch.setattr(compilation, "LEAST_SECONDS", 0.0)
    compilation.give_back_after_compiling()
    compilation.give_back_after_compiling()
    triple = jax.jit(lambda x: 3.0 * x).lower(jnp.ones(()))
    given.clear()
    triple.compile()
    assert given == [True]
    monkeypatch.setattr(compilation, "LEAST_SECONDS", 3600.0)
    jax.jit(lambda x: 5.0 * x).lower(jnp.ones(())).compile()
    assert given == [True]
