"""Columns of the standard atmospheres of McClatchey et al. (1972, AFCRL-72-0497), tables 1 to 5, up to 22 km."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from kaiseki.core.constants import GRAVITY, KAPPA, P0
from kaiseki.forecast.physics.columns import Columns, Water

HEIGHT = np.arange(23) * 1000.0

# Pressure (hPa), temperature (K), density of water vapour (g/m3).
STRATOSPHERE = [0.0018, 0.001, 0.00076, 0.00064, 0.00056, 0.0005, 0.00049, 0.00045, 0.00051, 0.00051]
# fmt: off
ATMOSPHERES = {
    "tropical": (
        [
            1013, 904, 805, 715, 633, 559, 492, 432, 378, 329, 286, 247, 213, 182, 156, 132, 111, 93.7, 78.9, 66.6,
            56.5, 48, 40.9,
        ],
        [
            300, 294, 288, 284, 277, 270, 264, 257, 250, 244, 237, 230, 224, 217, 210, 204, 197, 195, 199, 203, 207,
            211, 215,
        ],
        [19, 13, 9.3, 4.7, 2.2, 1.5, 0.85, 0.47, 0.25, 0.12, 0.05, 0.017, 0.006, *STRATOSPHERE],
    ),
    "summer": (
        [
            1013, 902, 802, 710, 628, 554, 487, 426, 372, 324, 281, 243, 209, 179, 153, 130, 111, 95, 81.2, 69.5,
            59.5, 51, 43.7,
        ],
        [
            294, 290, 285, 279, 273, 267, 261, 255, 248, 242, 235, 229, 222, 216, 216, 216, 216, 216, 216, 217, 218,
            219, 220,
        ],
        [14, 9.3, 5.9, 3.3, 1.9, 1.0, 0.61, 0.37, 0.21, 0.12, 0.064, 0.022, 0.006, *STRATOSPHERE],
    ),
    "winter": (
        [
            1018, 897.3, 789.7, 693.8, 608.1, 531.3, 462.7, 401.6, 347.3, 299.2, 256.8, 219.9, 188.2, 161.0, 137.8,
            117.8, 100.7, 86.1, 73.5, 62.8, 53.7, 45.8, 39.1,
        ],
        [
            272.2, 268.7, 265.2, 261.7, 255.7, 249.7, 243.7, 237.7, 231.7, 225.7, 219.7, 219.2, 218.7, 218.2, 217.7,
            217.2, 216.7, 216.2, 215.7, 215.2, 215.2, 215.2, 215.2,
        ],
        [3.5, 2.5, 1.8, 1.2, 0.66, 0.38, 0.21, 0.085, 0.035, 0.016, 0.0075, 0.0069, 0.006, *STRATOSPHERE],
    ),
    "subarctic winter": (
        [
            1013, 887.8, 777.5, 679.8, 593.2, 515.8, 446.7, 385.3, 330.8, 282.9, 241.8, 206.7, 176.6, 151, 129.1,
            110.3, 94.31, 80.58, 68.82, 58.75, 50.14, 42.77, 36.47,
        ],
        [
            257.1, 259.1, 255.9, 252.7, 247.7, 240.9, 234.1, 227.3, 220.6, 217.2, 217.2, 217.2, 217.2, 217.2, 217.2,
            217.2, 216.6, 216, 215.4, 214.8, 214.1, 213.6, 213,
        ],
        [1.2, 1.2, 0.94, 0.68, 0.41, 0.2, 0.098, 0.054, 0.011, 0.0084, 0.0055, 0.0038, 0.0026, *STRATOSPHERE],
    ),
}
# fmt: on


def interfaces(n: int = 40, top: float = 22000.0, lowest: float = 60.0) -> np.ndarray:
    """Heights (m) of n layers, the lowest of given thickness, growing upwards."""
    s = np.arange(n + 1) / n
    return top * s * (lowest * n / top + (1.0 - lowest * n / top) * s)


def columns(name: str, z_half: np.ndarray | None = None, dtype: type = np.float32, wind: float = 0.0) -> Columns:
    """One column (nz, 1, 1) of an atmosphere with given interfaces (m) and westerly wind (m/s)."""
    pressure, temperature, vapour = ATMOSPHERES[name]
    z_half = interfaces() if z_half is None else z_half
    z, h = 0.5 * (z_half[1:] + z_half[:-1]), np.diff(z_half)

    def log(values: list[float], at: np.ndarray) -> np.ndarray:
        return np.exp(np.interp(at, HEIGHT, np.log(values)))

    p = 100.0 * log(pressure, z)
    dry = -np.diff(100.0 * log(pressure, z_half)) / GRAVITY
    ratio = 1e-3 * log(vapour, z) * h / dry

    def put(a: np.ndarray) -> jnp.ndarray:
        return jnp.asarray(np.broadcast_to(a, z.shape).astype(dtype)[:, None, None])

    zero = put(np.zeros(1))
    water = Water(put(ratio), zero, zero, zero, zero)
    t = put(np.interp(z, HEIGHT, temperature))
    return Columns(put(dry), t, put(p), put((p / P0) ** KAPPA), put(h), put(z), put(np.full(1, wind)), zero, water)
