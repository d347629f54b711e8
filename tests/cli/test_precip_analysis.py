"""`kaiseki precip analyse`, `score`, `plot`, `verify` and `kaiseki demo --precip`.

What can go wrong:
- an option without effect, a result in the wrong place, over another one, or half-written;
- bad input that ends in a traceback or in several sentences;
- a release that `kaiseki.open` does not read, GRIB that is not what NetCDF holds;
- scores or maps of another hour than asked for; absent sources that are not named.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib import image

import kaiseki
from kaiseki.cli import main
from kaiseki.formats.jma_grib.levels import ANALYSED_PRECIPITATION
from kaiseki.formats.jma_grib.reading import read
from precipitation.batch.rain_files import OPTIONS, gauge_file, radar_file, truth

FIRST, LAST = "2024-07-01T01:00Z", "2024-07-01T03:00Z"
GRID = ("--grid", "138,35,139.6,36.2,0.05")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with gauges of three hours, the second of which nobody measured, and radars of the first and third."""
    folder = tmp_path_factory.mktemp("inputs")
    gauge_file(folder / "gauges.csv", 3, missing=(1,))
    for number in (0, 2):
        radar_file(folder / f"radar{number}.nc", number)
    return folder


def given(inputs: Path) -> list[str]:
    return ["--gauges", str(inputs / "gauges.csv"), "--radar", *map(str, sorted(inputs.glob("*.nc"))), *OPTIONS]


