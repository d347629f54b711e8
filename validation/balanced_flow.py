"""Solid-body rotation of an isothermal atmosphere on a real Lambert grid: an exact steady state of the rotating sphere.

    python -m validation.balanced_flow

With u = u0 cos(lat) towards the east, no other wind and a constant temperature T the meridional momentum equation of a
shallow atmosphere, u^2 tan(lat)/a + 2 Omega sin(lat) u = -(R T/a) d ln p/d lat, and hydrostatic balance give

    ln p = ln p_equator - g z / (R T) - u0 (u0 + 2 Omega a) sin^2(lat) / (2 R T),

derived here; a wide family of such solutions is in "Exact axisymmetric solutions of the deep- and shallow-atmosphere
Euler equations in curvilinear and plane geometries" (2012, Quart. J. Roy. Meteor. Soc., doi:10.1002/qj.2018). Across a
Lambert grid this flow turns against both axes, so Coriolis force, curvature of the projection, map factors and pressure
gradient must all agree. The rim is held to the exact state, nothing is drawn towards it under the model top in the
series of spacings, and what the wind inside the rim has drifted by is the error. Layers are refined with the cells
(1500 m at 80 km): the discrete hydrostatic balance of the start has an error of second order of its own.

Criteria, chosen before the first run: at most 0.1 m/s rms at the end, and an order of at least 1.8 where the scheme's
lowest order is two.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from kaiseki.core.constants import EARTH_RADIUS, EARTH_ROTATION, GRAVITY, R_DRY
from kaiseki.forecast.model import Forcing, Model
from kaiseki.forecast.model import default_parameters as usual
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.grid.domain import Domain
from kaiseki.grid.presets import GridSpecification, preset
from validation.shelf import FIGURES, Source, at_least, at_most, record

CASE = "balanced_flow"
TEMPERATURE = 260.0
SPEED = 20.0
"""u0: the wind at the equator, m/s."""
SIDE, TOP, RIM = 1600e3, 12e3, 160e3


@dataclass(frozen=True)
class Drift:
    """Wind error inside the rim at the end (m/s): rms, largest; its field at the middle level, and the wind."""

    rms: float
    largest: float
    error: np.ndarray
    wind: np.ndarray
    domain: Domain


def lambert(spacing: float) -> Domain:
    """1600 km x 1600 km around 38N 132E, west of the grid's central meridian, over flat ground."""
    n, nz = round(SIDE / spacing), round(TOP / (1500.0 * spacing / 80e3))
    return GridSpecification(
        f"lambert-{spacing / 1e3:g}km",
        spacing,
        (n, n),
        38.0,
        132.0,
        tuple(np.linspace(0.0, TOP, nz + 1).tolist()),
        round(RIM / spacing),
    ).domain()


def exact(domain: Domain) -> dict[str, np.ndarray]:
    """The exact state at the cell centres of a Domain."""
    lat = np.deg2rad(domain.lat)
    u, v = domain.to_grid(SPEED * np.cos(lat), np.zeros_like(lat))
    rt = R_DRY * TEMPERATURE
    sine = SPEED * (SPEED + 2.0 * EARTH_ROTATION * EARTH_RADIUS) * np.sin(lat) ** 2 / (2.0 * rt)
    one = np.ones(domain.shape)
    return {
        "u": u * one,
        "v": v * one,
        "temperature": TEMPERATURE * one,
        "pressure": 103000.0 * np.exp(-GRAVITY * domain.z / rt - sine),
        "qv": 0.0 * one,
    }


def drift(domain: Domain, hours: float, driving_depth: float = 0.0) -> Drift:
    """Run from the exact state with the rim held to it."""
    parameters = dataclasses.replace(
        usual(domain.spacing, float(np.max(domain.map_factor))), driving_depth=driving_depth
    )
    reference = ReferenceProfile(warm=TEMPERATURE, cold=TEMPERATURE, surface_pressure=101325.0)
    model = Model.make(domain, reference, parameters)
    fields = exact(domain)
    boundary = model.boundary(fields)
    end = model.advance(model.start(fields), Forcing(boundary, boundary), hours * 3600.0)
    air = model.atmosphere(end)
    error = np.hypot(np.asarray(air.u, float) - fields["u"], np.asarray(air.v, float) - fields["v"])
    inside = error[:, domain.inside_rim]
    middle = domain.nz // 2
    return Drift(
        float(np.sqrt(np.mean(inside**2))),
        float(inside.max()),
        error[middle],
        np.stack([fields["u"][0], fields["v"][0]]),
        domain,
    )


