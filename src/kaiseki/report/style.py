"""How figures look and how they get into the page: charts as SVG whose colours follow the page, maps as PNG.

Charts are written with marker colours that are replaced by the page's CSS variables, so that one file reads well in a
light and in a dark window. Maps have a paper of their own. The colours of experiments are those of Okabe and Ito
(2008, Color Universal Design), which the colour-blind can tell apart; each has a marker and a dash of its own too.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

INK, MUTED, RULE = "#010203", "#040506", "#070809"
"""Marker colours: replaced by var(--ink), var(--muted), var(--rule) in charts."""

_VARIABLES: Final = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    "#0072b2": "var(--analysis)",  # as Matplotlib writes it
}

MAP_INK, MAP_MUTED, MAP_PAPER = "#1f2730", "#5c6670", "#fdfcf9"
"""Colours of maps."""


FULL_WIDTH = 10.4
"""Width of a chart that fills the page [inches]."""


@dataclass(frozen=True)
class Look:
    """How an experiment is drawn and called."""

    label: str
    colour: str
    marker: str
    dash: Any = "-"


LOOKS: Final[dict[str, Look]] = {
    "analysis": Look("analysis", "#0072B2", "o"),
    "background": Look("background (3-h forecast)", "#56B4E9", "s", (0, (5, 1.5))),
    "optimal_interpolation": Look("optimal interpolation", "#009E73", "^", (0, (3, 1, 1, 1))),
    "free_run": Look("no assimilation", "#D55E00", "D", (0, (4, 2))),
    "driving": Look("driving fields", "#CC79A7", "v", (0, (1.5, 1.2))),
}
"""Experiments in the order of legends and tables."""


def look(experiment: str) -> Look:
    """The look of an experiment; one that is not known is drawn in the colour of the text."""
    return LOOKS.get(experiment, Look(experiment.replace("_", " "), INK, "x"))


def ordered(experiments: Iterable[str]) -> list[str]:
    """Experiments in the order of legends, unknown ones at the end."""
    names = set(experiments)
    return [name for name in LOOKS if name in names] + sorted(names - LOOKS.keys())


_COMMON: Final[dict[str, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "normal",
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "axes.unicode_minus": True,
}

_CHART: Final[Any] = _COMMON | {
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "axes.titlecolor": INK,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "svg.fonttype": "none",
    "lines.linewidth": 1.7,
    "lines.markersize": 4.5,
}

_MAP: Final[Any] = _COMMON | {
    "text.color": MAP_INK,
    "axes.labelcolor": MAP_MUTED,
    "axes.edgecolor": "#9aa3ab",
    "xtick.color": MAP_MUTED,
    "ytick.color": MAP_MUTED,
    "figure.facecolor": MAP_PAPER,
    "savefig.facecolor": MAP_PAPER,
    "axes.facecolor": MAP_PAPER,
}


def light(name: str, part: float = 0.35) -> ListedColormap:
    """A colour map of matplotlib mixed with white, so that contours, coast and barbs on it stay readable."""
    colours = mpl.colormaps[name](np.linspace(0.0, 1.0, 256))
    colours[:, :3] += part * (1.0 - colours[:, :3])
    return ListedColormap(colours, name=f"light {name}")


def chart_style() -> Any:
    """Context in which charts are made and written."""
    return mpl.rc_context(_CHART)


def map_style() -> Any:
    """Context in which maps are made and written."""
    return mpl.rc_context(_MAP)


@dataclass(frozen=True)
class Picture:
    """One picture of the page.

    Attributes:
        markup: HTML of the picture itself.
        caption: words under it.
        wide: takes all columns of a gallery.
    """

    markup: str
    caption: str
    wide: bool = False


def svg_picture(figure: Figure, alt: str, caption: str) -> Picture:
    """A chart as inline SVG; `alt` is read to those who do not see it. Call within `chart_style`."""
    buffer = io.BytesIO()
    salt = hashlib.sha256(alt.encode()).hexdigest()[:8]
    with mpl.rc_context({"svg.hashsalt": salt}):
        FigureCanvasSVG(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for marker, name in _VARIABLES.items():
        text = text.replace(marker, name)
    # Several pictures share a page, in which an identity may occur once only.
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{salt}{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r"(url\(#|href=\"#)", rf"\g<1>{salt}", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    # A narrow chart keeps the size of its letters beside wide ones.
    width = 100.0 * min(1.0, figure.get_size_inches()[0] / FULL_WIDTH)
    head = f'<svg class="chart" style="max-width: {width:.0f}%" role="img" aria-label="{html.escape(alt, quote=True)}"'
    text = text.replace("<svg", head, 1)
    return Picture(text, caption)


def png_picture(figure: Figure, alt: str, caption: str, dpi: int = 150, *, wide: bool = False) -> Picture:
    """A map as PNG in the page, over both columns where it is `wide`. Call within `map_style`."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    width, height = (round(size * dpi) for size in figure.get_size_inches())
    markup = (
        f'<img class="map" src="data:image/png;base64,{data}" width="{width}" height="{height}" '
        f'alt="{html.escape(alt, quote=True)}">'
    )
    return Picture(markup, caption, wide)