def told(capsys: pytest.CaptureFixture[str], *tokens: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*tokens, "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.fixture(scope="module")
def hours(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the three analysed hours, and their GRIB files."""
    folder = tmp_path_factory.mktemp("hours")
    tokens = ["--start", FIRST, "--end", LAST, "--out", str(folder), "--grib2", str(folder / "grib2")]
    assert main(["precip", "analyse", *given(inputs), *tokens, "--json"]) == 0
    return folder


def test_hours_go_into_files(hours: Path) -> None:
    names = sorted(path.name for path in hours.glob("*.nc"))
    assert names == [f"rain_20240701T0{hour}00Z.nc" for hour in (1, 2, 3)]
    with xr.open_dataset(hours / names[0], engine="h5netcdf") as dataset:
        assert dataset["precipitation"].attrs["units"] == "kg m-2"
        assert dataset["precipitation"].attrs["cell_methods"] == "time: sum"
        assert np.abs(dataset["precipitation"].values[0] - truth(0)).mean() < 0.5 * np.abs(0.3 * truth(0)).mean()
        bounds = dataset["time_bnds"].values[0]
        assert bounds[1] - bounds[0] == np.timedelta64(1, "h")
        assert dataset["time"].values[0] == bounds[1]
    with xr.open_dataset(hours / names[1], engine="h5netcdf") as dataset:
        assert np.isnan(dataset["precipitation"]).all()


def test_grib_holds_the_same_hours(hours: Path) -> None:
    for path in sorted(hours.glob("*.nc")):
        (field,) = read(hours / "grib2" / path.with_suffix(".grib2").name)
        with xr.open_dataset(path, engine="h5netcdf") as dataset:
            mean, end = dataset["precipitation"].values[0][::-1], dataset["time"].values[0]
        assert field.time == end
        np.testing.assert_array_equal(field.levels, ANALYSED_PRECIPITATION.level_of(mean.ravel()).reshape(mean.shape))


def test_hours_go_into_a_release(inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(tmp_path / "release")
    tokens = ["precip", "analyse", *given(inputs), "--start", FIRST, "--end", LAST, "--into", place]
    first = told(capsys, *tokens)
    assert (first["analysed"], first["gaps"], first["series"]) == (3, ["2024-07-01T02:00Z"], 1)
    assert [one["gauges"] for one in first["hours"]] == [40, 0, 40]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["release"]
    again = told(capsys, *tokens)
    assert (again["analysed"], again["kept"]) == (0, 3)
    assert main(["archive", "publish", place, "v1"]) == 0
    dataset = kaiseki.open(place, "precipitation")
    assert dataset.sizes["time"] == 3
    assert np.isnan(dataset["precipitation"].isel(time=1)).all()
    assert main(["archive", "verify", place]) == 0
    capsys.readouterr()
    longer = [*given(inputs), "--start", FIRST, "--end", "2024-07-01T05:00Z", "--into", place]
    assert main(["precip", "analyse", *longer]) == 4
    assert "without all the hours asked for" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["release"]


def test_a_map_is_drawn(hours: Path, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coast = tmp_path / "coast.geojson"
    line = [[138.0 + 0.1 * number, 35.2 + 0.05 * number] for number in range(17)]
    feature = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": line}, "properties": {}}
    coast.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    hour = str(hours / "rain_20240701T0100Z.nc")
    result = told(capsys, "precip", "plot", hour, str(tmp_path / "a.png"), *given(inputs), "--coast", str(coast))
    assert result["time"] == FIRST
    assert result["largest"] == pytest.approx(12.0, rel=0.3)
    assert image.imread(tmp_path / "a.png").shape[1] == 1560
    told(capsys, "precip", "plot", hour, str(tmp_path / "b.png"), "--area", "138.2,35.2,139,36")
    assert (tmp_path / "b.png").stat().st_size > 10_000


def test_methods_are_scored(inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokens = ["precip", "score", *given(inputs), "--start", FIRST, "--end", LAST, "--folds", "3"]
    result = told(capsys, *tokens, "--out", str(tmp_path / "scores.json"))
    assert result["hours"] == [FIRST, LAST]
    assert result["left_out"] == ["2024-07-01T02:00Z"]
    for how in ("by stations", "by squares of 20 km"):
        methods = result[how]["methods"]
        assert methods.keys() == {
            "gauges alone, inverse distance", "raw radar", "mean-field bias", "log-ratio inverse distance",
            "local adjustment as JMA", "analysis",
        }  # fmt: skip
        # The radar is the truth times one factor.
        assert methods["mean-field bias"]["scores"]["rmse"] < 0.2 * methods["raw radar"]["scores"]["rmse"]
        assert methods["analysis"]["scores"]["rmse"] < 0.6 * methods["raw radar"]["scores"]["rmse"]
    assert json.loads((tmp_path / "scores.json").read_text()) == result
    capsys.readouterr()
    gauges = ["precip", "score", "--gauges", str(inputs / "gauges.csv"), *OPTIONS, "--start", FIRST, "--folds", "3"]
    assert main(gauges) == 0
    assert "absent, for want of a radar: raw radar" in capsys.readouterr().out


def test_rain_is_verified(hours: Path, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zone = ["--time-zone", "UTC", "--time-is", "end"]
    folder = tmp_path / "hours"
    folder.mkdir()
    gauge_file(tmp_path / "gauges.csv", 3)
    tokens = [*OPTIONS, *GRID, "--start", FIRST, "--end", LAST, "--out", str(folder)]
    assert main(["precip", "analyse", "--gauges", str(tmp_path / "gauges.csv"), *tokens]) == 0
    capsys.readouterr()
    verified = ["precip", "verify", "--against", str(folder), "--thresholds", "1", "5"]
    tokens = ["--reanalysis", str(folder), "--gauges", str(tmp_path / "gauges.csv"), *zone]
    result = told(capsys, *verified, *tokens)
    rows = {(row["source"], row.get("threshold")): row for row in result["rows"]}
    same = rows["reanalysis", 5.0]
    assert (same["threat"], same["frequency_bias"], same["fractions_skill_3"], same["year"]) == (1.0, 1.0, 1.0, "2024")
    assert 0.5 < rows["gauges interpolated", 1.0]["threat"] <= 1.0
    absent = [row["source"] for row in result["rows"] if row["absent"]]
    assert absent == ["global reanalysis interpolated", "model without assimilation", "operational model"]
    assert main([*verified, *tokens]) == 0
    assert "operational model               absent" in capsys.readouterr().out
    # The second of the three hours is a gap there, so that no sum of three hours is known.
    assert main(["precip", "verify", "--against", str(hours), *tokens]) == 3
    assert "No source has a sum of 3 h in common" in capsys.readouterr().err


BAD: list[tuple[list[str], int, str]] = [
    (["analyse", "--start", FIRST, "--end", LAST], 2, "Give one place for the result"),
    (["analyse", "--start", FIRST, "--end", LAST, "--out", "a", "--into", "b"], 2, "Give one place for the result"),
    (["analyse", "--start", FIRST, "--end", LAST, "--out", "a"], 2, "There is nothing to analyse"),
    (["analyse", "--start", LAST, "--end", FIRST, "--out", "a", "GAUGES"], 2, "lies before the first"),
    (["analyse", "--start", "noon", "--end", LAST, "--out", "a", "GAUGES"], 3, "noon"),
    (["analyse", "--start", FIRST, "--end", LAST, "--out", "a", "GAUGES", "--grid", "radar"], 2, "needs radar files"),
    (["analyse", "--start", FIRST, "--end", LAST, "--out", "a", "GAUGES", "--grid", "mars"], 2, "give japan-1km"),
    (["analyse", "--start", FIRST, "--end", LAST, "--out", "a", "GAUGES", "--workers", "0"], 2, "at least 1"),
    (["analyse", "--start", FIRST, "--end", LAST, "--out", "a", "GAUGES", "--samples", "-1"], 2, "samples"),
    (["analyse", "--start", FIRST, "--end", LAST, "--into", "a", "GAUGES", "--samples", "2"], 2, "holds no samples"),
    (["analyse", "--start", FIRST, "--end", LAST, "--out", "a", "--gauges", "nowhere.csv"], 3, "no such file"),
    (
        ["analyse", "--start", FIRST, "--end", LAST, "--out", "a", "GAUGES", "--radar", "GAUGES.csv"],
        3,
        "no radar field",
    ),
    (["analyse", "--start", FIRST, "--end", LAST, "--out", "a", "GAUGES", "--background", "nowhere"], 4, "nowhere"),
    (["score", "--start", FIRST], 2, "There is nothing to analyse"),
    (["score", "--start", FIRST, "--radar", "RADAR"], 2, "Scores are against gauges"),
    (["score", "--start", "2024-07-01T02:00Z", "GAUGES"], 3, "nothing can be scored"),
    (["plot", "HOUR", "a.jpg"], 2, "written as PNG"),
    (["plot", "RADAR", "a.png"], 3, "is no file of an analysed hour"),
    (["plot", "nowhere", "a.png"], 2, "say which hour by --time"),
    (["plot", "HOUR", "a.png", "--time", LAST], 2, "holds the hour to 2024-07-01T01:00Z"),
    (["plot", "HOUR", "a.png", "--area", "139,35,138,36"], 2, "west and south must be below"),
    (["plot", "HOUR", "a.png", "--coast", "HOUR"], 3, "is not a GeoJSON file"),
    (["verify", "--against", "HOUR"], 2, "There is nothing to verify"),
    (["verify", "--against", "nowhere.nc", "--reanalysis", "HOUR"], 3, "nowhere.nc"),
    (["verify", "--against", "HOUR", "--reanalysis", "HOUR"], 3, "No source has a sum of 3 h in common"),
]


@pytest.mark.parametrize(("tokens", "code", "words"), BAD)
def test_what_cannot_be_is_one_sentence(
    inputs: Path,
    hours: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tokens: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    meant = {
        "GAUGES": ["--gauges", str(inputs / "gauges.csv"), *OPTIONS],
        "GAUGES.csv": [str(inputs / "gauges.csv")],
        "RADAR": [str(inputs / "radar0.nc")],
        "HOUR": [str(hours / "rain_20240701T0100Z.nc")],
    }
    capsys.readouterr()
    assert main(["precip", *[word for token in tokens for word in meant.get(token, [token])]]) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kaiseki:")]
    assert len(lines) == 1
    assert words in lines[0]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "analysis.json"]


def test_the_demonstration_ends_with_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--precip", "--case", "other.toml"]) == 2
    assert "--precip needs no data and no case" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_demonstration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = told(capsys, "demo", "--precip", "--out", str(tmp_path / "demo"))
    assert Path(result["report"]).read_text(encoding="utf-8").count('<img class="map"') == len(result["hours"]) == 4
    assert all(abs(row["error"]) < 0.05 for row in result["factors"])
    assert json.loads((tmp_path / "demo" / "scores.json").read_text()) == result
