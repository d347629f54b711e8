"""Arguments of the wrong kind, given to what readers of an archive call: one sentence each, no exception of Python.

What can go wrong:
- a path or a single variable is given in the place of a dataset, a slice in the place of times;
- a single name is taken letter by letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
import xarray as xr

import kaiseki
from archive.products.series import dataset, hours
from archive.selection.grids import on_map
from kaiseki import archive
from kaiseki.archive import selection
from kaiseki.archive.exchange.export import Choice, export
from kaiseki.archive.exchange.points import write_points
from kaiseki.archive.products.derived import derived_fields
from kaiseki.archive.products.height_levels import on_height_levels
from kaiseki.core.errors import InputError, KaisekiError

AIR = on_map({"temperature": lambda x, y, z, t: 250.0 + t + 0.0 * (x + y + z), "temperature_2m": lambda x, y, z, t: t})
DAYS = archive.daily_statistics(dataset(hours("1989-01-01T01", 48)))
HOURS = dataset(hours("1989-01-01T01", 48))


@pytest.fixture(autouse=True)
def as_users_have_it() -> Iterator[None]:
    """Without the checks of types at every call, which the tests alone have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


WITH_DATASET: dict[str, Callable[[Any], Any]] = {
    "points": lambda ds: selection.points(ds, 138.0, 35.0),
    "polygon": lambda ds: selection.polygon(ds, ([138.0, 139.0, 138.5], [35.0, 35.0, 36.0])),
    "box": lambda ds: selection.box(ds, 138.0, 35.0, 139.0, 36.0),
    "mesh": lambda ds: selection.mesh(ds, "5238"),
    "area_mean": selection.area_mean,
    "heights": lambda ds: selection.heights(ds, 100.0),
    "path": lambda ds: selection.path(ds, [138.0], [35.0], ["2019-10-11T13:00"]),
    "profile": lambda ds: selection.profile(ds, 138.0, 35.0, "2019-10-11T13:00"),
    "period": lambda ds: selection.period(ds, "2019-10-12"),
    "in_time_zone": lambda ds: selection.in_time_zone(ds, "JST"),
    "units": lambda ds: selection.units(ds, {"temperature": "degC"}),
    "variables": lambda ds: selection.variables(ds, "temperature"),
    "daily_statistics": archive.daily_statistics,
    "period_statistics": archive.period_statistics,
    "climate_indices": archive.climate_indices,
    "climatology": archive.climatology,
    "derived_fields": lambda ds: derived_fields(ds, ["theta"]),
    "on_pressure_levels": archive.on_pressure_levels,
    "on_height_levels": on_height_levels,
    "write_points": lambda ds: write_points(ds, "places.parquet"),
    "write_grib2": lambda ds: archive.write_grib2(ds, "a.grib2"),
}


@pytest.mark.parametrize("name", WITH_DATASET)
@pytest.mark.parametrize("given", ["out/release", Path("out/release"), 3, None])
def test_something_else_in_the_place_of_a_dataset(name: str, given: Any) -> None:
    with pytest.raises(InputError, match=r"A dataset of kaiseki.open is needed.* open the archive first"):
        WITH_DATASET[name](given)


