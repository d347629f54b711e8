"""The page: sections of the report filled from a run and written as one HTML file."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import xarray as xr

from kaiseki.archive import on_pressure_levels
from kaiseki.archive.run import Run
from kaiseki.archive.store.metadata import program_version
from kaiseki.core.files import write_text
from kaiseki.core.timing import JST, civil_time, format_utc, label
from kaiseki.report import by_distance, charts, impact, maps, network, release, series, tables, words
from kaiseki.report.basemap import Basemap, coast_files
from kaiseki.report.style import Picture
from kaiseki.report.weather import weather
from kaiseki.verification import consistency_rows, pool
from kaiseki.verification.run import Judgement, departures_at, judge


def make_report(
    run_directory: Path,
    title: str | None = None,
    *,
    data_root: Path | None = None,
    judgement: Judgement | None = None,
) -> Path:
    """Write `report.html` of a run into its directory, whole or not at all.

    Args:
        run_directory: see docs/architecture.md; what is not there is named in the report.
        title: title of the page; without it that of the case.
        data_root: folder that `domain.coast_files` of the experiment is relative to; without it the coast is the half
            land contour of the grid.
        judgement: scores of the run if they are at hand (`judge`); computed without them.

    Returns:
        Path of the report.

    Raises:
        InputError: no such directory, or a file of coastlines that cannot be read.
        ConfigError: `experiment.toml` is missing or wrong.
        StoreError: there is no `analysis.store`, it has no complete cycle, or the page cannot be written.
        ResourceError: the disk is full.
    """
    run = Run(Path(run_directory))
    # A fault in a file is told before the long part.
    inventory, effects = run.inventory(), impact.read(run.folder.path)
    base = Basemap(run.domain, coast_files(run.experiment.domain.coast_files, data_root))
    judgement = judge(run) if judgement is None else judgement
    with civil_time(run.experiment.civil_time):
        context = _context(run, title, base, inventory, effects, judgement)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kaiseki.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("report.html.j2").render(context)
    return write_text(run.folder.report, text)


def _context(
    run: Run,
    title: str | None,
    base: Basemap,
    inventory: list[dict[str, Any]],
    effects: Mapping[str, Any] | None,
    judgement: Judgement,
) -> dict[str, Any]:
    experiment, last = run.experiment, run.cycles[-1]
    main = run.main_time if run.main_time is not None else last
    diagnostics = run.diagnostics()
    consistency = consistency_rows(diagnostics)
    settings = experiment.verification
    return {
        "title": title or experiment.case.title or experiment.case.name,
        "case": experiment.case.name,
        "kind": experiment.case.kind,
        "subtitle": _subtitle(run),
        "main_time": label(main),
        "last_time": label(last),
        "headline": _headline(run, judgement, main),
        "cards": tables.cards(judgement, main, last),
        "scores": tables.scores(judgement.rows, main, last),
        "confidence": f"{100 * settings.confidence:g}",
        "minimum": settings.minimum_count,
        "missing": [*experiment.remarks.values(), *(_MISSING[name] for name in run.missing)],
        "weather": _weather(run, base, last),
        "departures": _departures(run, main),
        "cycles": [
            *_each(series.energy_series, judgement.rows),
            *_each(series.pressure_series, judgement.rows),
            *_each(series.tendencies, diagnostics),
        ],
        "by_distance": by_distance.tables(judgement.distance_rows),
        "calibration": tables.calibration(judgement.rows),
        "cycle_table": tables.cycles(diagnostics),
        "minimisation": _each(series.minimisation, diagnostics),
        "impact": _each(impact.impact_chart, effects),
        "consistency": _each(series.consistency, consistency),
        "network": _network(run, base, main),
        "rejections": tables.rejections(run),
        "inventory": _inventory(inventory),
        "facts": tables.facts(run),
        **dict(zip(("release_maps", "release_series"), release.release_pictures(run, base), strict=True)),
        "open_line": _open_line(run),
        "credits": words.credits(experiment, _sources(run)),
        "limits": words.limits(
            experiment.assimilation.engine,
            knows_errors=any(run.errors(time) is not None for time in run.cycles),
            surface=next((one["surface"] for one in diagnostics.values() if "surface" in one), None),
        ),
        "clock": _clock(experiment.civil_time),
        "version": program_version(),
    }


def _open_line(run: Run) -> str:
    """The line of Python that opens what users read: the release, or the analysis where there is none."""
    if run.folder.release.is_dir():
        return f'kaiseki.open("{run.folder.path.name}/release", "surface")'
    return f'kaiseki.open("{run.folder.path.name}/analysis.store")'


def _clock(zone: tzinfo | None) -> str:
    """Words for the civil time beside UTC, empty for none."""
    return "" if zone is None else "Japan Standard Time" if zone is JST else f"the civil time of {zone}"


_MISSING = {
    "free_run": "This run has no free_run.store, so there is no model without assimilation to compare with.",
    "driving": "This run has no driving.store, so the analysis cannot be compared with the fields that drive it.",
    "optimal_interpolation": "This run has no optimal_interpolation.store, so the two analyses cannot be compared.",
    "truth": "This twin experiment has no truth.store, so its fields cannot be compared with the truth.",
}


def _each(draw: Callable[[Any], Picture | None], of: Any) -> list[Picture]:
    """The picture as a list of one, or of none."""
    picture = draw(of)
    return [] if picture is None else [picture]


def _subtitle(run: Run) -> str:
    domain = run.domain
    return (
        f"{label(run.cycles[0])} to {label(run.cycles[-1])} · {domain.nx} × {domain.ny} × {domain.nz} cells of "
        f"{domain.spacing / 1000:g} km · {run.cycles.size} analyses"
    )


def _headline(run: Run, judgement: Judgement, main: np.datetime64) -> list[dict[str, Any]]:
    """Tiles of the verdict: against the truth, where there is one, and against withheld observations."""
    moment = format_utc(main)
    found = []
    for title, unit, card in (
        ("Against the truth", "cells", judgement.truth_card),
        ("Against withheld observations", "values", judgement.card),
    ):
        rows = [row for row in card if row["time"] == moment and row["against"] != "assimilated"]
        tiles = words.tiles(rows, unit)
        if tiles:
            found.append({"title": title, "tiles": tiles})
    return found


def _weather(run: Run, base: Basemap, time: np.datetime64) -> list[Picture]:
    dataset = run.fields("analysis", time)
    if dataset is None:
        return []
    now = weather(dataset, run.domain)
    pictures = maps.weather_maps(now, base, time)
    pictures += _precipitation(run, base, time)
    before = run.fields("analysis", time, background=True)
    if before is not None:
        pictures.append(maps.increment_map(now, weather(before, run.domain), base, time))
    if "temperature_spread" in dataset:
        pictures.append(_uncertainty(dataset, base, time))
    return pictures


def _uncertainty(dataset: xr.Dataset, base: Basemap, time: np.datetime64) -> Picture:
    """The uncertainty of the analysis on pressure levels."""
    names = [f"{name}_spread" for name in ("temperature", "eastward_wind", "northward_wind")]
    found = on_pressure_levels(dataset, (85_000.0, 50_000.0, 25_000.0), names)
    temperature, east, north = (found[name].values.astype(float) for name in names)
    wind = np.hypot(east, north)
    # Archives made before the ground had its own variable.
    known = "surface_pressure_spread" in dataset
    ground = (dataset["surface_pressure_spread"] if known else dataset["pressure_spread"][0]).values.astype(float)
    made = str(dataset["temperature_spread"].attrs.get("comment", ""))
    return maps.uncertainty_map(ground, temperature[0], (wind[1], wind[2]), base, time, made)


def _precipitation(run: Run, base: Basemap, time: np.datetime64) -> list[Picture]:
    """Sum of the forecast precipitation of the window that ends at a time."""
    start = time - run.experiment.period.window
    rain, found = np.zeros(run.domain.shape[1:]), False
    for moment in run.analysis.times[(run.analysis.times > start) & (run.analysis.times <= time)]:
        dataset = run.fields("analysis", moment, background=True)
        if dataset is not None and "precipitation" in dataset:
            rain, found = rain + np.nan_to_num(dataset["precipitation"].values.astype(float)), True
    return [maps.precipitation_map(rain, base, start, time)] if found else []


def _departures(run: Run, main: np.datetime64) -> list[Picture]:
    found = {time: departures_at(run, time) for time in run.observed_cycles}
    tables_ = {time: table for time, table in found.items() if table is not None and len(table)}
    pictures: list[Picture | None] = []
    if main in tables_:
        withheld = tables_[main].against("withheld")
        pictures.append(charts.profiles(withheld, f"withheld soundings inside the rim, {label(main)}"))
    both = [table for table in tables_.values() if {"analysis", "background"} <= set(table.values)]
    if both:
        kept = [table.keep("background", "analysis").against("assimilated") for table in both]
        pictures.append(charts.histograms(pool(kept)))
    return [picture for picture in pictures if picture is not None]


def _network(run: Run, base: Basemap, time: np.datetime64) -> list[Picture]:
    table = run.table("analysis", time)
    return [] if table is None else [network.station_map(table, base, time)]


def _inventory(rows: list[dict[str, Any]]) -> dict[str, Any]:
    data = base64.b64encode(network.inventory_csv(rows).encode()).decode()
    return {
        "pictures": _each(network.inventory_maps, rows),
        "by_kind": tables.inventory(network.inventory_table(rows, ("kind", "quantity"))),
        "by_time": tables.inventory(network.inventory_table(rows, ("kind", "quantity", "time"))),
        "by_place": tables.inventory(network.inventory_table(rows, ("kind", "quantity", "south", "west"))),
        "rows": len(rows),
        "csv": f"data:text/csv;base64,{data}",
    }


def _sources(run: Run) -> Sequence[tuple[str, str]]:
    """Pairs (source, licence) of the observation tables; sources are file names, of which the folder says nothing."""
    found: set[tuple[str, str]] = set()
    for time in run.observed_cycles:
        table = run.table("analysis", time)
        assert table is not None
        if "source" in table and "licence" in table:
            found |= set(zip(table["source"].tolist(), table["licence"].tolist(), strict=True))
    return sorted(found)
