"""Forecasts driven by real analyses and judged by other data than their own: the physics' yardsticks.

    python -m validation.driven_forecast --data ../shared/data

Two cases. `merra2`: 21 hours over the eastern United States at 20 km, 30 March 2020, driven by MERRA-2 and compared
with MERRA-2's own hourly fields. `ruc13`: 24 hours over the southern United States at 15 km, 7 August 2005, driven by a
forecast of WRF and compared with NCEP's Stage II analysis of rain. Nothing of the model has been tuned on either.
Writes `validation/driven_forecast.json`, the rows of `validation/results.json`, and figures.
"""

from __future__ import annotations

from typing import Any

from validation.shelf import Row, Source, at_most

CASE = "driven_forecast"
BELOW = Source(
    "persistence of MERRA-2's own field of 00 UTC at the same points",
    "chosen",
    "below persistence at every hour; 0.99, for equal is not below",
)
WELL_BELOW = Source(
    "persistence of MERRA-2's own field of 00 UTC at the same points from +12 h on",
    "chosen",
    "fixed before the first run: 40 % below persistence for pressure and wind at +12 and +18 h",
)
SCORED = {
    "eastward_wind_10m": "eastward wind at 10 m",
    "sea_level_pressure": "pressure at mean sea level",
    "temperature_2m": "temperature at 2 m",
}
STRICT = ("eastward_wind_10m", "sea_level_pressure")


def rows(found: dict[str, Any]) -> list[Row]:
    """Errors over those of persistence: of a model that does nothing they are 1.

    Args:
        found: what `merra2.compare` gives.
    """
    made = []
    for name, words in SCORED.items():
        one = found["instant"][name]
        ratio = [a / b if b else 0.0 for a, b in zip(one["rms"], one["persistence"], strict=True)]
        for hour in (6, 12, 18):
            if hour > 6 and name in STRICT:
                made.append(
                    at_most(CASE, f"{words} at +{hour} h, rms over persistence", ratio[hour], 0.6, WELL_BELOW, 1.0)
                )
            else:
                made.append(at_most(CASE, f"{words} at +{hour} h, rms over persistence", ratio[hour], 0.99, BELOW, 1.0))
        made.append(
            at_most(CASE, f"{words}, largest rms over persistence, +6 to +21 h", max(ratio[6:]), 0.99, BELOW, 1.0)
        )
    return made
