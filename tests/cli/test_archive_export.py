"""`kaiseki archive export`, `select` and `statistics`, their files opened by the programs that they are for.

What can go wrong:
- a file holds other values, places, times or units than the release;
- a second call writes all anew, keeps what was made otherwise, or takes what is cut for whole;
- a folder with something else in it is touched;
- civil time is taken for UTC, a day gains or loses an hour;
- speed and direction are made of the wrong components, or of averaged ones;
- an option that is wrong ends in a traceback, or is passed over.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import xarray as xr

import kaiseki
from archive.exchange.small_release import PRESSURES, small_release
from archive.release.days import write
from kaiseki.archive.release.store import ReleaseStore
from kaiseki.cli.main import main
from kaiseki.core.variables import VARIABLES

DAY = ("--start", "1989-01-02", "--end", "1989-01-02")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("archive") / "release"
    small_release(place)
    return place


def run(capsys: pytest.CaptureFixture[str], *tokens: Any, code: int = 0) -> dict[str, Any]:
    assert main(["archive", *map(str, tokens), "--json"]) == code, capsys.readouterr()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def refused(capsys: pytest.CaptureFixture[str], *tokens: Any) -> str:
    assert main(["archive", *map(str, tokens)]) in (1, 2, 3, 4)
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("kaiseki: ")
    return error


def middle(dataset: xr.Dataset) -> tuple[float, float]:
    """Longitude and latitude near the middle of the domain."""
    return float(dataset["lon"][2, 3]) + 0.1, float(dataset["lat"][2, 3]) - 0.05


def close(found: Any, wanted: Any, name: str) -> None:
    """Equal but for the rounding of single precision in the factor of packing."""
    assert np.allclose(found, wanted, rtol=2e-6, atol=1e-6 * VARIABLES[name].bound, equal_nan=True), name


def test_days_as_netcdf_are_those_of_the_release(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "days"
    done = run(capsys, "export", release, "--to", to, "--form", "netcdf", "--start", "1989-01-02")
    assert (done["files"], done["kept"]) == (2, 0)
    surface = kaiseki.open(release, "surface")
    for day in (2, 3):
        with xr.open_dataset(to / f"surface_1989010{day}.nc", decode_coords="all") as found:
            wanted = surface.sel(time=f"1989-01-0{day}")
            assert np.array_equal(found["time"].values, wanted["time"].values)
            for name in surface.data_vars:
                close(found[name].values, wanted[name].values, str(name))
            assert found["temperature_2m"].encoding["dtype"].kind in "iu"
    again = run(capsys, "export", release, "--to", to, "--form", "netcdf")
    assert (again["files"], again["kept"]) == (3, 2)
    (to / "surface_19890101.nc").write_bytes((to / "surface_19890101.nc").read_bytes()[:5000])
    assert run(capsys, "export", release, "--to", to, "--form", "netcdf")["kept"] == 2
    # A second group beside the first; the same otherwise is refused.
    run(capsys, "export", release, "--to", to, "--form", "netcdf", "--group", "precipitation", *DAY)
    assert "surface with bounds" in refused(
        capsys, "export", release, "--to", to, "--form", "netcdf", "--bounds", "lossless"
    )
    assert "in the form netcdf" in refused(capsys, "export", release, "--to", to, "--form", "climcore")
    assert main(["archive", "export", str(release), "--to", str(to), "--form", "netcdf"]) == 0
    assert "0 files written" in capsys.readouterr().out


def test_foreign_folders_are_left_alone(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    for form in ("netcdf", "climcore", "zarr", "grib2"):
        assert "thesis.tex" in refused(capsys, "export", release, "--to", tmp_path, "--form", form)
    assert "is a file" in refused(capsys, "export", release, "--to", tmp_path / "thesis.tex", "--form", "netcdf")
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.tex"]


def test_grid_of_longitude_and_latitude_has_the_values_between_four_cells(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    surface = kaiseki.open(release, "surface")
    lon, lat = (float(one) for one in middle(surface))
    box = f"{lon - 0.6:.2f},{lat - 0.4:.2f},{lon + 0.6:.2f},{lat + 0.4:.2f}"
    chosen = ("--form", "netcdf", "--grid", "0.2,0.1", "--box", box, *DAY)
    run(capsys, "export", release, "--to", tmp_path / "degrees", "--variables", "気温", *chosen)
    with xr.open_dataset(tmp_path / "degrees" / "surface_19890102.nc") as found:
        assert set(found["temperature_2m"].dims) == {"time", "lat", "lon"}
        assert np.allclose(np.diff(found["lon"]), 0.2)
        assert np.allclose(np.abs(np.diff(found["lat"])), 0.1)
        places = np.meshgrid(found["lon"].values, found["lat"].values)
        wanted = surface.sel(time="1989-01-02").kaiseki.points(*(one.ravel() for one in places), "bilinear")
        there = found["temperature_2m"].values.reshape(24, -1)
        assert np.abs(there - wanted["temperature_2m"].values).max() <= VARIABLES["temperature_2m"].bound + 1e-4
    assert "--box west" not in refused(capsys, "export", release, "--to", tmp_path / "x", *chosen[:4], "--box", "1,2,3")
    assert not (tmp_path / "x").exists()


def test_amounts_on_another_grid_are_means_over_its_cells(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        capsys, "export", release, "--to", tmp_path / "a", "--form", "netcdf", "--group", "precipitation", "--grid", "1"
    )
    with xr.open_dataset(tmp_path / "a" / "precipitation_19890102.nc") as found:
        assert "area: mean" in found["precipitation"].attrs["cell_methods"]


def test_single_fields_as_climcore_has_them(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    time = ("--start", "1989-01-02T03:00", "--end", "1989-01-02T04:00")
    done = run(capsys, "export", release, "--to", tmp_path / "trial", "--form", "climcore", *time)
    assert done["files"] == 4
    model = kaiseki.open(release, "model_levels")
    with xr.open_dataset(tmp_path / "trial" / "T" / "198901" / "T.198901020300.nc") as found:
        close(found["T"].values[0], model["temperature"].sel(time="1989-01-02T03:00").values, "temperature")
    assert run(capsys, "export", release, "--to", tmp_path / "trial", "--form", "climcore", *time)["kept"] == 4


def test_plain_zarr_is_opened_by_xarray_alone_and_gone_on_with(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "mirror"
    chosen = ("--to", to, "--form", "zarr", "--group", "pressure_levels")
    assert run(capsys, "export", release, *chosen, "--end", "1989-01-02")["times"] == 48
    done = run(capsys, "export", release, *chosen)
    assert (done["times"], done["kept"]) == (72, 48)
    levels = kaiseki.open(release, "pressure_levels")
    found = xr.open_zarr(to)
    assert found["pressure"].values.tolist() == list(PRESSURES)
    for name in levels.data_vars:
        close(found[name].values, levels[name].values, str(name))
    assert "places" in refused(capsys, "export", release, "--to", tmp_path / "b", "--form", "parquet")


def test_tables_of_places_are_read_by_pandas(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    surface = kaiseki.open(release, "surface")
    lon, lat = middle(surface)
    (tmp_path / "sites.csv").write_text(f"name,lon,lat\n北,{lon},{lat + 0.5}\nsouth,{lon},{lat - 0.5}\n", "utf-8")
    chosen = ("--to", tmp_path / "tables", "--form", "parquet", "--places", tmp_path / "sites.csv")
    assert run(capsys, "export", release, *chosen)["files"] == 1
    table = pd.read_parquet(tmp_path / "tables" / "surface_198901.parquet")
    assert sorted(set(table["place_name"])) == ["south", "北"]
    wanted = surface.kaiseki.points([lon, lon], [lat + 0.5, lat - 0.5])
    for number, name in enumerate(("北", "south")):
        rows = table[table["place_name"] == name]
        assert np.array_equal(rows["temperature_2m"].values, wanted["temperature_2m"].values[:, number])
        assert list(rows["time"].dt.tz_localize(None)) == list(pd.DatetimeIndex(surface["time"].values))
    assert run(capsys, "export", release, *chosen)["kept"] == 1
    schema = pyarrow.parquet.read_schema(tmp_path / "tables" / "surface_198901.parquet")
    assert schema.field("temperature_2m").metadata[b"units"] == b"K"
    # Other places of the same number are other contents.
    (tmp_path / "sites.csv").write_text(f"lon,lat\n{lon},{lat}\n{lon},{lat - 0.5}\n", "utf-8")
    assert "places" in refused(capsys, "export", release, *chosen)


def test_grib_of_both_kinds_is_read_by_cfgrib(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfgrib = pytest.importorskip("cfgrib")
    time = ("--start", "1989-01-02T03:00", "--end", "1989-01-02T04:00")
    chosen = ("--to", tmp_path / "grib", "--form", "grib2", "--grid", "own", *time)
    done = run(capsys, "export", release, *chosen)
    assert (done["files"], done["kept"]) == (4, 0)
    assert set(done["variables"]) == {"surface", "pressure_levels"}
    (upper,) = (tmp_path / "grib").glob("*19890102030000*L-pall*")
    levels = kaiseki.open(release, "pressure_levels").sel(time="1989-01-02T03:00")
    found = cfgrib.open_dataset(upper, backend_kwargs={"indexpath": ""})
    assert found["isobaricInhPa"].values.tolist() == [850.0, 500.0]
    for short, name in {"t": "temperature", "u": "eastward_wind", "v": "northward_wind"}.items():
        assert np.abs(found[short].values - levels[name].values).max() <= VARIABLES[name].bound * 1.001, name
    (ground,) = (tmp_path / "grib").glob("*19890102030000*Lsurf*")
    rain = kaiseki.open(release, "precipitation").sel(time="1989-01-02T03:00")["precipitation"]
    keys = {"parameterCategory": 1, "parameterNumber": 8}
    how = {"indexpath": "", "filter_by_keys": keys, "read_keys": list(keys)}
    amount = cfgrib.open_dataset(ground, backend_kwargs=how)
    assert np.abs(amount["unknown"].values - rain.values).max() <= VARIABLES["precipitation"].bound * 1.001
    assert str(amount["valid_time"].values)[:16] == "1989-01-02T03:00"
    assert run(capsys, "export", release, *chosen)["kept"] == 4
    upper.write_bytes(upper.read_bytes()[:-10])
    assert run(capsys, "export", release, *chosen)["kept"] == 3
    assert cfgrib.open_dataset(upper, backend_kwargs={"indexpath": ""})["t"].shape == (2, 5, 6)


def test_wind_at_100_m_in_a_spreadsheet(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calc = pytest.importorskip("metpy.calc")
    from metpy.units import units

    near = kaiseki.open(release, "height_levels")
    lon, lat = middle(near)
    chosen = ("--at", f"{lon},{lat}", "--height", 100, "--variables", "wind", "--time-zone", "JST", *DAY)
    done = run(capsys, "select", release, *chosen, "--out", tmp_path / "site.csv")
    assert done["times"] == 24
    assert done["missing"] == {}
    assert done["places"] == 1
    table = pd.read_csv(tmp_path / "site.csv", parse_dates=["time [UTC]", "time [JST]"])
    assert str(table["time [JST]"].iloc[0]) == "1989-01-02 00:00:00"
    assert str(table["time [UTC]"].iloc[0]) == "1989-01-01 15:00:00"
    wanted = near.kaiseki.points(lon, lat).sel(height=100.0, time=slice("1989-01-01T15:00", "1989-01-02T14:00"))
    u, v = (wanted[f"{name}ward_wind"].values for name in ("east", "north"))
    assert np.allclose(table["eastward_wind [m s-1]"], u, rtol=1e-6)
    u, v = u.astype(float) * units("m/s"), v.astype(float) * units("m/s")
    assert np.allclose(table["wind_speed [m s-1]"], calc.wind_speed(u, v).magnitude, rtol=1e-6)
    assert np.allclose(table["wind_from_direction [degree]"], calc.wind_direction(u, v).magnitude, atol=1e-3)
    assert main(["archive", "select", str(release), *map(str, chosen), "--out", str(tmp_path / "site.csv")]) == 0
    assert "from the cell with its centre at" in capsys.readouterr().out


def test_variables_of_several_groups_and_heights_in_one_table(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    surface, rain = kaiseki.open(release, "surface"), kaiseki.open(release, "precipitation")
    lon, lat = middle(surface)
    (tmp_path / "places.csv").write_text(f"\ufeffPlace,Longitude,Latitude\n東京,{lon},{lat}\nB,{lon},{lat}\n", "utf-8")
    names = ("--variables", "気温", "precipitation", "eastward_wind", "--units", "temperature=degC", "precipitation=mm")
    chosen = ("--place", tmp_path / "places.csv", "--height", 50, 100, *names)
    run(capsys, "select", release, *chosen, "--out", tmp_path / "two.csv")
    raw = (tmp_path / "two.csv").read_bytes()
    assert raw.startswith("\ufefftime".encode())
    assert raw.count("\ufeff".encode()) == 1
    table = pd.read_csv(tmp_path / "two.csv")
    assert list(table["place"].unique()) == ["東京", "B"]
    assert len(table) == 144
    first = table[table["place"] == "B"]
    wanted = surface.kaiseki.points(lon, lat)["temperature_2m"].values.astype(float) - 273.15
    assert np.allclose(first["temperature_2m [degC]"], wanted, atol=1e-5)
    assert np.allclose(first["precipitation [mm]"], rain.kaiseki.points(lon, lat)["precipitation"].values, rtol=1e-6)
    near = kaiseki.open(release, "height_levels").kaiseki.points(lon, lat)["eastward_wind"].values.astype(float)
    between = near[:, 0] + (near[:, 1] - near[:, 0]) * 40.0 / 90.0
    assert np.allclose(first["eastward_wind 50 m [m s-1]"], between, rtol=1e-5)
    assert np.allclose(first["eastward_wind 100 m [m s-1]"], near[:, 1], rtol=1e-6)


def test_speed_alone_and_heights_above_the_height_levels(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    surface, model = kaiseki.open(release, "surface"), kaiseki.open(release, "model_levels")
    lon, lat = middle(surface)
    place = ("--at", f"{lon},{lat}")
    done = run(capsys, "select", release, *place, "--variables", "wind_speed", "--out", tmp_path / "a.csv", *DAY)
    assert list(done["variables"]) == ["wind_speed_10m"]
    here = surface.kaiseki.points(lon, lat).sel(time="1989-01-02")
    wanted = np.hypot(here["eastward_wind_10m"].values, here["northward_wind_10m"].values)
    assert np.allclose(pd.read_csv(tmp_path / "a.csv")["wind_speed_10m [m s-1]"], wanted, rtol=1e-6)
    high = ("--variables", "temperature", "--height", 1500, "--out", tmp_path / "b.csv")
    run(capsys, "select", release, *place, *high, *DAY)
    column = model.kaiseki.points(lon, lat).sel(time="1989-01-02")
    above = column["altitude"].values - float(column["terrain"])
    between = [np.interp(1500.0, above, one) for one in column["temperature"].values]
    assert np.allclose(pd.read_csv(tmp_path / "b.csv")["temperature [K]"], between, rtol=1e-5)
    level = ("--variables", "temperature", "--pressure", 850, "--out", tmp_path / "c.csv")
    run(capsys, "select", release, *place, *level, *DAY)
    upper = kaiseki.open(release, "pressure_levels").kaiseki.points(lon, lat).sel(time="1989-01-02", pressure=85_000.0)
    assert np.allclose(pd.read_csv(tmp_path / "c.csv")["temperature [K]"], upper["temperature"].values, rtol=1e-6)


def test_series_as_parquet_and_netcdf_have_times_in_utc(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    surface = kaiseki.open(release, "surface")
    lon, lat = middle(surface)
    chosen = ("--at", f"{lon},{lat}", "--variables", "temperature_2m", "--time-zone", "Asia/Tokyo", *DAY)
    wanted = surface.kaiseki.points(lon, lat).kaiseki.period("1989-01-02", tz="JST")
    run(capsys, "select", release, *chosen, "--out", tmp_path / "site.parquet")
    table = pd.read_parquet(tmp_path / "site.parquet")
    assert "local_time" not in table.columns
    assert list(table["time"].dt.tz_localize(None)) == list(pd.DatetimeIndex(wanted["time"].values))
    assert np.array_equal(table["temperature_2m"], wanted["temperature_2m"].values)
    run(capsys, "select", release, *chosen, "--out", tmp_path / "site.nc")
    with xr.open_dataset(tmp_path / "site.nc") as found:
        assert np.array_equal(found["time"].values, wanted["time"].values)
        assert np.array_equal(found["temperature_2m"].values.ravel(), wanted["temperature_2m"].values)


def test_means_over_a_mesh_and_a_prefecture(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    surface = kaiseki.open(release, "surface")
    run(capsys, "select", release, "--mesh", "5336", "--variables", "wind", "--out", tmp_path / "mesh.csv", *DAY)
    table = pd.read_csv(tmp_path / "mesh.csv")
    assert set(table["mesh"]) == {5336}
    wanted = surface.sel(time="1989-01-02").kaiseki.mesh("5336")
    assert np.allclose(table["eastward_wind_10m [m s-1]"], wanted["eastward_wind_10m"].values, rtol=1e-5)
    # The mean speed is no smaller than the speed of the mean vector.
    vector = np.hypot(wanted["eastward_wind_10m"].values, wanted["northward_wind_10m"].values)
    assert np.all(table["wind_speed_10m [m s-1]"] >= vector - 1e-5)
    assert np.any(table["wind_speed_10m [m s-1]"] > vector + 1e-3)
    lon, lat = middle(surface)
    ring = [[lon - 0.8, lat - 0.6], [lon + 0.8, lat - 0.6], [lon, lat + 0.7], [lon - 0.8, lat - 0.6]]
    feature = {
        "type": "Feature",
        "properties": {"N03_001": "福井県"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    file = tmp_path / "prefectures.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), "utf-8")
    chosen = ("--variables", "temperature_2m", "--polygon", file, *DAY)
    run(capsys, "select", release, "--prefecture", "Fukui", *chosen, "--out", tmp_path / "fukui.csv")
    table = pd.read_csv(tmp_path / "fukui.csv")
    area = surface.sel(time="1989-01-02").kaiseki.polygon(file, "overlap")
    weights = area["area"].values / area["area"].values.sum()
    mean = (area["temperature_2m"].values * weights).sum(axis=-1)
    assert np.allclose(table["temperature_2m [K]"], mean, rtol=1e-6)
    out = ("--out", tmp_path / "fukui.parquet")
    assert "no point" in refused(capsys, "select", release, "--prefecture", "Fukui", *chosen, *out)


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (("--out", "a.csv"), "need a place"),
        (("--at", "135.5", "--out", "a.csv"), "longitude and latitude"),
        (("--at", "135.5,35.5", "--mesh", "5235", "--out", "a.csv"), "a place and a mesh"),
        (("--at", "35.5,135.5", "--out", "a.csv"), "longitude comes first"),
        (("--at", "10,10", "--out", "a.csv"), "outside the grid"),
        (("--mesh", "5235", "--out", "a.csv"), "--drop-outside takes what lies within"),
        (("--at", "135.8,35.5", "--out", "a.xlsx"), ".csv, .parquet, .nc"),
        (("--at", "135.8,35.5", "--variables", "temprature_2m", "--out", "a.csv"), "did you mean 'temperature_2m'"),
        (("--at", "135.8,35.5", "--variables", "wind", "--pressure", "700", "--out", "a.csv"), "it has 850, 500"),
        (("--at", "135.8,35.5", "--start", "1990-01-01", "--out", "a.csv"), "before it starts"),
        (("--at", "135.8,35.5", "--time-zone", "Mars", "--out", "a.csv"), "no time zone"),
        (("--at", "135.8,35.5", "--units", "wind:kt", "--out", "a.csv"), "temperature=degC"),
        (("--at", "135.8,35.5", "--version", "v9", "--out", "a.csv"), "no version 'v9'"),
        (("--prefecture", "Fukui", "--out", "a.csv"), "borders"),
        (("--places", "none.csv", "--out", "a.csv"), "none.csv cannot be read"),
        (
            ("--at", "135.8,35.5", "--endpoint", "https://example.org", "--out", "a.csv"),
            "--endpoint is for places s3://",
        ),
        (("--at", "135.8,35.5", "--out", "missing/a.csv"), "does not exist"),
    ],
)
def test_selections_that_make_no_sense_are_refused_in_one_sentence(
    release: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tokens: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in refused(capsys, "select", release, *tokens)
    assert list(tmp_path.iterdir()) == []


def test_lists_of_places_that_are_none_are_refused(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "places.csv"
    for content, words in {
        b"a,b\n1,2\n": "must name the columns lon and lat",
        b"lon,lat\n": "holds no place",
        b"lon,lat\n135.8,x\n": "Place number 1",
        b"lon,lat\n135.8\n": "has the lat ''",
        b"": "must name the columns",
        "名称,lon,lat\n".encode("shift_jis"): "is not UTF-8",
    }.items():
        file.write_bytes(content)
        assert words in refused(capsys, "select", release, "--places", file, "--out", tmp_path / "a.csv")


def test_preliminary_days_and_known_issues_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from archive.release.days import a_release

    with a_release(tmp_path / "release") as store:
        write(store, 0)
        write(store, 1, preliminary=True)
        store.publish("v1")
    issue = ("--id", "cold", "--text", "Too cold.", "--groups", "surface")
    run(capsys, "issue", "add", tmp_path / "release", *issue)
    chosen = ("--at", "135.8,35.5", "--variables", "temperature_2m", "--out", tmp_path / "a.csv")
    done = run(capsys, "select", tmp_path / "release", *chosen)
    assert done["preliminary_times"] == 24
    assert "Too cold." in done["known_issues"][0]
    states = pd.read_csv(tmp_path / "a.csv")["state"]
    assert list(states) == ["final"] * 24 + ["preliminary"] * 24


def test_daily_and_monthly_statistics_are_those_of_pandas(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "statistics"
    chosen = ("--to", to, "--time-zone", "JST", "--completeness", "0.05")
    done = run(capsys, "statistics", release, *chosen)
    assert done["files"] == {"surface_day": 4, "surface_month": 1}
    surface = kaiseki.open(release, "surface")
    series = surface["temperature_2m"].isel(y=2, x=3).to_series().astype(float)
    # The label at midnight belongs to the day that ends there.
    dates = (series.index + pd.Timedelta(hours=9) - pd.Timedelta(seconds=1)).date
    wanted = series.groupby(dates).agg(["mean", "min", "max", "count"])
    days = kaiseki.open(to, "surface_day")
    assert days.sizes["time"] == 4
    here = days.isel(y=2, x=3)
    for statistic, column in {"mean": "mean", "minimum": "min", "maximum": "max", "count": "count"}.items():
        assert np.allclose(here[f"temperature_2m_{statistic}"].values, wanted[column].values, rtol=1e-6), statistic
    assert days["temperature_2m_mean"].isel(time=slice(0, 0)).values.shape == (0, 5, 6)
    assert np.array_equal(days["state"].values, [2, 2, 2, 2])
    speed = np.hypot(surface["eastward_wind_10m"].values.astype(float), surface["northward_wind_10m"].values)
    second = np.flatnonzero(dates == wanted.index[1])
    assert np.allclose(days["wind_speed_10m_mean"].values[1], speed[second].mean(axis=0), rtol=1e-6)
    month = kaiseki.open(to, "surface_month")
    assert np.allclose(month["temperature_2m_mean"].values[0], days["temperature_2m_mean"].values.mean(axis=0))
    assert np.allclose(month["temperature_2m_maximum"].values[0], days["temperature_2m_maximum"].values.max(axis=0))
    lon, lat = middle(surface)
    assert np.isfinite(days.kaiseki.points(lon, lat)["temperature_2m_mean"].values).all()
    again = run(capsys, "statistics", release, *chosen)
    assert again["kept"] == 5
    assert "offset" in refused(capsys, "statistics", release, "--to", to)
    with pytest.raises(Exception, match="name one of these"):
        kaiseki.open(to)
    assert float(kaiseki.open(to / "surface_day_19890102.nc")["temperature_2m_mean"][0, 2, 3]) == pytest.approx(
        wanted["mean"].iloc[1]
    )


def test_normals_are_the_percentiles_of_numpy(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "statistics"
    chosen = ("--variables", "temperature_2m", "--every", "day", "--normals", "month", "--pool", "day")
    years = ("--years", "1989-1989", "--percentiles", "10", "50", "90", "--normals-completeness", "0.01")
    done = run(capsys, "statistics", release, "--to", to, *chosen, *years)
    kind = "surface_normals_month_1989-1989_temperature_2m_mean"
    assert done["files"]["surface_day"] == 2
    assert done["files"][kind] == 1
    # The label 00 UTC of the first day is the end of the day before.
    assert done["incomplete_days"] == ["1988-12-31", "1989-01-03"]
    sample = kaiseki.open(to, "surface_day")["temperature_2m_mean"].values.astype(float)
    normals = kaiseki.open(to, kind)
    wanted = np.percentile(sample, [10.0, 50.0, 90.0], axis=0, method="median_unbiased")
    assert np.allclose(normals["temperature_2m_mean_percentile_over_years"].values[:, 0], wanted, rtol=1e-6)
    assert run(capsys, "statistics", release, "--to", to, *chosen, *years)["kept"] == sum(done["files"].values())
    assert "--normals" in refused(capsys, "statistics", release, "--to", to, "--years", "1989-1990")
    assert "Years are" in refused(capsys, "statistics", release, "--to", to, "--normals", "month", "--years", "1989")


def test_statistics_that_cannot_be_made_are_refused(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for tokens, words in {
        ("--time-zone", "Europe/Berlin"): "fixed offset",
        ("--group", "nothing"): "A release has the groups",
        ("--start", "1989"): "is no date",
        ("--start", "1990-01-01"): "complete enough",
        ("--completeness", "2"): "a share above 0",
    }.items():
        assert words in refused(capsys, "statistics", release, "--to", tmp_path / "s", *tokens)
    assert not (tmp_path / "s").exists()


def test_a_new_version_is_written_over_the_old_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from archive.release.days import a_release

    place, to = tmp_path / "release", tmp_path / "days"
    with a_release(place) as store:
        write(store, 0, preliminary=True)
        store.publish("v1")
    assert run(capsys, "export", place, "--to", to, "--form", "netcdf")["files"] == 1
    with ReleaseStore.open(place, "a") as store:
        write(store, 1)
        store.publish("v2")
    done = run(capsys, "export", place, "--to", to, "--form", "netcdf")
    assert (done["files"], done["kept"]) == (2, 0)
    assert run(capsys, "export", place, "--to", to, "--form", "netcdf")["kept"] == 2
