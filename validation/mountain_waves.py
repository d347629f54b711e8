"""Steady mountain waves against the linear solution for the same terrain.

bell: isothermal air of 250 K, 20 m/s, a bell of 1 m and 10 km half-width: the linear hydrostatic wave of Giraldo and
Restelli (2008, J. Comput. Phys. 227, 3849-3877, doi:10.1016/j.jcp.2007.12.009), case 6; the set-up was confirmed
against a public configuration of that case. The flux of momentum is compared with the linear one and with the
closed form -pi/4 rho N U h^2.

ridge: the five-peak ridge of Schaer et al. (2002, Mon. Wea. Rev. 130, 2459-2480), 250 m high, N = 0.01 s-1, 10 m/s.

The linear solution is the steady, compressible, non-hydrostatic one, found by integrating the two first-order equations
of each wavenumber downwards from a radiating or evanescent top, so it holds for any smooth profile.

    python -m validation.mountain_waves
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.interpolate import CubicSpline

from kaiseki.core.constants import CP_DRY, CV_DRY, GRAVITY, R_DRY
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.model import Model
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.state import State
from kaiseki.grid.plane import plane
from validation.shelf import FIGURES, Row, Source, at_least, record, within
from validation.slices import ConstantStability, isothermal, run, start


@dataclass(frozen=True)
class Case:
    """One flow over one ridge.

    Args:
        reference, stability: the undisturbed air and its N, s-1.
        wind: m/s.
        height: of the ridge, m; shape: h(x) / height with x in m from the middle.
        length, dx, dz, top: of the grid, m.
        dt, substeps: long step (s) and acoustic sub-steps in it.
        sponge: depth of the damping under the model top, m.
        rim: width on either side in which the flow is drawn back to the undisturbed one, m.
        hours: duration.
    """

    reference: ReferenceProfile
    stability: float
    wind: float
    height: float
    ridge: bool
    length: float
    dx: float
    dz: float
    top: float
    dt: float
    substeps: int
    sponge: float
    rim: float
    hours: float

    @property
    def x(self) -> np.ndarray:
        """Cell centres from the middle, m."""
        return (np.arange(round(self.length / self.dx)) + 0.5) * self.dx - 0.5 * self.length

    @property
    def terrain(self) -> np.ndarray:
        """Height of the ground, m."""
        if self.ridge:
            return self.height * np.exp(-((self.x / 5e3) ** 2)) * np.cos(np.pi * self.x / 4e3) ** 2
        return self.height / (1.0 + (self.x / 10e3) ** 2)


BELL = Case(
    isothermal(250.0),
    GRAVITY / np.sqrt(CP_DRY * 250.0),
    20.0,
    1.0,
    ridge=False,
    length=360e3,
    dx=1200.0,
    dz=240.0,
    top=24e3,
    dt=15.0,
    substeps=8,
    sponge=9e3,
    rim=60e3,
    hours=10.0,
)
RIDGE = Case(
    ConstantStability(warm=288.0, stability=0.01),
    0.01,
    10.0,
    250.0,
    ridge=True,
    length=160e3,
    dx=500.0,
    dz=300.0,
    top=21e3,
    dt=8.0,
    substeps=10,
    sponge=9e3,
    rim=30e3,
    hours=4.0,
)


LINEAR = Source(
    "linear compressible steady solution for the same terrain (`linear`)",
    "law",
    "5 % and a correlation of 0.98: a hill of 1 m leaves no room for nonlinearity",
)
HYDROSTATIC = Source(
    "-pi/4 rho N U h^2, wave drag of a bell in linear hydrostatic flow, as ray-chew/pyBELLA (agnesi_smith_analytic.py) "
    "gives it after Smith (1980); case 6 of Giraldo and Restelli (2008)",
    "law",
    "10 %, twice that of the compressible solution, which itself lies 2 % beside the closed form",
)
RIDGE_LINEAR = Source(
    "linear compressible steady solution for the same terrain (`linear`); ridge of Schaer et al. (2002) with 250 m, "
    "5 km, 4 km, 10 m/s and 0.01 s-1 as in CliMA/ClimaCore.jl (examples/hybrid/plane/schar_mountain.jl); 288 K at the "
    "ground is ours, there 280 K",
    "law",
    "10 % and a correlation of 0.95: the shorter waves have eight cells",
)


def linear(case: Case, z: np.ndarray, top: float = 25e3, step: float = 25.0) -> tuple[np.ndarray, np.ndarray]:
    """Steady linear u' and w (m/s) at heights z (m), each (z, x).

    With D = i k U, W = sqrt(rho) w and P = p / sqrt(rho) the perturbations obey dW/dz = s W + (i k / U) (1 - U2/c2) P
    and dP/dz = -s P - (D + N2/D) W, where s = (g/c2 - N2/g) / 2; u = -p / (rho U). At the top the local solution whose
    energy goes up (or that decays) is taken; in isothermal air it is exact.
    """
    levels = np.arange(0.0, top + step, step)
    k = 2.0 * np.pi * np.fft.rfftfreq(len(case.x), case.dx)[1:]
    n2, wind = case.stability**2, case.wind

    def system(height: float) -> np.ndarray:
        c2 = CP_DRY / CV_DRY * R_DRY * case.reference.temperature(np.array([height]))[0]
        d, s = 1j * k * wind, 0.5 * (GRAVITY / c2 - n2 / GRAVITY)
        a = np.empty((len(k), 2, 2), dtype=complex)  # of (W, P)
        a[:, 0, 0], a[:, 0, 1] = s, 1j * k / wind * (1.0 - wind**2 / c2)
        a[:, 1, 0], a[:, 1, 1] = -(d + n2 / d), -s
        return a

    a = system(levels[-1])
    root = np.sqrt(a[:, 0, 0] ** 2 + a[:, 0, 1] * a[:, 1, 0])
    # Propagating: exp(i m z) with m > 0 for k U > 0, phase lines tilt upstream; evanescent: decays upwards.
    root = np.where(np.abs(root.imag) > np.abs(root.real), 1j * np.abs(root.imag), -np.abs(root.real))
    y = np.stack([np.ones(len(k), dtype=complex), (root - a[:, 0, 0]) / a[:, 0, 1]], axis=1)
    found = [y]
    for height in levels[:0:-1]:
        first, middle, last = (system(height - s * step) for s in (0.0, 0.5, 1.0))
        k1 = np.einsum("kij,kj->ki", first, y)
        k2 = np.einsum("kij,kj->ki", middle, y - 0.5 * step * k1)
        k3 = np.einsum("kij,kj->ki", middle, y - 0.5 * step * k2)
        k4 = np.einsum("kij,kj->ki", last, y - step * k3)
        y = y - step / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        found.append(y)
    solution = np.stack(found[::-1])
    ground = np.sqrt(case.reference.density(np.zeros(1))) * 1j * k * wind * np.fft.rfft(case.terrain)[1:]
    solution *= (ground / solution[0, :, 0])[None, :, None]
    at = CubicSpline(levels, solution)(z)
    zero = np.zeros((len(z), 1))
    w = np.fft.irfft(np.hstack([zero, at[..., 0]]), len(case.x))
    p = np.fft.irfft(np.hstack([zero, at[..., 1]]), len(case.x))
    root_rho = np.sqrt(case.reference.density(z))[:, None]
    return -p / (root_rho * wind), w / root_rho


def flux(case: Case, u: np.ndarray, w: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Flux of momentum rho u' w integrated over x, N/m, at each height."""
    return case.reference.density(z) * (u * w).sum(axis=1) * case.dx


