"""Files in the layouts of ODIM HDF5, CfRadial, RADOLAN and text, made here and read back.

What can go wrong: nodata and undetect mixed up, corners taken for centres, rows upside down, a beam at the wrong
distance or height, rates taken for amounts.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod, Proj

from kaiseki.core.errors import InputError
from kaiseki.grid.projection import PolarStereographic
from kaiseki.grid.regular import LatLonGrid, MapGrid
from kaiseki.precipitation.data import HOUR, fractional_index
from kaiseki.precipitation.sources import Reading, open_gauges, open_radar
from kaiseki.precipitation.sources.polar import Sweep, gridded
from kaiseki.precipitation.sources.reading import Polar
from kaiseki.precipitation.sources.reflectivity import ZR

LAEA = "+proj=laea +lat_0=55 +lon_0=10 +x_0=1950000 +y_0=-2100000 +units=m +ellps=WGS84"


def odim_composite(path: Path, quantity: str, packed: np.ndarray, **change: object) -> Path:
    ny, nx = packed.shape
    proj = Proj(LAEA)
    corners = {}
    for name, (x, y) in {
        "UL": (1e6, -1e6),
        "UR": (1e6 + 2000.0 * nx, -1e6),
        "LL": (1e6, -1e6 - 2000.0 * ny),
        "LR": (1e6 + 2000.0 * nx, -1e6 - 2000.0 * ny),
    }.items():
        corners[f"{name}_lon"], corners[f"{name}_lat"] = proj(x, y, inverse=True)
    where = {"projdef": np.bytes_(LAEA), "xscale": 2000.0, "yscale": 2000.0, "xsize": nx, "ysize": ny, **corners}
    where.update({key: value for key, value in change.items() if key in where})
    with h5py.File(path, "w") as file:
        file.attrs["Conventions"] = np.bytes_("ODIM_H5/V2_2")
        what = file.create_group("what").attrs
        for key, text in {"object": "COMP", "version": "H5rad 2.2", "date": "20240601", "time": "120000"}.items():
            what[key] = np.bytes_(text)
        what["source"] = np.bytes_("ORG:247")
        file.create_group("where").attrs.update(where)
        dataset = file.create_group("dataset1")
        clock = dataset.create_group("what").attrs
        for key, text in {
            "product": "COMP",
            "startdate": "20240601",
            "starttime": "114500",
            "enddate": "20240601",
            "endtime": "120000",
        }.items():
            clock[key] = np.bytes_(str(change.get(key, text)))
        data = dataset.create_group("data1")
        data.create_group("what").attrs.update(
            {"quantity": np.bytes_(quantity), "gain": 0.5, "offset": -32.0 if quantity == "DBZH" else 0.0}
        )
        data["what"].attrs.update({"nodata": 255.0, "undetect": 0.0})
        data.create_dataset("data", data=packed)
    return path


def test_odim_composites_of_all_quantities(tmp_path: Path) -> None:
    packed = np.array([[0, 255, 3], [8, 0, 0]], np.uint8)
    found = open_radar(odim_composite(tmp_path / "acrr.h5", "ACRR", packed))
    np.testing.assert_array_equal(found.amount[0], np.array([[0, np.nan, 1.5], [4, 0, 0]], np.float32))
    assert found.period == np.timedelta64(900, "s")
    # Centres lie half a cell inside the corner; the first row is the northernmost.
    lat, lon = found.grid.points()
    x, y = Proj(LAEA)(lon[0, 0], lat[0, 0])
    np.testing.assert_allclose([x, y], [1e6 + 1000.0, -1e6 - 1000.0], atol=0.01)
    assert lat[0, 0] > lat[1, 0]
    row, column = fractional_index(found.grid, lat, lon)
    np.testing.assert_allclose(row, [[0, 0, 0], [1, 1, 1]], atol=1e-5)
    np.testing.assert_allclose(column, [[0, 1, 2], [0, 1, 2]], atol=1e-5)
    five = Reading(period=np.timedelta64(300, "s"))
    rate = open_radar(odim_composite(tmp_path / "rate.h5", "RATE", packed), five)
    np.testing.assert_allclose(rate.amount[0, 1, 0], 4.0 / 12.0)
    assert rate.time[0] == np.datetime64("2024-06-01T12:00:00")
    packed = np.array([[0, 255, 144], [8, 1, 0]], np.uint8)
    echo = open_radar(odim_composite(tmp_path / "dbz.h5", "DBZH", packed), Reading(period=HOUR))
    # 40 dBZ are 11.53 mm h-1 by Marshall and Palmer.
    np.testing.assert_allclose(echo.amount[0], [[0, np.nan, 11.531], [0, 0, 0]], rtol=1e-3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"projdef": np.bytes_("+proj=nothing")}, "not understood by PROJ"),
        ({"xscale": 1500.0}, "cells apart"),
        ({"xsize": 7}, "where says 7 x 2"),
        ({"endtime": "114500"}, "end later than its start"),
        ({"endtime": "noon"}, "no time"),
    ],
)
def test_odim_composites_that_contradict_themselves(tmp_path: Path, change: dict[str, object], words: str) -> None:
    path = odim_composite(tmp_path / "acrr.h5", "ACRR", np.zeros((2, 3), np.uint8), **change)
    with pytest.raises(InputError, match=words):
        open_radar(path)


def test_odim_composites_that_lack_something(tmp_path: Path) -> None:
    path = odim_composite(tmp_path / "a.h5", "ACRR", np.zeros((2, 3), np.uint8))
    with pytest.raises(InputError, match="expected RATE"):
        open_radar(path, Reading(variable="RATE"))
    with h5py.File(path, "a") as file:
        del file["where"].attrs["UL_lon"]
    with pytest.raises(InputError, match="lacks UL_lon"):
        open_radar(path)
    path = odim_composite(tmp_path / "b.h5", "ACRR", np.zeros((2, 3), np.uint8))
    with h5py.File(path, "a") as file:
        del file["dataset1/data1/what"].attrs["gain"]
    with pytest.raises(InputError, match="lacks the attribute gain"):
        open_radar(path)


def radolan_file(path: Path, values: np.ndarray, product: str = "RY", minutes: int = 5) -> Path:
    header = (
        f"{product}010850100000821BY1620130VS 3SW   2.16.0PR E-02INT{minutes:4d}GP 900x 900MS 12<boo,ros,emd>"
    ).encode() + b"\x03"
    path.write_bytes(gzip.compress(header + values.astype("<u2").tobytes()))
    return path


def test_binary_radolan(tmp_path: Path) -> None:
    values = np.zeros((900, 900), np.uint16)
    values[0, 0], values[0, 1], values[899, 0], values[1, 0] = 123, 0x2000 | 2500, 0x8000 | 40, 0x1000 | 7
    found = open_radar(radolan_file(tmp_path / "ry", values))
    assert found.period == np.timedelta64(300, "s")
    assert found.time[0] == np.datetime64("2021-08-01T08:55:00")
    np.testing.assert_allclose(found.amount[0, [0, 1], 0], [1.23, 0.07], rtol=1e-6)
    assert np.isnan(found.amount[0, 0, 1])
    assert np.isnan(found.amount[0, 899, 0])
    hourly = open_radar(radolan_file(tmp_path / "rw", values, "RW", 60))
    assert hourly.time[0] == np.datetime64("2021-08-01T08:50:00")
    # DWD's description: the lower left corner of the composite is at 46.9526 N, 3.5889 E.
    assert isinstance(found.grid, MapGrid)
    x, y = PolarStereographic(60.0, 10.0, 6370040.0).forward(np.array(46.9526), np.array(3.5889))
    np.testing.assert_allclose([found.grid.x[0] - 500.0, found.grid.y[0] - 500.0], [x, y], atol=20.0)


def test_binary_radolan_that_is_damaged(tmp_path: Path) -> None:
    values = np.zeros((900, 900), np.uint16)
    path = radolan_file(tmp_path / "ry", values)
    content = gzip.decompress(path.read_bytes())
    for changed, words in (
        (content[:-2], "it is truncated"),
        (content.replace(b" 900x 900", b" 800x 900"), "800 x 900 cells"),
        (content.replace(b"INT", b"XXX"), "lacks INT"),
        (content.replace(b"RY010850", b"RY992599"), "no time"),
        (content[:60], "does not end"),
    ):
        path.write_bytes(changed)
        with pytest.raises(InputError, match=words):
            open_radar(path)
    values[5, 5] = 0x4000 | 3
    with pytest.raises(InputError, match="negative values"):
        open_radar(radolan_file(tmp_path / "rd", values))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp932"])
def test_text_in_japanese(tmp_path: Path, separator: str, encoding: str) -> None:
    rows = [
        ["観測所番号", "緯度", "経度", "日時", "降水量(mm)", "備考"],
        ["44132", "35.69", "139.75", "2024/10/18 10:00", "1.5", "東京"],
        ["44132", "35.69", "139.75", "2024/10/18 11:00", "", "東京"],
        ["46106", "35.44", "139.65", "2024/10/18 10:00", "///", "横浜"],
        ["46106", "35.44", "139.65", "2024/10/18 11:00", "0", "横浜"],
    ]
    path = tmp_path / "gauges.txt"
    path.write_bytes("\r\n".join(separator.join(row) for row in rows).encode(encoding))
    found = open_gauges(path, Reading(time_zone="Asia/Tokyo", time_is="end"))
    assert found.time.astype(str).tolist() == ["2024-10-18T01:00:00", "2024-10-18T02:00:00"]
    np.testing.assert_array_equal(found.amount, [[1.5, np.nan], [np.nan, 0.0]])
    assert found.period == HOUR


def test_text_with_its_own_zone_and_rates(tmp_path: Path) -> None:
    path = tmp_path / "gauges.csv"
    path.write_text(
        "id,lat,lon,datetime,rain,elevation\na,1,2,2024-01-01T09:00+09:00,6,10\na,1,2,2024-01-01T09:10+09:00,0,10\n",
        encoding="utf-8",
    )
    found = open_gauges(path, Reading(time_is="start", units="mm/h"))
    np.testing.assert_allclose(found.amount[:, 0], [1.0, 0.0])
    assert found.time[0] == np.datetime64("2024-01-01T00:10:00")
    assert found.height[0] == 10.0


def sweeps_of(elevations: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Azimuths, distances and echoes, of which some bins about 90.5 degrees and 30.25 km are strong."""
    azimuth, distance = np.arange(360) + 0.5, 250.0 + 500.0 * np.arange(120)
    fields = []
    for number, _ in enumerate(elevations):
        dbz = np.full((360, 120), 20.0 + 10.0 * number)
        dbz[88:93, 56:65] = 40.0
        dbz[174:188, :] = np.nan if number == 0 else 30.0
        fields.append(dbz)
    return azimuth, distance, fields


