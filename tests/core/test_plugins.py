from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import kaiseki
from kaiseki.assimilation import engine
from kaiseki.config import Assimilation
from kaiseki.core import plugins
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.driving import read_global
from kaiseki.driving.sources import available
from kaiseki.observations import Table
from kaiseki.observations.sources.registry import read_source


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution on the path that registers three readers, one of which is broken."""
    info = tmp_path / "otherparty-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: otherparty\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[kaiseki.driving_sources]\ngood = otherparty_reader:Reader\nbad = otherparty_reader:Absent\n"
        "gone = no_such_module_anywhere:Reader\n"
    )
    (tmp_path / "otherparty_reader.py").write_text("class Reader:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("otherparty_reader", None)


@pytest.mark.usefixtures("distribution")
def test_a_registered_part_is_found_and_loaded() -> None:
    assert {"good", "bad", "gone"} <= set(plugins.available("driving_sources"))
    assert plugins.load("driving_sources", "good").__name__ == "Reader"


@pytest.mark.usefixtures("distribution")
def test_listing_imports_nothing() -> None:
    plugins.available("driving_sources")
    assert "otherparty_reader" not in sys.modules


@pytest.mark.usefixtures("distribution")
@pytest.mark.parametrize("name", ["bad", "gone"])
def test_a_broken_part_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name!r} for driving_sources .* cannot be imported"):
        plugins.load("driving_sources", name)


@pytest.mark.usefixtures("distribution")
@pytest.mark.parametrize(
    "text", ["raise SystemExit(3)", "class Reader:\n    def __init__(self):\n        raise SystemExit"]
)
def test_a_part_that_ends_the_program_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "otherparty_reader.py").write_text(text)
    with pytest.raises(ConfigError, match=r"'good' for driving_sources .* SystemExit"):
        plugins.make("driving_sources", "good", object)


@pytest.mark.usefixtures("distribution")
def test_an_unknown_part_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no plug-in 'goood' .* did you mean 'good'\?"):
        plugins.load("driving_sources", "goood")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="known are driving_sources"):
        plugins.available("colours")


@pytest.mark.usefixtures("distribution")
def test_two_distributions_with_one_name_are_refused(tmp_path: Path) -> None:
    info = tmp_path / "thirdparty-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thirdparty\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[kaiseki.driving_sources]\ngood = thirdparty:Reader\n")
    with pytest.raises(ConfigError, match="Two plug-ins offer driving_sources 'good'"):
        plugins.available("driving_sources")


ENGINE = "from kaiseki.assimilation import Engine\nclass Part(Engine):\n"
ANALYSE = "    def analyse(self, given):\n        pass\n"


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts a distribution on the path whose module has the given text and whose class `Part` is registered."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = []

    def put(module: str, group: str, name: str, text: str) -> None:
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[kaiseki.{group}]\n{name} = {module}:Part\n")
        (tmp_path / f"{module}.py").write_text(text)
        modules.append(module)

    yield put
    for module in modules:
        sys.modules.pop(module, None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (ENGINE + "    name = 'mine'\n", r"cannot be made without arguments: .*abstract method 'analyse'"),
        (
            ENGINE + "    name = 'mine'\n    def __init__(self, radius):\n        pass\n" + ANALYSE,
            r"cannot be made without arguments: .*'radius'",
        ),
        (
            "raise OSError('no licence')\n",
            r"\(faulty_engine:Part of the distribution faulty_engine\) .*OSError: no licence",
        ),
        ("class Part\n", r"cannot be imported: SyntaxError: "),
        (ENGINE + "    name = 'another'\n" + ANALYSE, r"has name = 'another'; it must be 'mine'"),
        (ENGINE + ANALYSE, r"has name = None; it must be 'mine'"),
        ("class Part:\n    name = 'mine'\n", r"is no Engine; see kaiseki.assimilation.contract.Engine"),
    ],
)
def test_an_engine_that_keeps_no_contract_is_refused_in_one_sentence(
    offer: Callable[..., None], text: str, sentence: str
) -> None:
    offer("faulty_engine", "assimilation_engines", "mine", text)
    with pytest.raises(ConfigError, match=sentence) as raised:
        engine("mine")
    assert "'mine' for assimilation_engines" in str(raised.value)


def test_a_plug_in_cannot_take_a_name_of_ours(offer: Callable[..., None]) -> None:
    offer("greedy", "assimilation_engines", "3dfgat", ENGINE + "    name = '3dfgat'\n" + ANALYSE)
    with pytest.raises(ConfigError, match=r"'3dfgat' .*distribution greedy\) has a name that Kaiseki uses itself"):
        engine("3dfgat")
    with pytest.raises(ConfigError, match="has a name that Kaiseki uses itself"):
        Assimilation()


def test_the_section_takes_the_engine_of_a_plug_in_and_no_other(offer: Callable[..., None]) -> None:
    offer("gentle", "assimilation_engines", "mine", ENGINE + "    name = 'mine'\n" + ANALYSE)
    assert Assimilation(engine="mine").engine == "mine"
    assert type(engine("mine")).__module__ == "gentle"
    with pytest.raises(ConfigError, match=r"no such assimilation engine; did you mean 'mine'\?"):
        Assimilation(engine="mime")


def test_a_source_that_gives_no_table_is_named(offer: Callable[..., None]) -> None:
    source = "from kaiseki.observations.sources.registry import ObservationSource\nclass Part(ObservationSource):\n"
    offer(
        "rows", "observation_sources", "rows", source + "    def read(self, paths, box=None):\n        return [1.0]\n"
    )
    with pytest.raises(ConfigError, match=r"source rows gave a list; it must give an observations\.Table"):
        read_source("rows", [])


DRIVING = """
import xarray as xr
class Part:
    name = "mine"
    def recognises(self, path, head):
        return path.suffix == ".mine"
    def read(self, path):
        return xr.Dataset(attrs={"read_by": "mine"})
