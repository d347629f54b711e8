"""ecCodes with our definitions, an independent decoder, on JMA's files and ours.

What can go wrong:
- our decoder and ecCodes differ in a value, a missing point, a time or the order of the points;
- the definitions are not found, or shift what follows the standard part of a template;
- ecCodes names a parameter as another centre's (0-1-200 is "potential evaporation" without our definitions).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formats.jma_grib.jma_messages import AMOUNT, END, GRID, hour, written
from kaiseki.formats.grib.messages import single_fields
from kaiseki.formats.jma_grib import DEFINITIONS
from kaiseki.formats.jma_grib.reading import read
from kaiseki.formats.jma_grib.writing import Origin, encode

# ecCodes reads its variables once, when it is loaded, so it gets a process of its own.
PROGRAM = """
import json, sys
import numpy as np
from pathlib import Path
from kaiseki.formats.grib.library import eccodes
from kaiseki.formats.grib.messages import single_fields

told, arrays = [], {}
keys = json.loads(sys.argv[3])
for number, message in single_fields(Path(sys.argv[1])):
    handle = eccodes.codes_new_from_message(message)
    eccodes.codes_set(handle, "missingValue", -1.0e36)
    values = eccodes.codes_get_values(handle)
    arrays[str(number)] = np.where(values == -1.0e36, np.nan, values)
    told.append({key: eccodes.codes_get(handle, key) for key in keys})
    eccodes.codes_release(handle)
np.savez(sys.argv[2], **arrays)
print(json.dumps(told))
"""
ROUND_OFF = 4.0e-16
"""ecCodes multiplies by 10^-D where we divide by 10^D: a last bit of double precision."""
KEYS = ("shortName", "units", "validityDate", "validityTime", "Ni", "Nj")


def by_eccodes(
    path: Path, folder: Path, keys: tuple[str, ...] = KEYS, definitions: bool = True
) -> tuple[list[np.ndarray], list[dict[str, Any]]]:
    """Values of all fields in the order of the file, and keys, as ecCodes has them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ECCODES")}
    if definitions:
        environment["ECCODES_EXTRA_DEFINITION_PATH"] = str(DEFINITIONS)
    out = folder / "eccodes.npz"
    command = [sys.executable, "-c", PROGRAM, str(path), str(out), json.dumps(keys)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(out) as arrays:
        return [arrays[name] for name in arrays.files], json.loads(done.stdout)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("jma/kaiseki_20161121_0000Z.grib2", ["prr60"]),
        ("jma/kaiseki_20161121_0100Z.grib2", ["prr60"]),
        ("jma/radar_composite_20160306_1900Z.grib2", ["prr10"]),
        ("jma/radar_echotop_20240301_0000Z.grib2", ["etop"]),
        ("jma/dojou_20170807_0000Z.grib2", ["swi", "swi1", "swi2"]),
        ("jma/dosha_judge_20180706_0950Z.grib2", ["lwg"]),
        ("jma/tanjikan_20170807_0010Z_FH01-06.grib2", ["prr60"] * 6),
        ("radar_jma/radar_composite_20241018_0005Z.grib2", ["prr05"]),
        ("radar_jma/Z__C_RJTD_20220808000000_RDR_JMAGPV_Ggis1km_Prr10lv_ANAL_grib2.bin", ["prr10"]),
        ("radar_jma/Z__C_RJTD_20170807020000_NOWC_GPV_Ggis1km_Prr10lv_FH0010-0100_grib2.bin", ["prr10a"] * 6),
    ],
)
def test_eccodes_reads_the_same_of_jma_s_files(data: Path, tmp_path: Path, name: str, short: list[str]) -> None:
    values, told = by_eccodes(data / name, tmp_path)
    fields = list(read(data / name))
    assert [one["shortName"] for one in told] == short
    for one, theirs, keys in zip(fields, values, told, strict=True):
        # ecCodes (2.50) takes the numbers of the table without a sign; the first bit is one by regulation 92.1.5.
        signed = one.table.scaled < 0
        table = np.where(signed, 2**15 - one.table.scaled, one.table.scaled) / 10.0**one.table.decimal
        ours = np.concatenate(([np.nan], table))[one.levels.ravel()]
        np.testing.assert_allclose(theirs, ours, rtol=ROUND_OFF, atol=0.0)
        assert f"{keys['validityDate']}{keys['validityTime']:04d}" == str(one.time)[:16].translate(
            str.maketrans("", "", "-T:")
        )
        assert (keys["Nj"], keys["Ni"]) == one.grid.shape


