"""`kaiseki demo --precip`: synthetic storms, analysed and scored, without any data."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.cli.installed import need
from kaiseki.cli.output import emit
from kaiseki.core.timing import format_utc

LIMITS = (
    "A synthetic case: the truth, the errors of the radars and those of the gauges are made by one program and are of "
    "kinds that the methods expect. That a method is best here does not say that it is best on real data; for that see "
    "kaiseki precip score.",
    "The scores are over cells, whose true amounts no gauge measures. The calibration knows the heights of the beams; "
    "clutter, blocked beams, attenuation and the bright band are left out.",
    "The local adjustment is of the kind that the Japan Meteorological Agency publishes, with settings of our own.",
)


def precip_demo(out: Path | None, *, json: bool) -> None:
    """Make storms, calibrate, analyse, score, and write the page of maps."""
    need("report", "precip", what="kaiseki demo --precip")
    from kaiseki.core.files import make_folder, write_text
    from kaiseki.experiments.rain_demo import rain_demo
    from kaiseki.experiments.storms import make_storms
    from kaiseki.report.rain_maps import RainHour
    from kaiseki.report.rain_page import RainStory, write_rain_page

    folder = out or Path("out") / "precip"
    make_folder(folder)
    demo = rain_demo(make_storms())
    storms = demo.storms
    hours = [
        RainHour(
            time=one.time,
            grid=one.grid,
            mean=one.mean,
            low=one.quantiles[0],
            high=one.quantiles[2],
            radar=demo.raw,
            gauges=demo.gauges,
            truth=storms.truth[number],
            land=storms.land,
        )
        for number, one in enumerate(demo.analyses)
    ]
    story = RainStory(
        title="Analysed precipitation of synthetic storms",
        hours=hours,
        scores=demo.scores,
        factors=demo.factors,
        faulty=storms.faulty,
        found=demo.found,
        cells=int(np.isfinite(demo.raw.amount).sum()),
        seconds=demo.seconds["hour"],
        limits=LIMITS,
    )
    page = write_rain_page(story, folder / "report.html")
    result: dict[str, Any] = {
        "report": str(page),
        "hours": [format_utc(time) for time in storms.time],
        "scores": demo.scores,
        "factors": demo.factors,
        "faults_flagged": list(demo.found),
        "seconds": demo.seconds,
    }
    write_text(folder / "scores.json", json_module.dumps(result, indent=1))
    emit(result, json=json, text=lambda: _text(result))


def _text(result: dict[str, Any]) -> str:
    lines = [f"{'against the truth':44}    rmse     mae    bias  ets 1 mm  ets 10 mm"]
    for name, row in result["scores"].items():
        values = f"{row['rmse']:8.2f}{row['mae']:8.2f}{row['bias']:8.2f}{row['ets_1mm']:10.3f}{row['ets_10mm']:11.3f}"
        lines.append(f"{name:44}{values}")
    errors = ", ".join(f"{row['radar']} {100.0 * row['error']:+.1f} %" for row in result["factors"])
    lines.append(f"factors of the radars, error: {errors}")
    lines.append(f"report: {result['report']}")
    return "\n".join(lines)
