"""`kaiseki archive export`, `select` and `statistics`: a release taken away in the files of other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from kaiseki.cli.installed import need
from kaiseki.cli.output import Json, begin, emit
from kaiseki.cli.storage import Storage, reached
from kaiseki.core.errors import ConfigError, InputError

if TYPE_CHECKING:
    import xarray as xr

    from kaiseki.archive.selection.places import Places

Several = Parameter(consume_multiple=True, negative="")
Names = Annotated[tuple[str, ...], Several]
Numbers = Annotated[tuple[float, ...], Several]
Version = Annotated[
    str | None,
    Parameter(help='Tag of a version, or "quality" for what is not published yet; by default the last version.'),
]
Method = Literal["nearest", "bilinear"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Options of an export."""

    group: Annotated[
        str | None,
        Parameter(
            help="Group of the release, such as surface or pressure_levels; by default surface, of climcore "
            "model_levels, of grib2 both kinds of files."
        ),
    ] = None
    variables: Names = ()
    """Variables by internal, CF or Japanese names; by default all that the form can hold."""
    start: str | None = None
    """First day (UTC), 1989-01-01, or month, year or instant; by default the first that there is."""
    end: str | None = None
    """Last day (UTC), or month, year or instant; by default the last that there is."""
    box: str | None = None
    """West,south,east,north of what is wanted, degrees: 138,34,141,37."""
    grid: Annotated[
        str | None,
        Parameter(
            help="Spacing of a grid of longitude and latitude, degrees: 0.1, or 0.125,0.1 for longitude and latitude; "
            "jma for that of JMA's mesoscale model; own for that of the release, which is usual but for grib2."
        ),
    ] = None
    at: str | None = None
    """One place as longitude,latitude, degrees: 139.75,35.69. (Write --at=-70,5 for negative ones.)"""
    places: Path | None = None
    """CSV file of places, with the headings lon and lat and, if wanted, name."""
    method: Method = "nearest"
    """How a value at a place is made: that of the cell, or linear between four cells."""
    shape: Literal["wide", "long"] = "wide"
    """Shape of tables (parquet): a column per variable, or a row per value."""
    bounds: Literal["tight", "user", "lossless"] | None = None
    """Largest errors of packing; by default those of the release, with which its values are packed as they are."""
    version: Version = None


