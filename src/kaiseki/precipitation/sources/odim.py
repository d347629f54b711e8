"""ODIM HDF5 composites and images of rain or reflectivity (EUMETNET OPERA data information model, 2.0 to 2.4)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from kaiseki.core.errors import InputError, KaisekiError
from kaiseki.formats.netcdf import DAMAGE, HDF5
from kaiseki.grid.proj_map import crs_of, grid_of
from kaiseki.precipitation.data import RainGrid
from kaiseki.precipitation.sources.reading import Measure, Reading, Scans

_COMPOSITES: Final = ("COMP", "IMAGE")
_QUANTITIES: Final[dict[str, Measure]] = {
    "ACRR": "amount",
    "RATE": "rate",
    "DBZH": "reflectivity",
    "TH": "reflectivity",
}
_CORNERS: Final = 0.5
"""Distance in cells by which stated corners may miss the grid of the projection."""


def is_odim(path: Path, head: bytes) -> bool:
    """Whether a file is ODIM HDF5: it has a group `what` that says which object it is."""
    if not head.startswith(HDF5):
        return False
    try:
        with _open(path) as file:
            return "what" in file and "object" in file["what"].attrs
    except DAMAGE as error:
        raise InputError(f"{path}: cannot be read as HDF5 ({error}); it is damaged or truncated") from error


def is_composite(path: Path) -> bool:
    """Whether an ODIM file holds a composite or image, and not a volume or scan of one radar.

    Raises:
        InputError: it holds something else.
    """
    with _open(path) as file:
        kind = _text(file["what"].attrs["object"])
    if kind not in (*_COMPOSITES, "PVOL", "SCAN"):
        raise InputError(f"{path}: is an ODIM object {kind}; expected COMP, IMAGE, PVOL or SCAN")
    return kind in _COMPOSITES


def read(path: Path, reading: Reading) -> Scans:
    """The field of a composite: accumulated rain (ACRR), rain rate (RATE) or reflectivity (DBZH).

    Where there are several, `reading.variable` names the quantity; else ACRR comes before RATE and DBZH. What the radar
    did not see (`nodata`) is NaN, what was below its threshold (`undetect`) is dryness.

    Raises:
        InputError: the file is damaged, lacks an attribute, or holds none of the quantities.
    """
    try:
        with _open(path) as file:
            return _read(path, file, reading)
    except (*DAMAGE, AttributeError) as error:
        raise InputError(
            f"{path}: cannot be read as an ODIM composite ({error}); it is damaged or incomplete"
        ) from error


def _read(path: Path, file: Any, reading: Reading) -> Scans:
    found: dict[str, tuple[Any, Any]] = {}
    for name in sorted(key for key in file if key.startswith("dataset")):
        for part in sorted(key for key in file[name] if key.startswith("data") and key[4:].isdigit()):
            quantity = _text(_attribute(path, file, (f"{name}/{part}", name), "what", "quantity"))
            found.setdefault(quantity, (name, part))
    wanted = [reading.variable] if reading.variable else [one for one in _QUANTITIES if one in found]
    if not wanted or wanted[0] not in found or wanted[0] not in _QUANTITIES:
        raise InputError(
            f"{path}: holds {', '.join(found) or 'nothing'}; expected {reading.variable or ', '.join(_QUANTITIES)}"
        )
    quantity = wanted[0]
    name, part = found[quantity]
    places = (f"{name}/{part}", name)
    packed = file[f"{name}/{part}/data"][()]
    gain, offset, nodata, undetect = (
        float(_attribute(path, file, places, "what", key)) for key in ("gain", "offset", "nodata", "undetect")
    )
    measure = _QUANTITIES[quantity]
    values = packed * gain + offset
    values[packed == undetect] = -np.inf if measure == "reflectivity" else 0.0
    values[packed == nodata] = np.nan
    if measure != "reflectivity" and (values < 0.0).any():
        raise InputError(f"{path}: {quantity} is negative down to {np.nanmin(values):g}; its gain and offset are wrong")
    nominal = _time(path, file["what"].attrs, "")
    start, end = nominal, nominal
    attributes = _group(file, places, "what", "startdate")
    if attributes is not None:
        start, end = _time(path, attributes, "start"), _time(path, attributes, "end")
    if measure == "amount" and not end > start:
        raise InputError(f"{path}: ACRR needs an end later than its start; it says {start} to {end}")
    return Scans(
        grid=_grid(path, file, packed.shape),
        time=np.array([end if measure == "amount" else nominal]),
        values=values[None],
        measure=measure,
        period=end - start if measure == "amount" else None,
        quality=_quality(path, file, places, packed.shape),
        source=f"ODIM {quantity} of {_text(file['what'].attrs.get('source', 'an unnamed composite'))}",
    )


def _grid(path: Path, file: Any, shape: tuple[int, ...]) -> RainGrid:
    where = file["where"].attrs
    lacking = [key for key in ("projdef", "xscale", "yscale", "UL_lon", "UL_lat") if key not in where]
    if lacking:
        raise InputError(f"{path}: the group where lacks {', '.join(lacking)}; the place of the composite is not known")
    ny, nx = shape
    stated = int(where.get("xsize", nx)), int(where.get("ysize", ny))
    if stated != (nx, ny):
        raise InputError(f"{path}: where says {stated[0]} x {stated[1]} cells, the field has {nx} x {ny}")
    crs = crs_of(str(path), _text(where["projdef"]))
    dx, dy = float(where["xscale"]), float(where["yscale"])
    corner = _corner(path, crs, where, "UL")
    if crs.is_geographic:
        return grid_of(str(path), crs, corner[0] + (np.arange(nx) + 0.5) * dx, corner[1] - (np.arange(ny) + 0.5) * dy)
    if "LR_lon" in where:
        lower = _corner(path, crs, where, "LR")
        missed = (lower[0] - corner[0]) / dx - nx, (corner[1] - lower[1]) / dy - ny
        if max(abs(one) for one in missed) > _CORNERS:
            raise InputError(
                f"{path}: its corners UL and LR are {nx + missed[0]:.1f} x {ny + missed[1]:.1f} cells apart on its "
                f"map, the field has {nx} x {ny}; projection, corners or cell size are wrong"
            )
    return grid_of(str(path), crs, corner[0] + (np.arange(nx) + 0.5) * dx, corner[1] - (np.arange(ny) + 0.5) * dy)


def _corner(path: Path, crs: Any, where: Any, which: str) -> tuple[float, float]:
    """Coordinates on the map of a corner; ODIM gives the outer corner of the outermost cell."""
    from pyproj import Proj

    lon, lat = float(where[f"{which}_lon"]), float(where[f"{which}_lat"])
    if crs.is_geographic:
        return lon, lat
    x, y = Proj(crs)(lon, lat)
    if not np.isfinite([x, y]).all():
        raise InputError(f"{path}: the corner {which} at {lat:g} N {lon:g} E lies outside its map")
    return x, y


def _quality(path: Path, file: Any, places: tuple[str, str], shape: tuple[int, ...]) -> np.ndarray:
    """The first quality field, from 0 to 1; empty where there is none."""
    for place in places:
        name = f"{place}/quality1/data"
        if name in file:
            packed = file[name][()]
            what = _group(file, (f"{place}/quality1",), "what", "gain") or {}
            quality = packed * float(what.get("gain", 1.0)) + float(what.get("offset", 0.0))
            if quality.shape == shape and quality.min() >= 0.0 and quality.max() <= 1.0 + 1e-6:
                return np.asarray(np.minimum(quality, 1.0))
    return np.empty((0, 0))


def _group(file: Any, places: tuple[str, ...], group: str, key: str) -> Any:
    """Attributes of the innermost group that has a key; None where none has."""
    for place in places:
        if f"{place}/{group}" in file and key in file[f"{place}/{group}"].attrs:
            return file[f"{place}/{group}"].attrs
    return None


def _attribute(path: Path, file: Any, places: tuple[str, ...], group: str, key: str) -> Any:
    attributes = _group(file, places, group, key)
    if attributes is None:
        raise InputError(f"{path}: {places[0]}/{group} lacks the attribute {key}; the file is incomplete")
    return attributes[key]


def _time(path: Path, attributes: Any, which: str) -> np.datetime64:
    date, time = (_text(attributes.get(f"{which}{key}", "")) for key in ("date", "time"))
    try:
        return np.datetime64(datetime.strptime(f"{date}{time}", "%Y%m%d%H%M%S"), "s")
    except ValueError as error:
        raise InputError(f"{path}: {which}date {date!r} and {which}time {time!r} are no time") from error


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _open(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise KaisekiError(f"{path}: cannot be read without the package h5py; install kaiseki[formats]") from error
    return h5py.File(path, "r")
