"""Parts that register through entry points: readers of analyses and of observations, operators, engines.

A distribution offers a part under the group "kaiseki.<kind>", for example in its project file

    [project.entry-points."kaiseki.driving_sources"]
    myreader = "mypackage.reader:MyReader"

where what is named is a class that is made without arguments, or an object. `docs/extending/` has a page for each kind,
`kaiseki.testing` a test of conformance.
"""

from __future__ import annotations

import difflib
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from kaiseki.core.errors import ConfigError

KINDS = ("driving_sources", "observation_sources", "observation_operators", "assimilation_engines")
"""Kinds of part that may be registered."""


def available(kind: str) -> dict[str, EntryPoint]:
    """The registered parts of a kind by name; nothing is imported.

    Raises:
        ConfigError: no such kind, or two distributions offer the same name.
    """
    if kind not in KINDS:
        raise ConfigError(f"There is no kind of plug-in {kind!r}; known are {', '.join(KINDS)}")
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"kaiseki.{kind}"):
        if point.name in found and found[point.name].value != point.value:
            raise ConfigError(
                f"Two plug-ins offer {kind} {point.name!r}: {found[point.name].value} and {point.value}; uninstall one"
            )
        found[point.name] = point
    return found


def load(kind: str, name: str) -> Any:
    """Import and return a registered part.

    Raises:
        ConfigError: it is not registered or cannot be imported.
    """
    points = available(kind)
    if name not in points:
        near = difflib.get_close_matches(name, points, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; registered are {', '.join(sorted(points)) or 'none'}"
        raise ConfigError(f"There is no plug-in {name!r} for {kind}{hint}")
    try:
        return points[name].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"The plug-in {name!r} for {kind} ({points[name].value}) cannot be imported: {error}"
        ) from error


def make[T](kind: str, name: str, contract: type[T]) -> T:
    """A registered part, made if a class is registered.

    Args:
        kind, name: of the part.
        contract: class that it must be an instance of.

    Raises:
        ConfigError: it is not registered, cannot be imported or does not keep the contract.
    """
    loaded = load(kind, name)
    part = loaded() if isinstance(loaded, type) else loaded
    if not isinstance(part, contract):
        raise ConfigError(
            f"The plug-in {name!r} for {kind} is no {contract.__name__}; see {contract.__module__}.{contract.__name__}"
        )
    return part