def export(
    release: str,
    /,
    *,
    to: str,
    form: Literal["netcdf", "climcore", "zarr", "parquet", "grib2"],
    options: ExportOptions | None = None,
    storage: Storage | None = None,
    json: Json = False,
) -> None:
    """Write a part of a release into a folder in a form that other programs read; called again it goes on.

    Parameters
    ----------
    release
        Place of the release store: a folder or s3://bucket/prefix.
    to
        Folder, new or of an earlier export with the same options; of zarr also s3://bucket/prefix.
    form
        netcdf: CF NetCDF, a file per day. climcore: a NetCDF file per variable and time. zarr: one plain Zarr store.
        parquet: series at places, a table per month. grib2: the form of JMA's mesoscale model, a file per time.
    """
    begin(json)
    options = options or ExportOptions()
    reach = reached(storage, release, to)
    places = _places(options.at, options.places)
    if form in ("netcdf", "climcore", "grib2"):
        need("formats", what=f"kaiseki archive export --form {form}")
    if form == "zarr" and to.startswith("s3://"):
        need("s3", what="kaiseki archive export to S3")
    from kaiseki.archive.exchange.release_export import ExportSettings, export_release

    settings = ExportSettings(
        form=form,
        group=options.group,
        variables=options.variables,
        start=options.start,
        end=options.end,
        box=_box(options.box),
        grid=_grid(options.grid),
        places=places,
        method=options.method,
        shape=options.shape,
        bounds=options.bounds,
        version=options.version,
    )
    done = export_release(release, to, settings, storage_options=reach.of(release), target_options=reach.of(to))
    what = "times" if form == "zarr" else "files"
    result = {
        "release": release,
        "to": to,
        "form": form,
        what: done.files,
        "kept": done.kept,
        "variables": {group: list(names) for group, names in done.variables.items()},
        "left_out": list(done.left_out),
    }

    def text() -> str:
        lines = [f"{done.files - done.kept} {what} written to {to}, {done.kept} were there already"]
        lines += [f"left out: {line}" for line in done.left_out]
        return "\n".join(lines)

    emit(result, json=json, text=text)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SelectOptions:
    """Options of a selection."""

    at: str | None = None
    """Place as longitude,latitude, degrees: 139.75,35.69. (Write --at=-70,5 for negative ones.)"""
    places: Annotated[Path | None, Parameter(name=("--places", "--place"))] = None
    """CSV file of places, with the headings lon and lat and, if wanted, name."""
    mesh: Names = ()
    """Standard area meshes of Japan (JIS X 0410), of which means are taken: 533945 53394611."""
    prefecture: str | None = None
    """Prefecture of Japan, of which the mean is taken: 福井県, Fukui or 18; needs --polygon with the borders."""
    polygon: Path | None = None
    """GeoJSON file: an area of which the mean is taken, or beside --prefecture the borders of all."""
    variables: Names = ()
    """Variables by internal, CF or Japanese names; wind for components, speed and direction; by default all."""
    height: Numbers = ()
    """Height or heights above ground, m: 100."""
    pressure: Numbers = ()
    """Pressure level or levels, hPa: 850."""
    group: Annotated[
        str | None,
        Parameter(
            help="Group of the release; by default the first that has the variable: surface, precipitation, then those "
            "with levels."
        ),
    ] = None
    start: str | None = None
    """First day, 2019-10-12, or month, year or instant, in the time zone; by default the first time that there is."""
    end: str | None = None
    """Last day, month, year or instant in the time zone; by default the last time that there is."""
    time_zone: str = "UTC"
    """UTC, JST or a name such as Asia/Tokyo: of --start and --end, and of a further column in .csv."""
    units: Names = ()
    """Units, such as temperature=degC wind=kt precipitation=mm; by default SI."""
    method: Method = "nearest"
    """How a value at a place is made: that of the cell, or linear between four cells."""
    drop_outside: Annotated[bool, Parameter(negative="")] = False
    """Take of an area what lies within the domain; else an area that reaches beyond it is refused."""
    version: Version = None


