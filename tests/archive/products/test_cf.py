"""Statistics as NetCDF files, written as every dataset is and read by the CF checker: climatological axes, units of
bounds, cell methods, names, thresholds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from archive.products.series import dataset, hours
from kaiseki.archive.exchange.netcdf import write_netcdf
from kaiseki.archive.products.climatology import climatology
from kaiseki.archive.products.days import daily_statistics
from kaiseki.archive.products.indices import climate_indices
from kaiseki.archive.products.normals import Normals
from kaiseki.archive.products.periods import period_statistics
from kaiseki.archive.products.time_cells import bounds_of
from kaiseki.core.errors import InputError

NAMES = ("temperature_2m", "precipitation", "eastward_wind_10m", "northward_wind_10m", "shortwave_down")
KINDS = ("days", "months", "indices", "of hours", "of days", "of months")
YEAR = Normals("month", (2004, 2004))


@pytest.fixture(scope="module")
def products() -> dict[str, xr.Dataset]:
    source = dataset(hours("2003-12-31T12", 2 * 400, np.timedelta64(12 * 3600, "s")), NAMES)
    days = daily_statistics(source)
    months = period_statistics(days)
    return {
        "days": days,
        "months": months,
        "indices": climate_indices(days, "season"),
        "of hours": climatology(source, YEAR),
        "of days": climatology(days, YEAR),
        "of months": climatology(months, YEAR),
    }


@pytest.fixture(scope="module")
def files(products: dict[str, xr.Dataset], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("statistics")
    return {name: write_netcdf(product, folder / f"{name}.nc") for name, product in products.items()}


@pytest.fixture(scope="module")
def verdicts(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Kind of product -> errors that the checker finds."""
    out = tmp_path_factory.mktemp("checked") / "checked.json"
    command = [str(Path(sys.executable).with_name("compliance-checker")), "-t", "cf:1.11", "-c", "strict"]
    arguments = ["-f", "json_new", "-o", str(out), *map(str, files.values())]
    ended = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert out.exists(), ended.stderr
    assert "exceptions occurred" not in ended.stdout + ended.stderr, ended.stdout + ended.stderr
    reports = json.loads(out.read_text())
    kept: dict[str, list[str]] = {}
    for name, path in files.items():
        report = reports[str(path)]["cf:1.11"]
        kept[name] = [message for group in report["high_priorities"] for message in group["msgs"]]
        # Where the checker looks at climatological axes, all that it says counts.
        groups = [*report["medium_priorities"], *report["low_priorities"]]
        kept[name] += [one for group in groups if group["name"].startswith(("§7.3", "§7.4")) for one in group["msgs"]]
    return kept


@pytest.mark.parametrize("kind", KINDS)
def test_the_checker_finds_no_error(verdicts: dict[str, list[str]], kind: str) -> None:
    # In section 7.4 the checker knows the methods of CF 1.6 alone; "range" is in Appendix E since 1.7.
    assert [one for one in verdicts[kind] if not one.endswith("is not correct in variable DTR.")] == []


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_axes_come_back(products: dict[str, xr.Dataset], files: dict[str, Path], kind: str) -> None:
    product = products[kind]
    with xr.open_dataset(files[kind], engine="h5netcdf") as opened:
        np.testing.assert_array_equal(bounds_of(opened), bounds_of(product))
        for name in (name for name, array in product.data_vars.items() if array.dtype.kind in "fi"):
            np.testing.assert_array_equal(opened[name], product[name])
        np.testing.assert_array_equal(opened["time"], product["time"])
    key = "bounds" if kind == "days" else "climatology"
    with xr.open_dataset(files[kind], engine="h5netcdf", decode_cf=False) as raw:
        assert raw["time"].attrs[key] == ("time_bnds" if kind == "days" else "climatology_bounds")
        assert ("bounds" in raw["time"].attrs) == (kind == "days")
        assert raw[raw["time"].attrs[key]].attrs.get("units") in (None, raw["time"].attrs["units"])
    if kind == "indices":
        with xr.open_dataset(files[kind], engine="h5netcdf", decode_cf=False) as raw:
            assert "FD_threshold" in raw["FD"].attrs["coordinates"].split()


def test_statistics_go_on_from_files(products: dict[str, xr.Dataset], files: dict[str, Path]) -> None:
    with xr.open_dataset(files["days"], engine="h5netcdf") as opened:
        months = period_statistics(opened)
    with xr.open_dataset(files["months"], engine="h5netcdf") as opened:
        numbers = opened.assign_coords(time=opened["time"].assign_attrs(climatology="climatology_bounds"))
        numbers["time"].encoding = {}
        with pytest.raises(InputError, match="numbers without units"):
            climatology(numbers, YEAR)
        normals = climatology(opened, YEAR)
    for name, array in products["months"].data_vars.items():
        np.testing.assert_array_equal(months[name], array)
    for name, array in products["of months"].data_vars.items():
        np.testing.assert_array_equal(normals[name], array)
