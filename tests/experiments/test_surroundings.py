"""Inputs that a new experiment names: from which sources they come, and which accounts these ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kaiseki.acquisition.descriptor import source
from kaiseki.acquisition.plan import chosen_sources, make_plan
from kaiseki.config import Experiment
from kaiseki.experiments.new import Wishes, new_experiment
from kaiseki.experiments.surroundings import DRIVING, ERA5_TERRAIN, OPEN_TERRAIN


def made(driving: str, **further: object) -> Experiment:
    year = 2005 if driving in ("cfsr", "jra55") else 2022
    place = {"centre": (38.5, -98.0), "size": (2400e3, 1800e3), "spacing": 60e3} if "like" not in further else {}
    wishes = {"name": "a", "start": datetime(year, 5, 4, tzinfo=UTC), "hours": 12, "driving": driving, **place}
    return new_experiment(Wishes(**(wishes | further))).experiment  # type: ignore[arg-type]


@pytest.mark.parametrize("spacing", [60e3, 20e3])
@pytest.mark.parametrize("driving", DRIVING)
def test_only_the_account_of_the_driving_data_is_needed(driving: str, spacing: float) -> None:
    experiment = made(driving, spacing=spacing)
    plan = make_plan(experiment, chosen_sources(experiment, ()))
    own = source(driving).account
    needed = {one.account.name for one in plan.sources if one.account is not None}
    assert needed == ({own.name} if own is not None else set())
    assert driving in {one.name for one in plan.sources}
    # Each file of terrain and land is one that a source brings.
    there = {str(item.path) for item in plan.items}
    terrain = OPEN_TERRAIN if driving != "era5" else ERA5_TERRAIN
    assert experiment.domain.terrain_files[-1] == terrain
    assert experiment.domain.mask_files == (terrain,)
    assert terrain in there


def test_terrain_of_another_experiment_follows_its_new_driving_data(tmp_path: Path) -> None:
    like = tmp_path / "like.toml"
    made("era5", spacing=20e3).save(like)
    assert made("gfs", like=like).domain.terrain_files == ("static/etopo2022/*.tif", OPEN_TERRAIN)
    assert made("gfs", like=like).domain.mask_files == (OPEN_TERRAIN,)
    assert made("mine/*.grib2", like=like).domain == Experiment.load(like).domain
    # What the user names himself stays.
    assert made("gfs", terrain=(ERA5_TERRAIN,)).domain.terrain_files == (ERA5_TERRAIN,)
    made("era5", terrain=("static/mine.tif",), mask=("static/land.nc",)).save(like)
    assert made("gfs", like=like).domain == Experiment.load(like).domain
