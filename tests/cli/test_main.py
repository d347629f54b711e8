from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kaiseki.cli import app as app_module
from kaiseki.cli import main
from kaiseki.core import errors

CALL = "import sys; from kaiseki.cli import main; sys.exit(main(sys.argv[1:]))"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(
        [sys.executable, "-c", CALL, *arguments], capture_output=True, text=True, timeout=60, env=environment
    )


def test_help_names_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in app_module.COMMANDS:
        assert f" {name} " in text
    assert "Exit codes: 0 done" in text


def test_help_imports_little() -> None:
    code = (
        "import sys; bare = len(sys.modules); from kaiseki.cli import main; main(['--help']);"
        "print(len(sys.modules) - bare, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert int(done.stderr) < 300  # 250 of them take a third of a second


@pytest.mark.parametrize("arguments", [[], ["--help"], ["config", "--help"], ["config", "schema"]])
def test_nothing_heavy_is_imported_before_it_is_used(arguments: list[str]) -> None:
    code = (
        "import sys; from kaiseki.cli import main; main(sys.argv[1:]);"
        "heavy = {'jax', 'zarr', 'matplotlib', 'xarray', 'icechunk', 'scipy', 'eccodes', 'pyarrow'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_demo_is_of_a_case_or_of_a_twin_not_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--case", "a.toml", "--twin", "twin-2"]) == 2
    assert "Both --case a.toml and --twin twin-2" in capsys.readouterr().err


def test_every_command_in_the_table_exists() -> None:
    for name in app_module.COMMANDS:
        assert main([name, "--help"]) == 0


@pytest.mark.parametrize(
    "error",
    [
        errors.KaisekiError,
        errors.ConfigError,
        errors.InputError,
        errors.StoreError,
        errors.NumericsError,
        errors.ResourceError,
    ],
)
def test_an_error_is_one_line_and_its_exit_code(
    error: type[errors.KaisekiError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(file: str = "", *, json: bool = False) -> None:
        raise error("the file a.bufr ends\n inside record 7")

    def one_command():
        app = real()
        app.command(fail, name="fail")
        return app

    real = app_module.make_app
    monkeypatch.setattr(app_module, "make_app", one_command)
    assert main(["fail"]) == error.exit_code
    assert capsys.readouterr() == ("", "kaiseki: the file a.bufr ends inside record 7\n")
    assert main(["fail", "--json"]) == error.exit_code
    captured = capsys.readouterr()
    assert captured.err == "kaiseki: the file a.bufr ends inside record 7\n"
    assert json.loads(captured.out) == {
        "error": error.__name__,
        "message": "the file a.bufr ends inside record 7",
        "exit_code": error.exit_code,
    }


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken():
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(app_module, "make_app", broken)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        main([])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["confg"], 'Unknown command "confg". Did you mean "config"?'),
        (["config", "check"], "FILE"),
        (["config", "schema", "--colour"], "--colour"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    text = capsys.readouterr().err
    assert text.startswith("kaiseki: ")
    assert sentence in text
    assert text.count("\n") == 1


def test_an_interrupt_gives_130() -> None:
    code = (
        "import signal, sys, time; from kaiseki.cli import app, main\n"
        # A shell's background job is begun with interrupts ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def wait(): print('waiting', flush=True); time.sleep(60)\n"
        "real = app.make_app\n"
        "def made():\n    made = real(); made.command(wait, name='wait'); return made\n"
        "app.make_app = made\n"
        "sys.exit(main(['wait']))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == errors.INTERRUPTED
    assert err == "kaiseki: interrupted\n"
    assert out == ""


def test_a_reader_that_leaves_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CALL, "config", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=30) == 0


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == version("kaiseki")


LOCALES = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    # Names of files are then no text: what is not ASCII comes as lone surrogates.
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
]

FILES = """
import sys
from pathlib import Path
from kaiseki.cli import main
from kaiseki.core.files import write_text
from kaiseki.observations import Table
folder = Path(sys.argv[1])
sys.modules["kaiseki.experiments.model_checks"] = None  # imports much
Table.empty().to_parquet(folder / "a.parquet")
assert len(Table.from_parquet(folder / "a.parquet")) == 0
write_text(folder / "a.txt", chr(233))
write_text(folder / "b.txt", str(folder))
sys.exit(main(["config", "check", str(folder / "a.toml")]))
"""


@pytest.mark.parametrize("locale", LOCALES)
def test_a_path_with_an_accent_ends_no_command_whatever_the_locale(locale: dict[str, str], tmp_path: Path) -> None:
    from kaiseki.experiments.twin import DEMO

    folder = tmp_path / "jusqu'à 解析"
    folder.mkdir()
    shutil.copy(DEMO, folder / "a.toml")
    command = [sys.executable, "-c", FILES, str(folder)]
    done = subprocess.run(command, capture_output=True, timeout=120, env=os.environ | locale)
    assert done.returncode == 0, done.stderr.decode()
    assert b"a.toml is a valid experiment: " in done.stdout
    assert {path.name for path in folder.iterdir()} == {"a.toml", "a.parquet", "a.txt", "b.txt"}
