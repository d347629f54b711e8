"""What can be imported where only a part of the packages is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import kaiseki
from kaiseki.cli.installed import EXTRAS, explain

PACKAGES = sorted(path.parent.name for path in Path(kaiseki.__file__).parent.glob("*/__init__.py"))

# Imports every module of a package while the packages named cannot be imported.
PROGRAM = """
import importlib, pkgutil, sys
package, *blocked = sys.argv[1:]
for name in blocked:
    sys.modules[name] = None
found = importlib.import_module(f"kaiseki.{package}")
for module in pkgutil.walk_packages(found.__path__, found.__name__ + "."):
    if not module.name.startswith("kaiseki.config"):
        importlib.import_module(module.name)
print(sum(name.startswith(found.__name__) for name in sys.modules))
"""


def modules_imported(package: str, *blocked: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, package, *blocked], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize(
    "package",
    [
        package
        for package in PACKAGES
        if package in {"core", "formats", "grid", "acquisition", "archive", "verification", "report", "cli"}
    ],
)
def test_the_client_needs_no_jax(package: str) -> None:
    assert modules_imported(package, "jax", "jaxlib", "equinox", "jaxtyping") >= 1


@pytest.mark.parametrize(
    "package", [one for one in PACKAGES if one in {"core", "diagnostics", "grid", "statistics", "forecast"}]
)
def test_the_numerical_core_needs_no_store_and_no_file_format(package: str) -> None:
    assert modules_imported(package, "zarr", "icechunk", "eccodes", "pydantic") >= 1


# Runs every command while the packages named cannot be imported; prints exit code and words of each.
COMMANDS = """
import contextlib, io, json, sys
from kaiseki.cli import main
from kaiseki.cli.app import COMMANDS
file, *blocked = sys.argv[1:]
for name in blocked:
    sys.modules[name] = None
groups = {"config": [["config", "show", file], ["config", "check", file], ["config", "schema"]],
          "demo": [["demo"]], "info": [["info"]], "doctor": [["doctor"]],
          "archive": [["archive", "pack", file, "--into", "nowhere"]],
          "forecast": [["forecast", file, "--at", "1989-01-01T15:00Z", "--hours", "3"]],
          "precip": [["precip", "convert", file, "rain.nc"]],
          "tune": [["tune", file, "--until", "1989-01-02T00:00Z"]]}
found = {}
for name in COMMANDS:
    for tokens in groups.get(name, [[name, file]]):
        words = io.StringIO()
        with contextlib.redirect_stderr(words), contextlib.redirect_stdout(io.StringIO()):
            code = main(tokens)
        found[" ".join(tokens[:2]) if name == "config" else name] = code, words.getvalue()
print(json.dumps(found))
"""

EVERY_EXTRA = [name for packages in EXTRAS.values() for name in packages]


def answers(tmp_path: Path, *blocked: str) -> dict[str, tuple[int, str]]:
    from kaiseki.experiments.twin import DEMO

    command = [sys.executable, "-c", COMMANDS, str(DEMO), *blocked]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir()), "nothing is begun"
    return json.loads(done.stdout.splitlines()[-1])


def test_with_the_client_alone_every_command_says_which_extra_it_needs(tmp_path: Path) -> None:
    found = answers(tmp_path, *EVERY_EXTRA)
    without = {"config show", "config check", "config schema", "doctor", "info"}
    # Writing an experiment needs no extra: the file is there already.
    code, words = found.pop("new")
    assert code == 2
    assert "exists" in words
    assert {name for name, (code, _) in found.items() if code == 0} == without
    # Scores need no extra: the file is no folder of a run.
    code, words = found["verify"]
    assert code == 3
    assert "There is no run directory" in words
    # A release needs no extra: the file is no run.
    code, words = found["archive"]
    assert code == 4
    assert "is a file, not a run store" in words
    code, words = found.pop("precip")
    assert code == 1
    assert words.startswith("kaiseki: kaiseki precip convert needs the package ")
    assert words.endswith('which is not installed; do: pip install "kaiseki[formats]"\n')
    for name in found.keys() - without - {"verify", "archive"}:
        code, words = found[name]
        assert code == 1
        assert words.count("\n") == 1
        extra = name if name in EXTRAS else "run"
        assert f"kaiseki: kaiseki {name} needs the package " in words
        assert words.endswith(f'which is not installed; do: pip install "kaiseki[{extra}]"\n')


def test_a_run_without_what_its_report_needs_is_refused_before_it_computes(tmp_path: Path) -> None:
    code, words = answers(tmp_path, "matplotlib")["run"]
    assert code == 1
    assert words == (
        'kaiseki: kaiseki run needs the package matplotlib, which is not installed; do: pip install "kaiseki[run]"\n'
    )


def test_an_import_that_fails_for_another_reason_is_a_defect() -> None:
    assert explain(ModuleNotFoundError("No module named 'nothing'", name="nothing"), "kaiseki run") is None
    assert explain(ImportError("cannot import name 'x' from 'numpy'", name="numpy"), "kaiseki run") is None


# A processor without AVX: jaxlib asks its own list of features while it is imported, and refuses in these words.
OLD_PROCESSOR = """
import sys, types
guard = types.ModuleType("jaxlib.cpu_feature_guard")
def check_cpu_features():
    raise RuntimeError("This version of jaxlib was built using AVX instructions, which your CPU and/or operating "
                       "system do not support. You may be able work around this issue by building jaxlib from source.")
guard.check_cpu_features = check_cpu_features
sys.modules["jaxlib.cpu_feature_guard"] = guard
from kaiseki.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["info"], 0, "none (JAX cannot be used on this machine: This version of jaxlib was built using AVX"),
        (["info", "--json"], 0, '"jax_refusal": "This version of jaxlib was built using AVX'),
        (["demo"], 6, "kaiseki: kaiseki demo needs JAX, which cannot be used on this machine: This version of jaxlib"),
        (["config", "check"], 0, "were not checked, for JAX cannot be used"),
    ],
)
def test_a_processor_without_avx_is_told(command: list[str], code: int, words: str, tmp_path: Path) -> None:
    from kaiseki.experiments.twin import DEMO

    file = [str(DEMO)] if command[0] == "config" else []
    call = [sys.executable, "-c", OLD_PROCESSOR, *command, *file]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
