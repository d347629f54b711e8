"""Fields at the ground and near it of any number of files, at instants and over intervals of time, read as they are
asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.core.timing import format_utc
from kaiseki.driving.sources.catalogue import PACKED, alike, spread_of
from kaiseki.driving.sources.grids import Grid, Window
from kaiseki.driving.sources.intervals import Interval, parts
from kaiseki.driving.sources.pieces import Piece
from kaiseki.driving.sources.quantities import QUANTITIES


@dataclass(frozen=True)
class NearData:
    """Fields near the ground of all files by quantity and interval, which for an instant has no length.

    Attributes:
        grid: horizontal grid of all.
        places: by quantity and interval, the piece that holds it and the index of its time there.
    """

    grid: Grid
    places: dict[str, dict[Interval, tuple[Piece, int]]]
    _windows: dict[tuple[int, int], tuple[Window, Window]] = field(default_factory=dict)

    @classmethod
    def of(cls, pieces: Sequence[Piece], grid: Grid) -> NearData:
        """Fields of the pieces of all files on a grid.

        Raises:
            InputError: one lies on another grid, or two hold different values of one quantity and time.
        """
        made = cls(grid, {})
        for piece in pieces:
            if (axis := grid.difference(piece.grid)) is not None:
                raise InputError(
                    f"{piece.where} lies on another grid than the fields before it, which differ in their {axis}; "
                    "import each grid into a release of its own."
                )
            assert piece.times is not None
            starts = piece.times if piece.starts is None else piece.starts
            found = made.places.setdefault(piece.quantity, {})
            for at, interval in enumerate(zip(starts, piece.times, strict=True)):
                if interval in found:
                    made._check_same(found[interval], (piece, at), interval[1])
                else:
                    found[interval] = piece, at
        return made

    def _check_same(self, one: tuple[Piece, int], other: tuple[Piece, int], time: np.datetime64) -> None:
        window = self.grid.window()
        first, second = (self._values(place, window) for place in (one, other))
        if not alike(first, second, PACKED * spread_of([first])):
            raise InputError(
                f"{one[0].where} and {other[0].where} hold different values of {one[0].quantity} at "
                f"{format_utc(time)}; name only one of them."
            )

    def pieces(self) -> list[Piece]:
        """Pieces of the files, each once."""
        return list({id(p): p for found in self.places.values() for p, _ in found.values()}.values())

    def starts(self) -> list[np.datetime64]:
        """Starts of all intervals."""
        return [interval[0] for found in self.places.values() for interval in found]

    def times(self, quantity: str, step: np.timedelta64 | None) -> list[np.datetime64]:
        """Times at which a quantity is known, rising; of a sum or mean those at which an interval of the step ends that
        is known, or, without a step, all ends."""
        found = self.places[quantity]
        ends = sorted({end for _, end in found})
        if step is None or not QUANTITIES[quantity].over:
            return ends
        return [end for end in ends if parts((end - step, end), found) is not None]

    def lengths(self, quantity: str) -> list[float]:
        """Lengths of the intervals of a quantity, h, each once."""
        return sorted({float((end - start) / np.timedelta64(1, "h")) for start, end in self.places[quantity]})

    def read(self, quantity: str, time: np.datetime64, step: np.timedelta64, window: Window) -> np.ndarray:
        """Values (1, ny, nx) in SI of a quantity at a time of `times`, of a sum or mean over the step before it.

        Raises:
            InputError: a file is damaged, or values are outside the bounds of the quantity.
        """
        found, over = self.places[quantity], QUANTITIES[quantity].over
        if not over:
            return self._values(found[time, time], window)
        pieces = parts((time - step, time), found)
        assert pieces is not None
        if len(pieces) == 1:
            return self._values(found[pieces[0][0]], window)
        total = np.zeros((1, window.rows.size, window.columns.size))
        for interval, sign in pieces:
            weight = sign * (1.0 if over == "sum" else float((interval[1] - interval[0]) / step))
            total += weight * self._values(found[interval], window)
        return total

    def _values(self, place: tuple[Piece, int], window: Window) -> np.ndarray:
        piece, at = place
        if piece.grid is not self.grid:
            key = id(piece.grid), id(window)
            if key not in self._windows:
                # The window itself is kept with it, so that its identity stays its own.
                self._windows[key] = window, piece.grid.matching(window)
            window = self._windows[key][1]
        return piece.read(at, [0], window)
