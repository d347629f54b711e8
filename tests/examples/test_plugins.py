"""The distributions of `examples/plugins`, installed from their wheels: their tests, what they change, what is refused.

What may fail: an entry point that names nothing; a contract that an example keeps no more; an experiment that does not
take the engine; an observation that moves nothing; a faulty plug-in that ends in a traceback.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

type Python = Callable[..., subprocess.CompletedProcess[str]]

BARE = """
import jax.numpy as jnp
from kaiseki.assimilation.operators import ObservationOperator
class Bare(ObservationOperator):
    def equivalent(self, profiles, columns, wanted):
        return jnp.sqrt(profiles.u[:, 0] ** 2 + profiles.v[:, 0] ** 2)
"""


def offer(folder: Path, module: str, entry_points: str, text: str) -> Path:
    """A distribution of one module in a folder."""
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    (folder / f"{module}.py").write_text(text)
    return folder


def test_the_tests_of_the_distributions_pass(plugins: list[Path], site: Path, python: Python) -> None:
    folders = [plugin / "tests" for plugin in plugins]
    assert all(list(folder.glob("test_*.py")) for folder in folders)
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", *folders, sites=(site,))
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def every(site: Path, python: Python, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What `with_plugins.py` prints; an operator is installed too whose derivative at rest does not exist."""
    bare = "[kaiseki.observation_operators]\nbare_speed = bare:Bare\n"
    folder = offer(tmp_path_factory.mktemp("bare"), "bare", bare, BARE)
    done = python(Path(__file__).parent / "with_plugins.py", folder, sites=(site, folder))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def found(every: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Analyses of single values."""
    return every["analyses"]


def test_a_wind_speed_moves_the_analysis_as_its_component_along_the_wind_would(found: dict[str, Any]) -> None:
    assert found["speed"]["u"] > 1.0
    for name, size in found["east"].items():
        assert found["difference"][name] <= 1e-3 * size, name
    before, after = found["speed_departures"]
    # 5 m/s but for what the operator adds in quadrature; an error of 1.5 m/s against a background of about 3 m/s.
    assert before == pytest.approx(25.0 - np.hypot(20.0, 0.1), abs=1e-3)
    assert 0.0 < after < 0.5 * before


def test_a_mast_measures_the_speed_at_ten_metres(found: dict[str, Any]) -> None:
    speed, east, north = (found["at_mast"][name] for name in ("wind_speed", "eastward_wind", "northward_wind"))
    assert speed == pytest.approx(np.hypot(east, north), rel=1e-3)


def test_cressmans_engine_moves_temperature_towards_the_sonde_and_says_how_far(found: dict[str, Any]) -> None:
    # The background is at 270 K, the sonde at 273 K.
    assert 1.0 < found["cressman"]["temperature"] < 3.0
    assert found["cressman"]["u"] == 0.0
    assert 0.0 < found["cressman_departure"] < 2.0
    assert found["departure_of_what_it_made"] == pytest.approx(found["cressman_departure"], abs=1e-3)


def test_an_operator_does_not_spoil_values_of_other_quantities(found: dict[str, Any]) -> None:
    assert found["quantities"][-2:] == ["bare_speed", "wind_speed"]
    assert 0.3 < found["calm"]["temperature"] < 3.0


def test_sources_are_read_by_their_names(every: dict[str, dict[str, Any]]) -> None:
    found = every["sources"]
    assert found["rows"] == 6
    # Assimilated where the experiment names the kind, with the errors of the file.
    assert found["used"] == {"True": 6, "False": 0}
    assert found["errors"] == [2.25]
    assert found["increment"] > 1.0
    assert found["read_by"] == "numpy"


def test_a_model_is_cycled_with_cressmans_engine(every: dict[str, dict[str, Any]]) -> None:
    found = every["run"]
    assert found["engine"] == found["in_file"] == "cressman"
    assert found["used"] > 20
    before, after = found["rms"]
    assert after < 0.6 * before


def experiment(root: Path, folder: Path) -> Path:
    """The case of Japan with Cressman's engine."""
    text = (root / "cases" / "japan-1989.toml").read_text()
    text, replaced = re.subn(r"(?m)^\[assimilation\]$", '[assimilation]\nengine = "cressman"', text)
    file = folder / "case.toml"
    file.write_text(text if replaced else f'{text}\n[assimilation]\nengine = "cressman"\n')
    return file


def test_an_experiment_takes_the_engine_where_it_is_installed(
    site: Path, python: Python, root: Path, tmp_path: Path
) -> None:
    command = ("-m", "kaiseki", "config", "check", experiment(root, tmp_path))
    done = python(*command, sites=(site,))
    assert done.returncode == 0, done.stderr
    assert "engine cressman" in done.stdout
    done = python(*command)
    assert done.returncode == 2
    assert re.fullmatch(r"kaiseki: .*case\.toml: assimilation\.engine.* no such assimilation engine; .*\n", done.stderr)


@pytest.mark.parametrize(
    ("entry_points", "text", "sentence"),
    [
        (
            "[kaiseki.assimilation_engines]\ncressman = faulty:Part\n",
            "from kaiseki.assimilation import Engine\nclass Part(Engine):\n    name = 'cressman'\n",
            r"The plug-in 'cressman' for assimilation_engines is a class that cannot be made .*'analyse'",
        ),
        (
            "[kaiseki.assimilation_engines]\ncressman = faulty:Part\n"
            "[kaiseki.observation_operators]\nvisibility = faulty:Operator\n",
            "from kaiseki.assimilation import Engine\nclass Part(Engine):\n    name = 'cressman'\n"
            "    def analyse(self, given):\n        pass\n"
            "class Operator:\n    pass\n",
            r"The plug-in 'visibility' for observation_operators is no ObservationOperator; see kaiseki\.",
        ),
    ],
)
def test_a_faulty_plug_in_is_found_by_config_check(
    python: Python, root: Path, tmp_path: Path, entry_points: str, text: str, sentence: str
) -> None:
    folder = offer(tmp_path / "site", "faulty", entry_points, text)
    done = python("-m", "kaiseki", "config", "check", experiment(root, tmp_path), sites=(folder,))
    assert done.returncode == 2, done.stderr
    assert re.fullmatch(f"kaiseki: {sentence}.*\n", done.stderr), done.stderr
