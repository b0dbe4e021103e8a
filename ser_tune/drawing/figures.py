"""Figures in one style: as SVG, the same file for the same numbers; or as a file."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .lettering import PLAIN, Lettering

if TYPE_CHECKING:  # the command line reads this module
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BLUE", "GREY", "RED", "WIDTH", "Picture", "draw", "draw_to", "legend_beside", "refuse_other_picture"]

BLUE, RED, GREY = "#2b6cb0", "#c53030", "#a0aec0"
FORMATS = (".pdf", ".png", ".svg")
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
    """A picture and its caption."""

    name: str
    """A file's name without its suffix."""
    caption: str
    """With the names that the picture has numbers for."""
    svg: bytes
    names: str = ""
    """The names that the picture has numbers for, a line each; empty where fonts have all."""


def draw(
    name: str,
    caption: str,
    height: float,
    fill: "Callable[[Figure], None]",
    *,
    width: float = WIDTH,
    letters: Lettering = PLAIN,
) -> Picture:
    """Have a figure filled, and keep it as SVG.

    Args:
        name: Of the picture.
        caption: Describes the content of the figure.
        height: Inches.
        fill: Draws into the figure; names from data are `letters(name)`.
        width: Inches.
        letters: For the names in the picture.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE | {"font.family": list(letters.families)}):
        figure = Figure(figsize=(width, height), layout="constrained")
        fill(figure)
        _write_plain_numbers(figure)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    if letters.numbers:
        caption = f"{caption} {', '.join(letters.legend)}."
    return Picture(name, caption, file.getvalue(), "".join(f"{line}\n" for line in letters.legend))


def _write_plain_numbers(figure: "Figure") -> None:
    """Label logarithmic axes with plain numbers: Matplotlib's own labels are markup, which is not read here."""
    from matplotlib.ticker import LogFormatter, NullFormatter

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), LogFormatter):
                axis.set_major_formatter(lambda value, _: f"{value:g}")
            if isinstance(axis.get_minor_formatter(), LogFormatter):
                axis.set_minor_formatter(NullFormatter())


def draw_to(
    path: Path,
    height: float,
    fill: "Callable[[Figure], None]",
    *,
    width: float = WIDTH,
    dpi: float = 150,
    letters: Lettering = PLAIN,
) -> None:
    """Have a figure filled, and write it in the format of the path's suffix, such as PNG.

    Names that no font has are numbers in the picture, and lines of `NAME.labels.txt` beside it.

    Args:
        path: The file.
        height: Inches.
        fill: Draws into the figure; names from data are `letters(name)`.
        width: Inches.
        dpi: Points an inch of a PNG.
        letters: For the names in the picture.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE | {"font.family": list(letters.families)}):
        figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        fill(figure)
        _write_plain_numbers(figure)
        if path.suffix.lower() == ".png":
            # Not `savefig`, which draws a figure with a layout twice
            canvas.print_png(path)  # type: ignore[no-untyped-call]
        else:
            figure.savefig(path)
    if letters.numbers:
        text = "".join(f"{line}\n" for line in letters.legend)
        path.with_suffix(".labels.txt").write_text(text, encoding="utf-8")


def refuse_other_picture(path: Path, *, name: str = "the picture") -> None:
    """Refuse a path that `draw_to` cannot write, before the work whose result is drawn.

    Args:
        path: The file.
        name: Its name in the message, such as `--picture`.

    Raises:
        ConfigError: The suffix is no format, the folder does not exist, or the path is a folder.
    """
    if path.suffix.lower() not in FORMATS or not path.parent.is_dir() or path.is_dir():
        raise ConfigError(
            f"{name} is '{path}'; expected a name that ends in {', '.join(FORMATS)}, in an existing folder"
        )


def legend_beside(axes: "Axes", handles: "Sequence[Artist]", names: Sequence[str]) -> None:
    """Add a legend to the right of axes, with every name: Matplotlib leaves out those that start with `_`."""
    legend = axes.legend(handles, ["name"] * len(names), frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)
