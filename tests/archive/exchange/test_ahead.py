"""Reading for files: each part once, many times together, and never more than fits into memory.

What can go wrong:
- a part is left out or written twice, or its times come in another order;
- every time is read by itself, so that a chunk that holds a day is unpacked once for each of its hours;
- a whole archive is read into memory at once.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.exchange.grib2_cases import UPPER
from archive.exchange.grib2_cases import on_map as at_two_times
from archive.selection.grids import on_map
from kaiseki.archive.exchange import ahead
from kaiseki.archive.exchange.climcore import write_single_fields
from kaiseki.archive.exchange.grib2 import write_grib2
from kaiseki.archive.exchange.netcdf import write_netcdf
from kaiseki.archive.exchange.source import Source
from kaiseki.archive.selection.lazy import computed, values


def counted(dataset: xr.Dataset) -> tuple[xr.Dataset, dict[str, int]]:
    """The dataset with fields that count how often they are read."""
    reads: dict[str, int] = {}

    def hidden(name: str, source: xr.Variable) -> xr.Variable:
        def part(key: dict[Any, Any]) -> np.ndarray:
            reads[name] = reads.get(name, 0) + 1
            return values(source, key)

        return computed(source.sizes, source.dtype, part, source.attrs)

    fields = {n: hidden(str(n), one.variable) for n, one in dataset.data_vars.items() if one.dtype.kind == "f"}
    return dataset.assign(fields), reads


@settings(max_examples=80, deadline=None)
@given(
    hours=st.integers(1, 60),
    start=st.integers(0, 23),
    levels=st.integers(0, 5),
    plane=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    limit=st.integers(4, 4000),
)
def test_parts_hold_everything_once_and_fit(
    hours: int, start: int, levels: int, plane: tuple[int, int], limit: int
) -> None:
    axis = np.datetime64("1989-01-01T00", "h") + np.arange(start, start + hours)
    sizes = {"time": hours} | ({"level": levels} if levels else {}) | {"y": plane[0], "x": plane[1]}
    seen = np.zeros(tuple(sizes.values()), int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "BLOCK", limit)
        parts = list(ahead.blocks(sizes, 4, {"time": ahead.days_along(axis)}))
    for part in parts:
        chosen = seen[tuple(part.get(name, slice(None)) for name in sizes)]
        chosen += 1
        one_map = chosen.shape[0] == 1 and math.prod(chosen.shape[1:]) == math.prod(plane)
        assert 4 * chosen.size <= limit or one_map
    assert np.all(seen == 1)
    assert [part["time"].start for part in parts] == sorted(part["time"].start for part in parts)


@pytest.mark.parametrize("limit", [None, 40_000])
def test_hours_of_a_day_are_read_together_for_netcdf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    if limit is not None:
        monkeypatch.setattr(ahead, "BLOCK", limit)
    source = on_map({"temperature": lambda x, y, z, t: 280.0 + t + 0.0 * (x + y + z)}, hours=60, dtype=np.float32)
    lazy, reads = counted(source)
    path = write_netcdf(lazy, tmp_path / "a.nc")
    with xr.open_dataset(path, engine="h5netcdf") as found:
        np.testing.assert_array_equal(found["temperature"], source["temperature"])
    # 12 hours of the first day on 4 and 2 levels, two days on 2 levels at a time.
    assert reads["temperature"] == (1 if limit is None else 2 + 3 + 3)


def test_hours_of_a_day_are_read_together_for_files_of_single_times(tmp_path: Path) -> None:
    source = on_map({"temperature": lambda x, y, z, t: 280.0 + t + 0.0 * (x + y + z)}, hours=30, dtype=np.float32)
    lazy, reads = counted(source)
    written = write_single_fields(Source(lazy, "a dataset"), tmp_path / "out")
    for number, file in enumerate(written.files):
        with xr.open_dataset(file, engine="h5netcdf") as found:
            np.testing.assert_array_equal(found["T"][0], source["temperature"][number])
    assert len(written.files) == 30
    assert reads["temperature"] == 2


def test_hours_of_a_day_are_read_together_for_grib(tmp_path: Path) -> None:
    source = at_two_times(UPPER)
    lazy, reads = counted(source)
    whole = write_grib2(source, tmp_path / "whole.grib2", "pressure", grid="own")
    write_grib2(lazy, tmp_path / "lazy.grib2", "pressure", grid="own")
    assert whole[0].fields == 28
    assert (tmp_path / "lazy.grib2").read_bytes() == (tmp_path / "whole.grib2").read_bytes()
    assert set(reads.values()) == {1}
