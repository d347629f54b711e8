"""The notation table and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kaiseki.core import constants
from kaiseki.core.variables import VARIABLES


def section(root: Path, title: str) -> list[list[str]]:
    text = (root / "docs" / "notation.md").read_text(encoding="utf-8")
    body = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines() if line.startswith("|")]
    return rows[2:]


def test_variables_have_the_units_of_the_table(root: Path) -> None:
    rows = section(root, "Variables")
    assert len(rows) > 20
    for _, name, units, *_ in rows:
        assert VARIABLES[name.strip("`")].units == units, name


def test_every_prognostic_variable_is_explained(root: Path) -> None:
    explained = {row[1].strip("`") for row in section(root, "Variables")}
    assert {name for name, row in VARIABLES.items() if row.levels == "air" and len(name) < 6} <= explained


@pytest.mark.parametrize("title", ["Constants"])
def test_constants_exist(root: Path, title: str) -> None:
    names = [name for row in section(root, title) for name in re.findall(r"`(\w+)`", row[1])]
    assert len(names) == 10
    for name in names:
        assert isinstance(getattr(constants, name), float)
