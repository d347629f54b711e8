"""`kaiseki fetch` as it is typed: lists, dry runs, exit codes, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acquisition import making
from acquisition.servers import Service
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
