"""Where fields come from: the member, the version and the run, which must belong together over all files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.core.progress import say
from kaiseki.core.timing import format_utc
from kaiseki.driving.sources.quantities import LEVEL, QUANTITIES, STATIC

if TYPE_CHECKING:
    from kaiseki.driving.sources.pieces import Piece

CONTROL, MEAN = "0", "mean"
"""The member that is not perturbed, or a run that is no ensemble's; and the mean of all members."""
FOLLOWING = {"0001", "0005"}
"""Versions that follow each other in time: ERA5 and its preliminary continuation ERA5T."""
SURFACE_PRESSURE = ("surface_air_pressure", "log_surface_pressure")
RUNS_APART = np.timedelta64(12, "h")
"""Difference of the reference times of fields of one valid time from which on they are of two runs. Analyses are made
every 12 hours at least; the forecasts of ERA5, which give what has no analysis, start at 06 and 18 UTC and are used up
to 12 hours ahead."""


@dataclass(frozen=True, eq=False)
class Origin:
    """What a file says of where its fields come from.

    Attributes:
        member: number of the member, `CONTROL` or `MEAN`; empty where it is not told.
        versions: version of the experiment (ECMWF's expver) at each time; empty where it is not told.
        references: (nt,) datetime64[s], reference times of the forecasts; None where they are not told.
    """

    member: str = ""
    versions: tuple[str, ...] = ()
    references: np.ndarray | None = None


def version_name(value: object) -> str:
    """Version of an experiment in the four characters of ECMWF, from a number, bytes or a string."""
    text = value.decode() if isinstance(value, bytes) else str(value)
    return text.strip().removesuffix(".0").zfill(4)


def check_versions(where: str, versions: Sequence[str]) -> None:
    """Refuse versions that do not follow each other as ERA5 and ERA5T do.

    Raises:
        InputError: names them.
    """
    known = set(versions)
    if len(known) > 1 and not known <= FOLLOWING:
        names = " and ".join(sorted(known))
        raise InputError(f"{where}: holds the versions (expver) {names} of an experiment; give one version alone.")


def check_origins(pieces: Sequence[Piece]) -> None:
    """Refuse fields of several members, versions or runs; what does not change in time may come from anywhere.

    The mean of an ensemble beside its control is said, as files of NCEP hold both.

    Raises:
        InputError: names two fields and what they are of.
    """
    changing = [p for p in pieces if p.times is not None and QUANTITIES[p.quantity].where != STATIC]
    _check_members(changing)
    _check_versions(changing)
    _check_runs(changing)


def _check_members(pieces: Sequence[Piece]) -> None:
    first: dict[str, Piece] = {}
    for piece in pieces:
        if piece.origin.member:
            first.setdefault(piece.origin.member, piece)
    if len(first) < 2:
        return
    (one, a), (other, b) = list(first.items())[:2]
    names = [f"of member {name}" if name != MEAN else "a mean of all members" for name in (one, other)]
    if set(first) == {CONTROL, MEAN}:
        say(f"{a.where} is {names[0]} and {b.where} {names[1]}: the mean is smoother than one run")
        return
    raise InputError(f"{a.where} is {names[0]} and {b.where} {names[1]}; give fields of one member alone.")


def _check_versions(pieces: Sequence[Piece]) -> None:
    at: dict[np.datetime64, tuple[str, Piece]] = {}
    first: dict[str, Piece] = {}
    for piece in pieces:
        if not piece.origin.versions or piece.times is None:
            continue
        for time, version in zip(piece.times, piece.origin.versions, strict=True):
            held, other = at.setdefault(time, (version, piece))
            if held != version:
                raise InputError(
                    f"{other.where} is of version (expver) {held} and {piece.where} of version {version} at "
                    f"{format_utc(time)}; fetch both in one version."
                )
            first.setdefault(version, piece)
    if len(first) > 1:
        paths = ", ".join(dict.fromkeys(str(p.path) for p in list(first.values())[:2]))
        check_versions(paths, list(first))


def _check_runs(pieces: Sequence[Piece]) -> None:
    """Fields of one valid time whose reference times differ by `RUNS_APART` are of two runs.

    Fields of the surface and the soil, which may have no analysis, may be just so old.
    """
    ends: dict[tuple[np.datetime64, bool], list[tuple[np.datetime64, Piece]]] = {}
    for piece in pieces:
        if piece.origin.references is None or piece.times is None:
            continue
        state = QUANTITIES[piece.quantity].where == LEVEL or piece.quantity in SURFACE_PRESSURE
        for time, reference in zip(piece.times, piece.origin.references, strict=True):
            for key in {(time, False), (time, state)}:
                known = ends.setdefault(key, [(reference, piece), (reference, piece)])
                if reference < known[0][0]:
                    known[0] = reference, piece
                if reference > known[1][0]:
                    known[1] = reference, piece
    for (time, state), ((early, a), (late, b)) in ends.items():
        if late - early > RUNS_APART or (state and late - early == RUNS_APART):
            raise InputError(
                f"{a.where} is of the run of {format_utc(early)} and {b.where} of that of {format_utc(late)}, both "
                f"valid at {format_utc(time)}; give the fields of one run."
            )
