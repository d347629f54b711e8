"""Quality control, division and selection of the real reports of 1 January 1989 12Z over East Asia."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kaiseki.observations import Flag, Table, errors, selection, thinning, trusted, usable, withholding
from kaiseki.observations.quality import Checked, run_all
from kaiseki.observations.sources.prepbufr import PrepbufrSource


@pytest.fixture(scope="module")
def reports(data: Path) -> Table:
    return PrepbufrSource([data / "observations/prepbufr_198901/prepqm89010112.gz"]).read(box=(80.0, 5.0, -170.0, 65.0))


@pytest.fixture(scope="module")
def checked(reports: Table) -> Checked:
    return run_all(reports)


def rows(table: Table, station: str, pressure: float, quantity: str) -> np.ndarray:
    found = table.where(kind="sonde", station=station, quantity=quantity) & (table.column("pressure") == pressure)
    assert found.any()
    return found


@pytest.mark.parametrize(
    ("kind", "quantity", "most"),
    [
        ("sonde", "air_temperature", 0.01),
        ("sonde", "geopotential_height", 0.03),
        ("sonde", "eastward_wind", 0.01),
        ("synop", "surface_pressure", 0.04),
        ("aircraft", "eastward_wind", 0.03),
        ("satwind", "eastward_wind", 0.02),
    ],
)
def test_few_values_are_refused(checked: Checked, kind: str, quantity: str, most: float) -> None:
    chosen = checked.table.where(kind=kind, quantity=quantity)
    flags = checked.table.column("flags")[chosen]
    once = flags[(flags & np.uint32(Flag.DUPLICATE)) == 0]
    assert 0 <= 1.0 - trusted(once).mean() <= most


def test_gross_errors_are_found(checked: Checked) -> None:
    flags = checked.table.column("flags")
    # A sum of heights that lost 200 m at 500 hPa; two digits exchanged; neighbours of the first are left alone.
    for pressure in (50_000.0, 40_000.0, 30_000.0, 20_000.0):
        assert (flags[rows(checked.table, "24790", pressure, "geopotential_height")] & Flag.HYDROSTATIC).all()
    assert (flags[rows(checked.table, "48615", 25_000.0, "geopotential_height")] & Flag.RANGE).all()
    assert (flags[rows(checked.table, "47590", 59_100.0, "air_temperature")] & Flag.HYDROSTATIC).all()
    for station in ("47646", "47412", "47778"):
        assert trusted(flags[rows(checked.table, station, 50_000.0, "geopotential_height")]).all()


def test_heights_that_stay_lie_on_a_smooth_surface(checked: Checked) -> None:
    table = checked.table
    kept = table.where(kind="sonde", quantity="geopotential_height") & (table.column("pressure") == 50_000.0)
    kept &= trusted(table.column("flags"))
    latitude, height = table.column("latitude")[kept], table.column("value")[kept]
    assert kept.sum() > 200
    fit = np.polyfit(latitude, height, 3)
    # Troughs and ridges of winter are some 400 m deep; digits lost or exchanged make 1000 m.
    assert np.abs(height - np.polyval(fit, latitude)).max() < 500.0


def test_a_fifth_of_the_stations_is_withheld_and_takes_no_part(reports: Table) -> None:
    folds = withholding.assign_folds(reports, 1989)
    shares = [withholding.withhold(reports, folds, fold).take(reports.where(kind="sonde")) for fold in range(5)]
    stations = [len(np.unique(part.column("station")[part.column("withheld")])) for part in shares]
    assert sum(stations) == len(np.unique(reports.column("station")[reports.where(kind="sonde")]))
    assert max(stations) - min(stations) <= 3
    held = withholding.withhold(reports, folds, 0)
    changed = np.where(held.column("withheld"), 0.9 * held.column("value"), held.column("value"))
    used = ~held.column("withheld")
    before, after = run_all(held).table, run_all(held.with_columns(value=changed)).table
    assert np.array_equal(before.column("flags")[used], after.column("flags")[used])
    assert not (before.column("flags")[~used] & Flag.BUDDY).any()


def test_the_whole_way(checked: Checked) -> None:
    noon = np.datetime64("1989-01-01T12:00:00", "s")
    table = errors.assign(selection.select(checked.table))
    table = thinning.thin(table, noon, {"aircraft": 100e3, "satwind": 150e3})
    table = thinning.thin_levels(table, np.geomspace(105_000.0, 1_000.0, 41).tolist(), maximum=2)
    used = usable(table.column("flags"))
    assert np.isfinite(table.column("error")[used]).all()
    assert (table.column("error")[used] > 0.0).all()
    assert not (used & table.where(quantity="geopotential_height")).any()
    assert not (used & table.where(kind="synop", quantity=("air_temperature", "eastward_wind"))).any()
    assert (used & table.where(kind="sonde", quantity="air_temperature")).sum() > 3000
    assert (used & table.where(kind="synop", quantity="surface_pressure")).sum() > 2000
