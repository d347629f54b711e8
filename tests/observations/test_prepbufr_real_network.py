"""Real PREPBUFR files as observation tables: plausibility, and parts of a file against the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kaiseki.core.constants import GRAVITY, R_DRY, VIRTUAL
from kaiseki.core.timing import Window
from kaiseki.observations import Table
from kaiseki.observations.sources.prepbufr import PrepbufrSource

FOLDER = "data/observations/prepbufr_198901"


@pytest.fixture(scope="module")
def files(shared: Path) -> list[Path]:
    return sorted((shared / FOLDER).glob("*.gz"))


@pytest.fixture(scope="module")
def noon(files: list[Path]) -> Table:
    return PrepbufrSource(files[1:2]).read()


def test_real_network(noon: Table) -> None:
    def stations(table: Table) -> set[str]:
        return set(table.column("station").tolist())

    sondes = noon.take(noon.where(kind="sonde", quantity=("air_temperature", "geopotential_height")))
    assert len(stations(sondes)) == 712
    assert len([s for s in stations(sondes) if s.startswith("47") and s[2:].isdigit() and int(s[2:]) >= 400]) == 20
    lon, lat = sondes.column("longitude"), sondes.column("latitude")
    east = sondes.take((lon >= 90) & (lon <= 180) & (lat >= 10) & (lat <= 60))
    assert 190 <= len(stations(east)) <= 200
    counts = {kind: noon.take(noon.where(kind=kind)).count_reports() for kind in ("synop", "ship", "buoy", "paob")}
    assert counts["synop"] == 9107
    assert counts["ship"] + counts["buoy"] == 2048
    assert counts["paob"] == 157
    assert noon.take(noon.where(kind="satwind")).count_reports() == 2923


def test_real_heights_follow_from_sensible_temperatures_and_not_from_virtual_ones(noon: Table) -> None:
    """Thickness 1000-700 hPa of moist ascents by the hypsometric equation.

    Were the temperatures of the file virtual already, the thickness would fit without the water vapour.
    """
    sonde = noon.take(noon.where(kind="sonde"))
    report, quantity = sonde.column("report"), sonde.column("quantity")
    pressure, value = sonde.column("pressure"), sonde.column("value")
    residual: dict[bool, list[float]] = {True: [], False: []}
    for one in np.unique(report):
        found = {}
        for name in ("air_temperature", "specific_humidity", "geopotential_height"):
            rows_of = (report == one) & (quantity == name)
            found[name] = dict(zip(pressure[rows_of].tolist(), value[rows_of].tolist(), strict=True))
        temperature, humidity, height = found.values()
        if not {100000.0, 70000.0} <= set(temperature) & set(height) or len(humidity) < 4:
            continue
        p = np.array(sorted((x for x in temperature if 70000.0 <= x <= 100000.0), reverse=True))
        t = np.array([temperature[x] for x in p])
        known = np.array(sorted(humidity))
        q = np.interp(np.log(p), np.log(known), [humidity[x] for x in known])
        if p.size < 4 or q.mean() < 0.008:
            continue
        for moist in (True, False):
            tv = t * (1 + VIRTUAL * q) if moist else t
            thickness = R_DRY / GRAVITY * np.sum((tv[1:] + tv[:-1]) / 2 * np.log(p[:-1] / p[1:]))
            residual[moist].append(height[70000.0] - height[100000.0] - thickness)
    assert len(residual[True]) >= 30
    assert abs(np.median(residual[True])) < 0.25 * np.median(residual[False])
    assert np.median(residual[False]) > 15.0


def test_real_window_and_region_equal_a_choice_from_the_whole(files: list[Path]) -> None:
    at = np.datetime64("1989-01-01T12:00:00")
    window, box = Window(at - np.timedelta64(3, "h"), at), (120.0, 20.0, 150.0, 50.0)
    whole = PrepbufrSource(files[1:2], drift=False).read()
    lon, lat = whole.column("longitude"), whole.column("latitude")
    chosen = window.contains(whole.column("time")) & (lon >= 120) & (lon <= 150) & (lat >= 20) & (lat <= 50)
    wanted = whole.take(chosen)
    got = PrepbufrSource(files[1:2], drift=False).read(window, box)
    assert len(got) > 5000
    for name in ("report", "time", "value", "level", "quality_mark", "pressure"):
        np.testing.assert_array_equal(got.column(name), wanted.column(name))


def test_real_consecutive_files_do_not_repeat_reports(files: list[Path]) -> None:
    first, second = (PrepbufrSource([path], drift=False).read() for path in files[:2])
    assert first.column("time").max() < second.column("time").min()
    assert not set(first.column("report").tolist()) & set(second.column("report").tolist())
