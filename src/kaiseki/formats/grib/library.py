"""Import of ecCodes that does not disturb pyproj, of which the sound order is first; see `kaiseki.core.proj`."""

# isort: off
import kaiseki.core.proj  # noqa: F401
import eccodes

# isort: on

__all__ = ["eccodes"]
