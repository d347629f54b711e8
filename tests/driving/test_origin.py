"""Fields that do not belong together are refused, and what is no state of the atmosphere at an instant.

What can go wrong: members, versions or runs are mixed across files; the reference time of a forecast counts as its
valid time; a spread, a probability, an increment or a mean of a month is taken for an analysis.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from driving import relaid
from kaiseki.core.errors import InputError
from kaiseki.driving import open_driving, read_global
from kaiseki.formats.grib.library import eccodes
from kaiseki.formats.grib.messages import single_fields

CONTENT = relaid.content(30.0)
ONE = CONTENT.isel(time=[0])
WINDS = ["eastward_wind", "northward_wind"]
Change = Callable[[xr.Dataset], xr.Dataset]


def second(dataset: xr.Dataset, path: Path, change: Change = lambda raw: raw) -> Path:
    """A file of the second generation, changed."""
    whole = relaid.second_generation(dataset, path.with_suffix(".whole"))
    with xr.open_dataset(whole, engine="h5netcdf", decode_times=False, decode_timedelta=False) as raw:
        change(raw.load()).to_netcdf(path, engine="h5netcdf")
    return path


def edited(path: Path, wanted: Callable[[Any], bool] = lambda _: True, **keys: Any) -> Path:
    """A file with keys set, in order, in fields that are wanted."""
    fields = []
    for _, message in single_fields(path):
        handle = eccodes.codes_new_from_message(message)
        if wanted(handle):
            for key, value in keys.items():
                eccodes.codes_set(handle, key, value)
        fields.append(eccodes.codes_get_message(handle))
        eccodes.codes_release(handle)
    path.write_bytes(b"".join(fields))
    return path


def is_wind(handle: Any) -> bool:
    return eccodes.codes_get(handle, "paramId") in (131, 132)


def numbered(number: int) -> Change:
    return lambda raw: raw.drop_vars("number").assign_coords(number=number)


def versioned(*versions: str) -> Change:
    return lambda raw: raw.drop_vars("expver").assign_coords(expver=("valid_time", np.array(versions, dtype=object)))


def test_members_of_two_files_are_refused(tmp_path: Path) -> None:
    whole = second(ONE.drop_vars(WINDS), tmp_path / "a.nc", numbered(0))
    winds = second(ONE[WINDS], tmp_path / "b.nc", numbered(7))
    with pytest.raises(InputError, match=r"a\.nc: .* is of member 0 and .*b\.nc: u of member 7"):
        open_driving([whole, winds])
    later = second(CONTENT.isel(time=[1]), tmp_path / "c.nc", numbered(7))
    with pytest.raises(InputError, match="of member 7"):
        open_driving([second(ONE, tmp_path / "d.nc", numbered(0)), later])
    assert open_driving([second(ONE, tmp_path / "e.nc", numbered(7))]).times.size == 1


@pytest.mark.parametrize(
    ("first", "other", "message"),
    [
        (("0001",), ("0079",), r"is of version \(expver\) 0001 and .* of version 0079"),
        (("0001",), ("0005",), "fetch both in one version"),
        (("0001",), ("0001",), None),
    ],
)
def test_versions_of_one_time(tmp_path: Path, first: tuple[str], other: tuple[str], message: str | None) -> None:
    files = [
        second(ONE.drop_vars(WINDS), tmp_path / "a.nc", versioned(*first)),
        second(ONE[WINDS], tmp_path / "b.nc", versioned(*other)),
    ]
    if message is None:
        assert open_driving(files).times.size == 1
        return
    with pytest.raises(InputError, match=message):
        open_driving(files)


def test_versions_of_several_times(tmp_path: Path) -> None:
    """ERA5T goes on where ERA5 ends; other versions do not."""
    assert open_driving([second(CONTENT, tmp_path / "a.nc", versioned("0001", "0001", "0005"))]).times.size == 3
    for versions in (("0001", "0001", "0079"), ("0077", "0005", "0005")):
        with pytest.raises(InputError, match="give one version alone"):
            open_driving([second(CONTENT, tmp_path / "b.nc", versioned(*versions))])
    files = [
        second(CONTENT.isel(time=[k]), tmp_path / f"c{k}.nc", versioned(v)) for k, v in enumerate(("0001", "0078"))
    ]
    with pytest.raises(InputError, match="0001 and 0078"):
        open_driving(files)


MEMBER = {"productDefinitionTemplateNumber": 1, "numberOfForecastsInEnsemble": 20, "perturbationNumber": 9}
DERIVED = {"productDefinitionTemplateNumber": 2, "numberOfForecastsInEnsemble": 20}
LOCAL = {"setLocalDefinition": 1}


@pytest.mark.parametrize(
    ("edition", "keys", "message"),
    [
        (2, MEMBER, "of member 9; give fields of one member"),
        (2, DERIVED | {"derivedForecast": 4}, "not their mean"),
        (2, {"productDefinitionTemplateNumber": 5}, r"template 4\.5"),
        (2, {"typeOfGeneratingProcess": 6}, "an error of a forecast"),
        (2, {"typeOfGeneratingProcess": 7}, "an error of an analysis"),
        (2, {"typeOfGeneratingProcess": 9}, "a climatology"),
        (2, {"typeOfGeneratingProcess": 20}, "an increment"),
        (2, {"dataDate": 19991231, "dataTime": 0, "forecastTime": 24}, "both valid at 2000-01-01T00"),
        (1, {"day": 0}, "no day, as of a mean of a month"),
        (1, {"unitOfTimeRange": 3, "P1": 1}, "counts its time in months"),
        (1, LOCAL | {"stream": "moda"}, "stream moda, whose fields are means of a month"),
        (1, LOCAL | {"stream": "mnth"}, "stream mnth"),
        (1, LOCAL | {"type": "es"}, "type es"),
        (1, LOCAL | {"type": "4i"}, "type 4i"),
        (1, LOCAL | {"experimentVersionNumber": "0079"}, "of version 0079 at 2000-01-01T00"),
    ],
)
def test_fields_of_grib_that_are_no_analysis(tmp_path: Path, edition: int, keys: dict[str, Any], message: str) -> None:
    """The winds alone are of another kind."""
    path = edited(relaid.grib(ONE, tmp_path / "a.grib", edition), is_wind, **keys)
    with pytest.raises(InputError, match=message):
        open_driving([path])


def test_means_and_members_of_an_ensemble(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mean alone drives, its control beside it is said, a member beside it is refused."""
    mean = DERIVED | {"derivedForecast": 0}
    assert open_driving([edited(relaid.grib(ONE, tmp_path / "a.grib"), **mean)]).times.size == 1
    open_driving([edited(relaid.grib(ONE, tmp_path / "b.grib"), is_wind, **mean)])
    path = edited(relaid.grib(ONE, tmp_path / "c.grib"), is_wind, **mean)
    with pytest.raises(InputError, match="a mean of all members"):
        open_driving([edited(path, lambda handle: not is_wind(handle), **MEMBER)])
    both = capsys.readouterr()
    assert "the mean is smoother than one run" in both.out + both.err


