"""The analysis engines, and how one is found by its name."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Final

from kaiseki.assimilation.contract import Engine
from kaiseki.core import plugins
from kaiseki.core.errors import ConfigError

OWN: Final = {
    "3dfgat": "three_d_fgat:ThreeDFgat",
    "4denvar": "four_d_en_var:FourDEnVar",
    "4dvar": "four_d_var:FourDVar",
    "hybrid": "hybrid:Hybrid",
    "letkf": "letkf:Letkf",
    "optimal_interpolation": "optimal_interpolation:OptimalInterpolation",
}
"""Engines of this package by name; others register under `kaiseki.assimilation_engines`."""


def engine(name: str) -> Engine:
    """The engine of a name: one of ours, or one that a plug-in offers.

    Raises:
        ConfigError: there is none, or a plug-in cannot be imported, is no engine or has a name of ours.
    """
    known = [*OWN, *plugins.further("assimilation_engines", OWN)]
    if name in OWN:
        module, attribute = OWN[name].split(":")
        found: Engine = getattr(import_module(f"{__name__}.{module}"), attribute)()
        return found
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        raise ConfigError(f"There is no assimilation engine {name!r}; {hint}")
    return plugins.make("assimilation_engines", name, Engine)  # type: ignore[type-abstract]
