"""Requests to a Climate Data Store on this machine, by the service's own client.

What can go wrong: the request asks for other times or another box; the key is wrong and stands in the error; the
licence is not accepted; the job fails; the fetch is ended while it waits, and would stand at the end of the queue
again; the result is no longer kept, is damaged, or is an archive instead of GRIB.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from acquisition import making
from acquisition.servers import ClimateDataStore
from acquisition.test_fetch import hurried
from kaiseki.acquisition.descriptor import source
from kaiseki.acquisition.fetch import Manner, Outcome, fetch
from kaiseki.acquisition.plan import make_plan
from kaiseki.acquisition.probe import probe
from kaiseki.acquisition.retry import Stopped
from kaiseki.core.errors import InputError

KEY = "0a1b2c3d-secret-key-of-cds"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ClimateDataStore]:
    with ClimateDataStore(KEY, making.grib(4)) as running:
        rc = tmp_path / "cdsapirc"
        rc.write_text(f"url: {running.address}\nkey: {KEY}\n")
        monkeypatch.setenv("CDSAPI_RC", str(rc))
        monkeypatch.delenv("CDSAPI_URL", raising=False)
        monkeypatch.delenv("CDSAPI_KEY", raising=False)
        yield running


def load(data: Path, hours: int = 30) -> Outcome:
    plan = make_plan(making.experiment(hours), (source("era5"),))
    return fetch(plan, data, Manner(jobs=2, patience=hurried(timeout=10, tries=2)))


def test_days_hours_and_box_of_an_experiment_are_asked_for(
    store: ClimateDataStore, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    outcome = load(tmp_path)
    names = [
        f"era5_{kind}_{days}.grib"
        for kind in ("pressure", "surface")
        for days in ("20240101_20240101", "20240102_20240102")
    ]
    assert sorted(one.name for one in (tmp_path / "driving/era5").glob("*.grib")) == sorted(names)
    assert {one["checked"] for one in outcome.files} == {"length, md5, grib structure"}
    asked = [one for one in store.submitted if "pressure_level" in one]
    assert [
        (one["day"], one["time"][0], one["time"][-1], len(one["time"]))
        for one in sorted(asked, key=lambda one: one["day"])
    ] == [
        (["01"], "00:00", "21:00", 8),
        (["02"], "00:00", "06:00", 3),
    ]
    north, west, south, east = asked[0]["area"]
    assert (south, north) == (15.0, 52.25)
    assert -180 <= west < 100 < 160 < east <= 180
    assert len(asked[0]["pressure_level"]) == 37
    told = capfd.readouterr()
    assert KEY not in caplog.text + told.out + told.err
    for one in tmp_path.rglob("*"):
        assert one.is_dir() or one.name == "cdsapirc" or KEY.encode() not in one.read_bytes()


def test_a_wrong_key_is_told_without_the_key(store: ClimateDataStore, tmp_path: Path) -> None:
    store.key = "another-secret-key"
    with pytest.raises(InputError) as caught:
        load(tmp_path)
    assert "does not take the credentials of the Climate Data Store (HTTP 401)" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_licence_that_is_not_accepted_is_told(store: ClimateDataStore, tmp_path: Path) -> None:
    store.refuse = 403, "required licences not accepted"
    with pytest.raises(
        InputError, match=r"required licences not accepted.*accept the licence of the data set at https://cds"
    ):
        load(tmp_path)


def test_a_job_that_fails_is_told(store: ClimateDataStore, tmp_path: Path) -> None:
    store.fail = "no data for these dates"
    with pytest.raises(InputError, match=r"did not fulfil the request for driving/era5/.*no data for these dates"):
        load(tmp_path)


def test_a_fetch_that_was_ended_waits_for_the_same_job(store: ClimateDataStore, tmp_path: Path) -> None:
    plan = make_plan(making.experiment(), (source("era5"),))
    plan = replace(plan, items=plan.items[:1])
    store.polls = 10**9
    patience = hurried(timeout=10, tries=2)
    item = plan.items[0]
    note = tmp_path / item.path.parent / f".{item.path.name}.request.json"

    def stop_when_submitted() -> None:
        while not note.exists():
            patience.stop.wait(0.01)
        patience.stop.set()

    threading.Thread(target=stop_when_submitted).start()
    with pytest.raises(Stopped):
        fetch(plan, tmp_path, Manner(patience=patience))
    assert json.loads(note.read_text())["job"] == "job-1"
    store.jobs["job-1"] = 1
    fetch(plan, tmp_path, Manner(patience=hurried(timeout=10, tries=2)))
    assert len(store.submitted) == 1
    assert (tmp_path / item.path).read_bytes() == store.result
    assert not note.exists()


def test_a_result_that_is_no_longer_kept_is_asked_for_again(store: ClimateDataStore, tmp_path: Path) -> None:
    store.gone = {"job-1", "job-2"}
    load(tmp_path, hours=9)
    assert len(store.submitted) == 4


def test_a_result_of_another_format_is_refused(store: ClimateDataStore, tmp_path: Path) -> None:
    store.result = b"PK\x03\x04" + bytes(100)
    with pytest.raises(InputError, match="byte 0 is no begin of a GRIB message"):
        load(tmp_path, hours=9)


def test_the_probe_needs_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CDSAPI_RC", str(tmp_path / "none"))
    monkeypatch.delenv("CDSAPI_KEY", raising=False)
    assert {one.state for one in probe([source("era5")])} == {"no account"}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("url: {url}\nkey: 12345:0a1b2c3d-old-secret", "the key is one of the form UID:KEY"),
        ("url: {url}\nkey: '0a1b2c3d-old-secret'", "the key has quotes or blanks"),
        ("url: '{url}'\nkey: {key}", "the url is not that of the Climate Data Store"),
        ("url: cds.climate.copernicus.eu/api\nkey: {key}", "the url is not that of the Climate Data Store"),
        ("url: https://cds.climate.copernicus.eu/api/v2\nkey: {key}", "the url is not that of the Climate Data Store"),
        ("url: {url}\nkey: {key}\nverify: yes", "verify must be 0 or 1, not 'yes'"),
    ],
)
def test_a_configuration_that_cannot_be_right_is_told(
    store: ClimateDataStore, tmp_path: Path, lines: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cdsapirc").write_text(lines.format(url=store.address, key=KEY))
    with pytest.raises(InputError, match=words) as caught:
        load(tmp_path, hours=9)
    assert "secret" not in str(caught.value)
    assert "later" not in str(caught.value), "waiting does not help"
    assert {one.words for one in probe([source("era5")])} == {str(caught.value)}
    assert not store.submitted


@pytest.mark.parametrize("verify", [0, 1])
def test_a_configuration_in_the_form_of_the_client_is_taken(
    store: ClimateDataStore, tmp_path: Path, verify: int
) -> None:
    (tmp_path / "cdsapirc").write_text(f"# mine\nurl : {store.address}\n\nkey :{KEY}\nverify: {verify}\n")
    assert load(tmp_path, hours=9).count("loaded") == 2


def test_an_answer_without_its_links_is_told(store: ClimateDataStore, tmp_path: Path) -> None:
    store.unlinked = True
    with pytest.raises(InputError, match=r"did not fulfil the request for driving/era5/.*LinkError"):
        load(tmp_path, hours=9)
