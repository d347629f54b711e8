"""Scores against numbers worked out by hand, and what must hold for any departures."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.config import Verification
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.observations import flags
from kaiseki.verification import MANDATORY_LEVELS, Departures, Target, align, inside_rim, pool, score_rows, targets
from kaiseki.verification.departures import NO_EQUIVALENT_BITS, REJECTING_BITS, WRONG_BITS
from kaiseki.verification.scores import sample
from verification.observed import TIME, columns, flat_domain, network


def _aligned(table: dict[str, np.ndarray]) -> Departures:
    return align(table, {"analysis": (table, "analysis_departure"), "background": (table, "background_departure")})


def _scored(departures: Departures, **options: Any) -> dict[tuple[Any, ...], dict[str, Any]]:
    settings = Verification(levels=MANDATORY_LEVELS, bootstrap_samples=50)
    rows = score_rows(departures, case="test", time=TIME, settings=settings, **options)
    return {(row["experiment"], row["against"], row["variable"], row["level"]): row for row in rows}


def test_the_bits_are_those_of_the_observation_table():
    assert int(flags.WRONG) == WRONG_BITS
    assert int(flags.REJECTING) == REJECTING_BITS
    assert int(flags.Flag.NO_EQUIVALENT | flags.Flag.OUTSIDE_DOMAIN) == NO_EQUIVALENT_BITS


def test_temperature_by_hand():
    rows = [
        {
            "station": name,
            "pressure": pressure,
            "value": float(k),
            "analysis_departure": d,
            "background_departure": 2 * d,
        }
        for k, (name, pressure, d) in enumerate(
            [("a", 85e3, 1.0), ("a", 50e3, -2.0), ("b", 50e3, 2.0), ("b", 25e3, 3.0), ("b", 92.5e3, 50.0)]
        )
    ]
    scored = _scored(_aligned(columns(rows)))
    pooled = scored["analysis", "withheld", "air_temperature", "850-250"]
    assert pooled["n"] == 4  # 925 hPa is not among the levels
    assert pooled["bias"] == pytest.approx(1.0)
    assert pooled["rms"] == pytest.approx(np.sqrt((1 + 4 + 4 + 9) / 4))
    assert scored["background", "withheld", "air_temperature", "850-250"]["rms"] == pytest.approx(2 * pooled["rms"])
    at_500 = scored["analysis", "withheld", "air_temperature", 50e3]
    assert (at_500["n"], at_500["bias"], at_500["rms"]) == (2, 0.0, 2.0)
    # Two stations: a draw is (a, a), (b, b) or both, so that the interval ends at the rms of either alone.
    assert pooled["rms_low"] == pytest.approx(np.sqrt(2.5))
    assert pooled["rms_high"] == pytest.approx(np.sqrt(6.5))
    assert pooled["time"] == "1989-01-02T00:00Z"


def test_wind_is_a_vector():
    rows = [
        {
            "station": s,
            "pressure": 25e3,
            "quantity": q,
            "value": float(k),
            "analysis_departure": d,
            "background_departure": d,
        }
        for k, (s, q, d) in enumerate(
            [
                ("a", "eastward_wind", 3.0),
                ("b", "eastward_wind", 0.0),
                ("b", "northward_wind", 1.0),
                ("a", "northward_wind", 4.0),
                ("c", "eastward_wind", 100.0),  # has no partner
            ]
        )
    ]
    row = _scored(_aligned(columns(rows)))["analysis", "withheld", "wind", "850-250"]
    assert row["n"] == 2
    assert row["rms"] == pytest.approx(np.sqrt((25 + 1) / 2))
    assert row["bias"] == pytest.approx(np.hypot(1.5, 2.5))


def test_surface_pressure_and_height_have_their_own_rows():
    rows = [
        {"kind": "synop", "quantity": "surface_pressure", "analysis_departure": 100.0},
        {"kind": "ship", "station": "x", "quantity": "surface_pressure", "analysis_departure": -50.0},
        {"quantity": "geopotential_height", "pressure": 50e3, "analysis_departure": 20.0},
        {"quantity": "geopotential_height", "pressure": 49.9e3, "analysis_departure": 99.0},
    ]
    scored = _scored(_aligned(columns([row | {"background_departure": 1.0} for row in rows])))
    assert scored["analysis", "withheld", "surface_air_pressure", None]["bias"] == pytest.approx(25.0)
    assert scored["analysis", "withheld", "geopotential_height", 50e3]["n"] == 1


def test_only_soundings_count_aloft():
    rows = [{"kind": "aircraft", "pressure": 25e3, "analysis_departure": 1.0, "background_departure": 1.0}]
    assert _scored(_aligned(columns(rows))) == {}


def test_what_is_doubted_or_rejected_does_not_count():
    cases = [
        (True, 0, "withheld"),
        (True, int(flags.Flag.MONITORED), "withheld"),
        (True, int(flags.Flag.BACKGROUND), "withheld"),
        (True, int(flags.Flag.HYDROSTATIC), None),
        (True, int(flags.Flag.NO_EQUIVALENT), None),
        (False, 0, "assimilated"),
        (False, int(flags.Flag.DOWNWEIGHTED), "assimilated"),
        (False, int(flags.Flag.BACKGROUND), None),
        (False, int(flags.Flag.MONITORED), None),
    ]
    rows = [
        {"station": str(k), "withheld": held, "flags": bits, "analysis_departure": 1.0, "background_departure": 1.0}
        for k, (held, bits, _) in enumerate(cases)
    ]
    departures = _aligned(columns(rows))
    for which in ("withheld", "assimilated"):
        assert set(departures.against(which).columns["station"]) == {
            str(k) for k, case in enumerate(cases) if case[2] == which
        }


def test_all_are_judged_on_the_same_observations():
    table = network(1)
    short = {name: values[::-1][:50].copy() for name, values in table.items()}
    short["background_departure"][:5] = np.nan
    common = align(table, {"one": (table, "analysis_departure"), "other": (short, "background_departure")})
    assert len(common) == 45
    place = {value: k for k, value in enumerate(table["value"])}
    rows = [place[value] for value in common.columns["value"]]
    assert rows == sorted(rows)
    np.testing.assert_array_equal(common.values["one"], table["analysis_departure"][rows])
    np.testing.assert_array_equal(common.values["other"], table["background_departure"][rows])


def test_places_in_the_rim_do_not_count():
    domain = flat_domain()
    edge = domain.rim_width
    lat = np.array([domain.lat[edge, edge], domain.lat[edge - 1, edge], domain.lat[20, 20], -30.0])
    lon = np.array([domain.lon[edge, edge], domain.lon[edge - 1, edge], domain.lon[20, 20], 20.0])
    np.testing.assert_array_equal(inside_rim(domain, lat, lon), [True, False, True, False])


def test_folds_are_pooled_into_one_score():
    tables = [_aligned(network(seed)) for seed in (1, 2, 3)]
    pooled = _scored(pool(tables))
    single = [_scored(table) for table in tables]
    key = ("analysis", "withheld", "wind", "850-250")
    n = [scores[key]["n"] for scores in single]
    assert pooled[key]["n"] == sum(n)
    assert pooled[key]["rms"] ** 2 == pytest.approx(np.average([s[key]["rms"] ** 2 for s in single], weights=n))
    with pytest.raises(InputError, match="same experiments"):
        pool([tables[0], tables[1].keep("analysis")])


def test_rows_are_json_and_complete():
    rows = score_rows(_aligned(network(5)), case="test", time=TIME, settings=Verification(bootstrap_samples=20))
    keys = "case experiment against variable level time n bias rms rms_low rms_high".split()
    for row in json.loads(json.dumps(rows, allow_nan=False)):
        assert list(row) == keys
        assert row["rms_low"] <= row["rms"] <= row["rms_high"] or row["n"] < 12


def test_levels_name_the_pooled_row():
    assert targets((50e3, 85e3))[1].level == "850-500"


def test_faults_are_named():
    table = network(1)
    with pytest.raises(InputError, match="lacks the column 'flags'"):
        align({k: v for k, v in table.items() if k != "flags"}, {"a": (table, "analysis_departure")})
    with pytest.raises(InputError, match="no experiment"):
        align(table, {})
    with pytest.raises(InputError, match="withheld or assimilated"):
        _aligned(table).against("all")
    with pytest.raises(ConfigError, match="confidence"):
        score_rows(_aligned(table), case="x", time=TIME, settings=Verification(confidence=1.0))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), stations=st.integers(2, 12))
def test_identities(seed: int, stations: int):
    departures = _aligned(network(seed, stations))
    scored = _scored(departures)
    generator = np.random.default_rng(seed)
    shuffled = _scored(departures.take(generator.permutation(len(departures))))
    for key, row in scored.items():
        assert row["rms"] >= abs(row["bias"]) - 1e-12
        assert row["rms_low"] <= row["rms_high"]
        other = shuffled[key]
        for name in ("n", "bias", "rms", "rms_low", "rms_high"):
            assert other[name] == pytest.approx(row[name], rel=1e-12, abs=1e-12)
    values = sample(departures.against("withheld"), Target("air_temperature", (85e3, 50e3, 25e3), "850-250"))
    x = values.values["analysis"][:, 0]
    row = scored["analysis", "withheld", "air_temperature", "850-250"]
    assert row["rms"] ** 2 == pytest.approx(row["bias"] ** 2 + x.var())


@settings(max_examples=15, deadline=None)
@given(factor=st.floats(0.1, 10.0), seed=st.integers(0, 100))
def test_scores_scale_with_the_departures(factor: float, seed: int):
    table = network(seed, 6)
    scaled = table | {name: factor * table[name] for name in ("analysis_departure", "background_departure")}
    one, other = _scored(_aligned(table)), _scored(_aligned(scaled))
    for key in one:
        for name in ("rms", "rms_low", "rms_high", "bias"):
            assert other[key][name] == pytest.approx(factor * one[key][name], rel=1e-9, abs=1e-12)
