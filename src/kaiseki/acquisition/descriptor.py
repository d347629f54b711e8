"""Descriptors of the sources: what a service has, where it lies, what it is called, whose it is.

One TOML file a source under `sources/`; a user's own file has the same keys, which docs/fetching.md lists too.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import string
import tomllib
import typing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Literal

from kaiseki.core.errors import ConfigError

FOLDER: Final = Path(__file__).parent / "sources"

Use = Literal["driving", "observations", "sea", "static"]
Layout = Literal["files", "climate-data-store", "zarr"]
Format = Literal["grib", "netcdf", "prepbufr", "tiff", "json", "zarr", "any"]
Every = Literal["day", "month", "once", "tile"]


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account that a service asks for."""

    name: str
    """Name of the account, such as "NASA Earthdata"."""
    register: str
    """Address where one gets it and accepts the terms."""
    where: str
    """Place where the credentials are looked for, in words."""
    hosts: tuple[str, ...] = ()
    """Hosts that may be given them."""
    machine: str = ""
    """Machine of the netrc file that holds them; "" if they are not looked for there."""
    token_variable: str = ""
    """Environment variable that may hold a bearer token instead."""
    configuration: Literal["", "cdsapirc"] = ""
    """Configuration file of the service's own client that holds them."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One kind of file or object of a source."""

    name: str
    """Name of the part, unique in the source."""
    layout: Layout = "files"
    """Way the data lie at the service: files under addresses, requests to the Climate Data Store, or a Zarr store."""
    address: str
    """Address template of a file, name of a data set of the Climate Data Store, or address of a Zarr store."""
    file: str = ""
    """Template of the file's name here; by default the last part of the address."""
    format: Format = "any"
    """Format that the file must turn out to have."""
    bytes: int = 0
    """Usual size of a file, or of a request for one time, bytes; an estimate, used before the service is asked."""
    every: Every | int = "once"
    """Time from one file to the next: hours, "day" or "month"; "tile" for one file a degree square, "once" for one."""
    holds_hours: tuple[float, float] = (0.0, 0.0)
    """First and last time of the data in a file relative to the time in its name, h; for a month the last is that
    before the next month begins."""
    each: tuple[dict[str, str], ...] = ()
    """Values for further names in the templates; one file for each row."""
    by_date: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    """Names in the templates whose value depends on the date: {name: {first day: value}}."""
    listing: str = ""
    """Address of a text file that names, one a line, the tiles that exist; others are sea."""
    listed: str = ""
    """Template of a tile's name in the listing."""
    index: str = ""
    """Template of the address of a GRIB inventory in the form of wgrib2; with it only `messages` are loaded."""
    messages: tuple[str, ...] = ()
    """Regular expressions for "NAME:level:forecast" of the inventory's lines."""
    sha256: str = ""
    """Digest of a file that never changes, hexadecimal."""
    region: str = ""
    """Region of an S3 bucket."""
    request: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Request to the Climate Data Store, without time and area."""
    variables: tuple[str, ...] = ()
    """Variables of a Zarr store that must be there."""
    optional: tuple[str, ...] = ()
    """Variables of a Zarr store that are taken where they are there."""
    time: datetime | None = None
    """Time of a Zarr store that is taken for every period: of fields that do not change."""
    grid: float = 0.25
    """Grid length of what is cut out, degrees; for estimates and for the request."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source of data of one kind."""

    name: str
    """Name of the source, that of its file."""
    title: str
    """Title, one line."""
    use: Use
    """Use in an experiment."""
    folder: str
    """Folder under the data folder; files of an experiment under it are this source's."""
    licence: str
    """Licence or terms, in a few words."""
    citation: str
    """Reference that publications and figures have to give."""
    documentation: tuple[str, ...]
    """Descriptions of the layout that this descriptor follows."""
    account: Account | None = None
    """Account that is needed; none if the data are open."""
    first: date | None = None
    """First day of the data."""
    last: date | None = None
    """Last day of the data; none if they go on."""
    interval_hours: float = 0.0
    """Interval between two times of the data that is asked for, h; 0 for what has no time."""
    offset_hours: float = 0.0
    """Time of day of the first of them, h."""
    probe: datetime | None = None
    """Time whose files `kaiseki fetch --probe` asks for."""
    remarks: str = ""
    """Remarks for users: what it lacks, what has to be known."""
    parts: tuple[Part, ...]

    def part(self, name: str) -> Part:
        """The part of a name."""
        return next(one for one in self.parts if one.name == name)


