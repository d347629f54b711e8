"""Expansion of sound and gravity waves in a channel against the exact linear solution.

Baldauf and Brdar (2013, Quart. J. Roy. Meteor. Soc. 139, 1977-1989, doi:10.1002/qj.2105): isothermal air of 250 K in a
periodic channel of 300 km x 10 km, a warm anomaly of 0.01 K and a half-width of 5 km at unchanged pressure, 30 minutes,
with a wind of 20 m/s, without wind, and with rotation. The set-up was confirmed against the same case in ICON
(mo_nh_bb13_exp.f90, by M. Baldauf). The exact solution follows the paper's idea: after Bretherton's transformation the
linear compressible equations have constant coefficients and the anomaly holds one vertical wavenumber only, so a matrix
exponential for each horizontal wavenumber is exact.

    python -m validation.inertia_gravity_wave
"""

from __future__ import annotations

import dataclasses
import time

import jax
import numpy as np
from scipy.linalg import expm

from kaiseki.core.constants import CP_DRY, CV_DRY, GRAVITY, P0, R_DRY
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.model import Model
from kaiseki.grid.plane import plane
from validation.shelf import FIGURES, Row, Source, at_least, at_most, record
from validation.slices import isothermal, start

LENGTH, HEIGHT = 300e3, 10e3
T0, WARMING, HALF_WIDTH = 250.0, 0.01, 5e3
_EXACT = "Baldauf and Brdar (2013), exact linear solution, doi:10.1002/qj.2105"
ORDER = Source(_EXACT, "law", "design order 2, of which 1.8 allows for the coarse end")
ERROR = Source(_EXACT, "law", "2 %, fixed before the first run; the anomaly has 30 cells across its width")
TIME_ORDER = Source("self-convergence", "law", "design order 2, of which 1.8 allows for the longest step")
DELTA = GRAVITY / (R_DRY * T0)
SETTINGS: dict[str, dict[str, float]] = {
    "default": {},
    "undamped": {"off_centring": 0.5, "divergence_damping": 0.0},
}
"""The model's own damping of sound, and none. Off-centring and divergence damping are terms of first order, so only the
scheme without them can show its design order; the default rows say what the damping costs."""


def exact(
    x: np.ndarray, z: np.ndarray, t: float, wind: float = 0.0, f: float = 0.0, warming: float = WARMING
) -> dict[str, np.ndarray]:
    """Perturbations u, v, w (m/s), temperature (K), density (kg m-3) and pressure (Pa) at x (m) and z (m), each (z, x).

    Unknowns of each wavenumber (k, m): u, v, w, rho / rho_s, p / p_s after Bretherton's transformation.
    """
    sound2, gas = CP_DRY / CV_DRY * R_DRY * T0, R_DRY * T0
    n = np.arange(-160, 161)
    k = 2.0 * np.pi * n / LENGTH
    # Fourier coefficients of exp(-(x - L/2)^2 / d^2); what lies beyond the largest k is below 1e-16.
    bump = HALF_WIDTH * np.sqrt(np.pi) / LENGTH * np.exp(-0.25 * (k * HALF_WIDTH) ** 2 - 0.5j * k * LENGTH)
    u, v, w, r, p = range(5)
    total = np.zeros((5, len(z), len(x)))
    for sign in (1.0, -1.0):
        m = sign * np.pi / HEIGHT
        a = np.zeros((len(k), 5, 5), dtype=complex)
        a[:, u, v], a[:, v, u] = f, -f
        a[:, u, p] = -1j * k * gas
        a[:, w, p], a[:, w, r] = -gas * (1j * m - 0.5 * DELTA), -GRAVITY
        a[:, r, u], a[:, r, w] = -1j * k, -(1j * m - 0.5 * DELTA)
        a[:, p, u], a[:, p, w] = -1j * k * sound2 / gas, (GRAVITY - sound2 * (1j * m + 0.5 * DELTA)) / gas
        begin = np.zeros((len(k), 5), dtype=complex)
        begin[:, r] = -warming / T0 * bump  # at unchanged pressure rho / rho_s = -T / T0
        end = np.einsum("kij,kj->ki", expm(a * t), begin) * np.exp(-1j * k * wind * t)[:, None]
        wave = np.einsum("ki,kx->ix", end, np.exp(1j * k[:, None] * x[None, :]))
        total += (sign / 2j * wave[:, None, :] * np.exp(1j * m * z)[None, :, None]).real
    up, down = np.exp(0.5 * DELTA * z)[:, None], np.exp(-0.5 * DELTA * z)[:, None]
    return {
        "u": up * total[u],
        "v": up * total[v],
        "w": up * total[w],
        "temperature": up * T0 * (total[p] - total[r]),
        "density": down * P0 / gas * total[r],
        "pressure": down * P0 * total[p],
    }


