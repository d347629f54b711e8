"""Rates of the microphysics against what single particles do, summed numerically over the size distribution.

Failure modes: a factor missing in an integral over the distribution; heat or vapour of a melting flake forgotten; rates
at a wrong density; a branch chosen on the wrong side of the melting point.
"""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import dblquad, quad

from idealised.atmospheres import columns, interfaces
from kaiseki.config.physics import Microphysics
from kaiseki.core.constants import (
    C_LIQUID,
    CP_DRY,
    FREEZING,
    LATENT_FUSION,
    LATENT_SUBLIMATION,
    LATENT_VAPORISATION,
    R_VAPOUR,
)
from kaiseki.diagnostics import saturation
from kaiseki.forecast.physics.columns import Columns, Water
from kaiseki.forecast.physics.microphysics import microphysics

P = Microphysics()
step = jax.jit(microphysics, static_argnums=(1, 2))
SHORT = 1e-3
"""s: so short a step that changes are rates."""

# Properties of air at 0 degC (Rogers and Yau 1989, table 7.1) and densities, as the papers give them.
CONDUCTIVITY, VISCOSITY, SCHMIDT, RHO_0 = 0.0243, 1.72e-5, 0.6, 1.28


@dataclasses.dataclass(frozen=True)
class Kind:
    """Spheres with the exponential distribution N0 exp(-lambda D) and the speed a D^b (rho0/rho)^(1/2)."""

    content: float
    bulk: float
    intercept: float
    a: float
    b: float

    @property
    def slope(self) -> float:
        """lambda, m-1."""
        return float((math.pi * self.bulk * self.intercept / self.content) ** 0.25)

    def speed(self, d: float, rho: float) -> float:
        """m/s."""
        return float(self.a * d**self.b * math.sqrt(RHO_0 / rho))

    def ventilation(self, d: float, rho: float, still: float, moving: float) -> float:
        """Factor of the diffusion to a particle of diameter d (m) that falls."""
        reynolds = self.speed(d, rho) * d * rho / VISCOSITY
        return still + moving * SCHMIDT ** (1 / 3) * math.sqrt(reynolds)

    def mean_speed(self, rho: float) -> float:
        """Mass-weighted, m/s."""
        return self.sum(lambda d: d**3 * self.speed(d, rho)) / self.sum(lambda d: d**3)

    def sum(self, f: object) -> float:
        """Integral of f(D) over the particles, m-3."""
        scale = self.slope

        def density(x: float) -> float:
            return float(f(x / scale)) * self.intercept * math.exp(-x) / scale  # type: ignore[operator]

        return float(quad(density, 0.0, 50.0, limit=200, epsabs=0.0, epsrel=1e-10)[0])


def rain(content: float) -> Kind:
    return Kind(content, 1000.0, 8e6, 841.9, 0.8)


def snow(content: float, t: float) -> Kind:
    return Kind(content, 100.0, 2e6 * math.exp(0.12 * max(FREEZING - t, 0.0)), 11.72, 0.41)


def air(t: float, humidity: float, ice: bool = False, **water: float) -> tuple[Columns, float, float, float]:
    """One layer at t (K) of given relative humidity over water or ice, contents of condensate in kg m-3; its pressure,
    density and vapour."""
    c = columns("winter", interfaces(8, 22000.0, 1500.0), dtype=np.float64)
    c = jax.tree.map(lambda a: a[1:2], c)
    p, rho = float(c.pressure[0, 0, 0]), float(c.density[0, 0, 0])
    saturated = saturation.mixing_ratio((saturation.over_ice if ice else saturation.over_water)(np.asarray(t)), p)
    rv = humidity * float(saturated)
    full = {name: jnp.full_like(c.temperature, water.get(name, 0.0) / rho) for name in ("rc", "rr", "ri", "rs")}
    c = dataclasses.replace(
        c, temperature=jnp.full_like(c.temperature, t), water=Water(jnp.full_like(c.temperature, rv), **full)
    )
    return c, p, rho, rv


