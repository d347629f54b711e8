"""Variables of a dataset by their internal, CF standard or Japanese names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import xarray as xr

from kaiseki.archive.selection import inputs
from kaiseki.archive.selection.inputs import need_dataset
from kaiseki.core.errors import InputError

JAPANESE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "気温": ("temperature", "temperature_2m"),
        "地上気温": ("temperature_2m",),
        "仮温度": ("virtual_temperature",),
        "温位": ("theta",),
        "気圧": ("pressure",),
        "密度": ("rho",),
        "東西風": ("eastward_wind", "eastward_wind_10m"),
        "南北風": ("northward_wind", "northward_wind_10m"),
        "風": ("eastward_wind", "northward_wind", "eastward_wind_10m", "northward_wind_10m"),
        "地上風": ("eastward_wind_10m", "northward_wind_10m"),
        "鉛直風": ("w",),
        "比湿": ("qv", "specific_humidity_2m"),
        "相対湿度": ("relative_humidity",),
        "雲水": ("qc",),
        "雲氷": ("qi",),
        "雨": ("qr",),
        "雪": ("qs",),
        "あられ": ("qg",),
        "ジオポテンシャル高度": ("geopotential_height",),
        "地上気圧": ("surface_pressure",),
        "現地気圧": ("surface_pressure",),
        "海面更正気圧": ("mean_sea_level_pressure",),
        "地表面温度": ("skin_temperature",),
        "海面水温": ("sst",),
        "海氷密接度": ("sea_ice",),
        "地中温度": ("soil_temperature",),
        "土壌水分": ("soil_moisture",),
        "積雪水量": ("snow",),
        "降水量": ("precipitation",),
        "降雪量": ("snowfall",),
        "雲量": ("cloud_fraction",),
        "下向き短波放射": ("shortwave_down",),
        "上向き短波放射": ("shortwave_up",),
        "下向き長波放射": ("longwave_down",),
        "上向き長波放射": ("longwave_up",),
        "全天日射量": ("shortwave_down",),
        "顕熱フラックス": ("sensible_heat_flux",),
        "潜熱フラックス": ("latent_heat_flux",),
        "標高": ("terrain",),
        "陸地率": ("land_fraction",),
    }
)
"""Internal names that a Japanese name stands for; terms as in docs/glossary.md where they stand there."""


def found(dataset: xr.Dataset, name: str) -> list[str]:
    """Names in a dataset of the variables that a name stands for: its own, a CF standard name or a Japanese one.

    A standard name stands for all variables that have it, at whatever height.

    Raises:
        InputError: the dataset has no such variable; the message names the nearest.
    """
    own = [str(key) for key in dataset.data_vars]
    if name in own:
        return [name]
    if by_standard := [key for key in own if dataset[key].attrs.get("standard_name") == name]:
        return by_standard
    if name in JAPANESE and (by_japanese := [key for key in JAPANESE[name] if key in own]):
        return by_japanese
    standard = [str(dataset[key].attrs["standard_name"]) for key in own if "standard_name" in dataset[key].attrs]
    japanese = [word for word, keys in JAPANESE.items() if set(keys) & set(own)]
    near = difflib.get_close_matches(name, [*own, *standard, *japanese], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(own) or 'no variables'}"
    raise InputError(f"The dataset has no variable {name!r}; {hint}")


def variables(dataset: xr.Dataset, names: str | Sequence[str]) -> xr.Dataset:
    """A dataset with the chosen variables alone, and the bounds of their intervals.

    Args:
        dataset: from `kaiseki.open`.
        names: internal names ("temperature"), CF standard names ("air_temperature") or Japanese names ("気温"), one or
            many. A standard or Japanese name stands for all variables that it fits, at whatever height.

    Raises:
        InputError: a name that fits no variable; the message names the nearest.
    """
    need_dataset(dataset)
    wanted = inputs.names(names, "Variables")
    if not wanted:
        raise InputError("No name of a variable was given")
    chosen = list(dict.fromkeys(key for name in wanted for key in found(dataset, name)))
    if "time_bnds" in dataset.data_vars and dataset["time"].attrs.get("bounds") == "time_bnds":
        chosen = [*chosen, *(["time_bnds"] if "time_bnds" not in chosen else [])]
    return dataset[chosen]