def simulate(
    dx: float,
    dt: float,
    wind: float = 20.0,
    f: float = 0.0,
    seconds: float = 1800.0,
    aspect: float = 2.0,
    substeps: int = 4,
    **settings: float,
) -> dict[str, np.ndarray]:
    """The model's temperature perturbation (K) at cell centres and w (m/s) on interfaces, (z, x), with x, z, z_half.

    Args:
        dx, dt: spacing (m) and step (s).
        wind, f: of the background, m/s and s-1.
        seconds: duration.
        aspect: dx / dz.
        substeps: acoustic sub-steps in a step.
        settings: of the dynamics.
    """
    with jax.enable_x64(True):
        nx, nz = round(LENGTH / dx), round(HEIGHT / dx * aspect)
        domain = plane(np.zeros((1, nx)), np.linspace(0.0, HEIGHT, nz + 1), dx, f=f)
        parameters = DynamicsParameters(
            time_step=dt, acoustic_substeps=substeps, lateral="periodic", damping_rate=0.0, momentum_diffusion=0.0
        )
        parameters = dataclasses.replace(parameters, **settings)
        model = Model.make(domain, isothermal(T0), parameters, dtype=np.float64)
        x, z = (np.arange(nx) + 0.5) * dx, domain.z[:, 0, 0]
        shape = np.exp(-(((x - 0.5 * LENGTH) / HALF_WIDTH) ** 2)) * np.sin(np.pi * z / HEIGHT)[:, None]
        warming = WARMING * np.exp(0.5 * DELTA * z)[:, None] * shape
        state = model.advance(start(model, wind, warming[:, None, :]), None, seconds)
        density = model.reference.density(domain.z_half[:, 0, 0])
        return {
            "x": x,
            "z": z,
            "z_half": domain.z_half[:, 0, 0],
            "temperature": np.asarray(model.atmosphere(state).temperature)[:, 0, :] - T0,
            "w": np.asarray(state.rw)[:, 0, :] / density[:, None],
        }


def error(ours: np.ndarray, true: np.ndarray) -> float:
    """Root of the mean squared difference, relative to the true field's."""
    return float(np.sqrt(np.mean((ours - true) ** 2) / np.mean(true**2)))


def errors(
    dx: float, dt: float, wind: float = 20.0, f: float = 0.0, seconds: float = 1800.0, **settings: float
) -> dict:
    """Relative L2 errors of T' and w against the exact solution, with the fields."""
    got = simulate(dx, dt, wind, f, seconds, **settings)
    true_t = exact(got["x"], got["z"], seconds, wind, f)["temperature"]
    true_w = exact(got["x"], got["z_half"], seconds, wind, f)["w"]
    return got | {"T error": error(got["temperature"], true_t), "w error": error(got["w"], true_w), "T exact": true_t}


def order(steps: list[float], values: list[float]) -> float:
    """Slope of log error over log step."""
    return float(np.polyfit(np.log(steps), np.log(values), 1)[0])


def time_errors(
    dx: float, steps: list[float], finest: float, seconds: float = 1800.0, **settings: float
) -> list[float]:
    """Relative differences of w from the run with the finest step on one grid."""
    best = simulate(dx, finest, seconds=seconds, **settings)["w"]
    return [error(simulate(dx, dt, seconds=seconds, **settings)["w"], best) for dt in steps]


