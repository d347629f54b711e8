"""Places on the Earth in words."""

from __future__ import annotations


def place_words(lat: float, lon: float, digits: int = 2) -> str:
    """A place in degrees as messages name it, such as "37.50S 145.20E"; longitudes on any turn."""
    lon = (float(lon) + 180.0) % 360.0 - 180.0
    return f"{abs(lat):.{digits}f}{'N' if lat >= 0.0 else 'S'} {abs(lon):.{digits}f}{'E' if lon >= 0.0 else 'W'}"
