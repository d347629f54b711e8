"""Import of ecCodes that does not disturb pyproj.

The wheels of both bring a PROJ library. When ecCodes' (eckitlib 2.5.0) is loaded first and pyproj's (3.8) after it, the
process crashes at its end with a double free. The other order is sound.
"""

# isort: off
import pyproj  # noqa: F401
import eccodes

# isort: on

__all__ = ["eccodes"]
