"""Known issues: could break by entries that mean nothing, by versions that show too few or too many, by lost ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import kaiseki
from archive.release.days import a_release, write
from archive.release.servers import new_bucket, options
from kaiseki.archive.care.verify import verify
from kaiseki.archive.release import schema
from kaiseki.archive.release.issues import (
    KnownIssue,
    add_issues,
    all_issues,
    issue_from,
    known_issues,
    read_issues,
)
from kaiseki.archive.release.store import QUALITY, ReleaseStore
from kaiseki.core.errors import InputError, StoreError

COLD = KnownIssue(
    id="cold-coast",
    text="Too cold along the coast.",
    severity="major",
    groups=("surface",),
    variables=("temperature_2m",),
    start="1989-01-01",
    end="1989-01-02",
    region=(130.0, 30.0, 140.0, 38.0),
)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three versions of one day, the last not published."""
    place = tmp_path_factory.mktemp("issues") / "release"
    with a_release(place) as store:
        for tag in ("v1", "v2", "v3"):
            write(store, 0, replace=True)
            store.publish(tag)
    return place


def test_an_issue_found_later_is_shown_with_versions_published_before(tmp_path: Path) -> None:
    place = tmp_path / "release"
    with a_release(place) as store:
        write(store, 0)
        store.publish("v1")
        before = store.snapshot("v1")
        assert "known_issues" not in kaiseki.open(place, "surface", version="v1").attrs
        add_issues(store, [COLD])
        assert store.snapshot("v1") == before
    shown = kaiseki.open(place, "surface", version="v1").attrs["known_issues"]
    assert shown.startswith("cold-coast (major): Too cold along the coast. [")
    for words in ("temperature_2m", "1989-01-01 to 1989-01-02", "longitude 130 to 140, latitude 30 to 38"):
        assert words in shown
    assert "known_issues" not in kaiseki.open(place, "model_levels", version="v1").attrs


@pytest.mark.parametrize(
    ("since", "fixed_in", "touched"),
    [
        (None, None, ["v1", "v2", "v3", QUALITY, None]),
        ("v2", None, ["v2", "v3", QUALITY, None]),
        (None, "v2", ["v1"]),
        ("v2", "v3", ["v2"]),
        (None, "v4", ["v1", "v2", "v3", QUALITY, None]),
    ],
)
def test_versions_from_since_to_fixed_in_are_touched(since: str, fixed_in: str, touched: list[str | None]) -> None:
    issue = KnownIssue(id="x", text="y", since=since, fixed_in=fixed_in)
    versions = ["v1", "v2", "v3"]
    assert [v for v in [*versions, QUALITY, None] if issue.touches("surface", v, versions)] == touched


def test_issues_are_kept_replaced_on_demand_and_listed(release: Path) -> None:
    with ReleaseStore.open(release, "a") as store:
        add_issues(store, [COLD, KnownIssue(id="b", text="second", since="v2")])
        with pytest.raises(InputError, match="'b' already"):
            add_issues(store, [KnownIssue(id="b", text="third")])
        assert [issue.text for issue in all_issues(store)][1] == "second"
        add_issues(store, [KnownIssue(id="b", text="third", since="v2", fixed_in="v3")], replace=True)
        with pytest.raises(InputError, match="the versions are v1, v2, v3"):
            add_issues(store, [KnownIssue(id="c", text="d", since="v9")])
    store = ReleaseStore.open(release)
    first, second = all_issues(store)
    assert first.noted is not None
    assert first.region == COLD.region
    assert second.text == "third"
    assert [issue.id for issue in known_issues(store, version="v1")] == ["cold-coast"]
    assert [issue.id for issue in known_issues(store, "model_levels", version="v2")] == ["b"]
    with pytest.raises(StoreError, match="not open for writing"):
        add_issues(store, [COLD])