def odim_volume(path: Path, elevations: tuple[float, ...] = (0.5, 1.5)) -> Path:
    _, _, fields = sweeps_of(elevations)
    with h5py.File(path, "w") as file:
        file.attrs["Conventions"] = np.bytes_("ODIM_H5/V2_2")
        what = file.create_group("what").attrs
        for key, text in {"object": "PVOL", "version": "H5rad 2.2", "date": "20240601", "time": "120000"}.items():
            what[key] = np.bytes_(text)
        what["source"] = np.bytes_("NOD:dexxx")
        file.create_group("where").attrs.update({"lat": 50.0, "lon": 8.0, "height": 200.0})
        for number, (elevation, dbz) in enumerate(zip(elevations, fields, strict=True), start=1):
            dataset = file.create_group(f"dataset{number}")
            clock = dataset.create_group("what").attrs
            for key, text in {
                "product": "SCAN",
                "startdate": "20240601",
                "starttime": f"12000{number}",
                "enddate": "20240601",
                "endtime": f"12002{number}",
            }.items():
                clock[key] = np.bytes_(text)
            dataset.create_group("where").attrs.update(
                {"elangle": elevation, "nbins": 120, "nrays": 360, "rstart": 0.0, "rscale": 500.0, "a1gate": 0}
            )
            data = dataset.create_group("data1")
            data.create_group("what").attrs.update(
                {"quantity": np.bytes_("DBZH"), "gain": 0.5, "offset": -32.0, "nodata": 255.0, "undetect": 0.0}
            )
            packed = np.where(np.isnan(dbz), 255, np.rint((np.nan_to_num(dbz) + 32.0) / 0.5)).astype(np.uint8)
            packed[270, :] = 0
            data.create_dataset("data", data=packed)
    return path


