"""Commands of archives and `kaiseki.open` on a real server of the S3 protocol.

What can go wrong:
- keys of a profile or of the environment are not found, or only for reading;
- a server other than Amazon's is asked with the bucket in its name, or with encryption that it does not have;
- an option that does not exist, or one for a folder, is passed over;
- a key stands in a message.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import kaiseki
from archive.exchange.small_release import small_release
from archive.release.days import a_run
from archive.release.servers import new_bucket, options, s3_server
from kaiseki.archive.exchange.mirror_store import open_place
from kaiseki.archive.store.object_store import obstore_arguments, s3_arguments
from kaiseki.cli.main import main
from kaiseki.core.errors import InputError, StoreError

SECRET = "secret-of-the-test"
VARIABLES = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION",
    "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
)  # fmt: skip


@pytest.fixture(scope="module")
def s3() -> Any:
    with s3_server() as address:
        yield address


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of profiles, and an environment without anything of S3."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    credentials, config = tmp_path / "credentials", tmp_path / "config"
    credentials.write_text(f"[lab]\naws_access_key_id = testing\naws_secret_access_key = {SECRET}\n")
    config.write_text("[profile lab]\nregion = eu-west-1\n[profile role]\nrole_arn = arn:aws:iam::1:role/x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    return credentials


@pytest.fixture
def keys(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def run(capsys: pytest.CaptureFixture[str], *tokens: Any, code: int = 0) -> dict[str, Any]:
    found = main(["archive", *map(str, tokens), "--json"])
    out, error = capsys.readouterr()
    assert found == code, error
    assert SECRET not in out + error
    result: dict[str, Any] = json.loads(out)
    return result


def test_a_release_is_packed_published_and_read_with_keys_of_the_environment(
    s3: str, keys: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = new_bucket(s3)
    there = ("--endpoint", s3)
    a_run(tmp_path / "run", hours=12)
    assert run(capsys, "pack", tmp_path / "run", "--into", release, *there)["packed"]
    run(capsys, "publish", release, "v1", *there)
    assert run(capsys, "info", release, *there)["versions"][0]["version"] == "v1"
    assert run(capsys, "verify", release, "--quick", *there)["sound"]
    assert run(capsys, "compare", f"{release}@v1", f"{release}@quality", *there)["rows"]
    run(capsys, "issue", "add", release, "--id", "cold", "--text", "Too cold.", *there)
    assert len(run(capsys, "issue", "list", release, *there)["known_issues"]) == 1
    surface = kaiseki.open(release, "surface", storage_options={"endpoint_url": s3})
    assert np.isfinite(surface["temperature_2m"].values).all()


def test_profiles_give_keys_and_region(
    s3: str, profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = new_bucket(s3)
    small_release(release, storage_options=options(s3))
    there = ("--endpoint", s3, "--profile", "lab")
    chosen = ("--at", "135.8,35.5", "--variables", "temperature_2m")
    run(capsys, "select", release, *chosen, "--out", tmp_path / "a.csv", *there)
    opened = kaiseki.open(release, "surface", storage_options={"endpoint_url": s3, "profile": "lab"})
    wanted = opened.kaiseki.points(135.8, 35.5)["temperature_2m"].values
    assert np.array_equal(pd.read_csv(tmp_path / "a.csv")["temperature_2m [K]"].astype("float32"), wanted)
    mirror = f"{release}-mirror"
    done = run(capsys, "export", release, "--to", mirror, "--form", "zarr", "--end", "1989-01-01", *there)
    assert done["times"] == 24
    assert run(capsys, "export", release, "--to", mirror, "--form", "zarr", *there)["kept"] == 24
    found = xr.open_zarr(open_place(mirror, obstore_arguments(s3_arguments(options(s3)))))
    assert found.sizes["time"] == 72
    # The environment names both.
    monkeypatch.setenv("AWS_PROFILE", "lab")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    assert kaiseki.open(release, "surface").sizes["time"] == 72
    run(capsys, "publish", release, "v2")
    arguments = s3_arguments({})
    assert (arguments["region"], arguments["force_path_style"], arguments["allow_http"]) == ("eu-west-1", True, True)
    assert SECRET not in str(resolve_words(release))


def resolve_words(release: str) -> str:
    from kaiseki.archive.store.storage import resolve

    return repr(resolve(release))


def test_public_buckets_need_no_keys(
    s3: str, profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = new_bucket(s3)
    small_release(release, storage_options=options(s3))
    chosen = ("--at", "135.8,35.5", "--out", tmp_path / "a.csv", "--endpoint", s3, "--anonymous")
    assert "may be read without any (anonymous)" in run(capsys, "select", release, *chosen, code=4)["message"]
    bucket = release.split("/")[2]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()
    headers = {"Content-Type": "application/json"}
    urlopen(Request(f"{s3}/{bucket}?policy", data=policy, method="PUT", headers=headers), timeout=60).close()
    run(capsys, "select", release, *chosen)
    assert kaiseki.open(release, storage_options={"endpoint_url": s3, "anonymous": True}).sizes["time"] == 72


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"endpoint": "https://example.org"}, "did you mean 'endpoint_url'"),
        ({"endpoint_url": "example.org:9000"}, "is no address of an S3 server"),
        ({"endpoint_url": f"https://me:{SECRET}@example.org"}, "holds a name or password"),
        ({"profile": "absent"}, "it is in neither of"),
        ({"profile": "role"}, "no keys of its own"),
        ({"profile": "lab", "anonymous": True}, "exclude each other"),
    ],
)
def test_wrong_options_are_refused_without_a_secret(profile: Path, given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as refusal:
        kaiseki.open("s3://bucket/release", storage_options=given)
    assert SECRET not in str(refusal.value)


def test_damaged_profiles_are_told_without_their_lines(profile: Path) -> None:
    profile.write_text(f"aws_secret_access_key {SECRET}\n")
    with pytest.raises(InputError, match="cannot be read as a file of profiles") as refusal:
        s3_arguments({"profile": "lab"})
    assert SECRET not in str(refusal.value)


def test_options_for_folders_are_refused(profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (("info", tmp_path), ("verify", tmp_path), ("gc", tmp_path), ("publish", tmp_path, "v1")):
        found = run(capsys, *command, "--anonymous", code=2)
        assert "--anonymous is for places s3://" in found["message"]
    with pytest.raises(StoreError, match="Storage options are for object stores"):
        kaiseki.open(tmp_path, storage_options={"anonymous": True})