def hydrostatic_flux(case: Case) -> float:
    """-pi/4 rho N U h^2, the flux of linear, hydrostatic, incompressible flow over a bell, N/m."""
    return -0.25 * np.pi * float(case.reference.density(np.zeros(1))[0]) * case.stability * case.wind * case.height**2


def draw_back(state: State, given: tuple[State, Array, Array]) -> State:
    """Relaxation towards the undisturbed flow near the ends of the slice."""
    rest, cell, face = given

    def move(q: Array, target: Array, rate: Array) -> Array:
        return q + rate * (target - q)

    return dataclasses.replace(
        state,
        ru=move(state.ru, rest.ru, face),
        rw=move(state.rw, rest.rw, cell),
        drho=move(state.drho, rest.drho, cell),
        drt=move(state.drt, rest.drt, cell),
    )


def simulate(case: Case, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The model's u' and w (m/s) at heights z (m) at the end, each (z, x)."""
    with jax.enable_x64(True):
        nx = len(case.x)
        domain = plane(case.terrain[None, :], np.linspace(0.0, case.top, round(case.top / case.dz) + 1), case.dx)
        p = DynamicsParameters(
            time_step=case.dt,
            acoustic_substeps=case.substeps,
            lateral="periodic",
            damping_depth=case.sponge,
            momentum_diffusion=0.0,
        )
        model = Model.make(domain, case.reference, p, dtype=np.float64)
        rest = start(model, case.wind)

        def rate(x: np.ndarray) -> Array:
            inwards = 0.5 * case.length - np.abs(x)
            shape = np.where(inwards < case.rim, np.cos(0.5 * np.pi * inwards / case.rim) ** 2, 0.0)
            return jnp.asarray(-np.expm1(-10.0 * case.wind * case.dt / case.rim * shape))

        faces = np.arange(nx + 1) * case.dx - 0.5 * case.length
        state = run(model, rest, 3600.0 * case.hours, (rest, rate(case.x), rate(faces)), after=draw_back)
        air = model.atmosphere(state)
        u, w, height = np.asarray(air.u)[:, 0] - case.wind, np.asarray(air.w)[:, 0], domain.z[:, 0]
    columns = [[np.interp(z, height[:, i], q[:, i]) for i in range(nx)] for q in (u, w)]
    return np.array(columns[0]).T, np.array(columns[1]).T


def compare(case: Case, low: float, high: float, reach: float) -> dict[str, object]:
    """Model and linear theory between two heights and within `reach` of the middle (m): correlation and slope of w, and
    the ratio of the fluxes of momentum at each height."""
    z = np.arange(0.5 * case.dz, case.top - case.sponge, case.dz)
    (u, w), (u0, w0) = simulate(case, z), linear(case, z)
    part = np.ix_((z >= low) & (z <= high), np.abs(case.x) <= reach)
    a, b = w[part].ravel(), w0[part].ravel()
    ours, theirs = flux(case, u, w, z), flux(case, u0, w0, z)
    inside = (z >= low) & (z <= high)
    return {
        "correlation": float(np.corrcoef(a, b)[0, 1]),
        "slope": float((a @ b) / (b @ b)),
        "flux ratio": float((ours / theirs)[inside].mean()),
        "hydrostatic flux ratio": float((ours / hydrostatic_flux(case))[inside].mean()),
        "z": z,
        "w": w,
        "w linear": w0,
        "flux": ours / theirs.mean(),
    }


def _draw(found: dict[str, tuple[Case, dict]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(2, 2, figsize=(8.2, 6.6), width_ratios=[3, 1], sharey="row", layout="constrained")
    for (name, (case, got)), (wave, side) in zip(found.items(), axes, strict=True):
        x, z, unit = case.x / 1e3, got["z"] / 1e3, 1e3 if case.height < 10.0 else 1.0
        bound = unit * np.abs(got["w linear"][got["z"] > 1000.0]).max()
        levels = np.linspace(-bound, bound, 17)
        shown = wave.contourf(x, z, unit * got["w"], levels, cmap="RdBu_r", extend="both")
        wave.contour(x, z, unit * got["w linear"], levels, colors="k", linewidths=0.5)
        reach = 90.0 if case.height < 10.0 else 25.0
        wave.set(xlim=(-reach, reach), xlabel="x (km)", ylabel="z (km)", title=f"{name}: model colour, linear lines")
        fig.colorbar(shown, ax=wave, label="w (mm/s)" if unit > 1.0 else "w (m/s)", pad=0.01)
        side.plot(got["flux"], z)
        side.axvline(1.0, color="k", linewidth=0.7, linestyle=":")
        side.set(xlim=(0.0, 1.3), xlabel="flux of momentum / linear")
        side.grid(alpha=0.3)
    fig.savefig(FIGURES / "mountain_waves.png", dpi=90)


def main() -> None:
    case, rows = "mountain_waves", list[Row]()
    begin = time.perf_counter()
    bell = compare(BELL, 3000.0, 10000.0, 60e3)
    print("bell", {k: v for k, v in bell.items() if isinstance(v, float)}, f"{time.perf_counter() - begin:.0f} s")
    what = "bell of 1 m, isothermal, 20 m/s, 10 h, 3 to 10 km: "
    rows += [
        within(case, what + "flux of momentum / linear", bell["flux ratio"], 1.0, LINEAR, 0.05),
        within(case, what + "flux of momentum / hydrostatic", bell["hydrostatic flux ratio"], 1.0, HYDROSTATIC, 0.10),
        at_least(case, what + "correlation of w", bell["correlation"], 0.98, LINEAR),
        within(case, what + "amplitude of w / linear", bell["slope"], 1.0, LINEAR, 0.05),
    ]
    ridges = {}
    for height in (25.0, 250.0):
        begin = time.perf_counter()
        ridges[height] = got = compare(dataclasses.replace(RIDGE, height=height), 1000.0, 10000.0, 20e3)
        print(height, {k: v for k, v in got.items() if isinstance(v, float)}, f"{time.perf_counter() - begin:.0f} s")
        what = f"five-peak ridge of {height:g} m, 10 m/s, 4 h, 1 to 10 km: "
        rows += [
            at_least(case, what + "correlation of w", got["correlation"], 0.95, RIDGE_LINEAR),
            within(case, what + "amplitude of w / linear", got["slope"], 1.0, RIDGE_LINEAR, 0.10),
            within(case, what + "flux of momentum / linear", got["flux ratio"], 1.0, RIDGE_LINEAR, 0.10),
        ]
    FIGURES.mkdir(exist_ok=True)
    _draw({"bell of 1 m": (BELL, bell), "five-peak ridge of 250 m": (RIDGE, ridges[250.0])})
    record(rows)


if __name__ == "__main__":
    main()
