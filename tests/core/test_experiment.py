from __future__ import annotations

import copy
import dataclasses
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaiseki.config import Experiment
from kaiseki.config.reading import schema_of
from kaiseki.config.writing import to_toml
from kaiseki.core.errors import ConfigError

TWIN = """
[case]
name = "small-twin"
kind = "twin"

[domain]
preset = "japan-60km"

[period]
cold_start = 1989-01-01T12:00:00Z
end = 1989-01-02T06:00:00Z
"""


def values() -> dict[str, Any]:
    return copy.deepcopy(tomllib.loads(TWIN))


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    path = tmp_path / "twin.toml"
    path.write_text(TWIN)
    return Experiment.load(path)


def test_defaults_are_those_of_the_plan(experiment: Experiment) -> None:
    assert experiment.period.window == np.timedelta64(3, "h")
    assert experiment.period.output_interval == np.timedelta64(1, "h")
    assert experiment.assimilation.engine == "hybrid"
    assert experiment.observations.withheld_fraction == pytest.approx(0.2)
    assert experiment.assimilation.station_height_difference == 300
    assert experiment.verification.minimum_count == 15
    assert experiment.twin is not None


def test_the_windows_run_from_the_cold_start_to_the_end(experiment: Experiment) -> None:
    found = list(experiment.period.windows())
    assert len(found) == 6
    assert str(found[0]) == "(1989-01-01T12:00Z, 1989-01-01T15:00Z]"
    assert found[-1].end == experiment.period.last == np.datetime64("1989-01-02T06:00:00")


def test_a_saved_experiment_is_read_back_equal(experiment: Experiment, tmp_path: Path) -> None:
    experiment.save(tmp_path / "saved.toml")
    again = Experiment.load(tmp_path / "saved.toml")
    assert again == experiment
    assert again.digest() == experiment.digest()


def test_every_value_counts_in_the_digest(experiment: Experiment) -> None:
    changed = values()
    changed["observations"] = {"fold": 1}
    assert Experiment.from_mapping(changed).digest() != experiment.digest()


def test_it_cannot_be_changed(experiment: Experiment) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        experiment.case.name = "other"


def test_cold_start_and_cycle_have_their_own_background_error(experiment: Experiment) -> None:
    cold, cycled = experiment.assimilation.cold, experiment.assimilation.cycled
    assert cold.length > cycled.length
    assert all(first > later for first, later in zip(cold.wind, cycled.wind, strict=True))


def set_at(path: str, value: Any) -> dict[str, Any]:
    changed = values()
    *sections, key = path.split(".")
    place = changed
    for section in sections:
        place = place.setdefault(section, {})
    place[key] = value
    return changed


REFUSED = [
    ("period.cold_strat", 1, "unknown key period.cold_strat; did you mean period.cold_start?"),
    ("case.window_hours", 3, "unknown key case.window_hours; did you mean period.window_hours?"),
    ("assimilation.cold.lenght", 1, "unknown key assimilation.cold.lenght; did you mean assimilation.cold.length?"),
    ("observation", {}, "unknown key observation; did you mean observations?"),
    ("driving.coarse.presett", 1, "unknown key driving.coarse.presett; did you mean driving.coarse.preset?"),
    ("archive.zzz", 1, "unknown key archive.zzz; the keys there are chunk, compression_level"),
    ("domain.preset", "japan-61km", "did you mean 'japan-60km'?"),
    ("observations.thinning", {"sond": 1.0}, "'sond': there is no such kind of report; did you mean 'sonde'?"),
    ("observations.folds", 1, "folds must be 0 (nothing withheld) or at least 2"),
    ("observations.fold", 5, "must be below folds = 5"),
    ("assimilation.background_check", -1.0, "assimilation.background_check = -1.0: input should be greater than 0"),
    ("assimilation.background_check", float("nan"), "assimilation.background_check = nan"),
    ("period.end", "1989-01-02", "give date and time of day in UTC"),
    ("period.end", date(1989, 1, 2), "1989-01-02 has no time of day; give date and time of day in UTC"),
    ("period.cold_start", 5, "5 is not a time; give date and time of day in UTC"),
    ("period.cold_start", "0001-01-01T00:00:00+09:00", "lies outside the years 1 to 9999 in UTC"),
    ("period.end", "1989-01-02T05:00Z", "whole number of windows of 3 h after cold_start"),
    ("period.end", "1989-01-01T12:00Z", "end must lie after cold_start"),
    ("period.output_hours", 2.0, "output_hours must divide window_hours"),
    ("case.kind", "real", 'kind = "real" needs observations.files or observations.sources, unless'),
    ("case.name", "a b/c", "name = 'a b/c', but it becomes part of file names"),
    ("case.name", "a" * 300, "name has 300 characters; 100 are allowed"),
    ("domain.spacing", True, "domain.spacing is true or false, but must be a number"),
    ("assimilation.cycled.wind", [5.0, True], "assimilation.cycled.wind[1] is true or false, but must be a number"),
    ("domain.shape", [100_000_000, 100_000_000], "no machine holds more than 1e+08 cells a level"),
    ("domain.terrain_smoothing", 1e9, "input should be less than or equal to 100"),
    ("domain.coast_files", ["a**b.json"], "** stands for any folders and must be a whole part of the path"),
    ("domain.coast_files", [""], "is empty; give the path of a file"),
    ("verification.levels", [], "levels is empty; give the pressures at which scores are wanted"),
    ("domain", {"spacing": 5000.0}, "without a preset the grid needs shape, reference_latitude"),
    ("domain.terrain", "files", 'terrain = "files" needs terrain_files'),
    ("domain.levels", {"table": [0.0, 10.0, 5.0]}, "rise strictly"),
    ("domain.levels", {"number": 400}, "number times first_thickness must not exceed top"),
    ("driving.scales", [1.0, 2.0], "scales must fall"),
    ("driving.analysis_hours", [24], "hours of the day"),
    ("assimilation.cycled.wind", [1.0], "wind needs 7 values, one per pressure"),
    (
        "observations.errors",
        [{"kind": "sonde", "quantity": "air_temperature", "pressure": [1e5, 5e4], "error": [1.0]}],
        "error needs one value per pressure",
    ),
]


