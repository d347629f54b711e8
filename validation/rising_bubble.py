"""A dry warm bubble in neutral air: the case with which Bryan and Fritsch (2002) prepare their moist one.

    python -m validation.rising_bubble

Neutral air of 300 K in 20 km x 10 km, a bubble 2 K warmer at its centre (radius 2 km, centre 2 km above the ground,
cos^2), 1000 s, 100 m spacing, walls without friction: Bryan and Fritsch (2002, Mon. Wea. Rev. 130, 2917-2928,
doi:10.1175/1520-0493(2002)130<2917:ABSFMN>2.0.CO;2), after Wicker and Skamarock (1998). Here the sides are periodic:
the bubble is symmetric and stands in the middle, so the sides are walls all the same. One row of cells in y. The
numerics are the model's defaults, the sponge under the model top is off.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np

from kaiseki.core.constants import GRAVITY, KAPPA, P0, R_DRY
from kaiseki.forecast.convert import balanced_pressure, to_state
from kaiseki.forecast.fields import Atmosphere
from kaiseki.forecast.model import Model, default_parameters
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.state import State
from kaiseki.grid.domain import Domain
from kaiseki.grid.plane import plane
from validation.shelf import FIGURES, Row, Source, at_least, at_most, record, within

CASE = "rising_bubble"
WIDTH, DEPTH = 20e3, 10e3
THETA = 300.0
REFERENCE = ReferenceProfile(warm=300.0, cold=104.8, scale=20e3, surface_pressure=P0)
"""The lapse of neutral air at the ground, less aloft: 21 K from it at the model top."""
PAPER = Source(
    "Bryan and Fritsch (2002), figure 1 (dry, 1000 s, 100 m), as quoted by mmbell/Scythe.jl "
    "(benchmarks/reference_data/expected_values.jl)",
    "published",
    "tolerances fixed before the first run: other schemes for advection at 100 m, twice the spacing at 200 m",
)
LAW = Source("conservation law in flux form between walls", "law", "round-off of float64 and float32")
PRECISION = Source("the same run in double precision", "law", "1 %: a fifth of the tolerance of what is compared")


@dataclass(frozen=True)
class Extremes:
    """Largest and smallest potential temperature perturbation (K) and vertical velocity (m/s) at the end, relative
    drift of the totals of mass and of density x potential temperature; fields (z, x)."""

    theta: tuple[float, float]
    w: tuple[float, float]
    drift: tuple[float, float]
    fields: dict[str, np.ndarray]


def slice_model(spacing: float, dtype: type = np.float32, levels: int | None = None) -> Model:
    """The 20 km x 10 km slice, periodic, without the sponge; one row of cells."""
    n, nz = round(WIDTH / spacing), levels or round(DEPTH / spacing)
    domain = plane(np.zeros((1, n)), np.linspace(0.0, DEPTH, nz + 1), spacing)
    parameters = dataclasses.replace(default_parameters(spacing, 1.0, lateral="periodic"), damping_rate=0.0)
    return Model.make(domain, REFERENCE, parameters, dtype=dtype)


def hump(domain: Domain) -> np.ndarray:
    """cos^2 of the bubble, 1 at its centre; (z, y, x)."""
    x = (np.arange(domain.nx) + 0.5) * domain.spacing - 0.5 * domain.nx * domain.spacing
    distance = np.sqrt((x / 2000.0) ** 2 + ((domain.z - 2000.0) / 2000.0) ** 2)
    return np.where(distance < 1.0, np.cos(0.5 * np.pi * distance) ** 2, 0.0)


def base_pressure(domain: Domain, density_temperature: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Pressure (Pa) of a column at rest in the core's discrete balance, P0 at the ground, where the density temperature
    (K) follows from the pressure; (z, y, x)."""
    h = np.diff(domain.z_half, axis=0)
    p = REFERENCE.pressure(domain.z)
    for _ in range(40):
        t = density_temperature(p)
        lowest = P0 * np.exp(-GRAVITY * domain.z[0] / (R_DRY * t[0]))
        new = balanced_pressure(t, lowest, domain.z, h, REFERENCE)
        done, p = bool(np.abs(new - p).max() < 1e-7), new
        if done:
            break
    return p


def start(model: Model) -> State:
    """The bubble at the pressure of the air around it, not balanced in itself."""
    domain = model.domain
    p = base_pressure(domain, lambda p: THETA * (p / P0) ** KAPPA)
    temperature = (THETA + 2.0 * hump(domain)) * (p / P0) ** KAPPA
    zero = np.zeros(domain.shape)
    air = Atmosphere.from_dict({"u": zero, "v": zero, "temperature": temperature, "pressure": p})
    return to_state(air, domain, REFERENCE, model.metrics, balance=False)


