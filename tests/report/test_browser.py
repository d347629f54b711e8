"""The page in a real browser, light and dark, wide and narrow."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from kaiseki.report import make_report
from kaiseki.verification.run import Judgement

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser on PATH; one of {', '.join(BROWSERS)} is needed to open the report")
    return found


@pytest.fixture(scope="module")
def report(twin: Path, judged: Judgement) -> Path:
    return make_report(twin, judgement=judged)


def _run(browser: str, report: Path, profile: Path, *options: str) -> str:
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={profile}",
    ]
    done = subprocess.run(
        [*command, *options, report.as_uri()], capture_output=True, text=True, timeout=200, check=True
    )
    return done.stdout


@pytest.mark.parametrize(("scheme", "bright"), [(1, True), (0, False)])
def test_screenshots_in_both_schemes(browser: str, report: Path, tmp_path: Path, scheme: int, bright: bool):
    picture = tmp_path / "page.png"
    options = ("--window-size=1280,2400", f"--screenshot={picture}", f"--blink-settings=preferredColorScheme={scheme}")
    _run(browser, report, tmp_path / "profile", *options)
    pixels = matplotlib.image.imread(picture)[..., :3].mean(axis=2)
    assert pixels.shape == (2400, 1280)
    paper = np.median(pixels[:, :40])
    assert (paper > 0.9) == bright
    # Something is drawn from top to bottom: no band of the page is empty.
    bands = pixels.reshape(12, 200, 1280)
    assert all(np.ptp(band) > 0.3 for band in bands)


def test_the_page_is_not_wider_than_a_telephone(browser: str, report: Path, tmp_path: Path):
    probe = report.with_name("probe.html")
    script = (
        "<script>document.title = document.documentElement.scrollWidth + ' ' + document.images.length + ' ' + "
        "[...document.images].every(i => i.complete && i.naturalWidth > 0)</script></body>"
    )
    probe.write_text(report.read_text(encoding="utf-8").replace("</body>", script), encoding="utf-8")
    document = _run(browser, probe, tmp_path / "profile", "--window-size=500,900", "--dump-dom")
    width, images, loaded = document.split("<title>")[1].split("</title>")[0].split()
    assert int(width) <= 500
    assert int(images) == 9
    assert loaded == "true"