def known() -> tuple[str, ...]:
    """Names of the sources that come with Kaiseki, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def source(name: str) -> Source:
    """A source by its name, or by the path of a descriptor of one's own.

    Raises:
        ConfigError: there is none, or its descriptor is wrong; one sentence says where.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        near = difflib.get_close_matches(name, known(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known())}"
        raise ConfigError(f"There is no source {name!r}; {hint}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a descriptor ({error})") from None
    where = str(path)
    account = values.pop("account", None)
    parts = values.pop("parts", [])
    if not isinstance(parts, list) or not parts:
        raise ConfigError(f"{where}: has no parts; a descriptor needs at least one [[parts]]")
    made = _made(
        Source,
        values
        | {"name": path.stem, "parts": tuple(_made(Part, one, where) for one in parts)}
        | ({"account": _made(Account, account, where)} if account is not None else {}),
        where,
    )
    for part in made.parts:
        _check(made, part, where)
    return made


def _made[T](kind: type[T], values: Any, where: str) -> T:
    """A dataclass of a table, its keys and types checked."""
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: {kind.__name__.lower()} must be a table")
    fields = {one.name: one for one in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    if unknown := set(values) - set(fields):
        name = sorted(unknown)[0]
        near = difflib.get_close_matches(name, fields, n=1)
        raise ConfigError(f"{where}: there is no key {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    needed = [
        name
        for name, one in fields.items()
        if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING and name not in values
    ]
    if needed:
        raise ConfigError(f"{where}: {kind.__name__.lower()} needs {', '.join(needed)}")
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    for name, value in given.items():
        if not _fits(value, hints[name]):
            raise ConfigError(f"{where}: {name} = {value!r} is not of the kind that is expected, {hints[name]}")
    return kind(**given)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value of TOML is of a type: the few that descriptors use."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return value in inner
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        return len(kinds) == len(value) and all(_fits(one, kind) for one, kind in zip(value, kinds, strict=True))
    if origin is dict:
        return isinstance(value, dict) and all(_fits(one, inner[1]) for one in value.values())
    if inner:
        return any(_fits(value, one) for one in inner)
    if hint is Any:
        return True
    if hint is type(None):
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is date:
        return isinstance(value, date) and not isinstance(value, datetime)
    return isinstance(value, hint) and not (isinstance(value, bool) and hint is int)


def _check(owner: Source, part: Part, where: str) -> None:
    """Refuse templates with names that nothing gives, and hours that make no sense."""
    given = {"time", "end", "latitude", "longitude", *part.by_date, *(name for row in part.each for name in row)}
    filled = dict.fromkeys(given, "") | {
        "time": datetime(2024, 1, 1, tzinfo=UTC),
        "end": datetime(2024, 1, 31, tzinfo=UTC),
    }
    for template in (part.address, part.file, part.index, part.listed):
        try:
            for _, name, _, _ in string.Formatter().parse(template):
                if name is not None and name not in given:
                    raise ConfigError(f"{where}: part {part.name}: nothing gives the name {{{name}}} in {template!r}")
            template.format(**filled)
        except (ValueError, IndexError, KeyError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"{where}: part {part.name}: {template!r} is no template ({error})") from None
    for name, table in part.by_date.items():
        try:
            days = [date.fromisoformat(day) for day in table]
        except ValueError as error:
            raise ConfigError(
                f"{where}: part {part.name}: by_date.{name} needs days such as 2024-01-01 ({error})"
            ) from None
        if days != sorted(days):
            raise ConfigError(f"{where}: part {part.name}: the days of by_date.{name} must rise")
    for pattern in part.messages:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(
                f"{where}: part {part.name}: messages has no right expression {pattern!r} ({error})"
            ) from None
    if part.time is not None and part.layout != "zarr":
        raise ConfigError(f"{where}: part {part.name}: time is for the layout zarr alone")
    if owner.interval_hours < 0 or (part.layout == "zarr" and part.time is None and not owner.interval_hours):
        raise ConfigError(f"{where}: interval_hours = {owner.interval_hours:g} must be more than 0")
    if isinstance(part.every, int) and (part.every < 1 or 24 % part.every):
        raise ConfigError(f"{where}: part {part.name}: every = {part.every} hours does not divide the day")
    if part.layout != "zarr" and not part.file and "/" not in part.address:
        raise ConfigError(f"{where}: part {part.name}: needs a template of the file's name")
    if Path(owner.folder).is_absolute() or ".." in Path(owner.folder).parts:
        raise ConfigError(f"{where}: folder = {owner.folder!r} must lie under the data folder")


def utc(moment: datetime) -> datetime:
    """A time of TOML in UTC; one without an offset is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
