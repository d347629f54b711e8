"""The run store: what goes in comes out bit for bit, whole cycles or nothing, and clear refusals."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import pyarrow as pa
import pyproj
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from archive.runs import (
    EXPERIMENT,
    HOUR,
    START,
    analysis_fields,
    create,
    cycle_times,
    every_array,
    field,
    forecast_fields,
    restart,
    same_values,
    small_domain,
    table,
    times,
    whole_run,
    write_cycle,
)
from grid.regions import region
from kaiseki.archive import RunStore
from kaiseki.archive.store import schema
from kaiseki.archive.store.layout import Layout
from kaiseki.archive.store.restart import read_tree, write_tree
from kaiseki.archive.store.transaction import to_json
from kaiseki.core.errors import InputError, StoreError

CYCLES = 2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_run(tmp_path_factory.mktemp("archive") / "run", CYCLES)


def same_tree(one: Any, other: Any) -> bool:
    """Equal structure, and equal in every bit."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same_tree(one[k], other[k]) for k in one)
    if isinstance(one, np.ndarray | np.generic):
        a, b = np.asarray(one), np.asarray(other)
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(one, float):
        return type(other) is float and (one.hex() == other.hex())
    return type(one) is type(other) and one == other


def test_everything_of_a_run_comes_back(run: Path) -> None:
    store = RunStore.open(run, "r")
    assert np.array_equal(store.completed_cycles(), cycle_times(CYCLES))
    assert store.next_cycle() is None
    assert store.experiment_json == EXPERIMENT
    assert same_tree(restart(CYCLES), store.read_restart())
    for number, time in enumerate(cycle_times(CYCLES)):
        assert store.read_diagnostics(time) == {"cost": [2.0 * number, 1.0], "number": number}
        got, expected = store.read_observations(time), table(number)
        assert got is not None
        assert got.schema == expected.schema
        nan = "analysis_departure"
        assert got.drop_columns(nan).equals(expected.drop_columns(nan))
        assert got[nan].to_numpy().tobytes() == expected[nan].to_numpy().tobytes()
    values = every_array(store.root())
    for hour in range(3 * CYCLES + 1):
        for name in set(forecast_fields(hour)) - {"u", "v"}:
            assert np.array_equal(values[f"/forecast/{name}"][hour], forecast_fields(hour)[name])
    assert np.all(np.isnan(values["/forecast/precipitation"][0])), "nothing was produced for the first time"


def test_winds_are_stored_east_and_north_as_the_domain_turns_them(run: Path) -> None:
    values = every_array(RunStore.open(run, "r").root())
    assert not {"/analysis/u", "/analysis/v", "/forecast/u", "/forecast/v"} & set(values)
    for number in range(CYCLES + 1):
        fields = analysis_fields(number)
        east, north = small_domain().to_east_north(fields["u"].astype(float), fields["v"].astype(float))
        np.testing.assert_allclose(values["/analysis/eastward_wind"][number], east, atol=1e-6)
        np.testing.assert_allclose(values["/analysis/northward_wind"][number], north, atol=1e-6)


def test_the_domain_comes_back(run: Path) -> None:
    got, expected = RunStore.open(run, "r").domain(), small_domain()
    assert (got.name, got.spacing, got.rim_width, got.projection) == (
        expected.name,
        expected.spacing,
        expected.rim_width,
        expected.projection,
    )
    for name in ("x", "y", "zeta_half", "decay_half", "terrain", "land_fraction", "lat", "lon", "z"):
        assert np.array_equal(getattr(got, name), getattr(expected, name)), name


@pytest.mark.parametrize("name", ["south-east-australia", "fiji", "svalbard", "weddell-sea"])
def test_a_domain_on_any_projection_comes_back_and_is_described_in_cf(name: str, tmp_path: Path) -> None:
    expected = region(name, shape=(8, 9))
    axes = {"times": times(1), "cycle_times": cycle_times(1)}
    with RunStore.create(tmp_path / "run", Layout(experiment_json=EXPERIMENT, domain=expected, **axes)) as store:
        got, root = store.domain(), store.root()
    assert got.projection == expected.projection
    for one in ("x", "y", "lat", "lon", "map_factor", "rotation"):
        assert np.array_equal(getattr(got, one), getattr(expected, one)), one
    crs = pyproj.CRS.from_cf(dict(root["static/crs"].attrs))
    to_degrees = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    lon, lat = to_degrees.transform(*np.meshgrid(expected.x, expected.y))
    np.testing.assert_allclose(expected.lat, lat, atol=1e-9)
    np.testing.assert_allclose((expected.lon - lon + 180.0) % 360.0, 180.0, atol=1e-8)


