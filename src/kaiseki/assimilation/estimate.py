"""Background errors from innovations: variances, and horizontal and vertical lengths, by layer.

Hollingsworth and Lonnberg 1986 (Tellus 38A, 111-136): errors of observations at
different stations are not correlated, so the covariance of innovations at two stations is that of the background. It is
averaged in bins of distance and the background's correlation is fitted to it; the value of the fit at distance zero is
the variance of the background, and what the variance of the innovations has beyond it that of the observations.

The model of the correlation is the one of `statistics.configuration.two_scales`, so that what is estimated is what is
configured: rho(r) = sum w exp(-r^2 / 2 L^2) for temperature, humidity and pressure. For wind it is that of
non-divergent wind with such a stream function: the mean of its longitudinal and transverse correlation, hence of both
components over all directions, is sum w (L0/L)^2 (1 - r^2 / 2 L^2) exp(-r^2 / 2 L^2) with 1 / L0^2 = sum w / L^2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from scipy.spatial import cKDTree

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.errors import InputError
from kaiseki.diagnostics.saturation import saturation_humidity_over_water
from kaiseki.observations import Flag, Table, trusted
from kaiseki.observations.profiles import levels
from kaiseki.statistics.configuration import two_scales

LEAST_PAIRS: Final = 200
"""Fewer pairs of stations than this give no estimate."""

LENGTHS: Final = np.geomspace(60e3, 1200e3, 61)
"""Horizontal lengths tried [m]."""

VERTICAL_LENGTHS: Final = np.geomspace(0.08, 1.5, 60)
"""Vertical lengths tried, in ln p."""

_NOT_ESTIMATED: Final = Flag.THINNED | Flag.MONITORED | Flag.OUTSIDE_DOMAIN | Flag.NO_EQUIVALENT | Flag.BACKGROUND


@dataclass(frozen=True)
class Fit:
    """What one layer tells.

    Attributes:
        pressure: middle of the layer [Pa]; NaN at the surface.
        n, pairs: values and pairs of stations.
        sigma_b, sigma_o: standard deviations of background and observations, in the unit of the quantity.
        length: horizontal length of the background's error [m].
    """

    pressure: float
    n: int
    pairs: int
    sigma_b: float
    sigma_o: float
    length: float


@dataclass(frozen=True, eq=False)
class Innovations:
    """Innovations at places; rows of one `time` group belong together.

    Attributes:
        value: (n,) d.
        place: (n, 3) unit vectors.
        station: (n,) number of the station.
        group: (n,) number of the window, whose rows are paired with each other.
        layer: (n,) number of the layer.
        component: (n,) 0 or 1 for wind components, which are paired with their like.
    """

    value: np.ndarray
    place: np.ndarray
    station: np.ndarray
    group: np.ndarray
    layer: np.ndarray
    component: np.ndarray


def _shares(length: float, vertical: float, *, wind: bool) -> np.ndarray:
    """Part of the variance in each of `two_scales`: of the scalar, or of the wind that a stream function makes."""
    scales = two_scales(length, vertical)
    return np.array([s.weight * ((length / s.length) ** 2 if wind else 1.0) for s in scales])


def wind_correlation(distance: np.ndarray, length: float) -> np.ndarray:
    """Correlation (n,) of wind, both components averaged, of a stream function with `two_scales` of this length."""
    scales = two_scales(length, 1.0)
    share = _shares(length, 1.0, wind=True)
    squares = np.stack([0.5 * (distance / s.length) ** 2 for s in scales])
    return np.asarray(np.sum(share[:, None] * (1.0 - squares) * np.exp(-squares), axis=0))


def mass_correlation(distance: np.ndarray, length: float) -> np.ndarray:
    """Correlation (n,) of a scalar with `two_scales` of this length."""
    return np.asarray(sum(s.weight * np.exp(-0.5 * (distance / s.length) ** 2) for s in two_scales(length, 1.0)))


def collect(tables: Iterable[Table], quantities: Sequence[str], interfaces: Sequence[float]) -> Innovations:
    """The innovations of stations that are not withheld and whose values nothing doubts.

    Args:
        tables: one per window, with background departures.
        quantities: that are taken together: both winds, or one quantity. `specific_humidity` is divided by saturation
            at the temperature of its level, so it is pseudo-relative humidity.
        interfaces: pressures of the layers [Pa], falling; empty for values at the surface.
    """
    parts: list[tuple[np.ndarray, ...]] = []
    names: dict[str, int] = {}
    for number, table in enumerate(tables):
        departure = table.column("background_departure").copy()
        if "specific_humidity" in quantities:
            departure = departure / _saturation(table)
        good = table.where(quantity=quantities) & trusted(table.column("flags")) & ~table.column("withheld")
        good &= (table.column("flags") & np.uint32(_NOT_ESTIMATED)) == 0
        good &= np.isfinite(departure)
        if len(interfaces):
            layer = np.searchsorted(-np.asarray(interfaces), -table.column("pressure"), side="right") - 1
            good &= (layer >= 0) & (layer < len(interfaces) - 1) & table.where(kind="sonde")
        else:
            layer = np.zeros(len(table), dtype=np.int64)
        rows = np.flatnonzero(good)
        latitude, longitude = (np.deg2rad(table.column(name)[rows]) for name in ("latitude", "longitude"))
        place = np.stack(
            [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], axis=1
        )
        station = np.array([names.setdefault(name, len(names)) for name in table.column("station")[rows]], dtype=int)
        component = table.where(quantity=quantities[-1])[rows].astype(int)
        parts.append((departure[rows], place, station, np.full(len(rows), number), layer[rows], component))
    if not parts:
        raise InputError("Background errors cannot be estimated without a table of departures")
    return Innovations(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _saturation(table: Table) -> np.ndarray:
    """Saturation humidity at the temperature of each row's level, NaN where that is not known."""
    found = np.full(len(table), np.nan)
    profile = levels(table, ("specific_humidity", "air_temperature"), np.ones(len(table), dtype=bool))
    both = profile.keep((profile.rows >= 0).all(axis=1))
    found[both.rows[:, 0]] = saturation_humidity_over_water(both.values[:, 1], both.pressure)
    return found


