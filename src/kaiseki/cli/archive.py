"""`kaiseki archive`: release stores made from runs or from others' data, published, and examined."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from kaiseki.cli.output import Json, begin, emit
from kaiseki.cli.storage import Storage, reached
from kaiseki.core.errors import ConfigError

app = App(
    name="archive",
    help="Release stores: pack, import, publish, examine them and take data from them.",
    help_format="plaintext",
)

Into = Annotated[str, Parameter(name="--into", help="Place of the release store: a folder or s3://bucket/prefix.")]
Version = Annotated[
    str | None, Parameter(name="--version", help='Tag of a version, or "quality" for what is not published yet.')
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of packing, as text."""

    start: str | None = None
    """First day to pack, 1989-01-01; by default that of the runs."""
    end: str | None = None
    """Last day to pack; by default that of the runs."""
    axis_start: str | None = None
    """First day of the axis of a new release; by default that of the runs."""
    axis_end: str | None = None
    """Last day of the axis of a new release; by default that of the runs. The axis cannot grow later."""
    bounds: Literal["tight", "user", "lossless"] = "tight"
    """Set of error bounds of a new release."""
    preliminary: Annotated[bool, Parameter(negative="")] = False
    """The days will be replaced later."""
    replace: Annotated[bool, Parameter(negative="")] = False
    """Replace days that are final."""
    overlap: Annotated[bool, Parameter(negative="")] = False
    """The days are ones that another stream has too; they are kept apart."""
    title: str = ""
    """Title of a new release; by default that of the first run."""


@app.command
def pack(
    *runs: Path, into: Into, options: Options | None = None, storage: Storage | None = None, json: Json = False
) -> None:
    """Pack the complete days of runs into a release store, one commit a day; called again it goes on.

    Parameters
    ----------
    runs
        Folders of runs.
    """
    begin(json)
    if not runs:
        raise ConfigError("There is no run to pack; name at least one folder of a run")
    reach = reached(storage, into)
    from kaiseki.archive.release.packing import PackSettings
    from kaiseki.archive.release.packing import pack as pack_runs

    settings = PackSettings(**dataclasses.asdict(options or Options()))
    done = pack_runs(runs, into, settings, storage_options=reach.of(into))
    result = {
        "release": into,
        "packed": [str(day) for day in done.days],
        "kept": [str(day) for day in done.kept],
        "incomplete": [str(day) for day in done.waiting],
    }

    def text() -> str:
        lines = [f"{len(done.days)} days packed into {into}, {len(done.kept)} were there already"]
        if done.waiting:
            lines.append(f"not complete yet: {', '.join(str(day) for day in done.waiting)}")
        lines.append(f"publish them with: kaiseki archive publish {into} v1")
        return "\n".join(lines)

    emit(result, json=json, text=text)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """Options of importing, as text."""

    source: str | None = None
    """Name of the reader of all files; by default the first that recognises each."""
    start: str | None = None
    """First day to import, 1989-01-01; by default that of the files."""
    end: str | None = None
    """Last day to import; by default that of the files."""
    axis_start: str | None = None
    """First day of the axis of a new release; by default the first that is imported."""
    axis_end: str | None = None
    """Last day of the axis of a new release; by default the last that is imported. The axis cannot grow later."""
    times_per_day: int | None = None
    """Times of a day of a new release, in equal steps from 00 UTC; by default as few as the files need."""
    bounds: Literal["tight", "user", "lossless"] = "tight"
    """Set of error bounds of a new release."""
    interval: float | None = None
    """Length in hours of the interval of sums and means of NetCDF files that do not tell it; it ends at their time."""
    preliminary: Annotated[bool, Parameter(negative="")] = False
    """The days will be replaced later."""
    replace: Annotated[bool, Parameter(negative="")] = False
    """Replace days that are final."""
    title: str = ""
    """Title of a new release; by default that of the files."""
    license: str = ""
    """Licence of a new release; by default what the files state."""
    references: str = ""
    """How to cite the source of a new release; by default what the files state."""