@pytest.mark.parametrize(("path", "value", "sentence"), REFUSED, ids=[f"{path}={value}" for path, value, _ in REFUSED])
def test_a_wrong_file_gets_one_clear_sentence(path: str, value: Any, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Experiment.from_mapping(set_at(path, value), source="japan.toml")
    text = str(caught.value)
    assert text.startswith("japan.toml: ")
    assert sentence in text
    assert "\n" not in text


def test_truth_values_are_read_where_they_belong() -> None:
    found = Experiment.from_mapping(set_at("physics", {"radiation": False, "microphysics": False}))
    assert found.physics.radiation is False


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "twin.toml").write_text("\ufeff" + TWIN, encoding="utf-8")
    assert Experiment.load(tmp_path / "twin.toml").case.kind == "twin"


def test_cycles_are_the_windows(experiment: Experiment) -> None:
    assert experiment.period.cycles == len(list(experiment.period.windows())) == 6


def test_a_missing_key_is_named() -> None:
    changed = values()
    del changed["case"]["name"]
    with pytest.raises(ConfigError, match=r"case\.name is missing"):
        Experiment.from_mapping(changed)


def test_unknown_keys_come_first_and_the_rest_is_counted() -> None:
    changed = values()
    del changed["case"]["name"]
    changed["period"]["colour"] = "red"
    with pytest.raises(ConfigError, match=r"unknown key period\.colour.*\(1 more after this one\)"):
        Experiment.from_mapping(changed)


def test_the_section_twin_belongs_to_twins() -> None:
    changed = values()
    changed["case"]["kind"] = "real"
    changed["observations"] = {"files": ["*.bufr"]}
    assert Experiment.from_mapping(changed).twin is None
    changed["twin"] = {"seed": 2}
    with pytest.raises(ConfigError, match='belongs to kind = "twin" only'):
        Experiment.from_mapping(changed)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no experiment file"):
        Experiment.load(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        Experiment.load(tmp_path)
    (tmp_path / "bad.toml").write_text("[case\n")
    with pytest.raises(ConfigError, match=r"bad\.toml is not a TOML file: .*line 1"):
        Experiment.load(tmp_path / "bad.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not a TOML file"):
        Experiment.load(tmp_path / "bytes.toml")


def test_times_without_offset_are_utc() -> None:
    for text in ("1989-01-01T12:00:00", "1989-01-01T21:00:00+09:00", datetime(1989, 1, 1, 12)):
        assert Experiment.from_mapping(set_at("period.cold_start", text)).period.cold_start == datetime(
            1989, 1, 1, 12, tzinfo=UTC
        )


def test_the_schema_describes_every_section(experiment: Experiment) -> None:
    schema = schema_of(Experiment)
    assert set(schema["properties"]) == {one.name for one in dataclasses.fields(Experiment)}
    assert schema["additionalProperties"] is False
    for definition in schema["$defs"].values():
        assert definition["description"]
    assert schema["$defs"]["DomainSettings"]["properties"]["spacing"]["description"].endswith("m.")


scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
    )
)
trees = st.recursive(
    scalars | st.lists(scalars, max_size=3),
    lambda inner: (
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
        | st.lists(st.dictionaries(st.text("ab c", max_size=2), scalars, max_size=2), max_size=2)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), trees, max_size=4))
def test_the_writer_is_understood_by_the_reader_of_the_standard_library(tree: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(tree)) == tree


def test_what_has_no_form_in_toml_is_refused() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        to_toml({"a": None})


@pytest.mark.parametrize(
    ("domain", "zone", "shown"),
    [
        ({"preset": "japan-60km"}, None, "JST"),
        ({"preset": "japan-60km", "reference_latitude": 5.0}, None, None),
        ({"preset": "japan-60km"}, "UTC", None),
        ({"preset": "japan-60km", "reference_longitude": 10.0}, "Europe/Berlin", "CET"),
    ],
)
def test_civil_time_is_japans_only_there(domain: dict[str, Any], zone: str | None, shown: str | None) -> None:
    case = {"name": "a", "kind": "twin", "time_zone": zone}
    period = {"cold_start": "1989-01-01T12:00Z", "end": "1989-01-02T00:00Z"}
    found = Experiment.from_mapping({"case": case, "domain": domain, "period": period}).civil_time
    assert (None if found is None else datetime(1989, 1, 1, tzinfo=found).tzname()) == shown


def test_an_unknown_time_zone_is_refused() -> None:
    case = {"name": "a", "kind": "twin", "time_zone": "Japan Standard Time"}
    period = {"cold_start": "1989-01-01T12:00Z", "end": "1989-01-02T00:00Z"}
    with pytest.raises(ConfigError, match=r"no such time zone here"):
        Experiment.from_mapping({"case": case, "domain": {"preset": "japan-60km"}, "period": period})