def totals(state: State, model: Model) -> np.ndarray:
    """Sums of mass and of density x potential temperature, added in double precision."""
    m = model.metrics
    parts = ((m.volume * m.rho_ref, state.drho), (m.volume * m.rt_ref, state.drt))
    return np.array([np.asarray(a, float).sum() + np.asarray(b, float).sum() for a, b in parts])


def rise(spacing: float = 100.0, seconds: float = 1000.0, dtype: type = np.float32) -> Extremes:
    """Run the case."""
    model = slice_model(spacing, dtype)
    first = start(model)
    last = model.advance(first, None, seconds)
    air = model.atmosphere(last)
    theta = np.asarray(air.temperature * (P0 / air.pressure) ** KAPPA, float)[:, 0] - THETA
    mass = np.asarray(model.metrics.volume * model.metrics.rho_ref + last.drho, float)[:, 0]
    density = mass / np.diff(model.domain.z_half[:, 0], axis=0)
    w_half = np.asarray(last.rw, float)[1:-1, 0] / (0.5 * (density[1:] + density[:-1]))
    drift = totals(last, model) / totals(first, model) - 1.0
    return Extremes(
        (float(theta.max()), float(theta.min())),
        (float(w_half.max()), float(w_half.min())),
        (float(abs(drift[0])), float(abs(drift[1]))),
        {"theta": theta, "w": np.asarray(air.w, float)[:, 0], "z": model.domain.z[:, 0, 0]},
    )


def figure(fine: Extremes, coarse: Extremes, name: str, label: str, levels: np.ndarray) -> None:
    """Perturbation and vertical velocity at the end, two spacings."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(2, 2, figsize=(9.2, 6.6), sharex=True, sharey=True, layout="constrained")
    for column, (run, title) in enumerate(((fine, "100 m"), (coarse, "200 m"))):
        nx = run.fields["theta"].shape[1]
        x = ((np.arange(nx) + 0.5) / nx - 0.5) * WIDTH / 1e3
        z = run.fields["z"] / 1e3
        top = axes[0, column].contourf(x, z, run.fields["theta"], levels, cmap="RdBu_r", extend="both")
        axes[0, column].set_title(f"{title}: {run.theta[1]:.3f} to {run.theta[0]:.3f} K", fontsize=10)
        low = axes[1, column].contourf(x, z, run.fields["w"], np.arange(-16, 17, 2), cmap="PuOr_r", extend="both")
        axes[1, column].set_title(f"{title}: {run.w[1]:.2f} to {run.w[0]:.2f} m/s", fontsize=10)
        axes[1, column].set_xlabel("x (km)")
    for axis in axes.flat:
        axis.set(xlim=(-6, 6), ylim=(0, 10), aspect="equal")
    for axis in axes[:, 0]:
        axis.set_ylabel("z (km)")
    fig.colorbar(top, ax=axes[0], label=label)
    fig.colorbar(low, ax=axes[1], label="w (m/s)")
    FIGURES.mkdir(exist_ok=True)
    fig.savefig(FIGURES / f"{name}.png", dpi=90)


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    fine, coarse = rise(100.0, dtype=np.float64), rise(200.0, dtype=np.float64)
    single = rise(100.0)
    rows: list[Row] = [
        within(CASE, "largest theta' at 1000 s, 100 m (K)", fine.theta[0], 2.07178, PAPER, 0.05),
        at_least(CASE, "smallest theta' at 1000 s, 100 m (K)", fine.theta[1], -0.144409, PAPER),
        within(CASE, "largest w at 1000 s, 100 m (m/s)", fine.w[0], 14.5396, PAPER, 0.05),
        within(CASE, "smallest w at 1000 s, 100 m (m/s)", fine.w[1], -8.58069, PAPER, 0.05),
        within(CASE, "largest w at 1000 s, 200 m (m/s)", coarse.w[0], 14.5396, PAPER, 0.15),
        at_most(CASE, "drift of the mass, float64", fine.drift[0], 1e-13, LAW),
        at_most(CASE, "drift of density x theta, float64", fine.drift[1], 1e-13, LAW),
        at_most(CASE, "drift of the mass, float32", single.drift[0], 1e-6, LAW),
        at_most(CASE, "drift of density x theta, float32", single.drift[1], 1e-6, LAW),
        within(CASE, "largest w, float32 against float64 (m/s)", single.w[0], fine.w[0], PRECISION, 0.01),
    ]
    record(rows)
    figure(fine, coarse, CASE, "θ′ (K)", np.arange(-2.2, 2.3, 0.4))


if __name__ == "__main__":
    main()
