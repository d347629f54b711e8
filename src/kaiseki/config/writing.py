"""Sections as plain values, and a writer for the part of TOML (v1.0) that an experiment uses: tables, numbers, text,
truth values, times, arrays."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kaiseki.config.base import Section
from kaiseki.core.timing import format_utc, parse_time


def to_mapping(section: Section, *, times_as_text: bool = True, without_none: bool = False) -> dict[str, Any]:
    """The values of a section and of those in it: tables, lists, numbers, text, truth values.

    Args:
        section: any section.
        times_as_text: instants as ISO 8601 text in UTC, as JSON needs them; else as `datetime`.
        without_none: leave out what is None, which TOML cannot write.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, Section):
            fields = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}  # type: ignore[arg-type]
            return {name: plain(one) for name, one in fields.items() if not (without_none and one is None)}
        if isinstance(value, Mapping):
            return {name: plain(one) for name, one in value.items()}
        if isinstance(value, tuple):
            return [plain(one) for one in value]
        if isinstance(value, datetime) and times_as_text:
            return format_utc(parse_time(value), seconds=True)
        return value

    found: dict[str, Any] = plain(section)
    return found


_BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(values: Mapping[str, Any]) -> str:
    """The mapping as TOML; tables are written after the plain values of the table they stand in.

    Raises:
        TypeError: a value has no form in TOML, such as None.
    """
    return "\n".join(_table(values, ())).lstrip("\n") + "\n"


def _table(values: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    if path and (lines or len(plain) == len(values)):
        lines = ["", f"[{'.'.join(map(_key, path))}]", *lines]
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += _table(value, (*path, key))
    return lines


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    # JSON's escapes are a subset of those of a TOML basic string; DEL is the one character that only TOML forbids.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            # repr is the shortest text that gives the same number again.
            return repr(value) if math.isfinite(value) else str(value)
        case str():
            return _text(value)
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case Mapping():
            return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(_value(item) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} has no form in TOML")