def rates(c: Columns, p: Microphysics = P) -> dict[str, float]:
    """Changes per second of temperature and mixing ratios in a acoustic sub-step, what falls out apart."""
    t, w, *_ = step(c, SHORT, p)
    found = {name: float(getattr(w, name)[0, 0, 0] - getattr(c.water, name)[0, 0, 0]) for name in vars(w)}
    found["t"] = float(t[0, 0, 0] - c.temperature[0, 0, 0])
    return {name: change / SHORT for name, change in found.items()}


def fallout(kind: Kind, c: Columns, rho: float) -> float:
    """Mixing ratio that leaves the layer per second."""
    return kind.content / rho * kind.mean_speed(rho) / float(c.thickness[0, 0, 0])


def diffusivity(t: float, p: float) -> float:
    """Of vapour in air, m2/s (Hong et al. 2004)."""
    return float(8.794e-5 * t**1.81 / p)


def surface_ratio(p: float) -> float:
    """Mixing ratio of vapour at the surface of melting ice."""
    return float(saturation.mixing_ratio(saturation.over_ice(np.asarray(FREEZING)), p))


@pytest.mark.parametrize(("warmth", "humidity"), [(1.0, 0.97), (1.0, 1.0), (4.0, 0.85), (4.0, 1.0)])
@pytest.mark.parametrize("content", [2e-5, 5e-4])
def test_melting_flakes(x64: None, content: float, warmth: float, humidity: float) -> None:
    """A wet sphere at 0 degC: heat conducted and of the vapour that condenses on it melts it (Lin et al. 1983, eq.
    32)."""
    t = FREEZING + warmth
    c, p, rho, rv = air(t, humidity, rs=content)
    flakes, diffused = snow(content, t), diffusivity(t, p)
    heat = CONDUCTIVITY * warmth + LATENT_VAPORISATION * diffused * rho * (rv - surface_ratio(p))
    exchange = flakes.sum(lambda d: 2.0 * math.pi * d * flakes.ventilation(d, rho, 0.65, 0.44))
    melted = exchange * heat / LATENT_FUSION / rho
    evaporated = exchange * diffused * (surface_ratio(p) - rv)
    assert melted > max(evaporated, 0.0)
    got = rates(c)
    assert got["rs"] == pytest.approx(-melted - fallout(flakes, c, rho), rel=1e-3)
    assert got["rv"] == pytest.approx(evaporated, rel=1e-3)
    assert got["rr"] == pytest.approx(melted - evaporated, rel=1e-3)
    assert got["t"] == pytest.approx(-exchange * CONDUCTIVITY * warmth / (rho * CP_DRY), rel=1e-3)


def test_flakes_in_warm_dry_air_stay_frozen(x64: None) -> None:
    """Where a flake evaporates more heat than it is given it is colder than 0 degC and does not melt."""
    t, content = FREEZING + 2.0, 2e-4
    c, p, rho, rv = air(t, 0.5, rs=content)
    diffused = diffusivity(t, p)

    def balance(at: float) -> float:
        over = float(saturation.mixing_ratio(saturation.over_ice(np.asarray(at)), p))
        return CONDUCTIVITY * (t - at) - LATENT_SUBLIMATION * diffused * rho * (over - rv)

    assert balance(FREEZING) < 0.0
    got = rates(c)
    assert got["rr"] == 0.0
    assert got["rv"] > 0.0
    assert got["t"] == pytest.approx(-LATENT_SUBLIMATION / CP_DRY * got["rv"], rel=1e-6)