def test_tiles_are_read_the_same(data: Path, tmp_path: Path) -> None:
    """The first tiles of the 250-m composite, from a decompressed copy."""
    import gzip

    content = gzip.decompress((data / "jma" / "radar_250m_20210706_2330Z.grib2.gz").read_bytes())
    path = written(tmp_path / "tiles.grib2", content)
    some = b"".join(message for number, message in single_fields(path) if number % 60 == 0)
    path = written(tmp_path / "some.grib2", some)
    values, _ = by_eccodes(path, tmp_path)
    fields = list(read(path))
    assert len(fields) == 29
    assert max(one.levels.max() for one in fields) > 3
    for one, theirs in zip(fields, values, strict=True):
        np.testing.assert_allclose(theirs, one.values(np.float64).ravel(), rtol=ROUND_OFF, atol=0.0)


def test_eccodes_reads_what_we_write(tmp_path: Path) -> None:
    path = written(tmp_path / "ours.grib2", hour())
    keys = (*KEYS, "centre", "productionStatusOfProcessedData", "stepRange", "packingType", "name")
    (values,), (told,) = by_eccodes(path, tmp_path, keys)
    np.testing.assert_allclose(values, np.round(AMOUNT.ravel().astype(float), 1), rtol=ROUND_OFF, atol=0.0)
    assert (told["shortName"], told["units"], told["name"]) == ("prr60", "kg m**-2", "Precipitation of one hour")
    assert (told["validityDate"], told["validityTime"], told["stepRange"]) == (20161121, 100, "-1-0")
    assert (str(told["centre"]), told["productionStatusOfProcessedData"]) == ("65535", 3)
    assert told["packingType"] == "grid_run_length"


def test_the_words_about_radars_and_gauges_are_keys(data: Path, tmp_path: Path) -> None:
    path = data / "jma" / "kaiseki_20161121_0000Z.grib2"
    names = ("radarOperation1", "radarOperation2", "rainGaugeOperation")
    _, (told,) = by_eccodes(path, tmp_path, tuple(f"{name}{half}" for name in names for half in ("High", "Low")))
    (field,) = read(path)
    assert field.definition.words is not None
    ours = (field.definition.words.radars_1, field.definition.words.radars_2, field.definition.words.rain_gauges)
    assert tuple((told[f"{name}High"] << 32) + told[f"{name}Low"] for name in names) == ours


def test_weights_of_the_mesoscale_model_are_keys(data: Path, tmp_path: Path) -> None:
    path = data / "jma" / "tanjikan_20170807_0010Z_FH01-06.grib2"
    _, told = by_eccodes(path, tmp_path, ("numberOfAreas", "scaleFactorOfWeights"))
    assert told == [{"numberOfAreas": 13, "scaleFactorOfWeights": 0}] * 6


def test_standard_codes_need_no_definitions(tmp_path: Path) -> None:
    keys = (*KEYS, "stepType", "discipline", "parameterCategory", "parameterNumber")
    path = written(tmp_path / "wmo.grib2", encode(AMOUNT, GRID, END, Origin(form="wmo")).message)
    (values,), (told,) = by_eccodes(path, tmp_path, keys, definitions=False)
    np.testing.assert_allclose(values, np.round(AMOUNT.ravel().astype(float), 1), rtol=ROUND_OFF, atol=0.0)
    assert (told["discipline"], told["parameterCategory"], told["parameterNumber"]) == (0, 1, 8)
    # It has no name for 0-1-8, in JMA's files neither.
    assert (told["shortName"], told["stepType"]) == ("unknown", "accum")


def test_without_the_definitions_eccodes_cannot_read_jma_s_template(tmp_path: Path) -> None:
    """The reason for them: when this fails, ecCodes has its own and ours may go."""
    path = written(tmp_path / "ours.grib2", hour())
    with pytest.raises(AssertionError, match=r"template\.4\.50008\.def"):
        by_eccodes(path, tmp_path, definitions=False)
