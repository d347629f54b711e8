"""What a source of fields and a sink of results must offer; the cycle and the archive meet only through these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from kaiseki.core.timing import Time, Window


@runtime_checkable
class Source(Protocol):
    """Gives fields or observations by time: a reader of global analyses, of reports, of one of our own runs."""

    def times(self) -> Sequence[Time]:
        """The instants it has something for, rising, UTC."""
        ...

    def read(self, window: Window) -> Any:
        """What belongs to the window (start, end]: an `xarray.Dataset` of fields or a table of observations.

        Raises:
            InputError: a file is damaged or holds nothing for the window.
        """
        ...


@runtime_checkable
class Sink(Protocol):
    """Takes the results of the cycle, one commit at a time, so that nothing half-written can be seen."""

    def write(self, name: str, time: Time, values: Mapping[str, Any]) -> None:
        """Put arrays by internal variable name for one time into the group `name`; not visible until `commit`."""
        ...

    def write_table(self, name: str, table: Any) -> None:
        """Append rows of a `pyarrow.Table` to the table `name`; not visible until `commit`."""
        ...

    def commit(self, message: str) -> str:
        """Make everything written since the last commit visible at once; returns the identity of the commit.

        Raises:
            StoreError: the store is locked by another run or cannot be written; it stays as it was.
        """
        ...

    def committed(self) -> Iterable[str]:
        """Messages of the commits, oldest first; what a resumed run has already done."""
        ...
