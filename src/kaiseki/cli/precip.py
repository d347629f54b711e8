"""`kaiseki precip`: analysed precipitation and the files of radars and rain that it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from cyclopts import App, Parameter

from kaiseki.cli.installed import need
from kaiseki.cli.output import Json, begin, emit
from kaiseki.core.errors import ConfigError
from kaiseki.core.timing import format_utc

if TYPE_CHECKING:
    import xarray as xr

    from kaiseki.formats.jma_grib.amounts import Summary

app = App(name="precip", help="Analysed precipitation, and JMA's files of rain and radars.", help_format="plaintext")


COMMANDS: Final = {
    "analyse": ("precip_analysis:analyse", "Analyse hours of rain from gauges and radar, with their uncertainty."),
    "plot": ("precip_plot:plot", "Draw radar, analysis, uncertainty and gauges of an hour side by side."),
    "score": ("precip_score:score", "Cross-validate the analysis beside simple methods, by stations and by squares."),
    "verify": (
        "precip_verify:verify",
        "Score rain of forecasts, reanalyses and gauges against an analysis, over boxes.",
    ),
}
"""Commands in modules of their own: where they are and one line of help."""

for _name, (_place, _words_of_help) in COMMANDS.items():
    app.command(f"kaiseki.cli.{_place}", name=_name, help=_words_of_help)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of writing GRIB 2."""

    variable: str | None = None
    """Variable of a NetCDF file; by default the only one that is precipitation by its standard name."""
    form: Literal["jma", "wmo"] = "jma"
    """Codes of the GRIB file: JMA's local ones, which decoders of its files look for, or the standard ones."""
    centre: int = 65535
    """Originating centre (common code table C-11); 65535 is none. 34 says that JMA made the file."""


@app.command
def convert(file: Path, out: Path, /, *, options: Options | None = None, json: Json = False) -> None:
    """Convert a GRIB 2 file of JMA's rain, radar or soil-water fields to NetCDF, or hours of rain in NetCDF to GRIB 2.

    What FILE is shows in its first bytes; it may be compressed by gzip, xz or bzip2. A GRIB file that holds something
    else is refused with a sentence that says what it is.

    Parameters
    ----------
    file
        GRIB 2 file, or NetCDF file or Zarr store with precipitation of one hour on a latitude-longitude grid.
    out
        New file, NetCDF (.nc) of a GRIB file, GRIB (.grib2, .bin ...) of a NetCDF file; one that is there is replaced.
    """
    begin(json)
    need("formats", what="kaiseki precip convert")
    options = options or Options()
    to_grib = _is_gridded_file(file)
    if (out.suffix == ".nc") == to_grib:
        made = "GRIB 2, such as rain.grib2" if to_grib else "NetCDF, such as rain.nc"
        raise ConfigError(f"{file} becomes a file in {made}; {out} has the ending of the other kind")
    if to_grib:
        from kaiseki.formats.jma_grib.amounts import convert_to_grib
        from kaiseki.formats.jma_grib.writing import Origin

        summary = convert_to_grib(file, out, Origin(centre=options.centre, form=options.form), options.variable)
        emit(_written(out, summary), json=json, text=lambda: _words(out, summary))
        return
    if options != Options():
        raise ConfigError("--variable, --form and --centre belong to GRIB files that are written, not to NetCDF")
    from kaiseki.formats.jma_grib.dataset import convert_to_netcdf

    dataset = convert_to_netcdf(file, out)
    found = _contents(out, dataset)
    emit(found, json=json, text=lambda: _lines(found))


@app.command
def definitions(*, json: Json = False) -> None:
    """Print the folder of definitions with which ecCodes reads JMA's local product templates.

    It is the value of the variable ECCODES_EXTRA_DEFINITION_PATH.
    """
    begin(json)
    from kaiseki.formats.jma_grib import DEFINITIONS

    emit({"definitions": str(DEFINITIONS)}, json=json, text=lambda: str(DEFINITIONS))


def _is_gridded_file(file: Path) -> bool:
    """Whether a file is NetCDF or a Zarr store."""
    from kaiseki.core.errors import InputError
    from kaiseki.formats import netcdf

    if netcdf.is_zarr(file):
        return True
    try:
        with file.open("rb") as stream:
            return netcdf.is_netcdf(stream.read(4))
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}.") from None


def _contents(out: Path, dataset: xr.Dataset) -> dict[str, Any]:
    fields = {str(name): one.attrs for name, one in dataset.data_vars.items() if one.ndim == 3}
    return {
        "file": str(out),
        "variables": {name: f"{attrs['long_name']} [{attrs.get('units', '1')}]" for name, attrs in fields.items()},
        "times": [format_utc(time) for time in dataset["time"].values],
    }


def _lines(found: dict[str, Any]) -> str:
    times = found["times"]
    return "\n".join(
        [
            f"file:      {found['file']}",
            *(f"variable:  {name}: {text}" for name, text in found["variables"].items()),
            f"times:     {len(times)}, {times[0]} to {times[-1]}",
        ]
    )


def _written(out: Path, summary: Summary) -> dict[str, Any]:
    return {
        "file": str(out),
        "hours": [format_utc(end) for end in summary.ends],
        "largest_error_mm": summary.largest_error,
        "values_above_255_mm": summary.above_last,
    }


def _words(out: Path, summary: Summary) -> str:
    lines = [
        f"file:      {out}",
        f"hours:     {len(summary.ends)}, to {format_utc(summary.ends[0])} .. {format_utc(summary.ends[-1])}",
        f"rounding:  to the levels of the table, at most {summary.largest_error:.2f} mm",
    ]
    if summary.above_last:
        lines.append(f"remark:    {summary.above_last} values above 255 mm became 255 mm, the last level")
    return "\n".join(lines)
