"""Rest over a bell mountain of 3 km and the conservation of mass and water.

Air at rest whose temperature depends on height alone, float32, spacing 5 km, 40 layers to 20 km, a bell of 3000 m and
20 km half-width in the middle of 40 x 40 columns with walls around: any wind is made by the numerics. The model's
reference profile, an isothermal atmosphere 20 K off it, and an inversion of 20 K (those of `rest_over_terrain`).

Mass and water vapour over 1000 steps with a warm bubble, wind and moisture over a bell of 1 km: their sums (in float64
on the host) may change by round-off only.

    python -m validation.rest_over_bell
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import jax
import numpy as np

from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.model import Model, default_parameters
from kaiseki.grid.plane import Plane, plane
from validation.idealised import at_rest, bell, stretched_levels
from validation.rest_over_terrain import PROFILES, REFERENCE
from validation.shelf import FIGURES, Row, Source, at_most, record

BOUNDS = {"reference": 1e-3, "isothermal": 1.0, "inversion": 1.0}
"""m/s."""
REST = Source(
    "rest must stay rest",
    "law",
    "1e-3 m/s where the reference profile is the air itself and round-off alone is left; 1 m/s elsewhere, below the "
    "error of a wind observation",
)
LAW = Source("law of conservation, flux form", "law", "round-off of float64 and float32 over 1000 steps")


def mountain(n: int, layers: int, height: float) -> Plane:
    """The bell in the middle of n x n columns."""
    return plane(bell(n, 5000.0, height, 20000.0), stretched_levels(layers, 20000.0), 5000.0)


def winds(
    temperature: Callable[[np.ndarray], np.ndarray],
    hours: int = 6,
    n: int = 40,
    layers: int = 40,
    height: float = 3000.0,
) -> list[tuple[float, float]]:
    """Largest horizontal and vertical wind (m/s) at the end of every hour."""
    domain = mountain(n, layers, height)
    model = Model.make(domain, REFERENCE, default_parameters(domain.spacing, 1.0, lateral="wall"))
    state = model.start(at_rest(domain, temperature, REFERENCE.surface_pressure))
    series = []
    for _ in range(hours):
        state = model.advance(state, None, 3600.0)
        air = model.atmosphere(state)
        speed = np.hypot(np.asarray(air.u), np.asarray(air.v))
        series.append((float(speed.max()), float(np.abs(np.asarray(air.w)).max())))
    return series


def drift(dtype: type, lateral: str, steps: int = 1000, n: int = 16, layers: int = 24) -> tuple[float, float, float]:
    """Relative changes of total mass and water vapour, and the largest wind (m/s) at the end."""
    with jax.enable_x64(dtype is np.float64):
        domain = mountain(n, layers, 1000.0)
        p = DynamicsParameters(time_step=20.0, acoustic_substeps=4, lateral=lateral)
        model = Model.make(domain, REFERENCE, p, dtype=dtype)
        air = at_rest(domain, REFERENCE.temperature)
        x, z = np.linspace(-1.0, 1.0, n), domain.z
        hump = np.exp(-((x[None, :] / 0.4) ** 2 + (x[:, None] / 0.4) ** 2)) * np.exp(-(((z - 3000.0) / 2000.0) ** 2))
        air["temperature"] = air["temperature"] + 3.0 * hump
        air["u"], air["v"] = air["u"] + 10.0, air["v"] - 5.0
        air["qv"] = 0.008 * np.exp(-z / 2500.0) * (1.0 + 0.1 * hump)
        state = model.start(air)
        if lateral == "wall":
            state = dataclasses.replace(
                state,
                ru=state.ru.at[..., 0].set(0.0).at[..., -1].set(0.0),
                rv=state.rv.at[..., 0, :].set(0.0).at[..., -1, :].set(0.0),
            )
        volume = np.asarray(model.metrics.volume, dtype=float) * np.asarray(model.metrics.rho_ref, dtype=float)

        def totals(s: object) -> np.ndarray:
            mass = volume + np.asarray(s.drho, dtype=float)
            return np.array([mass.sum(), (mass * np.asarray(s.water[0], dtype=float)).sum()])

        before = totals(state)
        state = model.advance(state, None, steps * p.dt)
        change = np.abs(totals(state) - before) / before
        final = model.atmosphere(state)
        return float(change[0]), float(change[1]), float(np.abs(np.asarray(final.u)).max())


def _draw(series: dict[str, list[tuple[float, float]]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axis = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for i, (name, values) in enumerate(series.items()):
        hours = np.arange(len(values)) + 1
        axis.semilogy(hours, [u for u, _ in values], f"C{i}-", label=f"{name}, horizontal")
        axis.semilogy(hours, [w for _, w in values], f"C{i}--", label=f"{name}, vertical")
    axis.axhline(1e-3, color="k", linewidth=0.7, linestyle=":")
    axis.axhline(1.0, color="k", linewidth=0.7, linestyle=":")
    axis.set(xlabel="time (h)", ylabel="largest wind (m/s)", title="Rest over a bell of 3 km, spacing 5 km, float32")
    axis.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, 0.72))
    axis.set_ylim(1e-14, 3.0)
    axis.grid(alpha=0.3)
    fig.savefig(FIGURES / "rest_over_bell.png", dpi=110)


def main() -> None:
    rows, series = list[Row](), {}
    for name, temperature in PROFILES.items():
        begin = time.perf_counter()
        series[name] = winds(temperature)
        print(name, series[name], f"{time.perf_counter() - begin:.0f} s", flush=True)
        for what, value in zip(("horizontal", "vertical"), series[name][-1], strict=True):
            text = f"largest {what} wind after 6 h, {name} profile, m/s"
            rows.append(at_most("rest_over_bell", text, value, BOUNDS[name], REST))
    for dtype, bound in ((np.float64, 1e-13), (np.float32, 1e-6)):
        for lateral in ("wall", "periodic"):
            begin = time.perf_counter()
            mass, water, wind = drift(dtype, lateral)
            print(dtype.__name__, lateral, mass, water, wind, f"{time.perf_counter() - begin:.0f} s", flush=True)
            for what, value in (("mass", mass), ("water", water)):
                text = f"relative change of total {what} in 1000 steps, {dtype.__name__}, {lateral}"
                rows.append(at_most("rest_over_bell", text, value, bound, LAW))
    FIGURES.mkdir(exist_ok=True)
    _draw(series)
    record(rows)


if __name__ == "__main__":
    main()
