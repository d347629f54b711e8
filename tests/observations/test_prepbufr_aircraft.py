"""Aircraft reports of PREPBUFR in both forms: level by level, and as profiles with levels in PRSLEVLA."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from formats.bufr_writer import Field, Layout, Loop
from formats.test_prepbufr_real import Plain
from kaiseki.formats.prepbufr.container import messages
from kaiseki.observations import Table
from kaiseki.observations.columns import COLUMNS
from kaiseki.observations.sources.prepbufr import PrepbufrSource
from observations.test_prepbufr_source import HEAD, LEVEL, head, level, made

FAULTS = "data/faults"
MODERN = "data/observations/prepbufr_20201101"
EARTH_RADIUS = 6.371e6
WIDE_HEAD = tuple(replace(entry, width=10) if entry.mnemonic == "TYP" else entry for entry in HEAD)
"""With room for the types 5xx, as in files of today."""
AIRCRAFT: Layout = (*WIDE_HEAD, Loop("PRSLEVLA", "361005", "031001", LEVEL))
NO_NUMBER = (1 << 19) - 1


def points(table: Table) -> set[tuple]:
    """Quantity, time, place, pressure and value of each row."""
    names = ("quantity", "time", "longitude", "latitude", "pressure", "value")
    return set(zip(*(table.column(name).tolist() for name in names), strict=True))


def test_levels_in_a_replication_give_what_levels_in_the_report_give(shared: Path) -> None:
    tables = [PrepbufrSource([shared / FAULTS / f"aircraft_{form}.prepbufr"]).read() for form in ("root", "prslevla")]
    assert [t.take(t.where(kind="aircraft")).count_reports() for t in tables] == [5, 5]
    for name in COLUMNS:
        np.testing.assert_array_equal(*(t.column(name) for t in tables), err_msg=name)


@pytest.fixture(scope="module")
def real(shared: Path) -> Table:
    table = PrepbufrSource([shared / MODERN / "gdas.t12z.acft_profiles.prepbufr"]).read()
    return table.take(table.where(kind="aircraft"))


def test_real_profiles_equal_a_bitwise_decoding_at_each_level(shared: Path, real: Table) -> None:
    """Temperature, time and place of all 1,387 levels of 854 reports."""
    content = (shared / MODERN / "gdas.t12z.acft_profiles.prepbufr").read_bytes()
    plain = Plain(content)
    wanted = []
    subsets = 0
    for span in messages(content, "plain"):
        if content[span.start + 16] == 11:
            continue
        three = span.start + 26
        place = three + int.from_bytes(content[three : three + 3], "big") + 4
        for _ in range(int.from_bytes(content[three + 4 : three + 6], "big")):
            subsets += 1
            length = int.from_bytes(content[place : place + 2], "big")
            bits = "".join(f"{byte:08b}" for byte in content[place : place + length])
            place += length
            found = plain.subset(["063000", f"348{content[span.start + 16]}"], bits)
            station = next(value for name, value in found if name == "SID")
            values = {n: [v for name, v in found if name == n] for n in ("HRDR", "XDR", "YDR", "POB", "TOB")}
            for hours, lon, lat, p, t in zip(*values.values(), strict=True):
                seconds = round(float(hours) * 3600)
                east = round((float(lon) + 180) % 360 - 180, 5)
                wanted.append((station, seconds, east, round(float(lat), 5), round(float(p) * 100), round(float(t), 1)))
    assert subsets == 854
    assert len(wanted) == 1387
    temperature = real.take(real.where(quantity="air_temperature"))
    cycle = np.datetime64("2020-11-01T12:00:00")
    got = zip(
        temperature.column("station").tolist(),
        (temperature.column("time") - cycle).astype(int).tolist(),
        np.round(temperature.column("longitude"), 5).tolist(),
        np.round(temperature.column("latitude"), 5).tolist(),
        np.rint(temperature.column("pressure")).astype(int).tolist(),
        np.round(temperature.column("value") - 273.15, 1).tolist(),
        strict=True,
    )
    assert sorted(got) == sorted(wanted)


def test_real_ascents_rise_and_descents_fall_at_the_speed_of_aircraft(real: Table) -> None:
    one = real.take(real.where(quantity="air_temperature") & (real.column("report_type") >= 400))
    speeds = []
    for number in np.unique(one.column("report")):
        rows = one.take(one.column("report") == number)
        assert rows.column("level").tolist() == list(range(1, len(rows) + 1))
        time, pressure = rows.column("time").astype(int), rows.column("pressure")
        assert (np.diff(pressure) < 0).all()
        direction = 1 if rows.column("report_type")[0] < 500 else -1
        assert (direction * np.diff(time) >= 0).all()
        lat, lon = np.deg2rad(rows.column("latitude")), np.deg2rad(rows.column("longitude"))
        north, east = np.diff(lat), np.diff(lon) * np.cos(0.5 * (lat[1:] + lat[:-1]))
        known = np.diff(time) != 0
        speeds += (EARTH_RADIUS * np.hypot(north, east)[known] / np.abs(np.diff(time)[known])).tolist()
    assert 60.0 < np.median(speeds) < 250.0
    assert max(speeds) < 400.0


def test_real_files_of_one_cycle_are_read_together(shared: Path) -> None:
    """Values of the manifest (140,402 of the sondes), and 1,387 levels with T, u, v and 722 with humidity."""
    paths = sorted((shared / MODERN).iterdir())
    table = PrepbufrSource(paths).read()
    counts = {kind: len(table.take(table.where(kind=kind))) for kind in ("aircraft", "synop")}
    sondes = table.take(table.where(kind=("sonde", "pilot")))
    assert len(sondes) == 140402
    assert counts == {"aircraft": 3 * 1387 + 722, "synop": len(table) - 140402 - 3 * 1387 - 722}
    stations = set(sondes.column("station").tolist())
    assert len(stations) == 634
    assert len([s for s in stations if s.startswith("47") and s.isdigit() and int(s[2:]) >= 400]) == 15
    assert sondes.count_reports() == 706


def single(station: str, mass: bool, hours: float, lon: float, pressure: float, sqn: int) -> list:
    content = level(6, pressure, temperature=((-100, 2, 1),)) if mass else level(6, pressure, wind=(100, 20))
    return [*head(station, lon, 35.0, hours, 0, 131 if mass else 231, 41, sqn), [content]]


def profile(kind: int, levels: list[tuple[int, float, float, float]], sqn: int = NO_NUMBER) -> list:
    """Levels (category, pressure, longitude, hours)."""
    made_levels = [
        level(c, p, temperature=((-100, 2, 1),), wind=(100, 20), height=5000, drift=(lon, 35.0, hours))
        for c, p, lon, hours in levels
    ]
    return [*head("TAIL7", levels[0][2], 35.0, levels[0][3], 0, kind, 41, sqn), made_levels]


SINGLES = [single("FLIGHT7", mass, 0.1 * i, 140 + i, 300 + 100 * i, i) for i in range(4) for mass in (True, False)]
"""Four places; the third and fourth stand in no profile."""
ASCENT = profile(431, [(2, 400.0, 141.0, 0.1), (2, 300.0, 140.0, 0.0)])


@pytest.mark.parametrize("together", ["in one file", "in two", "in two, the profiles first"])
def test_flights_in_both_forms_are_given_once(tmp_path: Path, together: str) -> None:
    if together == "in one file":
        paths = [made(tmp_path, {104: ("AIRCFT", AIRCRAFT, [*SINGLES, ASCENT])})]
    else:
        paths = [
            made(tmp_path, {104: ("AIRCFT", AIRCRAFT, SINGLES)}, "singles"),
            made(tmp_path, {104: ("AIRCFT", AIRCRAFT, [ASCENT])}, "profiles"),
        ]
    table = PrepbufrSource(paths[::-1] if "first" in together else paths).read()
    assert len(table) == len(points(table)) == 4 * 3
    of_profile = table.take(table.column("report_type") == 431)
    assert len(of_profile) == 2 * 3
    assert of_profile.count_reports() == 1
    assert table.count_reports() == 1 + 2
    alone = PrepbufrSource(paths[:1]).read()
    assert points(alone) == points(table)


def test_another_flight_nearby_is_not_taken_for_the_same(tmp_path: Path) -> None:
    """It is 5 s later, 0.02 degrees or 0.2 hPa away."""
    others = [
        single("OTHER1", True, 0.0 + 0.002, 140.0, 300.0, 1),
        single("OTHER2", True, 0.0, 140.02, 300.0, 2),
        single("OTHER3", True, 0.0, 140.0, 300.2, 3),
        single("SAME", True, 0.0 + 0.001, 140.0, 300.0, 4),
    ]
    path = made(tmp_path, {104: ("AIRCFT", AIRCRAFT, [*others, ASCENT])})
    table = PrepbufrSource([path]).read()
    single_level = table.take(table.column("report_type") == 131)
    assert set(single_level.column("station").tolist()) == {"OTHER1", "OTHER2", "OTHER3"}


def test_levels_that_ncep_added_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    added = profile(
        531, [(0, 1000.0, 141.5, 0.3), (2, 900.0, 141.0, 0.2), (7, 850.0, 140.5, 0.15), (2, 800.0, 140.0, 0.1)]
    )
    path = made(tmp_path, {104: ("AIRCFT", AIRCRAFT, [added])})
    with caplog.at_level("INFO"):
        table = PrepbufrSource([path]).read()
    assert sorted(set(table.column("pressure").tolist())) == [80000.0, 90000.0]
    assert set(table.column("level").tolist()) == {1, 2}
    assert "2 levels of reports AIRCFT left out" in caplog.text


def test_levels_of_aircraft_keep_their_place_without_drift(tmp_path: Path) -> None:
    path = made(tmp_path, {104: ("AIRCFT", AIRCRAFT, [ASCENT])})
    assert points(PrepbufrSource([path], drift=False).read()) == points(PrepbufrSource([path]).read())


@pytest.mark.parametrize("kind", [330, 333, 435, 532, 535])
def test_all_types_of_profiles(tmp_path: Path, kind: int) -> None:
    path = made(
        tmp_path, {103: ("AIRCAR", AIRCRAFT, [profile(kind, [(2, 400.0, 141.0, 0.1), (2, 300.0, 140.0, 0.0)])])}
    )
    table = PrepbufrSource([path]).read()
    assert set(table.column("kind").tolist()) == {"aircraft"}
    assert len(table) == 6


def test_a_report_with_levels_both_within_and_outside_is_read_once(tmp_path: Path) -> None:
    both: Layout = (*HEAD, *LEVEL, Loop("PRSLEVLA", "361005", "031001", LEVEL))
    inside = single("A", True, 0.0, 140.0, 300.0, 1)
    outside = level(6, 300.0, temperature=((-100, 2, 1),))
    subsets = [
        [*inside[:8], *outside, inside[8]],
        [*head("B", 141.0, 35.0, 0.0, 0, 131, 41, 2), *level(6, 400.0, temperature=((-200, 2, 1),)), []],
    ]
    table = PrepbufrSource([made(tmp_path, {104: ("AIRCFT", both, subsets)})]).read()
    assert sorted(zip(table.column("station").tolist(), table.column("pressure").tolist(), strict=True)) == [
        ("A", 30000.0),
        ("B", 40000.0),
    ]


def test_reports_that_give_no_value_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Levels in a replication of another name, as PRSLEVLA once was; a type in no list is told too."""
    other: Layout = (*HEAD, Loop("ELSEWHERE", "361006", "031001", (Field("008193", "CAT", 6), *LEVEL[1:])))
    unknown = single("X", True, 0.0, 140.0, 300.0, 9)
    unknown[5] = 139
    path = made(tmp_path, {104: ("AIRCFT", other, [*SINGLES, unknown])})
    table = PrepbufrSource([path]).read()
    assert len(table) == 0
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    for code, count in ((131, 4), (231, 4), (139, 1)):
        told = [text for text in warnings if f"of type {code} " in text]
        assert len(told) == 1
        assert told[0].startswith(f"{path}: none of the {count} reports AIRCFT of type {code} gives a value")


def test_a_few_reports_without_a_value_are_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    nothing = [*SINGLES[0][:8], [level(6, 300.0)]]
    path = made(tmp_path, {104: ("AIRCFT", AIRCRAFT, [*SINGLES[1:], nothing])})
    with caplog.at_level("INFO"):
        PrepbufrSource([path]).read()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "1 of 4 reports AIRCFT of type 131 give no value" in caplog.text
