"""Drawing a model's numbers: curves over time, and bars of a whole utterance."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..drawing import GREY, Lettering, legend_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from ..tracking import LoadedModel

__all__ = ["draw_bars", "draw_curves"]

MARGIN = 0.02
"""Share of the range of numbers that is empty above and below it."""


def draw_curves(
    axes: "Axes", pieces: Iterable[tuple[np.ndarray, np.ndarray]], model: "LoadedModel", letters: Lettering, *, of: str
) -> None:
    """Draw every output of a model over time, with a legend.

    Args:
        axes: To draw into.
        pieces: Times in seconds, shape (W,), and shown numbers, shape (W, K), of each uninterrupted stretch.
        model: Has the outputs' names, their scales, and the noun for their numbers.
        letters: For names.
        of: The stretches that a number is of, in words, such as `windows of 1 s`.
    """
    lines: list[Line2D] = []
    for times_s, found in pieces:
        marker = "." if len(times_s) == 1 else None
        lines = [
            axes.plot(times_s, found[:, number], _line(number), color=_colour(number), marker=marker)[0]
            for number in range(len(model.labels))
        ]
    axes.set(ylabel=f"{model.task.number}\n({of})")
    if (limits := _limits(model)) is not None:
        low, high = limits
        bottom, top = axes.get_ylim() if model.scales else limits  # a rating may lie outside its scale
        axes.set_ylim(min(low, bottom) - MARGIN * (high - low), max(high, top) + MARGIN * (high - low))
    if (threshold := model.task.decides_from) is not None:
        axes.axhline(threshold, color=GREY, linewidth=0.8)
    legend_beside(axes, lines, [letters(name) for name in model.labels])


def draw_bars(axes: "Axes", numbers: Mapping[str, float], model: "LoadedModel", letters: Lettering) -> None:
    """Draw the number of each output of a whole utterance as a bar, the first on top."""
    places = np.arange(len(numbers))
    axes.barh(places, list(numbers.values()), color=[_colour(number) for number in range(len(numbers))])
    axes.set_yticks(places, [letters(name) for name in numbers])
    axes.invert_yaxis()
    axes.set(xlabel=f"{model.task.number}, whole utterance", xlim=(0, 1))
    if (threshold := model.task.decides_from) is not None:
        axes.axvline(threshold, color=GREY, linewidth=0.8)


def _limits(model: "LoadedModel") -> tuple[float, float] | None:
    """The lowest and highest number that is usual; None where the scale is not known."""
    if model.task.named:
        return 0.0, 1.0
    if not model.scales:
        return None
    return min(low for low, _ in model.scales.values()), max(high for _, high in model.scales.values())


def _colour(number: int) -> tuple[float, float, float, float]:
    from matplotlib import colormaps

    return colormaps["tab10"](number % 10)


def _line(number: int) -> str:
    return "-" if number < 10 else "--"
