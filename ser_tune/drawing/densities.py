"""Densities of predicted over true values."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .figures import GREY, draw_to
from .lettering import lettering_for

if TYPE_CHECKING:  # the command line reads this module
    import numpy as np
    from matplotlib.figure import Figure

__all__ = ["COLUMNS", "draw_ratings", "fill_ratings"]

COLUMNS = 3
"""Panels beside each other."""
CELLS = 28
"""Hexagons across a picture of densities."""


def fill_ratings(figure: "Figure", truth: "np.ndarray", predicted: "np.ndarray", titles: Sequence[str]) -> None:
    """Draw predicted over true ratings, each (N, D), as density: a panel with a title for each dimension."""
    import numpy as np
    from matplotlib.colors import ListedColormap

    # Shades of blue that are visible where a single utterance is
    density = ListedColormap([(0.17, 0.42, 0.69, share) for share in np.linspace(0.25, 1, 64)])
    grid = figure.subplots(-(-len(titles) // COLUMNS), COLUMNS, squeeze=False)
    for axes in grid.flat[len(titles) :]:
        axes.set_visible(False)
    for column, (axes, title) in enumerate(zip(grid.flat, titles, strict=False)):
        own = truth[:, column], predicted[:, column]
        low, high = min(map(np.min, own)), max(map(np.max, own))
        axes.plot([low, high], [low, high], color=GREY, linewidth=1)
        axes.hexbin(*own, gridsize=CELLS, extent=(low, high, low, high), cmap=density, mincnt=1, bins="log")
        axes.set_title(title, fontsize=9)
    figure.supxlabel("true rating", fontsize=9)
    figure.supylabel("predicted rating", fontsize=9)


def draw_ratings(path: Path, truth: "np.ndarray", predicted: "np.ndarray", names: Sequence[str], title: str) -> None:
    """Draw a picture of predicted over true ratings, each (N, D), of D dimensions."""
    letters = lettering_for([*names, title])

    def fill(figure: "Figure") -> None:
        fill_ratings(figure, truth, predicted, [letters(name, 24) for name in names])
        figure.suptitle(letters(title), fontsize=10)

    draw_to(path, 0.9 + 2.6 * -(-len(names) // COLUMNS), fill, width=8, dpi=100, letters=letters)