def test_the_time_axis_is_there_before_the_first_cycle(tmp_path: Path) -> None:
    with create(tmp_path / "run", 40) as store:
        assert np.array_equal(store.times, times(40))
        write_cycle(store, 0)
        root = store.root()
        assert root["forecast/temperature"].shape[0] == 121  # type: ignore[union-attr]
        assert store.commits()[1:] == ["layout, schema version 1", "cycle 1989-01-01T12:00Z"]


def test_a_cycle_left_by_an_error_leaves_nothing(tmp_path: Path) -> None:
    with create(tmp_path / "run", CYCLES) as store:
        write_cycle(store, 0)
        before, commits = every_array(store.root()), store.commits()
        with pytest.raises(KeyboardInterrupt), store.cycle(cycle_times(CYCLES)[1]) as transaction:  # noqa: PT012
            transaction.write_fields("forecast", START + HOUR, forecast_fields(1))
            transaction.write_observations(table(1))
            transaction.write_restart(restart(1))
            raise KeyboardInterrupt
        assert store.commits() == commits
        assert same_values(every_array(store.root()), before)
        assert same_tree(restart(0), store.read_restart())
        write_cycle(store, 1)
        with pytest.raises(StoreError, match="is closed"):
            transaction.write_diagnostics({})


def test_a_cycle_with_a_failed_write_cannot_be_committed(tmp_path: Path) -> None:
    with create(tmp_path / "run", CYCLES) as store:
        with pytest.raises(StoreError, match=r"A write of cycle .* failed"), store.cycle(START) as transaction:  # noqa: PT012
            transaction.write_fields("analysis", START, {"pressure": field(1)})
            with pytest.raises(StoreError, match="shape"):
                transaction.write_fields("analysis", START, {"temperature": field(1)[:, 1:]})
        assert store.completed_cycles().size == 0


def test_refusals_of_fields(tmp_path: Path) -> None:
    refusals: list[tuple[str, Any, dict[str, Any], str]] = [
        ("diagnostic", START, {"temperature": field(1)}, "groups forecast and analysis, not 'diagnostic'"),
        ("analysis", START + HOUR, {"temperature": field(1)}, "1989-01-01T13:00Z is not among the 3 analysis times"),
        ("forecast", START, {"u": field(1)}, "both together"),
        ("forecast", START, {"u": field(1), "v": field(1), "eastward_wind": field(1)}, "both together"),
        ("forecast", START, {"u": field(1), "v": field(1)[:, :, 1:]}, "cell centres"),
        ("forecast", START, {"temperature": field(1)[:2]}, r"must have the shape \(3, 5, 6\)"),
        ("forecast", START, {"soil_temperature": field(1)}, "made without soil_depth"),
        ("analysis", START, {"precipitation": field(1)[0]}, "belongs to an interval"),
    ]
    with create(tmp_path / "run", CYCLES) as store:
        for group, time, fields, words in refusals:
            with pytest.raises(StoreError, match=words), store.cycle(START) as transaction:
                transaction.write_fields(group, time, fields)
        with pytest.raises(InputError, match="did you mean 'temperature'"), store.cycle(START) as transaction:
            transaction.write_fields("forecast", START, {"temperatur": field(1)})
        write_cycle(store, 0)
        with pytest.raises(StoreError, match="written by an earlier cycle and stay"):  # noqa: SIM117
            with store.cycle(cycle_times(CYCLES)[1]) as transaction:
                transaction.write_fields("forecast", START, {"temperature": field(1)})


