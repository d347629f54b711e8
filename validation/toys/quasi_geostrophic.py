"""Wind-driven gyres: the 1.5-layer reduced-gravity quasi-geostrophic model of Sakov and Oke 2008.

    q = lap psi - F psi,    dq/dt = -psi_x - r J(psi, q) - A lap^3 psi - 2 pi sin(2 pi y)

on the unit square with psi = lap psi = lap^2 psi = 0 along its edge (Tellus 60A, 361-371). Sign of the forcing and all
parameters are those of its code, EnKF-Matlab, with which DAPPER's scores were made (`mods.QG.sakov2008`); this sign
drives an eastward jet between the gyres. Bottom and harmonic friction are zero there and absent here.

Second-order centred differences, the Jacobian of Arakawa 1966 (J. Comput. Phys. 1, 119-143, eq. 46), fourth-order
Runge-Kutta. Two things differ from EnKF-Matlab: the elliptic equation is solved exactly with sine transforms, where it
iterates by multigrid; and forecasts from states beyond the Courant number of the scheme, as analyses of few members
sometimes are, take shorter steps.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
from scipy.fft import dstn, idstn

OBSERVED = 300
"""Observations at one time."""
ERROR = 2.0
"""Standard deviation of their errors, in the unit of psi."""
BETWEEN = 4
"""Model steps between observations: 5 time units."""
COURANT = 2.0 * 2.0**0.5
"""Largest number at which fourth-order Runge-Kutta is stable for centred advection."""


@dataclass(frozen=True)
class QuasiGeostrophic:
    """The model; fields are (..., y, x) with zeros along the edge.

    Attributes:
        points: along each side.
        stretching: F, square of the length of the basin over the radius of deformation.
        advection: r, of the order of the Rossby number.
        friction: A.
        dt: time step.
    """

    points: int = 129
    stretching: float = 1600.0
    advection: float = 1e-5
    friction: float = 2e-12
    dt: float = 1.25
    _symbol: np.ndarray = field(init=False, repr=False)
    _forcing: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        mode = np.arange(1, self.points - 1)
        along = (2.0 - 2.0 * np.cos(np.pi * mode / (self.points - 1))) / self.spacing**2
        object.__setattr__(self, "_symbol", -(along[:, None] + along[None, :]) - self.stretching)
        y = np.linspace(0.0, 1.0, self.points)[1:-1, None]
        object.__setattr__(self, "_forcing", -2.0 * np.pi * np.sin(2.0 * np.pi * y))

    @property
    def spacing(self) -> float:
        """Distance of two points."""
        return 1.0 / (self.points - 1)

    def laplacian(self, field: np.ndarray) -> np.ndarray:
        """Five points; zero along the edge, as the boundary condition has it."""
        found = np.zeros_like(field)
        found[..., 1:-1, 1:-1] = (
            field[..., 2:, 1:-1] + field[..., :-2, 1:-1] + field[..., 1:-1, 2:] + field[..., 1:-1, :-2]
        )
        found[..., 1:-1, 1:-1] -= 4.0 * field[..., 1:-1, 1:-1]
        found /= self.spacing**2
        return found

    def vorticity(self, psi: np.ndarray) -> np.ndarray:
        """q of psi."""
        return self.laplacian(psi) - self.stretching * psi

    def invert(self, q: np.ndarray) -> np.ndarray:
        """psi of q."""
        psi = np.zeros_like(q)
        inner = dstn(q[..., 1:-1, 1:-1], type=1, axes=(-2, -1))
        inner /= self._symbol
        psi[..., 1:-1, 1:-1] = idstn(inner, type=1, axes=(-2, -1), overwrite_x=True)
        return psi

    def jacobian(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """J(a, b) = a_x b_y - a_y b_x of Arakawa, at the points inside, (..., n-2, n-2).

        The mean of his three forms, collected by the values of b: with E, N, W, S the neighbours, b_N meets
        a_E - a_W + a_NE - a_NW, b_NE meets a_E - a_N, and so around the point.
        """
        east = a[..., 2:] - a[..., :-2]
        east = east[..., 1:, :] + east[..., :-1, :]
        north = a[..., 2:, :] - a[..., :-2, :]
        north = north[..., 1:] + north[..., :-1]
        falling = a[..., :-1, 1:] - a[..., 1:, :-1]
        rising = a[..., 1:, 1:] - a[..., :-1, :-1]
        found = east[..., 1:, :] * b[..., 2:, 1:-1]
        found -= east[..., :-1, :] * b[..., :-2, 1:-1]
        found -= north[..., 1:] * b[..., 1:-1, 2:]
        found += north[..., :-1] * b[..., 1:-1, :-2]
        found += falling[..., 1:, 1:] * b[..., 2:, 2:]
        found -= falling[..., :-1, :-1] * b[..., :-2, :-2]
        found += rising[..., 1:, :-1] * b[..., 2:, :-2]
        found -= rising[..., :-1, 1:] * b[..., :-2, 2:]
        found /= 12.0 * self.spacing**2
        return found

    def tendency(self, q: np.ndarray) -> np.ndarray:
        """dq/dt of q."""
        psi = self.invert(q)
        rough = self.laplacian(self.laplacian(q + self.stretching * psi))
        found = np.zeros_like(q)
        inside = found[..., 1:-1, 1:-1]
        inside[...] = self.jacobian(psi, q)
        inside *= -self.advection
        inside -= self.friction * rough[..., 1:-1, 1:-1]
        inside -= (0.5 / self.spacing) * (psi[..., 1:-1, 2:] - psi[..., 1:-1, :-2])
        inside += self._forcing
        return found

    def step(self, q: np.ndarray) -> np.ndarray:
        """q one step later."""
        k1 = self.tendency(q)
        k2 = self.tendency(q + 0.5 * self.dt * k1)
        k3 = self.tendency(q + 0.5 * self.dt * k2)
        k4 = self.tendency(q + self.dt * k3)
        return q + self.dt / 6.0 * (k1 + 2.0 * (k2 + k3) + k4)

    def courant(self, psi: np.ndarray) -> float:
        """Largest (|u| + |v|) r dt / spacing of psi (y, x)."""
        speed = np.abs(psi[2:, 1:-1] - psi[:-2, 1:-1]) + np.abs(psi[1:-1, 2:] - psi[1:-1, :-2])
        return float(speed.max()) * 0.5 * self.advection * self.dt / self.spacing**2

    def forecast(self, psi: np.ndarray, steps: int) -> np.ndarray:
        """psi (y, x), or of every member (N, y, x), some steps later."""
        if psi.ndim == 3:
            # One after another: a member fits the cache, all do not.
            return np.stack([self.forecast(member, steps) for member in psi])
        parts = max(1, int(np.ceil(self.courant(psi) / COURANT)))
        model = self if parts == 1 else dataclasses.replace(self, dt=self.dt / parts)
        q = self.vorticity(psi)
        for _ in range(steps * parts):
            q = model.step(q)
        return self.invert(q)


def free_run(
    model: QuasiGeostrophic, generator: np.random.Generator, spin_up: int, states: int, apart: int
) -> np.ndarray:
    """psi (states, y, x) of one run from rest, in numbers of observation times: first spin-up, then every so often.

    A first perturbation of 1e-3 breaks the symmetry about y = 1/2 that rest and wind share.
    """
    psi = np.zeros((model.points, model.points))
    psi[1:-1, 1:-1] = 1e-3 * generator.standard_normal((model.points - 2, model.points - 2))
    for _ in range(spin_up):
        psi = model.forecast(psi, BETWEEN)
    sample = np.empty((states, *psi.shape))
    for index in range(states):
        for _ in range(apart):
            psi = model.forecast(psi, BETWEEN)
        sample[index] = psi
    return sample


def observed_points(points: int, generator: np.random.Generator) -> np.ndarray:
    """Indices (300,) into the flattened field: every 55th or 56th, all shifted by the same random number each time.

    On the map they line up like the tracks of satellites. It is the network of DAPPER's `mods.QG.sakov2008`; points
    along the edge, where psi is always zero, are observed too.
    """
    places = np.linspace(0, points**2 - 1, OBSERVED + 1).astype(int)[:-1]
    return places + generator.integers(places[1] - places[0])