def _draw(fine: dict, space: dict, in_time: dict, spacings: list[float], steps: list[float]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplot_mosaic([["a", "a"], ["b", "c"]], figsize=(8.2, 6.4), layout="constrained")
    top, left, right = axes.values()
    x, z = fine["x"] / 1e3, fine["z"] / 1e3
    bound = 1e3 * np.abs(fine["T exact"]).max()
    levels = np.linspace(-bound, bound, 15)
    shown = top.contourf(x, z, 1e3 * fine["temperature"], levels, cmap="RdBu_r", extend="both")
    top.contour(x, z, 1e3 * fine["T exact"], levels[levels != 0], colors="k", linewidths=0.5)
    fig.colorbar(shown, ax=top, label="T' (mK)", pad=0.01)
    top.set(
        xlabel="x (km)", ylabel="z (km)", title="T' after 30 min, wind 20 m/s: model at 333 m (colour), exact (lines)"
    )
    for name, values in space.items():
        left.loglog(spacings, values, "o-", label=f"{name}: order {order(spacings, values):.2f}")
    left.loglog(spacings, space["undamped"][-1] * (np.array(spacings) / spacings[-1]) ** 2, "k:", label="order 2")
    left.set(xlabel="spacing (m), step proportional", ylabel="relative error of T'", title="space and time together")
    for name, values in in_time.items():
        right.loglog(steps, values, "o-", label=f"{name}: order {order(steps, values):.2f}")
    right.loglog(steps, in_time["undamped"][-1] * (np.array(steps) / steps[-1]) ** 2, "k:", label="order 2")
    right.set(xlabel="time step (s)", ylabel="relative difference of w", title="time alone, 2000 m, 10 min")
    for axis, ticks in ((left, spacings), (right, steps)):
        axis.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
        axis.set_xticks([], minor=True)
        axis.legend(fontsize=8)
        axis.grid(which="both", alpha=0.3)
    fig.savefig(FIGURES / "inertia_gravity_wave.png", dpi=85)


def main() -> None:
    spacings, steps, finest = [1000.0, 500.0, 1000.0 / 3.0], [8.0, 4.0, 2.0, 1.0], 0.25
    case, rows = "inertia_gravity_wave", list[Row]()
    space, in_time, fine = {}, {}, {}
    for name in SETTINGS:
        begin = time.perf_counter()
        results = [errors(dx, dx / 125.0, **SETTINGS[name]) for dx in spacings]
        space[name], fine[name] = [r["T error"] for r in results], results[-1]
        for field in ("T", "w"):
            values = [r[f"{field} error"] for r in results]
            what = f"order in space, dt ~ dx = 1000, 500, 333 m, of {field}, wind 20 m/s, {name} settings"
            rows.append(at_least(case, what, order(spacings, values), 1.8, ORDER))
            what = f"relative L2 error of {field} at 333 m, wind 20 m/s, {name} settings"
            rows.append(at_most(case, what, values[-1], 0.02, ERROR))
            print(name, field, values, f"{time.perf_counter() - begin:.0f} s", flush=True)
    for name, settings in SETTINGS.items():
        in_time[name] = time_errors(2000.0, steps, finest, 600.0, **settings)
        what = f"order in time alone, of w at 10 min, 2000 m, wind 20 m/s, {name} settings"
        rows.append(at_least(case, what, order(steps, in_time[name]), 1.8, TIME_ORDER))
        print(name, in_time[name], flush=True)
    for what, options in (("no wind", {}), ("f = 1e-4 s-1, no wind", {"f": 1e-4})):
        results = [errors(dx, dx / 125.0, wind=0.0, **options, **SETTINGS["undamped"]) for dx in spacings[:2]]
        for field in ("T", "w"):
            values = [r[f"{field} error"] for r in results]
            text = f"order in space, dt ~ dx = 1000, 500 m, of {field}, {what}, undamped settings"
            rows.append(at_least(case, text, order(spacings[:2], values), 1.8, ORDER))
            print(what, field, values, flush=True)
    FIGURES.mkdir(exist_ok=True)
    _draw(fine["undamped"], space, in_time, spacings, steps)
    record(rows)


if __name__ == "__main__":
    main()
