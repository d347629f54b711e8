"""Cases of real data made ready: which files drive, over which terrain, and where the sea temperature is from."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from cycle import small
from kaiseki.archive.run import RunFolder
from kaiseki.config import Experiment
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.driving.sources.conventions import Axes, assemble
from kaiseki.experiments.baselines import run_experiment
from kaiseki.experiments.case import PreparedCase
from kaiseki.experiments.coarse_analysis import SampleAnalyses
from kaiseki.experiments.real_data import real_case
from kaiseki.experiments.sea import sea_files, surface_start
from kaiseki.experiments.twin.flow import Flow
from kaiseki.grid.build import domain_from_section

NOON, SIX = np.datetime64("1989-01-01T12:00:00"), np.datetime64("1989-01-01T18:00:00")
ISLANDS = {**small.DOMAIN, "terrain": "analytic"}
PHYSICS = {"surface": True, "radiation": False, "boundary_layer": False, "microphysics": False, "soil": False}


def driving_terrain(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    return 300.0 + 8.0 * (lat - 37.0) + 3.0 * (lon - 138.0)


@functools.cache
def analyses() -> dict[str, xr.Dataset]:
    """The analytic flow at three times six hours apart, on two degrees, with a terrain that is a plane."""
    made = {}
    for name, hours in (("a.nc", 12), ("y.nc", 6), ("z.nc", 0)):
        dataset = Flow().dataset(NOON + np.timedelta64(hours, "h"), NOON)
        dataset = dataset.isel(latitude=slice(None, None, 2), longitude=slice(None, None, 2))
        dataset["pressure"].attrs["units"] = "Pa"
        lat, lon = np.meshgrid(dataset["latitude"].values, dataset["longitude"].values, indexing="ij")
        dataset["surface_altitude"] = ("latitude", "longitude"), driving_terrain(lat, lon)
        made[name] = dataset
    return made


def global_files(folder: Path, *without: str) -> list[str]:
    """`analyses` as files, the last time first."""
    for name, dataset in analyses().items():
        dataset.drop_vars(without).to_netcdf(folder / name, engine="scipy")
    return list(analyses())


def sea_file(folder: Path, value: float, *times: str, daily: float = 0.0) -> str:
    lat, lon = np.arange(-10.0, 80.0, 2.0), np.arange(60.0, 220.0, 2.0)
    axes = Axes(np.array(times, "datetime64[s]"), lat, lon)
    steps = value + daily * np.arange(len(times))[:, None, None]
    dataset = assemble("sst", "test", axes, {"sea_surface_temperature": steps + np.zeros((1, lat.size, lon.size))})
    dataset.to_netcdf(folder / "sea.nc", engine="scipy")
    return "sea.nc"


def experiment(driving: dict[str, Any], **sections: Any) -> Experiment:
    return small.experiment(
        case={"name": "direct", "kind": "real"},
        observations={"folds": 0, "files": ["none"]},
        driving=driving,
        **{"domain": ISLANDS, **sections},
    )


def made(folder: Path, chosen: Experiment) -> PreparedCase:
    """The case with reports from the flow instead of files."""
    place = RunFolder(folder / f"run{len(list(folder.glob('run*')))}")
    place.begin(chosen)
    small.observations(Flow(), NOON).to_parquet(place.observations)
    return real_case(chosen, place, folder)


def test_all_files_drive_directly(tmp_path: Path) -> None:
    case = made(tmp_path, experiment({"first_guess_files": global_files(tmp_path)}))
    case.boundaries.check(NOON, NOON + np.timedelta64(12, "h"))
    whole = [case.driving(NOON + np.timedelta64(h, "h")) for h in (0, 3, 6, 12)]
    assert np.abs(whole[2]["u"] - whole[0]["u"]).max() > 1.0
    assert np.abs(whole[3]["u"] - whole[2]["u"]).max() > 1.0
    np.testing.assert_allclose(whole[1]["u"], 0.5 * (whole[0]["u"] + whole[2]["u"]), atol=0.2)
    with pytest.raises(InputError, match="add files for that time"):
        case.driving(NOON + np.timedelta64(13, "h"))
    run_experiment(case, "driving")
    assert case.folder.read_store("driving").next_cycle() is None


def test_one_file_does_not_stand_for_other_times(tmp_path: Path) -> None:
    files = global_files(tmp_path)
    case = made(tmp_path, experiment({"first_guess_files": [files[2]]}))
    with pytest.raises(InputError, match="add files for that time"):
        case.driving(SIX)
    with pytest.raises(InputError, match="add files for that time"):
        made(tmp_path / "other", experiment({"first_guess_files": [str(tmp_path / files[1])]}))


def test_terrain_goes_over_to_that_of_the_files_in_the_rim(tmp_path: Path) -> None:
    chosen = experiment({"first_guess_files": global_files(tmp_path)})
    case, own = made(tmp_path, chosen), domain_from_section(chosen.domain)
    there = driving_terrain(own.lat, own.lon)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        np.testing.assert_allclose(case.domain.terrain[edge], there[edge], atol=1e-6)
    np.testing.assert_array_equal(case.domain.terrain[own.inside_rim], own.terrain[own.inside_rim])
    np.testing.assert_array_equal(case.domain.land_fraction, own.land_fraction)
    fields = case.driving(NOON)
    # Over the terrain of the files, not that of the model: some 10 Pa a metre.
    edge = small.case(tmp_path / "flat", small.experiment(domain={**small.DOMAIN, "terrain": "flat"})).driving(NOON)
    fall = edge["surface_pressure"][0] - fields["surface_pressure"][0]
    np.testing.assert_allclose(fall / there[0], 12.5, rtol=0.15)


def test_without_a_terrain_in_the_files_the_rim_keeps_its_own(tmp_path: Path) -> None:
    chosen = experiment({"first_guess_files": global_files(tmp_path, "surface_altitude")})
    np.testing.assert_array_equal(made(tmp_path, chosen).domain.terrain, domain_from_section(chosen.domain).terrain)


def test_driving_data_without_a_sea_temperature_are_refused(tmp_path: Path) -> None:
    files = global_files(tmp_path, "sea_surface_temperature")
    driving: dict[str, Any] = {"first_guess_files": files}
    with pytest.raises(InputError, match=r"a\.nc.* hold neither .* name a file of its temperature under driving.sea_t"):
        made(tmp_path, experiment(driving, physics=PHYSICS))
    # Nothing feels the sea, or there is none.
    assert "sst" not in made(tmp_path, experiment(driving)).driving(NOON)
    sea = sea_file(tmp_path, 290.0, "1988-12-30")
    case = made(tmp_path, experiment({**driving, "sea_temperature_files": [sea]}, physics=PHYSICS))
    for time in (NOON, SIX):
        np.testing.assert_allclose(case.driving(time)["sst"], 290.0)
    state = case.model.start(case.cold_fields())
    assert state.surface is not None
    np.testing.assert_allclose(state.surface.sst, 290.0)


def test_the_sea_temperature_of_the_experiment_replaces_that_of_the_files(tmp_path: Path) -> None:
    driving: dict[str, Any] = {"first_guess_files": global_files(tmp_path)}
    without = made(tmp_path, experiment(driving, physics=PHYSICS)).driving(NOON)
    sea = sea_file(tmp_path, 290.0, "1988-12-30", "1989-01-30")
    fields = made(tmp_path, experiment({**driving, "sea_temperature_files": [sea]}, physics=PHYSICS)).driving(NOON)
    assert np.abs(without["sst"] - 290.0).max() > 3.0
    np.testing.assert_allclose(fields["sst"], 290.0)
    wet = domain_from_section(experiment(driving).domain).land_fraction == 0.0
    np.testing.assert_allclose(fields["skin_temperature"][wet], 290.0)
    for name in ("u", "temperature", "pressure"):
        np.testing.assert_array_equal(fields[name], without[name])


def test_the_sea_of_the_experiment_moves_and_times_without_it_are_named(tmp_path: Path) -> None:
    sea = sea_file(tmp_path, 280.0, "1989-01-01T00", "1989-01-02T00", daily=8.0)
    files = global_files(tmp_path)
    case = made(tmp_path, experiment({"first_guess_files": files, "sea_temperature_files": [sea]}, physics=PHYSICS))
    for time, value in ((NOON, 284.0), (SIX, 286.0)):
        np.testing.assert_allclose(case.driving(time)["sst"], value)
    forcing = case.boundaries.between(NOON, SIX)
    assert forcing.sea is not None
    np.testing.assert_allclose([float(end.temperature[0, 0]) for end in forcing.sea], [284.0, 286.0])
    case.boundaries.check(NOON, NOON + np.timedelta64(12, "h"))
    short = sea_file(tmp_path, 280.0, "1989-01-01T00", "1989-01-01T18")
    case = made(tmp_path, experiment({"first_guess_files": files, "sea_temperature_files": [short]}, physics=PHYSICS))
    with pytest.raises(InputError, match=r"lack \d+ of the \d+ times .* the first 1989-01-01T19:00Z"):
        case.boundaries.check(NOON, NOON + np.timedelta64(12, "h"))


def test_what_the_surface_starts_from_is_declared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = experiment({"first_guess_files": global_files(tmp_path)}, physics={**PHYSICS, "soil": True})
    fields = made(tmp_path, chosen).driving(NOON)
    found = surface_start(chosen, fields)
    assert found["soil_moisture"] == "cold start: soil moisture of 0.28 m3 m-3 everywhere"
    assert set(found.values()) != {"driving data"}
    assert "cold start with no sea ice; no snow" in "".join(capsys.readouterr())
    there = {
        **fields,
        "snow": fields["sst"],
        "soil_temperature": fields["sst"][None],
        "soil_moisture": np.full(2, np.nan),
    }
    found = surface_start(chosen, there)
    assert found["snow"] == found["soil_temperature"] == "driving data"
    assert found["soil_moisture"].startswith("cold start")
    assert surface_start(experiment({"first_guess_files": ["a.nc"]}), fields) == {}


def test_files_of_sea_temperature_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    files = global_files(tmp_path)
    chosen = experiment(
        {"first_guess_files": files, "sea_temperature_files": [sea_file(tmp_path, 290.0, "1988-01-01")]}
    )
    with pytest.raises(InputError, match="holds the sea surface of 1988"):
        made(tmp_path, chosen)
    with pytest.raises(ConfigError, match=r"No file matches driving\.sea_temperature_files"):
        sea_files(experiment({"first_guess_files": files, "sea_temperature_files": ["none.nc"]}), tmp_path)
    with pytest.raises(ConfigError, match="sea_temperature_climatology needs sea_temperature_files"):
        experiment({"first_guess_files": files, "sea_temperature_climatology": True})


def test_samples_of_a_coarse_stream_take_the_named_sea_or_are_refused(data: Path, tmp_path: Path) -> None:
    with xr.open_dataset(data / "driving" / "era5" / "era5_tl31_1959010200.nc") as dataset:
        dataset.load().drop_vars("sea_surface_temperature").to_netcdf(tmp_path / "dry.nc", engine="scipy")
    driving: dict[str, Any] = {
        "first_guess_files": ["dry.nc"],
        "sea_temperature_files": [str(data / "static" / "sst_climatology_T31_monthly.nc")],
        "sea_temperature_climatology": True,
    }
    chosen = experiment(driving, physics=PHYSICS)
    domain = domain_from_section(chosen.domain)
    table = small.observations(Flow(), NOON)
    with pytest.raises(InputError, match=r"dry\.nc hold neither a sea-surface temperature"):
        SampleAnalyses.make(chosen, domain, table, [tmp_path / "dry.nc"])
    sea = sea_files(chosen, tmp_path)
    fields = SampleAnalyses.make(chosen, domain, table, [tmp_path / "dry.nc"], sea).first_guess
    # The lowest air, which stood in for the sea in silence, is far colder in winter.
    assert 271.0 < float(fields["sst"].min()) < float(fields["sst"].max()) < 303.0
    assert float((fields["sst"] - fields["temperature"][0])[domain.land_fraction < 0.5].mean()) > 3.0
