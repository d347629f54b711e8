"""The examples of docs/recipes.md, each run by itself on a small release, and the page's table of variables.

What can go wrong:
- an example no longer works, or leaves a file empty or without the values of the archive;
- a variable is added and the table does not tell of it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest

import kaiseki
from archive.release.days import date, layout
from kaiseki.archive.release.store import ReleaseStore
from kaiseki.archive.selection.names import JAPANESE
from kaiseki.core.variables import VARIABLES

PAGE: Final = Path(__file__).parents[2] / "docs" / "recipes.md"
DAYS: Final = 3
HEIGHTS: Final = (10.0, 100.0, 300.0)
GROUPS: Final[dict[str, tuple[str | None, dict[str, tuple[float, float]]]]] = {
    "surface": (None, {"temperature_2m": (278.0, 5.0), "eastward_wind_10m": (3.0, 4.0), "snow": (80.0, 60.0),
                       "northward_wind_10m": (-2.0, 4.0), "surface_pressure": (98_000.0, 500.0)}),
    "precipitation": (None, {"precipitation": (2.0, 1.0)}),
    "height_levels": ("height", {"eastward_wind": (6.0, 4.0), "northward_wind": (-3.0, 4.0)}),
    "model_levels": ("level", {"temperature": (275.0, 5.0), "qv": (4e-3, 1e-3), "eastward_wind": (10.0, 4.0),
                               "northward_wind": (-5.0, 4.0), "pressure": (0.0, 20.0)}),
}  # fmt: skip
"""Vertical axis, and mean and amplitude of the variables of each group."""
FILES: Final = {
    "Wind at 100 m": ("wind_100m.csv", "wind_100m.png"),
    "Snow water": ("snow_fukui.png", "snow_fukui.csv"),
    "Along a flight": ("flight.csv", "flight.png"),
    "Hundreds of places": ("temperature_wide.csv", "temperature.parquet"),
    "Daily maxima": ("maxima.csv",),
    "A day as GRIB 2": ("day.grib2",),
}
"""Files that each example leaves, by the beginning of its heading."""


def values(group: str, name: str, day: int) -> np.ndarray:
    """A day of a variable (time, [level,] y, x): waves in time and space of its own phase."""
    mean, amplitude = GROUPS[group][1][name]
    phase = float(sum(map(ord, name)) % 7)
    hour = 24.0 * day + np.arange(24.0)[:, None, None, None]
    z, y, x = np.arange(3.0)[:, None, None], np.arange(5.0)[:, None], np.arange(6.0)
    result = mean + amplitude * np.sin(hour / 5.0 + phase + 0.5 * z) * np.cos(0.7 * y + 0.4 * x + phase)
    if name == "pressure":
        result = result + 95_000.0 * np.exp(-np.array([250.0, 1250.0, 4000.0]) / 8000.0)[:, None, None]
    if name == "snow":
        result = np.maximum(result, 0.0)
    return (result if GROUPS[group][0] else result[:, 0]).astype(np.float32)


@pytest.fixture(scope="module")
def folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the examples take for granted."""
    found = tmp_path_factory.mktemp("recipes")
    (found / "out").mkdir()
    with ReleaseStore.create(found / "out" / "release", layout(DAYS, pressures=(), heights=HEIGHTS)) as store:
        store.add_variables({(group, name): row[0] for group, row in GROUPS.items() for name in row[1]})
        for day in range(DAYS):
            with store.day("one", date(day)) as writer:
                for group, (_, rows) in GROUPS.items():
                    for name in rows:
                        writer.write(group, name, values(group, name, day))
        store.publish("v1")
    borders = data / "static" / "japan_prefectures_s0010.geojson"
    (found / "prefectures.geojson").write_bytes(borders.read_bytes())
    random = np.random.default_rng(0)
    table = pd.DataFrame({"name": [f"place {number}" for number in range(500)]})
    surface = kaiseki.open(found / "out" / "release", "surface")
    rows, columns = random.integers(0, 5, 500), random.integers(0, 6, 500)
    table["lon"], table["lat"] = surface["lon"].values[rows, columns], surface["lat"].values[rows, columns]
    table.to_csv(found / "places.csv", index=False)
    return found


def examples() -> dict[str, str]:
    """The examples of the page by their headings."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    blocks = {
        section.split("\n")[0]: re.findall(r"^```python\n(.*?)^```", section, re.M | re.S) for section in sections
    }
    assert all(len(block) <= 1 for block in blocks.values())
    return {heading: block[0] for heading, block in blocks.items() if block}


def run(beginning: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Names that an example binds, after it has left its files."""
    heading, code = next((one, code) for one, code in examples().items() if one.startswith(beginning))
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(compile(code, f"docs/recipes.md: {heading}", "exec"), names)
    for file in FILES[beginning]:
        content = (folder / file).read_bytes()
        assert content
        if file.endswith(".png"):
            assert content.startswith(b"\x89PNG")
    return names


def test_every_example_is_run() -> None:
    assert [any(heading.startswith(one) for one in FILES) for heading in examples()] == [True] * len(FILES)