def select(
    release: str,
    /,
    *,
    out: Path,
    options: SelectOptions | None = None,
    storage: Storage | None = None,
    json: Json = False,
) -> None:
    """Write series at places or over areas into one table: .csv for spreadsheets, .parquet or .nc.

    Parameters
    ----------
    release
        Place of the release store: a folder or s3://bucket/prefix.
    out
        File to write; its ending, .csv, .parquet or .nc, says the form. One that is there is replaced.
    """
    begin(json)
    options = options or SelectOptions()
    reach = reached(storage, release)
    places = _places(options.at, options.places)
    if out.suffix.lower() == ".nc":
        need("formats", what="kaiseki archive select with a file .nc")
    from kaiseki.archive.exchange.series import SeriesSettings, check_ending, series, write_series

    check_ending(out)
    settings = SeriesSettings(
        places=places,
        meshes=options.mesh,
        prefecture=options.prefecture,
        polygon=options.polygon,
        variables=options.variables,
        group=options.group,
        height=options.height,
        pressure=options.pressure,
        start=options.start,
        end=options.end,
        time_zone=options.time_zone,
        method=options.method,
        outside="drop" if options.drop_outside else "raise",
        units=_units(options.units),
        version=options.version,
    )
    try:
        found = series(release, settings, storage_options=reach.of(release))
    except InputError as error:
        # What is an argument in Python is an option here.
        raise InputError(str(error).replace('outside="drop"', "--drop-outside")) from error
    write_series(found, out)
    result = _described(found) | {"release": release, "out": str(out)}
    emit(result, json=json, text=lambda: _words(result))


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class StatisticsOptions:
    """Options of statistics."""

    group: str = "surface"
    """Group of the release, such as surface or precipitation."""
    variables: Names = ()
    """Variables by internal, CF or Japanese names; by default all of which there are statistics."""
    every: Annotated[tuple[Literal["day", "dekad", "month", "season", "year"], ...], Several] = ("day", "month")
    """Periods; those longer than a day are made of days."""
    start: str | None = None
    """First day, 1989-01-01, in the time zone; by default the first that is complete."""
    end: str | None = None
    """Last day in the time zone; by default the last that is complete."""
    time_zone: str = "UTC"
    """Civil time of the days, UTC or JST."""
    completeness: float = 1.0
    """Least share of the times of a day, and of the days of a period, that must be there."""
    normals: Literal["day", "dekad", "month", "season", "year"] | None = None
    """Cycle of a climatology: mean, spread, extremes and percentiles over the years, one file per variable."""
    years: str | None = None
    """First and last year of the climatology, 2001-2020; by default 1991-2020."""
    percentiles: Numbers = (5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0)
    """Percentiles of the climatology."""
    window: int = 1
    """Days about each calendar day that are its sample, an odd number; with --normals day."""
    pool: Literal["day", "dekad", "month", "season", "year"] | None = None
    """Period whose statistics are the sample of the climatology, such as day; by default that of the cycle."""
    normals_completeness: float = 0.8
    """Least share of the values of the climatology that must be there."""
    version: Version = None


def statistics(
    release: str,
    /,
    *,
    to: Path,
    options: StatisticsOptions | None = None,
    storage: Storage | None = None,
    json: Json = False,
) -> None:
    """Write statistics of days, months ... and normals of a release as CF NetCDF; called again it goes on.

    Parameters
    ----------
    release
        Place of the release store: a folder or s3://bucket/prefix.
    to
        Folder, new or of an earlier call with the same options; kaiseki.open(folder, "surface_month") opens it.
    """
    begin(json)
    options = options or StatisticsOptions()
    reach = reached(storage, release)
    need("formats", what="kaiseki archive statistics")
    from kaiseki.archive.exchange.statistics import StatisticsSettings, write_statistics
    from kaiseki.archive.products.normals import Normals
    from kaiseki.archive.selection.times import zone

    timezone = zone(options.time_zone)
    normals = None
    if options.normals is not None:
        normals = Normals(
            options.normals,
            years=_years(options.years),
            window=options.window,
            percentiles=options.percentiles,
            completeness=options.normals_completeness,
        )
    elif options.years is not None or options.pool is not None or options.window != 1:
        raise ConfigError("Years, window and pool are of a climatology; name its cycle with --normals")
    settings = StatisticsSettings(
        group=options.group,
        variables=options.variables,
        every=options.every,
        start=options.start,
        end=options.end,
        timezone=timezone,
        completeness=options.completeness,
        normals=normals,
        pool=options.pool,
        version=options.version,
    )
    done = write_statistics(release, to, settings, storage_options=reach.of(release))
    result = {
        "release": release,
        "to": str(to),
        "files": {kind: len(files) for kind, files in done.files.items()},
        "kept": done.kept,
        "incomplete_days": list(done.incomplete),
    }

    def text() -> str:
        total = sum(len(files) for files in done.files.values())
        lines = [f"{total - done.kept} files written to {to}, {done.kept} were there already"]
        lines += [f'{kind}: {len(files)}, kaiseki.open("{to}", "{kind}")' for kind, files in done.files.items()]
        if done.incomplete:
            lines.append(f"left out, for times are missing: {', '.join(done.incomplete)}")
        return "\n".join(lines)

    emit(result, json=json, text=text)


