"""PREPBUFR files as observation tables: made ones for the rules, real ones for plausibility."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from formats.bufr_writer import (
    BYTE_COUNT,
    COUNT,
    FACTORS,
    Dictionary,
    Field,
    Layout,
    Loop,
    counted,
    message,
    number,
    records,
    register,
    table_message,
    written,
)
from kaiseki.core.errors import InputError
from kaiseki.core.timing import Window
from kaiseki.observations import Flag, Table
from kaiseki.observations.selection import select
from kaiseki.observations.sources.inventory import inventory
from kaiseki.observations.sources.prepbufr import PrepbufrSource

FOLDER = "data/observations/prepbufr_198901"
MISSING = -1


def events(letter: str, code: int, *values: Field) -> Loop:
    marks = (
        Field(f"05{code}246", f"{letter}QM", 5, units="CODE TABLE"),
        Field(f"05{code}247", f"{letter}PC", 5, units="CODE TABLE"),
    )
    stack = Loop(f"{letter}__EVENT", f"36210{code}", "031001", (*values, *marks))
    return Loop(f"{letter}___INFO", f"36200{code}", "031000", (stack,))


HEAD = (
    Field("001194", "SID", 64, units="CCITT IA5"),
    Field("006240", "XOB", 16, 2, -18000),
    Field("005002", "YOB", 15, 2, -9000),
    Field("004215", "DHR", 16, 3, -24000),
    Field("010199", "ELV", 17, 0, -1000),
    Field("055007", "TYP", 9),
    Field("055008", "T29", 10),
    Field("050001", "SQN", 19),
)
LEVEL: Layout = (
    Field("008193", "CAT", 6),
    events("P", 1, Field("007245", "POB", 14, 1)),
    events("Q", 2, Field("013245", "QOB", 16)),
    events("T", 3, Field("012245", "TOB", 14, 1, -2732)),
    events("Z", 4, Field("010007", "ZOB", 17, 0, -1000)),
    events("W", 5, Field("011003", "UOB", 13, 1, -4096), Field("011004", "VOB", 13, 1, -4096)),
    Loop(
        "DRFTINFO",
        "362016",
        "031000",
        (
            Field("006241", "XDR", 16, 2, -18000),
            Field("005241", "YDR", 15, 2, -9000),
            Field("004218", "HRDR", 16, 3, -24000),
        ),
    ),
)
PROFILE: Layout = (*HEAD, Loop("PRSLEVEL", "361002", "031001", LEVEL))
SEA_LEVEL = Loop("PMSL_SEQ", "361003", "031000", (Field("010243", "PMO", 14, 1), Field("010244", "PMQ", 5)))
SURFACE: Layout = (*HEAD, *LEVEL, SEA_LEVEL)


def head(station: str, lon: float, lat: float, hours: float, elevation: float, kind: int, dump: int, sqn: int) -> list:
    place = [round(lon * 100) + 18000, round(lat * 100) + 9000, round(hours * 1000) + 24000]
    return [station.ljust(8).encode(), *place, round(elevation) + 1000, kind, dump, sqn]


def stack(*found: tuple[int, ...]) -> list:
    """One stack of events, each (raw values ..., mark, program), the latest first; empty if none."""
    return [[[list(event) for event in found]]] if found else []


def level(
    category: int,
    pressure: float,
    *,
    temperature: tuple[tuple[int, int, int], ...] = (),
    humidity: int | None = None,
    height: int | None = None,
    wind: tuple[int, int] | None = None,
    drift: tuple[float, float, float] | None = None,
) -> list:
    return [
        category,
        stack((round(10 * pressure), 2, 1)),
        stack(*([] if humidity is None else [(humidity, 3, 1)])),
        stack(*[(t + 2732, mark, program) for t, mark, program in temperature]),
        stack(*([] if height is None else [(height + 1000, 2, 1)])),
        stack(*([] if wind is None else [(wind[0] + 4096, wind[1] + 4096, 2, 1)])),
        []
        if drift is None
        else [[round(drift[0] * 100) + 18000, round(drift[1] * 100) + 9000, round(drift[2] * 1000) + 24000]],
    ]


def made(folder: Path, reports: dict[int, tuple[str, Layout, list[list]]], name: str = "made") -> Path:
    """A file of the given message types: category -> (mnemonic, layout, subsets)."""
    tables = Dictionary(types={c: r[0] for c, r in reports.items()}, fields={f.code: f for f in FACTORS})
    tables.fields[BYTE_COUNT] = COUNT
    tables.fields["063255"] = Field("063255", "BITPAD", 1)
    tables.sequences["363001"] = ("PREPRO", ())
    tables.sequences["363008"] = ("VIRTMP", ())
    data = []
    for category, (_, layout, subsets) in reports.items():
        listed = (BYTE_COUNT, *register(layout, tables), "102000", "031001", "206001", "063255")
        body = b""
        for values in subsets:
            bits = written(layout, values)
            body += counted(bits + number(-(len(bits) + 8) % 8, 8) + "0" * (-(len(bits) + 8) % 8))
        data.append(message(category, listed, body, len(subsets)))
    path = folder / name
    path.write_bytes(records([table_message(tables), *data]))
    return path


def rows(table: Table, **texts: str) -> list[tuple]:
    chosen = table.take(table.where(**texts))
    names = ("level", "pressure", "value", "quality_mark")
    return list(zip(*(chosen.column(name).tolist() for name in names), strict=True))


@pytest.fixture
def ascent(tmp_path: Path) -> Path:
    mass = [
        level(0, 1013.0, temperature=((61, 2, 8), (58, 3, 1)), humidity=2024, height=27, drift=(140.13, 36.05, -0.25)),
        level(1, 850.0, temperature=((-47, 2, 1),), height=1438, drift=(140.17, 36.03, -0.177)),
        level(2, 500.0, temperature=((-181, 2, 8),), drift=(181.0, 36.03, 0.049)),
    ]
    wind = [level(0, 1013.0, wind=(62, -36)), level(3, 900.0, wind=(110, -20)), level(1, 850.0, wind=(116, 10))]
    subsets = [
        [*head("47646", 140.13, 36.05, 0, 27, 120, 11, 9), mass],
        [*head("47646", 140.13, 36.05, 0, 27, 220, 11, 9), wind],
        [*head("47600", 136.9, 37.38, 0.5, 14, 221, 11, 10), [level(4, 977.3, wind=(10, 20), height=304)]],
    ]
    return made(tmp_path, {230: ("ADPUPA", PROFILE, subsets)})


def test_sensible_temperature_lies_beneath_the_virtual_one(ascent: Path) -> None:
    table = PrepbufrSource([ascent]).read()
    temperature = rows(table, quantity="air_temperature")
    assert [(r[0], round(r[2], 2), r[3]) for r in temperature] == [(0, 278.95, 3), (2, 268.45, 2)]
    assert [(r[0], round(r[2], 2), r[3]) for r in rows(table, quantity="virtual_temperature")] == [(3, 255.05, 2)]


def test_units_levels_and_one_number_for_mass_and_wind(ascent: Path) -> None:
    table = PrepbufrSource([ascent]).read()
    sonde = table.take(table.where(kind="sonde"))
    assert sonde.count_reports() == 1
    assert rows(sonde, quantity="specific_humidity") == [(0, 101300.0, pytest.approx(2.024e-3), 3)]
    assert rows(sonde, quantity="surface_pressure") == [(0, 101300.0, 101300.0, 2)]
    assert rows(sonde, quantity="geopotential_height") == [(2, 85000.0, 1438.0, 2)]
    assert rows(sonde, quantity="eastward_wind") == [
        (0, 101300.0, 6.2, 2),
        (1, 90000.0, 11.0, 2),
        (2, 85000.0, 11.6, 2),
    ]
    assert rows(sonde, quantity="northward_wind")[0][2] == -3.6
    assert set(sonde.column("report_type").tolist()) == {120, 220}
    assert set(sonde.column("station_elevation").tolist()) == {27.0}
    pilot = table.take(table.where(kind="pilot"))
    assert pilot.column("height").tolist() == [304.0, 304.0]
    assert pilot.column("level").tolist() == [0, 0]
    assert pilot.count_reports() == 1
    assert table.count_reports() == 2


def test_levels_follow_the_balloon_unless_told_not_to(ascent: Path) -> None:
    table = PrepbufrSource([ascent]).read()
    mass = table.take(table.where(quantity=("air_temperature", "virtual_temperature")))
    assert mass.column("time").astype(str).tolist() == [
        "1989-01-01T11:45:00",
        "1989-01-01T11:49:23",
        "1989-01-01T12:02:56",
    ]
    assert mass.column("longitude").tolist() == [140.13, 140.17, -179.0]
    still = PrepbufrSource([ascent], drift=False).read()
    sonde = still.take(still.where(kind="sonde"))
    assert np.unique(sonde.column("time")).tolist() == [np.datetime64("1989-01-01T12:00:00").item()]
    assert np.unique(sonde.column("longitude")).tolist() == [140.13]


def test_window_and_box_take_whole_reports(ascent: Path) -> None:
    source = PrepbufrSource([ascent])
    noon = np.datetime64("1989-01-01T12:00:00")
    hour = np.timedelta64(3600, "s")
    before = source.read(Window(noon - hour, noon))
    after = source.read(Window(noon, noon + hour))
    assert set(before.column("station").tolist()) == {"47646"}
    assert set(after.column("station").tolist()) == {"47600"}
    assert len(before) + len(after) == len(source.read())
    assert set(source.read(box=(140.13, 36.05, 141, 37)).column("station").tolist()) == {"47646"}
    assert set(source.read(box=(170, -90, 138, 90)).column("station").tolist()) == {"47600"}
    assert len(source.read(box=(170, -90, -170, 90))) == 0
    assert len(source.read(box=(-180, -90, 180, 90))) == len(source.read())
    with pytest.raises(InputError, match="box"):
        source.read(box=(0, 40, 10, 30))


def test_surface_reports(tmp_path: Path) -> None:
    def report(station: str, kind: int, dump: int, sqn: int, content: list, sea: list) -> list:
        return [*head(station, 139.75, 35.7, -3, 36, kind, dump, sqn), *content, sea]

    mass = level(0, 1009.5, temperature=((92, 2, MISSING & 31),), humidity=4000, height=36)
    wind = level(6, 1009.5, wind=(-31, 26))
    none: list = []
    path = made(
        tmp_path,
        {
            237: (
                "ADPSFC",
                SURFACE,
                [report("47662", 181, 511, 1, mass, [[10140, 2]]), report("47662", 281, 511, 1, wind, none)],
            ),
            238: (
                "SFCSHP",
                SURFACE,
                [
                    report("JSVY", 180, 522, 1, mass, none),
                    report("21004", 180, 561, 2, mass, none),
                    report("21005", 180, 1023, 3, mass, none),
                    report("SHIP", 280, 1023, 4, wind, none),
                ],
            ),
            239: ("SFCBOG", SURFACE, [report("PAOB0001", 191, 551, 1, level(0, 1007.0), none)]),
            240: ("SPSSMI", SURFACE, [report("X", 283, 551, 1, wind, none)]),
        },
    )
    table = PrepbufrSource([path]).read()
    kinds = dict(zip(table.column("station").tolist(), table.column("kind").tolist(), strict=True))
    assert kinds == {
        "47662": "synop", "JSVY": "ship", "21004": "buoy", "21005": "buoy", "SHIP": "ship", "PAOB0001": "paob",
    }  # fmt: skip
    synop = table.take(table.where(kind="synop"))
    assert synop.count_reports() == 1
    values = dict(zip(synop.column("quantity").tolist(), synop.column("value").tolist(), strict=True))
    assert values == pytest.approx(
        {
            "air_temperature": 282.35,
            "specific_humidity": 0.004,
            "eastward_wind": -3.1,
            "northward_wind": 2.6,
            "surface_pressure": 100950.0,
            "mean_sea_level_pressure": 101400.0,
        }
    )
    assert set(synop.column("time").astype(str).tolist()) == {"1989-01-01T09:00:00"}
    sea = synop.take(synop.where(quantity="mean_sea_level_pressure"))
    assert sea.column("height").tolist() == [0.0]
    assert np.isnan(sea.column("pressure")).all()
    assert set(synop.column("level").tolist()) == {0}


def test_two_files_of_one_cycle_are_refused(ascent: Path) -> None:
    with pytest.raises(InputError, match="one file per cycle"):
        PrepbufrSource([ascent, ascent]).read()
    assert PrepbufrSource([ascent]).times() == [np.datetime64("1989-01-01T12:00:00")]
    assert len(PrepbufrSource([]).read()) == 0


def test_files_of_one_cycle_with_other_message_types_are_read_together(ascent: Path, tmp_path: Path) -> None:
    ship = [*head("JSVY", 139.75, 35.7, -3, 36, 180, 522, 1), *level(0, 1009.5), []]
    other = made(tmp_path, {238: ("SFCSHP", SURFACE, [ship])}, "other")
    assert len(PrepbufrSource([ascent, other]).read()) == len(PrepbufrSource([ascent]).read()) + 1


def test_a_file_that_holds_its_reports_twice_is_refused(ascent: Path, tmp_path: Path) -> None:
    twice = tmp_path / "twice"
    twice.write_bytes(ascent.read_bytes() * 2)
    with pytest.raises(InputError, match=rf"{twice}: message 4 is the same as message 2.*expected each report once"):
        PrepbufrSource([twice]).read()


def many(numbers: list[int], places: list[float]) -> list[list]:
    """Mass and wind reports of one station per place, all mass reports first."""
    mass = [level(1, 850.0, temperature=((-47, 2, 1),)), level(1, 500.0, temperature=((-200, 2, 1),))]
    wind = [level(1, 850.0, wind=(116, 10))]
    return [
        [*head(f"S{i:04d}", lon, 36.05, 0, 27, kind, 11, numbers[i]), content]
        for kind, content in ((120, mass), (220, wind))
        for i, lon in enumerate(places)
    ]


MISSING_NUMBER = (1 << 19) - 1


@pytest.mark.parametrize("number", [0, 7, MISSING_NUMBER])
@pytest.mark.parametrize("count", [2, 40])
def test_sequence_numbers_that_tell_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, number: int, count: int
) -> None:
    """Each ascent is one report of mass and wind, whatever part of the file is read."""
    places = [100.0 + i for i in range(count)]
    good = made(tmp_path, {230: ("ADPUPA", PROFILE, many(list(range(count)), places))}, "good")
    path = made(tmp_path, {230: ("ADPUPA", PROFILE, many([number] * count, places))})
    table = PrepbufrSource([path]).read()
    told = f"{path}: {2 * count} reports ADPUPA have the sequence number (SQN) of another" in caplog.text
    assert told == (number != MISSING_NUMBER)
    assert table.count_reports() == count
    by_station = dict(zip(table.column("station").tolist(), table.column("report").tolist(), strict=True))
    assert len(set(by_station.values())) == count
    wanted = PrepbufrSource([good]).read()
    names = ("station", "quantity", "level", "pressure", "value")
    assert sorted(zip(*(table.column(n).tolist() for n in names), strict=True)) == sorted(
        zip(*(wanted.column(n).tolist() for n in names), strict=True)
    )
    part = PrepbufrSource([path]).read(box=(100.5, 0, 180, 90))
    assert part.count_reports() == count - 1
    assert {s: n for s, n in by_station.items() if s != "S0000"} == dict(
        zip(part.column("station").tolist(), part.column("report").tolist(), strict=True)
    )


def test_parts_of_a_file_with_dictionaries_of_their_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The second part has one report of the first in another form, and counts its others from 0 again."""
    longer = (*HEAD, Field("012200", "EXTRA", 9), Loop("PRSLEVEL", "361002", "031001", LEVEL))
    first = many([0, 1], [100.0, 101.0])
    second = [[*report[:8], 0, report[8]] for report in many([0, 1, 2], [110.0, 101.0, 112.0])]
    parts = [
        made(tmp_path, {230: ("ADPUPA", layout, subsets)}, name)
        for name, layout, subsets in (("first", PROFILE, first), ("second", longer, second))
    ]
    path = tmp_path / "whole"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    table = PrepbufrSource([path]).read()
    assert f"{path}: 2 reports ADPUPA left out" in caplog.text
    assert table.count_reports() == 4
    by_report = set(zip(table.column("report").tolist(), table.column("longitude").tolist(), strict=True))
    assert len(by_report) == 4
    assert len(table) == 4 * 4


