"""pyproj beside the PROJ library of ecCodes: the process could die at its end by the order of imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

IMPORTS = {
    "ecCodes first": "import eccodes\nfrom kaiseki.core.proj import pyproj",
    "xarray's reader of GRIB first": "import cfgrib, eccodes\nimport kaiseki.archive.exchange.cf, pyproj",
    "Kaiseki's reader of GRIB first": "from kaiseki.formats.grib.library import eccodes\nimport pyproj",
    "pyproj first": "from kaiseki.core.proj import pyproj\nimport eccodes",
}

USE = """
there = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32654")
message = eccodes.codes_grib_new_from_samples("regular_ll_pl_grib2")
eccodes.codes_release(message)
print([round(value) for value in there.transform(0.0, 141.0)])
"""


@pytest.mark.parametrize("imports", IMPORTS.values(), ids=IMPORTS)
def test_a_process_with_both_libraries_ends_well(imports: str) -> None:
    pytest.importorskip("eccodes")
    if "cfgrib" in imports:
        pytest.importorskip("cfgrib")
    found = subprocess.run([sys.executable, "-c", f"{imports}\n{USE}"], capture_output=True, text=True, timeout=120)
    # The central meridian of the zone, on the equator.
    assert (found.returncode, found.stdout, found.stderr) == (0, "[500000, 0]\n", "")
