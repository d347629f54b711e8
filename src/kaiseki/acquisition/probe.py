"""Descriptors compared with what the services answer: run where they can be reached, before trust is put in them.

A few bytes are asked of each part, for the time that its source gives as an example.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from kaiseki.acquisition import inventory
from kaiseki.acquisition.area import Area
from kaiseki.acquisition.credentials import Secrets, passwords_in, quiet_logs
from kaiseki.acquisition.descriptor import Part, Source, utc
from kaiseki.acquisition.plan import Item, items_of, needs_time
from kaiseki.acquisition.remote import Changed, Found, Remote, Unranged
from kaiseki.acquisition.retry import Patience
from kaiseki.acquisition.service import Services, need_account
from kaiseki.acquisition.structure import foreign
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.core.progress import say

State = Literal["as described", "differs", "not reached", "no account"]

_SOMEWHERE = Area(35.2, 35.8, 138.2, 0.6)
"""Box within one square of land, in Japan."""
_HEADS: dict[str, tuple[bytes, ...]] = {
    "grib": (b"GRIB",),
    "netcdf": (b"CDF", b"\x89HDF"),
    "tiff": (b"II*\0", b"MM\0*", b"II+\0"),
    "json": (b"{", b"["),
}
_FACTOR = 5.0
_NONE = timedelta(0)


@dataclass(frozen=True)
class Finding:
    """What was found of a part.

    Attributes:
        source, part: names.
        state: whether it is as its descriptor says.
        words: what was found, or what is wrong.
    """

    source: str
    part: str
    state: State
    words: str

    def as_dict(self) -> dict[str, str]:
        """All of it, for JSON."""
        return dataclasses.asdict(self)


def probe(
    sources: Iterable[Source], mirrors: tuple[tuple[str, str], ...] = (), patience: Patience | None = None
) -> list[Finding]:
    """What the services answer today, part by part.

    Args:
        sources: to ask.
        mirrors: of `service.Services`.
        patience: with failures that may pass; by default two tries of half a minute.

    Raises:
        ConfigError: a descriptor does not say for which time its service may be asked.
    """
    sources = tuple(sources)
    for source in sources:
        if source.probe is None and any(needs_time(source, part) for part in source.parts):
            raise ConfigError(
                f"The descriptor of {source.name} has no key probe, the time whose files are asked for; to probe it "
                "add a line such as probe = 2024-01-01T00:00:00Z"
            )
    services = Services(patience or Patience(tries=2, first=1.0, most=5.0, longest_asked=10.0, timeout=30.0), mirrors)
    secrets = Secrets.found(passwords_in(instead for _, instead in mirrors))
    found = []
    with quiet_logs(secrets):
        for source in sources:
            for part in source.parts:
                say(f"Asking for {source.name}/{part.name}")
                found.append(_part(source, part, services, secrets))
    return found


def _part(source: Source, part: Part, services: Services, secrets: Secrets) -> Finding:
    try:
        need_account(source.account)
    except InputError as error:
        return Finding(source.name, part.name, "no account", secrets.hidden(str(error)))
    time = utc(source.probe) if source.probe else None
    try:
        # A file of a forecast holds a later time than that of its name.
        later = timedelta(hours=part.holds_hours[0]) if isinstance(part.every, int) and not _spans_time(part) else _NONE
        needed = (time + later, time + later) if time else None
        item = next(iter(items_of(source, part, _SOMEWHERE, needed, source.interval_hours)), None)  # type: ignore[arg-type]
        if item is None:
            return Finding(source.name, part.name, "differs", f"no file of it holds {time}; correct the descriptor")
        words = _ask(item, services)
    except InputError as error:
        text = secrets.hidden(str(error))
        state_: State = "not reached" if "failed" in text and "times (" in text else "differs"
        return Finding(source.name, part.name, state_, text)
    fault = words.startswith("!")
    return Finding(source.name, part.name, "differs" if fault else "as described", secrets.hidden(words.lstrip("!")))


def _spans_time(part: Part) -> bool:
    return part.holds_hours[0] != part.holds_hours[1]


def _ask(item: Item, services: Services) -> str:
    """What the service says of an item; what begins with an exclamation mark differs from the descriptor."""
    if item.part.layout == "climate-data-store":
        return _climate_data_store(item, services)
    if item.part.layout == "zarr":
        return _store(item, services)
    if item.part.listing:
        listing = services.remote(item.part.listing, item.part, item.source.account)
        names = inventory.text_of(listing, services.patience).split()
        if item.tile not in {name.rsplit("/", 1)[-1].removesuffix(".tif") for name in names}:
            return f"!{item.part.listing} has {len(names)} names, but not {item.tile}"
    remote = services.remote(item.address, item.part, item.source.account)
    found = services.patience.keep_trying(f"Asking for {item.address}", remote.describe)
    size = found.size
    if item.index:
        text = inventory.text_of(services.remote(item.index, item.part, item.source.account), services.patience)
        size = sum(stop - start for start, stop in inventory.ranges(text, item.part.messages, found.size, item.index))
    head, ranged = services.patience.keep_trying(f"Loading {item.address}", lambda: _head(remote, found))
    if item.index and not ranged:
        return f"!{item.address} is given whole only, but single messages of it are wanted"
    if (came := foreign(head, item.part.format)) is not None:
        return f"!{item.address}: {came}"
    heads = _HEADS.get(item.part.format)
    if heads and not head.lstrip().startswith(heads):
        return f"!{item.address} begins with {head[:8]!r}, which is no {item.part.format}"
    if item.part.format == "prepbufr" and b"BUFR" not in head:
        return f"!{item.address} begins with {head[:8]!r}, which is no PREPBUFR"
    if size is not None and item.bytes and not item.bytes / _FACTOR < size < item.bytes * _FACTOR:
        return f"!{item.address} has {size} bytes, the descriptor says about {item.bytes}"
    digests = ", ".join(name for name, _ in found.digests) or "no digest"
    return f"{size} bytes, {'ranges' if ranged else 'no ranges'}, {digests}"


def _head(remote: Remote, found: Found) -> tuple[bytes, bool]:
    """The first bytes, and whether they can be asked for alone."""
    if found.ranges:
        try:
            with remote.read(0, 64, None) as body:
                return b"".join(body)[:64], True
        except Changed:
            # Of an empty file there is no range.
            return b"", True
        except Unranged:
            pass
    with remote.read(0, None, None) as body:
        return next(iter(body), b"")[:64], False


def _store(item: Item, services: Services) -> str:
    from kaiseki.acquisition.crop import ChunkedStore

    store = ChunkedStore(item.address, services, item)
    absent = [name for name in item.part.variables if name not in store.group]
    if absent:
        return f"!{item.address} holds no {', '.join(absent)}"
    array = store.array(item.part.variables[0])
    size = int(array.dtype.itemsize)
    for number in array.chunks:
        size *= int(number)
    if size != item.part.bytes:
        return f"!a chunk of {item.part.variables[0]} has {size} bytes unpacked, the descriptor says {item.part.bytes}"
    lacking = [name for name in item.part.optional if name not in store.group]
    until = store.group.attrs.get("valid_time_stop", "an unknown day")
    return f"chunks of {size} bytes, until {until}" + (f"; it lacks {', '.join(lacking)}" if lacking else "")


def _climate_data_store(item: Item, services: Services) -> str:
    from kaiseki.acquisition.cds import client_of, explained

    with explained(item):
        client = client_of(services.patience).client
        client.check_authentication()
        process = client.get_process(item.address)
        allowed = process.apply_constraints(dict(item.request))
    for key, wanted in item.request.items():
        values = allowed.get(key)
        if isinstance(wanted, list) and key not in ("area", "grid") and isinstance(values, list) and values:
            absent = [one for one in wanted if one not in values]
            if absent:
                return f"!{item.address} has no {key} {', '.join(map(str, absent[:5]))}"
    return "credentials and request are taken"
