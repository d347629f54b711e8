"""The documents: what they name is there, and what they tell to type can be typed.

What went wrong, or may: a file that was moved; a module or class that was renamed; an option that there is not; a
target of make that is gone; a key of the experiment with another name; a term of the glossary that has no place in the
code.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
import shlex
import typing
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App
from cyclopts.exceptions import CycloptsError

from kaiseki.cli.app import make_app
from kaiseki.config import Experiment, Twin
from kaiseki.core import plugins

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = sorted(path.parent.name for path in (ROOT / "src" / "kaiseki").glob("*/__init__.py"))
FOLDERS = ("src", "tests", "docs", "validation", "benchmarks", "cases", "examples", "tools", ".ci")
MADE = re.compile(r"^(out|shared|\.\./shared|\.venv)/")
"""What a command makes, or data that are no part of the repository."""
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def spans(text: str) -> list[str]:
    """What stands between single backquotes, outside of code blocks; line ends are spaces."""
    return [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", BLOCK.sub("", text))]


def lines_of_code(text: str) -> list[str]:
    """Lines of code blocks that are no Python, those that begin with four blanks, and the spans, without comments."""
    blocks = [body for kind, body in BLOCK.findall(text) if kind in ("", "bash", "sh")]
    indented = re.findall(r"^    (\S.*)$", BLOCK.sub("", text), flags=re.MULTILINE)
    found = [line for body in blocks for line in body.splitlines()] + indented + spans(text)
    return [re.sub(r"\s+#.*", "", line).strip() for line in found]


def keys(section: type, prefix: str = "") -> set[str]:
    """All keys of the experiment, "section.key"."""
    found = set()
    hints = typing.get_type_hints(section)
    for name, hint in ((field.name, hints[field.name]) for field in dataclasses.fields(section)):
        found.add(prefix + name)
        for one in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(one):
                found |= keys(one, f"{prefix}{name}.")
    return found


KEYS = keys(Experiment) | keys(Twin, "twin.")


def resolved(name: str) -> bool:
    """Whether a dotted name is a module, or something in one, maybe an attribute of a class."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError as error:
            # A module that fails to import for another reason is a defect.
            if error.name is None or not ".".join(parts).startswith(error.name):
                raise
            continue
        for part in parts[cut:]:
            fields = getattr(found, "__dataclass_fields__", {})
            annotations = getattr(found, "__annotations__", {})
            if not hasattr(found, part) and part not in fields and part not in annotations:
                return False
            found = getattr(found, part, None)
        return True
    return False


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_path_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    words = {word.strip("(),;:'\"") for line in lines_of_code(text) for word in line.split()}
    for word in sorted(words):
        if MADE.match(word) or "<" in word or "..." in word or not re.match(rf"({'|'.join(FOLDERS)})/", word):
            continue
        found = list(ROOT.glob(word.rstrip("/"))) if "*" in word else [ROOT / word]
        assert any(one.exists() for one in found), f"{named(path)} names {word}, which is not there"


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        place = path.parent / file if file else path
        assert place.exists(), f"{named(path)} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", place.read_text(encoding="utf-8"), flags=re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
            assert anchor in slugs, f"{named(path)} links to {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_dotted_name_is_something(path: Path) -> None:
    """`kaiseki.a.b`, `validation.a`, and within kaiseki `package.a`, or else a key of the experiment."""
    groups = {f"kaiseki.{kind}" for kind in plugins.PART_KINDS}
    for span in spans(path.read_text(encoding="utf-8")):
        name = span.removesuffix("()")
        if not re.fullmatch(r"[A-Za-z_][\w]*(\.[A-Za-z_]\w*)+", name) or name in groups:
            continue
        first = name.split(".")[0]
        if first in ("kaiseki", "validation", "benchmarks"):
            assert resolved(name), f"{named(path)} names {name}"
        elif first in PACKAGES or first in {one.split(".")[0] for one in KEYS}:
            is_file = name.rsplit(".", 1)[1] in {"toml", "store", "json", "parquet", "html", "py"}
            inside = first in PACKAGES and resolved(f"kaiseki.{name}")
            assert is_file or name in KEYS or inside, f"{named(path)} names {name}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_kaiseki_command_parses(path: Path) -> None:
    app, text = make_app(), path.read_text(encoding="utf-8")
    for line in lines_of_code(text):
        words = shlex.split(line.replace("<", "").replace(">", "")) if line.startswith(("kaiseki ", ".venv/")) else []
        if len(words) < 2 or Path(words[0]).name != "kaiseki":
            continue
        # In the text a command may be mentioned without what it needs.
        if line not in spans(text) or not is_command(app, words[1:]):
            app.parse_args(words[1:])


def is_command(app: App, words: list[str]) -> bool:
    """Whether words are the name of a command and nothing else."""
    for word in words:
        if word not in app:
            return False
        app = app[word]
    return True


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_program_has_its_options(path: Path) -> None:
    """`python -m package.module --option`, `python folder/file.py --option`: both are there, and so are the options."""
    for line in lines_of_code(path.read_text(encoding="utf-8")):
        found = re.match(r"(?:\S*/)?python (?:-m (\S+)|(\S+\.py))(.*)", line)
        if found is None or (found[1] or "").startswith(("pytest", "kaiseki")):
            continue
        if found[1] is None and not found[2].startswith(FOLDERS):
            continue
        file = ROOT / (f"{found[1].replace('.', '/')}.py" if found[1] else found[2])
        if "<" in str(file):
            continue
        if file.with_suffix("").is_dir():
            file = file.with_suffix("") / "__main__.py"
        assert file.exists(), f"{named(path)}: {line}"
        for option in re.findall(r"--[a-z][a-z-]*", found[3]):
            assert f'"{option}"' in file.read_text(encoding="utf-8"), f"{named(path)}: {line} has no {option}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_target_of_make_is_there(path: Path) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    for line in lines_of_code(path.read_text(encoding="utf-8")):
        if found := re.match(r"(?:taskset -c 0 )?make ([a-z]+)\b", line):
            assert found[1] in targets, f"{named(path)}: {line}"


def test_every_place_of_the_glossary_is_in_the_code() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and "---" not in line
    ][1:]
    assert len(rows) > 100
    for term, japanese, where, meaning in rows:
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]|PREPBUFR", japanese), term
        for name in re.findall(r"`([^`]+)`", where):
            assert name in KEYS or resolved(f"kaiseki.{name}"), f"{term}: {name}"
        heading, general = term.startswith("**"), term.endswith("reanalysis")
        assert heading or general or where or "planned" in meaning, f"{term} has no place in the code"


def test_a_name_that_is_not_there_is_noticed() -> None:
    assert resolved("kaiseki.assimilation.AnalysisInput.members")
    assert resolved("kaiseki.assimilation.Engine.needs_ensemble")
    assert not resolved("kaiseki.assimilation.AnalysisInput.colour")
    assert not resolved("kaiseki.twin")
    assert "assimilation.four_d_var.coarsening" in KEYS
    assert "assimilation.colour" not in KEYS
    with pytest.raises(CycloptsError):
        make_app().parse_args(["run", "case.toml", "--colour", "red"])
    assert is_command(make_app(), ["config", "show"])
    assert not is_command(make_app(), ["draw"])
