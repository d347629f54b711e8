"""Nesting of a Domain in another."""

from __future__ import annotations

import numpy as np
import pytest

from driving.cases import PlainDomain, Profile, hill
from kaiseki.core.errors import InputError
from kaiseki.driving import Nest, interpolate_atmosphere

WIDE = {"longitude": 135.0, "spacing": 120e3, "nx": 30, "ny": 26}
RANDOM = np.random.default_rng(11)


def fields_of(domain: PlainDomain, profile: Profile, humidity: float = 1e-4) -> dict[str, np.ndarray]:
    """Profile in balance by its closed form, wind of a solid-body rotation, some cloud."""
    from kaiseki.core.constants import VIRTUAL

    temperature = profile.temperature(domain.z) / (1.0 + VIRTUAL * humidity)
    u, v = domain.to_grid(30.0 * np.cos(np.radians(domain.lat)), 3.0 * np.ones_like(domain.lat))
    ones = np.ones(domain.shape)
    return {
        "u": u * ones,
        "v": v * ones,
        "w": 0.01 * ones,
        "temperature": temperature,
        "pressure": profile.pressure(domain.z),
        "qv": humidity * ones,
        "qc": 1e-5 * ones,
        "sst": 280.0 + 0.1 * domain.lat,
        "skin_temperature": 280.0 - 0.0065 * domain.terrain,
    }


def test_identity_reproduces_every_field() -> None:
    domain = PlainDomain(terrain_function=hill, nx=16, ny=14)
    fields = fields_of(domain, Profile(), humidity=1e-6)
    for name in ("u", "v", "w", "qc"):
        fields[name] = fields[name] + 1e-3 * RANDOM.normal(size=domain.shape)
    fields["qc"] = np.abs(fields["qc"])
    fields["temperature"] = fields["temperature"] + RANDOM.normal(size=domain.shape)
    fields["pressure"] = fields["pressure"] * (1.0 + 1e-4 * RANDOM.normal(size=domain.shape))
    result = interpolate_atmosphere(fields, domain, domain)
    for name, wanted in fields.items():
        np.testing.assert_allclose(result[name], wanted, rtol=1e-7, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("method", ["linear", "cubic"])
def test_linear_functions_of_place_are_reproduced(method: str) -> None:
    wide = PlainDomain(**WIDE)
    inner = PlainDomain(longitude=135.0, spacing=40e3, nx=20, ny=18)
    x, y = np.meshgrid(wide.x, wide.y)
    plane = lambda a, b: 2e-6 * a - 3e-6 * b + 5.0  # noqa: E731
    fields = fields_of(wide, Profile())
    fields["w"] = np.broadcast_to(plane(x, y), wide.shape)
    fields["sst"] = 280.0 + plane(x, y)
    result = Nest.build(wide, inner, method)(fields)
    xi, yi = np.meshgrid(inner.x, inner.y)
    np.testing.assert_allclose(result["w"], np.broadcast_to(plane(xi, yi), inner.shape), atol=1e-9)
    np.testing.assert_allclose(result["sst"], 280.0 + plane(xi, yi), atol=1e-9)


def test_east_and_north_wind_survive_the_change_of_frame() -> None:
    wide = PlainDomain(**WIDE)
    inner = PlainDomain(longitude=145.0, centre=138.0, spacing=40e3, nx=20, ny=18)
    assert np.abs(wide.projection.rotation(inner.lon) - inner.rotation).min() > 0.1
    result = interpolate_atmosphere(fields_of(wide, Profile()), wide, inner)
    east, north = inner.to_east_north(result["u"], result["v"])
    assert np.abs(east - 30.0 * np.cos(np.radians(inner.lat))).max() < 5e-3
    assert np.abs(north - 3.0).max() < 1e-6


@pytest.mark.parametrize(
    ("profile", "limit"),
    [(Profile(surface_temperature=270.0, lapse=0.0), 10.0), (Profile(), 10.0), (Profile(lapse=0.005), 20.0)],
    ids=["isothermal", "standard", "steeper than the reference"],
)
def test_mass_over_another_terrain(profile: Profile, limit: float) -> None:
    wide = PlainDomain(**WIDE, terrain_function=lambda lat, lon: 0.6 * hill(lat, lon))
    inner = PlainDomain(terrain_function=hill, spacing=40e3, nx=24, ny=20)
    result = interpolate_atmosphere(fields_of(wide, profile), wide, inner)
    assert np.abs(result["surface_pressure"] - profile.pressure(inner.terrain)).max() < limit
    assert np.abs(result["pressure"] - profile.pressure(inner.z)).max() < limit + 10.0
    troposphere = (inner.z < 9500.0) & (inner.z > inner.terrain + 1000.0)
    assert np.abs(result["temperature"] - profile.temperature(inner.z))[troposphere].max() < 0.2


def test_weights_are_reused_for_many_times() -> None:
    wide, inner = PlainDomain(**WIDE), PlainDomain(spacing=40e3, nx=12, ny=12)
    nest = Nest.build(wide, inner)
    fields = fields_of(wide, Profile())
    once, again = interpolate_atmosphere(fields, wide, inner), interpolate_atmosphere(fields, wide, inner, nest)
    for name in once:
        assert np.array_equal(once[name], again[name]), name


def test_refusals() -> None:
    wide, inner = PlainDomain(**WIDE), PlainDomain(spacing=40e3, nx=12, ny=12)
    fields = fields_of(wide, Profile())
    with pytest.raises(InputError, match="covers only"):
        Nest.build(inner, wide)
    with pytest.raises(InputError, match="lack qv"):
        interpolate_atmosphere({k: f for k, f in fields.items() if k != "qv"}, wide, inner)
    with pytest.raises(InputError, match="its domain"):
        interpolate_atmosphere(fields | {"u": fields["u"][:-1]}, wide, inner)
    with pytest.raises(InputError, match="highest level"):
        Nest.build(PlainDomain(**WIDE, top=15000.0), inner)