def test_they_work_in_s3_too(s3: str) -> None:
    place, more = new_bucket(s3), options(s3)
    with a_release(place, storage_options=more) as store:
        write(store, 0)
        store.publish("v1")
        add_issues(store, [COLD])
    opened = kaiseki.open(place, "surface", version="v1", storage_options=more)
    assert "cold-coast" in opened.attrs["known_issues"]
    found = verify(place, storage_options=more)
    assert found.sound, found.as_text()
    assert found.values > 0


def test_a_branch_without_its_first_commit_is_no_hindrance(tmp_path: Path) -> None:
    place = tmp_path / "release"
    with a_release(place) as store:
        write(store, 0)
        *_, empty = store.repository.ancestry(branch=QUALITY)
        store.repository.create_branch(schema.ISSUES, empty.id)
        assert all_issues(store) == []
        assert "known_issues" not in kaiseki.open(place, "surface", version=QUALITY).attrs
        add_issues(store, [COLD])
        assert [issue.id for issue in all_issues(store)] == ["cold-coast"]


def test_damaged_ones_are_said_and_hinder_nobody(tmp_path: Path) -> None:
    import zarr

    place = tmp_path / "release"
    with a_release(place) as store:
        write(store, 0)
        store.publish("v1")
        add_issues(store, [COLD])
        session = store.repository.writable_session(schema.ISSUES)
        zarr.open_group(session.store, mode="r+").attrs["known_issues"] = [{"id": "x"}]
        session.commit("damage")
        with pytest.raises(StoreError, match="damaged: A known issue has no text"):
            all_issues(store)
    opened = kaiseki.open(place, "surface")
    assert "damaged" in opened.attrs["known_issues"]
    assert opened["temperature_2m"].isel(time=0).notnull().all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "a b"}, "needs an id"),
        ({"text": "  "}, "no text"),
        ({"severity": "bad"}, "minor, major, critical, not 'bad'"),
        ({"groups": ["surfaces"]}, "no groups 'surfaces'"),
        ({"groups": "surface"}, "list of names"),
        ({"variables": ["t2m"]}, "no variables 't2m'"),
        ({"start": "1.1.1989"}, "start is a date"),
        ({"start": "1989-02-30"}, "start is a date"),
        ({"start": "1989-02-02", "end": "1989-02-01"}, "before it starts"),
        ({"region": [130.0, 40.0, 140.0, 30.0]}, "west, south, east, north"),
        ({"region": [1.0, 2.0]}, "west, south, east, north"),
        ({"region": [float("nan"), 0.0, 1.0, 2.0]}, "west, south, east, north"),
        ({"since": 1}, "since is text"),
        ({"fixed": "v2"}, "unknown key 'fixed'"),
    ],
)
def test_malformed_issues_are_refused_in_one_sentence(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        issue_from({"id": "x", "text": "y"} | change, "Issue 1 of known_issues.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[issue]]\nid =", "no TOML"),
        ("[issue]\nid = 'x'", "must hold tables"),
        ("", "must hold tables"),
        ("[[issue]]\nid = 'x'", "Issue 1 .* no text"),
        ("[[issue]]\nid = 'x'\ntext = 'y'\n[[issue]]\nid = 'x'\ntext = 'z'", "two issues of the id 'x'"),
        ("[[issues]]\nid = 'x'\ntext = 'y'", "must hold tables"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "known_issues.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=words):
        read_issues(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_issues(tmp_path / "absent.toml")


def test_a_file_gives_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "known_issues.toml"
    file.write_text(
        '[[issue]]\nid = "x"\ntext = "y"\nstart = 1989-01-01\nregion = [130, 30, 140, 40]\ngroups = ["surface"]\n'
    )
    (issue,) = read_issues(file)
    assert issue == KnownIssue(
        id="x", text="y", start="1989-01-01", region=(130.0, 30.0, 140.0, 40.0), groups=("surface",)
    )
    assert issue_from(issue.as_mapping(), "It") == issue
