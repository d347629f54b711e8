"""The check of types and shapes that the tests put on every function of the package."""

from typing import Any

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception

_CONF = BeartypeConf(is_pep484_tower=True)


def check(function: Any) -> Any:
    """Decorate with beartype; an int is accepted where a float is asked for, as type checkers do (PEP 484).

    beartype knows `Self` only where it decorates the whole class, so the few methods that use it stay unchecked.
    """
    try:
        return beartype(conf=_CONF)(function)
    except BeartypeDecorHintPep673Exception:
        return function
