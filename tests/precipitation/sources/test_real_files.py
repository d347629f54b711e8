"""Real files of gauges, links and composites.

What can go wrong: units, period or clock of a file taken for granted; a quality mark passed over; bits of AMeDAS
read at the wrong place; a projection that is not the one of the file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kaiseki.core.errors import InputError
from kaiseki.grid.proj_map import ProjGrid
from kaiseki.precipitation.accumulation import accumulate_gauges
from kaiseki.precipitation.data import HOUR, fractional_index
from kaiseki.precipitation.sources import Reading, open_gauges, open_radar

MINUTE = np.timedelta64(60, "s")
JAPAN = "observations/japan_20241030"


def test_radolan_is_read_when_it_is_said_what_its_times_are(data: Path) -> None:
    path = data / "radar_gauge/radolan/radolan_ry_data_compressed.nc"
    with pytest.raises(InputError, match="state time_is"):
        open_radar(path)
    radar = open_radar(path, Reading(time_is="start"))
    assert radar.amount.shape == (12, 900, 900)
    assert radar.period == 5 * MINUTE
    assert radar.time[-1] == np.datetime64("2021-08-23T09:50")
    # The stated latitudes and longitudes are those of the lower left corners of the cells.
    lat, lon = radar.grid.points()
    assert lat[0, 0] == pytest.approx(46.957, abs=0.001)
    assert lon[0, 0] == pytest.approx(3.595, abs=0.001)
    gauges = open_gauges(
        data / "radar_gauge/radolan/radolan_rain_gauge_data.csv",
        Reading(time_zone="UTC", period=HOUR, time_is="end", units="mm"),
    )
    assert gauges.station.size == 1142
    row, column = (np.floor(one + 0.5).astype(int) for one in fractional_index(radar.grid, gauges.lat, gauges.lon))
    hour = radar.amount.sum(axis=0)[row, column]
    known = np.isfinite(hour)
    assert np.corrcoef(hour[known], gauges.amount[0, known])[0, 1] > 0.85
    for words in ({"time_zone": "UTC"}, {"period": HOUR, "units": "mm", "time_is": "end"}):
        with pytest.raises(InputError):
            open_gauges(data / "radar_gauge/radolan/radolan_rain_gauge_data.csv", Reading(**words))  # type: ignore[arg-type]


def test_a_rate_under_the_name_of_an_amount_needs_its_units_said(data: Path) -> None:
    folder = data / "radar_gauge/openmrg"
    with pytest.raises(InputError, match="no units"):
        open_radar(folder / "poligrain_openMRG_Radar_180minutes.nc", Reading(time_is="end"))
    long = open_radar(folder / "poligrain_openMRG_Radar_180minutes.nc", Reading(time_is="end", units="mm h-1"))
    short = open_radar(folder / "poligrain_openMRG_example_rad_20150827_90minutes.nc", Reading(time_is="end"))
    assert isinstance(long.grid, ProjGrid)
    both = np.isin(long.time, short.time)
    np.testing.assert_allclose(long.amount[both], short.amount[np.isin(short.time, long.time)], rtol=0.3, atol=0.02)
    # Areas on the map of the ellipsoid: 2-km cells with the map's scale at 60 N of 1.
    area = long.grid.solid_angle() * long.grid.projection.radius**2
    np.testing.assert_allclose(area, 4e6, rtol=0.04)


def test_gauges_and_links_of_gothenburg_agree(data: Path) -> None:
    folder = data / "radar_gauge/openmrg"
    city = open_gauges(folder / "poligrain_openMRG_city_gauges_20150827.nc", Reading(time_is="start", units="mm"))
    assert city.period == MINUTE
    assert set(city.resolution) == {0.1, 0.2}
    path = folder / "poligrain_openMRG_cmls_20150827_12hours.nc"
    given = open_gauges(path, Reading(time_is="start", units="mm h-1"))
    own = open_gauges(path, Reading(time_is="start", variable="rsl"))
    ends = np.array(["2015-08-27T03", "2015-08-27T04", "2015-08-27T05"], "datetime64[s]")
    gauge, rate, level = (np.nanmean(accumulate_gauges(one, ends=ends).amount, axis=1) for one in (city, given, own))
    assert np.isfinite([gauge, rate, level]).all()
    hours = accumulate_gauges(given).amount[:12], accumulate_gauges(own).amount[:12]
    known = np.isfinite(hours[0]) & np.isfinite(hours[1])
    assert np.corrcoef(hours[0][known], hours[1][known])[0, 1] > 0.9
    # Short paths attenuate little, so that their rain is less certain.
    assert given.error.max() > 5.0 * given.error.min()
    with pytest.raises(InputError, match="no units"):
        open_gauges(path, Reading(time_is="start"))


def test_amedas_tables_keep_good_values_only(data: Path) -> None:
    gauges = open_gauges(data / "amedas/amedas_hourly_20240817_20250815.nc")
    assert gauges.amount.shape == (8036, 1287)
    assert np.nanmax(gauges.amount) < 200.0
    assert 0.004 < np.isnan(gauges.amount).mean() < 0.01
    older = open_gauges(data / "amedas/amedas_hourly_20230713_20231206.nc")
    assert older.period == HOUR
    both = open_gauges(
        [data / "amedas/amedas_hourly_20240817_20250815.nc", data / "amedas/amedas_hourly_20230713_20231206.nc"]
    )
    assert both.time.size == 8036 + 3345
    assert 1287 <= both.station.size < 1350
    with pytest.raises(InputError, match="are wanted"):
        open_gauges(data / "amedas/amedas_hourly_20230713_20231206.nc", Reading(period=24 * HOUR))


def test_amedas_json_needs_its_time_and_stations(data: Path) -> None:
    table = data / "amedas/amedastable.json"
    path = data / "amedas/amedas_map_20210224150000JST.json"
    time = np.datetime64("2021-02-24T06:00")
    for reading, words in ((Reading(stations=table), "state time"), (Reading(time=time), "state stations")):
        with pytest.raises(InputError, match=words):
            open_gauges(path, reading)
    gauges = open_gauges(path, Reading(time=time, stations=table))
    assert gauges.time[0] == time
    soya = int(np.flatnonzero(gauges.station == "11001")[0])
    assert gauges.lat[soya] == pytest.approx(45.52)
    assert gauges.height[soya] == 26.0
    short = open_gauges(path, Reading(time=time, stations=table, period=10 * MINUTE))
    assert np.nansum(short.amount) < np.nansum(gauges.amount)
    day = open_gauges(
        data / "amedas/amedas_pre1h_10min_20180706.json",
        Reading(time=np.datetime64("2018-07-05T15:10"), stations=table),
    )
    assert day.amount.shape[0] == 144
    assert np.nanmax(day.amount) == 97.0


def test_amedas_in_bufr_agrees_with_the_published_hours(data: Path) -> None:
    path = data / JAPAN / "Z__C_RJTD_20241030000000_OBS_AMDS_Rjp_N1_bufr4.bin"
    hour = open_gauges(path)
    three = open_gauges(path, Reading(period=3 * HOUR))
    assert hour.time.tolist() == [np.datetime64("2024-10-30T00:00:00").tolist()]
    assert hour.station.size == 1286
    table = open_gauges(data / "amedas/amedas_hourly_20240817_20250815.nc")
    columns = {name: number for number, name in enumerate(table.station)}
    here = np.array([columns.get(name, -1) for name in hour.station])
    known = here >= 0
    assert known.sum() > 1270
    np.testing.assert_allclose(hour.lat[known], table.lat[here[known]], atol=0.02)
    before = np.zeros(hour.station.size)
    for clock in ("2024-10-29T22", "2024-10-29T23"):
        before[known] += table.at(np.datetime64(clock)).amount[0, here[known]]
    total = before + hour.amount[0]
    judged = known & np.isfinite(total) & np.isfinite(three.amount[0])
    assert judged.sum() > 1270
    assert (total[judged] > 0).sum() > 100
    np.testing.assert_allclose(total[judged], three.amount[0, judged], atol=0.05)
    with pytest.raises(InputError, match="not over"):
        open_gauges(path, Reading(period=2 * HOUR))


def test_composites_and_analyses_of_jma(data: Path) -> None:
    radar = open_radar(data / "radar_jma/radar_composite_20241018_0005Z.grib2")
    assert radar.period == 5 * MINUTE
    assert radar.amount.shape == (1, 3360, 2560)
    assert radar.time[0] == np.datetime64("2024-10-18T00:05")
    assert 0.7 < np.isnan(radar.amount).mean() < 0.8
    folder = data / "jma"
    hours = open_radar([folder / "kaiseki_20161121_0100Z.grib2", folder / "kaiseki_20161121_0000Z.grib2"])
    assert hours.period == HOUR
    assert hours.time.size == 2
    with pytest.raises(InputError, match="holds"):
        open_radar(folder / "radar_echotop_20240301_0000Z.grib2", Reading(period=HOUR))
    with pytest.raises(InputError, match="forecast"):
        open_radar(folder / "tanjikan_20170807_0010Z_FH01-06.grib2")


def test_a_delayed_report_joins_the_others(data: Path) -> None:
    both = open_gauges(sorted((data / JAPAN).glob("Z__C*AMDS*_N1_*")))
    assert both.amount.shape == (2, 1286)
    at = int(np.flatnonzero(both.station == "87141")[0])
    assert both.amount[1, at] == 0.0
    assert np.isfinite(both.amount[1]).sum() == 1


def test_synop_amounts_go_with_their_period(data: Path) -> None:
    path = data / JAPAN / "ISMC01_RJTD_300600_202410300619110_001.send"
    six = open_gauges(path, Reading(period=6 * HOUR))
    assert six.time[0] == np.datetime64("2024-10-30T06:00:00")
    assert six.station.size > 20
    assert all(name.startswith("47") for name in six.station)
    with pytest.raises(InputError, match="there are amounts over"):
        open_gauges(path, Reading(period=HOUR))
    ten = open_gauges(data / "observations/bufr/synop_wigos.bufr", Reading(period=10 * MINUTE))
    assert ten.amount[np.isfinite(ten.amount)].min() >= 0.0
