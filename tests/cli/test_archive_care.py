"""Commands of care: could break by exit codes that hide faults, by JSON that is none, by options that do nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zarr

from archive.release.days import a_release, write
from kaiseki.archive.release.store import ReleaseStore
from kaiseki.cli.main import main
from kaiseki.core.errors import FAULTS_FOUND


@pytest.fixture
def release(tmp_path: Path) -> Path:
    place = tmp_path / "release"
    with a_release(place) as store:
        for tag in ("v1", "v2"):
            write(store, 0, replace=True)
            write(store, 1, replace=True, preliminary=True)
            store.pack_series()
            store.publish(tag)
    return place


def run(capsys: pytest.CaptureFixture[str], *tokens: Any, code: int = 0) -> dict[str, Any]:
    assert main(["archive", *map(str, tokens), "--json"]) == code
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_info_tells_what_a_release_holds(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(capsys, "info", release)
    assert found["axis"] == {"start": "1989-01-01", "end": "1989-01-02", "times_a_day": {"analysis": 8, "hourly": 24}}
    assert found["groups"]["surface"]["variables"] == {"temperature_2m": {}}
    assert found["groups"]["model_levels"]["variables"] == {"temperature": {"level": 3}}
    surface = found["groups"]["surface"]
    assert (surface["days"], surface["days_final"], surface["days_preliminary"]) == (2, 1, 1)
    assert [version["version"] for version in found["versions"]] == ["v1", "v2"]
    assert found["streams"] == {"one": {"days": 2, "overlap_days": 0, "first": "1989-01-01", "last": "1989-01-02"}}
    assert found["bounds"] == "tight"
    assert main(["archive", "info", str(release)]) == 0
    text = capsys.readouterr().out
    for words in ("version v1, published", "stream one: 2 days", "temperature (3 levels)", "no known issues"):
        assert words in text


def test_verify_ends_with_an_exit_code_of_its_own_where_anything_is_wrong(
    release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "verify", release)["sound"]
    assert run(capsys, "verify", release, "--quick", "--version", "v1")["values"] == 0
    session = ReleaseStore.open(release, "a").repository.writable_session("quality")
    array = zarr.open_group(session.store, mode="r+")["map/surface/temperature_2m"]
    array[30, 2, 3] = 0
    session.commit("a fault")
    found = run(capsys, "verify", release, code=FAULTS_FOUND)
    assert [(fault["kind"], fault["day"], fault["layout"]) for fault in found["faults"]] == [
        ("copy", "1989-01-02", "map")
    ]
    assert main(["archive", "verify", str(release)]) == FAULTS_FOUND
    assert "copy: map/surface/temperature_2m 1989-01-02: 1 of 720 values" in capsys.readouterr().out
    assert run(capsys, "verify", release, "--version", "v2")["sound"]


def test_compare_prints_a_table_and_draws_maps(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = f"{release}@v1", f"{release}@v2"
    chosen = ("--variables", "temperature_2m", "--maps", tmp_path / "maps")
    found = run(capsys, "compare", one, two, *chosen)
    assert {row["rms"] for row in found["rows"]} == {0.0}
    (file,) = found["maps"]
    assert Path(file).read_bytes().startswith(b"\x89PNG")
    assert main(["archive", "compare", one, two]) == 0
    assert "differences B - A" in capsys.readouterr().out
    assert run(capsys, "compare", one, two, "--maps", tmp_path, code=2)["error"] == "ConfigError"


def test_gc_counts_and_removes_what_no_version_needs(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ReleaseStore.open(release, "a") as store:
        for _ in range(2):
            write(store, 0, replace=True)
    assert run(capsys, "gc", release, "--dry-run")["dry_run"]
    assert run(capsys, "gc", release)["chunks"] == 0
    # A release in a directory has leases, so that the age may be none.
    done = run(capsys, "gc", release, "--minimum-age", "0")
    assert done["expired"] >= 1
    for version in ("v1", "v2", "quality"):
        assert run(capsys, "verify", release, "--version", version)["sound"]
    assert run(capsys, "gc", release, "--minimum-age", "-1", code=2)["error"] == "ConfigError"


def test_known_issues_are_noted_and_listed(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--id", "cold", "--text", "Too cold.", "--groups", "surface", "--fixed-in", "v2")
    assert run(capsys, "issue", "add", release, *given, "--region", 130, 30, 140, 40)["added"] == ["cold"]
    assert run(capsys, "issue", "list", release)["known_issues"][0]["region"] == [130.0, 30.0, 140.0, 40.0]
    assert run(capsys, "issue", "list", release, "--version", "v2")["known_issues"] == []
    assert len(run(capsys, "issue", "list", release, "--version", "v1")["known_issues"]) == 1
    assert run(capsys, "issue", "list", release, "--version", "v9", code=3)["error"] == "InputError"
    file = tmp_path / "known_issues.toml"
    file.write_text('[[issue]]\nid = "wet"\ntext = "Too wet."\nseverity = "critical"\n')
    run(capsys, "issue", "add", release, "--file", file)
    assert main(["archive", "report", str(release)]) == 0
    assert "known issue wet (critical): Too wet." in capsys.readouterr().out
    assert [one["id"] for one in run(capsys, "info", release, "--version", "v1")["known_issues"]] == ["cold", "wet"]
    assert run(capsys, "issue", "add", release, "--file", file, code=3)["error"] == "InputError"
    assert run(capsys, "issue", "add", release, "--file", file, "--id", "x", code=2)["error"] == "ConfigError"
    # The branch of known issues keeps no other state from expiring.
    assert run(capsys, "gc", release, "--minimum-age", "0")["postponed"] is None
    assert len(run(capsys, "issue", "list", release)["known_issues"]) == 2
