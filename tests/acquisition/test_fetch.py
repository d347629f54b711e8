"""Files over HTTP: the right bytes, or one clear sentence.

What can go wrong: the process is killed; a byte changes on the way; the service is busy, slow, hangs up or stalls; a
token expires, or a sign-in page comes instead of data; the file changes at the service, or is not there; the disk is
full; two fetches fill one folder; a file was there before, or was fetched for something else.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from acquisition import killed, making
from acquisition.servers import Behaviour, Service
from kaiseki.acquisition.descriptor import source
from kaiseki.acquisition.fetch import Manner, Outcome, fetch
from kaiseki.acquisition.ledger import records
from kaiseki.acquisition.plan import Plan, make_plan
from kaiseki.acquisition.retry import Patience
from kaiseki.core.errors import InputError, KaisekiError, ResourceError, StoreError
from kaiseki.core.lock import WriterLock

PATHS = ["/2024010100.grib2", "/2024010106.grib2", "/2024010112.grib2"]
QUICK = 64 << 10


def hurried(**other: float) -> Patience:
    return Patience(**({"first": 0.01, "most": 0.02, "timeout": 1.0} | other))  # type: ignore[arg-type]


@pytest.fixture
def service():
    with Service({path: making.grib(20, 15_000, k * 100) for k, path in enumerate(PATHS)}) as running:
        yield running


@pytest.fixture
def plan(service: Service, tmp_path: Path) -> Plan:
    return planned(service, tmp_path)


def planned(service: Service, folder: Path, further: str = "") -> Plan:
    path = making.descriptor(folder, f"{service.address}/{{time:%Y%m%d%H}}.grib2", further=further)
    return make_plan(making.experiment(), (source(path),))


def load(plan: Plan, data: Path, **patience: float) -> Outcome:
    return fetch(plan, data, Manner(jobs=2, piece=QUICK, patience=hurried(**patience)))


def right(service: Service, data: Path) -> bool:
    folder = data / "driving" / "made"
    left = {one.name for one in folder.iterdir()} - {".fetch.lock", "fetched.jsonl"}
    return left == {path[1:] for path in PATHS} and all(
        (folder / path[1:]).read_bytes() == service.files[path] for path in PATHS
    )


def test_files_come_once_and_are_recorded(service: Service, plan: Plan, tmp_path: Path) -> None:
    data = tmp_path / "data"
    outcome = load(plan, data)
    assert right(service, data)
    assert outcome.count("loaded") == 3
    assert outcome.loaded == sum(map(len, service.files.values()))
    record = records(data / "driving" / "made")[PATHS[0][1:]]
    assert record["licence"] == "none"
    assert record["checked"] == "length, grib structure"
    before = service.asked.copy()
    assert load(plan, data).count("there") == 3
    assert service.asked == before, "nothing is asked for again"


def test_ten_kills_lose_nothing_but_the_pieces_in_flight(service: Service, tmp_path: Path) -> None:
    for k, path in enumerate(PATHS):
        service.files[path] = making.grib(40, 15_000, k * 100)
        service.behave(path, pause=0.002)
    total = sum(map(len, service.files.values()))
    descriptor = making.descriptor(tmp_path, f"{service.address}/{{time:%Y%m%d%H}}.grib2")
    data = tmp_path / "data"
    # Together less than half of all bytes, so that no fetch comes to its end.
    moments = [15_000 * k for k in range(1, 11)]
    command = [sys.executable, killed.__file__, descriptor, str(data), service.address, *map(str, moments)]
    environment = {
        "PYTHONPATH": ":".join(path for path in sys.path if path),
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
    }
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert sum(one["killed"] for one in found) == 10, "each fetch was killed before its end"
    folder = data / "driving" / "made"
    for name in found[-1]["whole"]:
        if name.endswith(".grib2"):
            assert (folder / name).read_bytes() == service.files[f"/{name}"], "what has its name is whole"
    load(planned(service, tmp_path), data)
    assert right(service, data)
    # Each kill loses at most the two pieces that were under way, and what lay in buffers.
    assert service.sent < total + 10 * 2 * (QUICK + (128 << 10))


def test_a_wrong_byte_is_found_where_the_service_gives_a_digest(service: Service, plan: Plan, tmp_path: Path) -> None:
    for path in PATHS:
        service.behave(path, digest=True)
    service.behaviours[PATHS[1]].corrupt = 1
    outcome = load(plan, tmp_path / "data")
    assert right(service, tmp_path / "data")
    assert {one["checked"] for one in outcome.files} == {"length, md5, grib structure"}


def test_a_file_that_is_always_wrong_is_refused_and_not_kept(service: Service, plan: Plan, tmp_path: Path) -> None:
    service.behave(PATHS[1], digest=True, corrupt=1000)
    with pytest.raises(InputError, match=r"2024010106.grib2 was loaded twice and is damaged both times: its md5 is"):
        load(plan, tmp_path / "data")
    assert not (tmp_path / "data/driving/made" / PATHS[1][1:]).exists()
    service.behaviours.clear()
    load(plan, tmp_path / "data")
    assert right(service, tmp_path / "data")


def test_a_partial_file_that_changed_on_the_disk_is_mended(service: Service, plan: Plan, tmp_path: Path) -> None:
    service.behave(PATHS[2], good=3)
    with pytest.raises(InputError, match=r"failed 3 times \(HTTP 503\)"):
        load(plan, tmp_path / "data", tries=3)
    part = tmp_path / "data/driving/made" / f".{PATHS[2][1:]}.part"
    spoilt = bytearray(part.read_bytes())
    spoilt[1000] ^= 1
    part.write_bytes(spoilt)
    service.behaviours.clear()
    service.asked.clear()
    load(plan, tmp_path / "data")
    assert right(service, tmp_path / "data")
    assert service.asked[PATHS[2]] == 3, "the spoilt piece, and the two that had not come"


def test_busy_cut_and_stalled_answers_are_tried_again(service: Service, plan: Plan, tmp_path: Path) -> None:
    service.behave(PATHS[0], busy=3)
    service.behave(PATHS[1], cut=4)
    service.behave(PATHS[2], stall=1)
    load(plan, tmp_path / "data")
    assert right(service, tmp_path / "data")


def test_a_service_without_ranges_is_read_from_the_beginning(service: Service, plan: Plan, tmp_path: Path) -> None:
    for path in PATHS:
        service.behave(path, ranges=False, cut=1)
    load(plan, tmp_path / "data")
    assert right(service, tmp_path / "data")


def test_a_service_that_stays_busy_is_given_up_in_one_sentence(service: Service, plan: Plan, tmp_path: Path) -> None:
    service.behave(PATHS[0], busy=1000, retry_after="")
    with pytest.raises(InputError, match=r"failed 3 times \(HTTP 503\); what was loaded is kept"):
        load(plan, tmp_path / "data", tries=3)


def test_a_long_wait_that_the_service_asks_for_is_told(service: Service, plan: Plan, tmp_path: Path) -> None:
    service.behave(PATHS[0], busy=1000, retry_after="86400")
    with pytest.raises(InputError, match=r"asks to come back in 86400 s"):
        load(plan, tmp_path / "data")


def test_an_absent_file_is_named(service: Service, plan: Plan, tmp_path: Path) -> None:
    del service.files[PATHS[1]]
    with pytest.raises(InputError, match=r"/2024010106.grib2 is not there \(HTTP 404\)"):
        load(plan, tmp_path / "data")


def test_a_token_that_expires_under_way_stops_the_fetch_and_keeps_what_came(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEST_TOKEN", "first-secret-token")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for path in PATHS:
        service.behave(path, token="first-secret-token", uses=3)
    plan = planned(service, tmp_path, making.ACCOUNT)
    caplog.set_level("DEBUG")
    with pytest.raises(InputError) as caught:
        load(plan, tmp_path / "data")
    assert "does not take the credentials of the Test Service (HTTP 401)" in str(caught.value)
    assert "https://example.org/renew" in str(caught.value)
    assert "secret" not in str(caught.value) + caplog.text
    parts = list((tmp_path / "data/driving/made").glob(".*.part"))
    assert parts, "what was loaded is kept"
    sent = service.sent
    for path in PATHS:
        service.behave(path, token="second-secret-token")
    monkeypatch.setenv("TEST_TOKEN", "second-secret-token")
    load(planned(service, tmp_path, making.ACCOUNT), tmp_path / "data")
    assert right(service, tmp_path / "data")
    assert service.sent - sent < sum(map(len, service.files.values()))
    for one in (tmp_path / "data").rglob("*"):
        assert one.is_dir() or b"secret" not in one.read_bytes(), "no credential is written"


def test_a_sign_in_page_is_no_data(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", "an-old-secret")
    service.behave(PATHS[0], token="another", page=True)
    with pytest.raises(InputError, match="does not take the credentials of the Test Service"):
        load(planned(service, tmp_path, making.ACCOUNT), tmp_path / "data")


def test_the_netrc_is_used(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_TOKEN", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password pass-from-netrc\n")
    (tmp_path / "netrc").chmod(0o600)
    for path in PATHS:
        service.behave(path, token="pass-from-netrc")
    load(planned(service, tmp_path, making.ACCOUNT), tmp_path / "data")
    assert right(service, tmp_path / "data")


def test_absent_credentials_are_told_before_anything_is_asked(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_TOKEN", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"there are no credentials in ~/.netrc or TEST_TOKEN; get them at"):
        load(planned(service, tmp_path, making.ACCOUNT), tmp_path / "data")
    assert not service.asked


def test_too_little_space_is_told_before_anything_is_loaded(
    service: Service, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaiseki.acquisition.fetch.SPARE", 1 << 60)
    with pytest.raises(ResourceError, match=r"free, but .* have to be loaded .*nothing was loaded"):
        load(plan, tmp_path / "data")
    assert not service.asked


FULL = """
import resource, sys
from pathlib import Path
from acquisition import making
from acquisition.test_fetch import hurried
from kaiseki.acquisition.descriptor import source
from kaiseki.acquisition.fetch import Manner, fetch
from kaiseki.acquisition.plan import make_plan
from kaiseki.core.errors import KaisekiError
plan = make_plan(making.experiment(), (source(sys.argv[1]),))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    fetch(plan, Path(sys.argv[2]), Manner(jobs=2, piece=65536, patience=hurried()))
except KaisekiError as error:
    print(error.exit_code, error)
