"""Nesting from one Domain to another: boundary and initial fields for an inner model from our own wider run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kaiseki.core.constants import GRAVITY, R_DRY, STANDARD_PRESSURE, STANDARD_TEMPERATURE
from kaiseki.core.errors import InputError
from kaiseki.core.places import place_words
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.driving.column import (
    LAPSE_RATE,
    ColumnInterpolation,
    hydrostatic_pressure,
    log_pressure_at,
    surface_pressure_below,
)
from kaiseki.driving.moisture import split_virtual_temperature
from kaiseki.driving.weights import Interpolation, interpolation

CONDENSATE = ("qc", "qr", "qi", "qs")
TEMPERATURES_AT_GROUND = ("skin_temperature", "soil_temperature")


def _standard_log_pressure(height: np.ndarray) -> np.ndarray:
    """Logarithm of pressure ln p of the standard troposphere (ISO 2533:1975), continued with its lapse rate below sea
    level."""
    exponent = GRAVITY / (R_DRY * LAPSE_RATE)
    return np.asarray(np.log(STANDARD_PRESSURE) + exponent * np.log1p(-LAPSE_RATE * height / STANDARD_TEMPERATURE))


def check_within(inner: Any, outer: Any, name: str, outer_name: str) -> None:
    """Refuse a domain that reaches beyond the cell centres of the one that is to drive it.

    Args:
        inner, outer: `grid.Domain`, of any projections.
        name, outer_name: what the user calls them; of the outer one its file where it has one.

    Raises:
        InputError: says by which place, and where the outer one ends.
    """
    x, y = outer.projection.forward(inner.lat, inner.lon)
    beyond = np.maximum(np.maximum(outer.x[0] - x, x - outer.x[-1]), np.maximum(outer.y[0] - y, y - outer.y[-1]))
    # A ten-thousandth of a cell: identical domains must pass through the round trip of projection and back.
    if beyond.max() <= 1e-4 * outer.spacing:
        return
    worst = int(beyond.argmax())
    corners = [place_words(outer.lat[j, i], outer.lon[j, i], 1) for j in (0, -1) for i in (0, -1)]
    raise InputError(
        f"{name} does not lie inside {outer_name}: it reaches {beyond.flat[worst] / 1e3:.0f} km beyond it at "
        f"{place_words(inner.lat.flat[worst], inner.lon.flat[worst], 1)}, while the corners of the wider domain are "
        f"{', '.join(corners)}; make the domain smaller, move it, or take a wider run"
    )


def check_top(inner: np.ndarray, outer: np.ndarray) -> None:
    """Refuse an inner domain whose highest level lies clearly over that of the outer one; heights in m.

    Raises:
        InputError: says by how much.
    """
    gap = float((inner - outer).max())
    if gap > 1500.0:
        raise InputError(
            f"The inner domain's highest level lies {gap:.0f} m over the outer domain's; lower its top or "
            "raise the outer one."
        )


@dataclass(frozen=True)
class Nest:
    """Everything that depends on the two geometries only, built once for many times.

    Horizontally fields are taken along the source's levels, whose interpolated heights are those of the source's
    coordinate over its interpolated terrain; vertically they are then linear in height.
    """

    source: Any
    target: Any
    cubic: Interpolation
    linear: Interpolation
    ground: np.ndarray
    z: np.ndarray
    columns: ColumnInterpolation

    @classmethod
    def build(cls, source_domain: Any, target_domain: Any, method: str = "cubic") -> Nest:
        """Weights from one domain to another that lies inside it.

        Args:
            source_domain, target_domain: `grid.Domain`, of any projections.
            method: "cubic" or "linear", for mass and wind; water is always linear.

        Raises:
            InputError: the target reaches beyond the source's cell centres or clearly over its top.
        """
        x, y = source_domain.projection.forward(target_domain.lat, target_domain.lon)
        axes = (source_domain.y, source_domain.x, y, x)
        # A ten-thousandth of a cell: identical domains must pass through the round trip of projection and back.
        reach = 1e-4 * source_domain.spacing
        linear = interpolation(*axes, method="linear", reach=reach)
        cubic = linear if method == "linear" else interpolation(*axes, method=method, reach=reach)
        ground, z = cubic(source_domain.terrain), cubic(source_domain.z)
        check_top(target_domain.z[-1], z[-1])
        return cls(
            source_domain, target_domain, cubic, linear, ground, z, ColumnInterpolation.build(z, target_domain.z)
        )

    def _check(self, fields: dict[str, np.ndarray]) -> None:
        for name in ("u", "v", "temperature", "pressure", "qv"):
            if name not in fields:
                raise InputError(
                    f"The outer run's fields lack {name}; nesting needs u, v, temperature, pressure and qv."
                )
            if np.shape(fields[name]) != self.source.shape:
                raise InputError(
                    f"The outer run's {name} has shape {np.shape(fields[name])}, but its domain "
                    f"{self.source.name} has {self.source.shape}."
                )

    def __call__(self, fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Fields on the target domain; see `interpolate_atmosphere`."""
        self._check(fields)
        source, target = self.source, self.target
        values = {name: np.asarray(f, dtype=np.float64) for name, f in fields.items()}
        tv = virtual_temperature(values["temperature"], values["qv"])
        surface = values.get("surface_pressure")
        if surface is None:
            surface = surface_pressure_below(values["pressure"], tv, source.z, source.terrain)
        departure = np.log(values["pressure"] / hydrostatic_pressure(surface, tv, source.z, source.terrain))

        # The standard atmosphere taken out, what is left of ln p hardly depends on the terrain under it.
        log_surface = self.cubic(np.log(surface) - _standard_log_pressure(source.terrain)) + _standard_log_pressure(
            self.ground
        )
        tv_here = self.cubic(tv)
        # The column at the interpolated source levels, with its ground as lowest point.
        log_p = np.log(hydrostatic_pressure(np.exp(log_surface), tv_here, self.z, self.ground))
        surface_here = self._at_target_ground(log_surface, log_p, tv_here)

        tv_target = self.columns.temperature(tv_here)
        pressure = hydrostatic_pressure(surface_here, tv_target, target.z, target.terrain)
        pressure = pressure * np.exp(self.columns.linear(self.cubic(departure)))
        humidity = self.columns.linear(self.linear(values["qv"]))
        temperature, qv = split_virtual_temperature(tv_target, pressure, humidity)
        east, north = (self.columns.linear(self.cubic(w)) for w in source.to_east_north(values["u"], values["v"]))
        result = dict(zip(("u", "v"), target.to_grid(east, north), strict=True))
        result |= {"temperature": temperature, "pressure": pressure, "qv": qv, "surface_pressure": surface_here}
        for name in ("w", *CONDENSATE):
            result[name] = self.columns.linear(self.linear(values[name])) if name in values else np.zeros(target.shape)
        for name in ("sst", "sea_ice", "ice_temperature", "snow", "soil_moisture"):
            if name in values:
                result[name] = self.linear(values[name])
        lowering = LAPSE_RATE * (self.linear(source.terrain) - target.terrain) * target.land_fraction
        for name in TEMPERATURES_AT_GROUND:
            if name in values:
                result[name] = self.linear(values[name]) + lowering
        return result

    def _at_target_ground(self, log_surface: np.ndarray, log_p: np.ndarray, tv: np.ndarray) -> np.ndarray:
        """Surface pressure (Pa) at the target's ground from the column of the source, its own ground included."""
        at_ground = tv[0] - (tv[1] - tv[0]) / (self.z[1] - self.z[0]) * (self.z[0] - self.ground)
        column = (
            np.concatenate([f[None], g]) for f, g in ((self.ground, self.z), (log_surface, log_p), (at_ground, tv))
        )
        height, logarithm, temperature = column
        return np.asarray(np.exp(log_pressure_at(height, logarithm, temperature, self.target.terrain[None])[0]))


