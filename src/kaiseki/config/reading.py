"""Reading of experiments: from a TOML file to an `Experiment`, and from pydantic's list of errors to one sentence."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from kaiseki.config.base import Section, hints
from kaiseki.core.errors import ConfigError


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ConfigError: no such file, not readable, not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"There is no experiment file {path}") from None
    except OSError as error:
        raise ConfigError(f"The experiment file {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not a TOML file: {error}") from None


_ADAPTERS: dict[type[Section], Any] = {}


def _adapter(section: type[Section]) -> Any:
    """What pydantic reads a section with, made once."""
    if section not in _ADAPTERS:
        _ADAPTERS[section] = TypeAdapter(section)
    return _ADAPTERS[section]


def validated[S: Section](section: type[S], values: Mapping[str, Any], source: str) -> S:
    """A section of values that were read; `source` names the file in the message.

    Raises:
        ConfigError: an unknown key, a missing or a wrong value; one sentence says which.
    """
    if (where := _truth_value(values, section)) is not None:
        raise ConfigError(f"{source}: {where} is true or false, but must be a number")
    try:
        found: S = _adapter(section).validate_python(values)
    except ValidationError as error:
        raise explain(error, section, source) from None
    return found


def _truth_value(values: Any, hint: Any, where: str = "") -> str | None:
    """Dotted path of the first truth value where the annotation has none; pydantic would take it for 0 or 1."""
    if isinstance(values, bool):
        return None if bool in _parts(hint) or Any in _parts(hint) else where
    if isinstance(values, Mapping):
        model = _inner_model(hint)
        kinds = {} if model is None else hints(model)
        # Of a mapping that is no section, the values have the last of its annotations.
        other = get_args(hint)[-1] if model is None and get_args(hint) else Any
        items = [(str(key), item, kinds.get(key, other)) for key, item in values.items()]
    elif isinstance(values, list | tuple):
        items = [(f"[{number}]", item, hint) for number, item in enumerate(values)]
    else:
        return None
    for name, item, kind in items:
        path = name if not where else f"{where}{name}" if name[:1] == "[" else f"{where}.{name}"
        if (found := _truth_value(item, kind, path)) is not None:
            return found
    return None


def _parts(hint: Any) -> set[Any]:
    """The types in an annotation such as `tuple[float, ...] | None`."""
    inner = get_args(hint)
    return {hint} if not inner else set().union(*(_parts(part) for part in inner))


def schema_of(section: type[Section]) -> dict[str, Any]:
    """JSON schema of the files that are read into a section."""
    return _adapter(section).json_schema()


def explain(error: ValidationError, model: type[Section], source: str) -> ConfigError:
    """The first of pydantic's errors as one sentence, unknown keys first; `source` is the file."""
    faults = sorted(error.errors(include_url=False), key=lambda fault: fault["type"] != "unexpected_keyword_argument")
    fault = faults[0]
    where = _dotted(fault["loc"])
    more = f" ({len(faults) - 1} more after this one)" if len(faults) > 1 else ""
    match fault["type"]:
        case "unexpected_keyword_argument":
            text = f"unknown key {where}{_nearest(fault['loc'], model)}"
        case "missing":
            text = f"{where} is missing; please give it"
        case "literal_error":
            text = f"{where} = {fault['input']!r}, but must be {fault['ctx']['expected']}{_close_value(fault)}"
        case "value_error":
            text = f"{where}: {fault['ctx']['error']}" if where else str(fault["ctx"]["error"])
        case "tuple_type":
            text = f"{where} = {fault['input']!r}, but must be a list{_as_list(where, fault['input'])}"
        case "too_long":
            most = fault["ctx"]["max_length"]
            text = f"{where} = {fault['input']!r} has {fault['ctx']['actual_length']} values, but must have {most}"
        case "dataclass_type":
            text = f"{where} = {fault['input']!r}, but must be a table with keys of its own, [{where}]"
        case "dict_type":
            text = f"{where} = {fault['input']!r}, but must be a table, [{where}], in which every key has a value"
        case _:
            text = f"{where} = {fault['input']!r}: {fault['msg'][0].lower()}{fault['msg'][1:]}"
    return ConfigError(f"{source}: {text}{more}")


def _as_list(where: str, value: Any) -> str:
    """How a value that stands alone is written as a list, a clause; "" for what is no single value."""
    if isinstance(value, str):
        return f'; write {where.rpartition(".")[2]} = ["{value}"]'
    if isinstance(value, int | float):
        return f"; write {where.rpartition('.')[2]} = [{value}]"
    return ""


def _dotted(loc: Sequence[int | str]) -> str:
    """Dotted path of a key: ("observations", "errors", 0, "kind") as observations.errors[0].kind."""
    text = ""
    for part in loc:
        if part == "[key]":  # how pydantic marks that the key of a mapping, not its value, is wrong
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _inner_model(annotation: Any) -> type[Section] | None:
    """The section in an annotation such as `DomainSettings | None` or `tuple[ErrorOverride, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner_model(part))), None)


def _model_at(loc: Sequence[int | str], model: type[Section]) -> type[Section]:
    """The section a path leads to."""
    for part in loc:
        if isinstance(part, str) and part in hints(model):
            model = _inner_model(hints(model)[part]) or model
    return model


def _all_keys(model: type[Section], head: str = "") -> Iterator[tuple[str, str]]:
    """Pairs (key, dotted path) of all keys of the experiment."""
    for name, annotation in hints(model).items():
        yield name, head + name
        if inner := _inner_model(annotation):
            yield from _all_keys(inner, f"{head}{name}.")


def _nearest(loc: Sequence[int | str], model: type[Section]) -> str:
    """What the user may have meant: a like key of the section, the same key elsewhere, or the list of the section."""
    key, section = str(loc[-1]), _model_at(loc[:-1], model)
    names = list(hints(section))
    if near := difflib.get_close_matches(key, names, n=1):
        return f"; did you mean {_dotted([*loc[:-1], near[0]])}?"
    paths = dict(_all_keys(model))
    if near := difflib.get_close_matches(key, list(paths), n=1, cutoff=0.8):
        return f"; did you mean {paths[near[0]]}?"
    return f"; the keys there are {', '.join(names)}"


def _close_value(fault: Any) -> str:
    """The nearest of the allowed words."""
    words = [word.strip(" '") for word in fault["ctx"]["expected"].replace(" or ", ",").split(",")]
    near = difflib.get_close_matches(str(fault["input"]), words, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