@app.command(name="import")
def import_(
    *files: Path,
    into: Into,
    options: ImportOptions | None = None,
    storage: Storage | None = None,
    json: Json = False,
) -> None:
    """Import others' gridded data (GRIB, NetCDF, Zarr) into a release store on their own grid; called again it goes on.

    Parameters
    ----------
    files
        Files of one producer on one grid: all variables and times of the days that are to be imported.
    """
    begin(json)
    if not files:
        raise ConfigError("There is no file to import; name at least one")
    reach = reached(storage, into)
    from kaiseki.driving.importing import ImportSettings, import_files

    stated = dataclasses.asdict(options or ImportOptions())
    attributes = {name: words for name in ("license", "references") if (words := stated.pop(name))}
    settings = ImportSettings(**stated, attributes=attributes)
    done = import_files(files, into, settings, storage_options=reach.of(into))
    result = {
        "release": into,
        "imported": [str(day) for day in done.days],
        "kept": [str(day) for day in done.kept],
        "left_out": list(done.left_out),
        "limited": {name: {"values": count, "most": most} for name, (count, most) in done.limited.items()},
    }

    def text() -> str:
        lines = [f"{len(done.days)} days imported into {into}, {len(done.kept)} were there already"]
        lines += [f"left out: {line}" for line in done.left_out]
        lines += [
            f"{name}: {count} values beyond the physical range, by {most:g} at most, were set to the end of it"
            for name, (count, most) in done.limited.items()
        ]
        lines.append(f"publish them with: kaiseki archive publish {into} v1")
        return "\n".join(lines)

    emit(result, json=json, text=text)


@app.command
def publish(release: str, tag: str, /, *, storage: Storage | None = None, json: Json = False) -> None:
    """Make what was packed public under a tag, which never changes.

    Parameters
    ----------
    release
        Place of the release store.
    tag
        Name of the version, such as v1.0.
    """
    begin(json)
    reach = reached(storage, release)
    from kaiseki.archive.release.store import ReleaseStore

    with ReleaseStore.open(release, "a", storage_options=reach.of(release)) as store:
        snapshot = store.publish(tag)
    emit(
        {"release": release, "version": tag, "snapshot": snapshot},
        json=json,
        text=lambda: f'{release} is published as {tag}; open it with kaiseki.open("{release}")',
    )


@app.command
def report(
    release: str, /, *, version: Version = "quality", storage: Storage | None = None, json: Json = False
) -> None:
    """Print bytes and bits of every variable, the size of a year of the full configuration, and the errors made.

    Parameters
    ----------
    release
        Place of the release store.
    """
    begin(json)
    options = reached(storage, release).of(release)
    from kaiseki.archive.release.issues import known_issues
    from kaiseki.archive.release.report import as_mapping, as_text, sizes
    from kaiseki.archive.release.store import ReleaseStore

    rows = sizes(release, version, storage_options=options)
    issues = known_issues(ReleaseStore.open(release, storage_options=options), version=version)
    emit(
        as_mapping(rows) | {"known_issues": [issue.as_mapping() for issue in issues]},
        json=json,
        text=lambda: "\n".join([as_text(rows), *(f"known issue {issue.short()}" for issue in issues)]),
    )


CARE: Final = {
    "info": "What a release holds: groups, variables, days by state, versions, streams, known issues.",
    "verify": "Check every chunk of a release, its ledger and its copies; exit code 7 where anything is wrong.",
    "compare": "Differences between two releases, or two versions of one.",
    "gc": "Give back the space of what no version, reader or writer needs.",
    "issue": "Known issues of a release.",
}
"""Commands of `cli.archive_care` and their lines of help, so that other commands need not import it."""

TAKEAWAY: Final = {
    "export": "Write a part of a release in the files of other programs: NetCDF, Zarr, Parquet, GRIB 2.\n\n"
    "Called again with the same options it goes on: files that are whole and of the same version stay. A folder that "
    "holds anything else is refused.",
    "select": "Write series at places or over areas into one table, such as a .csv for spreadsheets.\n\n"
    "Hourly wind at 100 m for a year: kaiseki archive select RELEASE --at 139.75,35.69 --height 100 --variables wind "
    "--time-zone JST --start 2019 --end 2019 --out site.csv",
    "statistics": "Write statistics of days, months, seasons and years of a release, and normals with percentiles.\n\n"
    "CF NetCDF, a file per day or period and one per variable of normals. Called again it goes on.",
}
"""Commands of `cli.archive_export` likewise."""

for _module, _commands in (("archive_care", CARE), ("archive_export", TAKEAWAY)):
    for _name, _help in _commands.items():
        app.command(f"kaiseki.cli.{_module}:{_name}", name=_name, help=_help)
