"""What all commands of archives share: how a place in an S3-compatible store is reached. Keys are never options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from kaiseki.core.errors import ConfigError

GROUP = Group(
    "Places in S3 (s3://bucket/prefix)",
    help="Keys of access come from the environment (AWS_ACCESS_KEY_ID ...) or from a profile, never from an option.",
    sort_key=10,
)


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True, kw_only=True)
class Storage:
    """How the places s3://bucket/prefix of a command are reached."""

    endpoint: str | None = None
    """Address of the server, such as https://minio.example.org:9000; by default AWS_ENDPOINT_URL, or Amazon's."""
    region: str | None = None
    """Region of the bucket; by default that of the profile or of AWS_REGION."""
    anonymous: Annotated[bool, Parameter(negative="")] = False
    """Read a public bucket without keys."""
    profile: str | None = None
    """Profile of ~/.aws/credentials or ~/.aws/config with the keys."""

    def of(self, place: str | Path) -> dict[str, Any] | None:
        """Storage options of one place of the command, None for a folder or where no option was given."""
        given = {
            "endpoint_url": self.endpoint,
            "region": self.region,
            "anonymous": self.anonymous or None,
            "profile": self.profile,
        }
        chosen = {name: value for name, value in given.items() if value is not None}
        return (chosen or None) if str(place).startswith("s3://") else None

    def checked(self, *places: str | Path) -> Storage:
        """The options, refused where none of the places of the command is in S3.

        Raises:
            ConfigError: an option was given for folders alone.
        """
        names = ("endpoint", "region", "anonymous", "profile")
        given = [name for name in names if getattr(self, name)]
        if given and not any(str(place).startswith("s3://") for place in places):
            raise ConfigError(
                f"--{given[0]} is for places s3://bucket/prefix, and {places[0]} is a folder; leave it out"
            )
        return self


def reached(storage: Storage | None, *places: str | Path) -> Storage:
    """The options of a command, checked against its places.

    Raises:
        ConfigError: as `Storage.checked`.
    """
    return (storage or Storage()).checked(*places)
