"""What is installed beside the client: the extras of the package, and whether JAX can be used on this machine."""

from __future__ import annotations

import importlib.util
import sys
from typing import Final

from kaiseki.core.errors import InstallationError, ResourceError

EXTRAS: Final = {
    "run": ("jax", "jaxlib", "equinox", "jaxtyping", "scipy", "psutil"),
    "formats": ("eccodes", "h5netcdf", "h5py", "tifffile"),
    "precip": ("scipy", "dask"),
    "report": ("matplotlib", "jinja2"),
    "fetch": ("requests", "obstore", "cdsapi"),
    "s3": ("obstore",),
}
"""Packages that must be there, by the smallest extra to name to a user; "run" brings the others too."""


def need(*extras: str, what: str) -> None:
    """Refuse at once what could not be ended without an extra.

    Args:
        extras: keys of `EXTRAS`.
        what: that needs them, such as "kaiseki run".

    Raises:
        InstallationError: a package is not installed; says which extra brings it.
        ResourceError: JAX is needed and does not work on this processor.
    """
    for name in (name for extra in extras for name in EXTRAS[extra]):
        if not _is_installed(name):
            raise _missing(name, extras[0], what)
    if "run" in extras and (reason := jax_refusal()):
        raise ResourceError(f"{what} needs JAX, which cannot be used on this machine: {reason}")


def missing_packages(extra: str) -> list[str]:
    """Packages of an extra, a key of `EXTRAS`, that are not installed."""
    return [name for name in EXTRAS[extra] if not _is_installed(name)]


def is_there(extra: str) -> bool:
    """Whether all packages of an extra, a key of `EXTRAS`, are installed."""
    return not missing_packages(extra)


def explain(error: ImportError, what: str) -> InstallationError | None:
    """The sentence for an import that failed for want of an extra; None if it failed for anything else."""
    name = (error.name or "").partition(".")[0]
    for extra, packages in EXTRAS.items():
        if name in packages and not _is_installed(name):
            return _missing(name, extra, what)
    return None


def jax_refusal() -> str | None:
    """Why JAX cannot be used although it is installed, in its own words: a processor without AVX; None if it can."""
    try:
        import jax  # noqa: F401
    except RuntimeError as error:
        return " ".join(str(error).split())
    return None


def _missing(name: str, extra: str, what: str) -> InstallationError:
    return InstallationError(
        f'{what} needs the package {name}, which is not installed; do: pip install "kaiseki[{extra}]"'
    )


def _is_installed(name: str) -> bool:
    if name in sys.modules:
        return sys.modules[name] is not None
    return importlib.util.find_spec(name) is not None
