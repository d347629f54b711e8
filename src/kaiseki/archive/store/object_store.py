"""Options of S3-compatible stores as users give them, in the words of Icechunk's client and of obstore.

Keys of access come from the environment, from a profile of the shared files of Amazon's programs
(~/.aws/credentials, ~/.aws/config) or, in Python alone, from the options themselves.
"""

from __future__ import annotations

import configparser
import difflib
import inspect
import os
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import icechunk

from kaiseki.core.errors import InputError

_KEYS: Final = ("access_key_id", "secret_access_key", "session_token")
_HOW: Final = (*_KEYS, "anonymous", "from_env", "get_credentials", "profile")
"""Options that say by which keys the store is asked."""

_OF_OBSTORE: Final = {
    "region": "region",
    "endpoint_url": "endpoint",
    "access_key_id": "access_key_id",
    "secret_access_key": "secret_access_key",
    "session_token": "session_token",
    "anonymous": "skip_signature",
    "requester_pays": "request_payer",
}
"""Names of options: those of Icechunk, those of obstore. What is not here does not concern single objects."""

_FIRST_REGION: Final = "us-east-1"
"""Region that servers other than Amazon's take for granted."""


def s3_arguments(options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Arguments of `icechunk.s3_storage` for the storage options of a user, completed.

    An `endpoint_url` (by default that of the profile, then AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL of the environment)
    is asked with the bucket in the path, not in the name of the host, and without encryption if it begins with http://,
    unless `force_path_style` and `allow_http` say otherwise.

    Args:
        options: arguments of `icechunk.s3_storage` (region, endpoint_url, anonymous ...), and `profile`, a profile of
            ~/.aws/credentials or ~/.aws/config. Without keys, `profile` and `anonymous` the environment gives the
            credentials: AWS_ACCESS_KEY_ID ..., AWS_PROFILE, those of a machine in the cloud.

    Raises:
        InputError: an option that there is not, an address that is none, options that exclude each other, or a profile
            without keys.
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    for name in given:
        if name not in _known():
            near = difflib.get_close_matches(name, _known(), n=1)
            hint = f"did you mean {near[0]!r}?" if near else "there are region, endpoint_url, anonymous, profile ..."
            raise InputError(f"There is no storage option {name!r} for S3; {hint}")
    how = [name for name in _HOW if given.get(name)]
    profile = given.pop("profile", None)
    if profile is not None and len(how) > 1:
        raise InputError(f"The storage options profile and {how[0]} exclude each other; give one of them")
    if profile is not None:
        given = _of_profile(str(profile), needed=True) | given
    elif not how and os.environ.get("AWS_PROFILE") and not os.environ.get("AWS_ACCESS_KEY_ID"):
        # Icechunk's client knows more kinds of profiles than those with keys, so that none is refused here.
        given = _of_profile(os.environ["AWS_PROFILE"], needed=False) | given
    endpoint = given.get("endpoint_url") or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        given["endpoint_url"] = _checked(str(endpoint))
        given.setdefault("allow_http", endpoint.startswith("http://"))
        given.setdefault("force_path_style", True)
        if not os.environ.get("AWS_REGION") and not os.environ.get("AWS_DEFAULT_REGION"):
            given.setdefault("region", _FIRST_REGION)
    if not any(given.get(name) for name in _HOW):
        given["from_env"] = True
    return given


def obstore_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `obstore.store.S3Store` for those of `s3_arguments`; it finds keys in the environment by itself.

    Args:
        arguments: of `s3_arguments`.
    """
    known = {_OF_OBSTORE[name]: value for name, value in arguments.items() if name in _OF_OBSTORE and value is not None}
    if credentials := arguments.get("get_credentials"):
        known["credential_provider"] = lambda: _credentials(credentials())
    known["client_options"] = {
        "allow_http": bool(arguments.get("allow_http")),
        "timeout": timedelta(seconds=60),
    }
    return known


def _credentials(given: Any) -> dict[str, Any]:
    """Credentials of Icechunk in the form of obstore."""
    return {
        "access_key_id": given.access_key_id,
        "secret_access_key": given.secret_access_key,
        "token": given.session_token,
        "expires_at": given.expires_after,
    }


@cache
def _known() -> tuple[str, ...]:
    """Names of all options."""
    return (*(name for name in inspect.signature(icechunk.s3_storage).parameters if name not in ("bucket", "prefix")),
            "profile")  # fmt: skip


def _checked(endpoint: str) -> str:
    """The address of a server, which holds no name and no password.

    Raises:
        InputError: it does, or is no address.
    """
    if "@" in endpoint:
        raise InputError(
            "The address of the S3 server holds a name or password; keep them in the environment or in a profile"
        )
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{endpoint!r} is no address of an S3 server; give one such as https://minio.example.org:9000")
    return endpoint


def _of_profile(name: str, *, needed: bool) -> dict[str, Any]:
    """Keys, region and address of a profile.

    Raises:
        InputError: it is needed, and there is no such profile or it has no keys of its own.
    """
    files = [
        Path(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser(),
        Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser(),
    ]
    found: dict[str, str] = {}
    for file in files:
        parser = configparser.ConfigParser(interpolation=None, default_section="")
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            # Its own words would show a line of the file.
            raise InputError(f"{file} cannot be read as a file of profiles; see the manual of the AWS CLI") from None
        for section in (name, f"profile {name}"):
            if parser.has_section(section):
                found |= dict(parser.items(section))
    result = {
        "access_key_id": found.get("aws_access_key_id"),
        "secret_access_key": found.get("aws_secret_access_key"),
        "session_token": found.get("aws_session_token"),
        "region": found.get("region"),
        "endpoint_url": found.get("endpoint_url"),
    }
    given = {key: value for key, value in result.items() if value}
    if needed and not {"access_key_id", "secret_access_key"} <= set(given):
        where = " and ".join(str(file) for file in files)
        lack = "it has no keys of its own (a role or single sign-on?)" if found else f"it is in neither of {where}"
        raise InputError(
            f"The profile {name!r} cannot be used: {lack}; give one with aws_access_key_id and aws_secret_access_key, "
            "or put temporary keys into the environment (aws configure export-credentials --format env)"
        )
    return given
