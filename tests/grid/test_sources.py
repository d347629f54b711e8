"""Readers of terrain and land: what they give, and what they say about files that are not what they should be."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import xarray as xr

from kaiseki.core.constants import GRAVITY
from kaiseki.core.errors import InputError
from kaiseki.grid.sources import open_raster

HEIGHTS = np.arange(20, dtype=np.int16).reshape(4, 5)  # rows from the north, as images have them
WORLD = "0.5\n0\n0\n-0.5\n130.25\n39.75\n"  # first edges at 130E and 40N


def tiff(path: Path, **options: Any) -> Path:
    tifffile.imwrite(path, options.pop("values", HEIGHTS), **options)
    return path


def netcdf(path: Path, variable: str = "z", units: str = "m2 s-2", **attributes: str) -> Path:
    values = GRAVITY * HEIGHTS[None].astype(float)
    lat, lon = 39.75 - 0.5 * np.arange(4), 130.25 + 0.5 * np.arange(5)
    dataset = xr.Dataset(
        {variable: (("time", "latitude", "longitude"), values, {"units": units, **attributes})},
        {"time": [0], "latitude": lat, "longitude": lon},
    )
    dataset.to_netcdf(path, engine="scipy")
    return path


def check_place(path: Path) -> None:
    raster = open_raster(path, "height")
    assert (raster.south, raster.west) == pytest.approx((38.0, 130.0))
    assert (raster.step_lat, raster.step_lon) == pytest.approx((0.5, 0.5))
    np.testing.assert_allclose(raster.values, HEIGHTS[::-1], rtol=1e-9)


def test_tiff_with_a_world_file(tmp_path: Path) -> None:
    (tmp_path / "dem.tfw").write_text(WORLD)
    check_place(tiff(tmp_path / "dem.tif"))


@pytest.mark.parametrize(("kind", "tie"), [(1, (130.0, 40.0)), (2, (130.25, 39.75))])
def test_tiff_with_tags(tmp_path: Path, kind: int, tie: tuple[float, float]) -> None:
    """Raster type 1: the tie point is a corner of the pixel, 2: its centre."""
    tags = [
        (33550, "d", 3, (0.5, 0.5, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, *tie, 0.0), True),
        (34735, "H", 12, (1, 1, 0, 2, 1024, 0, 1, 2, 1025, 0, 1, kind), True),
    ]
    check_place(tiff(tmp_path / "dem.tif", extratags=tags))


def test_overview_takes_twice_the_spacing_of_the_full_image(tmp_path: Path) -> None:
    full = "0.25\n0\n0\n-0.25\n130.125\n39.875\n"
    (tmp_path / "dem.tfw").write_text(full)
    check_place(tiff(tmp_path / "dem_overview.tif", subfiletype=1))
    # The same name on an image that is no overview says nothing about its place.
    with pytest.raises(InputError, match=r"no world file other_overview\.tfw"):
        open_raster(tiff(tmp_path / "other_overview.tif"), "height")


def test_netcdf_geopotential_and_heights(tmp_path: Path) -> None:
    check_place(netcdf(tmp_path / "a.nc"))
    check_place(netcdf(tmp_path / "b.nc", "any", "m**2 s**-2", standard_name="geopotential"))
    raster = open_raster(netcdf(tmp_path / "c.nc", "orog", "m"), "height")
    np.testing.assert_allclose(raster.values, GRAVITY * HEIGHTS[::-1])


def zarr_store(path: Path, variables: dict[str, tuple[tuple[str, ...], Any, dict[str, str]]], **coords: Any) -> Path:
    lat, lon = 39.75 - 0.5 * np.arange(4), 130.25 + 0.5 * np.arange(5)
    xr.Dataset(variables, {"latitude": lat, "longitude": lon, **coords}).to_zarr(path, consolidated=False)
    return path


def test_a_zarr_store_of_terrain_and_land(tmp_path: Path) -> None:
    """Beside a geopotential of pressure levels, as in the store of a global analysis, that of the surface counts."""
    flat = ("latitude", "longitude")
    aloft = np.full((2, 4, 5), 5e4)
    path = zarr_store(
        tmp_path / "static.zarr",
        {
            "geopotential": (("level", *flat), aloft, {"units": "m**2 s**-2", "standard_name": "geopotential"}),
            "geopotential_at_surface": (flat, GRAVITY * HEIGHTS, {"units": "m**2 s**-2"}),
            "land_sea_mask": (flat, HEIGHTS / 20.0, {"units": "(0 - 1)"}),
        },
        level=[500, 1000],
    )
    check_place(path)
    np.testing.assert_allclose(open_raster(path, "land").values, HEIGHTS[::-1] / 20.0)


@pytest.mark.parametrize(
    ("variable", "units", "extra", "words"),
    [
        ("geopotential_at_surface", "K", {}, "geopotential_at_surface is in 'K'; expected m or m2 s-2"),
        ("geopotential_at_surface", "", {}, "is in 'no units'; expected m or m2 s-2"),
        ("z", "m2 s-2", {"level": [1000]}, r"z has the dimensions .* and stands on levels; expected a field of the"),
        ("z", "m2 s-2", {"layer": [1, 2]}, r"z has the dimensions .* and stands on levels"),
        ("z", "m2 s-2", {"p": ("p", [1000.0], {"units": "hPa"})}, r"z has the dimensions .* and stands on levels"),
        ("temperature", "K", {}, "holds no terrain height or surface geopotential"),
    ],
)
def test_zarr_stores_that_are_refused(
    variable: str, units: str, extra: dict[str, Any], words: str, tmp_path: Path
) -> None:
    dims = (*extra, "latitude", "longitude")
    number = len(next(iter(extra.values()))[1]) if "p" in extra else len(next(iter(extra.values()), [0]))
    values = np.broadcast_to(HEIGHTS.astype(float), (number, 4, 5) if extra else (4, 5))
    path = zarr_store(tmp_path / "a.zarr", {variable: (dims, values, {"units": units})}, **extra)
    with pytest.raises(InputError, match=words):
        open_raster(path, "height")


def test_the_geopotential_of_the_first_model_level_is_that_of_the_surface(tmp_path: Path) -> None:
    values = GRAVITY * HEIGHTS[None]
    level = ("level", [1], {"long_name": "model_level_number"})
    path = tmp_path / "z.zarr"
    check_place(zarr_store(path, {"z": (("level", "latitude", "longitude"), values, {"units": "m2 s-2"})}, level=level))


def test_a_land_fraction_of_a_zarr_store_beyond_one_and_damaged_stores(tmp_path: Path) -> None:
    flat = ("latitude", "longitude")
    path = zarr_store(tmp_path / "a.zarr", {"land_sea_mask": (flat, HEIGHTS.astype(float), {"units": "1"})})
    with pytest.raises(InputError, match="land_sea_mask runs from 0 to 19; expected 0 to 1"):
        open_raster(path, "land")
    chunk = path / "land_sea_mask" / "c" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:10])
    with pytest.raises(InputError, match="it is damaged or truncated"):
        open_raster(path, "land")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a folder and no Zarr store; name the files"):
        open_raster(tmp_path / "folder", "land")


def test_a_meridian_given_twice_counts_once(tmp_path: Path) -> None:
    """A file that begins and ends with the same meridian goes round the Earth like any other."""
    latitude, longitude = np.linspace(-85.0, 85.0, 18), np.linspace(-180.0, 180.0, 37)
    values = np.cos(np.deg2rad(longitude)) * np.ones((18, 1))
    path = tmp_path / "globe.nc"
    xr.Dataset(
        {"orog": (("lat", "lon"), values, {"units": "m"})}, {"lat": ("lat", latitude), "lon": ("lon", longitude)}
    ).to_netcdf(path)
    raster = open_raster(path, "height")
    assert raster.cyclic
    part = raster.cut(-10.0, 10.0, 170.0, 200.0)
    assert part is not None
    there = part.west + part.step_lon * (np.arange(part.values.shape[1]) + 0.5)
    np.testing.assert_allclose(part.values[0], np.cos(np.deg2rad(there)), atol=1e-12)


def test_table_of_etopo20(tmp_path: Path) -> None:
    values = np.arange(540 * 1081, dtype=float).reshape(540, 1081)
    values[200, 300:303] = -499.0, -501.0, -9000.0
    path = tmp_path / "etopo.gz"
    path.write_bytes(gzip.compress("\n".join(" ".join(f"{v:.0f}" for v in row) for row in values).encode(), 1))
    raster = open_raster(path, "height")
    assert raster.cyclic
    assert (raster.south, raster.west) == (-90.0, 20.0)
    # The floor of the deep sea is no terrain.
    values[200, 301:303] = np.nan
    np.testing.assert_array_equal(raster.values, values[:, :1080])
    path.write_bytes(gzip.compress(b"1.0 2.0 3.0"))
    with pytest.raises(InputError, match="has 3 numbers; expected the 540 x 1081 heights of ETOPO20"):
        open_raster(path, "height")


@pytest.mark.parametrize("zipped", [True, False])
def test_bytes_of_a_mask(tmp_path: Path, zipped: bool) -> None:
    codes = np.random.default_rng(2).integers(0, 3, (180, 360), dtype=np.uint8)
    path = tmp_path / "mask.bin"
    path.write_bytes(gzip.compress(codes.tobytes()) if zipped else codes.tobytes())
    raster = open_raster(path, "land")
    assert (raster.south, raster.west, raster.step_lat, raster.step_lon) == (-90.0, -180.0, 1.0, 1.0)
    np.testing.assert_array_equal(raster.values, codes > 0)
    part = raster.cut(30.0, 40.0, 175.0, 185.0)
    assert part is not None
    np.testing.assert_array_equal(part.values[1:11, 1:11], np.roll(codes > 0, 5, axis=1)[120:130, :10])


def broken(kind: str, folder: Path) -> tuple[Path, str]:
    """A bad file and whether heights or land are wanted of it."""
    path = folder / f"{kind}.file"
    match kind:
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("This is no raster.")
        case "no place":
            tiff(path)
        case "rotated":
            tiff(path.with_suffix(".tif")).rename(path)
            path.with_suffix(".tfw").write_text("0.5\n0.1\n0.1\n-0.5\n130.25\n39.75\n")
        case "world file":
            tiff(path)
            path.with_suffix(".tfw").write_text("0.5\n")
        case "colours":
            tiff(path, values=np.zeros((4, 5, 3), np.uint8), photometric="rgb")
        case "projected":
            key = (1, 1, 0, 1, 1024, 0, 1, 1)
            tags = [
                (33550, "d", 3, (1e3, 1e3, 0.0), True),
                (33922, "d", 6, (0.0,) * 6, True),
                (34735, "H", 8, key, True),
            ]
            tiff(path, extratags=tags)
        case "off the Earth":
            tiff(path)
            path.with_suffix(".tfw").write_text("0.5\n0\n0\n-0.5\n130.25\n139.75\n")
        case "no variable":
            netcdf(path, "temperature", "K")
        case "units":
            netcdf(path, "z", "feet")
        case "not a fraction":
            netcdf(path, "lsm", "1")
        case "mask size":
            path.write_bytes(bytes(1001))
        case "mask code":
            path.write_bytes(bytes(300) + b"\x09" + bytes(2 * 13 * 13 - 301))
        case "mask as heights" | "short mask":
            content = gzip.compress(np.random.default_rng(1).integers(0, 3, 2 * 100 * 100, dtype=np.uint8).tobytes())
            path.write_bytes(content if kind == "mask as heights" else content[:2000] + content[-8:])
        case "cut etopo":
            path.write_bytes(gzip.compress(b"1.0 2.0 " * 30_000)[:150])
    return path, "land" if kind in ("not a fraction", "mask size", "mask code", "short mask") else "height"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("absent", "cannot be read .No such file"),
        ("empty", "is no raster that can be read"),
        ("text", "is no raster that can be read"),
        ("no place", "has no GeoTIFF tags and no world file"),
        ("rotated", "describes a rotated or mirrored image"),
        ("world file", "is no world file; expected six numbers"),
        ("colours", "expected one value per pixel"),
        ("projected", "is on a map projection"),
        ("off the Earth", "reaches from 138 to 140 degrees north"),
        ("no variable", "holds no terrain height or surface geopotential .*its variables are temperature"),
        ("units", "z is in 'feet'; expected m or m2 s-2"),
        ("not a fraction", "expected 0 to 1"),
        ("mask size", "does not hold n rows of 2 n bytes"),
        ("mask code", "holds the byte 9"),
        ("mask as heights", "is a land-sea mask, but heights are wanted"),
        ("short mask", "is damaged or truncated"),
        ("cut etopo", "is damaged or truncated"),
    ],
)
def test_bad_files_are_named_in_one_sentence(kind: str, message: str, tmp_path: Path) -> None:
    path, quantity = broken(kind, tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        open_raster(path, quantity)  # type: ignore[arg-type]
    assert str(path.with_suffix("")) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["tiff", "netcdf"])
def test_truncation_anywhere_is_refused(form: str, tmp_path: Path) -> None:
    (tmp_path / "dem.tfw").write_text(WORLD)
    values = np.random.default_rng(4).integers(0, 3000, (4, 5)).astype(np.int16)
    path = tiff(tmp_path / "dem.tif", values=values) if form == "tiff" else netcdf(tmp_path / "dem.nc")
    content = path.read_bytes()
    for length in range(0, len(content) - 8, 7):
        path.write_bytes(content[:length])
        with pytest.raises(InputError) as caught:
            open_raster(path, "height")
        assert str(path) in str(caught.value)


def test_real_files_lie_on_each_other(data: Path) -> None:
    """The islands of the fine terrain and the land of the mask: shifted either way they fit worse."""
    terrain = open_raster(data / "static/japan_dem_gtopo30_overview.tif", "height")
    assert terrain.step_lat == pytest.approx(2 * 0.0102155556)
    assert terrain.south == pytest.approx(29.2, abs=0.05)
    mask = open_raster(data / "static/lsmask_1p25min_f.bin.gz", "land")
    assert mask.values.shape == (8640, 17280)
    lat, lon = np.arange(32.0, 42.0, 0.02), np.arange(129.5, 142.5, 0.02)
    land = mask.cut(31.0, 43.0, 129.0, 143.0)
    islands = terrain.cut(31.0, 43.0, 129.0, 143.0)
    assert land is not None
    assert islands is not None
    there = islands.has_data(lat, lon)

    def disagreement(north: float, east: float) -> float:
        row = ((lat + north - land.south) / land.step_lat).astype(int)
        column = ((lon + east - land.west) / land.step_lon).astype(int)
        return float(np.mean((land.values[np.ix_(row, column)] > 0) != there))

    # Korea is land in the mask only; it does not move with the shift.
    here = disagreement(0.0, 0.0)
    assert here < 0.04
    for shift in (0.1, -0.1):
        assert disagreement(shift, 0.0) > here + 0.005
        assert disagreement(0.0, shift) > here + 0.005
    # The highest mountain is where it should be.
    row, column = np.unravel_index(np.nanargmax(islands.values), islands.values.shape)
    assert islands.south + (row + 0.5) * islands.step_lat == pytest.approx(35.36, abs=0.03)
    assert islands.west + (column + 0.5) * islands.step_lon == pytest.approx(138.73, abs=0.03)
    assert np.nanmax(islands.values) > 3300.0
