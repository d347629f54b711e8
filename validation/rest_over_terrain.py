"""Air at rest over the real terrain of `japan-20km`: what the slopes make of it in six hours.

    python validation/rest_over_terrain.py --data ../shared/data

The temperature depends on height alone: the model's reference profile, an isothermal atmosphere, and an inversion of
20 K; no physics, no motion at the start, walls instead of a relaxing rim, so nothing but the numerics can move the air
and nothing draws it back. Writes `validation/rest_over_terrain.json` and prints the largest winds of every hour.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.config import Experiment
from kaiseki.forecast.model import Model, default_parameters
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section
from validation.idealised import at_rest

HERE = Path(__file__).resolve().parent
CASE = HERE.parent / "cases" / "japan-1989.toml"
REFERENCE = ReferenceProfile()
ISOTHERMAL = 265.0
"""Temperature of the isothermal atmosphere, K: 20 K from the reference at sea level and 50 K at the top."""


def inversion(z: np.ndarray) -> np.ndarray:
    """The reference with an inversion of 20 K about 1500 m, fading upwards, K."""
    return np.asarray(REFERENCE.temperature(z) + 10.0 * np.tanh((z - 1500.0) / 300.0) * np.exp(-z / 6000.0))


PROFILES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "reference": REFERENCE.temperature,
    "isothermal": lambda z: np.full(np.shape(z), ISOTHERMAL),
    "inversion": inversion,
}


def hourly_winds(domain: Domain, temperature: Callable[[np.ndarray], np.ndarray], hours: int) -> list[dict[str, Any]]:
    """Largest horizontal and vertical winds (m/s) at the end of every hour."""
    parameters = default_parameters(domain.spacing, float(np.max(domain.map_factor)), lateral="wall")
    model = Model.make(domain, REFERENCE, parameters)
    state = model.start(at_rest(domain, temperature, REFERENCE.surface_pressure))
    rows = []
    for hour in range(1, hours + 1):
        state = model.advance(state, None, 3600.0)
        air = model.atmosphere(state)
        speed = np.hypot(np.asarray(air.u), np.asarray(air.v))
        level, row, column = np.unravel_index(int(np.argmax(speed)), speed.shape)
        rows.append(
            {
                "hour": hour,
                "wind": float(speed.max()),
                "wind_rms": float(np.sqrt(np.mean(speed**2))),
                "vertical_wind": float(np.abs(np.asarray(air.w)).max()),
                "height_of_largest": float(domain.z[level, row, column]),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--preset", default="japan-20km")
    parser.add_argument("--hours", type=int, default=6)
    given = parser.parse_args()
    section = dataclasses.replace(Experiment.load(CASE).domain, preset=given.preset)
    domain = domain_from_section(section, given.data)
    result: dict[str, Any] = {"preset": given.preset, "highest_terrain": float(domain.terrain.max()), "profiles": {}}
    for name, temperature in PROFILES.items():
        result["profiles"][name] = rows = hourly_winds(domain, temperature, given.hours)
        for row in rows:
            print(
                f"{name:11s} hour {row['hour']}: largest wind {row['wind']:.2e} m/s "
                f"at {row['height_of_largest']:.0f} m, rms {row['wind_rms']:.2e}, vertical {row['vertical_wind']:.2e}",
                flush=True,
            )
    (HERE / "rest_over_terrain.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
