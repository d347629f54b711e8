"""The store of forecasts: start times and lead times, one commit per stretch of a forecast.

layout = ForecastLayout(experiment_json=text, domain=domain, reference_times=..., lead_times=..., stretch=...)
with ForecastStore.create(path, layout) as store:
    for stretch in store.stretches[store.done() :]:
        with store.stretch(stretch) as transaction:
            transaction.write_fields("forecast", valid_time, fields)
            transaction.write_restart(state)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import zarr

from kaiseki.archive.store import schema
from kaiseki.archive.store.arrays import group_at, values_at
from kaiseki.archive.store.transaction import CycleTransaction, Piece, TimeAxes
from kaiseki.archive.store.transactional import TransactionalStore, count
from kaiseki.core.errors import StoreError
from kaiseki.core.timing import HOUR, format_utc


class Stretch(NamedTuple):
    """Part of a forecast that is committed together.

    Attributes:
        number: from 0, in the order of writing.
        reference: start of the forecast, UTC.
        start, end: lead times at which it begins and ends; the output at its start belongs to it only in the first.
    """

    number: int
    reference: np.datetime64
    start: np.timedelta64
    end: np.timedelta64

    @property
    def words(self) -> str:
        """How messages call it."""
        return f"forecast of {format_utc(self.reference)} to +{self.end / HOUR:g} h"

    @property
    def is_first(self) -> bool:
        """Whether the forecast begins with it."""
        return bool(self.start == np.timedelta64(0, "s"))


class ForecastStore(TransactionalStore):
    """The store of forecasts of equal length.

    Attributes:
        reference_times: starts of the forecasts (n,), datetime64[s].
        lead_times: output times since the start (m,), timedelta64[s], from 0.
        stretches: all stretches in the order of writing.
    """

    kind = schema.FORECASTS_KIND

    def _read_axes(self, root: zarr.Group) -> Mapping[str, np.ndarray]:
        self.reference_times = schema.decode_time(values_at(root, f"{schema.FORECAST}/{schema.REFERENCE_TIME}"))
        self.lead_times = values_at(root, f"{schema.FORECAST}/{schema.PERIOD}").astype("timedelta64[s]")
        references = schema.decode_time(values_at(root, f"{schema.CYCLES}/{schema.REFERENCE_TIME}"))
        ends = schema.decode_time(values_at(root, f"{schema.CYCLES}/time")) - references
        self.stretches = []
        start = zero = np.timedelta64(0, "s")
        for number, (reference, end) in enumerate(zip(references, ends, strict=True)):
            self.stretches.append(Stretch(number, reference, start, end))
            start = zero if end == self.lead_times[-1] else end
        return {schema.FORECAST: self.reference_times}

    @contextmanager
    def stretch(self, stretch: Stretch) -> Iterator[CycleTransaction]:
        """The transaction of one stretch: one commit at the end of the block, nothing if it is left by an error.

        Args:
            stretch: the first of `stretches` that is not complete; its fields are written at valid times.

        Raises:
            StoreError: the store is open for reading only, the stretch is not the next one, another is under way,
                another writer was faster, or the storage failed.
            ResourceError: the disk is full.
        """
        row = int(np.searchsorted(self.reference_times, stretch.reference))
        axes = TimeAxes(
            (schema.REFERENCE_TIME, schema.PERIOD),
            (self.reference_times.size, self.lead_times.size),
            stretch.reference + self.lead_times,
            (row,),
        )
        time = stretch.reference + stretch.end
        piece = Piece(stretch.number, _name(stretch), stretch.words, time, {schema.FORECAST: axes})
        with self._piece(piece, stretch.words) as transaction:
            yield transaction

    def done(self) -> int:
        """Number of complete stretches."""
        return count(self._read())

    def complete_forecasts(self) -> np.ndarray:
        """Starts of the forecasts that are complete, oldest first, datetime64[s]."""
        ended = [one.reference for one in self.stretches[: self.done()] if one.end == self.lead_times[-1]]
        return np.array(ended, "datetime64[s]")

    def read_restart(self) -> dict[str, Any]:
        """The restart state of the last complete stretch, from which its forecast goes on.

        Raises:
            StoreError: there is none.
        """
        root = self._read()
        state = self._restart(root, count(root) - 1)
        if state is None:
            raise StoreError(f"{self.where} has no restart state, so that no forecast can go on from it")
        return state

    def read_diagnostics(self, reference: np.datetime64) -> dict[str, Any]:
        """What the first stretch of a forecast wrote as diagnostics, {} if nothing.

        Raises:
            StoreError: the stretch is not complete.
        """
        root, moment = self._read(), np.datetime64(reference, "s")
        for one in self.stretches[: count(root)]:
            if one.reference == moment and one.is_first:
                value: Any = group_at(root, f"{schema.CYCLES}/{_name(one)}").attrs.get("diagnostics", {})
                return dict(value)
        raise StoreError(f"{self.where} has no forecast of {format_utc(moment)} yet")

    def _check_next(self, root: zarr.Group, piece: Piece) -> None:
        number = count(root)
        if number != piece.number:
            raise StoreError(
                f"{self.where} holds {number} stretches of forecasts; {piece.words} is number {piece.number} and not "
                "the next one"
            )


def _name(stretch: Stretch) -> str:
    """Name of the group of a stretch, such as "19890101T120000Z_010800s"."""
    return f"{schema.label(stretch.reference)}_{int(stretch.end / np.timedelta64(1, 's')):06d}s"