@pytest.mark.parametrize("name", WITH_DATASET)
def test_a_single_variable_in_the_place_of_a_dataset(name: str) -> None:
    with pytest.raises(InputError, match=r"give dataset\[\['temperature'\]\]"):
        WITH_DATASET[name](AIR["temperature"])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: selection.prefecture(AIR, "Nagano"), "The borders of 長野県 are needed: give the path of a GeoJSON"),
        (lambda: selection.prefecture(AIR, "Nagano", 5), "The path of a GeoJSON file is needed, not int"),
        (lambda: selection.mesh(AIR, None), "None is no mesh code"),
        (lambda: selection.mesh(AIR, 3.5), "3.5 is no mesh code"),
        (lambda: selection.box(AIR, "a", 35.0, 139.0, 36.0), "The sides of a box must be"),
        (lambda: selection.heights(AIR, "high"), "Heights must be one number or a list of numbers, not 'high'"),
        (lambda: selection.heights(AIR, slice(0, 100)), "Heights must be"),
        (lambda: selection.heights(AIR, None), "Heights must be"),
        (lambda: selection.units(AIR, "degC"), "Units are given by variable"),
        (lambda: selection.units(AIR, {"temperature": None}), "Units are given by variable"),
        (lambda: selection.variables(AIR, 3), "Variables must be one name or a list of names"),
        (lambda: selection.period(AIR, None), "None is not an instant"),
        (lambda: selection.period(AIR, 2019), "2019 is not an instant"),
        (lambda: selection.period(AIR, "2019-10-12", tz=9), "There is no time zone 9; give UTC, JST, an offset"),
        (lambda: selection.in_time_zone(AIR, None), "There is no time zone None"),
        (lambda: selection.in_time_zone(AIR, ""), "There is no time zone ''"),
        (lambda: selection.path(AIR, [138.0], [35.0], None), "None is not an instant"),
        (lambda: archive.daily_statistics(HOURS, "mean"), "Statistics are given by variable"),
        (lambda: archive.daily_statistics(HOURS, {"temperature_2m": 3}), "Statistics must be one name"),
        (lambda: archive.daily_statistics(HOURS, timezone=9), "There is no time zone 9"),
        (lambda: archive.climate_indices(DAYS, indices="XX"), "There is no climate index 'XX'"),
        (lambda: derived_fields(AIR, "wind"), "There is no derived field 'wind'"),
        (lambda: archive.on_pressure_levels(AIR, "low"), "Pressure levels must be one number"),
        (lambda: on_height_levels(AIR, "low"), "Heights"),
        (lambda: export(AIR, "a.nc", "netcdf", Choice(times=slice("2019-10-11", "2019-10-12"))), "a list of instants"),
        (lambda: export(AIR, "a.nc", "netcdf", Choice(times="1989-01-10")), "a list of instants in UTC, not '1989-01"),
        (lambda: export(AIR, "a.nc", "netcdf", Choice(variables="temp")), "have no variable 'temp'"),
        (lambda: export(AIR, "a.nc", "netcdf", Choice(variables=3)), "The variables of an export must be one name"),
        (lambda: export(3, "a.nc"), "3 is no place of an archive"),
        (lambda: kaiseki.open(None), "None is no place of an archive"),
    ],
)
def test_other_arguments(call: Callable[[], Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KaisekiError, match=words):
        call()
    assert list(tmp_path.iterdir()) == []


def test_a_single_name_is_no_list_of_letters(tmp_path: Path) -> None:
    assert "temperature_2m_maximum" in archive.daily_statistics(HOURS, {"temperature_2m": "maximum"})
    export(AIR, tmp_path / "a.nc", "netcdf", Choice(variables="temperature"))  # type: ignore[arg-type]
    with xr.open_dataset(tmp_path / "a.nc") as found:
        assert list(found.data_vars) == ["crs", "temperature"] or "temperature" in found


def test_zones_by_name_and_by_offset() -> None:
    one = selection.period(AIR, "2019-10-12T00:00", "2019-10-12T02:00", tz="+09:00")
    other = selection.period(AIR, "2019-10-12T00:00", "2019-10-12T02:00", tz="JST")
    assert one["time"].equals(other["time"])
    from kaiseki.archive.selection.times import zone

    assert zone("-0330").utcoffset(None) == -timedelta(hours=3, minutes=30)
    assert np.all(selection.in_time_zone(AIR, "UTC+9:00".replace("+9", "+09"))["local_time"] == other_time())


def other_time() -> np.ndarray:
    return np.asarray(AIR["time"].values + np.timedelta64(9, "h"))
