"""What a release holds: groups, variables, days by state, versions, streams, known issues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import icechunk
import numpy as np
import zarr

from kaiseki.archive.release import schema
from kaiseki.archive.release.issues import issue_from, known_issues
from kaiseki.archive.release.store import QUALITY, ReleaseStore, names_of, states_of
from kaiseki.archive.store.arrays import array_at, axes_of
from kaiseki.archive.store.storage import Location, storage_errors


def info(
    location: Location, version: str | None = QUALITY, *, storage_options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What a version of a release holds, for JSON; nothing but the ledger is read.

    Args:
        location: of the release store.
        version: a tag, "quality", or None for what was published last.
        storage_options: for S3, see `storage.resolve`.

    Raises:
        StoreError: no release store, or no such version.
    """
    store = ReleaseStore.open(location, "r", storage_options=storage_options)
    root, times = store.root(version), store.times
    about = store.attributes
    members: Any = root[schema.OBSERVATIONS]
    static: Any = root[schema.STATIC]
    return {
        "release": store.where,
        "title": about["title"],
        "version": version or store.versions()[-1],
        "snapshot": store.snapshot(version),
        "schema_version": about["schema_version"],
        "bounds": about["bounds"],
        "axis": {"start": str(times.day(0)), "end": str(times.day(times.days - 1)), "times_a_day": dict(times.steps)},
        "grid": {name: int(static[name].shape[0]) for name in (*about["horizontal"], "level") if name in static},
        "groups": {name: _group(root, group, times) for name, group in schema.GROUPS.items() if name in root},
        "observation_days": len(list(members.group_keys())),
        "versions": _versions(store),
        "streams": _streams(store),
        "known_issues": [issue.as_mapping() for issue in known_issues(store, version=version)],
    }


def _group(root: zarr.Group, group: schema.Group, times: schema.Times) -> dict[str, Any]:
    """What one group holds."""
    states = states_of(root, group.name).reshape(times.days, -1)
    used = np.flatnonzero(states.any(axis=1))
    variables = {}
    for name in names_of(root, group.name):
        array = array_at(root, f"{group.name}/{name}")
        vertical = axes_of(array)[1:-2]
        variables[name] = {vertical[0]: array.shape[1]} if vertical else {}
    full = (states > 0).all(axis=1)
    return {
        "title": group.title,
        "copies": list(group.copies),
        "variables": variables,
        "days": int(used.size),
        "days_final": int(np.count_nonzero((states == schema.FINAL).all(axis=1))),
        "days_preliminary": int(np.count_nonzero((states == schema.PRELIMINARY).any(axis=1))),
        "days_in_part": int(np.count_nonzero(states.any(axis=1) & ~full)),
        "first": str(times.day(int(used[0]))) if used.size else None,
        "last": str(times.day(int(used[-1]))) if used.size else None,
    }


def _versions(store: ReleaseStore) -> list[dict[str, str]]:
    """Tags with the time of their publication, or that of their last commit where the log of that is gone."""
    repository = store.repository
    with storage_errors(store.where, "read"):
        made: dict[str, Any] = {}
        for update in repository.ops_log():
            kind: Any = update.kind
            if isinstance(kind, icechunk.UpdateType.TagCreated):
                made.setdefault(kind.name, update.updated_at)
        found = []
        for tag in store.versions():
            snapshot = repository.lookup_tag(tag)
            when = made.get(tag) or repository.lookup_snapshot(snapshot).written_at
            found.append({"version": tag, "published": f"{when:%Y-%m-%dT%H:%M:%SZ}", "snapshot": str(snapshot)})
    return found


def _streams(store: ReleaseStore) -> dict[str, dict[str, Any]]:
    """Streams of production with the days that they wrote, from the history of commits as far as it is kept."""
    found = dict[str, dict[str, Any]]()
    with storage_errors(store.where, "read"):
        for commit in store.repository.ancestry(branch=QUALITY):
            about = commit.metadata
            if "stream" in about and "day" in about:
                days = found.setdefault(str(about["stream"]), {"days": set(), "overlap_days": set()})
                days["overlap_days" if about.get("overlap") else "days"].add(str(about["day"]))
    return {
        stream: {
            "days": len(days["days"]),
            "overlap_days": len(days["overlap_days"]),
            "first": min(days["days"] | days["overlap_days"]),
            "last": max(days["days"] | days["overlap_days"]),
        }
        for stream, days in sorted(found.items())
    }


def as_text(found: Mapping[str, Any]) -> str:
    """The result of `info` for people."""
    axis, grid = found["axis"], found["grid"]
    lines = [
        f"{found['title']}: {found['release']}, version {found['version']} (state {found['snapshot']})",
        f"axis {axis['start']} to {axis['end']}; "
        + " x ".join(f"{size} {name}" for name, size in grid.items())
        + f"; {found['bounds']} error bounds; schema version {found['schema_version']}",
    ]
    for name, group in found["groups"].items():
        if not group["days"]:
            lines.append(f"{name}: nothing yet")
            continue
        parts = [f"{group['days']} days {group['first']} to {group['last']}"]
        for words, key in (("preliminary", "days_preliminary"), ("in part", "days_in_part")):
            parts += [f"{group[key]} {words}"] if group[key] else []
        lines.append(f"{name}: {', '.join(parts)}")
        lines.append(
            "  "
            + ", ".join(
                variable + (f" ({next(iter(deep.values()))} {next(iter(deep))}s)" if deep else "")
                for variable, deep in group["variables"].items()
            )
        )
    lines.append(f"observations: {found['observation_days']} days")
    for version in found["versions"]:
        lines.append(f"version {version['version']}, published {version['published']}")
    for stream, days in found["streams"].items():
        overlap = f", {days['overlap_days']} days of overlap" if days["overlap_days"] else ""
        lines.append(f"stream {stream}: {days['days']} days{overlap}, {days['first']} to {days['last']}")
    issues = [issue_from(entry, "A known issue").short() for entry in found["known_issues"]]
    lines += [f"known issue {text}" for text in issues] or ["no known issues"]
    return "\n".join(lines)
