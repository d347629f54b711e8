"""`kaiseki precip`.

What can go wrong:
- a file of JMA that is neither converted nor refused with a sentence;
- the wrong direction, a result over the wrong file, options that have no effect;
- no JSON, or another exit code than the table says.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import xarray as xr

from formats.jma_grib.jma_messages import hour, written
from kaiseki.cli import main
from kaiseki.formats.jma_grib import DEFINITIONS
from kaiseki.formats.jma_grib.reading import read

CONVERTED = {
    "jma/dojou_20170807_0000Z.grib2": {"soil_water_index", "soil_water_first_tank", "soil_water_second_tank"},
    "jma/dojou_20170807_1700Z.grib2": {"soil_water_index", "soil_water_first_tank", "soil_water_second_tank"},
    "jma/dosha_judge_20180706_0950Z.grib2": {"landslide_warning_grade"},
    "jma/kaiseki_20161121_0000Z.grib2": {"precipitation_amount"},
    "jma/kaiseki_20161121_0100Z.grib2": {"precipitation_amount"},
    "jma/radar_250m_20210706_2330Z.grib2.gz": {"precipitation_rate_250m", "precipitation_rate_1km"},
    "jma/radar_composite_20160306_1900Z.grib2": {"precipitation_rate"},
    "jma/radar_echotop_20240301_0000Z.grib2": {"echo_top_height"},
    "jma/tanjikan_20170807_0010Z_FH01-06.grib2": {"precipitation_amount"},
    "radar_jma/Z__C_RJTD_20170807020000_NOWC_GPV_Ggis1km_Prr10lv_FH0010-0100_grib2.bin": {"precipitation_amount"},
    "radar_jma/Z__C_RJTD_20220808000000_RDR_JMAGPV_Ggis1km_Prr10lv_ANAL_grib2.bin": {"precipitation_rate"},
    "radar_jma/radar_composite_20241018_0005Z.grib2": {"precipitation_rate"},
}
REFUSED = {
    "jma/meps_20190605_00Z_first20msgs.grib2": "an ensemble forecast of eastward wind",
    "jma/msm_guidance_20190304_00Z.grib2.xz": "a local quantity of JMA's guidance",
}


def test_the_lists_are_of_all_files(data: Path) -> None:
    names = {f"{folder}/{one.name}" for folder in ("jma", "radar_jma") for one in (data / folder).iterdir()}
    assert names == CONVERTED.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", CONVERTED)
def test_files_of_jma_are_converted(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    out = tmp_path / "out.nc"
    assert main(["precip", "convert", str(data / name), str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    with xr.open_dataset(out, engine="h5netcdf", chunks=None) as dataset:
        shown = {str(key) for key, one in dataset.data_vars.items() if one.ndim == 3 and not str(key).endswith("_mark")}
        assert shown == CONVERTED[name]
        assert CONVERTED[name] <= told["variables"].keys()
        assert len(told["times"]) == dataset.sizes["time"]


@pytest.mark.parametrize("name", REFUSED)
def test_other_files_are_refused_by_what_they_are(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(["precip", "convert", str(data / name), str(tmp_path / "out.nc")]) == 3
    told = capsys.readouterr().err
    assert REFUSED[name] in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = written(tmp_path / "a.grib2", hour())
    assert main(["precip", "convert", str(first), str(tmp_path / "a.nc")]) == 0
    assert "precipitation of one hour, from radars and rain gauges [kg m-2]" in capsys.readouterr().out
    assert main(["precip", "convert", str(tmp_path / "a.nc"), str(tmp_path / "b.grib2")]) == 0
    assert "hours:     1, to 2016-11-21T01:00Z" in capsys.readouterr().out
    (before,), (after,) = read(first), read(tmp_path / "b.grib2")
    assert (before.levels == after.levels).all()
    more = ["--centre", "34", "--form", "wmo", "--json"]
    assert main(["precip", "convert", str(tmp_path / "a.nc"), str(tmp_path / "c.grib2"), *more]) == 0
    assert json.loads(capsys.readouterr().out)["values_above_255_mm"] == 0
    (found,) = read(tmp_path / "c.grib2")
    assert (found.centre, found.definition.template) == (34, 8)


@pytest.mark.parametrize(
    ("source", "out", "options", "code", "words"),
    [
        ("a.grib2", "b.grib2", [], 2, "becomes a file in NetCDF"),
        ("a.nc", "b.nc", [], 2, "becomes a file in GRIB 2"),
        ("a.grib2", "b.nc", ["--centre", "34"], 2, "belong to GRIB files that are written"),
        ("a.nc", "b.grib2", ["--form", "other"], 2, "form"),
        ("a.nc", "b.grib2", ["--centre", "70000"], 2, "0 to 65535"),
        ("nowhere.grib2", "b.nc", [], 3, "cannot be read"),
        ("a.grib2", "nowhere/b.nc", [], 4, "could not be written"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, out: str, options: list[str], code: int, words: str
) -> None:
    main(["precip", "convert", str(written(tmp_path / "a.grib2", hour())), str(tmp_path / "a.nc")])
    before = sorted(tmp_path.iterdir())
    capsys.readouterr()
    assert main(["precip", "convert", str(tmp_path / source), str(tmp_path / out), *options]) == code
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_the_folder_of_definitions_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["precip", "definitions"]) == 0
    assert capsys.readouterr().out == f"{DEFINITIONS}\n"
    assert (DEFINITIONS / "grib2" / "local" / "rjtd" / "template.4.50008.def").is_file()
