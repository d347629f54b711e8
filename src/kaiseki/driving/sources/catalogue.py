"""What several files hold together, in whatever way it is split among them; gaps and contradictions are named here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.core.progress import say
from kaiseki.core.timing import format_utc
from kaiseki.driving.sources.grids import Grid, Window
from kaiseki.driving.sources.origin import check_origins
from kaiseki.driving.sources.pieces import ON_HYBRID, ON_PRESSURE, Piece
from kaiseki.driving.sources.quantities import LEVEL, QUANTITIES, STATIC

PACKED = 3e-5
"""Part of the range of a field by which equal values may differ, packed in 16 bits by another scale in each file."""
LEAST_HUMIDITY = 30000.0
"""Pressure above which every level must have humidity, Pa: above 300 hPa many producers give none and there is
little."""
_STATE = ("air_temperature", "eastward_wind", "northward_wind")
_HUMIDITY = ("specific_humidity", "relative_humidity")
_HEIGHT = ("geopotential_height", "geopotential")

type Key = tuple[np.datetime64 | None, float]
type Place = tuple[Piece, int, int]


def name_of(level: float, kind: str) -> str:
    """Name of a level for messages."""
    return f"{level / 100.0:g} hPa" if kind == ON_PRESSURE else f"model level {level:g}"


def _listed(quantities: Sequence[str]) -> str:
    """Quantities as the subject of a sentence."""
    return f"{', '.join(quantities)} {'is' if len(quantities) == 1 else 'are'}"


@dataclass
class Catalogue:
    """Fields of all files by quantity, time and level.

    Attributes:
        places: by quantity, those of each time and level; several where files repeat it.
        kind: of the levels, pressure or model levels.
        levels: keys of the levels, the lowest first.
        times: of the analyses, rising.
        grid: horizontal grid of all.
    """

    places: dict[str, dict[Key, list[Place]]]
    kind: str
    levels: list[float]
    times: np.ndarray
    grid: Grid
    _windows: dict[tuple[int, int], tuple[Window, Window]] = field(default_factory=dict)

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> Catalogue:
        """Catalogue of the pieces of all files.

        Raises:
            InputError: they lie on different grids, are of several members, versions or runs, hold a time or level
                twice in one file, or levels of both kinds.
        """
        kind = _kind(pieces)
        pieces = [p for p in pieces if QUANTITIES[p.quantity].where != LEVEL or p.kind == kind]
        check_origins(pieces)
        reference = next((p for p in pieces if p.quantity == "air_temperature"), pieces[0])
        places: dict[str, dict[Key, list[Place]]] = {}
        for piece in pieces:
            _check_grid(reference, piece)
            _add(places.setdefault(piece.quantity, {}), piece)
        anchor = places.get("air_temperature")
        keys = anchor if anchor is not None else [key for found in places.values() for key in found]
        times = np.array(sorted({key[0] for key in keys if key[0] is not None}), dtype="datetime64[s]")
        levels = {key[1] for q in (*_STATE, *_HEIGHT) for key in places.get(q, ())}
        return cls(places, kind, sorted(levels, reverse=True), times, reference.grid)

    def __contains__(self, quantity: str) -> bool:
        return quantity in self.places

    def pieces(self, quantity: str) -> list[Piece]:
        """Pieces that hold a quantity, each once."""
        found = {id(p): p for places in self.places.get(quantity, {}).values() for p, _, _ in places}
        return list(found.values())

    def held(self, quantity: str) -> list[float]:
        """Levels of a quantity that it has at any time, the lowest first (soil: the uppermost)."""
        levels = {key[1] for key in self.places.get(quantity, ())}
        return sorted(levels, reverse=QUANTITIES[quantity].where == LEVEL)

    def read(self, quantity: str, time: np.datetime64 | None, levels: Sequence[float], window: Window) -> np.ndarray:
        """Values (levels, ny, nx) in SI of a quantity that is there, read in as few goes as its files allow."""
        values = np.empty((len(levels), window.rows.size, window.columns.size))
        groups: dict[tuple[int, int], tuple[Piece, list[tuple[int, int]]]] = {}
        for number, level in enumerate(levels):
            piece, at, position = self.places[quantity][time, level][0]
            groups.setdefault((id(piece), at), (piece, []))[1].append((number, position))
        for (_, at), (piece, wanted) in groups.items():
            values[[n for n, _ in wanted]] = piece.read(at, [p for _, p in wanted], self._window(piece, window))
        return values

    def _window(self, piece: Piece, window: Window) -> Window:
        """A window of the common grid in that of a piece, whose order may be another."""
        if piece.grid is self.grid:
            return window
        key = id(piece.grid), id(window)
        if key not in self._windows:
            # The window itself is kept with it, so that its identity stays its own.
            self._windows[key] = window, piece.grid.matching(window)
        return self._windows[key][1]

    def check(self) -> None:
        """Refuse what is incomplete, before any value is read.

        Raises:
            InputError: names the first quantity, level and time that is missing, and the files.
        """
        for quantity, found in self.places.items():
            where = QUANTITIES[quantity].where
            if where == STATIC:
                continue
            own = self.held(quantity)
            for time in self.times:
                present = [level for level in own if (time, level) in found]
                if not present:
                    self._refuse_time(quantity, time)
                if lacking := [level for level in own if level not in present]:
                    self._refuse_level(quantity, lacking[0], time)
        self._check_levels([q for q in _STATE if q in self])
        if ("eastward_wind" in self) != ("northward_wind" in self):
            one = next(p for q in _STATE[1:] for p in self.pieces(q))
            raise InputError(f"{one.path}: holds only one of the two wind components; fetch both.")
        heights = [q for q in _HEIGHT if q in self]
        if heights and not any(set(self.levels) <= set(self.held(q)) for q in heights):
            self._check_levels([max(heights, key=lambda q: len(self.held(q)))])
        self._check_humidity()

    def _check_levels(self, quantities: Sequence[str]) -> None:
        have = {quantity: set(self.held(quantity)) for quantity in quantities}
        for level in self.levels:
            if lacking := [quantity for quantity in quantities if level not in have[quantity]]:
                other = next(q for q in (*_STATE, *_HEIGHT) if level in self.held(q))
                raise InputError(
                    f"{self.pieces(lacking[0])[0].path}: {_listed(lacking)} missing at "
                    f"{name_of(level, self.kind)}, where {other} of {self.pieces(other)[0].path} is given; add the "
                    "file that holds it."
                )

    def _check_humidity(self) -> None:
        have = {level for q in _HUMIDITY for level in self.held(q)}
        if not have:
            return
        for level in self.levels:
            if level not in have and (self.kind == ON_HYBRID or level > LEAST_HUMIDITY):
                one = next(p for q in _HUMIDITY for p in self.pieces(q))
                raise InputError(
                    f"{one.path}: humidity is missing at {name_of(level, self.kind)}, where air_temperature is given; "
                    "add the file that holds it."
                )

    def _refuse_time(self, quantity: str, time: np.datetime64) -> None:
        there = next((str(p.path) for p in self._at(time) if p.quantity != quantity), "")
        holder = str(self.pieces(quantity)[0].path)
        if there in ("", holder):
            raise InputError(
                f"{holder}: {quantity} is missing at {format_utc(time)}, though air_temperature is given; "
                "the file is incomplete or truncated."
            )
        raise InputError(
            f"{holder} and {there} do not hold the same fields: only one has {quantity}, which is missing at "
            f"{format_utc(time)}; add the file that holds it, or name a sea temperature of its own under "
            "driving.sea_temperature_files."
        )

    def _refuse_level(self, quantity: str, level: float, time: np.datetime64) -> None:
        holder = next(places[0][0].path for key, places in self.places[quantity].items() if key[1] == level)
        other = next(p.path for p in self._at(time) if p.quantity == quantity)
        alike = [q for q in self.places if QUANTITIES[q].where == QUANTITIES[quantity].where]
        every = [q for q in alike if level in self.held(q) and (time, level) not in self.places[q]]
        name = name_of(level, self.kind) if QUANTITIES[quantity].where == LEVEL else f"{level:g} m of depth"
        if holder == other:
            raise InputError(
                f"{holder}: {_listed(every)} missing at level {name} and {format_utc(time)}; "
                "the file is incomplete or truncated."
            )
        raise InputError(
            f"{holder} and {other} differ in their pressure or depth: at {name} {_listed(every)} missing at "
            f"{format_utc(time)}; name files on one grid and the same levels."
        )

    def _at(self, time: np.datetime64) -> Iterator[Piece]:
        for found in self.places.values():
            for key, places in found.items():
                if key[0] == time:
                    yield places[0][0]

    def check_repeated(self, window: Window) -> None:
        """Refuse files that give different values of one quantity at one time, and forget what they repeat.

        Raises:
            InputError: names the files, the quantity and the time.
        """
        for quantity, found in self.places.items():
            repeated: dict[np.datetime64 | None, list[tuple[Place, Place]]] = {}
            for (time, _), places in found.items():
                repeated.setdefault(time, []).extend((places[0], other) for other in places[1:])
                del places[1:]
            for time, pairs in repeated.items():
                fields = [
                    tuple(piece.read(at, [at_level], self._window(piece, window)) for piece, at, at_level in pair)
                    for pair in pairs
                ]
                # A file of NetCDF packs all levels of a variable by one scale, so that the range is that of them all.
                spread = spread_of([one for one, _ in fields])
                for ((first, *_), (other, *_)), (one, two) in zip(pairs, fields, strict=True):
                    if alike(one, two, PACKED * spread):
                        continue
                    both = f"{first.path} and {other.path}"
                    if first.path == other.path:
                        raise InputError(
                            f"{first.where} and {other.label} hold different values of {quantity}; leave one of them "
                            "out."
                        )
                    if time is None:
                        raise InputError(
                            f"{both} differ in {quantity}, which does not change in time within one analysis "
                            "system; end the run where the system changes."
                        )
                    raise InputError(
                        f"{both} hold different values of {quantity} at {format_utc(time)}; name only one of them."
                    )


def spread_of(fields: Sequence[np.ndarray]) -> float:
    """Range of the values of several fields together, 0 where there are none."""
    known = [field[np.isfinite(field)] for field in fields]
    known = [values for values in known if values.size]
    return max(float(values.max()) for values in known) - min(float(values.min()) for values in known) if known else 0.0


def alike(one: np.ndarray, two: np.ndarray, tolerance: float) -> bool:
    """Whether two fields differ by the tolerance and rounding at most, missing values included."""
    return bool(np.allclose(one, two, rtol=1e-7, atol=tolerance, equal_nan=True))


def _kind(pieces: Sequence[Piece]) -> str:
    """The kind of levels on which the state is given; InputError if it is given on both kinds."""
    state = [p for p in pieces if p.quantity == "air_temperature"]
    state = state or [p for p in pieces if QUANTITIES[p.quantity].where == LEVEL]
    count = {kind: len({v for p in state if p.kind == kind for v in p.levels}) for kind in (ON_PRESSURE, ON_HYBRID)}
    if min(count.values()) > 3:
        paths = [next(p.path for p in pieces if p.kind == kind) for kind in (ON_PRESSURE, ON_HYBRID)]
        raise InputError(
            f"{paths[0]} is on pressure levels and {paths[1]} on model levels; name files of one kind only."
        )
    return ON_HYBRID if count[ON_HYBRID] > count[ON_PRESSURE] else ON_PRESSURE


def _check_grid(reference: Piece, piece: Piece) -> None:
    if piece.grid is reference.grid or (axis := reference.grid.difference(piece.grid)) is None:
        return
    if piece.path == reference.path:
        raise InputError(f"{piece.where} is on another grid than {reference.label} ({axis}); split the file by grid.")
    raise InputError(
        f"{reference.path} and {piece.path} differ in their {axis}; name files on one grid and the same levels, and a "
        "sea temperature on a grid of its own under driving.sea_temperature_files."
    )


def _add(found: dict[Key, list[Place]], piece: Piece) -> None:
    """Take up the times and levels of a piece."""
    positive = [k for k, level in enumerate(piece.levels) if piece.kind != ON_PRESSURE or level > 0.0]
    if len(positive) < len(piece.levels):
        say(f"{piece.where}: {len(piece.levels) - len(positive)} levels whose pressure is written as 0 are left out")
    times = [None] if piece.times is None else list(piece.times)
    for what, values in (("time", times), ("level", [piece.levels[k] for k in positive])):
        if len(set(values)) < len(values):
            raise InputError(
                f"{piece.where}: the axis {what} holds the same value twice; give a file with one field per {what}."
            )
    for at, time in enumerate(times):
        for position in positive:
            level = piece.levels[position]
            key = (time, round(level, 3) if piece.kind == ON_PRESSURE else level)
            found.setdefault(key, []).append((piece, at, position))
