"""Pictures in one style: of a report as SVG, the same file for the same numbers; or as a file."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

__all__ = ["BLUE", "GREY", "RED", "WIDTH", "Picture", "draw", "draw_to"]

BLUE, RED, GREY = "#2b6cb0", "#c53030", "#a0aec0"
WIDTH = 9.4
"""Inches, at which letters of a picture are as large as those of the page."""
_STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # a name may contain a dollar sign
    "svg.hashsalt": "ser-tune",  # the same picture is the same file
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#718096",
    "axes.labelcolor": "#2d3748",
    "xtick.color": "#4a5568",
    "ytick.color": "#4a5568",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture and what it shows."""

    name: str
    """A file's name without its suffix."""
    caption: str
    svg: bytes


def draw(name: str, caption: str, height: float, fill: Callable[[Figure], None], *, width: float = WIDTH) -> Picture:
    """Have a figure filled, and keep it as SVG."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        fill(figure)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return Picture(name, caption, file.getvalue())


def draw_to(path: Path, height: float, fill: Callable[[Figure], None], *, width: float = WIDTH) -> None:
    """Have a figure filled, and write it in the format of the path's suffix, such as PNG."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        fill(figure)
        figure.savefig(path, dpi=150)
