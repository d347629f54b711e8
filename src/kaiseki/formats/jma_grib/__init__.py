"""JMA's local GRIB 2: rain, radar and soil-water fields by levels in run-length packing, read and written.

`reading.read` gives the fields of a file, `dataset.to_dataset` a CF dataset of them, `writing.encode` an analysed hour
in the form of JMA's analysed precipitation. Nothing here needs ecCodes; `DEFINITIONS` teaches ecCodes the templates.
"""

from pathlib import Path

DEFINITIONS = Path(__file__).with_name("definitions")
"""Folder of definitions for ecCodes of JMA's local product templates; value of ECCODES_EXTRA_DEFINITION_PATH."""
