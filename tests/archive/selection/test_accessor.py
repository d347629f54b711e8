"""`ds.kaiseki`, and what is imported before and by `kaiseki.open`.

What can go wrong:
- the accessor lacks a function, or has another signature than it;
- opening an archive waits for packages that it does not use.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from archive.runs import whole_run
from archive.selection.grids import on_map
from kaiseki.archive import selection
from kaiseki.archive.selection.accessor import FUNCTIONS, Selection

UNUSED = {"jax", "scipy", "matplotlib", "pyproj", "pydantic", "cyclopts", "rich", "shapely", "h5netcdf", "h5py",
          "eccodes", "requests", "obstore", "sklearn", "netCDF4", "cfgrib"}  # fmt: skip

PROGRAM = """
import json, sys
# xarray looks for these and imports them, with SciPy, wherever they are installed; the client does not install them.
sys.modules["pint"] = sys.modules["dask"] = None
import kaiseki
kaiseki.open
before = sorted({name.split(".")[0] for name in sys.modules})
dataset = kaiseki.open(sys.argv[1])
assert dataset.kaiseki.points(137.0, 36.0)["temperature"].values.shape
after = sorted({name.split(".")[0] for name in sys.modules})
own = sorted(name for name in sys.modules if name.startswith("kaiseki."))
print(json.dumps([before, after, own]))
"""


def test_what_is_imported(tmp_path: Path) -> None:
    run = whole_run(tmp_path / "run", 1)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(run)], capture_output=True, text=True, timeout=120, check=True
    )
    before, after, own = json.loads(done.stdout)
    assert not {"numpy", "xarray", "zarr", "pandas", "pyarrow", "icechunk"} & set(before)
    assert not sorted(UNUSED & set(after))
    assert not [name for name in own if name.startswith(("kaiseki.archive.exchange", "kaiseki.archive.products"))]


def test_every_function_is_a_method() -> None:
    names = {one.__name__ for one in FUNCTIONS}
    assert names == set(selection.__all__) - {"Selection", "mesh_box", "outline"}
    for one in FUNCTIONS:
        method = getattr(Selection, one.__name__)
        assert method.__doc__ == one.__doc__
        first, *others = inspect.signature(method).parameters.values()
        assert first.name == "self"
        assert others == list(inspect.signature(one).parameters.values())[1:]


def test_the_same_answer() -> None:
    dataset = on_map({"temperature": lambda x, y, z, t: 280.0 + t + 0.0 * (x + y + z)})
    here = dataset.kaiseki.points(138.0, 35.0).kaiseki.heights(100.0)["temperature"]
    expected = selection.heights(selection.points(dataset, 138.0, 35.0), 100.0)["temperature"]
    np.testing.assert_array_equal(here, expected)
