"""A program for a process in which the example distributions are installed: prints as JSON what they do.

python with_plugins.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from assimilation import worlds
from cycle import small
from kaiseki.archive import RunStore
from kaiseki.assimilation import departures
from kaiseki.config import Assimilation, Experiment
from kaiseki.core.timing import Window
from kaiseki.cycle import observing
from kaiseki.cycle.analyst import layer_interfaces
from kaiseki.driving import read_global
from kaiseki.experiments.baselines import run_experiment
from kaiseki.observations import QUANTITIES, Table, usable
from kaiseki.statistics import ANALYSIS_VARIABLES

GRID = worlds.domain(hill=0.0)
SETTINGS = Assimilation(gradient_reduction=1e-5, robust="none", background_check=50.0)


def atmosphere(u: float) -> dict[str, np.ndarray]:
    """Isothermal and moist, with a wind along the grid."""
    fields = worlds.isothermal(GRID)
    return {**fields, "u": fields["u"] + u, "qv": fields["qv"] + 1e-4}


def one_value(quantity: str, value: float) -> Table:
    """At 500 hPa on the central meridian of the projection, where the grid's x axis points to the east."""
    return Table.from_columns(
        {
            "time": [worlds.NOON],
            "latitude": 36.0,
            "longitude": 140.0,
            "pressure": 50_000.0,
            "quantity": quantity,
            "value": [value],
            "error": 1.5,
            "kind": "sonde",
            "level": 1,
        }
    )


def analysed(name: str, fields: dict[str, np.ndarray], table: Table) -> Any:
    trajectory = worlds.steady(GRID, fields, hours=1)
    return worlds.analyse(name, trajectory, table, worlds.covariance(GRID, fields), SETTINGS)


def largest(increment: dict[str, np.ndarray], other: dict[str, np.ndarray] | None = None) -> dict[str, float]:
    """Largest size of each field, or of its difference from another."""
    return {name: float(np.abs(increment[name] - (other or {}).get(name, 0.0)).max()) for name in ANALYSIS_VARIABLES}


def analyses() -> dict[str, Any]:
    """Observations of single values, with the example operator and engine."""
    wind = atmosphere(20.0)
    speed, east = (analysed("3dfgat", wind, one_value(name, 25.0)) for name in ("wind_speed", "eastward_wind"))
    sonde = one_value("air_temperature", 273.0)
    fitted = analysed("cressman", wind, sonde)
    moved = worlds.steady(GRID, {name: wind[name] + fitted.increment[name] for name in ANALYSIS_VARIABLES})
    calm = analysed("3dfgat", atmosphere(0.0), sonde)
    mast = {"kind": "ship", "level": 0, "pressure": np.nan}
    turning = worlds.steady(GRID, worlds.lapsing(GRID))
    at_mast = {
        name: float(-departures(turning, one_value(name, 0.0).with_columns(**mast))[0])
        for name in ("wind_speed", "eastward_wind", "northward_wind")
    }
    return {
        "quantities": list(QUANTITIES),
        "speed": largest(speed.increment),
        "east": largest(east.increment),
        "difference": largest(speed.increment, east.increment),
        "speed_departures": [float(speed.table.column(f"{one}_departure")[0]) for one in ("background", "analysis")],
        "cressman": largest(fitted.increment),
        "cressman_departure": float(fitted.table.column("analysis_departure")[0]),
        "departure_of_what_it_made": float(departures(moved, sonde)[0]),
        "calm": largest(calm.increment),
        "at_mast": at_mast,
    }


def run(folder: Path) -> dict[str, Any]:
    """Two cycles of a model with Cressman's engine."""
    base = small.experiment().as_mapping()
    own = Experiment.from_mapping({**base, "assimilation": {**base["assimilation"], "engine": "cressman"}})
    case = small.case(folder / "run", own)
    run_experiment(case, "analysis")
    store = RunStore.open(case.folder.path / "analysis.store", "r")
    last = store.completed_cycles()[-1]
    table = Table.from_arrow(store.read_observations(last))
    used = usable(table.column("flags")) & np.isfinite(table.column("analysis_departure"))
    return {
        "engine": store.read_diagnostics(last)["engine"],
        "in_file": Experiment.load(case.folder.experiment).assimilation.engine,
        "used": int(used.sum()),
        "rms": [
            float(np.sqrt(np.mean((table.column(f"{one}_departure") / table.column("error"))[used] ** 2)))
            for one in ("background", "analysis")
        ],
    }


def sources(folder: Path) -> dict[str, Any]:
    """Reports and an analysis by way of the sources, as a run reads them."""
    profiler = folder / "profiler.csv"
    profiler.write_text(
        "station,time,latitude,longitude,elevation,height,eastward_wind,northward_wind,error\n"
        + "".join(f"47629,1989-01-01T11:50Z,36.4,140.5,29,{height},12,3,2.25\n" for height in (1000, 2000, 3000))
    )
    table = observing.read_reports([], GRID, {"wind_profiler": [profiler]})
    window = Window.ending_at(worlds.NOON, np.timedelta64(3, "h"))
    used = {}
    for named in (True, False):
        own = Experiment.from_mapping(
            {
                **small.experiment().as_mapping(),
                "observations": {
                    "folds": 0,
                    "sources": {"wind_profiler": ["profiler.csv"]},
                    "kinds": ["sonde", *(["wind_profiler"] if named else [])],
                },
            }
        )
        checked = observing.quality_controlled(table, own, GRID)[0]
        part = observing.of_window(checked, window, own, layer_interfaces(GRID))
        used[str(named)] = int(usable(part.column("flags")).sum())
    analysis = analysed("3dfgat", atmosphere(0.0), part.with_columns(flags=0))
    values = {
        "time": np.array(["1989-01-01T12"], "datetime64[h]"),
        "pressure": np.array([85_000.0, 50_000.0]),
        "latitude": np.array([30.0, 40.0]),
        "longitude": np.array([130.0, 140.0]),
        "air_temperature": np.full((1, 2, 2, 2), 270.0),
    }
    np.savez(folder / "analysis.npz", **values)
    return {
        "rows": len(table),
        "used": used,
        "errors": sorted(set(part.column("error").tolist())),
        "increment": float(np.abs(analysis.increment["u"]).max()),
        "read_by": read_global(folder / "analysis.npz").attrs["source"],
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    print(json.dumps({"analyses": analyses(), "run": run(folder), "sources": sources(folder)}))
