"""What an experiment needs of each source.

What can go wrong: a time at the edge of the period is not covered; months, days and leap years; the period lies outside
the data; other hours on the last day; a request too large for the service; a descriptor with a mistake.
"""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition import making
from kaiseki.acquisition.area import Area, area_of
from kaiseki.acquisition.descriptor import Account, Part, Source, known, source
from kaiseki.acquisition.plan import MOST_FIELDS, Plan, chosen_sources, make_plan
from kaiseki.core.errors import ConfigError


def planned(name: str, hours: int = 9, start: str = "2024-01-01T00:00:00Z", every: float | None = None) -> Plan:
    return make_plan(making.experiment(hours, start), (source(name),), every)


def names(plan: Plan) -> list[str]:
    return [item.path.name for item in plan.items]


@pytest.mark.parametrize("name", known())
def test_every_descriptor_gives_a_plan(name: str) -> None:
    start = "2005-06-07T03:00:00Z" if name == "cfsr" else "2022-06-07T03:00:00Z"
    plan = make_plan(making.experiment(12, start), (source(name),))
    assert plan.items
    assert all(item.bytes > 0 and item.load >= item.bytes for item in plan.items)
    assert all("{" not in item.address and "//" not in item.address.partition("://")[2] for item in plan.items)
    assert all(str(item.path).startswith(source(name).folder) for item in plan.items)
    assert source(name).citation
    assert source(name).documentation


def test_driving_times_enclose_the_period() -> None:
    assert names(planned("cfsr", 9, "2005-01-01T03:00:00Z")) == [
        f"pgbh00.gdas.20050101{h:02d}.grb2" for h in (0, 6, 12)
    ]
    assert names(planned("gdas", 9)) == [
        *(f"gdas_20240101{h:02d}_f000.grib2" for h in (0, 6)),
        *(f"gdas_20240101{h:02d}_f003.grib2" for h in (0, 6)),
    ]


def test_observations_are_those_of_all_windows() -> None:
    # The window before the cold start reaches back to 21 UTC of the day before.
    assert names(planned("gdas-prepbufr", 9)) == [f"gdas.20240101.t{h:02d}z.prepbufr.nr" for h in (0, 6, 12)]


def test_monthly_files_of_a_period_over_the_end_of_a_month() -> None:
    found = [n for n in names(planned("jra3q", 9, "2024-02-29T15:00:00Z")) if "tmp-pres" in n]
    assert found == [
        "jra3q.anl_p125.0_0_0.tmp-pres-an-ll125.2024020100_2024022918.nc",
        "jra3q.anl_p125.0_0_0.tmp-pres-an-ll125.2024030100_2024033118.nc",
    ]
    assert len(planned("jra55", 9, "2010-02-01T00:00:00Z").items) == 6


def test_streams_of_merra2() -> None:
    assert names(planned("merra2", 9, "1989-01-01T00:00:00Z"))[0] == "MERRA2_100.inst3_3d_asm_Np.19890101.nc4"
    assert names(planned("merra2", 9, "2020-09-02T00:00:00Z"))[0] == "MERRA2_401.inst3_3d_asm_Np.20200902.nc4"
    # 22 UTC lies between 21 UTC and midnight.
    assert len([n for n in names(planned("merra2", 3, "2020-10-01T19:00:00Z")) if "inst3_3d" in n]) == 2


def test_daily_sea_temperatures_at_noon_enclose_the_period() -> None:
    assert names(planned("oisst", 9)) == [f"oisst-avhrr-v02r01.{day}.nc" for day in ("20231231", "20240101")]


def test_another_period_is_refused_and_other_sources_are_named() -> None:
    with pytest.raises(
        ConfigError, match=r"gdas has data from 2021-03-23 to today, .* these sources have them: arco-era5, cfsr"
    ):
        planned("gdas", 9, "1989-01-01T00:00:00Z")
    with pytest.raises(ConfigError, match="jra55 has data from 1958-01-01 to 2024-01-31"):
        planned("jra55", 9, "2024-02-01T00:00:00Z")


