"""Units of foreign files: which spellings mean what, and what turns a value into SI."""

from __future__ import annotations

from dataclasses import dataclass

from kaiseki.core.constants import FREEZING


@dataclass(frozen=True)
class Unit:
    """Unit of a kind of quantity; a value v in it is `factor` v + `offset` in SI."""

    kind: str
    factor: float = 1.0
    offset: float = 0.0


_SPELLINGS: tuple[tuple[Unit, tuple[str, ...]], ...] = (
    (Unit("temperature"), ("k", "kelvin", "degk", "degreesk", "degkelvin")),
    (
        Unit("temperature", 1.0, FREEZING),
        ("c", "degc", "deg_c", "celsius", "degree_c", "degrees_c", "degree_celsius", "degrees_celsius", "°c"),
    ),
    (Unit("temperature", 5.0 / 9.0, FREEZING - 32.0 * 5.0 / 9.0), ("f", "degf", "fahrenheit", "degrees_f")),
    (Unit("speed"), ("m s-1", "m/s", "ms-1", "m.s-1", "m sec-1", "m/sec", "meter/second", "metres per second", "mps")),
    (Unit("speed", 1852.0 / 3600.0), ("knot", "knots", "kt", "kts", "kn", "knot_international")),
    (Unit("speed", 1.0 / 3.6), ("km h-1", "km/h", "kmh-1", "km/hr", "km hr-1")),
    (Unit("pressure"), ("pa", "pascal", "pascals", "n m-2", "kg m-1 s-2")),
    (Unit("pressure", 100.0), ("hpa", "hectopascal", "mb", "mbar", "millibar", "millibars", "mbars")),
    (Unit("pressure", 1000.0), ("kpa", "kilopascal", "cb")),
    (Unit("geopotential"), ("m2 s-2", "m2/s2", "m2s-2", "j kg-1", "j/kg", "m2/s-2")),
    (Unit("length"), ("m", "gpm", "meter", "meters", "metre", "metres", "geopotential meter", "geopotential metre")),
    (Unit("length", 10.0), ("dam", "gpdm", "dm geopotential", "decameter")),
    (Unit("length", 1000.0), ("km", "gpkm", "kilometer", "kilometers")),
    (Unit("length", 0.01), ("cm", "centimeter", "centimeters")),
    (Unit("length", 0.001), ("mm", "millimeter", "millimeters")),
    (Unit("ratio"), ("1", "(0 - 1)", "(0-1)", "0-1", "0 - 1", "fraction", "proportion", "dimensionless", "numeric")),
    (Unit("ratio"), ("kg kg-1", "kg/kg", "kgkg-1", "m3 m-3", "m3/m3", "none", "-", "~")),
    (Unit("ratio", 0.001), ("g kg-1", "g/kg", "gkg-1", "g kg-1 of air")),
    (Unit("ratio", 1e-6), ("mg kg-1", "mg/kg")),
    (Unit("ratio", 0.01), ("%", "percent", "percentage", "pct", "per cent")),
    (Unit("area density"), ("kg m-2", "kg/m2", "kgm-2", "mm of water equivalent", "kg/m^2")),
    (Unit("area density", 1000.0), ("m of water equivalent", "m water equivalent", "m of water")),
    (Unit("mass flux"), ("kg m-2 s-1", "kg/m2/s", "kg/(m2 s)", "kg m-2/s", "mm s-1", "mm/s")),
    (Unit("mass flux", 1.0 / 3600.0), ("kg m-2 h-1", "mm h-1", "mm/h", "mm hr-1", "mm/hr")),
    (Unit("irradiance"), ("w m-2", "w/m2", "wm-2", "watt m-2", "watts m-2", "watt/m2")),
    (Unit("radiant exposure"), ("j m-2", "j/m2", "jm-2", "w m-2 s")),
    (Unit("radiant exposure", 1000.0), ("kj m-2", "kj/m2")),
    (Unit("radiant exposure", 1.0e6), ("mj m-2", "mj/m2")),
)
_KNOWN = {spelling: unit for unit, spellings in _SPELLINGS for spelling in spellings}

SI = {
    "temperature": "K",
    "speed": "m s-1",
    "pressure": "Pa",
    "geopotential": "m2 s-2",
    "length": "m",
    "ratio": "1",
    "area density": "kg m-2",
    "mass flux": "kg m-2 s-1",
    "irradiance": "W m-2",
    "radiant exposure": "J m-2",
}
"""Unit of each kind to which values are brought."""


def unit_of(text: str) -> Unit | None:
    """Unit that a spelling means, None if it is not known; `**`, `^` and `+` of powers are ignored."""
    plain = " ".join(text.strip().lower().replace("**", "").replace("^", "").replace("+", "").split())
    return _KNOWN.get(plain)


def spellings(kind: str) -> str:
    """Spellings of a kind of quantity that are understood, the most common of each unit, for messages."""
    return ", ".join(names[0] for unit, names in _SPELLINGS if unit.kind == kind)
