"""The run store: one commit per cycle.

layout = Layout(experiment_json=text, domain=domain, times=times, cycle_times=cycle_times)
with RunStore.create(path, layout) as store:
    with store.cycle(time) as transaction:
        transaction.write_fields("analysis", time, fields)
        transaction.write_observations(table)
        transaction.write_restart(state)
        transaction.write_diagnostics(numbers)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import zarr

from kaiseki.archive.store import schema
from kaiseki.archive.store.arrays import group_at, values_at
from kaiseki.archive.store.columns import read_table
from kaiseki.archive.store.storage import storage_errors
from kaiseki.archive.store.transaction import CycleTransaction, Piece, TimeAxes
from kaiseki.archive.store.transactional import BRANCH, TransactionalStore, count
from kaiseki.core.errors import StoreError
from kaiseki.core.timing import format_utc


class RunStore(TransactionalStore):
    """The store of a run of cycles.

    Attributes:
        times: axis of the group `forecast`, datetime64[s].
        cycle_times: ends of the cycles, datetime64[s].
    """

    kind = schema.KIND

    def _read_axes(self, root: zarr.Group) -> Mapping[str, np.ndarray]:
        self.times = schema.decode_time(values_at(root, f"{schema.FORECAST}/time"))
        self.cycle_times = schema.decode_time(values_at(root, f"{schema.CYCLES}/time"))
        return {schema.FORECAST: self.times, schema.ANALYSIS: self.cycle_times}

    @contextmanager
    def cycle(self, time: np.datetime64) -> Iterator[CycleTransaction]:
        """The transaction of one cycle: one commit at the end of the block, nothing if the block is left by an error.

        Args:
            time: end of the cycle, the first of `cycle_times` that is not complete.

        Raises:
            StoreError: the store is open for reading only, the cycle is not the next one, another is under way,
                another writer was faster, or the storage failed.
            ResourceError: the disk is full.
        """
        moment = np.datetime64(time, "s")
        axes = {
            schema.FORECAST: TimeAxes(("time",), (self.times.size,), self.times),
            schema.ANALYSIS: TimeAxes(("time",), (self.cycle_times.size,), self.cycle_times),
        }
        number = int(np.searchsorted(self.cycle_times, moment))
        piece = Piece(number, schema.label(moment), f"cycle {format_utc(moment)}", moment, axes)
        with self._piece(piece, _message(moment)) as transaction:
            yield transaction

    def completed_cycles(self) -> np.ndarray:
        """Ends of the complete cycles, oldest first, datetime64[s]."""
        return self.cycle_times[: count(self._read())]

    def next_cycle(self) -> np.datetime64 | None:
        """End of the first cycle that is not complete, None when all are."""
        done = count(self._read())
        return None if done == self.cycle_times.size else self.cycle_times[done]

    def read_restart(self, time: np.datetime64 | None = None) -> dict[str, Any]:
        """The restart state of a cycle, as it was given (arrays as NumPy arrays).

        Args:
            time: of the cycle, by default the last complete one; `compact` forgets earlier ones.

        Raises:
            StoreError: no cycle is complete, the cycle wrote no restart state, or it was forgotten.
        """
        root = self._read() if time is None else self._after(time)
        last = count(root) - 1
        state = self._restart(root, last)
        if state is None:
            what = "has no complete cycle" if last < 0 else f"has no restart state of {self.cycle_times[last]}Z"
            raise StoreError(f"{self.where} {what}, so that the run cannot go on from it")
        return state

    def read_diagnostics(self, time: np.datetime64) -> dict[str, Any]:
        """What a complete cycle wrote as diagnostics, {} if nothing.

        Raises:
            StoreError: the cycle is not complete.
        """
        value: Any = self._cycle_group(time).attrs.get("diagnostics", {})
        return dict(value)

    def read_observations(self, time: np.datetime64) -> pa.Table | None:
        """The observation table of a complete cycle, None if it wrote none.

        Raises:
            StoreError: the cycle is not complete.
        """
        group = self._cycle_group(time)
        return read_table(group_at(group, "observations")) if "observations" in group else None

    def _after(self, time: np.datetime64) -> zarr.Group:
        """The root as the commit of a cycle left it."""
        message = _message(time)
        with storage_errors(self.where, "read"):
            for info in self._repository.ancestry(branch=BRANCH):
                if info.message == message:
                    return self._opened(self._repository.readonly_session(snapshot_id=info.id))
        raise StoreError(f"The history of {self.where} does not hold {message}; it was compacted, or never run")

    def _check_next(self, root: zarr.Group, piece: Piece) -> None:
        number = count(root)
        if number == self.cycle_times.size:
            raise StoreError(f"All {number} cycles of {self.where} are complete; nothing more can be written")
        if self.cycle_times[number] != piece.time:
            expected = format_utc(self.cycle_times[number])
            raise StoreError(f"The next cycle of {self.where} is {expected}, not {format_utc(piece.time)}")

    def _cycle_group(self, time: np.datetime64) -> zarr.Group:
        root, moment = self._read(), np.datetime64(time, "s")
        if moment not in self.cycle_times[: count(root)]:
            raise StoreError(f"{self.where} has no complete cycle {format_utc(moment)}")
        return group_at(root, f"{schema.CYCLES}/{schema.label(moment)}")


def _message(time: np.datetime64) -> str:
    """Message of the commit of a cycle."""
    return f"cycle {format_utc(np.datetime64(time, 's'))}"
