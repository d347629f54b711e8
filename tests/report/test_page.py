"""The page: every section, nothing from outside, clear sentences where something is missing."""

from __future__ import annotations

import base64
import json
import re
import resource
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaiseki.core.errors import ConfigError, InputError, ResourceError, StoreError
from kaiseki.report import make_report
from kaiseki.report.words import FLAG_WORDS, limits
from kaiseki.verification.run import Judgement
from report import synthetic

SECTIONS = "verdict scores weather departures cycles network inventory archive limits credits".split()
VOID = {"meta", "img", "br", "link", "path", "use", "rect", "circle"}


class Page(HTMLParser):
    """What the tests ask of a page; fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.identities: list[str] = []
        self.addresses: list[str] = []
        self.images: list[dict[str, Any]] = []
        self.charts: list[dict[str, Any]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if found.get("id"):
            self.identities.append(str(found["id"]))
        self.addresses += [str(found[name]) for name in ("src", "href", "xlink:href") if found.get(name)]
        if tag == "img":
            self.images.append(found)
        if tag == "svg":
            self.charts.append(found)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def text(twin: Path, judged: Judgement) -> str:
    return make_report(twin, judgement=judged).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_every_section_is_there(page: Page):
    assert set(SECTIONS) <= set(page.identities)
    assert len(page.identities) == len(set(page.identities))
    for words in (
        "Synthetic winter day over Japan",
        "1989-01-01 18:00 UTC (02 Jan 03:00 JST)",
        "dry total-energy norm",
        "smaller error",
        "Against withheld observations",
        "Against truth",
        "optimal interpolation",
        'kaiseki.open("twin/analysis.store")',
        "made by this program",
        "too far from the background",
        "What this run cannot do",
    ):
        assert words in page.text


def test_japan_standard_time_is_shown_in_japan_only(copy: Path, judged: Judgement, page: Page):
    assert "Times are UTC, with Japan Standard Time beside them." in page.text
    toml = (copy / "experiment.toml").read_text()
    (copy / "experiment.toml").write_text(toml.replace('preset = "japan', 'reference_latitude = 10.0\npreset = "japan'))
    elsewhere = Page(make_report(copy, judgement=judged).read_text(encoding="utf-8"))
    assert "1989-01-01 18:00 UTC" in elsewhere.text
    assert "JST" not in elsewhere.text
    assert "Japan Standard Time" not in elsewhere.text
    assert "Times are UTC." in elsewhere.text


def test_nothing_comes_from_outside(page: Page, text: str):
    for address in page.addresses:
        assert address.startswith(("#", "data:"))
    assert not re.search(r"@import|url\((?!#)|<script", text)


def test_pictures_have_words(page: Page):
    assert len(page.images) == 10  # six weather maps, increments, uncertainty, stations, inventory
    assert len(page.charts) == 7  # profiles, histograms, truth, pressure, tendency, minimisation, consistency
    for picture in page.images:
        assert len(picture["alt"]) > 40
        assert base64.b64decode(picture["src"].split(",")[1])[:4] == b"\x89PNG"
    for chart in page.charts:
        assert chart["role"] == "img"
        assert len(chart["aria-label"]) > 40
    maps = " ".join(picture["alt"] for picture in page.images)
    for words in ("mean sea level", "500 hPa", "250 hPa", "850 hPa", "precipitation", "minus background", "reports"):
        assert words in maps


def test_charts_follow_the_colours_of_the_page(text: str):
    charts = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert all("var(--ink)" in chart for chart in charts)
    assert not re.search(r"#010203|#040506|#070809", text)
    # References point to a definition in their own chart.
    for chart in charts:
        for name in re.findall(r"url\(#([^)]+)\)|xlink:href=\"#([^\"]+)\"", chart):
            assert f'id="{"".join(name)}"' in chart


def test_inventory_is_whole(page: Page):
    link = next(address for address in page.addresses if address.startswith("data:text/csv"))
    lines = base64.b64decode(link.split(",")[1]).decode().splitlines()
    rows = synthetic.inventory()
    assert len(lines) == 1 + len(rows)
    assert lines[1].startswith(f"sonde,air_temperature,{rows[0]['time']},-180,30,{rows[0]['values']},")
    total = f"{sum(row['values'] for row in rows if row['kind'] == 'ship'):,}".replace(",", " ")
    assert f"ship: {total} values" not in page.text  # that is in the picture; the table has it in cells
    assert total in page.text


def test_scores_in_the_page_are_those_of_the_rows(page: Page, judged: Judgement):
    row = next(
        row
        for row in judged.rows
        if (row["experiment"], row["against"], row["variable"], row["level"])
        == ("analysis", "withheld", "wind", "850-250")
        and row["time"] == "1989-01-01T18:00Z"
    )
    assert f"{row['rms']:.2f}" in page.text
    assert f"{row['rms_low']:.2f} – {row['rms_high']:.2f}" in page.text


def test_only_the_analysis_is_needed(copy: Path):
    for name in ("optimal_interpolation", "free_run", "driving", "truth"):
        shutil.rmtree(copy / f"{name}.store")
    (copy / "inventory.json").unlink()
    text = Page(make_report(copy, "A title of its own").read_text(encoding="utf-8")).text
    for words in (
        "A title of its own",
        "no free_run.store",
        "no driving.store",
        "no optimal_interpolation.store",
        "no truth.store",
        "There is no run without assimilation",
        "no inventory.json",
        "Against withheld observations",
    ):
        assert words in text


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with fields and nothing else."""
    path = tmp_path_factory.mktemp("bare") / "run"
    synthetic.make_run(
        path, kind="real", stores=("analysis",), cycles=1, with_diagnostics=False, with_tables=False, with_errors=False
    )
    return path


