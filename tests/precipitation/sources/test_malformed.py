"""What cannot be used is refused in one sentence that names the file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from kaiseki.core.errors import ConfigError, InputError
from kaiseki.precipitation.data import HOUR
from kaiseki.precipitation.sources import Reading, open_gauges, open_radar

JAPAN = "observations/japan_20241030"
HEADER = "station,latitude,longitude,time,amount_mm\n"
UTC = Reading(time_zone="UTC", time_is="end", period=HOUR)


def refused(path: Path, words: str, reading: Reading | None = None, *, radar: bool = False) -> None:
    with pytest.raises(InputError, match=words) as caught:
        (open_radar if radar else open_gauges)(path, reading)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("a,35,135,2024-01-01 00:00\n", "line 2: has 4 columns"),
        ("a,35,135,yesterday,1\n", "line 2: 'yesterday' is no time"),
        ("a,35,135,2024-01-01 00:00,much\n", "line 2: amount is 'much'"),
        ("a,35,135,2024-01-01 00:00,-3\n", "line 2: the amount -3 is negative"),
        ("a,35,135,2024-01-01 00:00,inf\n", "infinite"),
        ("a,,135,2024-01-01 00:00,1\n", "no latitude"),
        ("a,35,135,2024-01-01 00:00,1\na,35,135,2024-01-01 00:00,2\n", "line 3: a second value"),
        ("a,35,135,2024-01-01 00:00,1\na,36,135,2024-01-01 01:00,2\n", "line 3: the station a has moved"),
        ("", "no line of values"),
    ],
)
def test_lines_of_text_that_cannot_be_read(tmp_path: Path, lines: str, words: str) -> None:
    path = tmp_path / "gauges.csv"
    path.write_text(HEADER + lines, encoding="utf-8")
    refused(path, words, UTC)


def test_headers_of_text_that_do_not_say_what_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "gauges.csv"
    path.write_text("station,latitude,time,amount_mm\na,35,2024-01-01 00:00,1\n", encoding="utf-8")
    refused(path, "no column named longitude", UTC)
    path.write_text("station,lat,lon,time,rain\na,35,135,2024-01-01 00:00,1\n", encoding="utf-8")
    refused(path, "no units", UTC)
    path.write_text(HEADER + "a,35,135,2024-01-01 00:00,1\n", encoding="utf-8")
    refused(path, "no time zone", Reading(time_is="end", period=HOUR))
    refused(path, "does not say over which period", Reading(time_is="end", time_zone="UTC"))
    refused(path, "state time_is", Reading(time_zone="UTC", period=HOUR))
    path.write_bytes(b"station,\x81 \n\x81 \n")
    refused(path, "neither in UTF-8 nor in Shift-JIS", UTC)


def test_what_the_user_says_is_checked() -> None:
    with pytest.raises(ConfigError, match="no time zone"):
        Reading(time_zone="Middle/Earth")
    with pytest.raises(ConfigError, match="longer than 0"):
        Reading(period=np.timedelta64(0, "s"))


def test_files_that_are_nothing_known(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)))
    refused(path, "holds no gauges")
    refused(path, "no radar field", radar=True)
    refused(tmp_path / "missing.nc", "no such file")
    path.write_bytes(b"GRIB" + bytes(100))
    refused(path, "GRIB", radar=True)
    path.write_bytes(gzip.compress(b"RY" * 5000)[:-20])
    with pytest.raises(InputError):
        open_radar(path)
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50))
    refused(path, "damaged or truncated", radar=True)
    refused(path, "damaged or truncated")
    with pytest.raises(InputError, match="No file"):
        open_gauges([])


def test_bufr_that_was_cut_or_changed(tmp_path: Path, data: Path) -> None:
    content = (data / JAPAN / "Z__C_RJTD_20241030010000_OBS_AMDSRR_Rjp_N1_bufr4.bin").read_bytes()
    path = tmp_path / "report.bufr"
    path.write_bytes(content[:-40])
    refused(path, "truncated")
    changed = bytearray(content)
    changed[28] = 7  # the minute of section 1
    path.write_bytes(changed)
    refused(path, "it says")
    synop = (data / JAPAN / "ISMC01_RJTD_300600_202410300619110_001.send").read_bytes()
    path.write_bytes(synop[:2000])
    refused(path, "truncated", Reading(period=6 * HOUR))
    refused(path, "leave out time_is", Reading(time_is="start"))


def test_json_that_is_no_amedas(tmp_path: Path, data: Path) -> None:
    path = tmp_path / "map.json"
    known = Reading(time=np.datetime64("2021-02-24T06:00"), stations=data / "amedas/amedastable.json")
    for text, words in (
        ('{"11001": {"precip', "no complete JSON"),
        ("{}", "without stations"),
        ('{"11001": 3}', "neither a map"),
        ('{"11001": {"temp": [1, 0]}}', "no station has precipitation1h"),
        ('{"11001": {"precipitation1h": [1]}}', "expected an amount and its quality"),
        ('{"99999": {"precipitation1h": [1, 0]}}', "none of its 1 stations"),
        ('{"11001": [0, 1, 2]}', "a day has 144"),
    ):
        path.write_text(text, encoding="utf-8")
        refused(path, words, known)
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"11001": {"lat": [45]}}), encoding="utf-8")
    path.write_text('{"11001": {"precipitation1h": [1, 0]}}', encoding="utf-8")
    with pytest.raises(InputError, match="has no lat, lon and alt"):
        open_gauges(path, Reading(time=known.time, stations=table))


def composite(**more: object) -> xr.Dataset:
    x, y = np.arange(6) * 1000.0, np.arange(5) * -1000.0
    time = xr.Variable("time", np.arange(3) * 300.0, {"units": "seconds since 2024-01-01"})
    field = xr.Variable(("time", "y", "x"), np.ones((3, 5, 6)), {"units": "mm"})
    proj = "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +R=6370040"
    return xr.Dataset(
        {"rainfall_amount": field}, {"time": time, "y": ("y", y - 3.8e6), "x": ("x", x)}, {"proj_string": proj, **more}
    )


def test_netcdf_composites_that_leave_something_unsaid(tmp_path: Path) -> None:
    path = tmp_path / "composite.nc"
    end = Reading(time_is="end")

    def written(dataset: xr.Dataset) -> Path:
        dataset.to_netcdf(path, engine="h5netcdf")
        return path

    found = open_radar(written(composite()), end)
    assert found.amount.shape == (3, 5, 6)
    refused(written(composite(proj_string="+proj=nonsense")), "not understood by PROJ", end, radar=True)
    bare = composite()
    del bare.attrs["proj_string"]
    refused(written(bare), "says nothing of its projection", end, radar=True)
    negative = composite()
    negative["rainfall_amount"][0, 0, 0] = -9.0
    refused(written(negative), "negative down to -9", end, radar=True)
    wrong = composite()
    wrong["rainfall_amount"].attrs["units"] = "furlongs"
    refused(written(wrong), "'furlongs'", end, radar=True)
    refused(written(composite()), "were stated", Reading(time_is="end", units="mm h-1"), radar=True)
    elsewhere = composite().assign_coords(
        lat=(("y", "x"), np.full((5, 6), 50.0)), lon=(("y", "x"), np.full((5, 6), 10.0))
    )
    refused(written(elsewhere), "cells from those of its map", end, radar=True)
    two = composite()
    two["rain"] = two["rainfall_amount"] * 2.0
    refused(written(two), "state variable", end, radar=True)
    assert open_radar(written(two), Reading(time_is="end", variable="rain", units="mm")).amount.max() == 2.0


def test_series_that_do_not_fit_together(tmp_path: Path) -> None:
    first, second = tmp_path / "first.nc", tmp_path / "second.nc"
    end = Reading(time_is="end")
    composite().to_netcdf(first, engine="h5netcdf")
    composite().to_netcdf(second, engine="h5netcdf")
    with pytest.raises(InputError, match="both hold the field"):
        open_radar([first, second], end)
    other = composite()
    other["time"] = other["time"] + 900.0
    other["time"].attrs["units"] = "seconds since 2024-01-01"
    other.to_netcdf(second, engine="h5netcdf")
    assert open_radar([second, first], end).time.size == 6
    other["x"] = other["x"] + 500.0
    other.to_netcdf(second, engine="h5netcdf")
    with pytest.raises(InputError, match="another grid"):
        open_radar([first, second], end)
    text = tmp_path / "a.csv", tmp_path / "b.csv"
    for one, amount in zip(text, (1, 2), strict=True):
        one.write_text(f"{HEADER}a,35,135,2024-01-01 00:00,{amount}\n", encoding="utf-8")
    with pytest.raises(InputError, match="leave out the file that is superseded"):
        open_gauges(list(text), UTC)


def test_odim_of_another_object(tmp_path: Path) -> None:
    path = tmp_path / "profile.h5"
    with h5py.File(path, "w") as file:
        file.create_group("what").attrs["object"] = np.bytes_("VP")
    refused(path, "ODIM object VP", radar=True)