def test_soil_fields(tmp_path: Path) -> None:
    depth = np.array([0.05, 0.5])
    soil = np.arange(60, dtype=np.float32).reshape(2, 5, 6)
    with create(tmp_path / "run", CYCLES, soil_depth=depth) as store:
        with store.cycle(START) as transaction:
            transaction.write_fields("forecast", START, {"soil_temperature": soil})
        assert np.array_equal(every_array(store.root())["/forecast/soil_temperature"][0], soil)


def test_order_of_cycles(tmp_path: Path) -> None:
    with create(tmp_path / "run", 1) as store:
        with pytest.raises(StoreError, match=r"next cycle of .* is 1989-01-01T12:00Z, not 1989-01-01T15:00Z"):
            write_cycle(store, 1)
        with pytest.raises(StoreError, match="has no complete cycle, so that the run cannot go on"):
            store.read_restart()
        with store.cycle(START), pytest.raises(StoreError, match="is being written already"), store.cycle(START):
            pass
        with pytest.raises(StoreError, match="has no restart state of 1989-01-01T12:00:00Z"):
            store.read_restart()
        assert store.read_observations(START) is None
        assert store.read_diagnostics(START) == {}
        with pytest.raises(StoreError, match="has no complete cycle 1989-01-01T15:00Z"):
            store.read_diagnostics(START + 3 * HOUR)
        write_cycle(store, 1)
        with pytest.raises(StoreError, match=r"All 2 cycles of .* are complete"), store.cycle(START):
            pass
    with pytest.raises(StoreError, match="not open for writing"), store.cycle(START):
        pass


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"a": [1, 2], "b": [1]}, "do not make a table"),
        ([1, 2], "must be a pyarrow.Table or a mapping"),
        ({"a": pa.array([1, None])}, "'a' has 1 missing values"),
        ({"a": pa.array([[1], [2]])}, "'a' has the type list"),
    ],
)
def test_refusals_of_observations(tmp_path: Path, columns: Any, words: str) -> None:
    with create(tmp_path / "run", 1) as store:
        with pytest.raises(StoreError, match=words), store.cycle(START) as transaction:
            transaction.write_observations(columns)
        with pytest.raises(StoreError, match="were written already"), store.cycle(START) as transaction:  # noqa: PT012
            transaction.write_observations({"a": np.array(["x", "y"]), "t": np.array([START, START])})
            transaction.write_observations({})
        assert store.completed_cycles().size == 0


def test_an_empty_table_of_observations(tmp_path: Path) -> None:
    with create(tmp_path / "run", 1) as store:
        with store.cycle(START) as transaction:
            transaction.write_observations(table(0).slice(0, 0))
        got = store.read_observations(START)
    assert got is not None
    assert got.schema == table(0).schema
    assert got.num_rows == 0


def test_compact_forgets_history_and_keeps_content(tmp_path: Path) -> None:
    path = whole_run(tmp_path / "run", CYCLES)
    before = every_array(RunStore.open(path, "r").root())
    earlier = cycle_times(CYCLES)[1]
    assert same_tree(restart(1), RunStore.open(path, "r").read_restart(earlier))
    size = sum(file.stat().st_size for file in (path / "snapshots").iterdir())
    with RunStore.open(path) as store:
        store.compact()
    assert sum(file.stat().st_size for file in (path / "snapshots").iterdir()) < size
    store = RunStore.open(path, "r")
    assert same_values(every_array(store.root()), before)
    assert store.completed_cycles().size == CYCLES + 1
    with pytest.raises(StoreError, match="it was compacted"):
        store.read_restart(earlier)
    with pytest.raises(StoreError, match="cannot be compacted now"):
        store.compact()