"""


def test_a_disk_that_fills_up_under_way_stops_the_fetch_and_keeps_what_came(service: Service, tmp_path: Path) -> None:
    descriptor = making.descriptor(tmp_path, f"{service.address}/{{time:%Y%m%d%H}}.grib2")
    environment = {
        "PYTHONPATH": ":".join(path for path in sys.path if path),
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
    }
    command = [sys.executable, "-c", FULL, descriptor, str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.stdout.startswith("6 A file of "), done.stdout + done.stderr
    assert "would pass the file size limit" in done.stdout
    load(planned(service, tmp_path), tmp_path / "data")
    assert right(service, tmp_path / "data")


def test_two_fetches_do_not_fill_one_folder(service: Service, plan: Plan, tmp_path: Path) -> None:
    folder = tmp_path / "data/driving/made"
    folder.mkdir(parents=True)
    with (
        WriterLock(folder / ".fetch.lock", "The folder"),
        pytest.raises(StoreError, match="is being written by process"),
    ):
        load(plan, tmp_path / "data")
    load(plan, tmp_path / "data")
    assert right(service, tmp_path / "data")


def test_files_of_others_are_neither_replaced_nor_trusted(service: Service, plan: Plan, tmp_path: Path) -> None:
    mine = tmp_path / "data/driving/made" / PATHS[0][1:]
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(InputError, match="is there and was not fetched by this command"):
        load(plan, tmp_path / "data")
    assert mine.read_bytes() == b"mine"
    mine.unlink()
    load(plan, tmp_path / "data")
    mine.write_bytes(b"cut")
    with pytest.raises(InputError, match="has 3 bytes, but 300000 were fetched"):
        load(plan, tmp_path / "data")


def test_a_folder_with_the_name_of_a_file_is_refused(service: Service, plan: Plan, tmp_path: Path) -> None:
    load(plan, tmp_path / "data")
    mine = tmp_path / "data/driving/made" / PATHS[0][1:]
    mine.unlink()
    mine.mkdir()
    with pytest.raises(InputError, match=r"2024010100.grib2 is a folder, but a file of that name is to be fetched"):
        load(plan, tmp_path / "data")
    mine.rmdir()
    (mine.parent / "fetched.jsonl").unlink()
    (mine.parent / "fetched.jsonl").mkdir()
    with pytest.raises(StoreError, match=r"fetched.jsonl cannot be read \(Is a directory\)"):
        load(plan, tmp_path / "data")


def test_a_file_that_changes_under_way_is_loaded_anew(service: Service, plan: Plan, tmp_path: Path) -> None:
    service.behave(PATHS[0], newer=making.grib(20, 15_000, 7777))
    load(plan, tmp_path / "data")
    assert right(service, tmp_path / "data")


def test_what_is_no_grib_is_refused(service: Service, plan: Plan, tmp_path: Path) -> None:
    service.files[PATHS[0]] = service.files[PATHS[0]][:-100]
    with pytest.raises(KaisekiError, match=r"damaged both times: GRIB message 20 at byte \d+ is cut short"):
        load(plan, tmp_path / "data")


@pytest.mark.parametrize("etag", [None, 'W/"always"'])
@pytest.mark.parametrize("modified", ["Mon, 01 Jan 2024 00:00:00 GMT", None])
@pytest.mark.parametrize("ranges", [True, False])
def test_no_file_is_put_together_of_two_of_equal_length(
    service: Service, plan: Plan, tmp_path: Path, etag: str | None, modified: str | None, ranges: bool
) -> None:
    for path in PATHS:
        service.behave(path, etag=etag, modified=modified, ranges=ranges, good=3, longest=100_000)
    with pytest.raises(InputError, match="failed 2 times"):
        load(plan, tmp_path / "data", tries=2)
    assert list((tmp_path / "data/driving/made").glob(".*.part"))
    later = modified and "Tue, 02 Jan 2024 00:00:00 GMT"
    for k, path in enumerate(PATHS):
        # Of the same length, and with messages at the same places: no check of the structure would find a mixture.
        service.files[path] = making.grib(20, 15_000, 5000 + k * 100)
        service.behave(path, etag=etag, modified=later, ranges=ranges)
    load(plan, tmp_path / "data")
    assert right(service, tmp_path / "data")


@pytest.mark.parametrize("newer", ["Tue, 02 Jan 2024 00:00:00 GMT", None])
def test_a_file_without_a_tag_that_changes_under_way_is_loaded_anew(
    service: Service, plan: Plan, tmp_path: Path, newer: str | None
) -> None:
    for k, path in enumerate(PATHS):
        content = making.grib(20, 15_000, 9000 + k * 100)
        service.behave(path, etag=None, modified=newer and "Mon, 01 Jan 2024 00:00:00 GMT", newer=content, later=newer)
    load(plan, tmp_path / "data")
    for path in PATHS:
        found = (tmp_path / "data/driving/made" / path[1:]).read_bytes()
        # Without any mark the file comes in one answer, which is of the content of its time.
        assert found == service.files[path] or (newer is None and service.asked[path] == 1)


def test_pieces_are_kept_where_the_time_of_change_is_all_there_is(service: Service, plan: Plan, tmp_path: Path) -> None:
    for path in PATHS:
        service.behave(path, etag=None, good=3)
    with pytest.raises(InputError):
        load(plan, tmp_path / "data", tries=2)
    sent = service.sent
    service.behaviours = {path: Behaviour(etag=None) for path in PATHS}
    load(plan, tmp_path / "data")
    assert right(service, tmp_path / "data")
    assert service.sent - sent < sum(map(len, service.files.values()))


def test_ranges_that_are_claimed_and_not_given_are_done_without(service: Service, plan: Plan, tmp_path: Path) -> None:
    for path in PATHS:
        service.behave(path, claimed=True, cut=1)
    load(plan, tmp_path / "data")
    assert right(service, tmp_path / "data")


def test_messages_cannot_be_had_without_ranges(service: Service, tmp_path: Path) -> None:
    for path in PATHS:
        service.files[f"{path}.idx"] = b"1:0:d=2024010100:TMP:500 mb:anl:\n2:15000:d=2024010100:HGT:500 mb:anl:\n"
        service.behave(path, claimed=True)
    address = f"{service.address}/{{time:%Y%m%d%H}}.grib2"
    path = making.descriptor(tmp_path, address, part=f'index = "{address}.idx"\nmessages = ["TMP"]')
    plan = make_plan(making.experiment(), (source(path),))
    with pytest.raises(InputError, match="is given whole only, but single messages of it are wanted"):
        load(plan, tmp_path / "data")
    service.behaviours.clear()
    load(plan, tmp_path / "data")
    assert (tmp_path / "data/driving/made" / PATHS[0][1:]).read_bytes() == service.files[PATHS[0]][:15_000]


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_page_in_place_of_a_file_is_told(service: Service, plan: Plan, tmp_path: Path, kind: str) -> None:
    service.files[PATHS[1]] = b"\n<!DOCTYPE html><html><title>Maintenance</title></html>"
    service.behave(PATHS[1], kind=kind)
    with pytest.raises(InputError, match=r"2024010106.grib2: a web page came in place of the file"):
        load(plan, tmp_path / "data")
    assert not list((tmp_path / "data/driving/made").glob(f"*{PATHS[1][1:]}*"))
    # One that comes later, in answer to a range.
    service.files[PATHS[1]] = making.grib(20, 15_000, 100)
    service.behave(PATHS[1], later_page=b"<html>too many requests</html>")
    with pytest.raises(InputError, match=r"2024010106.grib2: a web page came in place of the file"):
        load(plan, tmp_path / "data")


def test_a_page_in_place_of_an_inventory_is_told(service: Service, tmp_path: Path) -> None:
    for path in PATHS:
        service.files[f"{path}.idx"] = b"<html>log in</html>"
    address = f"{service.address}/{{time:%Y%m%d%H}}.grib2"
    path = making.descriptor(tmp_path, address, part=f'index = "{address}.idx"\nmessages = ["TMP"]')
    with pytest.raises(InputError, match=r"grib2.idx: a web page came in place"):
        load(make_plan(making.experiment(), (source(path),)), tmp_path / "data")


def test_gzip_that_was_not_asked_for_is_told(service: Service, plan: Plan, tmp_path: Path) -> None:
    service.files[PATHS[1]] = gzip.compress(service.files[PATHS[1]])
    with pytest.raises(InputError, match="came packed with gzip, which was not asked for"):
        load(plan, tmp_path / "data")
