"""Runs a small forecast whole and in patches and prints how far they differ; see test_patches.py.

divided_run.py patches rim|periodic
divided_run.py hosts ADDRESS PROCESSES NUMBER
"""

from __future__ import annotations

import sys

import jax
import numpy as np
import pytest
from validation.idealised import at_rest, bell, stretched_levels

from kaiseki.config.physics import Physics
from kaiseki.core.errors import ConfigError
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.integrate import Forcing
from kaiseki.forecast.model import Model
from kaiseki.forecast.parallel.patches import DividedModel
from kaiseki.forecast.physics.surface import Sea
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.state import State
from kaiseki.grid.plane import plane

REFERENCE = ReferenceProfile()
NOTHING = 1e-6
"""In the units of every field: what is smaller is measured against this. Some 1e-11 kg m-2 of snow lie on the ground at
the end, which a change of the start by 1e-15 changes as much as the division does."""
EPOCH = np.datetime64("2000-01-01T03:00", "s")


def windy(lateral: str, full: bool, ny: int = 13, nx: int = 18) -> tuple[Model, State, Forcing | None]:
    """A mountain in a moist wind, `full` with all the physics, on a grid that cannot be divided evenly along y."""
    terrain = bell(18, 5000.0, 800.0, 15000.0)[:ny, :nx]
    domain = plane(terrain, stretched_levels(12, 16000.0, 1.1), 5000.0, f=1e-4, rim_width=3)
    p = DynamicsParameters(time_step=20.0, acoustic_substeps=4, lateral=lateral)  # type: ignore[arg-type]
    physics = Physics() if full else None
    model = Model.make(domain, REFERENCE, p, physics, EPOCH, dtype=np.float64)
    fields = at_rest(domain, REFERENCE.temperature)
    x, y = np.meshgrid(np.arange(nx), np.arange(ny))
    fields["u"] += 12.0 + np.sin(2 * np.pi * x / nx)
    fields["v"] += -6.0 + np.cos(2 * np.pi * y / ny)
    fields["qv"] += 0.012 * np.exp(-domain.z / 2500.0)
    fields["sst"] = fields["temperature"][0]
    fields["sea_ice"] = np.maximum(0.5 - x / nx, 0.0)
    forcing = None
    if lateral == "rim":
        later = {**fields, "u": fields["u"] + 1.0}
        forcing = Forcing(model.boundary(fields), model.boundary(later), model_sea(model) if full else None)
    return model, model.start(fields), forcing


def model_sea(model: Model) -> tuple[Sea, Sea]:
    """A sea that warms and freezes over in the west."""
    where = np.linspace(0.0, 1.0, model.domain.nx) + np.zeros((model.domain.ny, 1))
    ends = [{"sst": 280.0 + warming + 5.0 * where, "sea_ice": np.maximum(0.5 - where, 0.0)} for warming in (0.0, 2.0)]
    before, after = (model.sea(fields) for fields in ends)
    assert before is not None
    assert after is not None
    return before, after


def compare(model: Model, state: State, forcing: Forcing | None, along_y: int, along_x: int) -> None:
    whole = model.advance(state, forcing, 400.0)
    divided = DividedModel.make(model, along_y, along_x)
    end = divided.join(divided.advance(divided.split(state), divided.split(forcing), 400.0))
    worst = 0.0
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(end), strict=True):
        a = np.asarray(a)
        assert a.shape == b.shape
        worst = max(worst, float(np.max(np.abs(a - b)) / max(np.max(np.abs(a)), NOTHING)))
    assert float(np.max(np.abs(np.asarray(whole.rw) - np.asarray(state.rw)))) > 1e-2
    assert worst < 1e-11, worst
    print(f"{along_y} x {along_x}: largest relative difference {worst:.1e}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "hosts":
        jax.distributed.initialize(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        compare(*windy("rim", False, 14), 2, 1)
    else:
        case = windy(sys.argv[2], sys.argv[2] == "rim")
        compare(*case, *((2, 2) if sys.argv[2] == "rim" else (1, 3)))
        with pytest.raises(ConfigError, match="devices"):
            DividedModel.make(case[0], 3, 3)
