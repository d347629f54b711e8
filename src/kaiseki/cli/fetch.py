"""`kaiseki fetch`: the data that an experiment reads, from the services that have them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from kaiseki.cli.installed import need
from kaiseki.cli.output import Json, begin, emit
from kaiseki.core.errors import ConfigError, InputError

if TYPE_CHECKING:
    from kaiseki.acquisition.descriptor import Source
    from kaiseki.acquisition.plan import Plan
    from kaiseki.acquisition.probe import Finding

Data = Annotated[Path | None, Parameter(name="--data", help="Folder that the paths of the experiment are relative to.")]
Sources = Annotated[
    tuple[str, ...],
    Parameter(
        name="--source",
        negative="",
        help="Source, or the path of a descriptor; several by several --source. By default those in whose folders "
        "files of the experiment lie.",
    ),
]
Every = Annotated[float | None, Parameter(help="Interval of driving data, h; by default that of the source.")]
DryRun = Annotated[
    bool, Parameter(name="--dry-run", negative="", help="Say what would be loaded; no service is asked.")
]
Probe = Annotated[
    bool, Parameter(name="--probe", negative="", help="Compare the descriptors with what the services answer today.")
]


@dataclass(frozen=True)
class Loading:
    """Options of how the services are asked."""

    jobs: Annotated[int, Parameter(help="Files at a time.")] = 4
    """Files at a time."""
    mirror: Annotated[
        tuple[str, ...],
        Parameter(negative="", help="BEGIN=INSTEAD: ask another address, such as that of a mirror."),
    ] = ()
    """Begins of addresses, and what stands in their place."""


def fetch(
    file: Path | None = None,
    /,
    *,
    data: Data = None,
    source: Sources = (),
    every: Every = None,
    loading: Annotated[Loading | None, Parameter(name="*")] = None,
    dry_run: DryRun = False,
    probe: Probe = False,
    json: Json = False,
) -> None:
    """Fetch the data that an experiment needs, for its period and domain, into its data folder.

    What is loaded is checked, recorded in fetched.jsonl and never loaded twice; a fetch that was ended goes on where it
    was. Without an experiment the sources are listed.

    Parameters
    ----------
    file
        Experiment file.
    """
    from kaiseki.acquisition.credentials import Secrets, nothing_told

    begin(json)
    with nothing_told(Secrets()):
        _fetch(file, data, source, every, loading or Loading(), dry_run=dry_run, probe=probe, json=json)


def _fetch(
    file: Path | None,
    data: Path | None,
    source: tuple[str, ...],
    every: float | None,
    loading: Loading,
    *,
    dry_run: bool,
    probe: bool,
    json: bool,
) -> None:
    if loading.jobs < 1:
        raise ConfigError(f"--jobs {loading.jobs}: at least one file has to be loaded at a time")
    from kaiseki.acquisition.service import mirrors_of

    mirrors = mirrors_of(loading.mirror)
    if probe:
        _probe(source, mirrors, json=json)
        return
    if file is None:
        _list(source, json=json)
        return
    if not dry_run:
        need("fetch", what="kaiseki fetch")
    from kaiseki.acquisition.plan import chosen_sources, make_plan
    from kaiseki.config import Experiment

    experiment = Experiment.load(file)
    plan = make_plan(experiment, chosen_sources(experiment, source), every)
    if dry_run:
        emit(_as_mapping(plan), json=json, text=lambda: _plan_lines(plan))
        return
    if data is None:
        raise ConfigError("No data folder was given; name it with --data")
    if not data.is_dir():
        raise ConfigError(f"There is no data folder {data}; make it (mkdir), or name another with --data")
    from kaiseki.acquisition.fetch import Manner, size_words
    from kaiseki.acquisition.fetch import fetch as carry_out

    outcome = carry_out(plan, data, Manner(jobs=loading.jobs, mirrors=mirrors))
    emit(
        {"data": str(data), "loaded": outcome.loaded, "files": outcome.files},
        json=json,
        text=lambda: (
            f"{outcome.count('loaded')} files loaded ({size_words(outcome.loaded)}), {outcome.count('there')} were "
            f"there; credits and licences are in the files fetched.jsonl under {data}"
        ),
    )


def _list(names: tuple[str, ...], *, json: bool) -> None:
    from kaiseki.acquisition.descriptor import known, source

    sources = [source(name) for name in names or known()]
    emit(
        {"sources": [_described(one) for one in sources]}, json=json, text=lambda: "\n".join(map(_source_line, sources))
    )


def _probe(names: tuple[str, ...], mirrors: tuple[tuple[str, str], ...], *, json: bool) -> None:
    need("fetch", what="kaiseki fetch --probe")
    from kaiseki.acquisition.descriptor import known, source
    from kaiseki.acquisition.probe import probe

    findings = probe([source(name) for name in names or known()], mirrors)
    emit(
        {"findings": [one.as_dict() for one in findings]},
        json=json,
        text=lambda: "\n".join(_finding_line(one) for one in findings),
    )
    wrong = [one for one in findings if one.state == "differs"]
    if wrong:
        raise InputError(
            f"{len(wrong)} of {len(findings)} parts are not as their descriptors say "
            f"({', '.join(f'{one.source}/{one.part}' for one in wrong)}); correct a copy of the descriptor and give it "
            "with --source"
        )


def _finding_line(one: Finding) -> str:
    return f"{one.state:12s} {one.source}/{one.part}: {one.words}"


def _source_line(one: Source) -> str:
    account = f"account: {one.account.name}" if one.account else "no account"
    return f"{one.name:16s} {one.title}\n{'':16s} {_years(one)}, {account}, {one.licence}, under {one.folder}/"


def _years(one: Source) -> str:
    if one.first is None:
        return "without time"
    return f"{one.first} to {one.last or 'today'}"


def _described(one: Source) -> dict[str, Any]:
    from kaiseki.acquisition.service import account_state

    return {
        "name": one.name,
        "title": one.title,
        "use": one.use,
        "folder": one.folder,
        "first": one.first,
        "last": one.last,
        "licence": one.licence,
        "citation": one.citation,
        "documentation": list(one.documentation),
        "account": account_state(one.account),
        "remarks": one.remarks,
    }


def _as_mapping(plan: Plan) -> dict[str, Any]:
    from kaiseki.acquisition.credentials import Secrets

    return {
        "area": {
            "south": plan.area.south,
            "north": plan.area.north,
            "west": plan.area.west,
            "width": plan.area.width,
        },
        "bytes": sum(item.bytes for item in plan.items),
        "to_load": sum(item.load for item in plan.items),
        "sources": [_described(one) for one in plan.sources],
        "files": [
            {
                "file": str(item.path),
                "source": item.source.name,
                "address": Secrets().hidden(item.address),
                "bytes": item.bytes,
                "to_load": item.load,
                "request": item.request or None,
                "times": [time.isoformat() for time in item.times],
            }
            for item in plan.items
        ],
    }


def _plan_lines(plan: Plan) -> str:
    from kaiseki.acquisition.credentials import Secrets
    from kaiseki.acquisition.fetch import size_words
    from kaiseki.acquisition.service import account_state

    lines = [f"{plan.start:%Y-%m-%d %H:%M} to {plan.end:%Y-%m-%d %H:%M} UTC, {plan.area}"]
    for one in plan.sources:
        items = [item for item in plan.items if item.source.name == one.name]
        state = account_state(one.account)
        account = "none"
        if state["needed"]:
            found = (
                "credentials found" if state["there"] else f"no credentials in {state['where']}; {state['register']}"
            )
            account = f"{state['needed']} ({found})"
        lines += [f"{one.name}: {one.title}", f"  licence: {one.licence}", f"  account: {account}"]
        if one.remarks:
            lines.append(f"  remark: {one.remarks}")
        for item in items:
            cropped = f", {size_words(item.load)} to load" if item.load > item.bytes else ""
            lines.append(
                f"  {item.path}  about {size_words(item.bytes)}{cropped}  from {Secrets().hidden(item.address)}"
            )
    total, load = sum(item.bytes for item in plan.items), sum(item.load for item in plan.items)
    lines.append(
        f"{len(plan.items)} files, about {size_words(total)} on the disk, {size_words(load)} to load (estimates)"
    )
    return "\n".join(lines)