def order(spacings: list[float], errors: list[float]) -> float:
    """Slope of the logarithm of the error over that of the spacing."""
    return float(np.polyfit(np.log(spacings), np.log(errors), 1)[0])


def figure(runs: dict[float, Drift], real: Drift) -> None:
    """The convergence and where the error on the Japan grid lies."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.4), layout="constrained", width_ratios=(1.0, 1.5))
    spacing = np.array(sorted(runs)) / 1e3
    for name, colour in (("rms", "tab:blue"), ("largest", "tab:orange")):
        left.loglog(spacing, [getattr(runs[s], name) for s in sorted(runs)], "o-", color=colour, label=name)
    left.loglog(spacing, runs[min(runs)].rms * (spacing / spacing[0]) ** 2, "k--", lw=1, label="second order")
    left.set_xticks(spacing, [f"{s:g}" for s in spacing])
    left.set_yticks([0.002, 0.005, 0.01, 0.02, 0.05], ["0.002", "0.005", "0.01", "0.02", "0.05"])
    left.minorticks_off()
    left.set(xlabel="spacing (km)", ylabel="drift of the wind after 12 h (m/s)")
    left.legend(frameon=False)
    d = real.domain
    x, y = np.meshgrid((d.x - d.x.mean()) / 1e3, (d.y - d.y.mean()) / 1e3)
    shade = right.pcolormesh(x, y, real.error, cmap="magma_r", shading="nearest")
    every = slice(3, None, 7)
    right.quiver(x[every, every], y[every, every], *real.wind[:, every, every], color="0.35", width=0.002)
    edge = d.rim_width * d.spacing / 1e3
    w, h = np.ptp(x), np.ptp(y)
    right.add_patch(
        plt.Rectangle((x.min() + edge, y.min() + edge), w - 2 * edge, h - 2 * edge, fill=False, ls=":", ec="k")
    )
    right.set(xlabel="x (km)", ylabel="y (km)", aspect="equal", title=f"japan-60km, 24 h, {d.z[d.nz // 2, 0, 0]:.0f} m")
    fig.colorbar(shade, ax=right, label="drift of the wind (m/s)", shrink=0.85)
    FIGURES.mkdir(exist_ok=True)
    fig.savefig(FIGURES / f"{CASE}.png", dpi=90)


LAW = Source(
    "exact steady state, derived in the script",
    "law",
    "fixed before the first run: 0.1 m/s rms, a twentieth of the error of a wind observation, 0.5 m/s anywhere; second "
    "order, of which 1.8 allows for the coarse end",
)


def main() -> None:
    spacings = [80e3, 40e3, 20e3]
    runs = {s: drift(lambert(s), 12.0) for s in spacings}
    for s, run in runs.items():
        print(f"{s / 1e3:g} km: rms {run.rms:.5f}, largest {run.largest:.5f} m/s", flush=True)
    real = drift(preset("japan-60km"), 24.0, driving_depth=4000.0)
    record(
        [
            at_most(CASE, "wind drift after 12 h, 20 km, rms (m/s)", runs[20e3].rms, 0.1, LAW),
            at_least(
                CASE, "order of the drift, 80 to 20 km", order(spacings, [runs[s].rms for s in spacings]), 1.8, LAW
            ),
            at_most(CASE, "wind drift after 24 h, preset japan-60km, rms (m/s)", real.rms, 0.1, LAW),
            at_most(CASE, "largest wind drift after 24 h, preset japan-60km (m/s)", real.largest, 0.5, LAW),
        ]
    )
    figure(runs, real)


if __name__ == "__main__":
    main()
