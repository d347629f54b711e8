"""The projection that is chosen for a place, over the whole Earth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.core.errors import ConfigError
from kaiseki.grid.domain import Domain
from kaiseki.grid.fitting import Fitted, fitted
from kaiseki.grid.presets import GridSpecification


def domain_of(fit: Fitted, latitude: float, spacing: float) -> Domain:
    return GridSpecification(
        "fitted",
        spacing,
        fit.shape,
        latitude,
        fit.central_longitude,
        (0.0, 100.0, 1000.0, 10_000.0, 20_000.0),
        4,
        projection=fit.projection,
        standard_parallels=fit.standard_parallels,
        central_longitude=fit.central_longitude,
    ).domain()


@pytest.mark.parametrize(
    ("latitude", "longitude", "projection"),
    [
        (36.0, 137.0, "lambert_conformal"),
        (50.0, 10.0, "lambert_conformal"),
        (38.5, -98.0, "lambert_conformal"),
        (-37.0, 147.0, "lambert_conformal"),
        (-18.0, 179.0, "mercator"),
        (0.0, 0.0, "mercator"),
        (78.5, 16.0, "polar_stereographic"),
        (-90.0, 0.0, "polar_stereographic"),
    ],
)
def test_projections_of_known_places(latitude: float, longitude: float, projection: str) -> None:
    fit = fitted(latitude, longitude, 2400e3, 1800e3, 50e3)
    assert fit.projection == projection
    assert fit.shape == (36, 48)
    domain = domain_of(fit, latitude, 50e3)
    assert float(np.abs(domain.map_factor - 1.0).max()) < 0.05
    j, i = domain.index(np.asarray(latitude), np.asarray(longitude))
    # Rows and columns count from the middle of the first cell.
    assert (float(j), float(i)) == pytest.approx((17.5, 23.5), abs=1e-6)


@given(st.floats(-90.0, 90.0), st.floats(-180.0, 360.0), st.floats(600.0, 4000.0), st.floats(600.0, 4000.0))
@settings(deadline=None, max_examples=200)
def test_any_place_has_a_grid_of_little_distortion(latitude: float, longitude: float, wide: float, high: float) -> None:
    fit = fitted(latitude, longitude, 1e3 * wide, 1e3 * high, 50e3)
    domain = domain_of(fit, latitude, 50e3)
    assert 0.85 < domain.map_factor.min() <= 1.0 + 1e-3
    assert 1.0 - 1e-3 <= domain.map_factor.max() < 1.25
    assert np.isfinite(domain.lat).all()
    assert np.isfinite(domain.rotation).all()


@pytest.mark.parametrize(
    ("place", "size", "message"),
    [
        ((91.0, 0.0), 1e6, "There is no place at latitude 91 and longitude 0; give the latitude first"),
        ((0.0, -200.0), 1e6, "There is no place"),
        ((10.0, 0.0), 2e7, "20000 x 20000 km is too large for one map"),
        ((80.0, 0.0), 2e7, "too large for one map"),
    ],
)
def test_what_is_no_grid_is_refused(place: tuple[float, float], size: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fitted(*place, size, size, 50e3)
