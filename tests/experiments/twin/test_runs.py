"""The runs of the twin on a coarse grid without physics: nested in each other, wrong by what was asked for, kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.ndimage import map_coordinates

from kaiseki.config import Experiment
from kaiseki.core.errors import InputError
from kaiseki.experiments.twin import PreparedTwin, nature_domain, prepare, run_nature
from kaiseki.experiments.twin.nature import nature_times
from kaiseki.experiments.twin.wide import wide_domain
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section

SMALL = {
    "case": {"name": "small-twin", "kind": "twin"},
    "domain": {
        "spacing": 200_000.0,
        "shape": (17, 21),
        "reference_latitude": 36.0,
        "reference_longitude": 135.0,
        "standard_parallels": (30.0, 60.0),
        "central_longitude": 140.0,
        "rim_width": 4,
        "terrain": "analytic",
        "levels": {"number": 14, "top": 22_000.0, "first_thickness": 200.0},
    },
    "period": {"cold_start": "1989-01-01T12:00Z", "end": "1989-01-01T15:00Z"},
    "physics": {
        "microphysics": False,
        "boundary_layer": False,
        "surface": False,
        "radiation": False,
        "soil": False,
    },
    "twin": {"spin_up_hours": 1.0, "spacing_factor": 0.75},
}
FIRST = np.datetime64("1989-01-01T12:00:00")
LAST = np.datetime64("1989-01-01T15:00:00")


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return Experiment.from_mapping(SMALL)


@pytest.fixture(scope="module")
def domain(experiment: Experiment) -> Domain:
    return domain_from_section(experiment.domain)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("twin")


@pytest.fixture(scope="module")
def twin(experiment: Experiment, domain: Domain, folder: Path) -> PreparedTwin:
    return prepare(experiment, domain, folder)


def contains(outer: Domain, inner: Domain) -> bool:
    j, i = outer.index(inner.lat, inner.lon)
    return bool((j >= 0).all() and (j <= outer.ny - 1).all() and (i >= 0).all() and (i <= outer.nx - 1).all())


def test_domains_lie_in_each_other(experiment: Experiment, domain: Domain) -> None:
    nature, wide = nature_domain(experiment), wide_domain(experiment)
    assert nature.spacing == pytest.approx(0.75 * domain.spacing)
    assert contains(nature, domain)
    assert contains(wide, nature)
    np.testing.assert_allclose(nature.zeta_half, domain.zeta_half)
    # The truth's rim, where it is drawn to the wide run, lies in the rim of the assimilating model.
    j, i = nature.index(domain.lat[domain.inside_rim], domain.lon[domain.inside_rim])
    assert min(j.min(), i.min()) >= nature.rim_width - 0.5
    assert j.max() <= nature.ny - 1 - nature.rim_width + 0.5
    assert i.max() <= nature.nx - 1 - nature.rim_width + 0.5


def test_a_preset_keeps_its_middle() -> None:
    experiment = Experiment.from_mapping({**SMALL, "domain": {"preset": "japan-60km"}})
    inner, nature = domain_from_section(experiment.domain), nature_domain(experiment)
    assert nature.spacing == 45_000.0
    assert nature.x.mean() == pytest.approx(inner.x.mean(), abs=1.0)
    assert nature.y.mean() == pytest.approx(inner.y.mean(), abs=1.0)


@pytest.mark.slow
def test_hours_of_the_runs(experiment: Experiment, twin: PreparedTwin) -> None:
    times = nature_times(experiment)
    assert times[0] == FIRST - np.timedelta64(3600, "s")
    assert times[-1] == LAST
    np.testing.assert_array_equal(twin.nature.times, times)
    for name, field in twin.nature.fields.items():
        assert len(field) == len(times), name
        assert np.isfinite(field).all(), name


@pytest.mark.slow
def test_the_truth_on_the_domain_is_the_truth(twin: PreparedTwin, domain: Domain) -> None:
    """Where both grids are over the open sea, their levels are the same heights: plain bilinear interpolation."""
    fields, nature = twin.truth(LAST), twin.nature.domain
    assert {"u", "v", "temperature", "pressure", "qv", "surface_pressure"} <= set(fields)
    places = np.stack(nature.index(domain.lat, domain.lon))
    around = map_coordinates(ndimage.maximum_filter(nature.terrain, 3), places, order=0)
    sea = (around < 20.0) & (domain.terrain < 20.0) & domain.inside_rim
    assert sea.sum() > 20
    true = twin.nature.at(LAST)
    for name, tolerance in (("temperature", 0.5), ("u", 1.5), ("v", 1.5)):
        wanted = np.stack([map_coordinates(level, places, order=1, mode="nearest") for level in true[name]])
        assert np.sqrt(np.mean((fields[name] - wanted)[:, sea] ** 2)) < tolerance, name
    pressure = np.stack([map_coordinates(np.log(level), places, order=1, mode="nearest") for level in true["pressure"]])
    assert np.abs(np.log(fields["pressure"]) - pressure)[:, sea].max() < 2e-3


@pytest.mark.slow
def test_driving_and_cold_start_are_wrong_by_a_reasonable_amount(twin: PreparedTwin, domain: Domain) -> None:
    truth, driving = twin.truth(FIRST), twin.driving(FIRST)
    inside = (truth["pressure"] > 2e4) & domain.inside_rim
    wind = np.sqrt(np.mean(((driving["u"] - truth["u"]) ** 2 + (driving["v"] - truth["v"]) ** 2)[inside]))
    temperature = np.sqrt(np.mean(((driving["temperature"] - truth["temperature"]) ** 2)[inside]))
    pressure = np.sqrt(np.mean(((driving["surface_pressure"] - truth["surface_pressure"]) ** 2)[domain.inside_rim]))
    assert 2.0 < wind < 8.0
    assert 0.5 < temperature < 3.0
    assert 50.0 < pressure < 400.0
    # One size for both in this experiment, so the model starts from its own boundary.
    for name in ("u", "temperature", "qv"):
        np.testing.assert_array_equal(twin.cold_start[name], driving[name])


@pytest.mark.slow
def test_the_reports_lie_in_the_file(twin: PreparedTwin) -> None:
    table = twin.read_reports()
    assert {"sonde", "synop", "aircraft", "satwind"} <= set(np.unique(table.column("kind")))
    assert np.isfinite(table.column("value")).all()
    assert table.column("time").max() <= LAST + np.timedelta64(2 * 3600, "s")


@pytest.mark.slow
def test_hours_that_were_not_run_are_refused(twin: PreparedTwin) -> None:
    with pytest.raises(InputError, match="1989-01-03T00:00Z is wanted"):
        twin.nature.at(np.datetime64("1989-01-03T00:00:00"))


@pytest.mark.slow
def test_what_was_prepared_is_taken_again(
    experiment: Experiment, domain: Domain, folder: Path, twin: PreparedTwin
) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
    reports = twin.reports.read_bytes()
    again = prepare(experiment, domain, folder)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")} == before
    assert again.reports.read_bytes() == reports
    for name, field in twin.nature.fields.items():
        np.testing.assert_array_equal(again.nature.fields[name], field, err_msg=name)
    for name, field in twin.cold_start.items():
        np.testing.assert_array_equal(again.cold_start[name], field, err_msg=name)


def test_a_real_case_has_no_nature() -> None:
    real = {**SMALL, "case": {"name": "real", "kind": "real"}, "observations": {"files": ("a",)}}
    del real["twin"]
    with pytest.raises(InputError, match="no twin experiment"):
        run_nature(Experiment.from_mapping(real))
