"""Many hours of analysed precipitation.

What can go wrong:
- an hour is lost, or written as zero, where gauges or radar lack;
- a run that was killed starts anew, keeps half a file, or ends with another result;
- hours of other inputs, settings or grids are mixed;
- several processes give another result than one, or stay behind when their parent is killed;
- an error does not say which hour or file, or ends in a traceback of Dask;
- the hour before or after does not reach a filter or smoother.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from kaiseki.core.errors import ConfigError, InputError, KaisekiError, StoreError
from kaiseki.precipitation.analysis import AnalysisSettings
from kaiseki.precipitation.batch import Batch, BatchSettings, Inputs, InputSettings, Outcome, analyse_hours
from kaiseki.precipitation.batch.hour_file import FIELDS, file_name, read_field, read_hour
from kaiseki.precipitation.batch.noted import forget, note
from kaiseki.precipitation.data import AnalysisFlag
from kaiseki.precipitation.sources import Reading
from precipitation.batch.rain_files import HOUR, START, gauge_file, grid, radar_file, truth

READING = Reading(time_zone="UTC", time_is="end", period=HOUR, units="mm")
QUICK = AnalysisSettings(fit=False)


def settings(folder: Path, hours: int, radars: tuple[int, ...] = (), missing: tuple[int, ...] = ()) -> InputSettings:
    gauges = gauge_file(folder / "gauges.csv", hours, missing=missing)
    radar = tuple(radar_file(folder / f"radar{number}.nc", number) for number in radars)
    return InputSettings(gauges=(gauges,), radar=radar, gauge_reading=READING)


def period(hours: int, **options: object) -> BatchSettings:
    return BatchSettings(start=START + HOUR, end=START + hours * HOUR, **({"analysis": QUICK} | options))  # type: ignore[arg-type]


def analysed(inputs: InputSettings, folder: Path, hours: int, **options: object) -> Outcome:
    opened = Inputs.open(inputs)
    return analyse_hours(Batch(inputs=opened, grid=grid(), settings=period(hours, **options), folder=folder))


def field(folder: Path, number: int, name: str = "precipitation") -> np.ndarray:
    return read_field(folder / file_name(START + (number + 1) * HOUR), name)


def test_the_analysis_is_nearer_to_the_truth_than_the_radar(tmp_path: Path) -> None:
    done = analysed(settings(tmp_path, 2, radars=(0, 1)), tmp_path / "out", 2)
    assert (done.made, done.kept, done.gaps) == (2, 0, 0)
    for number in range(2):
        error = np.sqrt(np.mean((field(tmp_path / "out", number) - truth(number)) ** 2))
        assert error < 0.7 * np.sqrt(np.mean((0.3 * truth(number)) ** 2))
    assert [one["gauges"] for one in done.hours] == [40, 40]
    assert all(one["radar_part"] == 1.0 for one in done.hours)


def test_an_hour_without_anything_is_a_gap_and_never_zero(tmp_path: Path) -> None:
    done = analysed(settings(tmp_path, 3, radars=(0,), missing=(1,)), tmp_path / "out", 4)
    # Hour 1 has gauges and radar, hour 2 neither, hour 3 gauges alone, hour 4 lies behind the end of all files.
    assert len(done.hours) == 4
    assert done.gaps == 2
    for number in (1, 3):
        for name in FIELDS[:-1]:
            assert np.isnan(field(tmp_path / "out", number, name)).all()
        assert (field(tmp_path / "out", number, "precipitation_flag") == AnalysisFlag.GAP).all()
    assert (field(tmp_path / "out", 0, "precipitation_flag").astype(int) & AnalysisFlag.RADAR).all()
    assert (field(tmp_path / "out", 2, "precipitation_flag") == AnalysisFlag.GAUGES).all()
    assert np.isfinite(field(tmp_path / "out", 2)).all()


def test_radar_alone_where_gauges_are_missing(tmp_path: Path) -> None:
    done = analysed(settings(tmp_path, 2, radars=(0, 1), missing=(1,)), tmp_path / "out", 2)
    assert done.gaps == 0
    assert (field(tmp_path / "out", 1, "precipitation_flag") == AnalysisFlag.RADAR).all()


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    inputs = settings(tmp_path, 3)
    analysed(inputs, tmp_path / "out", 2)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.nc")}
    done = analysed(inputs, tmp_path / "out", 3)
    assert (done.made, done.kept, len(done.hours)) == (1, 2, 3)
    assert before.items() <= {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.nc")}.items()


def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    inputs = settings(tmp_path, 3, radars=(0, 1, 2))
    analysed(inputs, tmp_path / "one", 3)
    done = analysed(inputs, tmp_path / "two", 3, workers=2)
    assert done.made == 3
    for number in range(3):
        for name in FIELDS:
            np.testing.assert_array_equal(field(tmp_path / "one", number, name), field(tmp_path / "two", number, name))
    assert not list((tmp_path / "two").glob(".radar*"))


def test_the_smoother_uses_the_hours_around(tmp_path: Path) -> None:
    inputs = settings(tmp_path, 3, missing=(1,))
    around = replace(QUICK, hours_before=1, hours_after=1)
    radar = tuple(radar_file(tmp_path / f"radar{number}.nc", number) for number in range(3))
    analysed(replace(inputs, radar=radar), tmp_path / "alone", 3)
    analysed(replace(inputs, radar=radar), tmp_path / "smoother", 3, analysis=around)
    # Where the hour itself has no gauges, those of the neighbours correct the radar.
    errors = [np.abs(field(tmp_path / name, 1) - truth(1)).mean() for name in ("alone", "smoother")]
    assert errors[1] < 0.8 * errors[0]


def program(folder: Path, workers: int, hours: int) -> subprocess.Popen[bytes]:
    tokens = ["--gauges", str(folder / "gauges.csv"), "--time-zone", "UTC", "--time-is", "end", "--units", "mm"]
    tokens += ["--period", "60", "--start", "2024-07-01T01:00Z", "--end", str(START + hours * HOUR) + "Z"]
    tokens += ["--grid", "138,35,139.6,36.2,0.05", "--workers", str(workers), "--out", str(folder / "killed"), "--json"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "kaiseki", "precip", "analyse", *tokens]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_goes_on_and_ends_with_the_same_result(tmp_path: Path, workers: int) -> None:
    hours = 6
    settings(tmp_path, hours)
    process = program(tmp_path, workers, hours)
    while len(list((tmp_path / "killed").glob("rain_*.nc"))) < 2 and process.poll() is None:
        time.sleep(0.01)
    children = [int(word) for word in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    assert process.poll() is None, "the run ended before it was killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {path.name: path.read_bytes() for path in (tmp_path / "killed").glob("rain_*.nc")}
    assert 2 <= len(kept) < hours
    ended = time.monotonic() + 60.0
    while any(_lives(child) for child in children) and time.monotonic() < ended:
        time.sleep(0.05)
    assert not any(_lives(child) for child in children)
    again = program(tmp_path, workers, hours)
    assert again.wait() == 0
    assert kept.items() <= {path.name: path.read_bytes() for path in (tmp_path / "killed").glob("rain_*.nc")}.items()
    (tmp_path / "killed").rename(tmp_path / "resumed")
    assert program(tmp_path, 1, hours).wait() == 0
    for number in range(hours):
        for name in FIELDS:
            first, second = (field(tmp_path / folder, number, name) for folder in ("resumed", "killed"))
            np.testing.assert_array_equal(first, second)


def _lives(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_names_the_file_and_keeps_the_hours_before(tmp_path: Path, workers: int) -> None:
    inputs = settings(tmp_path, 3, radars=(0, 1, 2))
    opened = Inputs.open(inputs)
    whole = (tmp_path / "radar2.nc").read_bytes()
    (tmp_path / "radar2.nc").write_bytes(whole[:2000])
    batch = Batch(inputs=opened, grid=grid(), settings=period(3, workers=workers), folder=tmp_path / "out")
    with pytest.raises(InputError, match=r"radar2\.nc") as caught:
        analyse_hours(batch)
    assert "Traceback" not in str(caught.value)
    assert isinstance(caught.value, KaisekiError)
    (tmp_path / "radar2.nc").write_bytes(whole)
    done = analyse_hours(batch)
    assert len(done.hours) == 3


def test_a_file_that_cannot_be_read_is_told_before_the_work(tmp_path: Path) -> None:
    inputs = settings(tmp_path, 2, radars=(0, 1))
    (tmp_path / "radar1.nc").write_bytes((tmp_path / "radar1.nc").read_bytes()[:3000])
    with pytest.raises(InputError, match=r"radar1\.nc"):
        Inputs.open(inputs)


def test_radars_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    inputs = settings(tmp_path, 2, radars=(0,))
    twice = radar_file(tmp_path / "again.nc", 0)
    with pytest.raises(InputError, match="both hold the field of 2024-07-01T01:00:00"):
        Inputs.open(replace(inputs, radar=(*inputs.radar, twice)))
    with xr.open_dataset(radar_file(tmp_path / "other.nc", 1), engine="h5netcdf") as other:
        other.isel(lat=slice(0, 20)).to_netcdf(tmp_path / "smaller.nc", engine="h5netcdf")
    with pytest.raises(InputError, match=r"smaller\.nc has another grid than"):
        Inputs.open(replace(inputs, radar=(*inputs.radar, tmp_path / "smaller.nc")))


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing to analyse"):
        InputSettings(gauges=())
    with pytest.raises(ConfigError, match="lies before the first"):
        BatchSettings(start=START + HOUR, end=START)
    with pytest.raises(ConfigError, match="workers must be at least 1"):
        BatchSettings(start=START, end=START, workers=0)


def test_hours_of_other_inputs_are_not_mixed(tmp_path: Path) -> None:
    inputs = settings(tmp_path, 2)
    folder = tmp_path / "out"
    note(folder, inputs, grid(), QUICK)
    note(folder, inputs, grid(), QUICK)
    with pytest.raises(StoreError, match="other analysis than this call's"):
        note(folder, inputs, grid(), replace(QUICK, exponent=0.4))
    with pytest.raises(StoreError, match="other grid than"):
        note(folder, inputs, grid(23), QUICK)
    (tmp_path / "gauges.csv").write_text((tmp_path / "gauges.csv").read_text() + "\n")
    with pytest.raises(StoreError, match="other files than"):
        note(folder, inputs, grid(), QUICK)
    forget(folder)
    assert not folder.exists()


def test_hours_of_unknown_origin_are_not_taken(tmp_path: Path) -> None:
    inputs = settings(tmp_path, 1)
    analysed(inputs, tmp_path / "out", 1)
    with pytest.raises(StoreError, match=r"no analysis\.json that says what they are made of"):
        note(tmp_path / "out", inputs, grid(), QUICK)
    forget(tmp_path / "out")
    assert list((tmp_path / "out").glob("rain_*.nc")), "a folder with other files stays"


def test_samples_are_in_the_file(tmp_path: Path) -> None:
    analysed(settings(tmp_path, 1), tmp_path / "out", 1, analysis=replace(QUICK, samples=3))
    with xr.open_dataset(tmp_path / "out" / file_name(START + HOUR), engine="h5netcdf") as dataset:
        assert dataset["precipitation_samples"].dims == ("time", "sample", "lat", "lon")
        assert np.isfinite(dataset["precipitation_samples"]).all()


def test_gauges_and_links_are_joined(tmp_path: Path) -> None:
    one = gauge_file(tmp_path / "gauges.csv", 2, count=20)
    other = gauge_file(tmp_path / "links.csv", 3, count=15, seed=3)
    opened = Inputs.open(InputSettings(gauges=(one,), links=(other,), gauge_reading=READING, checks=None))
    assert opened.gauges.amount.shape == (3, 35)
    assert np.isnan(opened.gauges.amount[2, :20]).all()
    assert np.isfinite(opened.gauges.amount[2, 20:]).all()


def test_an_hour_is_read_back(tmp_path: Path) -> None:
    done = analysed(settings(tmp_path, 1), tmp_path / "out", 1)
    found = read_hour(Path(done.hours[0]["file"]))
    assert found.time == START + HOUR
    np.testing.assert_array_equal(found.grid.lat, grid().lat)
    assert found.fields.keys() == set(FIELDS)
    damaged = tmp_path / "damaged.nc"
    damaged.write_bytes(Path(done.hours[0]["file"]).read_bytes()[:1000])
    with pytest.raises(InputError, match=r"damaged\.nc"):
        read_hour(damaged)
    with pytest.raises(InputError, match="is no file of an analysed hour"):
        read_hour(radar_file(tmp_path / "radar.nc", 0))