def test_reports_of_one_place_without_numbers_stay_apart(tmp_path: Path) -> None:
    """Three satellite winds of one name, time and place; two ascents of one station and hour."""
    winds = [[*head("METEO7", 140, 20, 0, 0, 253, 63, 5), *level(6, p, wind=(100, 0)), []] for p in (300, 400, 500)]
    ascents = many([5, 5], [140.0, 140.0])
    for report in ascents:
        report[0] = b"47646   "
    # All have the number 5, which the name of the first shows to be none.
    winds[0][0] = b"METEO5  "
    path = made(tmp_path, {236: ("SATWND", SURFACE, winds), 230: ("ADPUPA", PROFILE, [*ascents, *many([5], [99.0])])})
    table = PrepbufrSource([path]).read()
    assert table.take(table.where(kind="satwind")).count_reports() == 3
    assert set(table.take(table.where(kind="satwind")).column("level").tolist()) == {0}
    sonde = table.take(table.where(kind="sonde"))
    assert sonde.count_reports() == 3
    for report in np.unique(sonde.column("report")):
        one = sonde.take(sonde.column("report") == report)
        assert sorted(one.column("quantity").tolist()) == ["air_temperature"] * 2 + ["eastward_wind", "northward_wind"]


def test_other_bufr_with_tables_is_refused(tmp_path: Path) -> None:
    other: Layout = (Field("005002", "CLAT", 15, 2, -9000), Field("006002", "CLON", 16, 2, -18000))
    path = made(tmp_path, {2: ("NC002001", other, [[12600, 32013]])})
    with pytest.raises(InputError, match="other BUFR files need another reader"):
        PrepbufrSource([path]).read()