def test_another_interval() -> None:
    assert len(planned("arco-era5", 9, every=1).items[0].times) == 10
    assert len(planned("arco-era5", 9, every=6).items[0].times) == 3
    assert names(planned("gdas", 9, every=6)) == [f"gdas_20240101{h:02d}_f000.grib2" for h in (0, 6, 12)]
    for wrong in (5, 0.5):
        with pytest.raises(ConfigError, match="whole hours that divide the day"):
            planned("arco-era5", 9, every=wrong)
    with pytest.raises(ConfigError, match="cfsr has data every 6 h only"):
        planned("cfsr", 9, "2005-01-01T00:00:00Z", every=3)


@given(days=st.integers(0, 70), first=st.integers(0, 23), last=st.integers(1, 23), every=st.sampled_from([1, 3, 6]))
@settings(max_examples=25, deadline=None)
def test_requests_hold_each_time_once_and_no_other(days: int, first: int, last: int, every: int) -> None:
    start = datetime(2023, 12, 10, first, tzinfo=UTC)
    hours = 24 * days + 3 * last
    end = start + timedelta(hours=hours)
    plan = make_plan(making.experiment(hours, f"{start:%Y-%m-%dT%H:%M:%SZ}"), (source("era5"),), every)
    asked = []
    for item in plan.items:
        if item.part.name != "pressure-levels":
            continue
        request = item.request
        assert (
            len(request["variable"]) * len(request["pressure_level"]) * len(request["day"]) * len(request["time"])
            <= MOST_FIELDS
        )
        for day in request["day"]:
            for hour in request["time"]:
                asked.append(
                    datetime.fromisoformat(f"{request['year'][0]}-{request['month'][0]}-{day}T{hour}:00+00:00")
                )
    assert sorted(asked) == sorted(set(asked))
    assert asked[0] <= start
    assert asked[-1] >= end
    assert asked == [asked[0] + k * timedelta(hours=every) for k in range(len(asked))]
    assert len({item.path for item in plan.items}) == len(plan.items)


def test_the_dry_run_says_what_a_zarr_store_costs() -> None:
    (item,) = planned("arco-era5", 9).items
    # Five variables on 37 levels of 721 x 1440 points, and 15 at the surface, for four times.
    assert item.load == 4 * (5 * 37 + 15) * 721 * 1440 * 4
    assert item.load > 20 * item.bytes


