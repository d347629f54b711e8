"""`kaiseki fetch` as it is typed: lists, dry runs, exit codes, JSON."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from acquisition import making
from acquisition.servers import Behaviour, Service
from driving import relaid
from kaiseki.acquisition.descriptor import known
from kaiseki.cli import main
from kaiseki.config import Experiment
from kaiseki.core.files import files_of
from kaiseki.driving import open_driving
from kaiseki.grid.build import domain_from_section


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "experiment.toml"
    making.experiment(driving=["driving/arco-era5/*"], observations=["observations/nnja/*"]).save(path)
    return str(path)


def test_the_sources_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch"]) == 0
    text = capsys.readouterr().out
    assert all(f"{name} " in text for name in known())
    assert main(["fetch", "--source", "era5", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["sources"]
    assert one["account"]["needed"] == "the Climate Data Store"


def test_a_dry_run_says_what_would_be_loaded(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", file, "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "driving/arco-era5/arco_era5_20240101_20240101.zarr" in text
    assert "3.32 GB to load" in text
    assert "licence: CC BY 4.0" in text
    assert main(["fetch", file, "--dry-run", "--json", "--source", "gdas"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert len(values["files"]) == 4
    assert values["area"]["north"] > 45


def test_a_fetch_from_a_mirror(tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    content = making.grib(2)
    descriptor = making.descriptor(tmp_path, "https://data.example.org/{time:%H}.grib2")
    with Service({f"/m/{hour:02d}.grib2": content for hour in (0, 6, 12)}) as service:
        mirror = f"https://data.example.org={service.address}/m"
        command = ["fetch", file, "--source", descriptor, "--data", str(tmp_path), "--mirror", mirror, "--json"]
        assert main(command) == 0
        values = json.loads(capsys.readouterr().out)
        assert values["loaded"] == 3 * len(content)
        service.files.pop("/m/06.grib2")
        (tmp_path / "driving/made/06.grib2").unlink()
        assert main(command) == 3
    assert "is not there (HTTP 404)" in json.loads(capsys.readouterr().out)["message"]


SECRETS = ("PassWordOfMine", "SignatureOfMine")


def test_no_password_and_no_signature_is_told_or_kept(
    tmp_path: Path, file: str, capfd: pytest.CaptureFixture[str]
) -> None:
    signed = "?day={time:%H}&X-Amz-Signature=SignatureOfMine"
    descriptor = making.descriptor(
        tmp_path, f"https://data.example.org/{{time:%H}}{signed}", part='file = "{time:%H}.grib2"'
    )
    data = tmp_path / "data"
    data.mkdir()
    told = ""
    with Service({f"/{hour:02d}": making.grib(20, 15_000, hour) for hour in (0, 6, 12)}) as service:
        host = service.address.removeprefix("http://")
        mirror = f"https://data.example.org=http://user:PassWordOfMine@{host}"
        command = ["fetch", file, "--source", descriptor, "--data", str(data), "--mirror", mirror, "--json"]
        assert main(["fetch", file, "--source", descriptor, "--dry-run"]) == 0
        assert main(["fetch", file, "--source", descriptor, "--dry-run", "--json"]) == 0
        service.behave("/06", page=True, token="PassWordOfAnother")
        assert main(command) == 3
        # A fetch that was killed leaves the ledgers of pieces.
        service.behave("/06", good=0)
        service.behave("/12", token="PassWordOfAnother")
        assert main(command) == 3
        told += "".join(_written(data))
        service.behaviours = {f"/{hour:02d}": Behaviour(token="PassWordOfMine") for hour in (0, 6, 12)}
        assert main(command) == 0
        assert main(command) == 0
    assert main([*command[:-3], "--mirror", "ftp://user:PassWordOfMine@host"]) == 2
    assert main([*command[:-3], "--mirror", "http://a=ftp://user:PassWordOfMine@host"]) == 2
    assert main([*command[:-3], "--mirror", "user:PassWordOfMine@host"]) == 2
    said = capfd.readouterr()
    told += said.out + said.err + "".join(_written(data))
    assert "X-Amz-Signature=***" in told
    for secret in (*SECRETS, base64.b64encode(b"user:PassWordOfMine").decode()):
        assert secret not in told


def _written(folder: Path) -> list[str]:
    return [one.read_text(errors="replace") for one in folder.rglob("*") if one.is_file()]


def test_a_ledger_of_pieces_holds_no_address(tmp_path: Path, file: str) -> None:
    with Service({"/00.grib2": making.grib(600, 15_000)}) as service:
        host = service.address.removeprefix("http://")
        address = f"http://user:PassWordOfMine@{host}/00.grib2?token=SignatureOfMine"
        descriptor = making.descriptor(tmp_path, address, part='file = "{time:%H}.grib2"')
        # One piece of 8 MiB comes, the next does not.
        service.behave("/00.grib2", token="PassWordOfMine", uses=4)
        command = ["fetch", file, "--source", descriptor, "--data", str(tmp_path), "--jobs", "1"]
        assert main(command) == 3
    kept = {one.name: one.read_text(errors="replace") for one in (tmp_path / "driving/made").iterdir()}
    assert any(name.endswith(".pieces.jsonl") for name in kept)
    for text in kept.values():
        assert "PassWordOfMine" not in text
        assert "SignatureOfMine" not in text


def test_a_data_folder_that_is_not_there_is_not_made(
    tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", file, "--data", str(tmp_path / "typo")]) == 2
    assert "There is no data folder" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


def test_a_source_without_a_time_to_probe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Service({"/00.grib2": making.grib(7, 15_000)}) as service:
        address = f"{service.address}/{{time:%H}}.grib2"
        assert main(["fetch", "--probe", "--source", making.descriptor(tmp_path, address)]) == 2
        assert "has no key probe, the time whose files are asked for" in capsys.readouterr().err
        timed = making.descriptor(tmp_path, address, further="probe = 2024-01-01T00:00:00Z")
        assert main(["fetch", "--probe", "--source", timed]) == 0
        assert "as described made/files: 105000 bytes, ranges" in capsys.readouterr().out
        service.behave("/00.grib2", claimed=True)
        assert main(["fetch", "--probe", "--source", timed]) == 0
        assert "as described made/files: 105000 bytes, no ranges" in capsys.readouterr().out
        service.files["/00.grib2"] = b"<html>" + bytes(90_000)
        assert main(["fetch", "--probe", "--source", timed]) == 3
        assert "a web page came in place of the file" in capsys.readouterr().out


def test_an_interrupt_keeps_what_came(tmp_path: Path, file: str) -> None:
    content = {f"/{hour:02d}.grib2": making.grib(40, 15_000, hour) for hour in (0, 6, 12)}
    folder = tmp_path / "driving/made"
    with Service(dict(content)) as service:
        descriptor = making.descriptor(tmp_path, f"{service.address}/{{time:%H}}.grib2")
        command = ["fetch", file, "--source", descriptor, "--data", str(tmp_path), "--jobs", "1"]
        service.behave("/06.grib2", pause=0.2)
        environment = {"PYTHONPATH": ":".join(path for path in sys.path if path), "PATH": "/usr/bin:/bin"}
        environment |= {"HOME": str(tmp_path)}
        # What a shell starts in the background ignores interrupts, and so would the command.
        set_up = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
        program = [sys.executable, "-c", f"{set_up}; runpy.run_module('kaiseki', run_name='__main__')", *command]
        with subprocess.Popen(program, env=environment, stderr=subprocess.PIPE, text=True) as process:
            while service.asked["/06.grib2"] == 0 and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=120)
        assert process.returncode == 130, said
        assert said.endswith("kaiseki: interrupted\n")
        assert "Traceback" not in said
        assert (folder / "00.grib2").read_bytes() == content["/00.grib2"]
        assert (folder / ".06.grib2.part").exists()
        assert not (folder / "06.grib2").exists()
        service.behaviours.clear()
        assert main(command) == 0
    assert {one.name for one in folder.iterdir() if not one.name.startswith(".")} == {
        *(path[1:] for path in content),
        "fetched.jsonl",
    }
    for path, wanted in content.items():
        assert (folder / path[1:]).read_bytes() == wanted


def test_what_was_fetched_is_found_and_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = relaid.content()
    files = relaid.split(content, tmp_path, "time")
    names = [f"/{hour:02d}.nc" for hour in (0, 6, 12)]
    descriptor = making.descriptor(tmp_path, "https://data.example.org/{time:%H}.nc", form="netcdf")
    experiment = making.experiment(12, "2000-01-01T00:00:00Z", driving=["driving/made/*"])
    file, data = tmp_path / "experiment.toml", tmp_path / "data"
    experiment.save(file)
    data.mkdir()
    with Service({name: one.read_bytes() for name, one in zip(names, files, strict=True)}) as service:
        mirror = f"https://data.example.org={service.address}"
        command = ["fetch", str(file), "--source", descriptor, "--data", str(data), "--mirror", mirror]
        # The first fetch ends with a file that is not complete.
        service.behave(names[1], token="never given")
        assert main([*command, "--jobs", "1"]) == 3
        service.behaviours.clear()
        assert main(command) == 0
    # What a fetch that was killed leaves.
    (data / "driving/made/.18.nc.part").write_bytes(b"CDF")
    capsys.readouterr()
    assert main(["config", "check", str(file), "--data", str(data), "--json"]) == 0
    (one,) = [one for one in json.loads(capsys.readouterr().out)["inputs"] if one["pattern"] == "driving/made/*"]
    assert (one["files"], one["bytes"]) == (3, sum(one.stat().st_size for one in files))
    found = files_of(Experiment.load(file).driving.first_guess_files, data, "driving.first_guess_files")
    driving = open_driving(found, domain_from_section(experiment.domain, None))
    assert list(driving.times) == list(relaid.TIMES)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "No data folder was given"),
        (["--jobs", "0"], "--jobs 0"),
        (["--mirror", "here"], "expected BEGIN=INSTEAD"),
        (["--source", "era6"], "did you mean 'era5'"),
        (["--every", "5", "--source", "era5"], "whole hours that divide the day"),
    ],
)
def test_wrong_options(file: str, options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", file, *options]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
