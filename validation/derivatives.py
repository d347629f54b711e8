"""The tangent-linear and adjoint models over a window of three hours, against each other and against the forecast.

    python -m validation.derivatives

Dot product: <M x, y> = <x, M' y> in the energy inner product, for a window of 3 h over a mountain in a moist wind,
float64 and float32, relative to the product of the two norms (sums in float64). Taylor: what the tangent-linear model
leaves of the difference of two forecasts falls in proportion to the step over three decades (float64); any textbook
on variational assimilation, e.g. Le Dimet and Talagrand (1986, Tellus 38A, 97-110), has both.
"""

from __future__ import annotations

import sys

import jax
import matplotlib.pyplot as plt
import numpy as np

from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.linear.forecast import Energy, LinearModel, Perturbation, plain_product
from kaiseki.forecast.model import Model
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.state import State
from kaiseki.grid.plane import plane
from validation.idealised import at_rest, bell, stretched_levels
from validation.shelf import FIGURES, Row, Source, at_most, record, within

REFERENCE = ReferenceProfile()
ADJOINT = Source("definition of the adjoint", "law", "round-off of float64 and float32 over the steps of three hours")
TAYLOR = Source(
    "Taylor's theorem: the remainder is of first order in the step",
    "law",
    "10 %: at a step of 0.1 the next order is still felt",
)


def moist_wind(n: int, nz: int, spacing: float, dtype: type) -> tuple[Model, State]:
    """Moist, sheared wind with a warm anomaly over a mountain, on a periodic f-plane."""
    terrain = bell(n, spacing, 1000.0, 3.0 * spacing)
    domain = plane(terrain, stretched_levels(nz, 18000.0, 1.08), spacing, f=1e-4)
    dt = 5.0 * spacing / 1000.0
    p = DynamicsParameters(time_step=dt, acoustic_substeps=6, lateral="periodic")
    model = Model.make(domain, REFERENCE, p, dtype=dtype)
    fields = at_rest(domain, REFERENCE.temperature)
    x = 2.0 * np.pi * np.arange(n) / n
    wave = np.sin(x)[None, :] * np.cos(x)[:, None]
    fields["u"] = 10.0 + 15.0 * domain.z / 12000.0 + 3.0 * wave
    fields["v"] = -4.0 + 3.0 * np.cos(2 * x)[None, None, :] + fields["v"]
    fields["temperature"] = fields["temperature"] + 3.0 * wave * np.exp(-(((domain.z - 4000.0) / 3000.0) ** 2))
    fields["qv"] = 0.010 * np.exp(-domain.z / 2500.0) * (1.0 + 0.3 * wave)
    return model, model.start(fields)


def perturbation(model: Model, state: State, seed: int) -> Perturbation:
    """Random and rough, of about the size of analysis increments (1 m/s, 0.5 K, 0.3 g/kg)."""
    r = np.random.default_rng(seed)
    mass = np.asarray(model.metrics.volume * model.metrics.rho_ref, np.float64)
    size = {"ru": mass.mean(), "rv": mass.mean(), "rw": 0.01, "drho": 1e-3 * mass.mean(), "drt": 0.5 * mass.mean()}
    made = {k: s * r.normal(size=getattr(state, k).shape) for k, s in size.items()}
    made["rw"][[0, -1]] = 0.0
    made["ru"][..., -1], made["rv"][..., -1, :] = made["ru"][..., 0], made["rv"][..., 0, :]
    made["water"] = 3e-4 * r.normal(size=state.water.shape)
    dtype = np.asarray(state.drho).dtype
    return Perturbation(**{k: jax.numpy.asarray(a.astype(dtype)) for k, a in made.items()})


def dot_product(
    n: int = 20, nz: int = 20, spacing: float = 20000.0, hours: float = 3.0, dtype: type = np.float64
) -> float:
    """|<M x, y> - <x, M' y>| / (|M x| |y|)."""
    model, state = moist_wind(n, nz, spacing, dtype)
    linear = LinearModel.make(model, None, hours * 3600.0)
    x, y = perturbation(model, state, 1), perturbation(model, state, 2)
    end, grown = linear.tangent(state, x)
    energy = Energy(end, model)
    # In single precision y is what survives the rounding of its weighted form, and so on both sides the same.
    weighted = jax.tree.map(lambda a: jax.numpy.asarray(a, state.drho.dtype), energy.weighted(y))
    _, back = linear.adjoint(state, weighted)
    difference = plain_product(grown, weighted) - plain_product(x, back)
    return abs(difference) / (energy.norm(grown) * energy.norm(y))


def taylor(
    n: int = 20,
    nz: int = 20,
    spacing: float = 20000.0,
    hours: float = 3.0,
    steps: tuple[float, ...] = (1, 0.1, 0.01, 1e-3),
) -> list[float]:
    """Energy norm of difference of forecasts over step minus tangent, relative to the tangent's, for each step.

    The ratio of the two differs from one by no more than that; alone it may pass through one by chance.
    """
    model, state = moist_wind(n, nz, spacing, np.float64)
    linear = LinearModel.make(model, None, hours * 3600.0)
    x = perturbation(model, state, 3)
    end, grown = linear.tangent(state, x)
    energy = Energy(end, model)
    start, reference = Perturbation.of(state), Perturbation.of(linear.forecast(state))
    errors = []
    for step in steps:
        moved = jax.tree.map(lambda a, b, s=step: a + s * b, start, x).onto(state)
        change = jax.tree.map(lambda a, b, s=step: (a - b) / s, Perturbation.of(linear.forecast(moved)), reference)
        remainder = jax.tree.map(lambda a, b: a - b, change, grown)
        errors.append(energy.norm(remainder) / energy.norm(grown))
    return errors


def main() -> None:
    rows: list[Row] = []
    with jax.enable_x64(True):
        exact = dot_product()
        steps = tuple(10.0 ** -np.arange(0.0, 4.5, 0.5))
        errors = taylor(steps=steps)
    rows.append(at_most("derivatives", "dot product, 3 h, float64", exact, 1e-10, ADJOINT))
    rows.append(at_most("derivatives", "dot product, 3 h, float32", dot_product(dtype=np.float32), 1e-4, ADJOINT))
    order = float(np.polyfit(np.log(steps[2:]), np.log(errors[2:]), 1)[0])
    text = "Taylor, 3 h, float64: order of the remainder in the step, 1e-1 to 1e-4"
    rows.append(within("derivatives", text, order, 1.0, TAYLOR, 0.1))
    figure, axes = plt.subplots(figsize=(5.5, 4.0), layout="constrained")
    axes.loglog(steps, errors, "o-", label="remainder / tangent")
    axes.loglog(steps, errors[-1] * np.asarray(steps) / steps[-1], "k:", label="in proportion to the step")
    axes.set(
        xlabel="step (1: increments of 1 m/s, 0.5 K)", ylabel="remainder / tangent", title="Taylor test, 3 h, float64"
    )
    axes.legend()
    FIGURES.mkdir(exist_ok=True)
    figure.savefig(FIGURES / "derivatives.png", dpi=110)
    record(rows)


if __name__ == "__main__":
    sys.exit(main())
