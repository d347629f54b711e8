from __future__ import annotations

import dataclasses

import pytest

from kaiseki.core.errors import InputError
from kaiseki.core.variables import VARIABLES, variable

# How ecCodes writes the units of the WMO tables, and how we do.
UNITS = {
    "kg kg-1": "kg/kg",
    "m s-1": "m/s",
    "degrees_north": "deg N",
    "degrees_east": "deg E",
    "degree": "degree true",
    "Pa s-1": "Pa/s",
    "s-1": "/s",
    "J kg-1": "J/kg",
}


def test_the_names_of_the_model_are_there() -> None:
    expected = "u v w temperature pressure theta rho qv qc qr qi qs qg surface_pressure mean_sea_level_pressure".split()
    expected += "skin_temperature sst soil_temperature soil_moisture snow temperature_2m eastward_wind_10m".split()
    expected += "northward_wind_10m precipitation cloud_fraction shortwave_down geopotential_height terrain".split()
    expected += "land_fraction latitude longitude eastward_wind northward_wind".split()
    assert set(expected) <= set(VARIABLES)


@pytest.mark.parametrize("row", VARIABLES.values(), ids=lambda row: row.name)
def test_a_row_makes_sense(row) -> None:
    assert row.low < row.high
    assert 0 <= row.bound < (row.high - row.low) / 500
    assert row.levels in {"air", "soil", "surface"}
    assert row.cell_methods in {"", "time: point", "time: sum", "time: mean"}
    assert row.name == row.name.lower()
    # A modifier may follow, CF 1.11, appendix C.
    name, _, modifier = row.standard_name.partition(" ")
    # CF has no name for a probability and for a weight of an analysis.
    assert name.replace("_", "").isalpha() or row.name in {"precipitation_probability", "precipitation_gauge_weight"}
    assert modifier in {"", "standard_error"}


@pytest.mark.parametrize("row", [row for row in VARIABLES.values() if row.grib2], ids=lambda row: row.name)
def test_the_grib_code_means_what_the_row_says(row) -> None:
    eccodes = pytest.importorskip("eccodes")
    message = eccodes.codes_grib_new_from_samples("GRIB2")
    try:
        eccodes.codes_set(message, "tablesVersion", 30)
        eccodes.codes_set(message, "discipline", row.grib2.discipline)
        eccodes.codes_set(message, "parameterCategory", row.grib2.category)
        eccodes.codes_set(message, "parameterNumber", row.grib2.number)
        name = eccodes.codes_get(message, "parameterName").lower()
        units = eccodes.codes_get(message, "parameterUnits")
    finally:
        eccodes.codes_release(message)
    expected = UNITS.get(row.units, row.units)
    if row.name == "geopotential_height":
        expected = "gpm"
    elif row.units == "1":
        expected = {100.0: "%", 1.0: "Proportion"}[row.grib2.scale]
        if row.name == "soil_moisture":
            expected = "m3 m-3"
    assert units == expected
    # One telling word of ours must stand in WMO's name.
    words = {
        word for word in (row.long_name + " " + row.standard_name.replace("_", " ")).lower().split() if len(word) > 3
    }
    assert words & set(name.replace("-", " ").replace("(", " ").split()), f"{name!r} is not {row.long_name!r}"


def test_a_flag_tells_its_values() -> None:
    attributes = variable("precipitation_flag").attributes()
    assert len(attributes["flag_values"]) == len(attributes["flag_meanings"].split()) == 8
    assert attributes["flag_values"][-1] == 8
    assert attributes["flag_meanings"].endswith(" gap")
    assert variable("precipitation_flag").bound == variable("precipitation_flag").user_bound == 0
    assert "standard_name" not in variable("precipitation_probability").attributes()


def test_look_up_by_internal_name_before_cf_name() -> None:
    assert variable("temperature_2m").grib2.height == 2
    assert variable("air_temperature") is VARIABLES["temperature"]
    assert variable("specific_humidity") is VARIABLES["qv"]


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no variable 'temprature'; did you mean 'temperature'\?"):
        variable("temprature")
    with pytest.raises(InputError, match="known are u, v"):
        variable("§")


def test_attributes_for_a_dataset() -> None:
    assert variable("precipitation").attributes() == {
        "standard_name": "precipitation_amount",
        "long_name": "precipitation",
        "units": "kg m-2",
        "cell_methods": "time: sum",
    }
    assert "cell_methods" not in variable("terrain").attributes()


def test_rows_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        variable("u").bound = 1.0
    with pytest.raises(TypeError):
        VARIABLES["x"] = variable("u")
