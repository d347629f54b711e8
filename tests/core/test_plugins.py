from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kaiseki.core import plugins
from kaiseki.core.errors import ConfigError


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
