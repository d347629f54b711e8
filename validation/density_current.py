"""The nonlinear density current of Straka et al. (1993, Int. J. Numer. Meth. Fluids 17, 1-22,
doi:10.1002/fld.1650170103).

Neutral air of 300 K, an ellipse 15 K colder (in temperature, at unchanged pressure) falls and spreads along the ground;
a viscosity of 75 m2/s on wind and potential temperature makes the solution converge. After 900 s the front, where the
potential temperature is 1 K below the surroundings at the ground, and the extremes are compared with the paper's
reference run of 25 m (tables IV and V, compared with their quotation in a public benchmark). The set-up was confirmed
against the same case in EPIC (straka_2d.f90) and SCALE.

    python -m validation.density_current
"""

from __future__ import annotations

import dataclasses
import time

import jax.numpy as jnp
import numpy as np
from jax import Array

from kaiseki.core.constants import KAPPA, P0
from kaiseki.forecast.dynamics.acoustic import Slow
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.model import Model
from kaiseki.forecast.state import State
from kaiseki.grid.plane import plane
from validation.shelf import FIGURES, Row, Source, record, within
from validation.slices import ConstantStability, run, start

LENGTH, HEIGHT, SECONDS = 51.2e3, 6.4e3, 900.0
THETA, VISCOSITY = 300.0, 75.0
_REASON = "tolerances fixed before the first run: the runs here are four and eight times coarser than the reference"
_QUOTED = "as quoted by mmbell/Scythe.jl (benchmarks/reference_data/expected_values.jl)"
EXTREMES = Source(f"Straka et al. (1993), table V, REFC (25 m), {_QUOTED}", "published", _REASON)
FRONT = Source(f"Straka et al. (1993), table IV, REFC25 (25 m, sampled at 200 m), {_QUOTED}", "published", _REASON)
PUBLISHED = {
    "front (m)": 15537.44,
    "least theta' (K)": -9.77,
    "largest u (m/s)": 36.46,
    "least u (m/s)": -15.19,
    "largest w (m/s)": 12.93,
    "least w (m/s)": -15.95,
}
SHARES = {100.0: 0.10, 200.0: 0.20}
"""By how much the extremes may differ at each spacing (m), fixed before the first run; the front by a quarter of it."""


def viscosity(state: State, rest: Slow, metrics: Metrics, given: Array) -> Slow:
    """Tendencies of nu laplace(q) of u, w and theta on a flat, uniform, periodic slice; no stress and no flux of heat
    at ground and model top."""
    nu, dz = given
    dx2, dz2 = metrics.spacing**2, dz**2

    def along_x(q: Array) -> Array:
        return (jnp.roll(q, 1, -1) - 2.0 * q + jnp.roll(q, -1, -1)) / dx2

    def along_z(q: Array) -> Array:
        return (q[2:] - 2.0 * q[1:-1] + q[:-2]) / dz2

    def closed(q: Array) -> Array:
        return jnp.concatenate([q[:1], q, q[-1:]])

    mass = metrics.volume * metrics.rho_ref + state.drho
    theta = (state.drt - THETA * state.drho) / mass  # minus 300 K
    mass_u = 0.5 * (mass + jnp.roll(mass, 1, -1))
    u = state.ru[..., :-1] / mass_u
    force = nu * mass_u * (along_x(u) + along_z(closed(u)))
    rho = 0.5 * (mass[1:] + mass[:-1]) / dz
    w = jnp.pad(state.rw[1:-1] / rho, [(1, 1), (0, 0), (0, 0)])
    return dataclasses.replace(
        rest,
        ru=jnp.concatenate([force, force[..., :1]], axis=-1),
        rw=jnp.pad(nu * rho * (along_x(w[1:-1]) + along_z(w)), [(1, 1), (0, 0), (0, 0)]),
        drt=nu * mass * (along_x(theta) + along_z(closed(theta))),
    )


