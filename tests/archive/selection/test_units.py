"""Units and names: exact conversions against fractions, refused kinds, Japanese names of the glossary.

What can go wrong:
- a conversion loses bits that single precision has;
- an uncertainty of 0.5 K becomes -272.65 degC;
- packing of the store survives and the values are written with the wrong scale;
- a name means another variable than it says.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.selection.grids import of_degrees, on_map
from kaiseki.archive.selection import units, variables
from kaiseki.archive.selection.names import JAPANESE
from kaiseki.archive.selection.units import TABLE, converted, unit
from kaiseki.core.errors import InputError
from kaiseki.core.variables import VARIABLES

EXACT = {
    ("K", "degC"): lambda v: v - Fraction("273.15"),
    ("degC", "degF"): lambda v: v * Fraction(9, 5) + 32,
    ("K", "degF"): lambda v: v * Fraction(9, 5) - Fraction("459.67"),
    ("m s-1", "kt"): lambda v: v * Fraction(3600, 1852),
    ("m s-1", "km h-1"): lambda v: v * Fraction(18, 5),
    ("Pa", "hPa"): lambda v: v / 100,
    ("1", "%"): lambda v: v * 100,
    ("kg kg-1", "g kg-1"): lambda v: v * 1000,
    ("kg m-2", "mm"): lambda v: v,
    ("W m-2", "MJ m-2 h-1"): lambda v: v * Fraction(3600, 10**6),
    ("m", "ft"): lambda v: v / Fraction("0.3048"),
}


@pytest.mark.parametrize("pair", EXACT)
@settings(max_examples=100, deadline=None)
@given(value=st.floats(-1e5, 1e5, width=32))
def test_conversions_by_fractions(pair: tuple[str, str], value: float) -> None:
    got = converted(np.array([value], np.float32), unit(pair[0]), unit(pair[1]))
    assert got.dtype == np.float32
    exact = EXACT[pair](Fraction(value))
    # Rounded once: to the nearest number of single precision, or its neighbour where double precision decides a tie.
    scale = max(abs(float(exact)), abs(value) if pair[0] in ("K", "degC") else 0.0, 500.0 if "deg" in pair[1] else 0.0)
    assert abs(Fraction(float(got[0])) - exact) <= Fraction(float(np.spacing(np.float32(abs(float(exact)))))) / 2 + (
        Fraction(scale) / 2**50
    )


@settings(max_examples=50, deadline=None)
@given(value=st.floats(-1e4, 1e4), pair=st.sampled_from([(a, b) for a in TABLE for b in TABLE]))
def test_there_and_back(value: float, pair: tuple[str, str]) -> None:
    old, new = TABLE[pair[0]], TABLE[pair[1]]
    if old.kind == new.kind:
        back = converted(converted(np.array([value]), old, new), new, old)
        assert back[0] == pytest.approx(value, abs=1e-9, rel=1e-12)


def some() -> Any:
    def field(x: Any, y: Any, z: Any, t: Any) -> Any:
        return 280.0 + t + 0.0 * (x + y + z)

    names = ("temperature", "temperature_2m", "temperature_spread", "eastward_wind", "w", "pressure",
             "surface_pressure", "precipitation", "snow", "qv", "relative_humidity")  # fmt: skip
    return on_map(dict.fromkeys(names, field), hours=2, dtype=np.float32)


def test_water_as_a_depth_in_metres() -> None:
    got = units(some(), {"snow": "m", "wind": "kph"})
    np.testing.assert_allclose(got["snow"], some()["snow"].values.astype(float) / 1000.0, rtol=1e-7)
    assert got["snow"].attrs["units"] == "m"
    assert got["snow"].attrs["standard_name"] == "lwe_thickness_of_surface_snow_amount"
    assert got["eastward_wind"].attrs["units"] == "km h-1"
    with pytest.raises(InputError, match="cannot be converted to 'm'"):
        units(some(), {"temperature": "m"})


def test_families() -> None:
    wanted = {"temperature": "degC", "wind": "kt", "pressure": "hPa", "precipitation": "mm"}
    source = some()
    source["temperature"].attrs["maximum_absolute_error"] = 0.01
    source["eastward_wind"].attrs["valid_range"] = np.array([-100.0, 100.0])
    source["temperature"].encoding = {
        "scale_factor": 0.02,
        "_FillValue": -1,
        "dtype": "int16",
        "chunks": (1, 6, 12, 14),
    }
    got = units(source, wanted)
    found = {name: array.attrs["units"] for name, array in got.data_vars.items()}
    assert found == {
        "temperature": "degC", "temperature_2m": "degC", "temperature_spread": "degC", "eastward_wind": "kt",
        "w": "m s-1", "pressure": "hPa", "surface_pressure": "hPa", "precipitation": "mm", "snow": "kg m-2",
        "qv": "kg kg-1", "relative_humidity": "1",
    }  # fmt: skip
    np.testing.assert_array_equal(got["temperature"], (source["temperature"].astype(float) - 273.15).astype(np.float32))
    np.testing.assert_array_equal(got["temperature_spread"], source["temperature_spread"])
    assert got["temperature_spread"].attrs["units_metadata"] == "temperature: difference"
    assert got["temperature"].attrs["units_metadata"] == "temperature: on_scale"
    assert got["temperature"].attrs["maximum_absolute_error"] == 0.01
    assert got["temperature"].encoding == {"chunks": (1, 6, 12, 14)}
    np.testing.assert_allclose(got["eastward_wind"].attrs["valid_range"], [-194.384449, 194.384449])
    assert got["precipitation"].attrs["standard_name"] == "lwe_thickness_of_precipitation_amount"
    assert got["precipitation"].attrs["cell_methods"] == "time: sum"
    assert source["temperature"].attrs["units"] == "K"


def test_one_variable_and_the_axis() -> None:
    source = some()
    got = units(source, {"相対湿度": "%", "specific_humidity": "g/kg", "temperature_2m": "°C"})
    assert got["relative_humidity"].attrs["units"] == "%"
    assert got["qv"].attrs["units"] == "g kg-1"
    assert got["temperature_2m"].attrs["units"] == "degC"
    assert got["temperature"].attrs["units"] == "K"
    levels = of_degrees([30.0, 31.0], [130.0, 131.0], lambda lon, lat: lon).expand_dims(pressure=[85_000.0])
    levels["pressure"].attrs["units"] = "Pa"
    assert float(units(levels, {"pressure": "hPa"}).sel(pressure=850.0)["pressure"]) == 850.0


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"temperature": "degc"}, "The unit 'degc' is not known; did you mean 'degC'"),
        ({"temperature": "furlong"}, "The unit 'furlong' is not known"),
        ({"temperature": "hPa"}, "is in 'K' and cannot be converted to 'hPa': the one is a temperature, the other a"),
        ({"temprature_2m": "degC"}, "has no variable 'temprature_2m'; did you mean 'temperature_2m'"),
        ({"temperature": "degC", "temperature_2m": "K"}, "Two units were given for temperature_2m"),
    ],
)
def test_units_that_are_none(wanted: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        units(some(), wanted)


def test_a_kind_that_is_not_there() -> None:
    with pytest.raises(InputError, match="has no wind that could be converted; it has qv"):
        units(some()[["qv"]], {"wind": "kt"})


def test_a_variable_without_units() -> None:
    source = some()
    del source["qv"].attrs["units"]
    with pytest.raises(InputError, match="The variable qv has no units"):
        units(source, {"qv": "g kg-1"})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("temperature", ["temperature"]),
        ("air_temperature", ["temperature", "temperature_2m"]),
        ("気温", ["temperature", "temperature_2m"]),
        (["降水量", "qv"], ["precipitation", "qv"]),
        (["気温", "temperature_2m"], ["temperature", "temperature_2m"]),
    ],
)
def test_names(names: Any, expected: list[str]) -> None:
    assert list(variables(some(), names)) == expected


def test_bounds_go_with_their_variables() -> None:
    source = some()
    source["time_bnds"] = (("time", "bounds"), np.stack([source["time"].values] * 2, axis=1))
    source["time"].attrs["bounds"] = "time_bnds"
    assert list(variables(source, "precipitation")) == ["precipitation", "time_bnds"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("temperatur", "did you mean 'temperature'"),
        ("降水", "did you mean '降水量'"),
        ("日射", "it has temperature"),
        ([], "No name of a variable"),
    ],
)
def test_names_that_are_none(names: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        variables(some(), names)


def test_japanese_names_are_those_of_the_table_and_the_glossary(root: Path) -> None:
    assert {key for keys in JAPANESE.values() for key in keys} <= set(VARIABLES)
    text = (root / "docs" / "glossary.md").read_text(encoding="utf-8")
    for word in ("気温", "仮温度", "温位", "比湿", "相対湿度", "ジオポテンシャル高度", "地上気圧", "現地気圧",
                 "海面更正気圧", "海面水温", "地中温度", "降水量", "雲水", "雲氷", "あられ"):  # fmt: skip
        assert word in text
        assert word in JAPANESE