def cfradial_volume(path: Path, elevations: tuple[float, ...] = (0.5, 1.5)) -> Path:
    azimuth, distance, fields = sweeps_of(elevations)
    rays = 360 * len(elevations)
    time = np.arange(rays) * 0.1
    dataset = xr.Dataset(
        {
            "DBZH": (("time", "range"), np.concatenate(fields).astype(np.float32), {"units": "dBZ"}),
            "azimuth": ("time", np.tile(azimuth, len(elevations)).astype(np.float32), {"units": "degrees"}),
            "elevation": ("time", np.repeat(elevations, 360).astype(np.float32), {"units": "degrees"}),
            "sweep_number": ("sweep", np.arange(len(elevations), dtype=np.int32)),
            "fixed_angle": ("sweep", np.array(elevations, np.float32)),
            "sweep_start_ray_index": ("sweep", 360 * np.arange(len(elevations), dtype=np.int32)),
            "sweep_end_ray_index": ("sweep", 360 * np.arange(1, len(elevations) + 1, dtype=np.int32) - 1),
            "sweep_mode": ("sweep", np.array(["azimuth_surveillance"] * len(elevations), dtype=object)),
            "latitude": ((), 50.0, {"units": "degrees_north"}),
            "longitude": ((), 8.0, {"units": "degrees_east"}),
            "altitude": ((), 200.0, {"units": "meters"}),
            "volume_number": ((), np.int32(0)),
            "time_coverage_start": ((), "2024-06-01T12:00:01Z"),
            "time_coverage_end": ((), "2024-06-01T12:02:00Z"),
        },
        {
            "time": ("time", time, {"units": "seconds since 2024-06-01T12:00:01Z", "standard_name": "time"}),
            "range": (
                "range",
                distance.astype(np.float32),
                {
                    "units": "meters",
                    "meters_to_center_of_first_gate": 250.0,
                    "meters_between_gates": 500.0,
                    "spacing_is_constant": "true",
                },
            ),
        },
        {"Conventions": "CF/Radial instrument_parameters", "version": "1.3", "instrument_name": "made"},
    )
    dataset.to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [odim_volume, cfradial_volume])
