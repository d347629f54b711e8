"""Export to GRIB 2 in the form in which JMA's mesoscale model reaches its users (docs/grib2.md).

One field after another is packed with the absolute error that the table of variables declares. What Kaiseki does not
have (cloud cover by height) is not in the file. A file is written whole or not at all, and its octets depend on the
dataset and the settings alone.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import xarray as xr

from kaiseki.archive.exchange.grib2_settings import Grib2File, Grib2Settings
from kaiseki.archive.exchange.jma_form import FORMS, Form
from kaiseki.archive.exchange.netcdf import Written
from kaiseki.archive.exchange.source import Source
from kaiseki.archive.selection.inputs import need_dataset
from kaiseki.archive.store.export_folder import ExportFolder, digest
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.progress import Progress

if TYPE_CHECKING:
    from kaiseki.archive.exchange.grib2_export import Export
    from kaiseki.grid.regridding import LatLonGrid


def write_grib2(
    dataset: xr.Dataset,
    target: str | Path,
    form: Form = "surface",
    *,
    grid: LatLonGrid | Literal["jma", "own"] | None = None,
    settings: Grib2Settings | None = None,
) -> list[Grib2File]:
    """Write fields to GRIB 2 files in the order, with the codes, levels and grid of JMA's mesoscale model.

    Fields at one instant have product template 4.0, sums and means over an interval 4.8 with the start of the interval
    as reference time plus forecast time. Values below ground and outside the domain are missing by a bitmap. Winds are
    eastward and northward on every grid. Relative humidity and cloud cover are in per cent. Pressure at sea level,
    relative humidity and omega are derived where the dataset has what they need and not them.

    Args:
        dataset: of `kaiseki.open` or regridded; choose times before.
        target: a folder that exists, which gets a file for every time (of forecasts, for every start), named after
            JMA's custom; else the path of one file for all.
        form: "surface"; or "pressure" for fields on those of JMA's pressure levels that the dataset has, or on all of
            them from model levels.
        grid: "jma" for JMA's of this form (120-150E, 22.4-47.6N), "own" for that of the dataset, or another, such as
            `grid_around`. None: JMA's if the dataset covers it; else the dataset's own latitude-longitude grid or, of a
            map, the grid around it with JMA's spacing.
        settings: None for the defaults.

    Returns:
        What was written, file by file.

    Raises:
        InputError: the dataset has none of the fields, or one in other units, infinite or out of its physical range;
            a grid or time that GRIB cannot state.
        StoreError: a file cannot be written.
        ResourceError: the disk is full.
    """
    export = _export(dataset, form, grid, settings)
    target = Path(target)
    if target.is_dir():
        return [export.write(target / export.name(moments), moments) for moments in export.by_file()]
    if not target.absolute().parent.is_dir():
        raise StoreError(f"The directory {target.absolute().parent} does not exist, so {target} cannot be written")
    return [export.write(target, export.moments)]


def write_grib2_times(
    source: Source,
    folder: ExportFolder,
    form: Form,
    grid: LatLonGrid | Literal["jma", "own"] | None = None,
    settings: Grib2Settings | None = None,
) -> Written:
    """Write one GRIB 2 file for every time (of forecasts, for every start), as `write_grib2` does.

    A file that is there is kept if the note of the folder says that it was made of just this: GRIB in JMA's form has no
    place for such an attribute.

    Args:
        source: what is exported.
        folder: where to.
        form: "surface" or "pressure".
        grid: as of `write_grib2`.
        settings: None for the defaults.

    Raises:
        InputError, StoreError, ResourceError: as of `write_grib2`; earlier files stay.
    """
    export = _export(source.dataset, form, grid, settings)
    moments = list(export.by_file())
    files, kept = [], []
    with Progress(f"writing GRIB ({form})", len(moments), unit="file") as progress:
        for some in moments:
            name = export.name(some)
            identity = None if source.state is None else digest(source.state, form, name, asdict(export.settings))
            if identity is not None and folder.is_kept(name, identity):
                kept.append(folder.path / name)
            else:
                export.write(folder.path / name, some)
                if identity is not None:
                    folder.note_file(name, identity)
            files.append(folder.path / name)
            progress.advance()
    return Written(tuple(files), tuple(kept))


def _export(
    dataset: xr.Dataset, form: Form, grid: LatLonGrid | Literal["jma", "own"] | None, settings: Grib2Settings | None
) -> Export:
    """The fields of a dataset on their way to files."""
    try:
        from kaiseki.formats.grib.library import eccodes  # noqa: F401
    except ImportError:
        raise InputError('GRIB needs ecCodes, which is not installed; do: pip install "kaiseki[formats]"') from None
    from kaiseki.archive.exchange.grib2_export import Export
    from kaiseki.archive.exchange.grib2_grids import chosen_grid

    need_dataset(dataset)
    if form not in FORMS:
        raise InputError(f"GRIB files have the forms {' and '.join(FORMS)}, not {form!r}")
    return Export(dataset, form, chosen_grid(dataset, form, grid), settings or Grib2Settings())
