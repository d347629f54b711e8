"""The services of one fetch: which address is asked in which way, and with which mirror."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from kaiseki.acquisition.credentials import CdsAccount, Secrets, cdsapirc, netrc_entries
from kaiseki.acquisition.descriptor import Account, Part
from kaiseki.acquisition.objects import Buckets
from kaiseki.acquisition.remote import Remote
from kaiseki.acquisition.retry import Patience
from kaiseki.acquisition.web import Web
from kaiseki.core.errors import ConfigError, InputError


@dataclass
class Services:
    """Connections of one fetch.

    Attributes:
        patience: with failures that may pass.
        mirrors: (begin of an address, what stands in its place); for a bucket, "s3://name" or "gs://name", the address
            of a service of the same protocol that has a bucket of the same name.
    """

    patience: Patience
    mirrors: tuple[tuple[str, str], ...] = ()
    web: Web = field(init=False)
    buckets: Buckets = field(init=False)

    def __post_init__(self) -> None:
        self.web = Web(self.patience)
        whole = {begin.rstrip("/"): instead for begin, instead in self.mirrors if begin.startswith(("s3://", "gs://"))}
        self.buckets = Buckets(self.patience, whole)

    def remote(self, address: str, part: Part | None = None, account: Account | None = None) -> Remote:
        """The object at an address, as given in a descriptor."""
        if address.startswith(("s3://", "gs://")):
            return self.buckets.object(address, part.region if part else "")
        return self.web.file(self.mirrored(address), account)

    def mirrored(self, address: str) -> str:
        """An address of HTTP with its begin replaced by that of a mirror, where one is given."""
        for begin, instead in self.mirrors:
            if address.startswith(begin):
                return instead + address[len(begin) :]
        return address


def mirrors_of(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Mirrors of options "BEGIN=INSTEAD".

    Raises:
        ConfigError: a text is of another form.
    """
    found = []
    for text in texts:
        begin, equals, instead = text.partition("=")
        if not equals or "://" not in begin or not instead.startswith(("http://", "https://")):
            raise ConfigError(
                f"--mirror {Secrets().hidden(repr(text))}: expected BEGIN=INSTEAD, such as https://www.ncei.noaa.gov=https://mirror.example.org"
            )
        found.append((begin, instead.rstrip("/") if begin.startswith(("s3://", "gs://")) else instead))
    return tuple(found)


def account_state(account: Account | None) -> dict[str, Any]:
    """What is known of an account without asking its service: its name and whether credentials are there."""
    if account is None:
        return {"needed": None, "there": True}
    there = bool(account.token_variable and os.environ.get(account.token_variable))
    if account.machine:
        entries = netrc_entries()
        there = there or account.machine in entries or any(host in entries for host in account.hosts)
    if account.configuration == "cdsapirc":
        there = all(os.environ.get(f"CDSAPI_{name.upper()}") or cdsapirc().get(name) for name in ("url", "key"))
    return {"needed": account.name, "there": there, "where": account.where, "register": account.register}


def need_account(account: Account | None) -> None:
    """Refuse at once what would be refused by the service.

    Raises:
        InputError: no credentials are there, or they cannot be right; says where to get and put them.
    """
    state = account_state(account)
    if not state["there"]:
        raise InputError(
            f"{state['needed']} needs an account, and there are no credentials in {state['where']}; "
            f"get them at {state['register']} and put them there"
        )
    if account is not None and account.configuration == "cdsapirc":
        CdsAccount.found()