def test_volumes_become_rain_near_the_ground(tmp_path: Path, make: object) -> None:
    xd = pytest.importorskip("xradar")
    path = make(tmp_path / "volume.h5")  # type: ignore[operator]
    reader = xd.io.open_odim_datatree if make is odim_volume else xd.io.open_cfradial1_datatree
    with reader(path) as tree:
        sweep = tree["sweep_0"].to_dataset().sortby("azimuth")
        assert float(sweep["DBZH"].values[90, 60]) == pytest.approx(40.0)
        np.testing.assert_allclose(sweep["range"].values[[0, 1]], [250.0, 750.0])
    polar = Polar(reach=55e3, spacing=1000.0, method="nearest")
    reading = Reading(period=np.timedelta64(300, "s"), polar=polar)
    found = open_radar(path, reading)
    rate = found.amount[0] * 12.0
    assert found.time[0] == np.datetime64("2024-06-01T12:00:01")
    lon, lat, _ = Geod(ellps="WGS84").fwd(8.0, 50.0, 90.5, 30.25e3)
    row, column = (np.rint(one).astype(int) for one in fractional_index(found.grid, np.array([lat]), np.array([lon])))
    assert rate[row[0], column[0]] == pytest.approx(float(ZR().rain(np.array(40.0))), rel=1e-3)
    # Elsewhere 20 dBZ of the lower sweep; where that is unknown, to the south, 30 dBZ of the upper one.
    assert np.nanmedian(rate) == pytest.approx(float(ZR().rain(np.array(20.0))), rel=1e-3)
    lon, lat, _ = Geod(ellps="WGS84").fwd(8.0, 50.0, 180.5, 30e3)
    row, column = (np.rint(one).astype(int) for one in fractional_index(found.grid, np.array([lat]), np.array([lon])))
    assert rate[row[0], column[0]] == pytest.approx(float(ZR().rain(np.array(30.0))), rel=1e-3)
    if make is odim_volume:
        lon, lat, _ = Geod(ellps="WGS84").fwd(8.0, 50.0, 270.5, 30e3)
        row, column = (np.rint(v).astype(int) for v in fractional_index(found.grid, np.array([lat]), np.array([lon])))
        assert rate[row[0], column[0]] == 0.0
    assert np.isnan(rate[0, 0])
    with pytest.raises(InputError, match="state period"):
        open_radar(path, Reading(polar=polar))


def test_volumes_without_reflectivity_or_damaged(tmp_path: Path) -> None:
    pytest.importorskip("xradar")
    path = odim_volume(tmp_path / "volume.h5")
    with h5py.File(path, "a") as file:
        for number in (1, 2):
            file[f"dataset{number}/data1/what"].attrs["quantity"] = np.bytes_("VRADH")
    with pytest.raises(InputError, match="none of its sweeps has reflectivity"):
        open_radar(path, Reading(period=HOUR))
    with h5py.File(path, "a") as file:
        del file["dataset1/where"]
    with pytest.raises(InputError, match=str(path)):
        open_radar(path, Reading(period=HOUR))


@given(
    lowest=st.floats(0.0, 800.0),
    elevations=st.lists(st.floats(0.3, 8.0), min_size=1, max_size=4, unique=True),
    method=st.sampled_from(["nearest", "average"]),
)
def test_the_lowest_beam_that_is_high_enough_is_taken(lowest: float, elevations: list[float], method: str) -> None:
    azimuth, distance = np.arange(0.0, 360.0, 2.0), 500.0 + 1000.0 * np.arange(60)
    sweeps = [
        Sweep(elevation=one, azimuth=azimuth, distance=distance, dbz=np.full((180, 60), 30.0))
        for one in sorted(elevations)
    ]
    grid = LatLonGrid(np.linspace(49.7, 50.3, 13), np.linspace(7.6, 8.4, 11))
    settings = Polar(lowest_beam=lowest, highest_beam=3000.0, reach=50e3, method=method)  # type: ignore[arg-type]
    rate, height = gridded(sweeps, (50.0, 8.0), grid, ZR(), settings)
    known = np.isfinite(rate)
    assert (height[known] >= lowest).all()
    assert (height[known] <= 3000.0).all()
    np.testing.assert_allclose(rate[known], ZR().rain(np.array(30.0)), rtol=1e-6)
    np.testing.assert_array_equal(known, np.isfinite(height))
