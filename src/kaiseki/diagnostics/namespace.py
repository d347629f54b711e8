"""Which array library a function works with: the one its arguments come from."""

from __future__ import annotations

from typing import Any

import numpy as np

type Field = Any
"""A NumPy or JAX array, or a number."""


def namespace(*fields: Field) -> Any:
    """The array library (Python array API) of the first argument that does not belong to NumPy; else NumPy."""
    for field in fields:
        if not isinstance(field, np.ndarray | np.generic) and hasattr(field, "__array_namespace__"):
            return field.__array_namespace__()
    return np