def test_what_is_no_run_store(tmp_path: Path, run: Path) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("text")
    zarr.create_group(tmp_path / "zarr")
    other = icechunk.Repository.create(icechunk.local_filesystem_storage(str(tmp_path / "icechunk")))
    session = other.writable_session("main")
    zarr.create_group(session.store)
    session.commit("other")
    icechunk.Repository.create(icechunk.local_filesystem_storage(str(tmp_path / "begun")))
    for name, words in {
        "absent": "path does not exist",
        "file": "is a file, not a run store",
        "folder": "is neither a run store nor a release store",
        "zarr": "is neither a run store nor a release store",
        "icechunk": "is not a Kaiseki run store",
        "begun": "was interrupted and it holds nothing",
    }.items():
        with pytest.raises(StoreError, match=words) as caught:
            RunStore.open(tmp_path / name, "r")
        assert "\n" not in str(caught.value)
    for name in ("file", "folder", "zarr"):
        with pytest.raises(StoreError, match="new directory"):
            create(tmp_path / name, 1)
    assert (tmp_path / "folder" / "thesis.tex").exists()
    with pytest.raises(StoreError, match=r"There is a run store at .* already; resume it"):
        create(run, 1)
    with pytest.raises(StoreError, match="is not supported"):
        RunStore.open("https://example.org/run")
    with pytest.raises(StoreError, match="names no bucket"):
        RunStore.open("s3://")
    with pytest.raises(StoreError, match="options are for object stores"):
        RunStore.open(run, storage_options={"region": "x"})
    assert not RunStore.exists(tmp_path / "absent")
    assert not RunStore.exists(tmp_path / "begun")
    assert RunStore.exists(run)
    create(tmp_path / "begun", 1).close()
    assert RunStore.exists(tmp_path / "begun")


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    create(tmp_path / "run", 1).close()
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(tmp_path / "run")))
    session = repository.writable_session("main")
    zarr.open_group(session.store, mode="r+").attrs["schema_version"] = schema.SCHEMA_VERSION + 1
    session.commit("newer")
    with pytest.raises(StoreError, match="has schema version 2, and this Kaiseki reads up to 1"):
        RunStore.open(tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "axis", "words"),
    [
        ("{", times(1), "must be JSON"),
        ("{}", times(1)[::-1], "strictly rising"),
        ("{}", times(1)[:0], "strictly rising"),
    ],
)
def test_refusals_of_creation(tmp_path: Path, text: str, axis: np.ndarray, words: str) -> None:
    layout = Layout(experiment_json=text, domain=small_domain(), times=axis, cycle_times=cycle_times(1))
    with pytest.raises(StoreError, match=words):
        RunStore.create(tmp_path / "run", layout)
    assert not RunStore.exists(tmp_path / "run")


def test_diagnostics_as_json() -> None:
    given_values = {"a": np.float32(0.5), "b": np.array([1.0, np.nan]), "c": (True, None, math.inf), 4: START}
    assert json.loads(json.dumps(to_json(given_values))) == {
        "a": 0.5,
        "b": [1.0, None],
        "c": [True, None, None],
        "4": "1989-01-01T12:00:00Z",
    }
    with pytest.raises(StoreError, match="no form for a set"):
        to_json({"a": {1}})


names = st.text("abcxyz_ é", min_size=1, max_size=4).filter(lambda name: not name.startswith("__"))
numbers = st.one_of(npst.boolean_dtypes(), npst.integer_dtypes(endianness="="), npst.floating_dtypes(endianness="="))
instants = npst.datetime64_dtypes(max_period="D", min_period="ns", endianness="=")
arrays = npst.arrays(
    st.one_of(numbers.filter(lambda kind: kind.itemsize <= 8), instants),
    npst.array_shapes(min_dims=0, min_side=0, max_dims=3),
)
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text("aé\n", max_size=3), arrays)
trees = st.dictionaries(
    names, st.recursive(leaves, lambda inner: st.dictionaries(names, inner, max_size=3)), max_size=3
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=trees)
def test_any_restart_state_comes_back_bit_for_bit(tree: dict[str, Any]) -> None:
    repository = icechunk.Repository.create(icechunk.in_memory_storage())
    session = repository.writable_session("main")
    write_tree(zarr.create_group(session.store), tree)
    session.commit("restart")
    assert same_tree(tree, read_tree(zarr.open_group(repository.readonly_session("main").store, mode="r")))


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"a": {"b/c": 1}}, "has the key 'restart/a/b/c'"),
        ({"a": object()}, "restart/a of type object"),
        ({"a": np.array(["x"])}, "restart/a of type <U1"),
        ({"a": np.zeros(1, ">f4")}, "restart/a of type >f4"),
    ],
)
def test_refusals_of_restart(tree: dict[str, Any], words: str) -> None:
    with pytest.raises(StoreError, match=words):
        write_tree(zarr.create_group(zarr.storage.MemoryStore()), tree)


