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
from urllib.parse import quote, unquote, urlsplit

from kaiseki.core.errors import InputError, KaisekiError

HIDDEN = "***"
"""Text that stands in a message where a credential stood."""

_VARIABLES = re.compile(r"(TOKEN|PASSWORD|PASSWD|SECRET|API_?KEY|ACCESS_KEY)", re.IGNORECASE)
"""Names of environment variables whose values are credentials."""
_SHAPES = (
    # User and password in an address, also without a scheme or with characters that should be quoted.
    (re.compile(r"(?<=://)[^/\s'\"]+@"), f"{HIDDEN}@"),
    (re.compile(r"[^\s/:@='\"]+:(?!//)[^\s'\"]+@"), f"{HIDDEN}@"),
    # Signatures and tokens in the query of an address.
    (
        re.compile(
            r"([?&][^=&\s]*(?:signature|token|key|pass|pwd|auth|credential|secret|code|sig)[^=&\s]*=)[^&\s'\"]+",
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


@dataclass(frozen=True)
class CdsAccount:
    """Address and key of the Climate Data Store, and whether its certificate is looked at; shows no key.

    Attributes:
        url: address of the service.
        key: personal access token.
        verify: whether the certificate of the service is checked.
    """

    url: str
    key: str = field(repr=False)
    verify: bool = True

    @classmethod
    def found(cls) -> CdsAccount | None:
        """The account in the environment, else in the file of the service's client; None if a part is absent.

        Raises:
            InputError: one of the values cannot be right; it is not shown.
        """
        kept, path = cdsapirc(), os.environ.get("CDSAPI_RC") or "~/.cdsapirc"
        url, key = (os.environ.get(f"CDSAPI_{name.upper()}") or kept.get(name) for name in ("url", "key"))
        if not url or not key:
            return None
        where = {name: f"CDSAPI_{name.upper()}" if os.environ.get(f"CDSAPI_{name.upper()}") else path for name in _CDS}
        if ":" in key:
            raise InputError(
                f"{where['key']}: the key is one of the form UID:KEY, which the Climate Data Store took until 2024; "
                f"get a personal access token at {_CDS_PAGE} and write that alone in its place"
            )
        if re.search(r"[\s'\"]", key):
            raise InputError(f"{where['key']}: the key has quotes or blanks; write the personal access token alone")
        if not re.fullmatch(r"https?://[^\s/'\"]+(/[^\s'\"]*)?", url) or url.rstrip("/").endswith("/v2"):
            raise InputError(
                f"{where['url']}: the url is not that of the Climate Data Store; write "
                f"https://cds.climate.copernicus.eu/api, without quotes, as {_CDS_PAGE} shows it"
            )
        verify = kept.get("verify", "1")
        if verify not in ("0", "1"):
            raise InputError(f"{path}: verify must be 0 or 1, not {verify!r}")
        return cls(url, key, verify == "1")


_CDS = ("url", "key")
_CDS_PAGE = "https://cds.climate.copernicus.eu/how-to-api"


def without_user(address: str) -> str:
    """An address without the user and password in it."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def passwords_in(addresses: Iterable[str]) -> Iterator[str]:
    """Passwords within addresses, as they are written and as they are meant."""
    for address in addresses:
        user = urlsplit(address).netloc.rpartition("@")[0]
        if password := user.partition(":")[2]:
            yield password
            yield unquote(password)


@contextmanager
def nothing_told(secrets: Secrets) -> Iterator[None]:
    """Hide credentials in the errors for the user and in the log records within the block."""
    try:
        with quiet_logs(secrets):
            yield
    except KaisekiError as error:
        # No chain of causes: these may hold what the sentence hides.
        raise type(error)(secrets.hidden(str(error))) from None
