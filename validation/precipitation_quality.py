"""Hit rates and false alarms of the quality control of gauges and radars, with faults planted in real data.

`python -m validation.precipitation_quality` reads AMeDAS 2024-25, RADOLAN and OpenMRG below KAISEKI_SHARED and writes
`precipitation_quality.json`. False alarms are counted on the data as they are, which hold true faults too.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.precipitation.accumulation import Accumulation, accumulate, accumulate_gauges
from kaiseki.precipitation.data import HOUR, Gauges, RadarRain
from kaiseki.precipitation.quality import Checks, check, estimated_resolution, exceedance, shifts
from kaiseki.precipitation.quality.gauges import out_of_range, spikes, stuck, unlike_neighbours
from kaiseki.precipitation.quality.places import at_gauges
from kaiseki.precipitation.sources import Reading, open_gauges, open_radar

MONTHS = ("2024-09", "2024-11", "2025-01", "2025-07")
SEASONS = (("2024-09", "2024-11"), ("2024-12", "2025-02"), ("2025-05", "2025-07"), ("2024-09", "2025-02"))


def rate(hits: np.ndarray) -> dict[str, float | int | None]:
    """Share of true values, None of none, and how many there are."""
    return {"rate": round(float(np.mean(hits)), 4) if np.size(hits) else None, "n": int(np.size(hits))}


def month_of(gauges: Gauges, month: str) -> Gauges:
    """The times of a month, of the gauges that report in it."""
    return months_of(gauges, month, month)


def months_of(gauges: Gauges, first: str, last: str) -> Gauges:
    """The times from the first to the last month, of the gauges that report in them."""
    month = gauges.time.astype("datetime64[M]")
    inside = (month >= np.datetime64(first)) & (month <= np.datetime64(last))
    part = replace(gauges, time=gauges.time[inside], amount=gauges.amount[inside], flags=gauges.flags[inside])
    return part.some(np.isfinite(part.amount).any(axis=0))


def planted(gauges: Gauges, where: tuple[np.ndarray, np.ndarray], values: np.ndarray) -> Gauges:
    """Gauges with some amounts replaced."""
    amount = np.array(gauges.amount)
    amount[where] = values
    return replace(gauges, amount=amount)


def some(rng: np.random.Generator, mask: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Places drawn at random from those where a mask is true."""
    rows, columns = np.nonzero(mask)
    drawn = rng.choice(rows.size, min(count, rows.size), replace=False)
    return rows[drawn], columns[drawn]


def values_of_month(gauges: Gauges, rng: np.random.Generator) -> dict[str, Any]:
    """Rates of the checks of single values in a month of AMeDAS, without radar."""
    settings = Checks()
    wet = gauges.amount >= 0.5
    known = np.isfinite(gauges.amount)
    clean = {
        "range": out_of_range(gauges, settings),
        "stuck": stuck(gauges, settings),
        "step": spikes(gauges, None, settings),
        "neighbours": unlike_neighbours(gauges, None, settings),
    }
    together = check(gauges).flags > 0
    alarms = {
        name: {"of_all": rate(found[known]), "of_wet": rate(found[wet & known])}
        for name, found in (clean | {"together": together}).items()
    }
    hits: dict[str, Any] = {}
    where = some(rng, known, 300)
    faulty = planted(gauges, where, rng.uniform(250.0, 900.0, where[0].size))
    hits["range: 250 to 900 mm"] = rate(out_of_range(faulty, settings)[where])
    where = some(rng, known, 300)
    faulty = planted(gauges, where, np.round(rng.uniform(30.0, 150.0, where[0].size) * 2) / 2)
    hits["step: 30 to 150 mm anywhere"] = rate(spikes(faulty, None, settings)[where])
    hits["step or neighbours: the same"] = rate((check(faulty).flags > 0)[where])
    for low, high in ((5.0, 20.0), (20.0, 60.0)):
        dry = known & (gauges.amount == 0.0)
        where = some(rng, dry, 300)
        faulty = planted(gauges, where, np.round(rng.uniform(low, high, where[0].size) * 2) / 2)
        hits[f"neighbours: {low:g} to {high:g} mm where dry"] = rate(unlike_neighbours(faulty, None, settings)[where])
    for least in (2.0, 5.0, 10.0):
        where = some(rng, known & (gauges.amount >= least), 300)
        faulty = planted(gauges, where, np.zeros(where[0].size))
        hits[f"neighbours: 0 where {least:g} mm or more fell"] = rate(unlike_neighbours(faulty, None, settings)[where])
    where = some(rng, known & (gauges.amount >= 2.0), 300)
    faulty = planted(gauges, where, gauges.amount[where] * 8.0)
    hits["neighbours: eightfold of 2 mm or more"] = rate(unlike_neighbours(faulty, None, settings)[where])
    hits |= rows_of_month(gauges, rng, settings)
    return {"stations": int(gauges.station.size), "hours": int(gauges.time.size), "false_alarms": alarms, "hits": hits}


