"""The scripts of `examples`, run as a newcomer runs them; warnings are errors there too."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from matplotlib.image import imread

from archive.runs import analysis_fields, pressure, whole_run

type Python = Callable[..., subprocess.CompletedProcess[str]]


def colours(picture: Path) -> int:
    """Number of different colours of a picture."""
    return len(np.unique(imread(picture).reshape(-1, 4), axis=0))


def module(root: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, root / "examples" / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_a_sonde_by_hand_moves_the_analysis(root: Path, python: Python, tmp_path: Path) -> None:
    picture = tmp_path / "sonde.png"
    done = python("-W", "error", root / "examples" / "sonde_by_hand.py", picture)
    assert done.returncode == 0, done.stderr
    before, after = map(float, re.search(r"was (\S+) from the background and is (\S+) from", done.stdout).groups())
    rows = [line.split() for line in done.stdout.splitlines() if re.match(r" +\d+  [a-z]+_", line)]
    assert len(rows) == 18
    # The background is the standard atmosphere: 268.7 K at 700 hPa, where the sonde says 271.0 K.
    warm = next(row for row in rows if row[:2] == ["700", "air_temperature"])
    assert float(warm[3]) == pytest.approx(271.0 - 288.15 * (700.0 / 1013.25) ** 0.190263, abs=0.02)
    for row in rows:
        assert abs(float(row[4])) < abs(float(row[3])), row
    # What an analysis leaves is about the error of the observations, by which it is measured.
    assert before > 3.0
    assert 0.5 < after < 1.2
    assert colours(picture) > 100


@pytest.fixture
def run(tmp_path: Path) -> Path:
    whole_run(tmp_path / "run" / "analysis.store", cycles=1)
    return tmp_path / "run"


def test_an_archive_is_opened_described_and_drawn(root: Path, python: Python, run: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    done = python("-W", "error", root / "examples" / "open_an_archive.py", run, picture)
    assert done.returncode == 0, done.stderr
    assert "2 analyses from 1989-01-01T12:00 to 1989-01-01T15:00 UTC" in done.stdout
    assert "3 levels on 5 x 6 cells" in done.stdout
    assert re.search(r"temperature +K +temperature", done.stdout)
    assert colours(picture) > 20


def test_what_is_drawn_is_the_temperature_at_850_hpa(
    root: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = module(root, "open_an_archive")
    drawn = {}

    def keep(self: object, x: object, y: object, values: object, **_: object) -> object:
        drawn["filled"] = np.asarray(values)
        raise StopIteration

    monkeypatch.setattr("matplotlib.axes.Axes.contourf", keep)
    with pytest.raises(StopIteration):
        script.draw(script.opened(run), tmp_path / "picture.png")
    temperature, at = analysis_fields(1)["temperature"], -np.log(pressure())
    expected = np.array(
        [[np.interp(-np.log(85e3), at[:, j, i], temperature[:, j, i]) for i in range(6)] for j in range(5)]
    )
    np.testing.assert_allclose(drawn["filled"], expected - 273.15, rtol=0, atol=2e-4)