def test_a_run_without_observations_and_diagnostics(bare: Path):
    page = Page(make_report(bare).read_text(encoding="utf-8"))
    for words in ("no scores", "No departures", "No cycle wrote its cost", "No observation table", "NCEP PREPBUFR"):
        assert words in page.text
    assert len(page.images) == 8


def test_partly_filled_diagnostics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    odd = {
        "engine": "none",
        "cost": [None, 3.0],
        "desroziers": [{"kind": "sonde"}],
        "surface_pressure_tendency": {"after": 40.0},
        "counts": {},
    }
    monkeypatch.setattr(synthetic, "diagnostics", lambda cycle: odd)
    run = synthetic.make_run(tmp_path / "odd", stores=("analysis",), cycles=1)
    assert "none" in Page(make_report(run).read_text(encoding="utf-8")).text


def test_missing_things_are_named(tmp_path: Path, copy: Path):
    with pytest.raises(InputError, match="no run directory"):
        make_report(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match=r"no analysis\.store"):
        make_report(tmp_path / "empty")
    (copy / "inventory.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        make_report(copy)
    (copy / "inventory.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match="list of rows"):
        make_report(copy)
    (copy / "inventory.json").write_text('[{"kind": "sonde", "values": 3}]')
    with pytest.raises(InputError, match=r"inventory\.json has a row without greatest, least, mean, quantity"):
        make_report(copy)
    (copy / "inventory.json").unlink()
    for text, words in (("3", "no table of names"), ('{"groups": []}', "without against, change"), ("{", "as JSON")):
        (copy / "impact.json").write_text(text)
        with pytest.raises(InputError, match=rf"impact\.json .*{words}"):
            make_report(copy)
    (copy / "impact.json").unlink()
    (copy / "experiment.toml").unlink()
    with pytest.raises(ConfigError, match=r"experiment\.toml"):
        make_report(copy)


def test_how_sure_the_analysis_is_stands_beside_how_right_it_was(page: Page, judged: Judgement):
    rows = [row for row in judged.rows if "expected" in row and row["variable"] == "surface_air_pressure"]
    assert len(rows) == 2, "one per analysis after the cold start"
    assert rows[0]["expected"] == pytest.approx(np.hypot(55.0, synthetic.SIGMA["surface_pressure"]), rel=1e-3)
    table = page.text.partition("How sure the analysis is")[2]
    for row in rows:
        assert f"{row['expected'] / row['rms']:.2f}" in table
    assert "is thought to be: little where observations are many. Errors made up for a test." in page.text
    assert "only as good as the errors assumed" in page.text
    assert "does not say how uncertain" not in page.text


def test_an_archive_without_errors_says_so(bare: Path):
    text = Page(make_report(bare).read_text(encoding="utf-8")).text
    assert "The archive does not say how uncertain a single value is." in text
    assert "No uncertainty of the analysis was compared" in text
    assert "only as good as the errors assumed" not in text


@pytest.mark.parametrize(("engine", "said"), [("3dfgat", True), ("hybrid", False), ("4dvar", False)])
def test_limits_follow_the_engine(engine: str, said: bool):
    assert any("three-dimensional" in sentence for sentence in limits(engine, knows_errors=True)) == said


def test_what_the_surface_started_without_stands_among_the_limits() -> None:
    surface = {"sea_ice": "driving data", "snow": "cold start: no snow on the ground", "soil_moisture": "driving data"}
    named = [one for one in limits("4dvar", knows_errors=True, surface=surface) if "driving data told nothing" in one]
    assert named == ["The driving data told nothing of these, so the run started with: no snow on the ground."]
    assert limits("4dvar", knows_errors=True, surface={"snow": "driving data"}) == limits("4dvar", knows_errors=True)


def test_titles_cannot_break_the_page(bare: Path):
    text = make_report(bare, '<b>"Tom & Jerry"</b>').read_text(encoding="utf-8")
    assert "&lt;b&gt;" in text
    assert "<b>&#34;" not in text


def test_reasons_follow_the_flags():
    from kaiseki.observations.flags import Flag

    assert len(FLAG_WORDS) == len(Flag)
    for flag, word in (
        (Flag.BUDDY, "disagrees with neighbours"),
        (Flag.THINNED, "thinned"),
        (Flag.MONITORED, "only monitored"),
        (Flag.NO_EQUIVALENT, "no model equivalent"),
        (Flag.SUSPECT, "suspect"),
    ):
        assert FLAG_WORDS[int(np.log2(flag))] == word


def test_scores_are_json(twin: Path, judged: Judgement, tmp_path: Path):
    from kaiseki.archive.run import Run
    from kaiseki.verification.run import write_scores

    rows = json.loads(write_scores(Run(twin), judged).read_text(encoding="utf-8"))
    assert rows == json.loads(json.dumps(judged.rows + judged.distance_rows))
    assert {row["against"] for row in rows} == {"truth", "withheld", "assimilated"}


def test_a_full_disk_is_told_and_the_old_page_stays(copy: Path, judged: Judgement):
    (copy / "report.html").write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(ResourceError, match=r"report\.html would pass the file size limit"):
            make_report(copy, judgement=judged)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (copy / "report.html").read_text() == "old"
    assert not list(copy.glob("*.part"))
