"""A release of three days with plausible fields in most groups, written group by group; values follow from formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from archive.release.days import date, layout
from archive.runs import SHAPE
from kaiseki.archive.release.store import ReleaseStore

DAYS: Final = 3
PRESSURES: Final = (85_000.0, 50_000.0)
HEIGHTS: Final = (10.0, 100.0, 300.0)
GROUPS: Final[dict[str, tuple[str | None, int, dict[str, tuple[float, float]]]]] = {
    "surface": (
        None,
        1,
        {
            "temperature_2m": (280.0, 5.0),
            "eastward_wind_10m": (3.0, 4.0),
            "northward_wind_10m": (-2.0, 4.0),
            "surface_pressure": (98_000.0, 500.0),
            "mean_sea_level_pressure": (101_000.0, 500.0),
        },
    ),
    "precipitation": (None, 1, {"precipitation": (2.0, 1.0)}),
    "height_levels": ("height", 3, {"eastward_wind": (6.0, 4.0), "northward_wind": (-3.0, 4.0)}),
    "pressure_levels": (
        "pressure",
        2,
        {"temperature": (270.0, 5.0), "eastward_wind": (10.0, 5.0), "northward_wind": (-5.0, 5.0)},
    ),
    "model_levels": ("level", 3, {"temperature": (275.0, 5.0), "qv": (4e-3, 1e-3)}),
}
"""Vertical axis, its length, and mean and amplitude of the variables of each group."""


def values(name: str, day: int, levels: int) -> np.ndarray:
    """A day of a variable (time, [level,] y, x): waves in time and space of its own phase."""
    mean, amplitude = next(row[name] for _, count, row in GROUPS.values() if name in row and count == levels)
    phase = float(sum(map(ord, name)) % 7)
    hour = 24.0 * day + np.arange(24.0)[:, None, None, None]
    z, y, x = (np.arange(float(size)) for size in (levels, *SHAPE[1:]))
    wave = np.sin(hour / 5.0 + phase + 0.5 * z[:, None, None]) * np.cos(0.7 * y[:, None] + 0.4 * x + phase)
    result = (mean + amplitude * wave).astype(np.float32)
    return result[:, 0] if levels == 1 else result


def small_release(place: Path | str, **more: object) -> None:
    """Make the release, published as v1."""
    with ReleaseStore.create(place, layout(DAYS, pressures=PRESSURES, heights=HEIGHTS), **more) as store:  # type: ignore[arg-type]
        store.add_variables({(group, name): row[0] for group, row in GROUPS.items() for name in row[2]})
        for day in range(DAYS):
            with store.day("one", date(day)) as writer:
                for group, (_, levels, row) in GROUPS.items():
                    for name in row:
                        writer.write(group, name, values(name, day, levels))
        store.pack_series()
        store.publish("v1")
