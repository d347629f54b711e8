"""`kaiseki archive info`, `verify`, `compare`, `gc` and `issue`: care for release stores."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from kaiseki.cli.installed import need
from kaiseki.cli.output import Json, begin, emit
from kaiseki.cli.storage import Storage, reached
from kaiseki.core.errors import FAULTS_FOUND, ConfigError

Version = Annotated[
    str, Parameter(name="--version", help='Tag of a version, or "quality" for what is not published yet.')
]
Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]

issue = App(name="issue", help="Known issues of a release.", help_format="plaintext")


def info(release: str, /, *, version: Version = "quality", storage: Storage | None = None, json: Json = False) -> None:
    """Print what a release holds: groups, variables, days by state, versions, streams, known issues.

    Parameters
    ----------
    release
        Place of the release store.
    """
    begin(json)
    from kaiseki.archive.care.info import as_text
    from kaiseki.archive.care.info import info as contents

    found = contents(release, version, storage_options=reached(storage, release).of(release))
    emit(found, json=json, text=lambda: as_text(found))


def verify(
    release: str,
    /,
    *,
    version: Version = "quality",
    start: str | None = None,
    end: str | None = None,
    quick: Annotated[bool, Parameter(negative="")] = False,
    storage: Storage | None = None,
    json: Json = False,
) -> int:
    """Check a release: checksums, ledger, completeness, ranges, statistics, copies, axes, observations.

    All faults are listed; the exit code is 7 where there is any.

    Parameters
    ----------
    release
        Place of the release store.
    start
        First day, 1989-01-01; by default that of the axis.
    end
        Last day; by default that of the axis.
    quick
        Check the ledger and which chunks exist, and read no values.
    """
    begin(json)
    from kaiseki.archive.care.verify import verify as examine

    options = reached(storage, release).of(release)
    found = examine(release, version, start=start, end=end, quick=quick, storage_options=options)
    emit(found.as_mapping(), json=json, text=found.as_text)
    return 0 if found.sound else FAULTS_FOUND


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is compared."""

    groups: Names = ()
    """Groups; all by default."""
    variables: Names = ()
    """Variables by their internal names; all by default."""
    start: str | None = None
    """First day."""
    end: str | None = None
    """Last day."""
    polygon: Path | None = None
    """GeoJSON file with a further region."""


def compare(
    a: str,
    b: str,
    /,
    *,
    choice: Choice | None = None,
    maps: Annotated[Path | None, Parameter(name="--maps")] = None,
    storage: Storage | None = None,
    json: Json = False,
) -> None:
    """Differences B - A by variable, level, region and month; with --json all of them, else over levels and months.

    Parameters
    ----------
    a
        Place of a release store; place@version for one of its versions.
    b
        What is compared with it.
    maps
        Folder for maps of the root mean square differences, one for each variable named with --variables.
    """
    begin(json)
    from kaiseki.archive.care.compare import compare as difference
    from kaiseki.archive.care.comparison import CompareSettings, Side

    choice = choice or Choice()
    if maps is not None and not choice.variables:
        raise ConfigError("Maps are drawn of the variables that are named; give --variables beside --maps")
    if maps is not None:
        need("report", what="kaiseki archive compare --maps")
    drawn = choice.variables if maps is not None else ()
    settings = CompareSettings(**{f.name: getattr(choice, f.name) for f in dataclasses.fields(choice)}, maps=drawn)
    reach = reached(storage, a, b)
    one, two = (Side.parse(text, reach.of(text)) for text in (a, b))
    found = difference(one, two, settings)
    files = []
    if maps is not None:
        from kaiseki.report.comparison import write_maps

        files = write_maps(found, one, maps)
    emit(
        found.as_mapping() | {"maps": [str(file) for file in files]},
        json=json,
        text=lambda: "\n".join([found.as_text(), *(f"map: {file}" for file in files)]),
    )


