"""Buckets with the layouts of NOAA's and Copernicus's, on a real S3 server (moto) and, for Google's, on one of ours.

What can go wrong: only a part of a GRIB file is wanted, by its inventory; a field has another name there; tiles of sea
do not exist; an object is absent; a byte changes on the way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from acquisition import making
from acquisition.servers import Service
from acquisition.test_fetch import hurried
from kaiseki.acquisition import inventory
from kaiseki.acquisition.descriptor import source
from kaiseki.acquisition.fetch import Manner, fetch
from kaiseki.acquisition.plan import make_plan
from kaiseki.acquisition.probe import probe
from kaiseki.acquisition.retry import Passing
from kaiseki.acquisition.service import Services
from kaiseki.core.errors import InputError

FIELDS = [
    "PRMSL:mean sea level:anl",
    "HGT:500 mb:anl",
    "TMP:500 mb:anl",
    "CLWMR:500 mb:anl",
    "UGRD:500 mb:anl",
    "VGRD:500 mb:anl",
    "RH:0.4 mb:anl",
    "PRES:surface:anl",
    "TSOIL:0-0.1 m below ground:anl",
    "TMP:2 m above ground:anl",
]
WANTED = (1, 2, 4, 5, 6, 7, 8)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def put(address: str, path: str, content: bytes = b"") -> None:
    # Open to all, as the buckets of open data are.
    headers = {"Content-Type": "application/octet-stream", "x-amz-acl": "public-read"}
    urlopen(Request(f"{address}/{path}", data=content, headers=headers, method="PUT"), timeout=60).close()


@pytest.fixture(scope="module")
def noaa(s3: str) -> str:
    """GDAS of 2024-01-01 as in noaa-gfs-bdp-pds."""
    put(s3, "noaa-gfs-bdp-pds")
    for hour in (0, 6, 12):
        for step in (0, 3):
            key = f"noaa-gfs-bdp-pds/gdas.20240101/{hour:02d}/atmos/gdas.t{hour:02d}z.pgrb2.0p25.f{step:03d}"
            parts = messages(hour + step)
            lines, at = [], 0
            for number, (field, part) in enumerate(zip(FIELDS, parts, strict=True), 1):
                lines.append(f"{number}:{at}:d=20240101{hour:02d}:{field}:\n")
                at += len(part)
            put(s3, key, b"".join(parts))
            put(s3, f"{key}.idx", "".join(lines).encode())
        bufr = b"\0\0\0\x20BUFR" + bytes(2000 + hour) + b"7777" + b"\0" * 20
        put(s3, f"noaa-gfs-bdp-pds/gdas.20240101/{hour:02d}/atmos/gdas.t{hour:02d}z.prepbufr.nr", bufr)
    return s3


def messages(seed: int) -> list[bytes]:
    return [making.message(2000 + 10 * k, 100 * seed + k) for k in range(len(FIELDS))]


def test_wanted_fields_of_gdas_and_its_observations(noaa: str, tmp_path: Path) -> None:
    sources = source("gdas"), source("gdas-prepbufr")
    plan = make_plan(making.experiment(), sources)
    outcome = fetch(plan, tmp_path, Manner(mirrors=(("s3://noaa-gfs-bdp-pds", noaa),), patience=hurried(timeout=20)))
    assert outcome.count("loaded") == 7
    for hour, step in ((0, 0), (0, 3), (6, 0), (6, 3)):
        content = (tmp_path / f"driving/gdas/gdas_20240101{hour:02d}_f{step:03d}.grib2").read_bytes()
        parts = messages(hour + step)
        assert content == b"".join(parts[k] for k in WANTED)
    checks = {one["source"]: one["checked"] for one in outcome.files}
    assert checks == {"gdas": "length, grib structure", "gdas-prepbufr": "length, md5, prepbufr structure"}


def test_the_probe_tells_what_is_and_what_is_not_as_described(noaa: str) -> None:
    mirrors = (("s3://noaa-gfs-bdp-pds", noaa),)
    findings = {one.part: one for one in probe([source("gdas"), source("gdas-prepbufr")], mirrors, hurried(timeout=20))}
    # The files here are far smaller than the real ones.
    for part, step in (("analysis", "f000"), ("forecast", "f003")):
        assert findings[part].state == "differs"
        assert f"{step} has " in findings[part].words
        assert "bytes, the descriptor says about 150000000" in findings[part].words
    gone = probe([source("nnja-prepbufr")], (("s3://noaa-reanalyses-pds", noaa),), hurried(timeout=20))
    assert gone[0].state == "differs"
    assert "is not there" in gone[0].words
    nobody = probe([source("gdas-prepbufr")], (("s3://noaa-gfs-bdp-pds", "http://127.0.0.1:9"),), hurried(tries=2))
    assert nobody[0].state == "not reached"


def test_tiles_of_land_alone_are_fetched(s3: str, tmp_path: Path) -> None:
    plan = make_plan(making.experiment(), (source("copernicus-dem"),))
    land = [item for item in plan.items if item.tile.endswith(("N35_00_E138_00_DEM", "N36_00_E138_00_DEM"))]
    put(s3, "copernicus-dem-90m")
    put(s3, "copernicus-dem-90m/tileList.txt", "\r\n".join(item.tile for item in land).encode())
    for item in land:
        put(s3, item.address.removeprefix("s3://"), b"II*\0" + item.tile.encode())
    outcome = fetch(plan, tmp_path, Manner(mirrors=(("s3://copernicus-dem-90m", s3),), patience=hurried(timeout=20)))
    assert (outcome.count("loaded"), outcome.count("no such tile")) == (2, len(plan.items) - 2)
    put(s3, "copernicus-dem-90m/tileList.txt", b"something else")
    with pytest.raises(InputError, match=r"names none of the \d+ squares"):
        fetch(
            plan, tmp_path / "other", Manner(mirrors=(("s3://copernicus-dem-90m", s3),), patience=hurried(timeout=20))
        )


def test_an_object_of_google_is_read_in_ranges_and_checked() -> None:
    content = making.grib(5)
    with Service({"/bucket/a/key.grib2": content}) as service:
        services = Services(hurried(timeout=20), (("gs://bucket", service.address),))
        remote = services.remote("gs://bucket/a/key.grib2")
        assert remote.describe().size == len(content)
        with remote.read(100, 900, None) as body:
            assert b"".join(body) == content[100:900]
        service.behave("/bucket/a/key.grib2", busy=1)
        with pytest.raises(Passing), remote.read(0, None, None) as body:
            b"".join(body)
        with pytest.raises(InputError, match="is not there"):
            services.remote("gs://bucket/absent").describe()


def test_a_field_that_the_inventory_does_not_name_is_refused() -> None:
    text = "1:0:d=2024010100:HGT:500 mb:anl:\n2:100:d=2024010100:TMP:500 mb:anl:\n"
    assert inventory.ranges(text, ("^HGT", "^TMP"), 150, "x.idx") == ((0, 150),)
    assert inventory.ranges(text, ("^TMP",), 150, "x.idx") == ((100, 150),)
    with pytest.raises(InputError, match="names no message like '\\^UGRD'"):
        inventory.ranges(text, ("^UGRD",), 150, "x.idx")
    with pytest.raises(InputError, match="does not fit its GRIB file of 90 bytes"):
        inventory.ranges(text, ("^TMP",), 90, "x.idx")
    with pytest.raises(InputError, match="line 1: is no line of a GRIB inventory"):
        inventory.ranges("<html>", ("^TMP",), 90, "x.idx")


def test_fields_of_one_message_are_loaded_once() -> None:
    text = "1.1:0:d=2024010100:UGRD:500 mb:anl:\n1.2:0:d=2024010100:VGRD:500 mb:anl:\n2:80:d=2024010100:TMP:5 mb:anl:\n"
    assert inventory.ranges(text, ("^UGRD", "^VGRD"), 100, "x.idx") == ((0, 80),)


def test_the_md5_of_an_entity_tag_is_taken_only_where_it_is_one() -> None:
    from kaiseki.acquisition.remote import md5_of_etag

    digest = hashlib.md5(b"x").hexdigest()
    assert md5_of_etag(f'"{digest}"') == (("md5", digest),)
    assert md5_of_etag(f'"{digest}-3"') == ()
    assert md5_of_etag(None) == ()
