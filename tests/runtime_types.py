"""The check of types and shapes that the tests put on every function of the package."""

from typing import Any

from beartype import BeartypeConf, beartype


def check(function: Any) -> Any:
    """Decorate with beartype; an int is accepted where a float is asked for, as type checkers do (PEP 484)."""
    return beartype(conf=BeartypeConf(is_pep484_tower=True))(function)