def test_reports_without_time_or_place_are_left_out_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lost = [*head("47646", 140.13, 36.05, 0, 27, 120, 11, 9), [level(1, 850.0, height=1438)]]
    found = [*head("47600", 136.9, 37.38, 0, 14, 120, 11, 10), [level(1, 850.0, height=1440)]]
    lost[1] = (1 << 16) - 1
    synthetic = [*head("9999", 140.0, 20.0, 0, 0, 210, 1023, 11), [level(1, 850.0, wind=(300, 0))]]
    path = made(tmp_path, {230: ("ADPUPA", PROFILE, [lost, found, synthetic])})
    with caplog.at_level("INFO"):
        table = PrepbufrSource([path]).read()
    assert set(table.column("station").tolist()) == {"47600"}
    assert "1 reports ADPUPA left out: no time or place" in caplog.text
    assert "1 reports ADPUPA left out: of types that are not read" in caplog.text


def test_an_unknown_type_is_kept_for_nothing_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    odd = [*head("47600", 136.9, 37.38, 0, 14, 139, 11, 10), [level(1, 850.0, temperature=((50, 2, 1),), wind=(90, 0))]]
    path = made(tmp_path, {230: ("ADPUPA", PROFILE, [odd])})
    table = PrepbufrSource([path]).read()
    assert "1 reports ADPUPA of unknown type 139: kept, used for nothing" in caplog.text
    assert set(table.column("quantity").tolist()) == {"air_temperature", "eastward_wind", "northward_wind"}
    assert set(table.column("report_type").tolist()) == {139}
    assert (select(table).column("flags") & np.uint32(Flag.MONITORED)).all()


def test_inventory_counts_everything_once(ascent: Path) -> None:
    table = PrepbufrSource([ascent]).read()
    found = inventory(table)
    assert sum(row["values"] for row in found) == len(table)
    wind = [row for row in found if row["quantity"] == "eastward_wind"]
    assert wind == [
        {
            "kind": kind,
            "quantity": "eastward_wind",
            "time": np.datetime64("1989-01-01T12:00:00"),
            "west": west,
            "south": 30,
            "values": values,
            "reports": 1,
            "stations": 1,
            "least": least,
            "mean": pytest.approx(mean),
            "greatest": greatest,
        }
        for kind, west, values, least, mean, greatest in (
            ("sonde", 140, 3, 6.2, (6.2 + 11.0 + 11.6) / 3, 11.6),
            ("pilot", 130, 1, 1.0, 1.0, 1.0),
        )
    ]
    assert inventory(Table.empty()) == []
