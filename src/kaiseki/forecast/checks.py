"""What is refused before the first step, and what is said when a run fails, with one clear sentence each."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from kaiseki.core.errors import ConfigError, InputError, NumericsError
from kaiseki.core.places import place_words
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.state import State
from kaiseki.grid.domain import Domain

ADVECTIVE_LIMIT = 1.2
"""Largest sum of the Courant numbers along x and y. Third-order fluxes with three Runge-Kutta stages bear 1.61 in one
dimension (Wicker and Skamarock 2002, table 1); the rest is for the wind that develops."""
SOUND_SPEED = 360.0
"""Speed of sound, m/s, with which the number of acoustic sub-steps is chosen."""
CLIMBING_LIMIT = 1.61
"""Largest Courant number of the flow through the levels where these climb (Wicker and Skamarock 2002, table 1). Over a
bell of 4 km at 5 km spacing a run with 1.56 stays and one with 1.94 blows up within ten steps."""
CLIMBING_WIND = 16.0
"""Wind along both axes over the steepest terrain for which steps are chosen where nobody gives them, m/s."""
LEAST_SOUND_SPEED = 330.0
"""Speed of sound in cold air, m/s; steps too long for it are refused."""
LEAST_LAYERS = 4
"""Least number of layers: with three or two the small case of the tests blows up in its first step, with four it
runs."""
THINNEST = 5.0
"""Least thickness of a layer, m."""
RANGES = {
    "u": (-200.0, 200.0, "m/s"),
    "v": (-200.0, 200.0, "m/s"),
    "temperature": (150.0, 350.0, "K"),
    "pressure": (10.0, 1.1e5, "Pa"),
    "qv": (-1e-4, 0.06, "kg/kg"),
}
"""Needed fields with bounds that only mistakes exceed; a little negative vapour is what interpolation leaves."""


def check_levels(domain: Domain) -> None:
    """Refuse levels that fold or nearly touch, or are too few.

    Raises:
        ConfigError: says where and what would help.
    """
    if domain.nz < LEAST_LAYERS:
        raise ConfigError(
            f"{domain.name} has {domain.nz} layers, but the model needs at least {LEAST_LAYERS}; raise levels.number "
            "or give a longer levels.table."
        )
    thickness = np.diff(domain.z_half, axis=0)
    if not np.isfinite(thickness).all():
        raise ConfigError(f"The heights of {domain.name} are not finite; check its terrain and levels.")
    if (least := float(thickness.min())) < THINNEST:
        k, j, i = (int(n) for n in np.unravel_index(int(thickness.argmin()), thickness.shape))
        raise ConfigError(
            f"Layer {k} of {domain.name} is {least:.1f} m thick at {_place(domain, j, i)} over terrain of "
            f"{domain.terrain[j, i]:.0f} m, at least {THINNEST:g} m are needed; smooth the terrain, raise the "
            "model top or take thicker layers."
        )


def longest_acoustic_substep(spacing: float, map_factor: float, sound_speed: float = SOUND_SPEED) -> float:
    """Longest acoustic sub-step (s) in which sound does not outrun the cells (m) along a diagonal: dx / (m c sqrt
    2)."""
    return spacing / (map_factor * sound_speed * math.sqrt(2.0))


def check_steps(domain: Domain, parameters: DynamicsParameters) -> None:
    """Refuse time steps that no state can bear.

    Raises:
        ConfigError: says what would help.
    """
    dt, n = parameters.dt, parameters.substeps[-1]
    if not (dt > 0.0 and n >= 2 and n % 2 == 0):
        raise ConfigError(
            f"The step of {dt:g} s must be positive and the number of acoustic sub-steps, {n}, even and at least 2."
        )
    longest = longest_acoustic_substep(domain.spacing, float(np.max(domain.map_factor)), LEAST_SOUND_SPEED)
    if dt / n > longest:
        raise ConfigError(
            f"Acoustic sub-steps of {dt / n:.2f} s are too long for sound on {domain.name} ({domain.spacing:g} m): at "
            f"most {longest:.2f} s are stable; take at least {2 * math.ceil(dt / longest / 2.0)} of them, or a step of "
            f"at most {math.floor(n * longest)} s."
        )


def check_start(fields: Mapping[str, np.ndarray], domain: Domain, parameters: DynamicsParameters) -> None:
    """Refuse fields at cell centres from which no run can start.

    Args:
        fields: as for `Model.start`: u, v (m/s), temperature (K), pressure (Pa), qv (kg/kg), each (nz, ny, nx).
        domain: on which they lie.
        parameters: of the run.

    Raises:
        InputError: a field is missing, has another shape, is not finite or lies outside what is possible.
        ConfigError: the time step is too long for the wind.
    """
    if missing := [name for name in RANGES if name not in fields]:
        raise InputError(f"The fields for {domain.name} lack {', '.join(missing)}; the model starts from all of these.")
    for name in RANGES:
        _check_field(name, np.asarray(fields[name]), domain)
    speed = np.abs(fields["u"]) + np.abs(fields["v"])
    courant = float((speed * domain.map_factor).max()) * parameters.dt / domain.spacing
    if courant > ADVECTIVE_LIMIT:
        raise ConfigError(
            f"A step of {parameters.dt:g} s is too long on {domain.name} ({domain.spacing:g} m) for winds of "
            f"{float(speed.max()):.0f} m/s (|u| + |v|): the Courant number is {courant:.2f}, at most "
            f"{ADVECTIVE_LIMIT:g} is stable; take at most {math.floor(parameters.dt * ADVECTIVE_LIMIT / courant)} s."
        )
    _check_climbing(np.asarray(fields["u"]), np.asarray(fields["v"]), domain, parameters)


def _climb(domain: Domain, axis: int) -> np.ndarray:
    """Levels (nz, ny, nx) that air crosses for every metre it moves along an axis of (nz, ny, nx) [m-1]."""
    z = domain.z_half
    step = np.abs(np.diff(z, axis=axis))
    step = np.maximum(step[1:], step[:-1])
    ends = [np.take(step, [0], axis), step, np.take(step, [-1], axis)]
    both = np.concatenate(ends, axis)
    n = both.shape[axis]
    steeper = np.maximum(np.take(both, range(n - 1), axis), np.take(both, range(1, n), axis))
    return np.asarray(steeper * domain.map_factor / domain.spacing / np.diff(z, axis=0))


def longest_step_over_terrain(domain: Domain, wind: float = CLIMBING_WIND) -> float:
    """Longest step (s) with which wind of so many m/s along both axes does not cross too many climbing levels."""
    if min(domain.ny, domain.nx) < 2:
        return math.inf
    steepest = float((_climb(domain, 1) + _climb(domain, 2)).max())
    return CLIMBING_LIMIT / (wind * steepest) if steepest > 0.0 else math.inf


def _check_climbing(u: np.ndarray, v: np.ndarray, domain: Domain, parameters: DynamicsParameters) -> None:
    """Refuse a step in which air that moves horizontally crosses too many of the levels that climb over terrain."""
    if min(domain.ny, domain.nx) < 2:
        return
    courant = (np.abs(u) * _climb(domain, 2) + np.abs(v) * _climb(domain, 1)) * parameters.dt
    worst = float(courant.max())
    if worst > CLIMBING_LIMIT:
        k, j, i = (int(n) for n in np.unravel_index(int(courant.argmax()), courant.shape))
        raise ConfigError(
            f"A step of {parameters.dt:g} s is too long for the terrain of {domain.name}: at level {k}, "
            f"{_place(domain, j, i)}, wind of {np.hypot(u[k, j, i], v[k, j, i]):.0f} m/s crosses {worst:.2f} climbing "
            f"levels in a step, at most {CLIMBING_LIMIT:g} are stable; take at most "
            f"{math.floor(parameters.dt * CLIMBING_LIMIT / worst)} s, smooth the terrain or take thicker layers."
        )


def _check_field(name: str, values: np.ndarray, domain: Domain) -> None:
    if values.shape != domain.shape:
        raise InputError(
            f"The field {name} for {domain.name} has the shape {values.shape}, expected is {domain.shape} (z, y, x)."
        )
    low, high, unit = RANGES[name]
    good = np.isfinite(values) & (values >= low) & (values <= high)
    if not good.all():
        k, j, i = (int(n) for n in np.argwhere(~good)[0])
        raise InputError(
            f"The field {name} for {domain.name} has {int((~good).sum())} values that are not finite or outside "
            f"{low:g} to {high:g} {unit}, the first {values[k, j, i]:g} at level {k}, {_place(domain, j, i)}; check "
            "where it comes from."
        )


def _place(domain: Domain, j: int, i: int) -> str:
    return place_words(domain.lat[j, i], domain.lon[j, i])


class BlownUp(NumericsError):
    """A run that is no longer finite; `last_good` is the state one step before."""

    def __init__(self, message: str, last_good: State) -> None:
        super().__init__(message)
        self.last_good = last_good


def blown_up(last_good: State, bad: State, domain: Domain, parameters: DynamicsParameters) -> BlownUp:
    """What to say of a step from which a state came that is not finite."""
    fields = {"air mass": bad.drho, "heat": bad.drt, "vertical wind": bad.rw, "u": bad.ru, "v": bad.rv}
    where = "somewhere"
    for name, a in fields.items():
        wrong = np.argwhere(~np.isfinite(np.asarray(a)))
        if len(wrong):
            k, j, i = (int(n) for n in wrong[0])
            j, i = min(j, domain.ny - 1), min(i, domain.nx - 1)
            where = f"{len(wrong)} values of {name}, the first at level {k}, {_place(domain, j, i)}"
            break
    w = np.abs(np.asarray(last_good.rw))
    k, j, i = (int(n) for n in np.unravel_index(int(np.nanargmax(w)), w.shape))
    return BlownUp(
        f"The model became non-finite between {int(last_good.time)} s and {int(bad.time)} s of the run on "
        f"{domain.name} with a step of {parameters.dt:g} s: {where}. One step before, the strongest vertical motion "
        f"was at interface {k}, {_place(domain, j, i)}; that state is kept. Shorten the step or smooth the terrain.",
        last_good,
    )
