"""The written-down network against the stations that reported in January 1989."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kaiseki.experiments.twin import network
from kaiseki.observations.sources.prepbufr import PrepbufrSource


def test_stations_stand_where_they_reported_from(data: Path) -> None:
    """Within 0.3 degrees, for those that existed and reported; positions changed by a few kilometres since."""
    files = sorted((data / "observations" / "prepbufr_198901").iterdir())
    table = PrepbufrSource(files[:2]).read(box=(100.0, 20.0, 160.0, 50.0))
    table = table.take(table.where(kind=("sonde", "synop")) & (table.column("level") == 0))
    station, first = np.unique(table.column("station"), return_index=True)
    real = {
        name.strip(): (table.column("latitude")[row], table.column("longitude")[row])
        for name, row in zip(station, first, strict=True)
    }
    ours = {**network.PROFILERS, **network.SURFACE, **network.SONDES}
    shared = sorted(set(ours) & set(real))
    assert len(shared) > 80
    away = {n: (round(ours[n][0] - real[n][0], 2), round(ours[n][1] - real[n][1], 2)) for n in shared}
    wrong = {n: d for n, d in away.items() if max(map(abs, d)) > 0.3}
    assert wrong == {}
