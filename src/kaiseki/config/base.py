"""What every section of the experiment shares: frozen, strict about keys, bounds that are checked wherever it is made.

Sections are plain dataclasses, so that the model and the engines take them as they are, also where pydantic is not
installed; pydantic reads files into them (`config.reading`) and finds the bounds in the annotations.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import PurePath
from typing import Annotated, Any, ClassVar

from kaiseki.core.errors import ConfigError, KaisekiError
from kaiseki.core.timing import parse_time, to_datetime


@dataclass(frozen=True)
class Bounds:
    """Bounds of a number: greater than, greater or equal, less than, less or equal; None where there is none."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None

    def fault(self, value: float) -> str | None:
        """What is wrong with a value, None where nothing is."""
        if not math.isfinite(value):
            return "must be a finite number"
        if self.gt is not None and not value > self.gt:
            return f"must be greater than {self.gt:g}"
        if self.ge is not None and not value >= self.ge:
            return f"must be at least {self.ge:g}"
        if self.lt is not None and not value < self.lt:
            return f"must be less than {self.lt:g}"
        if self.le is not None and not value <= self.le:
            return f"must be at most {self.le:g}"
        return None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """How pydantic checks the bounds of a value that it reads."""
        given = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        return {**handler(source), **given}


@dataclass(frozen=True)
class Named:
    """One of the names that are known, ours or of plug-ins.

    Attributes:
        what: is named.
        known: gives the names.
    """

    what: str
    known: Callable[[], Sequence[str]]

    def fault(self, value: str) -> str | None:
        """What is wrong with a name, None where nothing is."""
        known = list(self.known())
        if value in known:
            return None
        near = difflib.get_close_matches(value, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        return f"there is no such {self.what}; {hint}"

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """How pydantic checks a name that it reads."""
        return _checked_text(self, source, handler)


@dataclass(frozen=True)
class Pattern:
    """A path or a glob pattern, in which `**` stands for folders and is a whole part of the path."""

    def fault(self, value: str) -> str | None:
        """What is wrong with a pattern, None where nothing is."""
        if not value.strip("/ "):
            return "is empty; give the path of a file, or a pattern"
        if "\0" in value:
            return "holds a null character, as no path does"
        if any("**" in part and part != "**" for part in PurePath(value).parts):
            return "** stands for any folders and must be a whole part of the path, as in reports/**/*.nc"
        return None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """How pydantic checks a pattern that it reads."""
        return _checked_text(self, source, handler)


def _checked_text(rule: Named | Pattern, source: Any, handler: Any) -> Any:
    """The pydantic schema of a text that a rule checks."""
    from pydantic_core import core_schema

    def checked(value: str) -> str:
        if (fault := rule.fault(value)) is not None:
            raise ValueError(f"{value!r}: {fault}")
        return value

    return core_schema.no_info_after_validator_function(checked, handler(source))


class _Utc:
    """Marks an instant that is read from ISO 8601 text or a TOML date-time."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(_utc, handler(source))


def _utc(value: Any) -> Any:
    """Text (ISO 8601) or a TOML date-time as `datetime` in UTC; `ValueError` for anything else."""
    if isinstance(value, date) and not isinstance(value, datetime):
        raise ValueError(f"{value} has no time of day; give date and time of day in UTC, as {value}T12:00:00Z")
    if not isinstance(value, (str, datetime)):
        raise ValueError(f"{value!r} is not a time; give date and time of day in UTC, as 1989-01-01T12:00:00Z")
    if isinstance(value, datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    try:
        return to_datetime(parse_time(value))
    except KaisekiError as error:
        raise ValueError(str(error)) from None


UtcTime = Annotated[datetime, _Utc()]
"""An instant in UTC; a TOML date-time without an offset is UTC."""

Positive = Annotated[float, Bounds(gt=0)]
NotNegative = Annotated[float, Bounds(ge=0)]
Fraction = Annotated[float, Bounds(ge=0, le=1)]
Count = Annotated[int, Bounds(ge=1)]
Seed = Annotated[int, Bounds(ge=0)]
Latitude = Annotated[float, Bounds(ge=-90, le=90)]
Longitude = Annotated[float, Bounds(ge=-180, le=360)]
Files = tuple[Annotated[str, Pattern()], ...]
"""Paths or glob patterns relative to the data root that the command is given; a name that exists is no pattern."""


class Section:
    """Base of the sections: values cannot be changed and keep their bounds, keys that do not exist are refused."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "extra": "forbid",
        "allow_inf_nan": False,
        "use_attribute_docstrings": True,
    }

    def __post_init__(self) -> None:
        """Check the bounds of all values.

        Raises:
            ConfigError: a value lies outside its bounds.
        """
        for name, hint in hints(type(self)).items():
            _check(name, getattr(self, name), hint)


_HINTS: dict[type[Section], dict[str, Any]] = {}


def hints(section: type[Section]) -> dict[str, Any]:
    """Annotations of the values of a section by name."""
    if section not in _HINTS:
        found = typing.get_type_hints(section, include_extras=True)
        names = [field.name for field in dataclasses.fields(section)]  # type: ignore[arg-type]
        _HINTS[section] = {name: found[name] for name in names}
    return _HINTS[section]


def _check(name: str, value: Any, hint: Any) -> None:
    """Check a value, or the values in it, by the bounds in its annotation.

    Raises:
        ConfigError: one lies outside.
    """
    if value is None:
        return
    if typing.get_origin(hint) is Annotated:
        for rule in hint.__metadata__:
            if isinstance(rule, Bounds | Named | Pattern) and (fault := rule.fault(value)) is not None:
                raise ConfigError(f"{name} = {value!r}: {fault}")
        return
    if isinstance(value, dict):
        of_key, of_item = typing.get_args(hint)
        for key, item in value.items():
            _check(name, key, of_key)
            _check(f"{name}.{key}", item, of_item)
    elif isinstance(value, tuple):
        inner = [part for part in typing.get_args(hint) if part is not Ellipsis]
        kinds = inner * len(value) if len(inner) == 1 else inner
        for number, (item, kind) in enumerate(zip(value, kinds, strict=False)):
            _check(f"{name}[{number}]", item, kind)
    else:
        for part in typing.get_args(hint):
            _check(name, value, part)