def simulate(dx: float, seconds: float = SECONDS) -> dict[str, np.ndarray]:
    """theta' (K) and w (m/s) at cell centres, u on the faces, (z, x), in the right half, at the end."""
    nx, nz = round(LENGTH / dx), round(HEIGHT / dx)
    domain = plane(np.zeros((1, nx)), np.linspace(0.0, HEIGHT, nz + 1), dx)
    p = DynamicsParameters(
        time_step=dx / 100.0, acoustic_substeps=6, lateral="periodic", damping_rate=0.0, momentum_diffusion=0.0
    )
    model = Model.make(domain, ConstantStability(warm=THETA), p)
    x, z = (np.arange(nx) + 0.5) * dx - 0.5 * LENGTH, domain.z
    distance = np.sqrt((x / 4000.0) ** 2 + ((z - 3000.0) / 2000.0) ** 2)
    cooling = np.where(distance < 1.0, -7.5 * (1.0 + np.cos(np.pi * distance)), 0.0)
    given = (jnp.asarray(VISCOSITY, jnp.float32), jnp.asarray(dx, jnp.float32))
    state = run(model, start(model, 0.0, cooling), seconds, given, forcing=viscosity)
    air = model.atmosphere(state)
    theta = np.asarray(air.temperature, dtype=float) * (P0 / np.asarray(air.pressure, dtype=float)) ** KAPPA
    half = slice(nx // 2, None)
    return {
        "x": x[half],
        "z": z[:, 0, 0],
        "theta": theta[:, 0, half] - THETA,
        "u": np.asarray(air.u)[:, 0, half],
        "w": np.asarray(air.w)[:, 0, half],
    }


def measures(fields: dict[str, np.ndarray]) -> dict[str, float]:
    """The quantities of the paper's table, by the names of `PUBLISHED`."""
    x, ground = fields["x"], fields["theta"][0]
    i = int(np.flatnonzero(ground <= -1.0)[-1])
    front = x[i] + (x[i + 1] - x[i]) * (-1.0 - ground[i]) / (ground[i + 1] - ground[i])
    u, w = fields["u"], fields["w"]
    values = (front, fields["theta"].min(), u.max(), u.min(), w.max(), w.min())
    return dict(zip(PUBLISHED, (float(v) for v in values), strict=True))


def _draw(fields: dict[float, dict[str, np.ndarray]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(len(fields), 1, figsize=(8.6, 2.3 * len(fields)), sharex=True, layout="constrained")
    for axis, (dx, f) in zip(axes, fields.items(), strict=True):
        shown = axis.contourf(f["x"] / 1e3, f["z"] / 1e3, f["theta"], np.arange(-10.0, 0.1, 0.5), cmap="Blues_r")
        axis.contour(f["x"] / 1e3, f["z"] / 1e3, f["theta"], [-1.0], colors="k", linewidths=0.7)
        front = measures(f)["front (m)"] / 1e3
        axis.axvline(PUBLISHED["front (m)"] / 1e3, color="C3", linewidth=1.0)
        axis.set(ylabel="z (km)", ylim=(0.0, 4.0), xlim=(0.0, 19.2))
        axis.set_title(f"{dx:g} m: front at {front:.2f} km (published, 25 m: red line)", fontsize=10)
    axes[-1].set_xlabel("x (km)")
    fig.colorbar(shown, ax=axes, label="potential temperature minus 300 K (K)", pad=0.01)
    fig.savefig(FIGURES / "density_current.png", dpi=110)


def main() -> None:
    rows: list[Row] = []
    fields = {}
    for dx in (200.0, 100.0):
        begin = time.perf_counter()
        fields[dx] = simulate(dx)
        found = measures(fields[dx])
        print(dx, found, f"{time.perf_counter() - begin:.0f} s", flush=True)
        for name, value in found.items():
            source, part = (FRONT, 0.25) if name.startswith("front") else (EXTREMES, 1.0)
            text = f"{name} at {dx:g} m"
            rows.append(within("density_current", text, value, PUBLISHED[name], source, part * SHARES[dx]))
    FIGURES.mkdir(exist_ok=True)
    _draw(fields)
    record(rows)


if __name__ == "__main__":
    main()
