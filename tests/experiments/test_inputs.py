"""What an experiment needs, and what of it is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaiseki.config import Experiment
from kaiseki.experiments.inputs import inputs, size_words, terrain_is_there


def experiment() -> Experiment:
    return Experiment.from_mapping(
        {
            "case": {"name": "real", "kind": "real"},
            "domain": {
                "preset": "japan-60km",
                "terrain": "files",
                "terrain_files": ["dem/*.tif", "era5.nc"],
                "mask_files": ["mask.gz"],
                "coast_files": ["coast.json"],
            },
            "period": {"cold_start": "2020-01-01T00:00Z", "end": "2020-01-01T06:00Z"},
            "observations": {"files": ["prepbufr/*"]},
            "driving": {"first_guess_files": ["gfs/*"], "sea_temperature_files": ["sst.nc"]},
        }
    )


def test_everything_is_listed_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "dem").mkdir()
    for name in ("a.tif", "b.tif"):
        (tmp_path / "dem" / name).write_bytes(bytes(500))
    (tmp_path / "sst.nc").write_bytes(bytes(10))
    found = {(one.key, one.pattern): one for one in inputs(experiment(), tmp_path)}
    assert [key for key, _ in found] == [
        "domain.terrain_files",
        "domain.terrain_files",
        "domain.mask_files",
        "domain.coast_files",
        "driving.first_guess_files",
        "driving.sea_temperature_files",
        "observations.files",
    ]
    terrain = found["domain.terrain_files", "dem/*.tif"]
    assert (terrain.files, terrain.bytes, terrain.missing) == (2, 1000, False)
    assert terrain.sentence() == "terrain (domain.terrain_files = dem/*.tif): 2 files, 1 kB"
    assert found["domain.mask_files", "mask.gz"].sentence().endswith("): missing")
    assert found["domain.coast_files", "coast.json"].sentence().endswith("missing (only maps need it)")
    assert not terrain_is_there(experiment(), tmp_path)
    for name in ("era5.nc", "mask.gz"):
        (tmp_path / name).touch()
    assert terrain_is_there(experiment(), tmp_path)


def test_a_store_counts_as_one_with_all_its_bytes(tmp_path: Path) -> None:
    for name, number in (("repo", 300), ("chunks/a/b", 700), ("refs/main", 1)):
        path = tmp_path / "gfs" / "wide.store" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(number))
    found = next(one for one in inputs(experiment(), tmp_path) if one.pattern == "gfs/*")
    assert (found.files, found.stores, found.bytes) == (1, 1, 1001)
    assert found.sentence().endswith("): 1 store, 1 kB")
    (tmp_path / "gfs" / "a.nc").write_bytes(bytes(999))
    found = next(one for one in inputs(experiment(), tmp_path) if one.pattern == "gfs/*")
    assert found.sentence().endswith("): 1 file and 1 store, 2 kB")


def test_without_a_data_folder_nothing_is_called_missing() -> None:
    found = inputs(experiment(), None)
    assert all(one.files is None and not one.missing for one in found)
    assert not terrain_is_there(experiment(), None)


def test_a_twin_needs_nothing() -> None:
    twin = Experiment.from_mapping(
        {
            "case": {"name": "twin", "kind": "twin"},
            "domain": {"preset": "japan-60km"},
            "period": {"cold_start": "2020-01-01T00:00Z", "end": "2020-01-01T06:00Z"},
        }
    )
    assert inputs(twin, None) == []


@pytest.mark.parametrize(("number", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1.4e9, "1.4 GB"), (3e13, "30 TB")])
def test_sizes_in_words(number: float, words: str) -> None:
    assert size_words(number) == words
