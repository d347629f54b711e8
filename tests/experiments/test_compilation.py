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