def rows_of_month(gauges: Gauges, rng: np.random.Generator, settings: Checks) -> dict[str, Any]:
    """Rates for gauges that repeat an amount for a day, or show nothing for twenty days."""
    chosen = rng.choice(gauges.station.size, 120, replace=False)
    start = rng.integers(0, gauges.time.size - 24, chosen.size)
    amount = np.array(gauges.amount)
    for column, row in zip(chosen, start, strict=True):
        amount[row : row + 24, column] = 0.5 * rng.integers(1, 11)
    found = stuck(replace(gauges, amount=amount), settings)
    repeated = [found[row : row + 24, column].all() for column, row in zip(chosen, start, strict=True)]
    amount = np.array(gauges.amount)
    amount[:480, chosen] = np.where(np.isfinite(amount[:480, chosen]), 0.0, np.nan)
    found = stuck(replace(gauges, amount=amount), settings)
    rain = np.nansum(gauges.amount[:480, chosen], axis=0)
    silent = found[:480, chosen].any(axis=0)
    return {
        "stuck: one amount for 24 hours": rate(np.array(repeated)),
        "stuck: nothing for 20 days with 50 mm or more": rate(silent[rain >= 50.0]),
        "stuck: nothing for 20 days with 10 to 50 mm": rate(silent[(rain >= 10.0) & (rain < 50.0)]),
    }


def clocks(gauges: Gauges, rng: np.random.Generator) -> dict[str, Any]:
    """Rates of the check of clocks over the times of the gauges."""
    clean = shifts(gauges)
    judged = np.isfinite(clean)
    result: dict[str, Any] = {"judged": int(judged.sum()), "false_alarms": rate(clean[judged] != 0.0)}
    for lag in (1, 2, 9):
        chosen = rng.choice(np.flatnonzero(judged), min(100, int(judged.sum())), replace=False)
        found = shifts(late(gauges, chosen, lag))
        result[f"late by {lag} h: found"] = rate(found[chosen] != 0.0)
        result[f"late by {lag} h: told exactly"] = rate(found[chosen] == lag)
    return result


def late(gauges: Gauges, chosen: np.ndarray, lag: int) -> Gauges:
    """Gauges of which some report each amount a number of intervals late; hours may lack in between."""
    index = ((gauges.time - gauges.time[0]) / gauges.period).round().astype(int)
    even = np.full((index[-1] + 1, chosen.size), np.nan)
    even[index] = gauges.amount[:, chosen]
    moved = np.full(even.shape, np.nan)
    moved[lag:] = even[:-lag]
    amount = np.array(gauges.amount)
    amount[:, chosen] = moved[index]
    return replace(gauges, amount=amount)


