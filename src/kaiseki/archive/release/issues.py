"""Known issues of a release: what was found to be wrong with its data, also after it was published.

They stand on a branch of their own in the repository of the release, so that a version whose tag never changes shows
what was found later, and so that they are written as safely as the data wherever these are, in a directory or in S3,
copied with them, and kept with their history. A file beside the repository would need a second client for S3 and
conditional writes of its own.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr
from zarr.errors import GroupNotFoundError

from kaiseki.archive.release import schema
from kaiseki.archive.release.commits import commit_lock, committed
from kaiseki.archive.release.store import QUALITY, ReleaseStore
from kaiseki.archive.store.storage import storage_errors
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.variables import VARIABLES

SEVERITIES: Final = ("minor", "major", "critical")
"""Severities of an issue: "minor", most uses are not touched; "major", results may change; "critical", do not use."""

VERSION: Final = 1
"""Version of the form in which known issues are stored."""

_KEY: Final = "known_issues"


@dataclass(frozen=True, kw_only=True)
class KnownIssue:
    """One known issue.

    Attributes:
        id: short name, by which it is replaced.
        text: what is wrong and what to do.
        severity: one of `SEVERITIES`.
        groups: that it touches, none for all.
        variables: internal names, none for all.
        start, end: first and last day that it touches, None for all before or after.
        region: west, south, east, north [degrees] of what it touches, None for the whole domain.
        since: first version that has it, None for all.
        fixed_in: version in which it is mended, None where it is not; may be one that is still to come.
        noted: date on which it was noted, set by `add_issues`.
    """

    id: str
    text: str
    severity: str = "minor"
    groups: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    start: str | None = None
    end: str | None = None
    region: tuple[float, float, float, float] | None = None
    since: str | None = None
    fixed_in: str | None = None
    noted: str | None = None

    def __post_init__(self) -> None:
        what = f"The known issue {self.id!r}"
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.id):
            raise InputError(f"{what} needs an id of letters, digits, dots, hyphens and underscores")
        if not self.text.strip():
            raise InputError(f"{what} has no text; say what is wrong and what to do")
        if self.severity not in SEVERITIES:
            raise InputError(f"{what}: the severity is {', '.join(SEVERITIES)}, not {self.severity!r}")
        for key, names, known in (
            ("groups", self.groups, schema.GROUPS),
            ("variables", self.variables, VARIABLES),
        ):
            if strange := [name for name in names if name not in known]:
                raise InputError(f"{what}: there are no {key} {', '.join(map(repr, strange))}")
        days = [_day(getattr(self, key), f"{what}: {key}") for key in ("start", "end")]
        if days[0] is not None and days[1] is not None and days[1] < days[0]:
            raise InputError(f"{what} ends on {self.end}, before it starts on {self.start}")
        if self.region is not None:
            west, south, east, north = self.region
            if not (-90 <= south < north <= 90 and -180 <= west < east <= west + 360 and east <= 360):
                raise InputError(f"{what}: the region is west, south, east, north in degrees, not {self.region}")

    def touches(self, group: str | None, version: str | None, versions: Sequence[str]) -> bool:
        """Whether it concerns a group and a version.

        Args:
            group: name of a group, None for any.
            version: a tag, "quality", or None for the last of the versions.
            versions: all tags, oldest first.
        """
        order = {tag: index for index, tag in enumerate(versions)}
        place = len(versions) if version == QUALITY else order.get(version or "", len(versions) - 1)
        since = 0 if self.since is None else order.get(self.since, 0)
        # A version that is still to come mends none of those that are there.
        fixed = order.get(self.fixed_in or "", len(versions) + 1)
        return (group is None or not self.groups or group in self.groups) and since <= place < fixed

    def short(self) -> str:
        """One line for people."""
        where = [f"groups {', '.join(self.groups)}"] if self.groups else []
        where += [f"variables {', '.join(self.variables)}"] if self.variables else []
        if self.start or self.end:
            where.append(f"{self.start or 'the beginning'} to {self.end or 'the end'}")
        if self.region is not None:
            west, south, east, north = self.region
            where.append(f"longitude {west:g} to {east:g}, latitude {south:g} to {north:g}")
        where += [f"since {self.since}"] if self.since else []
        where += [f"mended in {self.fixed_in}"] if self.fixed_in else []
        return f"{self.id} ({self.severity}): {self.text}" + (f" [{'; '.join(where)}]" if where else "")

    def as_mapping(self) -> dict[str, Any]:
        """What it says, without what it leaves open, for JSON and TOML."""
        found = dataclasses.asdict(self)
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in found.items()
            if value not in (None, ())
        }


def _day(value: Any, what: str) -> np.datetime64 | None:
    if value is None:
        return None
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            raise ValueError
        return np.datetime64(value, "D")
    except (ValueError, TypeError):
        raise InputError(f"{what} is a date such as 1989-01-31, not {value!r}") from None


def issue_from(entry: Any, what: str) -> KnownIssue:
    """A known issue from a mapping of JSON or TOML.

    Args:
        entry: the mapping.
        what: how messages call it.

    Raises:
        InputError: a key is missing, unknown or of another kind.
    """
    if not isinstance(entry, Mapping):
        raise InputError(f"{what} is no table of keys and values")
    known = [field.name for field in dataclasses.fields(KnownIssue)]
    if strange := sorted(set(entry) - set(known)):
        raise InputError(f"{what} has the unknown key {strange[0]!r}; the keys are {', '.join(known)}")
    if lacking := [key for key in ("id", "text") if key not in entry]:
        raise InputError(f"{what} has no {lacking[0]}")
    values: dict[str, Any] = {}
    for key, value in entry.items():
        if key in ("groups", "variables"):
            if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
                raise InputError(f"{what}: {key} is a list of names, not {value!r}")
            values[key] = tuple(value)
        elif key == "region":
            numbers = isinstance(value, list | tuple) and all(
                isinstance(one, int | float) and not isinstance(one, bool) for one in value
            )
            if not numbers or len(value) != 4:
                raise InputError(f"{what}: the region is west, south, east, north in degrees, not {value!r}")
            values[key] = tuple(float(one) for one in value)
        elif key in ("start", "end", "noted"):
            values[key] = str(value)
        elif not isinstance(value, str):
            raise InputError(f"{what}: {key} is text, not {value!r}")
        else:
            values[key] = value
    return KnownIssue(**values)


def read_issues(file: str | Path) -> list[KnownIssue]:
    """The known issues of a TOML file, each a table `[[issue]]` with the keys of `KnownIssue`.

    Raises:
        InputError: no such file, no TOML, or an entry cannot be used.
    """
    path = Path(file)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"The file {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"The file {path} is no TOML: {error}") from None
    entries = content.get("issue")
    if set(content) != {"issue"} or not isinstance(entries, list) or not entries:
        raise InputError(f"The file {path} must hold tables [[issue]] and nothing else")
    issues = [issue_from(entry, f"Issue {number} of {path}") for number, entry in enumerate(entries, 1)]
    names = [issue.id for issue in issues]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"The file {path} has two issues of the id {twice[0]!r}")
    return issues


def known_issues(store: ReleaseStore, group: str | None = None, *, version: str | None = None) -> list[KnownIssue]:
    """The known issues of a release that touch a version.

    Args:
        store: open.
        group: of fields; None for all groups.
        version: a tag, "quality", or None for what was published last.

    Raises:
        StoreError: they cannot be read.
    """
    issues = _stored(store)
    if not issues:
        return []
    versions = store.versions()
    return [issue for issue in issues if issue.touches(group, version, versions)]


def all_issues(store: ReleaseStore) -> list[KnownIssue]:
    """All known issues of a release, of whatever version.

    Raises:
        StoreError: they cannot be read.
    """
    return _stored(store)


def _stored(store: ReleaseStore) -> list[KnownIssue]:
    with storage_errors(store.where, "asked for its known issues"):
        if schema.ISSUES not in store.repository.list_branches():
            return []
        session = store.repository.readonly_session(branch=schema.ISSUES)
        try:
            root = zarr.open_group(session.store, mode="r")
        except GroupNotFoundError:  # the branch was made, and its first commit was not
            return []
        return _of(root, store.where)


def _of(root: zarr.Group, where: str) -> list[KnownIssue]:
    number, entries = root.attrs.get("schema_version"), root.attrs.get(_KEY)
    if not isinstance(number, int) or number > VERSION:
        raise StoreError(f"The known issues of {where} have the form {number}; install a newer Kaiseki to read them")
    if not isinstance(entries, list):
        raise StoreError(f"The known issues of {where} are damaged; note them again with kaiseki archive issue add")
    try:
        return [issue_from(entry, "A known issue") for entry in entries]
    except InputError as error:
        raise StoreError(f"The known issues of {where} are damaged: {error}") from error


def add_issues(store: ReleaseStore, issues: Iterable[KnownIssue], *, replace: bool = False) -> list[KnownIssue]:
    """Note known issues with a release, in one commit on their own branch; returns all that it has then.

    Args:
        store: open for writing.
        issues: to be noted.
        replace: whether those of the same id are replaced.

    Raises:
        InputError: an id is taken, or `since` is no version of the release.
        StoreError: another writer noted issues at the same moment, or the storage failed.
    """
    store.check_writable()
    issues = list(issues)
    versions = store.versions()
    for issue in issues:
        if issue.since is not None and issue.since not in versions:
            known = ", ".join(versions) or "none"
            raise InputError(f"The known issue {issue.id!r} is since {issue.since}, and the versions are {known}")
    with commit_lock(store.place), storage_errors(store.where, "written"):
        if schema.ISSUES not in store.repository.list_branches():
            *_, empty = store.repository.ancestry(branch=QUALITY)
            store.repository.create_branch(schema.ISSUES, empty.id)
    names = ", ".join(issue.id for issue in issues)
    with committed(store.repository, store.place, schema.ISSUES, f"known issues: {names}") as pending:
        root = zarr.open_group(pending.session.store, mode="a", zarr_format=3)
        old = {issue.id: issue for issue in _of(root, store.where)} if _KEY in root.attrs else {}
        taken = [issue.id for issue in issues if issue.id in old]
        if taken and not replace:
            raise InputError(f"{store.where} has a known issue {taken[0]!r} already; give --replace to change it")
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        new = old | {issue.id: dataclasses.replace(issue, noted=issue.noted or today) for issue in issues}
        root.attrs.update({"schema_version": VERSION, _KEY: [issue.as_mapping() for issue in new.values()]})
    return list(new.values())