def gc(
    release: str,
    /,
    *,
    minimum_age: float = 7.0,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    storage: Storage | None = None,
    json: Json = False,
) -> None:
    """Let old states of a release that no version names expire, and give back the space of what nothing needs.

    What a version, a reader within the minimum age or a writer holds stays.

    Parameters
    ----------
    release
        Place of the release store.
    minimum_age
        Days for which all stays that a reader may have opened.
    dry_run
        Count the garbage that is there now, and remove nothing.
    """
    begin(json)
    if not minimum_age >= 0.0:
        raise ConfigError(f"The minimum age is a number of days, not {minimum_age:g}")
    from kaiseki.archive.release.store import ReleaseStore
    from kaiseki.archive.release.upkeep import tidy

    options = reached(storage, release).of(release)
    with ReleaseStore.open(release, "a", storage_options=options) as store:
        done = tidy(store.repository, store.place, minimum_age=timedelta(days=minimum_age), dry_run=dry_run)
    result = {
        "release": release,
        "dry_run": dry_run,
        "expired": done.snapshots,
        "chunks": done.chunks,
        "bytes": done.bytes,
        "failed": done.failed,
        "cutoff": done.cutoff,
        "kept_from": done.kept_from,
        "holders": [holder.words for holder in done.holders],
        "postponed": done.postponed,
    }

    def text() -> str:
        verb = "would be removed" if dry_run else "removed"
        lines = [f"{done.snapshots} states expired; {done.chunks} chunks, {done.bytes:,} bytes {verb} in {release}"]
        lines += [f"held by {holder.words}" for holder in done.holders]
        lines += [done.postponed] if done.postponed else []
        lines += [f"{done.failed} files could not be removed; the next call tries again"] if done.failed else []
        return "\n".join(lines)

    emit(result, json=json, text=text)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Entry:
    """One known issue."""

    id: str | None = None
    """Short name, by which it is replaced."""
    text: str | None = None
    """What is wrong and what to do."""
    severity: Literal["minor", "major", "critical"] = "minor"
    """How much it matters: most uses are not touched, results may change, do not use."""
    groups: Names = ()
    """Groups that it touches; all by default."""
    variables: Names = ()
    """Variables that it touches; all by default."""
    start: str | None = None
    """First day that it touches."""
    end: str | None = None
    """Last day that it touches."""
    region: tuple[float, float, float, float] | None = None
    """West, south, east, north of what it touches, degrees; by default the whole domain."""
    since: str | None = None
    """First version that has it; by default all."""
    fixed_in: str | None = None
    """Version in which it is mended."""


@issue.command
def add(
    release: str,
    /,
    *,
    file: Path | None = None,
    entry: Entry | None = None,
    replace: Annotated[bool, Parameter(negative="")] = False,
    storage: Storage | None = None,
    json: Json = False,
) -> None:
    """Note a known issue with a release, or those of a TOML file; versions published before show it too.

    Parameters
    ----------
    release
        Place of the release store.
    file
        TOML file with tables [[issue]], whose keys are the options of this command.
    replace
        Replace issues of the same id.
    """
    begin(json)
    from kaiseki.archive.release.issues import add_issues, issue_from, read_issues
    from kaiseki.archive.release.store import ReleaseStore

    given = {} if entry is None else {k: v for k, v in dataclasses.asdict(entry).items() if v not in (None, ())}
    if (file is None) == ("id" not in given):
        raise ConfigError("Give either --file, or --id and --text of one issue")
    issues = read_issues(file) if file is not None else [issue_from(given, "The known issue")]
    options = reached(storage, release).of(release)
    with ReleaseStore.open(release, "a", storage_options=options) as store:
        kept = add_issues(store, issues, replace=replace)
    emit(
        {"release": release, "added": [one.id for one in issues], "known_issues": [one.as_mapping() for one in kept]},
        json=json,
        text=lambda: f"{len(issues)} known issues noted with {release}, which has {len(kept)} now",
    )


@issue.command(name="list")
def list_issues(
    release: str,
    /,
    *,
    version: Annotated[
        str | None, Parameter(name="--version", help='Those that touch a version or "quality"; all by default.')
    ] = None,
    storage: Storage | None = None,
    json: Json = False,
) -> None:
    """Print the known issues of a release.

    Parameters
    ----------
    release
        Place of the release store.
    """
    begin(json)
    from kaiseki.archive.release.issues import all_issues, known_issues
    from kaiseki.archive.release.store import ReleaseStore

    store = ReleaseStore.open(release, storage_options=reached(storage, release).of(release))
    if version is not None:
        store.snapshot(version)
    issues = all_issues(store) if version is None else known_issues(store, version=version)
    emit(
        {"release": release, "known_issues": [one.as_mapping() for one in issues]},
        json=json,
        text=lambda: "\n".join(one.short() for one in issues) or f"{release} has no known issues",
    )
