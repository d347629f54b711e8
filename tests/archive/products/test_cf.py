"""Statistics as NetCDF files, read by the CF checker: units of bounds, climatological axes, cell methods, names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from archive.products.series import dataset, hours
from kaiseki.archive.products.climatology import climatology
from kaiseki.archive.products.days import daily_statistics
from kaiseki.archive.products.indices import climate_indices
from kaiseki.archive.products.normals import Normals
from kaiseki.archive.products.periods import period_statistics

NAMES = ("temperature_2m", "precipitation", "eastward_wind_10m", "northward_wind_10m", "shortwave_down")


@pytest.fixture(scope="module")
def products() -> dict[str, xr.Dataset]:
    source = dataset(hours("2003-12-31T06", 4 * 400, np.timedelta64(6 * 3600, "s")), NAMES)
    days = daily_statistics(source)
    months = period_statistics(days)
    normals = Normals("month", (2004, 2004))
    return {
        "days": days,
        "months": months,
        "indices": climate_indices(days, "season"),
        "of hours": climatology(source, normals),
        "of days": climatology(days, normals),
        "of months": climatology(months, normals),
    }


def written(product: xr.Dataset, file: Path) -> Path:
    """The product as NetCDF, the grid mapping as a plain variable."""
    plain = product.reset_coords("crs")
    plain["x"].attrs["axis"], plain["y"].attrs["axis"] = "X", "Y"
    whole = {name for name, array in plain.variables.items() if array.dtype.kind in "iu"}
    encoding = {
        name: {"_FillValue": None} for name in whole | ({"x", "y", "lat", "lon", "percentile"} & {*plain.coords})
    }
    plain.to_netcdf(file, engine="h5netcdf", encoding=encoding)
    return file


@pytest.mark.parametrize("name", ["days", "months", "indices", "of hours", "of days", "of months"])
@pytest.mark.filterwarnings("ignore")
def test_the_checker_finds_no_error(products: dict[str, xr.Dataset], name: str, tmp_path: Path) -> None:
    runner = pytest.importorskip("compliance_checker.runner", reason="the CF checker is not installed")
    runner.CheckSuite.load_all_available_checkers()
    file = written(products[name], tmp_path / "product.nc")
    suite = runner.CheckSuite()
    document = suite.load_dataset(str(file))
    scores = suite.run_all(document, ["cf:1.11"], skip_checks=[])
    problems = []
    for results, errors in scores.values():
        assert not errors
        for result in results:
            points, possible = result.value if isinstance(result.value, tuple) else (int(bool(result.value)), 1)
            if result.weight == 3 and points < possible:
                problems += [f"{result.name}: {message}" for message in result.msgs]
            if "7." in str(result.name):
                problems += [f"{result.name}: {message}" for message in result.msgs]
    # The checker knows the methods of CF 1.6 alone in section 7.4; "range" is one of Appendix E since 1.7.
    problems = [one for one in problems if not one.endswith("is not correct in variable DTR.")]
    assert not problems, "\n".join(sorted(set(problems)))


@pytest.mark.parametrize("name", ["months", "of days"])
def test_a_climatological_axis_comes_back_from_a_file(
    products: dict[str, xr.Dataset], name: str, tmp_path: Path
) -> None:
    with xr.open_dataset(written(products[name], tmp_path / "product.nc"), engine="h5netcdf") as opened:
        np.testing.assert_array_equal(opened["time"], products[name]["time"])
        np.testing.assert_array_equal(opened["climatology_bounds"], products[name]["climatology_bounds"])
        assert opened["time"].attrs["climatology"] == "climatology_bounds"
    with xr.open_dataset(tmp_path / "product.nc", engine="h5netcdf") as again:
        if name == "months":
            normals = climatology(again, Normals("month", (2004, 2004)), ["temperature_2m_mean"])
            expected = climatology(products[name], Normals("month", (2004, 2004)), ["temperature_2m_mean"])
            for variable in expected.data_vars:
                np.testing.assert_array_equal(normals[variable], expected[variable])
