"""`python -m validation.driven_forecast`: both cases or one, figures and tables."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from time import perf_counter
from typing import Any

from kaiseki.core.progress import duration, say
from kaiseki.grid import Domain
from validation import driven_forecast, shelf
from validation.driven_forecast import figures, merra2, ruc13
from validation.driven_forecast.forecast import Hourly, run

RESULTS = shelf.HERE / "driven_forecast.json"
SPACINGS = {"merra2": 20e3, "ruc13": 15e3}
"""Spacings of the published runs, m."""


def forecast(case: Any, name: str, domain: Domain, given: argparse.Namespace) -> Hourly:
    """The forecast of a case: run, or read back where the folder holds it already."""
    path = given.out / f"{name}_{domain.spacing / 1e3:g}km.npz"
    if path.exists() and not given.again:
        say(f"{path}: read back; --again runs the forecast anew")
        return Hourly.load(path, domain)
    began = perf_counter()
    made = run(domain, case.files(given.data), case.START, case.HOURS, name)
    say(f"{name}: {domain.ny} x {domain.nx} x {domain.nz} cells, {duration(perf_counter() - began)}")
    made.save(path)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=driven_forecast.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("out/driven_forecast"), help="folder of the forecasts")
    parser.add_argument("--case", choices=tuple(SPACINGS), action="append", help="one case alone; may be repeated")
    parser.add_argument("--spacing", type=float, metavar="KM", help="another spacing; nothing is recorded then")
    parser.add_argument("--again", action="store_true", help="run forecasts that the folder holds already")
    given = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in given.case or tuple(SPACINGS):
        case: Any = {"merra2": merra2, "ruc13": ruc13}[name]
        spacing = 1e3 * given.spacing if given.spacing else SPACINGS[name]
        made = forecast(case, name, case.domain_of(given.data, spacing), given)
        other = case.read(given.data)
        found = {"spacing": spacing, "cells": list(made.domain.shape)} | case.compare(made, other)
        folder = given.out if given.spacing else shelf.FIGURES
        coast = given.data / "static/ne_50m_coastline.geojson"
        figures.DRAW[name](made, other, found, folder, coast)
        if given.spacing:
            print(json.dumps(found, indent=1))
            continue
        results[name] = found
        RESULTS.write_text(in_lines(results))
        if name == "merra2":
            shelf.record(driven_forecast.rows(found))


def in_lines(results: dict[str, Any]) -> str:
    """JSON with a line for every list of numbers, of six digits."""
    text = json.dumps(rounded(results), indent=1)
    return re.sub(r"\[[-+.,\de\s]*\]", lambda found: " ".join(found[0].split()), text) + "\n"


def rounded(value: Any) -> Any:
    """A JSON value with six digits of every number."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
