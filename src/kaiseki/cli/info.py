"""`kaiseki info`: what a run would find on this machine."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from kaiseki.cli import machine
from kaiseki.cli.output import Json, begin, emit

PACKAGES = (
    "kaiseki",
    "jax",
    "jaxlib",
    "equinox",
    "numpy",
    "scipy",
    "xarray",
    "zarr",
    "icechunk",
    "pyarrow",
    "eccodes",
    "pydantic",
)


def info(*, json: Json = False) -> None:
    """Print versions, processors, memory and the devices that JAX can use."""
    begin(json)
    result = collect()
    emit(result, json=json, text=lambda: _lines(result))


def collect() -> dict[str, Any]:
    """Versions (None where a package is absent), processors, memory [bytes] and devices."""
    return {
        "python": platform.python_version(),
        "system": machine.system(),
        "packages": {name: _version(name) for name in PACKAGES},
        "processors": machine.processors(),
        "memory": machine.memory(),
        **machine.devices(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _lines(result: dict[str, Any]) -> str:
    width = 12
    memory, devices = result["memory"], result["devices"]
    if memory is None:
        memory_text = "not known (psutil is not installed)"
    else:
        memory_text = f"{memory['total'] / 2**30:.1f} GiB, {memory['available'] / 2**30:.1f} GiB available"
    if result["jax_refusal"]:
        device_text = f"none (JAX cannot be used on this machine: {result['jax_refusal']})"
    elif devices is None:
        device_text = "none (JAX is not installed; install kaiseki[run] to run the model)"
    else:
        device_text = ", ".join(f"{device['platform']} ({device['kind']})" for device in devices)
    rows = [
        ("python", result["python"]),
        ("system", result["system"]),
        ("processors", str(result["processors"])),
        ("memory", memory_text),
        ("devices", device_text),
        *((name, found or "not installed") for name, found in result["packages"].items()),
    ]
    return "\n".join(f"{name:<{width}}{text}" for name, text in rows)
