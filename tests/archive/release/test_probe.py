"""A store is taken for commits only if it keeps to conditional writes.

What can go wrong:
- a store, or a proxy before it, drops If-None-Match or If-Match: commits would be lost without an error;
- it takes several simultaneous writes of one new object;
- the scratch object is left behind, or the probe says a secret;
- every opening of a store pays for a probe.
"""

from __future__ import annotations

import sys

import pytest

from archive.release.proxy import CONDITIONS, proxied
from archive.release.servers import new_bucket, options
from kaiseki.archive.release.objects import Objects
from kaiseki.archive.release.probe import probe_conditional_writes
from kaiseki.archive.store.storage import resolve
from kaiseki.core.errors import InstallationError, StoreError


def left_behind(location: str, address: str) -> list[str]:
    objects = Objects(resolve(location, options(address)))
    return [stored.key for stored in objects.list("kaiseki-probe")]


def test_store_that_keeps_its_promises_is_accepted_through_a_proxy_that_passes_all(s3: str) -> None:
    location = new_bucket(s3)
    probe_conditional_writes(location, options(s3))
    with proxied(s3) as proxy:
        probe_conditional_writes(location, options(proxy.address))
        refusals = [status for _, _, status in proxy.answers if status == 412]
    assert len(refusals) >= 3 + 3, "each of the conditions was tried, and the proxy saw it"
    assert left_behind(location, s3) == []


@pytest.mark.parametrize(
    ("dropped", "reason"),
    [
        (CONDITIONS, r"\(If-None-Match: \* was ignored\)"),
        (("If-None-Match",), r"\(If-None-Match: \* was ignored\)"),
        (("If-Match",), r"version was another \(If-Match was ignored\)"),
    ],
)
def test_proxy_that_drops_conditions_is_refused(s3: str, dropped: tuple[str, ...], reason: str) -> None:
    location = new_bucket(s3)
    with proxied(s3, dropped=dropped) as proxy:
        for _ in range(2):
            with pytest.raises(StoreError, match=reason) as refusal:
                probe_conditional_writes(location, options(proxy.address))
    assert str(refusal.value).startswith(f"{location} cannot take commits safely: ")
    assert "secret" not in str(refusal.value)
    assert left_behind(location, s3) == []


def test_accepted_store_is_not_asked_again(s3: str) -> None:
    location = new_bucket(s3)
    with proxied(s3) as proxy:
        probe_conditional_writes(location, options(proxy.address))
        asked = len(proxy.answers)
        probe_conditional_writes(location, options(proxy.address))
        assert len(proxy.answers) == asked
        probe_conditional_writes(location, options(proxy.address), again=True)
        assert len(proxy.answers) > asked


def test_store_that_cannot_be_asked_is_one_sentence_without_secrets(s3: str) -> None:
    with pytest.raises(StoreError, match=r"^An object of s3://absent-bucket/x could not be written: NoSuchBucket") as e:
        probe_conditional_writes("s3://absent-bucket/x", options(s3))
    assert "secret" not in str(e.value)
    assert "\n" not in str(e.value)


def test_directory_is_no_place_for_a_probe(tmp_path: object) -> None:
    with pytest.raises(StoreError, match="is no address of S3"):
        probe_conditional_writes(str(tmp_path))


def test_missing_client_says_how_to_install_it(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(InstallationError, match=r"pip install 'kaiseki\[s3\]'"):
        probe_conditional_writes(new_bucket(s3), options(s3))