def test_sources_are_found_by_the_folders_of_an_experiment() -> None:
    experiment = making.experiment(driving=["driving/era5/*.grib"], observations=["observations/nnja/*"])
    assert {one.name for one in chosen_sources(experiment, ())} == {"era5", "nnja-prepbufr"}
    assert [one.name for one in chosen_sources(experiment, ("gdas",))] == ["gdas"]
    with pytest.raises(ConfigError, match="No file of the experiment lies in the folder of a source"):
        chosen_sources(making.experiment(), ())
    with pytest.raises(ConfigError, match="There is no source 'ear5'; did you mean 'era5'"):
        chosen_sources(experiment, ("ear5",))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('citation = "none"\n', ""), "source needs citation"),
        (("bytes = 100000", "bites = 1"), "there is no key 'bites'; did you mean 'bytes'"),
        (("bytes = 100000", 'bytes = "1"'), "bytes = '1' is not of the kind that is expected"),
        (("every = 6", "every = 7"), "every = 7 hours does not divide the day"),
        (("{time:%H}", "{tame:%H}"), "nothing gives the name {tame}"),
        (("{time:%H}", "{time:%H"), "is no template ("),
        (("{time:%H}", "{latitude:d}"), "is no template"),
        (("every = 6", 'every = 6\nby_date = {run = {"2024-13-01" = "a"}}'), "by_date.run needs days such as"),
        (
            ("every = 6", 'every = 6\nby_date = {run = {"2024-01-02" = "a", "2023-01-01" = "b"}}'),
            "the days of by_date.run must rise",
        ),
        (("every = 6", 'every = 6\nmessages = ["("]'), "messages has no right expression '('"),
        (("interval_hours = 6.0", "interval_hours = -6.0"), "interval_hours = -6 must be more than 0"),
        (('folder = "driving/made"', 'folder = "../other"'), "must lie under the data folder"),
        (("[[parts]]", "[parts]"), "has no parts"),
        (('use = "driving"', 'use = "flying"'), "use = 'flying'"),
        (("every = 6", "every = "), "cannot be read as a descriptor"),
    ],
)
def test_mistakes_of_a_descriptor_are_told(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    path = Path(making.descriptor(tmp_path, "https://example.org/{time:%H}"))
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(ConfigError) as caught:
        source(str(path))
    assert words in str(caught.value)


def test_a_store_needs_an_interval(tmp_path: Path) -> None:
    path = Path(making.descriptor(tmp_path, "https://example.org/a.zarr", part='layout = "zarr"\nfile = "a.zarr"'))
    path.write_text(path.read_text().replace("interval_hours = 6.0", ""))
    with pytest.raises(ConfigError, match="interval_hours = 0 must be more than 0"):
        source(str(path))


def test_a_fixed_time_is_for_stores_alone_and_needs_no_interval(tmp_path: Path) -> None:
    fixed = 'file = "a.zarr"\ntime = 2020-01-01T00:00:00Z'
    path = Path(making.descriptor(tmp_path, "https://example.org/a.zarr", part=f'layout = "zarr"\n{fixed}'))
    path.write_text(path.read_text().replace("interval_hours = 6.0", ""))
    (item,) = planned(str(path)).items
    assert item.times == (datetime(2020, 1, 1, tzinfo=UTC),)
    path.write_text(path.read_text().replace('layout = "zarr"', ""))
    with pytest.raises(ConfigError, match="part files: time is for the layout zarr alone"):
        source(str(path))


def test_the_keys_of_a_descriptor_are_documented(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "fetching.md").read_text(encoding="utf-8")
    own = text.partition("## A source of one's own")[2]
    named = set(
        re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in own.splitlines() if line.startswith("|")))
    )
    assert named == {one.name for kind in (Source, Part, Account) for one in dataclasses.fields(kind)}
    (example,) = re.findall(r"```toml\n(.*?)```", own, flags=re.DOTALL)
    (tmp_path / "mine.toml").write_text(example)
    assert len(planned(str(tmp_path / "mine.toml"), 12).items) == 3


@given(south=st.floats(-80, 70), height=st.floats(0.5, 10), west=st.floats(-180, 179.9), width=st.floats(0.5, 120))
@settings(max_examples=50, deadline=None)
def test_the_box_holds_its_places_and_is_no_wider_than_needed(
    south: float, height: float, west: float, width: float
) -> None:
    lat, lon = np.meshgrid(np.linspace(south, south + height, 9), np.mod(np.linspace(west, west + width, 60), 360.0))
    area = Area.around(lat, lon, margin=1.0)
    assert area.south <= south
    assert area.north >= min(90.0, south + height)
    assert np.all(np.mod(lon - area.west, 360.0) <= area.width + 1e-6)
    poleward = max(abs(area.south), abs(area.north))
    assert area.width <= min(360.0, width + 2.0 / np.cos(np.deg2rad(poleward)) + 1e-6)
    assert -180.0 <= area.west < 180.0
    north, w, s, east = area.outward(0.25).bounds
    assert s <= area.south
    assert north >= area.north
    assert w < east <= 360.0


def test_boxes_across_the_date_line_and_around_a_pole() -> None:
    fiji = Area.around(np.array([-20.0, -15.0]), np.array([176.0, -178.0]), margin=0.0)
    assert (fiji.west, fiji.width) == (176.0, 6.0)
    assert fiji.tiles()[0] == ("S20", "E176")
    assert ("S16", "W179") in fiji.tiles()
    pole = Area.around(np.array([80.0, 85.0]), np.array([0.0, 120.0]), margin=1.0, pole=True)
    assert (pole.south, pole.north, pole.width) == (79.0, 90.0, 360.0)
    assert pole.bounds == (90.0, -180.0, 79.0, 179.75)


def test_the_box_of_an_experiment_holds_its_coarse_domain() -> None:
    small = area_of(making.experiment())
    assert 14 < small.south < 18
    assert str(small).count("N") == 2
