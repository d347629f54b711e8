"""Sums and means over intervals of time: what a unit says of them, and how those over other intervals are made of them.

A sum over an interval is known where the file has it, where it is the difference of two sums that begin together (as
forecasts count from their start), or where shorter ones follow each other without a gap.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.core.timing import format_utc
from kaiseki.driving.sources.quantities import QUANTITIES, Over
from kaiseki.driving.sources.units import Unit, spellings, unit_of

type Interval = tuple[np.datetime64, np.datetime64]
"""Start and end of an interval, datetime64[s]."""

_WATER_DEPTH = Unit("area density", 1000.0)
"""What a metre of water is."""
_OF_FLUX = {"area density": "mass flux", "irradiance": "irradiance"}
_OF_AMOUNT = {"area density": "area density", "irradiance": "radiant exposure"}
"""Kinds of unit of the mean flux and of the amount of a quantity, by the kind of its own unit."""
MOST = 24
"""Largest number of intervals of the files that one is made of."""


def unit_over(where: str, quantity: str, units: str | None, stated: Over) -> Unit:
    """Unit of a field over an interval, in agreement with what the file says of it.

    Args:
        where: file and variable, for messages.
        quantity: over an interval.
        units: as the file states it.
        stated: "sum" or "mean" as the file says, empty where it says neither.

    Raises:
        InputError: the unit is not stated or not understood, or is that of a sum for a mean or the reverse.
    """
    kind = QUANTITIES[quantity].kind
    if kind == "ratio":
        unit = unit_of(units or "")
        if unit is not None and unit.kind == kind and stated != "sum":
            return unit
        raise InputError(f"{where} has the unit {units!r}; expected a mean of {quantity} in {spellings(kind)}.")
    flux, amount = _OF_FLUX[kind], _OF_AMOUNT[kind]
    unit = unit_of(units or "")
    if quantity == "precipitation_amount" and unit is not None and unit.kind == "length":
        # The depth of the water, as ECMWF gives it.
        unit = Unit("area density", unit.factor * _WATER_DEPTH.factor)
    if unit is None or unit.kind not in (flux, amount):
        raise InputError(
            f"{where} has the unit {units!r}; expected {quantity} as a mean in {spellings(flux)} or as a sum in "
            f"{spellings(amount)}."
        )
    if stated and unit.kind != {"mean": flux, "sum": amount}[stated]:
        raise InputError(f"{where} is a {stated} over time by its header, but has the unit {units!r}; leave it out.")
    return unit


def brought(quantity: str, unit: Unit, values: np.ndarray, interval: Interval) -> np.ndarray:
    """Values in SI of a field over an interval as what the quantity is: a sum or a mean."""
    seconds = float((interval[1] - interval[0]) / np.timedelta64(1, "s"))
    values = unit.factor * values
    over = QUANTITIES[quantity].over
    if over == "sum" and unit.kind == "mass flux":
        return np.asarray(values * seconds)
    if over == "mean" and unit.kind == "radiant exposure":
        return np.asarray(values / seconds)
    return np.asarray(values)


def parts(wanted: Interval, held: Collection[Interval]) -> list[tuple[Interval, float]] | None:
    """Intervals that together make one, each with the sign of its sum; None where they do not.

    The interval itself comes first, then the difference of two that begin together, then the fewest that follow each
    other.
    """
    start, end = wanted
    if wanted in held:
        return [(wanted, 1.0)]
    ending = [one for one in held if one[1] == end and one[0] < start]
    for one in sorted(ending, reverse=True):
        if (before := (one[0], start)) in held:
            return [(one, 1.0), (before, -1.0)]
    chain: list[Interval] = []
    while end > start and len(chain) < MOST:
        last = [one for one in held if one[1] == end and one[0] >= start]
        if not last:
            return None
        chain.append(min(last))
        end = chain[-1][0]
    return [(one, 1.0) for one in reversed(chain)] if end == start else None


def check_interval(where: str, interval: Interval) -> None:
    """Refuse an interval that does not end after it begins; InputError names it."""
    if not interval[0] < interval[1]:
        raise InputError(f"{where}: its interval begins at {format_utc(interval[0])} and does not end after that.")