@pytest.mark.parametrize("cloud", [0.0, 3e-4])
@pytest.mark.parametrize("drizzle", [0.0, 2e-4])
def test_collected_water_melts_flakes(x64: None, cloud: float, drizzle: float) -> None:
    """Water that a wet flake collects gives what it is warmer than 0 degC (Lin et al. 1983, eq. 32)."""
    warmth, content = 5.0, 3e-4
    t = FREEZING + warmth
    c, _, rho, _ = air(t, 1.0, rs=content)
    water = dataclasses.replace(
        c.water, rc=jnp.full_like(c.temperature, cloud / rho), rr=jnp.full_like(c.temperature, drizzle / rho)
    )
    flakes = snow(content, t)
    swept = P.collection_liquid * cloud * flakes.sum(lambda d: 0.25 * math.pi * d**2 * flakes.speed(d, rho))
    if drizzle:
        drops = rain(drizzle)
        meet = abs(drops.mean_speed(rho) - flakes.mean_speed(rho))

        def pairs(x: float, y: float) -> float:
            d, f = x / drops.slope, y / flakes.slope
            number = drops.intercept * flakes.intercept * math.exp(-x - y) / (drops.slope * flakes.slope)
            return 0.25 * math.pi * (d + f) ** 2 * meet * (math.pi / 6.0 * drops.bulk * d**3) * number

        swept += dblquad(pairs, 0.0, 40.0, 0.0, 40.0, epsabs=0.0, epsrel=1e-6)[0]
    wetter, plain = rates(dataclasses.replace(c, water=water)), rates(c)
    cooling = C_LIQUID * warmth * swept / (rho * CP_DRY)
    assert plain["t"] - wetter["t"] == pytest.approx(cooling, rel=2e-3, abs=1e-9)


def test_evaporating_drops(x64: None) -> None:
    """Diffusion to a drop at the temperature at which conduction brings what evaporation takes (Mason)."""
    t, content = 288.0, 2e-4
    c, p, rho, rv = air(t, 0.7, rr=content)
    drops, saturated = rain(content), rv / 0.7
    resistance = LATENT_VAPORISATION**2 / (CONDUCTIVITY * R_VAPOUR * t**2) + 1.0 / (rho * saturated * diffusivity(t, p))
    lost = drops.sum(lambda d: 2.0 * math.pi * d * drops.ventilation(d, rho, 0.78, 0.31) * 0.3 / resistance) / rho
    assert rates(c)["rv"] == pytest.approx(lost, rel=1e-3)


@pytest.mark.parametrize("humidity", [0.8, 1.02])
def test_sublimating_and_growing_plates(x64: None, humidity: float) -> None:
    """A thin disc of diameter D has the capacitance D / pi (Hong et al. 2004, A.13)."""
    t, content = 262.0, 2e-4
    # Without liquid or ice cloud the air may be supersaturated over ice: below saturation of the mixture.
    c, p, rho, rv = air(t, humidity, ice=True, rs=content)
    flakes, saturated = snow(content, t), rv / humidity
    resistance = LATENT_SUBLIMATION**2 / (CONDUCTIVITY * R_VAPOUR * t**2) + 1.0 / (rho * saturated * diffusivity(t, p))
    moved = flakes.sum(lambda d: 4.0 * d * flakes.ventilation(d, rho, 0.65, 0.44)) * (1.0 - humidity) / resistance / rho
    mixed = float(saturation.mixing_ratio(saturation.saturation_vapour_pressure(np.asarray(t)), p))
    assert rv < mixed
    assert rates(c)["rv"] == pytest.approx(moved, rel=1e-3)


@pytest.mark.parametrize("t", [258.0, 268.0])
def test_freezing_drops(x64: None, t: float) -> None:
    """Drops freeze with a probability that goes with their volume (Bigg 1953)."""
    content = 2e-4
    c, _, rho, _ = air(t, 0.9, rr=content)
    c = dataclasses.replace(c, water=dataclasses.replace(c.water, rv=0.9 * c.water.rv))
    drops = rain(content)
    nuclei = 100.0 * math.expm1(0.66 * (FREEZING - t))
    frozen = drops.sum(lambda d: (math.pi / 6.0 * d**3) ** 2 * 1000.0 * nuclei) / rho
    got = rates(c)
    assert got["rs"] == pytest.approx(frozen, rel=1e-3)


def test_autoconversion_and_accretion(x64: None) -> None:
    """Droplets become rain, and rain collects them (Khairoutdinov and Kogan 2000, eqs. 29 and 33)."""
    content, cloud = 2e-4, 5e-4
    c, _, rho, _ = air(285.0, 1.0, rr=content, rc=cloud)
    auto = 1350.0 * (cloud / rho) ** 2.47 * 100.0**-1.79
    accretion = 67.0 * (cloud / rho * content / rho) ** 1.15
    assert rates(c)["rc"] == pytest.approx(-auto - accretion, rel=1e-3)