class AgainstAModel(RuleBasedStateMachine):
    """The store beside a list of what each complete cycle wrote."""

    longest = 5

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.complete: list[tuple[int, int, int]] = []
        self.store = create(self.folder / "run", self.longest)

    def write(self, seed: int, rows: int) -> Any:
        number = len(self.complete)
        end = cycle_times(self.longest)[number]
        transaction = self.store.cycle(end)
        writes = transaction.__enter__()
        writes.write_fields("analysis", end, {"temperature": field(seed)})
        writes.write_observations({"value": np.arange(rows) + seed})
        writes.write_restart({"theta": field(seed + 1), "rows": rows})
        return transaction

    @precondition(lambda self: len(self.complete) <= self.longest)
    @rule(seed=st.integers(0, 99), rows=st.integers(0, 3))
    def commit(self, seed: int, rows: int) -> None:
        self.write(seed, rows).__exit__(None, None, None)
        self.complete.append((seed, rows, len(self.complete)))

    @precondition(lambda self: len(self.complete) <= self.longest)
    @rule(seed=st.integers(0, 99), rows=st.integers(0, 3))
    def abort(self, seed: int, rows: int) -> None:
        assert not self.write(seed, rows).__exit__(RuntimeError, RuntimeError("left"), None)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = RunStore.open(self.folder / "run")

    @rule()
    def compact(self) -> None:
        self.store.compact()

    @rule()
    def create_again(self) -> None:
        self.store.close()
        with pytest.raises(StoreError, match="already"):
            create(self.folder / "run", self.longest)
        self.store = RunStore.open(self.folder / "run")

    @invariant()
    def agrees(self) -> None:
        done = len(self.complete)
        assert np.array_equal(self.store.completed_cycles(), cycle_times(self.longest)[:done])
        if not done:
            return
        seed, rows, number = self.complete[-1]
        assert same_tree({"theta": field(seed + 1), "rows": rows}, self.store.read_restart())
        seen = self.store.read_observations(cycle_times(self.longest)[number])
        assert seen is not None
        assert seen["value"].to_pylist() == [seed + row for row in range(rows)]
        fields = np.asarray(self.store.root()["analysis/temperature"][...])  # type: ignore[index]
        assert np.array_equal(fields[:done], np.stack([field(seed) for seed, _, _ in self.complete]))
        assert np.all(np.isnan(fields[done:]))

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)


TestAgainstAModel = AgainstAModel.TestCase
TestAgainstAModel.settings = settings(max_examples=5, stateful_step_count=10, deadline=None)


def list_of_nodes(store: RunStore) -> Path:
    """The file with the list of nodes of the newest commit."""
    return Path(store.where) / "snapshots" / store.snapshot()


def test_a_writer_keeps_nothing_of_older_commits(tmp_path: Path) -> None:
    """What it keeps it can read without the file."""
    with create(tmp_path / "run", 2) as store:
        write_cycle(store, 0)
        old, file = store.snapshot(), list_of_nodes(store)
        write_cycle(store, 1)
        file.unlink()
        with store.cycle(cycle_times(2)[2]), pytest.raises(icechunk.IcechunkError, match="not found"):
            zarr.open_group(store._repository.readonly_session(snapshot_id=old).store, mode="r")


def test_a_writer_reads_the_list_of_nodes_once(tmp_path: Path) -> None:
    """However long it is: of some hundred cycles here."""
    with create(tmp_path / "run", 1) as store:
        with store.cycle(START) as transaction:
            nodes = {f"more/{number}": zarr.core.group.GroupMetadata() for number in range(2_500)}
            assert len(list(zarr.create_hierarchy(store=transaction._root.store, nodes=nodes))) > 2_500
        with store.cycle(cycle_times(1)[1]) as transaction:
            transaction.write_fields("forecast", START + HOUR, forecast_fields(1))
            file = list_of_nodes(store)
            file.rename(tmp_path / "kept")
            transaction.write_fields("forecast", START + 2 * HOUR, forecast_fields(2))
            (tmp_path / "kept").rename(file)
    assert RunStore.open(tmp_path / "run", "r").completed_cycles().size == 2
