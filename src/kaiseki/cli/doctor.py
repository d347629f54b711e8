"""`kaiseki doctor`: what this machine can run, what it lacks, and what to do about it."""

from __future__ import annotations

import typing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from kaiseki.cli import machine
from kaiseki.cli.installed import EXTRAS, is_there, missing_packages
from kaiseki.cli.machine import GB, Finding
from kaiseki.cli.output import Json, begin, emit
from kaiseki.core.files import cache_folder

USES: Final = {
    "run": "the model and its analyses",
    "formats": "GRIB, NetCDF 4 and TIFF files",
    "precip": "analysed precipitation (kaiseki precip)",
    "report": "reports and maps",
    "fetch": "data from services (kaiseki fetch)",
    "s3": "releases in object stores",
}
"""Use of each extra in `installed.EXTRAS`, in words."""


def doctor(*, json: Json = False) -> None:
    """Say what this machine has, what is missing and what to do about it, and which presets it can run."""
    begin(json)
    findings = [*examine(), *extras()]
    presets = _presets()
    result = {
        "findings": [asdict(one) for one in findings],
        "presets": presets,
        "can_run": all(one.state != "bad" for one in findings),
    }
    emit(result, json=json, text=lambda: _lines(findings, presets))


def examine() -> list[Finding]:
    """Processors, memory, devices, disk and cache of this machine."""
    return [*_processors(), _memory(), _devices(), *_folders()]


def _processors() -> list[Finding]:
    count, sets = machine.processors(), machine.instruction_sets()
    advice = "" if count > 1 else "One is slow: give the container or job more."
    found = [Finding("processors", "good" if count > 1 else "note", f"{count} that this process may use", advice)]
    if sets is None:
        return [*found, Finding("instructions", "note", "not known on this system")]
    words = ", ".join(sets) or "none of SSE 4.2, AVX, AVX2, AVX-512"
    if "asimd" in sets or "avx2" in sets:
        return [*found, Finding("instructions", "good", words)]
    if "avx" in sets:
        return [*found, Finding("instructions", "note", words, "A processor with AVX2 would be about twice as fast.")]
    return [*found, Finding("instructions", "bad", words, "JAX needs AVX: take another machine.")]


def _memory() -> Finding:
    found = machine.memory()
    if found is None:
        return Finding("memory", "note", "not known", 'Do: pip install "kaiseki[run]", which brings psutil.')
    text = f"{found['total'] / GB:.1f} GB, {found['available'] / GB:.1f} GB free"
    if found["total"] < machine.LEAST_MEMORY:
        return Finding(
            "memory", "bad", text, f"At least {machine.LEAST_MEMORY / GB:.0f} GB are needed to run the model."
        )
    if found["available"] < machine.LEAST_MEMORY:
        return Finding("memory", "note", text, "Little is free: end other programs before a run.")
    return Finding("memory", "good", text)


def _devices() -> Finding:
    found, there = machine.devices(), machine.gpus()
    if found["jax_refusal"]:
        return Finding(
            "devices", "bad", f"JAX cannot be used: {found['jax_refusal']}", "Take another machine or driver."
        )
    listed = found["devices"]
    if listed is None:
        text = "none, for JAX is not installed" + (f"; there is {', '.join(there)}" if there else "")
        return Finding("devices", "bad", text, _install("run,gpu" if there else "run"))
    text = ", ".join(f"{one['platform']} ({one['kind']})" for one in listed)
    if there and all(one["platform"] == "cpu" for one in listed):
        return Finding(
            "devices", "note", f"{text}; {', '.join(there)} is there but JAX does not use it", _install("run,gpu")
        )
    return Finding("devices", "good", text)


def _folders() -> list[Finding]:
    found = []
    free = machine.free_space(Path.cwd())
    advice = (
        "" if free > machine.LEAST_DISK else "A run of some days may not fit: free some, or give --out on another disk."
    )
    text = f"{free / GB:.0f} GB free here ({Path.cwd()})"
    if not machine.writable(Path.cwd()):
        found.append(Finding("disk", "note", f"{text}, not writable", "Go to another folder, or give --out."))
    else:
        found.append(Finding("disk", "note" if advice else "good", text, advice))
    cache = cache_folder()
    if machine.writable(cache):
        found.append(Finding("cache", "good", f"{cache}, {machine.free_space(cache) / GB:.0f} GB free"))
    else:
        advice = "Every run compiles anew: name a folder that can be written in KAISEKI_CACHE."
        found.append(Finding("cache", "note", f"{cache} cannot be written", advice))
    return found


def extras() -> list[Finding]:
    """The extras of the package, and what is missing of each."""
    found = []
    for extra in EXTRAS:
        missing, what = missing_packages(extra), USES[extra]
        if missing:
            state = "bad" if extra == "run" else "note"
            found.append(Finding(f"[{extra}]", state, f"{what}: {', '.join(missing)} missing", _install(extra)))
        else:
            found.append(Finding(f"[{extra}]", "good", f"{what}: installed"))
    return found


def _install(extra: str) -> str:
    return f'Do: pip install "kaiseki[{extra}]"'


def _presets() -> list[dict[str, Any]]:
    """For each preset what a day of cycles would need here, and whether this machine has it; [] without JAX."""
    found = machine.memory()
    if not is_there("run") or found is None or machine.devices()["devices"] is None:
        return []
    from kaiseki.config import Experiment
    from kaiseki.config.domain import Preset
    from kaiseki.experiments.cost import LONGEST, estimate
    from kaiseki.experiments.size import too_much
    from kaiseki.grid import preset

    rows = []
    for name in reversed(typing.get_args(Preset)):
        experiment = Experiment.from_mapping(
            {
                "case": {"name": name, "kind": "twin"},
                "domain": {"preset": name},
                "period": {"cold_start": "2020-01-01T00:00Z", "end": "2020-01-02T00:00Z"},
            }
        )
        cost = estimate(experiment, preset(name))
        rows.append(
            {
                "preset": name,
                **cost.as_dict(),
                "fits": not too_much(cost.memory),
                "in_time": cost.seconds <= LONGEST,
            }
        )
    return rows


def _lines(findings: list[Finding], presets: list[dict[str, Any]]) -> str:
    from kaiseki.core.progress import duration

    marks = {"good": "ok", "note": "note", "bad": "LACKS"}
    lines = []
    for one in findings:
        lines.append(f"{marks[one.state]:<6}{one.what:<14}{one.text}")
        if one.advice:
            lines.append(f"{'':20}{one.advice}")
    if presets:
        lines += [
            "",
            "A day of cycles with the usual engine, the analysis alone, by rough estimates from 60 km on two cores:",
        ]
    for row in presets:
        if not row["fits"]:
            verdict = "no: too little memory"
        elif not row["in_time"]:
            verdict = "no: more than a day; take a GPU or a cluster"
        else:
            verdict = "yes"
        needs = f"{row['memory'] / GB:7.1f} GB of memory {duration(row['seconds']):>14}"
        lines.append(f"      {row['preset']:<14}{needs}   {verdict}")
    return "\n".join(lines)
