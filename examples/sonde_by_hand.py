"""Write one sonde by hand and see what it does to an analysis. No data are needed.

    python examples/sonde_by_hand.py [picture.png]

The five things that every analysis is made of: a domain, a background, observations, how far each of the two can be
trusted, and an engine that joins them. A run does the same every three hours, with the forecast as background.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from kaiseki.assimilation import Analysis, AnalysisInput, Trajectory, engine
from kaiseki.config import Assimilation
from kaiseki.diagnostics.standard_atmosphere import standard_pressure, standard_temperature
from kaiseki.grid import Domain
from kaiseki.grid.levels import stretched_interfaces
from kaiseki.grid.presets import GridSpecification
from kaiseki.observations import Table
from kaiseki.statistics.covariance import build

NOON = np.datetime64("2024-01-01T12:00:00")  # UTC, as all times
PLACE = (36.06, 140.13)  # Tateno, latitude and longitude in degrees

# The sonde: pressure (Pa), temperature (K), wind towards east and north (m/s).
ASCENT = [
    (92_500, 282.0, 4.0, 6.0),
    (85_000, 279.5, 8.0, 9.0),
    (70_000, 271.0, 16.0, 11.0),
    (50_000, 254.5, 27.0, 12.0),
    (40_000, 243.5, 33.0, 12.0),
    (30_000, 230.5, 38.0, 10.0),
]


def small_domain() -> Domain:
    """A grid over flat sea around Japan: 26 x 30 cells of 100 km, 24 levels up to 18 km."""
    interfaces = tuple(stretched_interfaces(24, 18_000.0, 150.0).tolist())
    return GridSpecification("by hand", 100e3, (26, 30), *PLACE, interfaces, rim_width=3).domain()


def first_guess(domain: Domain) -> Trajectory:
    """The background: the standard atmosphere with a west wind that grows with height."""
    pressure = standard_pressure(domain.z)
    east = 5.0 + domain.z / 400.0
    # Inside Kaiseki winds lie along the axes of the grid, whose x axis points to the east on one meridian only.
    u, v = domain.to_grid(east, np.zeros(domain.shape))
    temperature = standard_temperature(pressure)
    humidity = 0.006 * np.exp(-domain.z / 2500.0)
    fields = {"u": u, "v": v, "temperature": temperature, "pressure": pressure, "qv": humidity}
    # One time is enough here; a forecast gives one set of fields per hour of the window.
    return Trajectory.make([NOON], [fields], domain)


def sonde() -> Table:
    """The ascent as a table of observations: one row per value, SI units, with its standard error."""
    columns = {name: [] for name in ("pressure", "quantity", "value", "error", "level")}
    for level, (pressure, *values) in enumerate(ASCENT, start=1):
        for quantity, value, error in zip(
            ("air_temperature", "eastward_wind", "northward_wind"), values, (1.0, 2.0, 2.0), strict=True
        ):
            row = (float(pressure), quantity, value, error, level)
            for column, entry in zip(columns.values(), row, strict=True):
                column.append(entry)
    return Table.from_columns(
        {
            **columns,
            "report": 0,  # all rows are of one ascent
            "time": np.full(len(columns["value"]), NOON),
            "latitude": PLACE[0],
            "longitude": PLACE[1],
            "kind": "sonde",
            "station": "47646",
        }
    )


def analysed(background: Trajectory, observations: Table) -> Analysis:
    """The analysis by 3D-FGAT."""
    # The section `assimilation` of an experiment file, here with its defaults: `cycled` holds the standard errors of
    # the background and the distances over which they are alike.
    settings = Assimilation(engine="3dfgat")
    covariance = build(background.domain, settings.cycled, background.last, taper=2)
    given = AnalysisInput(background, observations, covariance, settings)
    return engine(settings.engine).analyse(given)


def describe(analysis: Analysis) -> None:
    """Print how far each value was from the background and is from the analysis."""
    table = analysis.table
    names = ("pressure", "quantity", "value", "background_departure", "analysis_departure", "error")
    print("   hPa  quantity           observed   minus background   minus analysis   error")
    for pressure, quantity, value, before, after, error in zip(*map(table.column, names), strict=True):
        print(f"{pressure / 100:6.0f}  {quantity:16} {value:10.1f} {before:18.2f} {after:16.2f} {error:7.1f}")
    size = {
        name: np.sqrt(np.mean((table.column(f"{name}_departure") / table.column("error")) ** 2))
        for name in ("background", "analysis")
    }
    print(
        f"in standard errors the sonde was {size['background']:.2f} from the background and is "
        f"{size['analysis']:.2f} from the analysis"
    )


def draw(background: Trajectory, analysis: Analysis, picture: Path) -> None:
    """What the sonde changed at 700 hPa, and the profile above it."""
    domain, before = background.domain, background.last
    after = {name: before[name] + analysis.increment[name] for name in before}
    level = int(np.argmin(np.abs(before["pressure"][:, 0, 0] - 70_000.0)))
    j, i = (round(float(index)) for index in domain.index(*map(np.asarray, PLACE)))

    figure = Figure(figsize=(10.0, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    x, y = (domain.x - domain.x[i]) / 1000.0, (domain.y - domain.y[j]) / 1000.0
    bands = np.arange(-2.1, 2.2, 0.2)
    filled = left.contourf(x, y, analysis.increment["temperature"][level], bands, cmap="RdBu_r", extend="both")
    figure.colorbar(filled, label="change of temperature (K)", ticks=range(-2, 3))
    # These arrows lie along the grid, as the map does.
    arrows = left.quiver(x, y, analysis.increment["u"][level], analysis.increment["v"][level], scale=60.0)
    left.quiverkey(arrows, 0.86, 1.04, 5.0, "change of wind, 5 m/s", labelpos="W")
    left.plot(0.0, 0.0, "k*", markersize=10)
    left.set(aspect="equal", xlabel="distance from the sonde (km)", ylabel="(km)")
    left.set_title("700 hPa", loc="left")

    observed = analysis.table.take(analysis.table.where(quantity="air_temperature"))
    # Against the standard atmosphere, for the differences are small beside the fall of temperature with height.
    standard = standard_temperature
    right.axvline(0.0, color="0.4", label="background")
    p = after["pressure"][:, j, i]
    right.plot(after["temperature"][:, j, i] - standard(p), p / 100.0, color="C3", label="analysis")
    pressure = observed.column("pressure")
    right.errorbar(
        observed.column("value") - standard(pressure), pressure / 100.0, xerr=1.0, fmt="ko", capsize=3, label="sonde"
    )
    right.set(ylim=(1000.0, 200.0), xlabel="temperature minus background (K)", ylabel="pressure (hPa)")
    right.legend(loc="lower right")
    figure.savefig(picture, dpi=120)
    print(f"wrote {picture}")


def main(picture: str = "sonde.png") -> None:
    """Everything in its order."""
    background = first_guess(small_domain())
    analysis = analysed(background, sonde())
    describe(analysis)
    draw(background, analysis, Path(picture))


if __name__ == "__main__":
    main(*sys.argv[1:])
