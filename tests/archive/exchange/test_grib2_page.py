"""The page on GRIB 2 says what the code does."""

from __future__ import annotations

from pathlib import Path

from kaiseki.archive.exchange.jma_form import FORMS
from kaiseki.core.variables import VARIABLES


def test_the_table_of_parameters(root: Path) -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (root / "docs/grib2.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and len(line.split("|")) == 9
    ][1:]
    parameters = [(one, form) for form in FORMS.values() for one in form.parameters]
    assert len(rows) == len(parameters)
    for row, (one, form) in zip(rows, parameters, strict=True):
        code = one.code
        assert row[0] == one.abbreviation
        assert row[2] == f"{code.discipline}-{code.category}-{code.number}"
        if one.variable is None:
            assert row[1] == "not in Kaiseki"
            continue
        known = VARIABLES[one.variable]
        assert row[1] == f"`{one.variable}`"
        assert row[5] == {"simple": "5.0", "complex": "5.3"}[form.packing]
        assert row[4][:3] == ("4.0" if known.cell_methods == "time: point" else "4.8")
        units = "%" if code.scale == 100.0 else known.units
        assert row[6] == f"{code.scale * known.bound:g} / {code.scale * known.user_bound:g} {units}"
