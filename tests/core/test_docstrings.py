"""Docstrings can be read alone, as an editor or the JSON schema shows them.

What can go wrong:
- a docstring leans on its neighbours: "Of the random perturbations", "The same in the vertical", "Its power";
- it begins with a unit, a shape or a symbol instead of what the thing is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

OPENING = re.compile(
    r"""
    (Of|That|Those|These|This|It|Its|Their|They|And|But|Or|With|See|Likewise|As|Also|Ditto|Only|From|At|Between)\b
    | The\ (same|latter|former|other|rest)\b
    | [a-z(<\[]                                             # a symbol, a shape, the rest of a sentence
    | (m|s|K|Pa|hPa|J|W|N|kg|rad|Degrees|Seconds|Metres)\b[-/ .:,0-9]*(?=$|[a-z(])  # a unit
    | \S{1,12}[.]$                                          # a symbol alone
    """,
    re.VERBOSE,
)
"""Openings that lean on something else than the thing itself."""


def docstrings(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, name and text of the docstrings of a module, its classes, functions and attributes."""

    def of(node: ast.AST, name: str) -> Iterator[tuple[int, str, str]]:
        before: ast.AST | None = None
        for child in getattr(node, "body", []):
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                if before is None or isinstance(before, ast.Assign | ast.AnnAssign):
                    named = (
                        name if before is None else f"{name}.{ast.unparse(before).split('=')[0].split(':')[0].strip()}"
                    )
                    yield child.lineno, named, str(child.value.value).strip()
            elif isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from of(child, f"{name}.{child.name}")
            before = child

    yield from of(ast.parse(path.read_text(encoding="utf-8")), path.stem)


@pytest.mark.parametrize(
    "text",
    [
        "Of the random perturbations.",
        "The same in the vertical.",
        "Its power.",
        "See `Driving`.",
        "Those of the times.",
        "m/s.",
        "Pa: levels of an ascent.",
        "kg m-3: density of air.",
        "(nz, ny, nx).",
        "a of the fall speed.",
        "N.",
    ],
)
def test_what_leans_on_something_else_is_found(text: str) -> None:
    assert OPENING.match(text)


@pytest.mark.parametrize(
    "text",
    ["Seed of the random perturbations.", "4D-Var: the analysis of a window.", "`steps`, compiled.", "The report."],
)
def test_a_full_phrase_is_let_through(text: str) -> None:
    assert not OPENING.match(text)


def test_docstrings_can_be_read_alone(root: Path) -> None:
    leaning = [
        f"{path.relative_to(root)}:{line} {name}: {text.splitlines()[0]}"
        for path in sorted((root / "src").rglob("*.py"))
        for line, name, text in docstrings(path)
        if OPENING.match(text)
    ]
    assert not leaning, "say what the thing is, with its subject:\n" + "\n".join(leaning)