"""


def test_a_driving_source_is_asked_before_ours_and_only_for_its_files(
    offer: Callable[..., None], tmp_path: Path
) -> None:
    offer("ourselves", "driving_sources", "mine", DRIVING)
    assert list(available()) == ["mine", "climcore", "grib", "sst_netcdf", "netcdf"]
    # The first bytes of a NetCDF file, which our reader would take, and refuse for what it lacks.
    for name in ("analysis.mine", "analysis.nc"):
        (tmp_path / name).write_bytes(b"CDF\x01" + bytes(100))
    assert read_global(tmp_path / "analysis.mine").attrs["read_by"] == "mine"
    with pytest.raises(InputError, match=r"analysis\.nc"):
        read_global(tmp_path / "analysis.nc")


# Quantities are fixed when the package is first imported, so these need a process of their own.
def in_process(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder), str(Path(kaiseki.__file__).parent.parent)])
    return subprocess.run(
        [sys.executable, *arguments], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("registered", "sentence"),
    [
        (["air_temperature"], "'air_temperature' for observation_operators .* has a name that Kaiseki uses itself"),
        (["speed", "speed"], "Two plug-ins offer observation_operators 'speed': .* of the distribution first"),
    ],
)
def test_a_command_refuses_operators_that_cannot_be_told_apart(
    offer: Callable[..., None], tmp_path: Path, root: Path, registered: list[str], sentence: str
) -> None:
    for module, name in zip(("first", "second"), registered, strict=False):
        offer(module, "observation_operators", name, "class Part:\n    pass\n")
    done = in_process(tmp_path, "-m", "kaiseki", "config", "check", str(root / "cases" / "japan-1989.toml"))
    assert done.returncode == ConfigError.exit_code
    assert re.fullmatch(f"kaiseki: .*{sentence}.*\n", done.stderr), done.stderr


def test_a_table_of_a_quantity_whose_plug_in_is_gone_says_so(offer: Callable[..., None], tmp_path: Path) -> None:
    offer("speeds", "observation_operators", "speed_of_wind", "class Part:\n    pass\n")
    program = (
        "import sys, numpy as np\nfrom kaiseki.observations import Table\n"
        "Table.from_columns({'time': np.zeros(1, 'M8[s]'), 'latitude': 0.0, 'longitude': 0.0, 'kind': 'ship',"
        " 'quantity': 'speed_of_wind', 'value': np.ones(1)}).to_parquet(sys.argv[1])"
    )
    file = tmp_path / "table.parquet"
    assert not in_process(tmp_path, "-c", program, str(file)).stderr
    with pytest.raises(InputError, match=r"no quantity 'speed_of_wind'; .*install the plug-in that brings it"):
        Table.from_parquet(file)
