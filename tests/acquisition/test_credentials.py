"""Credentials in messages and logs, and the structure of files.

What can go wrong: a password in an address, a signature in a query, a token in a header or in a library's log record; a
netrc file with a mistake that shows its content.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from acquisition import making
from kaiseki.acquisition import structure
from kaiseki.acquisition.credentials import Secrets, netrc_entries, quiet_logs
from kaiseki.acquisition.retry import asked_wait
from kaiseki.core.errors import InputError


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("GET https://me:pa55word@host/x", "GET https://***@host/x"),
        ("http://A=http://me:pa55word@host", "http://A=http://***@host"),
        ("ftp://me:pa55@word@host/x", "ftp://***@host/x"),
        ("ftp://me:pa55/word@host/x", "ftp://***@host/x"),
        ("me:pa55word@host", "***@host"),
        ("http://127.0.0.1:80/x is not there", "http://127.0.0.1:80/x is not there"),
        ("https://h/x?A=1&X-Amz-Signature=0a1b2c&B=2", "https://h/x?A=1&X-Amz-Signature=***&B=2"),
        ("https://h/x?token=abc", "https://h/x?token=***"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic ***"),
        ("the key is my-own-key!", "the key is ***"),
        ("HTTP 503 for https://h/x?day=3", "HTTP 503 for https://h/x?day=3"),
    ],
)
def test_credentials_are_hidden(text: str, hidden: str) -> None:
    assert Secrets(("my-own-key!",)).hidden(text) == hidden


def test_what_lies_in_the_usual_places_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine h login me password from-netrc\n")
    (tmp_path / "netrc").chmod(0o600)
    (tmp_path / "rc").write_text("url: https://cds\nkey: from-cdsapirc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("CDSAPI_RC", str(tmp_path / "rc"))
    monkeypatch.setenv("EARTHDATA_TOKEN", "from-environment")
    secrets = Secrets.found()
    assert secrets.hidden("from-netrc from-cdsapirc from-environment") == "*** *** ***"
    assert "from" not in repr(secrets)


def test_log_records_of_libraries_are_hidden(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with quiet_logs(Secrets(("my-own-key!",))):
        logging.getLogger("some.library").debug("CDSAPI %s", {"key": "my-own-key!"})
    logging.getLogger("some.library").debug("%s", "as before")
    assert "my-own-key!" not in caplog.text
    assert "CDSAPI {'key': '***'}" in caplog.text
    assert "as before" in caplog.text


def test_a_netrc_with_a_mistake_does_not_show_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine h login me passwort tell-nobody\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(InputError, match="cannot be read as a netrc file") as caught:
        netrc_entries()
    assert "tell-nobody" not in str(caught.value)


def test_waiting_times_that_services_ask_for() -> None:
    assert asked_wait("120") == 120.0
    assert asked_wait("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert asked_wait("soon") is None
    assert asked_wait(None) is None


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("grib", making.grib(3), None),
        ("grib", making.grib(3) + bytes(7), None),
        ("grib", making.grib(3)[:-1], "GRIB message 3 at byte 6000 is cut short"),
        ("grib", making.grib(1) + b"<html>", "byte 3000 is no begin"),
        ("grib", b"", "it is empty"),
        ("grib", b"GRIB" + (36).to_bytes(3, "big") + b"\1" + bytes(24) + b"7777", None),
        ("netcdf", b"CDF\1" + bytes(20), None),
        ("netcdf", b"<!DOCTYPE html>", "it is no NetCDF file"),
        (
            "netcdf",
            b"\x89HDF\r\n\x1a\n\2" + bytes(19) + (200).to_bytes(8, "little") + bytes(28),
            "it has 64 bytes of 200",
        ),
        ("prepbufr", b"\0\0\0\1BUFR" + bytes(50) + b"7777", None),
        ("prepbufr", b"\0\0\0\1BUFR" + bytes(9000), "it ends within a BUFR message"),
        ("prepbufr", b"\x1f\x8b\x08\0" + bytes(80), "cannot be unpacked"),
        ("tiff", b"II*\0", None),
        ("tiff", b"PK\3\4", "it is no TIFF"),
        ("json", b'{"type": 1}', None),
        ("json", b'{"type": ', "it is no JSON"),
    ],
)
def test_structure_of_files(tmp_path: Path, kind: str, content: bytes, words: str | None) -> None:
    (tmp_path / "file").write_bytes(content)
    found = structure.fault(tmp_path / "file", kind)  # type: ignore[arg-type]
    assert found is None if words is None else words in str(found)


def test_real_files_have_the_structure_that_is_expected(data: Path) -> None:
    samples = {
        "driving/gfs/gfs_20170322_00Z_analysis_2p5deg.grib2": "grib",
        "driving/era5/era5_20110117_14Z_30-40N_120-140E_ztq.grib": "grib",
        "driving/ecmwf_20240603/ecmwf_20240603_0604_6hourly_10deg.grib": "grib",
        "driving/merra2_eus_20200330/MERRA_pres_20200330.nc4": "netcdf",
        "static/oisst_v2_20040101_0p25.nc": "netcdf",
        "static/japan_dem_gtopo30_overview.tif": "tiff",
        "static/ne_50m_coastline.geojson": "json",
    }
    samples |= {str(one.relative_to(data)): "prepbufr" for one in (data / "observations/prepbufr_198901").glob("prep*")}
    samples |= {
        str(one.relative_to(data)): "prepbufr" for one in (data / "observations/prepbufr_20201101").glob("*.prepbufr")
    }
    for name, kind in samples.items():
        assert structure.fault(data / name, kind) is None, name  # type: ignore[arg-type]
