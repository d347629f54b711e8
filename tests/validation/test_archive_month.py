"""The synthetic month of `validation/archive_month.py`, three days of three variables on a few cells.

What can go wrong: the weather does not follow from the time alone, or is no weather; a bound is passed and not told; a
value that is missing or wrong passes the verification.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from validation.archive_month import hours, pack_month, small, verified
from validation.synthetic_weather import START, Weather, groups

from kaiseki.archive.release.store import ReleaseStore
from kaiseki.core.variables import VARIABLES

WEATHER = Weather((6, 12, 14))


def test_three_days_are_packed_verified_and_exported(tmp_path: Path) -> None:
    result = small(tmp_path)
    assert result["all_held"]
    assert set(result["variables"]) == {
        "model_levels/temperature",
        "model_levels/pressure",
        "analysis/temperature",
        "analysis/pressure",
        "precipitation/precipitation",
    }
    for name, one in result["variables"].items():
        assert 0.5 * one["bound"] < one["largest_error"] <= one["bound"], name
    copies = {"map/precipitation", "series/precipitation", "map/pressure_levels", "series/height_levels"}
    assert copies < set(result["copies_equal_the_core"])
    groups_of_release = {"model_levels", "analysis", "surface", "precipitation", "pressure_levels", "height_levels"}
    assert set(result["netcdf_of_a_day"]) == groups_of_release
    assert {"pressure_levels/temperature", "height_levels/temperature"} < set(result["products"])


def test_verification_finds_what_is_wrong(tmp_path: Path) -> None:
    names = ("temperature",)
    pack_month(tmp_path / "r", WEATHER, 2, names=names)
    assert all(one["held"] for one in verified(tmp_path / "r", WEATHER, 2, names).values())
    with ReleaseStore.open(tmp_path / "r", "a") as store:
        with store.day("synthetic", store.times.day(1), replace=True) as writer:
            values = WEATHER.dataset(names, hours(2))["temperature"].values[24:]
            values[7, 3, 4, 5] += 0.05
            values[9, 2, 1, 0] = np.nan
            writer.write("model_levels", "temperature", values)
        store.publish("v2")
    found = verified(tmp_path / "r", WEATHER, 2, names)
    assert found["model_levels/temperature"]["missing"] == 1
    assert not found["model_levels/temperature"]["held"]
    # The day was replaced as a whole: the analyses, which were not written again, have left it.
    assert found["analysis/temperature"]["held"]
    assert not found["analysis/temperature"]["all_times"]


def test_the_weather_follows_from_the_time_and_lies_in_its_ranges() -> None:
    again = Weather((6, 12, 14))
    times = START + np.array([0, 5, 500]) * np.timedelta64(3600, "s")
    for group, fields in groups(WEATHER, times).items():
        for name in map(str, fields.data_vars):
            first = fields[name].values
            np.testing.assert_array_equal(
                again.field(name, fields["time"].values[-1].astype("datetime64[s]")), first[-1]
            )
            row = VARIABLES[name]
            assert np.isfinite(first).all(), (group, name)
            assert row.low <= first.min() <= first.max() <= row.high, (group, name)
    assert (np.diff(WEATHER.field("pressure", START), axis=0) < 0.0).all()
    rain = np.stack([WEATHER.field("precipitation", time) for time in hours(10)])
    assert 0.02 < (rain > 0.0).mean() < 0.4


def test_patterns_move_and_have_the_spectrum_that_is_told() -> None:
    weather = Weather((2, 96, 128))
    field = weather.field("eastward_wind_10m", START).astype(float)
    later = weather.field("eastward_wind_10m", START + np.timedelta64(1, "h")).astype(float)
    much_later = weather.field("eastward_wind_10m", START + np.timedelta64(20, "D")).astype(float)
    assert 0.5 < np.corrcoef(field.ravel(), later.ravel())[0, 1] < 0.999
    assert abs(np.corrcoef(field.ravel(), much_later.ravel())[0, 1]) < 0.7
    # Along a row the variance at a wave number falls like the spectrum: k^-5/3 between 40 and 150 km.
    power = 0.0
    for number in range(200):
        rows = weather.noise("w", START + np.timedelta64(7 * number, "h"), slice(0, 1))[0].astype(float)
        power = power + (np.abs(np.fft.rfft((rows - rows.mean()) * np.hanning(128), axis=1)) ** 2).mean(axis=0)
    k = np.fft.rfftfreq(128, 5.0)
    inside = (k > 1 / 150) & (k < 1 / 40)
    slope = np.polyfit(np.log(k[inside]), np.log(np.asarray(power)[inside]), 1)[0]
    assert slope == pytest.approx(-5.0 / 3.0, abs=0.4)
