"""Files that an experiment names: what can go wrong is that a name is taken for a pattern, or a pattern for a name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kaiseki.core.errors import ConfigError
from kaiseki.core.files import files_of
from kaiseki.report.basemap import coast_files

NAMES = ["ERA5 [Japan] 2024.nc", "run*.nc", "what?.nc", "ascents [raw]/2024 [a]/x.nc", "plain.nc"]
"""Names that a shell user would have to quote."""


def of_experiment(pattern: str, root: Path | None) -> list[Path]:
    return files_of((pattern,), root, "driving.first_guess_files")


def of_report(pattern: str, root: Path | None) -> list[Path]:
    return coast_files([pattern], root)


both = pytest.mark.parametrize("find", [of_experiment, of_report])
type Find = Callable[[str, Path | None], list[Path]]


@both
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_exists_is_that_file_and_no_pattern(tmp_path: Path, name: str, find: Find) -> None:
    path = tmp_path / "data [1]" / name
    path.parent.mkdir(parents=True)
    path.touch()
    # What the name would match as a pattern.
    for other in ("ERA5 J 2024.nc", "running.nc", "whats.nc"):
        (tmp_path / "data [1]" / other).touch()
    assert find(name, path.parents[len(Path(name).parts) - 1]) == [path]
    assert find(str(path), tmp_path) == [path]


@both
def test_patterns_stay_patterns_also_below_a_folder_with_brackets(tmp_path: Path, find: Find) -> None:
    folder = tmp_path / "ERA5 [Japan]"
    (folder / "deep").mkdir(parents=True)
    a, b, c = (folder / name for name in ("a1.nc", "b2.nc", "deep/c3.nc"))
    for path in (c, b, a):
        path.touch()
    assert find("ERA5 [Japan]/*.nc", tmp_path) == [a, b]
    assert find("ERA5 [Japan]/[ac]?.nc", tmp_path) == [a]
    assert find("ERA5 [Japan]/**/*.nc", tmp_path) == [a, b, c]
    assert find(f"{folder}/[b]*.nc", tmp_path) == [b]
    assert find("*/deep/c3.nc", tmp_path) == [c]


@both
def test_what_a_fetch_leaves_beside_the_data_is_no_data(tmp_path: Path, find: Find) -> None:
    folder = tmp_path / "driving"
    (folder / ".b.zarr.part").mkdir(parents=True)
    (folder / ".b.zarr.part/zarr.json").touch()
    for name in ("a.nc", ".fetch.lock", "fetched.jsonl", ".b.nc.part", ".b.nc.pieces.jsonl", ".b.nc.request.json"):
        (folder / name).touch()
    for pattern in ("driving/*", "driving/**/*", "*/*", f"{folder}/*"):
        assert find(pattern, tmp_path) == [folder / "a.nc"]
    with pytest.raises(ConfigError, match="No file matches"):
        find("driving/*.jsonl", tmp_path)
    # Who names them gets them.
    assert find("driving/.fetch.l*", tmp_path) == [folder / ".fetch.lock"]
    assert find("driving/fetched.jsonl", tmp_path) == [folder / "fetched.jsonl"]


@both
def test_folders_and_nothing_are_no_files(tmp_path: Path, find: Find) -> None:
    (tmp_path / "folder").mkdir()
    for pattern in ("folder", "none.nc", "none/*.nc", "ERA5 [Japan] 2024.nc"):
        with pytest.raises(ConfigError, match="No file matches"):
            find(pattern, tmp_path)
