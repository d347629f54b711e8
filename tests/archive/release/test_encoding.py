"""Packing: could break by errors above the bound, by wrapped integers, by lost or made missing values."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis.extra.numpy import arrays

from kaiseki.archive.release.encoding import archive_codecs, browser_codecs, largest_error, pack, packing_of, unpack
from kaiseki.core.errors import InputError
from kaiseki.core.variables import VARIABLES

PACKED = [name for name, row in VARIABLES.items() if row.bound > 0]


@pytest.mark.parametrize("bounds", ["tight", "user"])
@pytest.mark.parametrize("name", PACKED)
def test_every_row_of_the_table_keeps_its_bound_over_its_whole_range(name: str, bounds: str) -> None:
    row = VARIABLES[name]
    packing = packing_of(row, bounds)  # type: ignore[arg-type]
    assert packing is not None
    assert packing.bound == (row.bound if bounds == "tight" else row.user_bound)
    ends = np.array([row.low, row.high, 0.0 if row.low <= 0.0 else row.low], np.float32)
    inside = np.random.default_rng(1).uniform(row.low, row.high, 20_000).astype(np.float32)
    field = np.concatenate([ends, inside])
    error = np.abs(field.astype(float) - unpack(pack(field, packing), packing)).max()
    assert error <= packing.bound
    # No more digits than needed: the step is not far below twice the bound.
    assert error > 0.9 * packing.bound


@given(
    st.sampled_from(PACKED),
    arrays(np.float32, (7,), elements=st.floats(0.0, 1.0, width=32) | st.just(float("nan"))),
)
def test_values_and_missing_ones_come_back(name: str, share: np.ndarray) -> None:
    row = VARIABLES[name]
    packing = packing_of(row, "tight")
    assert packing is not None
    field = np.clip(row.low + share * (row.high - row.low), row.low, row.high).astype(np.float32)
    packed = pack(field, packing)
    found = unpack(packed, packing)
    assert np.array_equal(np.isnan(found), np.isnan(field))
    assert np.nanmax(np.abs(found.astype(float) - field), initial=0.0) <= packing.bound
    assert largest_error(field, packed, packing) == np.nanmax(np.abs(found.astype(float) - field), initial=0.0)


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, 1000.0, -5.0])
def test_what_does_not_fit_is_refused_by_name_and_place(wrong: float) -> None:
    packing = packing_of(VARIABLES["temperature"], "tight")
    assert packing is not None
    field = np.full((2, 3), 280.0, np.float32)
    field[1, 2] = wrong
    with pytest.raises(InputError, match=r"temperature is .* at \(1, 2\), 1 of 6 values outside"):
        pack(field, packing)


def test_a_little_below_the_range_counts_as_the_end_of_it() -> None:
    packing = packing_of(VARIABLES["qc"], "tight")
    assert packing is not None
    assert packing.dtype == np.int32 or packing.dtype.kind == "u"
    assert np.all(unpack(pack(np.array([-5e-8], np.float32), packing), packing) == 0.0)


def test_nothing_is_packed_where_every_bit_is_wanted() -> None:
    assert packing_of(VARIABLES["temperature"], "lossless") is None
    assert packing_of(VARIABLES["height"], "tight") is None


@pytest.mark.parametrize("codecs", ["archive", "browser"])
def test_xarray_unpacks_the_same_without_our_client(tmp_path, codecs: str) -> None:
    for name in ("temperature", "qv", "eastward_wind"):
        packing = packing_of(VARIABLES[name], "tight")
        assert packing is not None
        row = VARIABLES[name]
        field = np.random.default_rng(2).uniform(row.low, row.high, (5, 6)).astype(np.float32)
        field[2, 3] = np.nan
        group = zarr.open_group(tmp_path / name, mode="w", zarr_format=3)
        array = group.create_array(
            name,
            shape=field.shape,
            dtype=packing.dtype,
            fill_value=packing.fill,
            dimension_names=("y", "x"),
            attributes=packing.attributes(),
            chunks=(5, 3),
            **(archive_codecs(packing, 2) if codecs == "archive" else browser_codecs()),
        )
        array[:] = pack(field, packing)
        found = xr.open_zarr(tmp_path / name, chunks=None, consolidated=False)[name]
        np.testing.assert_array_equal(found.values.astype(np.float32), unpack(pack(field, packing), packing))
