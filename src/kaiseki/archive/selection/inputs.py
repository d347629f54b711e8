"""Checks of what users give in the place of datasets, numbers and names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError


def need_dataset(given: Any) -> xr.Dataset:
    """The dataset that was given.

    Raises:
        InputError: it is the path of an archive, a single variable, or something else.
    """
    if isinstance(given, xr.Dataset):
        return given
    if isinstance(given, xr.DataArray):
        name = given.name if given.name is not None else "name"
        raise InputError(f"A dataset is needed, and got its variable {name!r} alone; give dataset[[{name!r}]]")
    raise InputError(f"A dataset of kaiseki.open is needed, not {given!r}; open the archive first")


def numbers(given: Any, what: str) -> np.ndarray:
    """Numbers as an array of float64.

    Raises:
        InputError: what was given is no number and no list of numbers.
    """
    try:
        return np.asarray(given, float)
    except (TypeError, ValueError):
        raise InputError(f"{what} must be one number or a list of numbers, not {given!r}") from None


def names(given: Any, what: str) -> list[str]:
    """Names as a list; a single one counts as a list of one.

    Raises:
        InputError: what was given is no text and no list of texts.
    """
    if isinstance(given, str):
        return [given]
    if isinstance(given, Iterable) and not isinstance(given, Mapping):
        found = list(given)
        if all(isinstance(one, str) for one in found):
            return found
    raise InputError(f"{what} must be one name or a list of names, not {given!r}")
