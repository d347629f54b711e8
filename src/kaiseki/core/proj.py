"""Import of pyproj that another PROJ library in the process does not disturb.

The wheels of pyproj and of ecCodes (eckitlib) both bring a PROJ library, and findlibs opens that of ecCodes for the
whole process (RTLD_GLOBAL). Where ecCodes came first, the PROJ of pyproj would take variables of the other one for its
own; both then release them, and the process dies at its end of a double free. ecCodes may have been imported by others:
for a file whose format is not given, xarray imports the readers of all formats, cfgrib among them. So pyproj is then
told to look for its names in its own library first (RTLD_DEEPBIND, of glibc). In the other order nothing is mixed.

What it does not do: help where something else imports pyproj after ecCodes, before Kaiseki does.
"""

from __future__ import annotations

import os
import sys

if "findlibs" in sys.modules and hasattr(os, "RTLD_DEEPBIND"):
    _flags = sys.getdlopenflags()
    sys.setdlopenflags(_flags | os.RTLD_DEEPBIND)
    try:
        import pyproj
    finally:
        sys.setdlopenflags(_flags)
else:
    import pyproj

__all__ = ["pyproj"]
