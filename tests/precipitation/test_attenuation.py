"""Specific attenuation by rain against the table of ITU-R P.838-3 and the levels of a link made from a known rain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.precipitation.attenuation import coefficients
from kaiseki.precipitation.sources import Reading, open_gauges

# Recommendation ITU-R P.838-3, table 5: GHz, k horizontal, a horizontal, k vertical, a vertical.
TABLE = [
    (10.0, 0.01217, 1.2571, 0.01129, 1.2156),
    (20.0, 0.09164, 1.0568, 0.09611, 0.9847),
    (30.0, 0.2403, 0.9485, 0.2291, 0.9129),
    (40.0, 0.4431, 0.8673, 0.4274, 0.8421),
]


@pytest.mark.parametrize("row", TABLE)
def test_coefficients_are_those_of_the_table(row: tuple[float, ...]) -> None:
    k, power = coefficients(np.array([row[0], row[0]]), np.array(["h", "V"]))
    np.testing.assert_allclose(k, [row[1], row[3]], rtol=2e-3)
    np.testing.assert_allclose(power, [row[2], row[4]], rtol=2e-3)


def test_frequencies_and_polarisations_are_checked() -> None:
    with pytest.raises(InputError, match="between 1 and 1000 GHz"):
        coefficients(np.array([28000.0]), np.array(["v"]))
    with pytest.raises(InputError, match="neither h nor v"):
        coefficients(np.array([28.0]), np.array(["x"]))


def made_link(rain: np.ndarray, **change: object) -> xr.Dataset:
    """A link of 5 km at 28 GHz whose level falls as a rain says, with 1.5 dB for its wet antennas."""
    k, power = coefficients(np.array([28.0]), np.array(["v"]))
    loss = 55.0 + np.where(rain > 0.0, k * rain**power * 5.0 + 1.5, 0.0)
    noise = np.random.default_rng(2).normal(0.0, 0.05, loss.size)
    shape = loss[:, None, None]
    lat = 57.0 + np.array([0.0, 5000.0 / 111_400.0])
    return xr.Dataset(
        {
            "tsl": (("time", "sublink_id", "cml_id"), np.full(shape.shape, 10.0), {"units": "dBm"}),
            "rsl": (("time", "sublink_id", "cml_id"), 10.0 - shape - noise[:, None, None], {"units": "dBm"}),
            "frequency": (("sublink_id", "cml_id"), [[28000.0]], {"units": change.get("units", "MHz")}),
            "polarization": (("sublink_id", "cml_id"), np.array([["v"]], dtype=object)),
            "site_0_lat": ("cml_id", lat[:1]),
            "site_0_lon": ("cml_id", [12.0]),
            "site_1_lat": ("cml_id", lat[1:]),
            "site_1_lon": ("cml_id", [12.0]),
            "length": ("cml_id", [change.get("length", 5000.0)], {"units": "m"}),
        },
        {
            "time": ("time", np.arange(loss.size) * 60.0, {"units": "seconds since 2024-01-01"}),
            "cml_id": ("cml_id", [7]),
            "sublink_id": ("sublink_id", np.array(["a"], dtype=object)),
        },
    )


def test_levels_give_the_rain_that_made_them(tmp_path: Path) -> None:
    minutes = np.arange(720)
    rain = np.where((minutes >= 300) & (minutes < 420), 10.0 * np.sin((minutes - 300) / 120.0 * np.pi) ** 2, 0.0)
    path = tmp_path / "link.nc"
    made_link(rain).to_netcdf(path, engine="h5netcdf")
    found = open_gauges(path, Reading(time_is="start"))
    assert found.amount.sum() == pytest.approx(rain.sum() / 60.0, rel=0.08)
    assert found.amount[:240].max() == 0.0
    assert found.lat[0] == pytest.approx(57.0 + 2500.0 / 111_400.0, abs=1e-4)
    assert 0.0 < found.error[0] < 0.02


@pytest.mark.parametrize(
    ("change", "words"), [({"length": 9000.0}, "km apart"), ({"units": "bananas"}, "expected GHz")]
)
def test_links_that_contradict_themselves(tmp_path: Path, change: dict[str, object], words: str) -> None:
    path = tmp_path / "link.nc"
    made_link(np.zeros(200), **change).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(InputError, match=words):
        open_gauges(path, Reading(time_is="start"))
