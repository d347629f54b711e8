"""Domains from the experiment's section, with terrain from files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grid.grids import small
from kaiseki.config import DomainSettings as Section
from kaiseki.config.reading import validated
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.grid import preset
from kaiseki.grid.build import domain_from_section
from kaiseki.grid.domain import Domain
from kaiseki.grid.presets import COARSE
from kaiseki.grid.terrain import blend_rim, rim_weight

FILES: dict[str, Any] = {
    "terrain": "files",
    "terrain_files": ("static/japan_dem_*overview.tif", "static/era5_geopotential_0p25.nc"),
    "mask_files": ("static/lsmask_1p25min_f.bin.gz",),
}
EXPLICIT: dict[str, Any] = {
    "spacing": 50e3,
    "shape": (20, 30),
    "reference_latitude": 36.0,
    "reference_longitude": 138.0,
    "standard_parallels": (30.0, 60.0),
    "central_longitude": 138.0,
}


def section_of(values: dict[str, object]) -> Section:
    return validated(Section, values, "test")


def same(a: Domain, b: Domain) -> None:
    assert (a.name, a.projection, a.spacing, a.rim_width) == (b.name, b.projection, b.spacing, b.rim_width)
    for field in ("x", "y", "zeta_half", "decay_half", "terrain", "land_fraction"):
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field))


def test_a_preset_alone() -> None:
    same(domain_from_section(Section(preset="japan-60km")), preset("japan-60km"))


def test_values_beside_a_preset_replace_its_own() -> None:
    levels = {"number": 20, "top": 25_000.0, "first_thickness": 100.0, "terrain_decay": 7000.0}
    section = section_of(
        {"preset": "japan-60km", "rim_width": 7, "shape": (50, 60), "reference_latitude": 35.0, "levels": levels}
    )
    domain = domain_from_section(section)
    assert domain.shape == (20, 50, 60)
    assert domain.rim_width == 7
    assert domain.spacing == 60e3
    assert domain.zeta_half[-1] == pytest.approx(25_000.0)
    assert np.interp(7000.0, domain.zeta_half, domain.decay_half) == pytest.approx(0.5, abs=0.01)
    middle = domain.projection.inverse(np.asarray(domain.x.mean()), np.asarray(domain.y.mean()))
    assert float(middle[0]) == pytest.approx(35.0)


def test_an_explicit_grid_and_a_table_of_levels() -> None:
    table = (0.0, 100.0, 400.0, 2000.0, 9000.0, 20_000.0)
    section = section_of(
        EXPLICIT | {"reference_index": (3.0, 4.5), "levels": {"table": table, "terrain_decay": 6000.0}}
    )
    domain = domain_from_section(section, name="alps")
    assert domain.name == "alps"
    assert domain.shape == (5, 20, 30)
    np.testing.assert_array_equal(domain.zeta_half, table)
    assert domain.rim_width == 6
    j, i = domain.index(np.asarray(36.0), np.asarray(138.0))
    assert (float(j), float(i)) == pytest.approx((3.0, 4.5))


def test_the_coarse_domain_as_an_explicit_grid() -> None:
    section = Section(
        spacing=135_000.0,
        shape=(51, 70),
        reference_latitude=40.0,
        reference_longitude=135.0,
        standard_parallels=(25.0, 55.0),
        central_longitude=135.0,
        rim_width=5,
    )
    same(domain_from_section(section, name="coarse"), COARSE.domain())


def test_analytic_terrain() -> None:
    domain = domain_from_section(Section(preset="japan-60km", terrain="analytic"))
    assert 800.0 < domain.terrain.max() < 1500.0
    assert 0.2 < domain.land_fraction.mean() < 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"terrain_files": ("static/none*.tif",)}, r"No file matches domain.terrain_files = 'static/none\*.tif' in "),
        ({"mask_files": ("static/none",)}, "No file matches domain.mask_files"),
        ({"mask_files": ()}, 'terrain = "files" needs domain.mask_files too'),
    ],
)
def test_missing_files(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    for name in ("japan_dem_overview.tif", "era5_geopotential_0p25.nc", "lsmask_1p25min_f.bin.gz"):
        (tmp_path / "static" / name).touch()
    with pytest.raises(ConfigError, match=message):
        domain_from_section(section_of({"preset": "japan-60km"} | FILES | change), tmp_path)


def test_relative_files_need_a_data_folder() -> None:
    with pytest.raises(ConfigError, match="is relative to a data folder, but none was given"):
        domain_from_section(section_of({"preset": "japan-60km"} | FILES))


def test_levels_that_would_fold_are_refused() -> None:
    levels = {"number": 30, "top": 12_000.0, "first_thickness": 60.0, "terrain_decay": 500.0}
    section = section_of({"preset": "japan-60km", "terrain": "analytic", "levels": levels})
    with pytest.raises(ConfigError, match="levels of japan-60km fold over terrain"):
        domain_from_section(section)


def test_islands_alone_leave_the_continent_without_data(data: Path) -> None:
    section = section_of({"preset": "japan-60km"} | FILES | {"terrain_files": FILES["terrain_files"][:1]})
    with pytest.raises(InputError, match="of the 3740 cells of japan-60km without data, the first at"):
        domain_from_section(section, data)


@pytest.fixture(scope="module")
def real(data: Path) -> Domain:
    return domain_from_section(section_of({"preset": "japan-60km"} | FILES), data)


def test_real_terrain_at_60_km(real: Domain) -> None:
    def at(lat: float, lon: float) -> tuple[float, float]:
        j, i = (round(float(v)) for v in real.index(np.asarray(lat), np.asarray(lon)))
        return float(real.terrain[j, i]), float(real.land_fraction[j, i])

    assert at(36.2, 137.9)[0] > 900.0  # the Japanese Alps
    assert at(23.6, 121.1)[0] > 700.0  # Taiwan
    assert at(43.6, 105.0)[0] > 1000.0  # the Gobi
    for place in ((36.2, 137.9), (43.4, 142.9), (36.0, 128.0), (45.0, 125.0), (32.8, 131.0)):
        assert at(*place)[1] > 0.9, place
    for place in ((30.0, 145.0), (39.0, 135.0), (35.5, 123.0), (41.0, 150.0), (25.0, 130.0)):
        assert at(*place) == pytest.approx((0.0, 0.0), abs=0.5), place
    assert real.terrain.min() > -10.0
    # Known areas: Japan's four islands lie in this box with the sea about them and hardly anything else.
    box = (real.lat > 30.5) & (real.lat < 45.6) & (real.lon > 129.6) & (real.lon < 146.0)
    box &= ~((real.lon < 138.0) & (real.lat > 37.6) & (real.lon < 129.6 + 1.6 * (real.lat - 36.0)))
    area = float((real.land_fraction * real.cell_area)[box].sum()) / 1e6
    assert area == pytest.approx(372_000.0, rel=0.06)


def test_smoothing_keeps_the_volume_of_the_terrain(real: Domain, data: Path) -> None:
    section = section_of({"preset": "japan-60km", "terrain_smoothing": 0.0} | FILES)
    raw = domain_from_section(section, data)
    volume = (raw.terrain * raw.cell_area).sum()
    assert (real.terrain * real.cell_area).sum() == pytest.approx(volume, rel=1e-10)
    np.testing.assert_array_equal(real.land_fraction, raw.land_fraction)
    assert real.terrain.max() < raw.terrain.max()


def test_the_rim_takes_the_driving_terrain() -> None:
    domain = small(shape=(14, 17))
    own = np.full((14, 17), 1000.0)
    blended = blend_rim(domain.with_terrain(own, own > 0), np.full((14, 17), 200.0))
    np.testing.assert_array_equal(blended.terrain[0], 200.0)
    np.testing.assert_array_equal(blended.terrain[:, -1], 200.0)
    np.testing.assert_array_equal(blended.terrain[domain.inside_rim], 1000.0)
    assert np.all((blended.terrain[1, 1:-1] > 200.0) & (blended.terrain[1, 1:-1] < 1000.0))
    np.testing.assert_array_equal(blended.land_fraction, 1.0)
    weight = rim_weight(domain)
    np.testing.assert_allclose(weight, weight[::-1, ::-1], atol=1e-15)
    with pytest.raises(InputError, match="of the shape"):
        blend_rim(domain, own[1:])
