"""Tables of points: rows, order, row groups, units and CF attributes, GeoParquet read by other libraries."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import shapely
import xarray as xr

import kaiseki
from archive.exchange.grids import archive
from archive.runs import HOUR, START
from kaiseki.archive.exchange.points import write_points
from kaiseki.archive.selection.points import points
from kaiseki.core.errors import InputError
from kaiseki.core.variables import VARIABLES


def series(places: int, times: int) -> xr.Dataset:
    """Temperature and precipitation at places, as a selection gives them; each value tells its place and time."""
    value = 200.0 + np.arange(places)[None, :] + np.arange(times)[:, None] / 10000.0
    dataset = xr.Dataset(
        {
            "temperature_2m": (("time", "place"), value.astype(np.float32), VARIABLES["temperature_2m"].attributes()),
            "precipitation": (
                ("time", "place"),
                value.astype(np.float32) - 200,
                VARIABLES["precipitation"].attributes(),
            ),
        },
        {
            "time": ("time", START + HOUR * np.arange(times), {"standard_name": "time"}),
            "lat": ("place", 35.0 + np.arange(places), {"standard_name": "latitude", "units": "degrees_north"}),
            "lon": ("place", 135.0 + np.arange(places), {"standard_name": "longitude", "units": "degrees_east"}),
            "station": ("place", [f"地点 {number}" for number in range(places)], {"long_name": "name of the place"}),
        },
        {"title": "points", "citation": "cite me"},
    )
    dataset["precipitation"][0] = np.nan
    return dataset


def test_wide(tmp_path: Path) -> None:
    source = series(3, 4)
    file = write_points(source, tmp_path / "wide.parquet")
    table = pyarrow.parquet.read_table(file)
    assert table.num_rows == 12
    assert table["place"].to_pylist() == [0] * 4 + [1] * 4 + [2] * 4
    assert table["station"].to_pylist()[4] == "地点 1"
    assert table["time"].type == pa.timestamp("ms", tz="UTC")
    assert np.array_equal(table["temperature_2m"].to_numpy(), source["temperature_2m"].values.T.ravel())
    assert table["precipitation"].null_count == 3, "missing values are null"
    assert table["temperature_2m"].type == pa.float32()
    metadata = table.schema.field("temperature_2m").metadata
    assert metadata[b"units"] == b"K"
    assert metadata[b"standard_name"] == b"air_temperature"
    assert json.loads(table.schema.metadata[b"attributes"])["citation"] == "cite me"
    assert json.loads(table.schema.metadata[b"variables"])["precipitation"]["cell_methods"] == "time: sum"


@pytest.mark.parametrize("shape", ["wide", "long"])
def test_each_place_is_a_row_group(tmp_path: Path, shape: str) -> None:
    file = write_points(series(70, 5), tmp_path / "points.parquet", shape)
    opened = pyarrow.parquet.ParquetFile(file)
    assert opened.metadata.num_row_groups == 70
    for number in (0, 63, 64, 69):
        assert set(opened.read_row_group(number)["place"].to_pylist()) == {number}


def test_long(tmp_path: Path) -> None:
    source = series(2, 3)
    soil = (("time", "soil_level", "place"), np.full((3, 2, 2), 280.0, np.float32), {"units": "K"})
    source["soil_temperature"] = soil
    source = source.assign_coords(soil_level=("soil_level", [0.05, 0.5]))
    table = pyarrow.parquet.read_table(write_points(source, tmp_path / "long.parquet", "long"))
    assert table.num_rows == 2 * (3 + 3 + 6)
    assert table.column_names[-3:] == ["variable", "value", "units"]
    rows = table.to_pylist()
    assert [row["variable"] for row in rows[:12]] == ["temperature_2m"] * 3 + ["precipitation"] * 3 + [
        "soil_temperature"
    ] * 6
    assert rows[0]["soil_level"] is None
    assert [row["soil_level"] for row in rows[6:12]] == [0.05, 0.5] * 3
    assert {row["units"] for row in rows if row["variable"] == "precipitation"} == {"kg m-2"}
    assert rows[13]["value"] == float(source["temperature_2m"].values[1, 1])
    with pytest.raises(InputError, match="have different axes"):
        write_points(source, tmp_path / "wide.parquet")
    assert not (tmp_path / "wide.parquet").exists()


def test_forecasts_at_places(tmp_path: Path) -> None:
    values = np.arange(2 * 3 * 2, dtype=np.float32).reshape(2, 3, 2)
    starts, leads = START + HOUR * np.arange(2), HOUR * np.arange(3)
    dataset = (
        series(2, 1)[["lat", "lon"]]
        .drop_vars("station")
        .assign(temperature_2m=(("forecast_reference_time", "forecast_period", "place"), values, {"units": "K"}))
    )
    dataset = dataset.assign_coords(
        forecast_reference_time=starts,
        forecast_period=leads,
        time=(("forecast_reference_time", "forecast_period"), starts[:, None] + leads),
    )
    table = pyarrow.parquet.read_table(write_points(dataset, tmp_path / "forecasts.parquet"))
    row = table.to_pylist()[5]
    assert row["forecast_period"] == 7200
    assert np.datetime64(row["time"].replace(tzinfo=None), "s") == START + 3 * HOUR
    assert row["temperature_2m"] == values[1, 2, 0]


def test_places_selected_from_an_archive(tmp_path: Path) -> None:
    background = kaiseki.open(archive(tmp_path / "run", hours=2), "background")[["temperature_2m", "precipitation"]]
    selected = points(background, [137.0, 138.0], [36.0, 36.5])
    table = pyarrow.parquet.read_table(write_points(selected, tmp_path / "selected.parquet"))
    assert table.num_rows == 2 * 3
    assert np.array_equal(table["temperature_2m"].to_numpy(), selected["temperature_2m"].values.T.ravel())
    assert table["in_rim"].to_pylist() == [False] * 6
    assert table["lon"].to_pylist() == [137.0] * 3 + [138.0] * 3
    assert "crs" not in table.column_names


def test_points_by_another_library(tmp_path: Path) -> None:
    table = pyarrow.parquet.read_table(write_points(series(2, 2), tmp_path / "points.parquet"))
    point = shapely.from_wkb(table["geometry"].to_pylist()[-1])
    assert (point.x, point.y) == (136.0, 36.0)
    described = json.loads(table.schema.metadata[b"geo"])
    assert described["version"] == "1.1.0"
    assert described["columns"][described["primary_column"]] == {"encoding": "WKB", "geometry_types": ["Point"]}


def test_refusals(tmp_path: Path) -> None:
    file, source = tmp_path / "a.parquet", series(2, 2)
    with pytest.raises(InputError, match="needs a dimension 'place', and there are time, point"):
        write_points(source.rename(place="point"), file)
    with pytest.raises(InputError, match="needs the coordinate 'lat'"):
        write_points(source.drop_vars("lat"), file)
    with pytest.raises(InputError, match="at least one place"):
        write_points(source.isel(place=slice(0, 0)), file)
    with pytest.raises(InputError, match="No variable has the dimension"):
        write_points(source.drop_vars(list(source.data_vars)).assign_coords(station=source["station"]), file)
    assert list(tmp_path.iterdir()) == []
    write_points(source.rename(place="point"), file, along="point")
    assert pyarrow.parquet.read_table(file)["point"].to_pylist() == [0, 0, 1, 1]