def test_forecasts_of_one_run_at_several_times_and_young_forecasts_beside_analyses(tmp_path: Path) -> None:
    six = {"dataDate": 19991231, "dataTime": 1800, "forecastTime": 6}
    assert open_driving([edited(relaid.grib(ONE, tmp_path / "a.grib"), is_wind, **six)]).times.size == 1
    twelve = {"dataDate": 19991231, "dataTime": 1200, "forecastTime": 12}
    skin = edited(relaid.grib(ONE, tmp_path / "b.grib"), lambda h: eccodes.codes_get(h, "paramId") == 235, **twelve)
    assert open_driving([skin]).times.size == 1
    with pytest.raises(InputError, match="give the fields of one run"):
        open_driving([edited(relaid.grib(ONE, tmp_path / "c.grib"), is_wind, **twelve)])


def as_forecast(name: str, standard: str | None, attributes: dict[str, str], value: float = 24.0) -> Change:
    """`time` and a scalar lead."""

    def change(raw: xr.Dataset) -> xr.Dataset:
        raw = raw.drop_vars(["number", "expver"]).rename(valid_time="time")
        raw["time"].attrs.pop("standard_name")
        raw["time"].attrs |= {} if standard is None else {"standard_name": standard}
        return raw.assign_coords({name: ((), value, {"units": "hours"} | attributes)})

    return change


