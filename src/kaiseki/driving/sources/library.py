"""ecCodes, imported so that it lives in peace with pyproj.

When the wheel eccodeslib 2.50.0 is loaded first and pyproj 3.8 after it, the process crashes at its end (double free).
The other order is sound.
"""

# isort: off
import pyproj  # noqa: F401
import eccodes

# isort: on

__all__ = ["eccodes"]
