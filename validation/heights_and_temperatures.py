"""Do the soundings' temperatures add up to their heights? Thickness 850-500 hPa, reported and from temperatures.

    python -m validation.heights_and_temperatures --chains out/crossval

Heights are not assimilated, since they are integrals of the temperatures: an analysis can only be as near to a height
at 500 hPa as the temperatures of the same ascent are. For every ascent of 01-01 12Z and 01-02 00Z inside the rim that
reports both heights, the thickness is integrated from its virtual temperatures at all reported levels, linear in ln p,
and subtracted from the reported one. Where few levels are reported the interpolation between them is part of the gap;
an analysis sees no more of them. Writes `validation/heights_and_temperatures.json`, prints the table by WMO block.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from kaiseki.archive.run import Run
from kaiseki.core.constants import GRAVITY, R_DRY, VIRTUAL
from kaiseki.core.timing import parse_time
from kaiseki.verification.departures import WRONG_BITS, TableColumns, inside_rim
from validation.engines import DEFAULT
from validation.japan_1989_crossval import chain_folder

HERE = Path(__file__).resolve().parent
TIMES = ("1989-01-01T12:00Z", "1989-01-02T00:00Z")
BOTTOM, TOP = 85_000.0, 50_000.0
LEAST_ASCENTS = 5
"""Ascents below which a block is not shown alone."""


def gap(table: TableColumns, rows: np.ndarray) -> float | None:
    """Reported thickness minus that of the virtual temperatures (m) of one ascent, None where a part is missing."""
    quantity = table["quantity"][rows].astype(str)
    pressure, value = table["pressure"][rows], table["value"][rows]

    def profile(name: str) -> dict[float, float]:
        chosen = (quantity == name) & (pressure <= BOTTOM) & (pressure >= TOP)
        return dict(zip(pressure[chosen].tolist(), value[chosen].tolist(), strict=True))

    height, temperature, humidity = (
        profile(n) for n in ("geopotential_height", "air_temperature", "specific_humidity")
    )
    ends = (BOTTOM, TOP)
    if any(p not in height or p not in temperature for p in ends) or not humidity:
        return None
    x = -np.log(sorted(temperature, reverse=True))
    moist = sorted(humidity, reverse=True)
    qv = np.interp(x, -np.log(moist), [humidity[p] for p in moist])
    tv = np.array([temperature[p] for p in sorted(temperature, reverse=True)]) * (1.0 + VIRTUAL * qv)
    thickness = R_DRY / GRAVITY * np.trapezoid(tv, x)
    return float(height[TOP] - height[BOTTOM] - thickness)


def gaps(run: Run) -> list[tuple[str, float]]:
    """(station, gap) of all ascents inside the rim at both times."""
    found = []
    for text in TIMES:
        table = run.table("analysis", parse_time(text))
        assert table is not None
        good = (table["kind"].astype(str) == "sonde") & (table["flags"].astype(np.int64) & WRONG_BITS == 0)
        good[good] &= inside_rim(run.domain, table["latitude"][good], table["longitude"][good])
        station = table["station"].astype(str)
        for one in np.unique(station[good]):
            value = gap(table, good & (station == one))
            if value is not None:
                found.append((str(one), value))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=Path, required=True, help="folder of validation.japan_1989_crossval")
    parser.add_argument("--engine", default=DEFAULT)
    given = parser.parse_args()
    found = gaps(Run(chain_folder(given.chains, 0, given.engine)))
    blocks = {"all": [value for _, value in found]}
    for station, value in found:
        blocks.setdefault(station[:2], []).append(value)
    result = {
        name: {"n": len(v), "mean": float(np.mean(v)), "rms": float(np.sqrt(np.mean(np.square(v))))}
        for name, v in sorted(blocks.items())
        if len(v) >= LEAST_ASCENTS
    }
    (HERE / "heights_and_temperatures.json").write_text(json.dumps(result, indent=1) + "\n")
    for name, row in result.items():
        print(f"block {name:4s} n={row['n']:4d}  mean {row['mean']:+6.1f} m  rms {row['rms']:5.1f} m")


if __name__ == "__main__":
    main()