def _years(text: str | None) -> tuple[int, int] | None:
    """First and last year of a text."""
    if text is None:
        return None
    try:
        first, last = (int(part) for part in text.split("-"))
    except ValueError:
        raise ConfigError(f"Years are first and last, such as 2001-2020, not {text!r}") from None
    return first, last


def _described(found: xr.Dataset) -> dict[str, Any]:
    """What was written, for the user to see: variables, times, cells, and what to be careful of."""
    times = found["time"].values
    names = [str(name) for name in found.data_vars if name != "time_bnds"]
    result: dict[str, Any] = {
        "variables": {name: str(found[name].attrs.get("units", "")) for name in names},
        "times": int(times.size),
        "first": f"{times[0].astype('datetime64[s]')}Z",
        "last": f"{times[-1].astype('datetime64[s]')}Z",
        "places": int(found.sizes.get("place", found.sizes.get("mesh", 1))),
        "missing": {name: missing for name in names if (missing := int(found[name].isnull().sum()))},
        "preliminary_times": int((found["state"].values == 1).sum()) if "state" in found.coords else 0,
        "known_issues": str(found.attrs.get("known_issues", "")).splitlines(),
    }
    if "cell_lon" in found.coords and result["places"] == 1:
        result["cell"] = [float(found[name].values.ravel()[0]) for name in ("cell_lon", "cell_lat")]
    if "in_rim" in found.coords:
        result["places_in_rim"] = int(found["in_rim"].values.sum())
    return result


def _words(result: dict[str, Any]) -> str:
    """Lines that tell what was written."""
    units = ", ".join(f"{name} [{unit}]" for name, unit in result["variables"].items())
    lines = [f"{result['times']} times, {result['first']} to {result['last']}, at {result['places']} places: {units}"]
    if "cell" in result:
        lon, lat = result["cell"]
        lines.append(f"from the cell with its centre at {lon:.3f}, {lat:.3f}")
    if result.get("places_in_rim"):
        lines.append(f"{result['places_in_rim']} places lie in the rim, where the driving data rule")
    if result["preliminary_times"]:
        lines.append(f"{result['preliminary_times']} times are preliminary and will be replaced")
    lines += [f"{count} values of {name} are missing" for name, count in result["missing"].items()]
    lines += [f"known issue {line}" for line in result["known_issues"]]
    return "\n".join([*lines, f"written to {result['out']}"])


def _places(at: str | None, file: Path | None) -> Places | None:
    """The places of both options, None for none."""
    from kaiseki.archive.selection.places import parse_place, read_places

    if at is not None and file is not None:
        raise ConfigError("Give either one place with --at or a file of them, not both")
    if at is not None:
        return parse_place(at)
    return None if file is None else read_places(file)


def _box(text: str | None) -> tuple[float, float, float, float] | None:
    """West, south, east and north of a text."""
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"A box is west,south,east,north in degrees, such as 138,34,141,37, not {text!r}") from None
    return west, south, east, north


def _grid(text: str | None) -> tuple[float, float] | Literal["jma", "own"] | None:
    """Spacing in longitude and latitude of a text, or its word."""
    if text is None:
        return None
    if text == "jma":
        return "jma"
    if text == "own":
        return "own"
    try:
        steps = [float(part) for part in text.split(",")]
        lon, lat = steps if len(steps) == 2 else (*steps, *steps)
    except ValueError:
        raise ConfigError(
            f"A grid is a spacing in degrees, such as 0.1 or 0.125,0.1, or jma or own, not {text!r}"
        ) from None
    return lon, lat


def _units(given: tuple[str, ...]) -> dict[str, str]:
    """Units by variable of texts such as wind=kt."""
    result = {}
    for text in given:
        name, sign, unit = text.partition("=")
        if not sign or not name or not unit:
            raise ConfigError(f"A unit is given by variable, such as temperature=degC, not {text!r}")
        result[name] = unit
    return result