def test_wind_at_a_site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("Wind at 100 m", folder, monkeypatch)
    table = pd.read_csv(folder / "wind_100m.csv", index_col=0, parse_dates=True)
    assert table.index[[0, -1]].astype(str).tolist() == ["1989-01-02 00:00:00", "1989-01-02 23:00:00"]
    here = kaiseki.open(folder / "out/release", "height_levels").kaiseki.points(136.2, 36.1).isel(height=1)
    here = here.sel(time=slice("1989-01-01T15:00", "1989-01-02T14:00"))
    east, north = here["eastward_wind"].values, here["northward_wind"].values
    np.testing.assert_allclose(table["wind_speed"], np.hypot(east, north), atol=0.006)
    angle = np.deg2rad(table["wind_from_direction"].values)
    np.testing.assert_allclose(-np.sin(angle) * np.hypot(east, north), east, atol=0.01)
    np.testing.assert_allclose(-np.cos(angle) * np.hypot(east, north), north, atol=0.01)


def test_snow_of_a_prefecture(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = run("Snow water", folder, monkeypatch)
    snow = names["snow"]
    assert snow.dims == ("time", "y", "x")
    assert snow.attrs["units"] == "mm"
    listed = kaiseki.open(folder / "out/release", "surface").kaiseki.prefecture(
        18, folder / "prefectures.geojson", outside="drop"
    )["snow"]
    largest = names["maps"]["largest"].values
    within = listed.sel(time=slice("1988-12-31T15:00", "1989-01-03T14:00"))
    np.testing.assert_allclose(np.sort(largest[~np.isnan(largest)]), np.sort(within.max("time").values))
    assert names["maps"]["last"]["time"] == within["time"][-1]
    mean = pd.read_csv(folder / "snow_fukui.csv", index_col=0)["snow"]
    assert len(mean) == 24 * DAYS
    assert (mean.values <= listed.max("cell").values + 1e-3).all()


def test_a_flight(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = run("Along a flight", folder, monkeypatch)
    table = pd.read_csv(folder / "flight.csv")
    assert table["altitude"].tolist() == [1500.0, 2500.0, 3000.0]
    column = kaiseki.open(folder / "out/release", "model_levels").kaiseki.profile(
        136.4, 36.1, "1989-01-02T03:10Z", "bilinear"
    )
    expected = np.interp(2500.0, column["altitude"], column["temperature"]) - 273.15
    # In each of four columns, not in one column between them.
    assert table["temperature"][1] == pytest.approx(expected, abs=0.3)
    assert names["flight"]["eastward_wind"].attrs["units"] == "kt"


def test_many_places(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("Hundreds of places", folder, monkeypatch)
    wide = pd.read_csv(folder / "temperature_wide.csv", index_col=0, parse_dates=True)
    assert wide.shape == (24, 500)
    tall = pd.read_parquet(folder / "temperature.parquet")
    one = tall[tall["name"] == "place 7"]
    np.testing.assert_allclose(one["temperature_2m"], wide["place 7"], atol=0.006)
    places = pd.read_csv(folder / "places.csv")
    assert set(zip(one["lon"], one["lat"], strict=True)) == {(places["lon"][7], places["lat"][7])}


def test_daily_maxima(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("Daily maxima", folder, monkeypatch)
    table = pd.read_csv(folder / "maxima.csv", index_col=0)
    assert table.index.tolist() == ["1989-01-02", "1989-01-03"]
    here = kaiseki.open(folder / "out/release", "surface").kaiseki.points([136.2, 136.6], [36.1, 36.0])
    hours = here["temperature_2m"].sel(time=slice("1989-01-01T16:00", "1989-01-02T15:00"))
    np.testing.assert_allclose(table.values[0], hours.max("time").values - 273.15, atol=0.06)


def test_a_day_of_grib(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    names = run("A day as GRIB 2", folder, monkeypatch)
    assert names["written"].fields == 24 * 6
    assert {"PRMSL", "APCP", "TMP"} <= set(names["written"].largest_errors)
    assert capsys.readouterr().out.startswith("144 ")


def table_of_variables() -> str:
    """The table of the page."""
    japanese: dict[str, list[str]] = {}
    for word, stands_for in JAPANESE.items():
        for name in stands_for:
            japanese.setdefault(name, []).append(word)
    places = {"air": "levels of the air", "surface": "surface", "soil": "levels of the soil"}
    kinds = {
        "time: point": "instant",
        "time: sum": "sum of the interval before",
        "time: mean": "mean of the interval before",
    }
    lines = ["| name | what | unit | where | time | Japanese |", "|---|---|---|---|---|---|"]
    for name, row in VARIABLES.items():
        cells = [
            f"`{name}`",
            row.long_name,
            row.units,
            places[row.levels],
            kinds.get(row.cell_methods, "does not change"),
            ", ".join(japanese.get(name, [])),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


BEGIN, END = "python -m archive.test_recipes -->\n", "\n<!-- end of table -->"


def test_the_table_of_variables_is_that_of_the_program() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text[text.index(BEGIN) + len(BEGIN) : text.index(END)] == table_of_variables()


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    start = page.index(BEGIN) + len(BEGIN)
    PAGE.write_text(page[:start] + table_of_variables() + page[page.index(END) :], encoding="utf-8")