def with_radar(radar: RadarRain, gauges: Gauges, rng: np.random.Generator) -> dict[str, Any]:
    """Rates of the neighbour check with and without a radar in one network and hour or hours."""
    settings = Checks()
    seen = at_gauges(radar, gauges)
    known = np.isfinite(gauges.amount) & np.isfinite(seen)
    wet = known & (gauges.amount >= 0.5)
    result: dict[str, Any] = {"values": int(known.sum()), "wet": int(wet.sum())}
    for name, field in (("with radar", radar), ("without radar", None)):
        place = None if field is None else at_gauges(field, gauges)
        clean = unlike_neighbours(gauges, place, settings)
        part: dict[str, Any] = {"false_alarms": {"of_all": rate(clean[known]), "of_wet": rate(clean[wet])}}
        kinds = {
            "10 to 40 mm where the gauge is dry": (known & (gauges.amount == 0.0), None),
            "eightfold of 1 mm or more": (known & (gauges.amount >= 1.0), 8.0),
            "0 where 2 mm or more fell": (known & (gauges.amount >= 2.0), 0.0),
        }
        for words, (mask, factor) in kinds.items():
            hits = []
            for _ in range(20):
                where = some(rng, mask, max(1, int(0.03 * mask.sum())))
                if not where[0].size:
                    continue
                values = rng.uniform(10.0, 40.0, where[0].size) if factor is None else gauges.amount[where] * factor
                faulty = planted(gauges, where, values)
                place = None if field is None else at_gauges(field, faulty)
                hits.append(unlike_neighbours(faulty, place, settings)[where])
            part[words] = rate(np.concatenate(hits)) if hits else rate(np.array([]))
        result[name] = part
    return result


def clutter(radar: RadarRain, rng: np.random.Generator) -> dict[str, Any]:
    """Rates of the maps of clutter and blockage with cells planted."""
    clean = exceedance(radar)
    seen = np.isfinite(clean.frequency)
    result: dict[str, Any] = {
        "scans": int(radar.time.size),
        "false_alarms_clutter": rate(clean.clutter[seen]),
        "false_alarms_blockage": rate(clean.blockage[seen]),
    }
    amount = np.array(radar.amount)
    calm = seen & (clean.surroundings < 0.3)
    rows, columns = some(rng, calm, 200)
    on = rng.uniform(size=(radar.time.size, rows.size)) < 0.8
    height = rng.uniform(0.05, 2.0, on.shape).astype(np.float32)
    amount[:, rows, columns] = np.where(on, np.maximum(amount[:, rows, columns], height), amount[:, rows, columns])
    result["clutter in 80 % of scans where it rains in less than 30 %"] = rate(
        exceedance(replace(radar, amount=amount)).clutter[rows, columns]
    )
    amount = np.array(radar.amount)
    rainy = seen & (clean.surroundings > 0.75)
    rows, columns = some(rng, rainy, 200)
    amount[:, rows, columns] = 0.0
    result["blocked cells where it rains in more than 75 %"] = rate(
        exceedance(replace(radar, amount=amount)).blockage[rows, columns]
    )
    return result


def resolutions(amedas: Gauges, city: Gauges) -> dict[str, Any]:
    """Rates of the estimated step of amounts: AMeDAS (0.5 mm, and rounded to 1 mm) and the gauges of Gothenburg."""
    found = estimated_resolution(amedas)
    coarse = estimated_resolution(replace(amedas, amount=np.round(amedas.amount)))
    there = np.isfinite(found)
    return {
        "AMeDAS 0.5 mm": rate(found[there] == 0.5),
        "AMeDAS rounded to 1 mm": rate(coarse[np.isfinite(coarse)] == 1.0),
        "Gothenburg": {
            name: [float(truth), None if np.isnan(one) else float(one)]
            for name, truth, one in zip(city.station, city.resolution, estimated_resolution(city), strict=True)
        },
    }


