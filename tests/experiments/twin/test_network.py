"""The network: real stations at plausible places, and reports of every kind inside the window."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from kaiseki.core.timing import Window
from kaiseki.experiments.twin import network
from kaiseki.experiments.twin.reports import blank_reports
from kaiseki.grid import Domain, island_arc
from kaiseki.grid.presets import preset
from kaiseki.observations import Table
from kaiseki.observations.windows import report_times

NETWORKS = {"sondes": network.SONDES, "surface": network.SURFACE, "profilers": network.PROFILERS}
KINDS_OF_THE_NETWORK = {"sonde", "pilot", "synop", "ship", "buoy", "aircraft", "satwind"}
WINDOW = Window(np.datetime64("1989-01-01T09:00:00"), np.datetime64("1989-01-01T12:00:00"))
# WMO block number: least and largest latitude and longitude of its country.
BLOCKS = {
    "31": (42, 60, 120, 140),
    "32": (45, 60, 140, 165),
    "45": (22, 23, 113, 115),
    "46": (21, 26, 119, 123),
    "47": (24, 46, 122, 154),
    **{str(block): (18, 54, 73, 135) for block in (50, 51, 52, 53, 54, 55, 56, 57, 58, 59)},
}


@pytest.fixture(scope="module")
def domain() -> Domain:
    flat = preset("japan-60km")
    return flat.with_terrain(*island_arc.on(flat))


@pytest.fixture(scope="module")
def reports(domain: Domain) -> Table:
    return blank_reports(domain, WINDOW, seed=1)


def away(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Distance of two places on the same side of the globe, km."""
    return float(111.2 * np.hypot(a[0] - b[0], (a[1] - b[1]) * np.cos(np.deg2rad(a[0]))))


@pytest.mark.parametrize("name", NETWORKS)
def test_numbers_are_those_of_the_wmo_and_lie_in_their_country(name: str) -> None:
    for number, (lat, lon) in NETWORKS[name].items():
        assert len(number) == 5
        assert number.isdecimal()
        south, north, west, east = BLOCKS[number[:2]]
        assert south <= lat <= north, number
        assert west <= lon <= east, number


def test_no_station_stands_twice() -> None:
    assert not set(network.SONDES) & set(network.SURFACE)
    places = {**network.PROFILERS, **network.SONDES, **network.SURFACE}
    numbers = sorted(places)
    near = [(a, b) for k, a in enumerate(numbers) for b in numbers[k + 1 :] if away(places[a], places[b]) < 10.0]
    assert near == []


def test_a_profiler_at_a_station_stands_where_the_station_stands() -> None:
    others = {**network.SONDES, **network.SURFACE}
    shared = set(network.PROFILERS) & set(others)
    assert len(shared) > 5
    assert all(away(network.PROFILERS[number], others[number]) < 1.0 for number in shared)


@pytest.mark.parametrize("name", NETWORKS)
def test_most_stations_lie_inside_the_region(name: str, domain: Domain) -> None:
    lat, lon = np.array(list(NETWORKS[name].values())).T
    j, i = domain.index(lat, lon)
    inside = (j >= 0) & (j <= domain.ny - 1) & (i >= 0) & (i <= domain.nx - 1)
    assert inside.mean() > 0.9


def test_every_kind_reports(reports: Table) -> None:
    assert set(np.unique(reports.column("kind"))) == KINDS_OF_THE_NETWORK
    sondes = reports.take(reports.where(kind="sonde"))
    assert set(np.unique(sondes.column("quantity"))) == {
        *("air_temperature", "specific_humidity", "eastward_wind", "northward_wind"),
        *("surface_pressure", "geopotential_height"),
    }
    assert sondes.count_reports() > 50


def test_reports_stay_inside_the_window_and_the_domain(reports: Table, domain: Domain) -> None:
    times = report_times(reports)
    assert times.min() > WINDOW.start
    assert times.max() <= WINDOW.end
    j, i = domain.index(reports.column("latitude"), reports.column("longitude"))
    assert j.min() >= 0
    assert j.max() <= domain.ny - 1
    assert i.min() >= 0
    assert i.max() <= domain.nx - 1
    # Balloons rise for an hour and a half: the window holds the report, not each of its levels.
    assert (reports.column("time") - times).max() < np.timedelta64(2 * 3600, "s")


def test_neighbouring_windows_share_no_hour(domain: Domain) -> None:
    """A report at the hour belongs to the window that ends there, and to no other."""
    hours = [np.datetime64(f"1989-01-01T{hour:02d}:00:00") for hour in (6, 9, 12)]
    found = []
    for start, end in pairwise(hours):
        table = blank_reports(domain, Window(start, end), seed=1)
        found.append(np.unique(table.take(table.where(kind="synop")).column("time")).tolist())
    assert found == [[hours[1].item()], [hours[2].item()]]


def test_ships_are_at_sea_and_stations_on_the_ground(reports: Table, domain: Domain) -> None:
    ships = reports.take(reports.where(kind=("ship", "buoy")))
    j, i = (np.rint(index).astype(int) for index in domain.index(ships.column("latitude"), ships.column("longitude")))
    assert (domain.land_fraction[j, i] < 0.5).all()
    assert (ships.column("station_elevation") == 0.0).all()
    synop = reports.take(reports.where(kind="synop"))
    elevation = synop.column("station_elevation")
    assert elevation.min() >= 2.0
    assert elevation.max() <= domain.terrain.max()


def test_reports_of_a_seed_are_the_same_again(reports: Table, domain: Domain, tmp_path: Path) -> None:
    def written(table: Table) -> bytes:
        table.to_parquet(tmp_path / "reports.parquet")
        return (tmp_path / "reports.parquet").read_bytes()

    assert written(blank_reports(domain, WINDOW, seed=1)) == written(reports)
    assert written(blank_reports(domain, WINDOW, seed=2)) != written(reports)


def test_a_thinner_network_is_part_of_the_fuller_one(reports: Table, domain: Domain) -> None:
    half = blank_reports(domain, WINDOW, seed=1, density=0.5)
    names = set(np.unique(half.column("station")))
    everyone = set(np.unique(reports.column("station")))
    assert names < everyone
    assert 0.4 < len(names) / len(everyone) < 0.6
    kept = reports.take(np.isin(reports.column("station"), list(names)))
    assert len(kept) == len(half)
    np.testing.assert_array_equal(kept.column("latitude"), half.column("latitude"))
    assert len(blank_reports(domain, WINDOW, seed=1, density=0.0)) == 0
