"""The archive: the run store, `kaiseki.open`, selection, products, export. No JAX.

A name is imported from its module when it is first used: to open an archive nobody waits for what exports it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kaiseki.archive.exchange.export import Choice, export
    from kaiseki.archive.exchange.grib2 import write_grib2
    from kaiseki.archive.exchange.netcdf import export_netcdf
    from kaiseki.archive.products.climatology import climatology, each_block
    from kaiseki.archive.products.days import daily_statistics, each_day
    from kaiseki.archive.products.indices import (
        climate_indices,
        days_above,
        days_below,
        days_reaching,
        each_index_period,
    )
    from kaiseki.archive.products.normals import Normals
    from kaiseki.archive.products.periods import each_period, period_statistics
    from kaiseki.archive.products.pressure_levels import interpolate_to_pressure, on_pressure_levels
    from kaiseki.archive.reader import export_observations, observations, open_archive, open_domain
    from kaiseki.archive.store.forecast_store import ForecastStore
    from kaiseki.archive.store.run_store import RunStore
    from kaiseki.archive.store.schema import SCHEMA_VERSION
    from kaiseki.archive.store.transaction import CycleTransaction

_MODULES: Final[Mapping[str, str]] = {
    "Choice": "exchange.export",
    "CycleTransaction": "store.transaction",
    "ForecastStore": "store.forecast_store",
    "Normals": "products.normals",
    "RunStore": "store.run_store",
    "SCHEMA_VERSION": "store.schema",
    "climate_indices": "products.indices",
    "climatology": "products.climatology",
    "daily_statistics": "products.days",
    "days_above": "products.indices",
    "days_below": "products.indices",
    "days_reaching": "products.indices",
    "each_block": "products.climatology",
    "each_day": "products.days",
    "each_index_period": "products.indices",
    "each_period": "products.periods",
    "export": "exchange.export",
    "export_netcdf": "exchange.netcdf",
    "export_observations": "reader",
    "interpolate_to_pressure": "products.pressure_levels",
    "observations": "reader",
    "on_pressure_levels": "products.pressure_levels",
    "open_archive": "reader",
    "open_domain": "reader",
    "write_grib2": "exchange.grib2",
    "period_statistics": "products.periods",
}
"""Module of each public name, within the package."""

__all__ = [
    "SCHEMA_VERSION",
    "Choice",
    "CycleTransaction",
    "ForecastStore",
    "Normals",
    "RunStore",
    "climate_indices",
    "climatology",
    "daily_statistics",
    "days_above",
    "days_below",
    "days_reaching",
    "each_block",
    "each_day",
    "each_index_period",
    "each_period",
    "export",
    "export_netcdf",
    "export_observations",
    "interpolate_to_pressure",
    "observations",
    "on_pressure_levels",
    "open_archive",
    "open_domain",
    "period_statistics",
    "write_grib2",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