def interpolate_atmosphere(
    fields: dict[str, np.ndarray], source_domain: Any, target_domain: Any, nest: Nest | None = None
) -> dict[str, np.ndarray]:
    """Fields of one domain on another, over the other's terrain.

    Surface pressure goes hydrostatically from the source's terrain to the target's; virtual temperature and wind are
    interpolated, the wind as east and north components; pressure is integrated upward by the discrete relation of
    `driving.column`, and the source's own departure from that relation (non-hydrostatic, or of another discretisation)
    is carried along as a factor. Humidity is cut at saturation, at constant virtual temperature.

    Args:
        fields: (nz, ny, nx) u, v (grid-relative), temperature, pressure, qv, and where present w, qc, qr, qi, qs; (ny,
            nx) surface_pressure, sst, sea_ice, ice_temperature, skin_temperature, snow; (nsoil, ny, nx)
            soil_temperature, soil_moisture.
        source_domain, target_domain: `grid.Domain`.
        nest: weights from `Nest.build`, to be built once and used for all times.

    Returns:
        The same fields on the target domain; skin and soil temperature over land are moved to its altitude with the
        standard lapse rate.

    Raises:
        InputError: the target reaches beyond the source, fields are missing or of the wrong shape.
    """
    return (nest or Nest.build(source_domain, target_domain))(fields)
