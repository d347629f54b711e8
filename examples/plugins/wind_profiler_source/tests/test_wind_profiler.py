"""The source keeps the contract, reads what stands in the file, and says what is wrong with one that it cannot read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from wind_profiler_source import HEADER, WindProfilerCsv

from kaiseki.core.errors import InputError
from kaiseki.testing import check_observation_source

LINES = (
    "47629,2024-01-01T12:00Z,36.38,140.47,29,1200,8.3,-2.1,2.5",
    "47629,2024-01-01T12:00Z,36.38,140.47,29,2400,15.0,-4.0,2.5",
    "47629,2024-01-01T13:00Z,36.38,140.47,29,1200,9.3,-2.1,2.5",
    "47909,2024-01-01T21:00+09:00,28.38,129.50,3,1200,-1.5,0.5,3",
    "91203,2024-01-01T12:00Z,44.00,181.50,3,1200,-1.5,0.5,3",
)


def file_of(folder: Path, *lines: str, header: str = ",".join(HEADER)) -> Path:
    path = folder / "profilers.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_the_contract_is_kept(tmp_path: Path) -> None:
    check_observation_source(WindProfilerCsv(), "wind_profiler", [file_of(tmp_path, *LINES)])


def test_values_are_those_of_the_file(tmp_path: Path) -> None:
    table = WindProfilerCsv().read([file_of(tmp_path, *LINES)])
    east = table.take(table.where(quantity="eastward_wind"))
    assert east.column("value").tolist() == [8.3, 15.0, 9.3, -1.5, -1.5]
    assert east.column("report").tolist() == [0, 0, 1, 2, 3]
    # The fourth line is in Japan's time, the last longitude beyond 180 degrees.
    assert east.column("time")[3] == np.datetime64("2024-01-01T12:00:00")
    assert east.column("longitude")[4] == -178.5


def test_a_box_may_cross_the_date_line(tmp_path: Path) -> None:
    table = WindProfilerCsv().read([file_of(tmp_path, *LINES)], (140.0, 30.0, -170.0, 50.0))
    assert set(table.column("station")) == {"47629", "91203"}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("47629,2024-01-01T12:00Z,36.38,140.47,29,1200,calm,-2.1,2.5", "line 2: could not convert .*'calm'"),
        ("47629,yesterday,36.38,140.47,29,1200,8.3,-2.1,2.5", "line 2: 'yesterday' is not a time"),
        ("47629,2024-01-01T12:00Z,36.38", "line 2: "),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    with pytest.raises(InputError, match=rf"profilers\.csv, {sentence}"):
        WindProfilerCsv().read([file_of(tmp_path, line)])


def test_another_header_and_an_absent_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="first line must be station,time"):
        WindProfilerCsv().read([file_of(tmp_path, header="a,b")])
    with pytest.raises(InputError, match=r"nowhere\.csv: cannot be opened"):
        WindProfilerCsv().read([tmp_path / "nowhere.csv"])
