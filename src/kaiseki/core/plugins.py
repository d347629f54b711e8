"""Parts that register through entry points: readers of analyses and of observations, operators, engines.

A distribution offers a part under the group "kaiseki.<kind>", for example in its project file

    [project.entry-points."kaiseki.driving_sources"]
    myreader = "mypackage.reader:MyReader"

where what is named is a class that is made without arguments, or an object. `docs/extending/` has a page for each kind,
`kaiseki.testing` a test of conformance.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from kaiseki.core.errors import ConfigError

PART_KINDS = ("driving_sources", "observation_sources", "observation_operators", "assimilation_engines")
"""Kinds of part that may be registered."""


def available(kind: str) -> dict[str, EntryPoint]:
    """The registered parts of a kind by name; nothing is imported.

    Raises:
        ConfigError: no such kind, or two distributions offer the same name.
    """
    if kind not in PART_KINDS:
        raise ConfigError(f"There is no kind of plug-in {kind!r}; known are {', '.join(PART_KINDS)}")
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"kaiseki.{kind}"):
        if point.name in found and found[point.name].value != point.value:
            raise ConfigError(
                f"Two plug-ins offer {kind} {point.name!r}: {_origin(found[point.name])} and {_origin(point)}; "
                "uninstall one"
            )
        found[point.name] = point
    return found


def further(kind: str, own: Collection[str]) -> tuple[str, ...]:
    """The names that plug-ins add to ours, sorted; nothing is imported.

    Args:
        kind: of part.
        own: names of our parts.

    Raises:
        ConfigError: as `available`, or a plug-in has a name of ours, which would never be used.
    """
    found = available(kind)
    for name in own:
        if name in found:
            raise ConfigError(
                f"The plug-in {name!r} for {kind} ({_origin(found[name])}) has a name that Kaiseki uses itself; "
                "register it under another, or uninstall it"
            )
    return tuple(sorted(found))


def _origin(point: EntryPoint) -> str:
    """What an entry point names, and the distribution to uninstall."""
    return point.value if point.dist is None else f"{point.value} of the distribution {point.dist.name}"


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
    except (Exception, SystemExit) as error:  # whatever a module of someone else does when it is imported
        raise ConfigError(
            f"The plug-in {name!r} for {kind} ({_origin(points[name])}) cannot be imported: {_said(error)}"
        ) from error


def _said(error: BaseException) -> str:
    """An error in words; kinds other than failed imports by their name too."""
    return str(error) if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: {error}"


def make[T](kind: str, name: str, contract: type[T]) -> T:
    """A registered part, made if a class is registered.

    Args:
        kind, name: of the part.
        contract: class that it must be an instance of.

    Raises:
        ConfigError: it is not registered, cannot be imported or made, does not keep the contract, or calls itself
            otherwise than it is registered.
    """
    loaded = load(kind, name)
    try:
        part = loaded() if isinstance(loaded, type) else loaded
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"The plug-in {name!r} for {kind} is a class that cannot be made without arguments: {_said(error)}"
        ) from error
    if not isinstance(part, contract):
        raise ConfigError(
            f"The plug-in {name!r} for {kind} is no {contract.__name__}; see {contract.__module__}.{contract.__name__}"
        )
    # Engines and driving sources carry their name; it must be there and be the one by which they are found.
    if "name" in getattr(contract, "__annotations__", {}) and getattr(part, "name", None) != name:
        raise ConfigError(
            f"The plug-in {name!r} for {kind} has name = {getattr(part, 'name', None)!r}; it must be {name!r}, as it "
            "is registered"
        )
    return part
