"""The examples of docs/reading.md, run one after the other on a small release.

What can go wrong:
- the page shows what no longer works, or gives another shape than it says.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive.release.days import a_run
from kaiseki.archive.release.packing import PackSettings, pack
from kaiseki.archive.release.store import ReleaseStore


@pytest.fixture(scope="module")
def shown(root: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Names that the examples of the page bind."""
    folder = tmp_path_factory.mktemp("reading")
    pack([a_run(folder / "run", 36)], folder / "out" / "release", PackSettings(pressures=()))
    with ReleaseStore.open(folder / "out" / "release", "a") as store:
        store.publish("v1")
    borders = data / "static" / "japan_prefectures_s0010.geojson"
    (folder / "prefectures.geojson").write_bytes(borders.read_bytes())
    ring = [[136.0, 35.5], [137.0, 35.5], [136.5, 36.5], [136.0, 35.5]]
    (folder / "area.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    names: dict[str, Any] = {}
    text = (root / "docs" / "reading.md").read_text(encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for block in re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
            exec(compile(block, "docs/reading.md", "exec"), names)
        for name in [one for one in names.values() if hasattr(one, "load")]:
            name.load()
    return names


def test_shapes_are_those_of_the_page(shown: dict[str, Any]) -> None:
    dims = {name: one["temperature_2m"].dims if "temperature_2m" in getattr(one, "data_vars", ()) else one.dims
            for name, one in shown.items() if name in ("series", "many", "inside", "mean", "mesh", "site")}  # fmt: skip
    assert dims == {
        "series": ("time",),
        "many": ("time", "place"),
        "inside": ("time", "cell"),
        "mean": ("time",),
        "mesh": ("time", "mesh"),
        "site": ("time", "height"),
    }
    assert shown["column"]["temperature"].dims == ("level",)
    assert shown["several"]["temperature"].dims == ("time", "altitude", "y", "x")
    assert shown["flight"]["temperature"].dims == ("point",)
    assert shown["section"]["temperature"].dims == ("point", "level")
    assert shown["view"]["temperature_2m"].dims == ("time", "y", "x")


def test_values_are_there(shown: dict[str, Any]) -> None:
    assert np.isfinite(shown["series"]).all()
    assert np.isnan(shown["far"]["temperature_2m"][:, 1]).all()
    for name in ("flight", "section", "ship"):
        field = "temperature_2m" if name == "ship" else "temperature"
        assert np.isfinite(shown[name][field]).all()
    assert np.isfinite(shown["site"]).all()
    assert np.isfinite(shown["fukui"]["temperature_2m"]).all()
    np.testing.assert_allclose(
        shown["mean"],
        shown["surface"]
        .kaiseki.polygon(([136.0, 137.0, 136.5], [35.5, 35.5, 36.5]), "overlap")
        .kaiseki.area_mean()["temperature_2m"],
    )


def test_a_day_in_japan(shown: dict[str, Any]) -> None:
    sums = shown["rain"]["precipitation"]
    inside = (sums["time"] > np.datetime64("1989-01-01T15")) & (sums["time"] <= np.datetime64("1989-01-02T15"))
    assert int(inside.sum()) == 24
    np.testing.assert_allclose(shown["total"], sums[inside.values].sum("time"), rtol=1e-6)


def test_units_and_places(shown: dict[str, Any]) -> None:
    assert shown["usual"]["temperature"].attrs["units"] == "degC"
    assert shown["usual"]["eastward_wind"].attrs["units"] == "kt"
    kelvin = shown["air"]["temperature"].astype(float)
    np.testing.assert_array_equal(shown["usual"]["temperature"], (kelvin - 273.15).astype(np.float32))
    assert shown["millimetres"]["precipitation"].attrs["units"] == "mm"
    assert list(shown["chosen"])[:2] == ["temperature", "eastward_wind"]
    assert "in_rim" in shown["here"].coords
    assert shown["here"]["in_rim"].dtype == bool
