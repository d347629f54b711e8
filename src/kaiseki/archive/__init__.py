"""The archive: the run store, `kaiseki.open`, products, export. No JAX."""

from kaiseki.archive.exchange.grib2 import write_grib2
from kaiseki.archive.exchange.netcdf import export_netcdf
from kaiseki.archive.products.pressure_levels import interpolate_to_pressure, on_pressure_levels
from kaiseki.archive.reader import export_observations, observations, open_archive, open_domain
from kaiseki.archive.store.forecast_store import ForecastStore
from kaiseki.archive.store.run_store import RunStore
from kaiseki.archive.store.schema import SCHEMA_VERSION
from kaiseki.archive.store.transaction import CycleTransaction

__all__ = [
    "SCHEMA_VERSION",
    "CycleTransaction",
    "ForecastStore",
    "RunStore",
    "export_netcdf",
    "export_observations",
    "interpolate_to_pressure",
    "observations",
    "on_pressure_levels",
    "open_archive",
    "open_domain",
    "write_grib2",
]