def _pairs(data: Innovations, rows: np.ndarray, others: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Distances [m] and products of the pairs of different stations nearer than `limit`, between two sets of rows."""
    # Groups and components are put far apart, so that one tree holds all of them.
    apart = 10.0 * np.stack([data.group, data.component], axis=1)
    points = np.concatenate([data.place, apart], axis=1)
    chord = 2.0 * np.sin(0.5 * limit / EARTH_RADIUS)
    near = cKDTree(points[rows]).sparse_distance_matrix(cKDTree(points[others]), chord, output_type="coo_matrix")
    one, two = rows[near.row], others[near.col]
    different = data.station[one] != data.station[two]
    distance = 2.0 * EARTH_RADIUS * np.arcsin(0.5 * near.data[different])
    return distance, data.value[one[different]] * data.value[two[different]]


def _binned(distance: np.ndarray, product: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean distance, mean product and number of pairs of the bins that hold any."""
    cell = (distance / width).astype(int)
    count = np.bincount(cell)
    held = count > 0
    means = (np.bincount(cell, weights=weights)[held] / count[held] for weights in (distance, product))
    middle, covariance = means
    return middle, covariance, count[held]


def _fit(distance: np.ndarray, covariance: np.ndarray, count: np.ndarray, wind: bool) -> tuple[float, float]:
    """Variance and length of least weighted squares; the variance is held at zero or above."""
    model = wind_correlation if wind else mass_correlation
    best = (np.inf, 0.0, float(LENGTHS[0]))
    for length in LENGTHS:
        shape = model(distance, float(length))
        variance = max(float(np.sum(count * shape * covariance) / np.sum(count * shape**2)), 0.0)
        misfit = float(np.sum(count * (covariance - variance * shape) ** 2))
        if misfit < best[0]:
            best = (misfit, variance, float(length))
    return best[1], best[2]


def horizontal(
    data: Innovations, interfaces: Sequence[float], *, wind: bool, limit: float = 1500e3, width: float = 100e3
) -> list[Fit]:
    """The fit of each layer that holds enough pairs.

    Args:
        data: from `collect`, with the same interfaces.
        interfaces: pressures of the layers [Pa]; empty at the surface.
        wind: whether the values are wind components.
        limit: greatest distance of pairs [m].
        width: of the bins [m].
    """
    found = []
    for layer in range(max(1, len(interfaces) - 1)):
        rows = np.flatnonzero(data.layer == layer)
        if not len(rows):
            continue
        distance, product = _pairs(data, rows, rows, limit)
        if len(distance) < 2 * LEAST_PAIRS:
            continue
        variance, length = _fit(*_binned(distance, product, width), wind)
        whole = float(np.mean(data.value[rows] ** 2))
        middle = float(np.sqrt(interfaces[layer] * interfaces[layer + 1])) if len(interfaces) else float("nan")
        rest = np.sqrt(max(whole - variance, 0.0))
        found.append(Fit(middle, len(rows), len(distance) // 2, float(np.sqrt(variance)), float(rest), length))
    return found


def vertical_length(data: Innovations, fits: Sequence[Fit], interfaces: Sequence[float], *, wind: bool) -> float | None:
    """Vertical length in ln p from the covariances of different stations between layers; None where nothing tells it.

    Each covariance is brought to distance zero with the mean horizontal length of both layers.
    """
    middles = [float(np.sqrt(low * high)) for low, high in pairwise(interfaces)]
    by_layer = {int(np.argmin([abs(fit.pressure - middle) for middle in middles])): fit for fit in fits}
    apart, correlation, weight = [], [], []
    model = wind_correlation if wind else mass_correlation
    for one, first in by_layer.items():
        for two, second in by_layer.items():
            if two <= one or first.sigma_b * second.sigma_b <= 0.0:
                continue
            rows, others = (np.flatnonzero(data.layer == layer) for layer in (one, two))
            length = float(np.sqrt(first.length * second.length))
            distance, product = _pairs(data, rows, others, 2.0 * length)
            if len(distance) < LEAST_PAIRS:
                continue
            shape = model(distance, length)
            covariance = float(np.sum(shape * product) / np.sum(shape**2))
            apart.append(abs(np.log(first.pressure / second.pressure)))
            correlation.append(covariance / (first.sigma_b * second.sigma_b))
            weight.append(len(distance))
    if not apart:
        return None
    x, y, w = np.array(apart), np.array(correlation), np.array(weight)
    misfit = []
    for length in VERTICAL_LENGTHS:
        scales = two_scales(1.0, float(length))
        decay = _shares(1.0, float(length), wind=wind) @ np.exp(
            [-0.5 * (x / scale.vertical_length) ** 2 for scale in scales]
        )
        misfit.append(float(np.sum(w * (y - decay) ** 2)))
    return float(VERTICAL_LENGTHS[int(np.argmin(misfit))])


DEFAULT_INTERFACES: Final = (105_000.0, 92_500.0, 77_500.0, 60_000.0, 40_000.0, 27_500.0, 17_500.0, 8_000.0)
"""Interfaces of the layers [Pa], around the mandatory levels."""


def suggest(
    tables: Iterable[Table], balance: float = 0.9, interfaces: Sequence[float] = DEFAULT_INTERFACES
) -> dict[str, Any]:
    """Values for the experiment's background error from the departures of one or more windows.

    Wind, its lengths, humidity and its lengths are what is found; of the variances of temperature and surface pressure
    the part 1 - `balance` is suggested, since the section asks for what the wind does not explain. Layers without
    enough pairs take the nearest layer's value; what no layer tells is left out.

    Args:
        tables: with background departures, withheld stations marked: these are not used.
        balance: part of the mass variance that is balanced.
        interfaces: pressures of the layers [Pa], falling.

    Returns:
        Keys of the experiment's section, and under `fits` the rows of every fit, all JSON-able.

    Raises:
        InputError: there is no table.
    """
    held = list(tables)
    middles = [float(np.sqrt(low * high)) for low, high in pairwise(interfaces)]
    result: dict[str, Any] = {"pressure": middles, "balance": balance, "fits": {}}
    unbalanced = float(np.sqrt(1.0 - balance))
    for name, quantities, factor, prefix in (
        ("wind", ("eastward_wind", "northward_wind"), 1.0, ""),
        ("temperature", ("air_temperature",), unbalanced, None),
        ("humidity", ("specific_humidity",), 1.0, "humidity_"),
    ):
        data = collect(held, quantities, interfaces)
        fits = horizontal(data, interfaces, wind=name == "wind")
        result["fits"][name] = [_row(fit) for fit in fits]
        usable = [fit for fit in fits if fit.sigma_b > 0.0]
        if not usable:
            continue
        order = sorted(usable, key=lambda fit: fit.pressure)
        known = np.log([fit.pressure for fit in order])
        sigmas = np.interp(np.log(middles), known, [fit.sigma_b for fit in order])
        result[name] = [float(factor * sigma) for sigma in sigmas]
        if prefix is not None:
            pairs = np.array([fit.pairs for fit in usable], dtype=float)
            result[f"{prefix}length"] = float(np.average([fit.length for fit in usable], weights=pairs))
            deep = vertical_length(data, usable, interfaces, wind=name == "wind")
            if deep is not None:
                result[f"{prefix}vertical_length"] = deep
    surface = horizontal(collect(held, ("surface_pressure",), ()), (), wind=False)
    result["fits"]["surface_pressure"] = [_row(fit) for fit in surface]
    if surface and surface[0].sigma_b > 0.0:
        result["surface_pressure"] = unbalanced * surface[0].sigma_b
    return result


def observation_errors(fits: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Rows of the experiment's `observations.errors` for sondes: what the variance of their innovations has beyond that
    of the background, by layer; layers where nothing is left are left out.

    Args:
        fits: as `suggest` gives them.
    """
    rows = []
    for name, quantities in (("wind", ("eastward_wind", "northward_wind")), ("temperature", ("air_temperature",))):
        layers = [fit for fit in fits.get(name, ()) if fit["pressure"] is not None and fit["sigma_o"] > 0.0]
        layers.sort(key=lambda fit: -fit["pressure"])
        for quantity in quantities if layers else ():
            rows.append(
                {
                    "kind": "sonde",
                    "quantity": quantity,
                    "pressure": [float(fit["pressure"]) for fit in layers],
                    "error": [float(fit["sigma_o"]) for fit in layers],
                }
            )
    return rows


def _row(fit: Fit) -> dict[str, float | int | None]:
    row: dict[str, float | int | None] = dict(vars(fit))
    row["pressure"] = None if np.isnan(fit.pressure) else fit.pressure
    return row