def sums(radar: RadarRain, gauges: Gauges) -> list[dict[str, Any]]:
    """Errors of an hour of thinned scans against the hour of all scans, moved and plain."""
    end = radar.time[-1:]
    plain = Accumulation(motion=False)
    full = accumulate(radar, ends=end, settings=plain).amount[0]
    every = accumulate(radar, ends=end).amount[0]

    def against_gauges(field: np.ndarray) -> float:
        seen = at_nearest(replace(radar, time=end, amount=field[None], period=HOUR), gauges)
        apart = (seen - gauges.amount)[np.isfinite(seen)]
        return round(float(np.sqrt(np.mean(apart**2))), 4)

    rows: list[dict[str, Any]] = [
        {"scans_every_min": 5, "rms_gauges_plain": against_gauges(full), "rms_gauges_moved": against_gauges(every)}
    ]
    for step in (2, 3):
        for first in range(step):
            thin = RadarRain(
                grid=radar.grid,
                time=radar.time[step - 1 :: step],
                amount=radar.amount[first::step] * step,
                period=radar.period * step,
            )
            moved = accumulate(thin, ends=end, settings=Accumulation(instant=(first + 0.5) / step)).amount[0]
            still = accumulate(thin, ends=end, settings=plain).amount[0]
            both = np.isfinite(moved) & np.isfinite(still) & np.isfinite(full)
            rows.append(
                {
                    "scans_every_min": 5 * step,
                    "first": first,
                    "rms_moved": round(float(np.sqrt(np.mean((moved - full)[both] ** 2))), 4),
                    "rms_plain": round(float(np.sqrt(np.mean((still - full)[both] ** 2))), 4),
                    "total_moved": round(float(moved[both].sum() / full[both].sum()), 4),
                    "total_plain": round(float(still[both].sum() / full[both].sum()), 4),
                    "rms_gauges_moved": against_gauges(moved),
                    "rms_gauges_plain": against_gauges(still),
                }
            )
    return rows


def at_nearest(radar: RadarRain, gauges: Gauges) -> np.ndarray:
    """Amounts of one field in the cells over the gauges."""
    from kaiseki.precipitation.data import fractional_index

    row, column = (np.rint(one).astype(int) for one in fractional_index(radar.grid, gauges.lat, gauges.lon))
    return radar.amount[:, row, column].astype(float)


def measure(data: Path) -> dict[str, Any]:
    """All rates."""
    rng = np.random.default_rng(16)
    amedas = open_gauges(data / "amedas" / "amedas_hourly_20240817_20250815.nc")
    result: dict[str, Any] = {"amedas": {}, "clocks": {}}
    for name in MONTHS:
        month = month_of(amedas, name)
        result["amedas"][name] = values_of_month(month, rng)
        result["clocks"][name] = clocks(month, rng)
    for first, last in SEASONS:
        result["clocks"][f"{first} to {last}"] = clocks(months_of(amedas, first, last), rng)
    folder = data / "radar_gauge"
    radolan = open_radar(folder / "radolan" / "radolan_ry_data_compressed.nc", Reading(time_is="start"))
    german = open_gauges(
        folder / "radolan" / "radolan_rain_gauge_data.csv",
        Reading(time_zone="UTC", period=HOUR, time_is="end", units="mm"),
    )
    hour = accumulate(radolan, ends=radolan.time[-1:])
    result["radolan"] = with_radar(hour, german, rng)
    result["radolan_sums"] = sums(radolan, german)
    result["radolan_clutter"] = clutter(radolan, rng)
    city = open_gauges(
        folder / "openmrg" / "poligrain_openMRG_city_gauges_20150827.nc", Reading(time_is="start", units="mm")
    )
    scans = open_radar(
        folder / "openmrg" / "poligrain_openMRG_Radar_180minutes.nc", Reading(time_is="end", units="mm h-1")
    )
    fine = accumulate(scans, np.timedelta64(900, "s"))
    result["openmrg"] = with_radar(fine, accumulate_gauges(city, np.timedelta64(900, "s"), fine.time), rng)
    result["openmrg_clutter"] = clutter(scans, rng)
    result["resolution"] = resolutions(month_of(amedas, MONTHS[0]), city)
    return result


def main() -> None:
    """Measure and write the rates beside this file."""
    data = Path(os.environ.get("KAISEKI_SHARED", "../shared")) / "data"
    result = measure(data)
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
