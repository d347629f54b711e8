"""Scores by distance to the nearest assimilated sonde, against sums by hand and distances by the haversine formula.

Failure modes: a withheld or rejected sonde that counts as assimilated; a distance across the date line; cells of the
rim; a day that loses one of its times; times without soundings.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.archive.run import Run
from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.report import by_distance as tables
from kaiseki.verification.by_distance import CLASSES, assimilated_sondes, distance_to_nearest
from kaiseki.verification.run import Judgement, comparable, departures_at, write_scores
from kaiseki.verification.truth import TRUTH_LEVELS
from report import synthetic


def haversine(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Sinnott 1984, Sky and Telescope 68, 159."""
    a, b = np.deg2rad(lat), np.deg2rad(other_lat)
    square = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(np.deg2rad(other_lon - lon) / 2) ** 2
    return float(2 * EARTH_RADIUS * np.arcsin(np.sqrt(min(square, 1.0))))


place = st.tuples(st.floats(-89.0, 89.0), st.floats(-180.0, 360.0))


@settings(max_examples=60, deadline=None)
@given(points=st.lists(place, min_size=1, max_size=8), sondes=st.lists(place, min_size=1, max_size=8))
def test_distances_are_those_of_the_haversine_formula(
    points: list[tuple[float, float]], sondes: list[tuple[float, float]]
) -> None:
    found = distance_to_nearest(*np.array(points).T, np.array(sondes))
    wanted = [min(haversine(*point, *sonde) for sonde in sondes) for point in points]
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1.0)


def test_without_a_sonde_everything_is_infinitely_far() -> None:
    assert np.isinf(distance_to_nearest(np.zeros((2, 3)), np.zeros((2, 3)), np.empty((0, 2)))).all()


def test_only_sondes_with_a_value_used_count() -> None:
    table = {
        "report": np.array([3, 3, 4, 5, 6, 7]),
        "kind": np.array(["sonde", "sonde", "sonde", "sonde", "synop", "sonde"]),
        "latitude": np.array([10.0, 11.0, 20.0, 30.0, 40.0, 50.0]),
        "longitude": np.array([100.0, 101.0, 110.0, 120.0, 130.0, 140.0]),
        "withheld": np.array([False, False, True, False, False, False]),
        # The first value of report 3 is rejected, its second is used; report 5 is rejected; bit 16 rejects nothing.
        "flags": np.array([1 << 7, 0, 0, 1 << 8, 0, 1 << 16], np.uint32),
    }
    np.testing.assert_array_equal(assimilated_sondes(table), [[11.0, 101.0], [50.0, 140.0]])


def test_rows_are_the_sums_over_cells_and_values_by_hand(twin: Path, judged: Judgement) -> None:
    """Every cell and every withheld value by itself, over all times of a day with soundings."""
    run = Run(twin)
    inside = run.domain.inside_rim
    squares: dict[tuple[str, str, str, str], list[float]] = {}

    def add(time: np.datetime64, against: str, name: str, metres: float, square: float) -> None:
        label = next(label for label, (least, most) in CLASSES.items() if least <= metres < most)
        squares.setdefault((str(time)[:10], against, name, label), []).append(square)

    for time in run.analysed_cycles:
        table = run.table("analysis", time)
        assert table is not None
        used = (table["kind"] == "sonde") & (table["flags"].astype(int) & 0xFFFF == 0) & ~table["withheld"].astype(bool)
        sondes = sorted(set(zip(table["latitude"][used], table["longitude"][used], strict=True)))
        if not sondes:
            continue

        def nearest(lat: float, lon: float, sondes: list[tuple[float, float]] = sondes) -> float:
            return min(haversine(lat, lon, *sonde) for sonde in sondes)

        source = run.fields("truth", time)
        assert source is not None
        truth = comparable(source, run.stores["truth"].domain(), run.domain)
        number = TRUTH_LEVELS.index(85_000.0)
        for name in ("analysis", "background", "free_run", "driving"):
            store = "analysis" if name == "background" else name
            dataset = run.fields(store, time, background=name == "background")
            assert dataset is not None
            fields = comparable(dataset, run.domain, run.domain)
            error = [truth[part][number] - fields[part][number] for part in ("u", "v")]
            for j, i in zip(*np.nonzero(inside & np.isfinite(error[0])), strict=True):
                metres = nearest(run.domain.lat[j, i], run.domain.lon[j, i])
                add(time, "truth", name, metres, error[0][j, i] ** 2 + error[1][j, i] ** 2)
        departures = departures_at(run, time)
        assert departures is not None
        held = departures.against("withheld")
        for row in np.flatnonzero(held.columns["quantity"] == "surface_pressure"):
            metres = nearest(held.columns["latitude"][row], held.columns["longitude"][row])
            for name, values in held.values.items():
                add(time, "withheld", name, metres, values[row] ** 2)

    wanted = {"truth": ("wind", 85_000.0), "withheld": ("surface_air_pressure", None)}
    rows = {
        (row["time"], row["against"], row["experiment"], row["distance"]): row
        for row in judged.distance_rows
        if (row["variable"], row["level"]) == wanted[row["against"]] and row["experiment"] != "optimal_interpolation"
    }
    squares = {key: found for key, found in squares.items() if key[2] != "optimal_interpolation"}
    assert rows.keys() == squares.keys()
    assert len({key[3] for key in rows}) > 1
    for key, found in squares.items():
        assert rows[key]["n"] == len(found), key
        assert rows[key]["rms"] == pytest.approx(np.sqrt(np.mean(found)), rel=1e-9), key
        assert rows[key]["rms_low"] <= rows[key]["rms"] <= rows[key]["rms_high"], key


def test_they_stand_in_the_scores_and_in_the_report(twin: Path, judged: Judgement) -> None:
    run = Run(twin)
    kept = run.folder.scores.read_bytes() if run.folder.scores.exists() else None
    try:
        rows = json.loads(write_scores(run, judged).read_text())
    finally:
        if kept is not None:
            run.folder.scores.write_bytes(kept)
    assert [row for row in rows if "distance" in row] == judged.distance_rows
    blocks = tables.tables(judged.distance_rows)
    assert {block["against"] for block in blocks} == {"the truth", "withheld stations"}
    for block in blocks:
        for line in block["rows"]:
            assert len(line["errors"]) == len(block["experiments"])
    days = {str(time)[:10] for time in synthetic.START + 3 * synthetic.HOUR * np.arange(0, 3, 2)}
    assert {line["day"] for line in blocks[0]["rows"]} <= days
