"""What every section of the experiment shares: frozen, strict about keys, times in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from kaiseki.core.errors import KaisekiError
from kaiseki.core.timing import parse_time, to_datetime


class Section(BaseModel):
    """Base of the sections: values cannot be changed, keys that do not exist are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


def _utc(value: Any) -> Any:
    """Text (ISO 8601) or a TOML date-time as `datetime` in UTC; anything else is left for pydantic to refuse."""
    if not isinstance(value, (str, datetime)):
        return value
    if isinstance(value, datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    try:
        return to_datetime(parse_time(value))
    except KaisekiError as error:
        raise ValueError(str(error)) from None


UtcTime = Annotated[datetime, BeforeValidator(_utc)]
"""An instant in UTC; a TOML date-time without an offset is UTC."""

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=360)]
Files = tuple[str, ...]
"""Paths or glob patterns relative to the data root that the command is given; a name that exists is no pattern."""