@pytest.mark.parametrize("standard", [None, "time"])
@pytest.mark.parametrize(
    "name", ["step", "prediction_timedelta", "lead_time", "forecast_period", "forecast_hour", "tau"]
)
def test_a_time_that_may_be_the_reference_time_is_refused(tmp_path: Path, name: str, standard: str | None) -> None:
    meaning = {"standard_name": "forecast_period"} if name == "tau" else {}
    with pytest.raises(InputError, match=f"ahead by {name}; add a variable valid_time"):
        read_global(second(ONE, tmp_path / "a.nc", as_forecast(name, standard, meaning)))
    found = read_global(second(ONE, tmp_path / "b.nc", as_forecast(name, standard, meaning, 0.0)))
    assert found["time"].values[0] == ONE["time"].values[0]


def test_reference_time_and_lead_make_the_valid_time(tmp_path: Path) -> None:
    path = second(ONE, tmp_path / "a.nc", as_forecast("prediction_timedelta", "forecast_reference_time", {}))
    assert read_global(path)["time"].values[0] == ONE["time"].values[0] + np.timedelta64(24, "h")

    def change(raw: xr.Dataset, behind: float) -> xr.Dataset:
        raw = as_forecast("forecast_period", "time", {})(raw)
        units = {"units": raw["time"].attrs["units"], "standard_name": "forecast_reference_time"}
        start = float(raw["time"].values[0]) - 3600.0 * behind
        return raw.assign_coords(forecast_reference_time=((), start, units))

    right = read_global(second(ONE, tmp_path / "b.nc", lambda raw: change(raw, 24.0)))
    assert right["time"].values[0] == ONE["time"].values[0]
    with pytest.raises(InputError, match="may be the reference time"):
        read_global(second(ONE, tmp_path / "c.nc", lambda raw: change(raw, 0.0)))

    def initial(raw: xr.Dataset) -> xr.Dataset:
        return raw.rename(valid_time="time").assign_coords(
            time=("time", [0], {"units": "days since 2000-01-01", "long_name": "initial time of forecast"})
        )

    with pytest.raises(InputError, match="initial time of forecasts by its long name"):
        read_global(second(ONE.copy(), tmp_path / "d.nc", lambda raw: initial(raw.drop_vars(["expver", "number"]))))


def test_one_time_along_a_dimension_beside_a_single_valid_time(tmp_path: Path) -> None:
    def change(raw: xr.Dataset) -> xr.Dataset:
        stamp, attributes = raw["valid_time"].values[0], dict(raw["valid_time"].attrs)
        raw = raw.drop_vars(["number", "expver"]).rename(valid_time="time")
        return raw.assign_coords(valid_time=((), stamp, attributes), step=((), 0.0, {"units": "hours"}))

    found = read_global(second(ONE, tmp_path / "a.nc", change))
    np.testing.assert_allclose(found["air_temperature"].values, ONE["air_temperature"].values, rtol=1e-6)


@pytest.mark.parametrize(
    "methods",
    [
        "time: mean", "time:mean", "valid_time: maximum", "time: max", "t: mean", "area: time: mean", "time: sum",
        "area: mean time: minimum (interval: 1 hour)", "realization: standard_deviation",
    ],
)  # fmt: skip
def test_statistics_by_their_cell_methods_are_left_out(tmp_path: Path, methods: str) -> None:
    def change(raw: xr.Dataset) -> xr.Dataset:
        for name in raw.data_vars:
            raw[name].attrs["cell_methods"] = methods
        return raw

    with pytest.raises(InputError, match=r"holds nothing that drives a model: t is no field .*; u is no field"):
        read_global(second(ONE, tmp_path / "a.nc", change))


@pytest.mark.parametrize("methods", ["time: point", "area: mean", "area: mean time: point", ""])
def test_instants_by_their_cell_methods(tmp_path: Path, methods: str) -> None:
    def change(raw: xr.Dataset) -> xr.Dataset:
        for name in raw.data_vars:
            raw[name].attrs["cell_methods"] = methods
        return raw

    assert read_global(second(ONE, tmp_path / "a.nc", change)).sizes["time"] == 1


@pytest.mark.parametrize(
    "title",
    ["ERA5 monthly averaged data on pressure levels", "daily statistics derived from ERA5", "ERA5 daily average"],
)
def test_a_file_of_means_says_so(tmp_path: Path, title: str) -> None:
    with pytest.raises(InputError, match="means over time"):
        read_global(second(ONE, tmp_path / "a.nc", lambda raw: raw.assign_attrs(title=title)))
