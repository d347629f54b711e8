"""Credentials: where the services' own programs look for them, and how they are kept out of every message.

Nothing is stored here. Names and passwords come from ~/.netrc (or the file that NETRC names), ~/.cdsapirc (or
CDSAPI_RC) and the environment, as the services document it; what was found there is replaced in messages and log
records."""

from __future__ import annotations

import logging
import netrc
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from kaiseki.core.errors import InputError

HIDDEN = "***"
"""Text that stands in a message where a credential stood."""

_VARIABLES = re.compile(r"(TOKEN|PASSWORD|PASSWD|SECRET|API_?KEY|ACCESS_KEY)", re.IGNORECASE)
"""Names of environment variables whose values are credentials."""
_SHAPES = (
    # User and password in an address.
    (re.compile(r"(?<=://)[^/\s@]+@"), f"{HIDDEN}@"),
    # Signatures and tokens in the query of an address.
    (
        re.compile(
            r"([?&][^=&\s]*(?:signature|token|key|password|credential|secret|code|sig)[^=&\s]*=)[^&\s'\"]+",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    # Headers of authorization.
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{4,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
)


@dataclass(frozen=True)
class Secrets:
    """The credentials that may be met, to be hidden; its own text shows none of them."""

    values: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def found(cls, further: Iterable[str] = ()) -> Secrets:
        """The credentials of the usual places, and further ones."""
        values = {value for name, value in os.environ.items() if _VARIABLES.search(name)}
        values |= {password for _, _, password in netrc_entries().values() if password}
        values |= {key for key in (cdsapirc().get("key"),) if key}
        values |= set(further)
        values |= {quote(value, safe="") for value in values}
        # What is shorter would also stand in ordinary words.
        return cls(tuple(sorted((value for value in values if len(value) >= 6), key=len, reverse=True)))

    def hidden(self, text: str) -> str:
        """A text with every credential in it replaced."""
        for value in self.values:
            text = text.replace(value, HIDDEN)
        for shape, instead in _SHAPES:
            text = shape.sub(instead, text)
        return text


@contextmanager
def quiet_logs(secrets: Secrets) -> Iterator[None]:
    """Hide credentials in the log records of all libraries within the block, whatever level the user has chosen."""
    before = logging.getLogRecordFactory()

    def factory(*args: object, **keywords: object) -> logging.LogRecord:
        record = before(*args, **keywords)
        record.msg, record.args = secrets.hidden(record.getMessage()), ()
        return record

    logging.setLogRecordFactory(factory)
    try:
        yield
    finally:
        logging.setLogRecordFactory(before)


def netrc_entries() -> dict[str, tuple[str, str, str]]:
    """Entries of the user's netrc file by machine: (login, account, password); none without a file.

    Raises:
        InputError: the file cannot be understood; its content is not shown.
    """
    path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    try:
        found = netrc.netrc(str(path))
    except FileNotFoundError:
        return {}
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as error:
        line = f", line {error.lineno}" if isinstance(error, netrc.NetrcParseError) else ""
        raise InputError(
            f"{path}{line}: cannot be read as a netrc file; expected lines such as "
            "'machine HOST login NAME password WORD', readable by you alone"
        ) from None
    return dict(found.hosts)


def cdsapirc() -> dict[str, str]:
    """Keys of the configuration of the Climate Data Store's client (url, key); none without a file."""
    path = Path(os.environ.get("CDSAPI_RC") or Path.home() / ".cdsapirc")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.split(":", 1) for line in lines if ":" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}
