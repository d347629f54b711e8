"""JMA's own files: what each holds, against what is known of it otherwise.

What can go wrong:
- a field of one quantity taken for another, a rate for an amount, minutes for hours, the start of an hour for its end;
- level 0 read as 0 mm; a sign taken for a number of 15 bits;
- a file that holds no rain read as if it did.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kaiseki.core.errors import InputError
from kaiseki.formats.jma_grib.grids import JMA_1KM
from kaiseki.formats.jma_grib.reading import Field, read

HOUR = np.timedelta64(3600, "s")


def field(path: Path) -> Field:
    (found,) = read(path)
    return found


@pytest.mark.parametrize(("hour", "highest", "levels"), [("0000", 52.0, 90), ("0100", 115.0, 88)])
def test_analysed_precipitation(data: Path, hour: str, highest: float, levels: int) -> None:
    found = field(data / "jma" / f"kaiseki_20161121_{hour}Z.grib2")
    assert (found.quantity.name, found.quantity.units) == ("precipitation_amount", "kg m-2")
    assert found.time == np.datetime64(f"2016-11-21T{hour[:2]}:00:00")
    assert found.time - found.start == HOUR
    assert (found.centre, found.status, found.grid) == (34, 0, JMA_1KM)
    values = found.values()
    assert np.nanmax(values) == highest
    assert found.table.scaled.size == levels
    # A quarter of the rectangle is within reach of the radars; its corners are not, and are no dry places.
    assert np.isfinite(values).mean() == pytest.approx(0.268, abs=1e-3)
    assert np.isnan(values[[0, 0, -1, -1], [0, -1, 0, -1]]).all()
    assert (values == 0.0).sum() > 1_000_000


def test_latitudes_come_from_the_ends_and_not_from_the_rounded_step() -> None:
    latitudes = JMA_1KM.latitudes
    assert latitudes[0] == 47.995833
    assert latitudes[-1] == 20.004167
    np.testing.assert_allclose(latitudes, 48.0 - (np.arange(3360) + 0.5) / 120.0, rtol=0.0, atol=1e-6)
    np.testing.assert_allclose(JMA_1KM.longitudes, 118.0 + (np.arange(2560) + 0.5) / 80.0, rtol=0.0, atol=1e-9)


def test_an_hour_of_rain_is_as_much_as_its_radars_rain(data: Path) -> None:
    """Two consecutive hours of one morning are alike, which a shifted or mirrored field would not be."""
    first, second = (field(data / "jma" / f"kaiseki_20161121_{hour}Z.grib2").values() for hour in ("0000", "0100"))
    both = np.isfinite(first) & np.isfinite(second)
    assert np.corrcoef(first[both], second[both])[0, 1] > 0.5
    assert np.corrcoef(first[::-1][both & both[::-1]], second[both & both[::-1]])[0, 1] < 0.2


def test_the_short_range_forecast_has_six_hours_and_weights(data: Path) -> None:
    fields = list(read(data / "jma" / "tanjikan_20170807_0010Z_FH01-06.grib2"))
    assert [str(one.time)[11:16] for one in fields] == ["01:10", "02:10", "03:10", "04:10", "05:10", "06:10"]
    assert {one.quantity.title for one in fields} == {"precipitation of one hour, short-range forecast"}
    weights = np.array([one.definition.weights for one in fields])
    assert weights.shape == (6, 13)
    assert (np.diff(weights, axis=0) >= 0.0).all()
    assert weights.max() <= 100.0


def test_the_nowcast_is_of_amounts_in_ten_minutes(data: Path) -> None:
    """Six of them make about the hour that the short-range forecast has two hours before; as rates they would not."""
    nowcast = list(read(next((data / "radar_jma").glob("*20170807020000_NOWC*"))))
    assert {one.definition.length for one in nowcast} == {600}
    forecast = list(read(data / "jma" / "tanjikan_20170807_0010Z_FH01-06.grib2"))[2]
    hour = sum(one.values() for one in nowcast)
    both = np.isfinite(hour) & np.isfinite(forecast.values())
    assert hour[both].mean() == pytest.approx(forecast.values()[both].mean(), rel=0.15)


@pytest.mark.parametrize(
    ("name", "time", "highest", "pairs"),
    [
        ("jma/radar_composite_20160306_1900Z.grib2", "2016-03-06T19:00", 103.5, {0, 1}),
        ("radar_jma/radar_composite_20241018_0005Z.grib2", "2024-10-18T00:05", 132.5, {0, 1}),
    ],
)
def test_composites_of_radars_are_rates(data: Path, name: str, time: str, highest: float, pairs: set[int]) -> None:
    found = field(data / name)
    assert (found.quantity.name, found.quantity.units) == ("precipitation_rate", "mm h-1")
    assert found.quantity.cell_methods is None
    assert found.time == np.datetime64(time)
    assert np.nanmax(found.values()) == highest
    words = found.definition.words
    assert words is not None
    assert set(words.pairs(words.radars_1)) == pairs
    assert words.rain_gauges == 2**64 - 1  # not stated


def test_the_radar_composite_agrees_with_gauges(data: Path) -> None:
    """The scan of 00:05 and the gauges of the hour to 01 UTC: an independent network at independent places."""
    import xarray as xr

    found = field(data / "radar_jma" / "radar_composite_20241018_0005Z.grib2")
    with xr.open_dataset(data / "amedas" / "amedas_hourly_20240817_20250815.nc", engine="h5netcdf") as gauges:
        hour = gauges["rain_1h"].sel(time="2024-10-18T01:00").values
        lat, lon = gauges["lat"].values, gauges["lon"].values
    rows = np.round((47.995833 - lat) * 120.0).astype(int)
    columns = np.round((lon - 118.00625) * 80.0).astype(int)
    inside = (rows >= 0) & (rows < 3360) & (columns >= 0) & (columns < 2560)
    radar = found.values()[rows[inside], columns[inside]]
    known = np.isfinite(radar) & np.isfinite(hour[inside])
    assert known.sum() > 1000
    assert np.corrcoef(np.log1p(radar[known]), np.log1p(hour[inside][known]))[0, 1] > 0.4


def test_tiles_of_the_250_m_composite(data: Path) -> None:
    fields = list(read(data / "jma" / "radar_250m_20210706_2330Z.grib2.gz"))
    assert len(fields) == 1773
    assert {one.grid.shape for one in fields} == {(40, 40), (160, 160)}
    assert {one.quantity.name for one in fields} == {"precipitation_rate"}
    assert max(np.nanmax(one.values(), initial=0.0) for one in fields) == 197.0


def test_echo_tops(data: Path) -> None:
    found = field(data / "jma" / "radar_echotop_20240301_0000Z.grib2")
    assert (found.quantity.name, found.quantity.units) == ("echo_top_height", "km")
    assert np.nanmax(found.values()) == 14.0


@pytest.mark.parametrize("name", ["dojou_20170807_0000Z.grib2", "dojou_20170807_1700Z.grib2"])
def test_the_tanks_of_the_soil_water_index_are_within_it(data: Path, name: str) -> None:
    """Three tanks make the index, so that two are at most it, within the rounding of their levels."""
    index, first, second = read(data / "jma" / name)
    assert [one.quantity.name for one in (index, first, second)] == [
        "soil_water_index",
        "soil_water_first_tank",
        "soil_water_second_tank",
    ]
    rest = index.values() - first.values() - second.values()
    assert np.nanmin(second.values()) == 0.0
    assert np.nanmin(rest) >= -10.0
    assert (second.table.scaled < 0).any()


def test_the_judgement_of_landslide_warnings(data: Path) -> None:
    found = field(data / "jma" / "dosha_judge_20180706_0950Z.grib2")
    assert found.quantity.name == "landslide_warning_grade"
    assert set(np.unique(found.values()[np.isfinite(found.values())])) == {-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0}
    assert found.definition.further.hex() == "0200000004000000"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("meps_20190605_00Z_first20msgs.grib2", "an ensemble forecast of eastward wind"),
        ("msm_guidance_20190304_00Z.grib2.xz", "a forecast of a local quantity of JMA's guidance"),
    ],
)
def test_what_is_no_rain_by_levels_is_named(data: Path, name: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        list(read(data / "jma" / name))
    assert "packing 5." in str(error.value)


def test_every_file_is_read_or_named(data: Path) -> None:
    refused = []
    for path in sorted([*(data / "jma").iterdir(), *(data / "radar_jma").iterdir()]):
        try:
            assert next(read(path)).levels.size
        except InputError:
            refused.append(path.name)
    assert [name[:4] for name in refused] == ["meps", "msm_"]
