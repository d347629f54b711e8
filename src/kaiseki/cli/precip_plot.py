"""`kaiseki precip plot`: radar, analysis, uncertainty and gauges of an hour side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from cyclopts import Parameter

from kaiseki.cli.installed import need
from kaiseki.cli.output import Json, begin, emit
from kaiseki.cli.precip_inputs import Files, InputOptions, hour
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.core.timing import format_utc

if TYPE_CHECKING:
    from kaiseki.report.rain_maps import RainHour


def plot(
    source: str,
    out: Path,
    /,
    *,
    time: str | None = None,
    coast: Files = None,
    area: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    inputs: InputOptions | None = None,
    json: Json = False,
) -> None:
    """Draw an analysed hour: radar, analysis, uncertainty and gauges side by side, in classes that forecasters use.

    Parameters
    ----------
    source
        File of an hour (of kaiseki precip analyse --out), or a release with analysed precipitation.
    out
        New picture, PNG.
    time
        End of the hour, UTC, of a release: 2024-10-18T01:00Z.
    coast
        Coastlines, GeoJSON.
    area
        Part of the map: W,S,E,N in degrees.
    """
    begin(json)
    need("report", "formats", "precip", what="kaiseki precip plot")
    from kaiseki.report.rain_maps import write_maps

    if out.suffix.lower() != ".png":
        raise ConfigError(f"The picture is written as PNG; give a name such as rain.png instead of {out}")
    box = None if area is None else _box(area)
    shown = _with_inputs(_analysed(source, time), inputs)
    write_maps(shown, out, coast or (), box)
    known = np.isfinite(shown.mean)
    result = {
        "picture": str(out),
        "time": format_utc(shown.time),
        "largest": float(shown.mean[known].max()) if known.any() else None,
    }
    emit(result, json=json, text=lambda: f"picture:   {out}, hour to {result['time']}")


def _analysed(source: str, time: str | None) -> RainHour:
    """The hour from a file or a release."""
    from kaiseki.precipitation.batch.hour_file import read_hour
    from kaiseki.report.rain_maps import RainHour

    path = Path(source)
    if path.is_file():
        found = read_hour(path)
        fields = found.fields
        if time is not None and hour(time) != found.time:
            raise ConfigError(f"{source} holds the hour to {format_utc(found.time)}, not {time}; leave out --time")
        moment, grid = found.time, found.grid
    else:
        if time is None:
            raise ConfigError(f"{source} is no file; of a release, say which hour by --time 2024-10-18T01:00Z")
        from kaiseki.archive import open_archive
        from kaiseki.precipitation.batch.hour_file import FIELDS
        from kaiseki.precipitation.batch.inputs import release_grid

        dataset = open_archive(source, "precipitation", version="quality")
        moment = hour(time)
        index = np.flatnonzero(dataset["time"].values == moment)
        if not index.size or any(name not in dataset for name in FIELDS):
            raise InputError(f"{source} holds no analysed precipitation of the hour to {format_utc(moment)}")
        one = dataset.isel(time=int(index[0]))
        fields = {name: one[name].values for name in FIELDS}
        grid = release_grid(source, dataset)
    low, high = fields["precipitation_p10"], fields["precipitation_p90"]
    return RainHour(moment, grid, fields["precipitation"], low, high)


def _with_inputs(shown: RainHour, options: InputOptions | None) -> RainHour:
    """The hour with those of its inputs that are given."""
    from dataclasses import replace

    from kaiseki.precipitation.batch import Inputs

    if options is None or not (options.gauges or options.radar or options.links):
        return shown
    opened = Inputs.open(options.settings())
    radar = None if opened.radar is None else opened.radar.hour(shown.time)
    return replace(shown, radar=radar, gauges=opened.gauges if opened.gauges.station.size else None)


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(one) for one in text.split(","))
    except ValueError:
        raise ConfigError(f"--area {text}: give W,S,E,N in degrees, such as 138,34,142,37") from None
    if not (west < east and south < north):
        raise ConfigError(f"--area {text}: west and south must be below east and north")
    return west, south, east, north
