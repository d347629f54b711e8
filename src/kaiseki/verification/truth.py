"""Fields against the truth of a twin experiment: the dry total-energy norm, and bias and rms by variable and level.

Cells near each other err together, so that intervals come from blocks of the map (see `bootstrap`), about
`BLOCK_LENGTH` wide. Fields are given on pressure levels (NaN below ground), on the cells of one domain; `onto_cells`
brings a truth of another grid there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kaiseki.config import Verification
from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.core.errors import InputError
from kaiseki.core.timing import format_utc
from kaiseki.core.variables import variable
from kaiseki.grid import Domain
from kaiseki.verification.bootstrap import DEFAULTS, Groups, interval
from kaiseki.verification.energy import column_energy
from kaiseki.verification.paired import Comparison, compare

ENERGY = "dry_total_energy"
"""`variable` of the norm; its `rms` is the root of the energy, in (J kg-1)^1/2, and it has no bias."""

BOTTOM, TOP = 100_000.0, 20_000.0
"""Ends of the layer of the norm [Pa]."""

TRUTH_LEVELS = tuple(float(level) for level in range(100_000, 19_999, -5_000))
"""Pressures on which fields are compared where the caller says nothing: every 50 hPa [Pa]."""

BLOCK_LENGTH = 600_000.0
"""Width of the blocks of the map [m], about the scale on which synoptic errors are one."""

Fields = Mapping[str, np.ndarray]
"""`u`, `v`, `temperature`, maybe `qv`, `geopotential_height` (p, y, x); `surface_pressure` (y, x); SI."""


def blocks(domain: Domain, length: float = BLOCK_LENGTH) -> np.ndarray:
    """Number of the block of each cell (y, x), -1 in the rim; blocks fill the inside evenly, at least 2 by 2."""
    inside = domain.inside_rim
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if rows.size == 0:
        raise InputError(f"The domain {domain.name} has no cell inside its rim, so that nothing can be scored")
    j, nj = _parts(rows.size, domain.spacing, length)
    i, ni = _parts(columns.size, domain.spacing, length)
    assert nj * ni >= 1
    result = np.full(inside.shape, -1)
    result[np.ix_(rows, columns)] = j[:, None] * ni + i[None, :]
    return result


def _parts(cells: int, spacing: float, length: float) -> tuple[np.ndarray, int]:
    number = min(cells, max(2, round(cells * spacing / length)))
    return np.arange(cells) * number // cells, number


def truth_rows(
    fields: Fields,
    truth: Fields,
    levels: Sequence[float] | np.ndarray,
    domain: Domain,
    *,
    case: str,
    experiment: str,
    time: np.datetime64,
    settings: Verification = DEFAULTS,
) -> list[dict[str, Any]]:
    """Rows for `scores.json` with `against` "truth", inside the rim; `n` counts cells, not independent values.

    `bias` is truth minus experiment, as observation minus experiment elsewhere.

    Args:
        fields, truth: on the same pressure levels and cells.
        levels: (p,) pressures [Pa], with 1000 and 200 hPa among them.
        domain: gives the rim and the blocks.
        case, experiment, time: for the rows.
        settings: bootstrap by blocks.

    Raises:
        InputError: a field lacks its partner or has another shape.
    """
    error = difference(fields, truth)
    block, wanted = blocks(domain), np.asarray(levels, float)
    inside = block >= 0
    head = {"case": case, "experiment": experiment, "against": "truth"}
    rows: list[dict[str, Any]] = []

    def add(name: str, level: float | str | None, square: np.ndarray, weight: np.ndarray, bias: float | None) -> None:
        groups = Groups.draw(block[weight > 0.0], settings.bootstrap_samples, settings.seed)
        value, mass = square[weight > 0.0], weight[weight > 0.0]
        low, high = interval(np.sqrt(groups.means(value, mass)), settings.confidence)
        rms = float(np.sqrt(np.average(value, weights=mass)))
        body = {"variable": name, "level": level, "time": format_utc(time), "n": int(value.size), "bias": bias}
        rows.append(head | body | {"rms": rms, "rms_low": low, "rms_high": high})

    energy, mass = column_energy(error, wanted, BOTTOM, TOP)
    add(ENERGY, f"{BOTTOM / 100:g}-{TOP / 100:g}", energy, mass * inside, None)
    ps = error["surface_pressure"]
    add(variable("surface_pressure").standard_name, None, ps**2, inside * 1.0, float(ps[inside].mean()))
    for number, level in enumerate(wanted):
        for name in ("temperature", "qv", "geopotential_height", "wind"):
            parts = [error["u"], error["v"]] if name == "wind" else [error[name]] if name in error else []
            if not parts:
                continue
            valid = inside & np.isfinite(np.stack([part[number] for part in parts])).all(axis=0)
            if not valid.any():
                continue
            square = np.square(np.stack([part[number] for part in parts])).sum(axis=0)
            means = [float(part[number][valid].mean()) for part in parts]
            bias = float(np.hypot(means[0], means[1])) if name == "wind" else means[0]
            label = name if name == "wind" else variable(name).standard_name
            add(label, float(level), np.where(valid, square, 0.0), valid * 1.0, bias)
    return rows


def compare_with_truth(
    experiment: Fields,
    baseline: Fields,
    truth: Fields,
    levels: Sequence[float] | np.ndarray,
    domain: Domain,
    *,
    settings: Verification = DEFAULTS,
) -> dict[str, Comparison]:
    """Ratios of the error of an experiment to that of a baseline, of the energy norm and of surface pressure.

    Arguments as `truth_rows`; keys of the result are `ENERGY` and "surface_air_pressure".
    """
    one, other = (errors_inside(fields, truth, levels, domain) for fields in (experiment, baseline))
    return compare_errors(one, other, settings=settings)


@dataclass(frozen=True)
class ErrorsInside:
    """Errors of fields in the cells inside the rim, (n,) each.

    Attributes:
        energy: root of the dry energy of the column [(J kg-1)^1/2].
        mass: that the energy stands for [kg m-2]; 0 where there is none.
        pressure: of surface pressure [Pa].
        block: see `blocks`.
    """

    energy: np.ndarray
    mass: np.ndarray
    pressure: np.ndarray
    block: np.ndarray


def errors_inside(fields: Fields, truth: Fields, levels: Sequence[float] | np.ndarray, domain: Domain) -> ErrorsInside:
    """Errors by cell; arguments as `truth_rows`."""
    block, error = blocks(domain), difference(fields, truth)
    inside = block >= 0
    energy, mass = column_energy(error, np.asarray(levels, float), BOTTOM, TOP)
    return ErrorsInside(np.sqrt(energy[inside]), mass[inside], error["surface_pressure"][inside], block[inside])


def compare_errors(
    one: ErrorsInside,
    other: ErrorsInside,
    *,
    settings: Verification = DEFAULTS,
) -> dict[str, Comparison]:
    """Ratios as of `compare_with_truth`, of errors in the same cells."""
    mass = np.minimum(one.mass, other.mass)
    cells = mass > 0.0
    energy = compare(one.energy[cells], other.energy[cells], one.block[cells], weights=mass[cells], settings=settings)
    return {
        ENERGY: energy,
        variable("surface_pressure").standard_name: compare(one.pressure, other.pressure, one.block, settings=settings),
    }


def difference(fields: Fields, truth: Fields) -> dict[str, np.ndarray]:
    """Truth minus experiment for all fields that both have.

    Raises:
        InputError: a field lacks its partner or has another shape.
    """
    for name in ("u", "v", "temperature", "surface_pressure"):
        if name not in fields or name not in truth:
            raise InputError(f"A comparison with the truth needs the field {name!r} on both sides")
    result = {}
    for name, values in truth.items():
        if name in fields:
            if np.shape(values) != np.shape(fields[name]):
                raise InputError(
                    f"The field {name!r} has the shape {np.shape(fields[name])}, its truth {np.shape(values)}"
                )
            result[name] = np.asarray(values, float) - np.asarray(fields[name], float)
    return result


def onto_cells(source: Domain, target: Domain, field: np.ndarray) -> np.ndarray:
    """A field at the cell centres of another domain, bilinear on the map.

    Args:
        source: domain of the field; it must cover the target, up to half a cell.
        target: domain wanted.
        field: (..., y, x) on the source, winds eastward and northward.

    Returns:
        (..., y, x) on the target; NaN where one of the four neighbours is NaN.

    Raises:
        InputError: the source does not cover the target.
    """
    (j, wj), (i, wi) = _neighbours(source, target)
    south = field[..., j, i] * (1.0 - wi) + field[..., j, i + 1] * wi
    north = field[..., j + 1, i] * (1.0 - wi) + field[..., j + 1, i + 1] * wi
    return np.asarray(south * (1.0 - wj) + north * wj)


def surface_pressure_onto(source: Domain, target: Domain, pressure: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    """Surface pressure over the terrain of another domain (y, x) [Pa].

    In each of the four neighbouring columns the logarithm of pressure is taken at the height of the target's terrain,
    linear in height between levels, hydrostatic with the lowest temperature below the lowest level; then bilinear.

    Args:
        source, target: domains, as `onto_cells`.
        pressure, temperature: (z, y, x) on the model levels of the source [Pa, K].
    """
    (j, wj), (i, wi) = _neighbours(source, target)
    total = np.zeros((target.ny, target.nx))
    for dj, di in ((0, 0), (0, 1), (1, 0), (1, 1)):
        z, p, t = (np.asarray(field, float)[:, j + dj, i + di] for field in (source.z, pressure, temperature))
        weight = (wj if dj else 1.0 - wj) * (wi if di else 1.0 - wi)
        total += weight * _log_pressure_at(target.terrain, z, p, t[0])
    return np.asarray(np.exp(total))


def _log_pressure_at(height: np.ndarray, z: np.ndarray, pressure: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """Logarithm of pressure ln p at a height (y, x) in columns (z, y, x)."""
    above = np.clip((z <= height).sum(axis=0), 1, len(z) - 1)[None]
    z0, z1 = (np.take_along_axis(z, index, axis=0)[0] for index in (above - 1, above))
    p0, p1 = (np.log(np.take_along_axis(pressure, index, axis=0)[0]) for index in (above - 1, above))
    between = p0 + (height - z0) / (z1 - z0) * (p1 - p0)
    under = np.log(pressure[0]) + GRAVITY * (z[0] - height) / (R_DRY * lowest)
    return np.where(height < z[0], under, between)


def _neighbours(source: Domain, target: Domain) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """South-west neighbour of each target cell and the weight of the one beyond, along y and along x."""
    j, i = source.index(target.lat, target.lon)
    if min(j.min(), i.min()) < -0.5 or j.max() > source.ny - 0.5 or i.max() > source.nx - 0.5:
        raise InputError(f"The domain {source.name} of the truth does not cover the domain {target.name}")
    result = []
    for place, size in ((j, source.ny), (i, source.nx)):
        place = np.clip(place, 0.0, size - 1.0)
        low = np.minimum(place.astype(int), size - 2)
        result.append((low, place - low))
    return result[0], result[1]
