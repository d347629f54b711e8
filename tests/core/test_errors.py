from __future__ import annotations

import pytest

from kaiseki.core import errors


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("KaisekiError", 1),
        ("ConfigError", 2),
        ("InputError", 3),
        ("StoreError", 4),
        ("NumericsError", 5),
        ("ResourceError", 6),
    ],
)
def test_exit_codes_are_those_of_the_manual(name: str, code: int) -> None:
    error = getattr(errors, name)("the sentence")
    assert isinstance(error, errors.KaisekiError)
    assert error.exit_code == code
    assert str(error) == "the sentence"
