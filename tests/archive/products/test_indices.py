"""Climate indices against the definitions worked through day by day in plain Python.

What can go wrong:
- a threshold is reached or passed where the other was meant, also by the rounding of 0 degC in single precision;
- spells or sums over five days are cut or joined wrongly at the ends of months and at missing days;
- a period with missing days passes as complete; days in degrees Celsius are taken for kelvins.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.products.series import dataset, hours
from kaiseki.archive.products.days import daily_statistics
from kaiseki.archive.products.indices import INDICES, RR, TN, TX, climate_indices, days_above
from kaiseki.core.errors import InputError
from kaiseki.core.timing import JST


def days_of(start: str, temperatures: np.ndarray, rain: np.ndarray) -> xr.Dataset:
    """Days (n, 1, 1) with temperatures (n, 3) [K] of minimum, mean, maximum and rain (n,) [kg m-2]."""
    count = rain.size
    begin = np.datetime64(start, "s") + np.timedelta64(86400, "s") * np.arange(count)
    axes = ("time", "y", "x")
    attributes = {"units": "K", "standard_name": "air_temperature"}
    variables = {
        f"temperature_2m_{name}": (axes, temperatures[:, i, None, None].astype(np.float32), attributes)
        for i, name in enumerate(("minimum", "mean", "maximum"))
    }
    variables[RR] = (axes, rain[:, None, None].astype(np.float32), {"units": "kg m-2"})
    bounds = np.stack([begin, begin + np.timedelta64(86400, "s")], axis=1).astype("datetime64[ns]")
    variables["time_bnds"] = (("time", "bounds"), bounds, {})
    return xr.Dataset(variables, {"time": ("time", bounds[:, 0] + np.timedelta64(12, "h"), {"bounds": "time_bnds"})})


def longest(flags: list[bool]) -> int:
    best = now = 0
    for flag in flags:
        now = now + 1 if flag else 0
        best = max(best, now)
    return best


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_all_indices_agree_with_their_definitions(seed: int) -> None:
    generator = np.random.default_rng(seed)
    # Whole degrees and millimetres, so that thresholds are met exactly.
    low = generator.integers(-5, 27, 59)
    temperatures = np.stack([low, low + 3, low + generator.integers(3, 14, 59)], axis=1)
    rain = np.maximum(generator.integers(-4, 22, 59), 0) * generator.choice([0.5, 1.0], 59)
    result = climate_indices(days_of("2021-01-01", temperatures + 273.15, rain), "month")
    for number, part in enumerate((slice(0, 31), slice(31, 59))):
        (tn, tg, tx), rr = temperatures[part].T, rain[part]
        five = [rain[k - 4 : k + 1].sum() for k in range(part.start, part.stop) if k >= 4]
        expected = {
            "FD": sum(tn < 0),
            "SU": sum(tx > 25),
            "ID": sum(tx < 0),
            "TR": sum(tn > 20),
            "TXge25": sum(tx >= 25),
            "TXge30": sum(tx >= 30),
            "TXge35": sum(tx >= 35),
            "TNge25": sum(tn >= 25),
            "TXx": max(tx) + 273.15,
            "TXn": min(tx) + 273.15,
            "TNx": max(tn) + 273.15,
            "TNn": min(tn) + 273.15,
            "DTR": np.mean(tx - tn),
            "RX1day": max(rr),
            "RX5day": max(five),
            "R1mm": sum(rr >= 1),
            "R10mm": sum(rr >= 10),
            "R20mm": sum(rr >= 20),
            "CDD": longest(list(rr < 1)),
            "CWD": longest(list(rr >= 1)),
            "PRCPTOT": sum(rr[rr >= 1]),
            "HDDheat18": sum(18 - one for one in tg if one < 18),
            "CDDcold24": sum(one - 24 for one in tg if one > 24),
            "GDDgrow10": sum(one - 10 for one in tg if one > 10),
        }
        assert set(expected) == set(INDICES)
        for name, value in expected.items():
            assert result[name].values[number, 0, 0] == pytest.approx(value, rel=1e-5, abs=1e-3), name


def test_missing_days_end_spells_and_sums() -> None:
    temperatures = np.full((31, 3), 280.0)
    rain = np.full(31, 2.0)
    rain[10] = np.nan
    days = days_of("2021-01-01", temperatures, rain)
    strict = climate_indices(days, "month")
    assert np.isnan(strict["CWD"].values[0, 0, 0])
    assert strict["TXx"].values[0, 0, 0] == 280.0
    lenient = climate_indices(days, "month", ["CWD", "RX5day", "PRCPTOT"], completeness=0.9)
    assert lenient["CWD"].values[0, 0, 0] == 20
    assert lenient["RX5day"].values[0, 0, 0] == 10.0
    assert lenient["PRCPTOT"].values[0, 0, 0] == 60.0
    assert lenient[f"{RR}_count"].values[0, 0, 0] == 30


def test_how_the_days_come_changes_no_bit() -> None:
    days = daily_statistics(dataset(hours("2020-01-01T06", 4 * 60, np.timedelta64(6 * 3600, "s"))))
    whole = climate_indices(days, "month")
    parts = (days.isel(time=slice(k, k + 7)) for k in range(0, 60, 7))
    xr.testing.assert_identical(climate_indices(parts, "month"), whole)
    assert whole["FD"].attrs["standard_name"] == "number_of_days_with_air_temperature_below_threshold"
    assert whole["FD_threshold"].values == 273.15
    assert whole["FD"].encoding["coordinates"] == "lat lon FD_threshold"


def test_an_index_of_ones_own() -> None:
    days = days_of("2021-01-01", np.full((31, 3), 300.0), np.zeros(31))
    own = days_above("SU26", "days above 26 degC", TX, 26.0)
    assert climate_indices(days, "month", [own])["SU26"].values[0, 0, 0] == 31


def test_refusals() -> None:
    days = days_of("2021-01-01", np.full((31, 3), 300.0), np.zeros(31))
    with pytest.raises(InputError, match="no climate index 'XX'"):
        climate_indices(days, "month", ["XX"])
    with pytest.raises(InputError, match="needs the daily variable"):
        climate_indices(days.drop_vars(TN), "month", ["FD"])
    days[TN].attrs["units"] = "degC"
    with pytest.raises(InputError, match="in K, not in 'degC'"):
        climate_indices(days, "month")
    with pytest.raises(InputError, match="none of them is there"):
        climate_indices(days[["time_bnds"]], "month")


def test_amedas_rain_of_a_month(data: Path) -> None:
    """Hourly rain of stations, whose 15 UTC (midnight in Japan) is never there: 23 of 24 hours."""
    with xr.open_dataset(data / "amedas/amedas_hourly_20240817_20250815.nc", engine="h5netcdf") as opened:
        source = opened[["rain_1h"]].isel(station=slice(0, 120)).load()
    source = source.rename(rain_1h="precipitation")
    source["precipitation"].attrs |= {"cell_methods": "time: sum", "units": "kg m-2"}
    days = daily_statistics(source, timezone=JST, completeness=0.75, interval=np.timedelta64(1, "h"))
    result = climate_indices(days, "month", ["RX1day", "R1mm", "CDD", "PRCPTOT"], completeness=0.6)
    rain = days[RR].sel(time="2024-10").values
    assert rain.shape[0] == 31
    where = result.sel(time="2024-10")
    enough = np.sum(~np.isnan(rain), axis=0) >= 19
    assert enough.sum() > 50
    np.testing.assert_array_equal(np.isnan(where["R1mm"].values[0]), ~enough)
    np.testing.assert_allclose(where["RX1day"].values[0][enough], np.nanmax(rain, axis=0)[enough])
    np.testing.assert_array_equal(where["R1mm"].values[0][enough], np.nansum(rain >= 1.0, axis=0)[enough])
    for station in np.flatnonzero(enough)[:40]:
        assert where["CDD"].values[0, station] == longest([bool(one < 1.0) for one in rain[:, station]])
